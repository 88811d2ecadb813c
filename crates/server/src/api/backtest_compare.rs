//! Results side by side: figures with the best marked, what was assumed differently, which trades they share.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use keyhold_domain::JobId;
use keyhold_engine::report::{Better, Figure, Metrics};
use keyhold_store::{Permission, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::api::backtest_view::{BacktestView, Detail};
use crate::api::backtests::{all_trades, completed, report};
use crate::app::Shared;
use crate::http::auth::Session;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;
use crate::shape;

/// Results that are compared at once.
const MOST: usize = 4;
/// Differing assumptions that are listed.
const MOST_DIFFERENCES: usize = 200;

/// Which results.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct CompareQuery {
    /// Two to four ids, with commas between them.
    ids: Option<String>,
}

/// Results side by side; lists have one place per result, in the order asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BacktestComparison {
    backtests: Vec<BacktestView>,
    figures: Vec<ComparedFigure>,
    /// What was assumed differently.
    assumptions: Vec<ComparedAssumption>,
    trades: TradeOverlap,
    #[schema(value_type = Vec<Vec<shape::EquityPoint>>)]
    equity: Vec<Value>,
}

/// One figure of all results.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComparedFigure {
    name: &'static str,
    title: &'static str,
    better: Direction,
    values: Vec<Option<f64>>,
    /// Places of the best; empty when all are equal or none is better.
    best: Vec<usize>,
}

/// Which way a figure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BetterDirection)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// It is neither good nor bad.
    Neither,
}

/// One assumption that differs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComparedAssumption {
    path: String,
    /// Null where a result has no such field.
    values: Vec<Value>,
}

/// Trades by market, side, entry and exit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TradeOverlap {
    /// Made in all results.
    common: usize,
    /// Made in one result only.
    only: Vec<usize>,
}

fn ids(text: Option<&str>) -> Result<Vec<JobId>, Problem> {
    let wrong = || Problem::bad_request("INVALID_FIELD", "Name two to four different backtests.").at("?ids");
    let named: Vec<&str> = text.unwrap_or_default().split(',').filter(|id| !id.is_empty()).collect();
    let different: BTreeSet<&str> = named.iter().copied().collect();
    if !(2..=MOST).contains(&named.len()) || different.len() != named.len() {
        return Err(wrong());
    }
    // What is no id is answered like an unknown one.
    named.iter().map(|id| id.parse().map_err(|_| Problem::not_found())).collect()
}

/// Completed backtests side by side.
#[utoipa::path(get, path = "/backtests/compare", params(CompareQuery),
    responses((status = 200, body = BacktestComparison), (status = 400, body = ProblemDocument),
        (status = 404, body = ProblemDocument), (status = 409, body = ProblemDocument)))]
pub(crate) async fn compare(
    State(app): State<Shared>,
    session: Session,
    Query(query): Query<CompareQuery>,
) -> Result<Json<BacktestComparison>, Problem> {
    session.needs(Permission::BacktestsView)?;
    let store = &session.workspace;
    let (mut backtests, mut reports, mut trades) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids(query.ids.as_deref())? {
        let row = completed(store, id).await?;
        backtests.push(BacktestView::new(&app, row, Detail::Short).await?);
        reports.push(report(store, id).await?);
        trades.push(all_trades(store, id).await?.iter().map(mark).collect::<BTreeSet<String>>());
    }
    let metrics = reports.iter().map(|report| {
        let metrics = report.get("metrics").cloned().unwrap_or_default();
        serde_json::from_value::<Metrics>(metrics).map_err(|_| StoreError::Corrupt { column: "report" })
    });
    let metrics = metrics.collect::<Result<Vec<_>, _>>()?;
    let equity = reports.iter().map(|report| report.get("equity").cloned().unwrap_or_default()).collect();
    Ok(Json(BacktestComparison {
        backtests,
        figures: Figure::ALL.iter().map(|figure| compared(*figure, &metrics)).collect(),
        assumptions: differing(&reports),
        trades: overlap(&trades),
        equity,
    }))
}

fn compared(figure: Figure, metrics: &[Metrics]) -> ComparedFigure {
    // More trades are neither good nor bad.
    let better = match (figure, figure.better()) {
        (Figure::Trades, _) => Direction::Neither,
        (_, Better::Higher) => Direction::Higher,
        (_, Better::Lower) => Direction::Lower,
    };
    let values: Vec<Option<f64>> = metrics.iter().map(|metrics| figure.of(metrics)).collect();
    let best = best(better, &values);
    ComparedFigure { name: figure.name(), title: figure.title(), better, values, best }
}

fn best(better: Direction, values: &[Option<f64>]) -> Vec<usize> {
    let known = || values.iter().flatten().copied();
    let top = match better {
        Direction::Higher => known().max_by(f64::total_cmp),
        Direction::Lower => known().min_by(f64::total_cmp),
        Direction::Neither => None,
    };
    let Some(top) = top else { return Vec::new() };
    let is_top = |value: &Option<f64>| value.is_some_and(|value| value.total_cmp(&top).is_eq());
    let places: Vec<usize> =
        values.iter().enumerate().filter(|(_, value)| is_top(value)).map(|(place, _)| place).collect();
    if places.len() == values.len() { Vec::new() } else { places }
}

/// What tells one trade from another.
fn mark(trade: &Value) -> String {
    let field = |name: &str| trade.get(name).map(Value::to_string).unwrap_or_default();
    ["symbol", "side", "entered_at", "exited_at"].map(field).join(" ")
}

fn overlap(trades: &[BTreeSet<String>]) -> TradeOverlap {
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for mark in trades.iter().flatten() {
        *made.entry(mark).or_default() += 1;
    }
    let times = |mark: &String| made.get(mark.as_str()).copied().unwrap_or(0);
    let only = trades.iter().map(|own| own.iter().filter(|mark| times(mark) == 1).count()).collect();
    TradeOverlap { common: made.values().filter(|count| **count == trades.len()).count(), only }
}

/// The leaves of the assumptions that are not the same in all reports.
fn differing(reports: &[Value]) -> Vec<ComparedAssumption> {
    let mut leaves: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (place, report) in reports.iter().enumerate() {
        let assumptions = report.get("assumptions").cloned().unwrap_or_default();
        spread(String::new(), &assumptions, &mut |path, value| {
            let values = leaves.entry(path).or_insert_with(|| vec![Value::Null; reports.len()]);
            values[place] = value.clone();
        });
    }
    let differs = |values: &[Value]| values.windows(2).any(|pair| pair[0] != pair[1]);
    let differing = leaves.into_iter().filter(|(_, values)| differs(values));
    differing.take(MOST_DIFFERENCES).map(|(path, values)| ComparedAssumption { path, values }).collect()
}

fn spread(path: String, value: &Value, found: &mut dyn FnMut(String, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                spread(below, value, found);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                spread(format!("{path}[{place}]"), item, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found(path, value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_best_is_marked_unless_all_are_equal() {
        assert_eq!(best(Direction::Higher, &[Some(1.0), Some(3.0), None, Some(3.0)]), [1, 3]);
        assert_eq!(best(Direction::Lower, &[Some(1.0), Some(3.0)]), [0]);
        assert!(best(Direction::Higher, &[Some(1.0), Some(1.0)]).is_empty());
        assert!(best(Direction::Neither, &[Some(1.0), Some(2.0)]).is_empty());
        assert!(best(Direction::Higher, &[None, None]).is_empty());
    }

    #[test]
    fn differences_are_found_where_a_field_is_missing_too() {
        let report = |value: Value| json!({"assumptions": value});
        let found = differing(&[
            report(json!({"a": {"b": 1, "c": [2]}, "d": 1})),
            report(json!({"a": {"b": 1, "c": []}, "d": 2})),
        ]);
        let shown: Vec<_> = found.iter().map(|one| (one.path.as_str(), one.values.clone())).collect();
        assert_eq!(shown, [("a.c[0]", vec![json!(2), Value::Null]), ("d", vec![json!(1), json!(2)])]);
    }

    #[test]
    fn trades_are_counted_once_for_all_and_once_for_one() {
        let set = |marks: &[&str]| marks.iter().map(|mark| (*mark).to_owned()).collect::<BTreeSet<_>>();
        let found = overlap(&[set(&["a", "b", "c"]), set(&["a", "c"]), set(&["a", "d"])]);
        assert_eq!((found.common, found.only), (1, vec![1, 0, 1]));
    }
}
