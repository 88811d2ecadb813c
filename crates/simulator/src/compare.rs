//! Two results side by side: what was assumed differently, what came out, and where the trades part.
//!
//! It works on the documents that runs write, so that results of different days and versions can be compared.

use std::fmt::{self, Write as _};

use keyhold_engine::report::{Better, Figure, Metrics, digits};
use serde::Serialize;
use serde_json::Value;

use crate::checks::{Difference, differences};
use crate::sweep::bare;

/// Differing assumptions that are listed in a text.
const LISTED: usize = 40;
/// Fields of a trade that say what was done; the record of the decision is longer and follows from them.
const TRADE_FIELDS: &[&str] = &[
    "symbol",
    "side",
    "quantity",
    "entered_at",
    "entry_price",
    "exited_at",
    "exit_price",
    "exit_reason",
    "gross",
    "fees",
    "funding",
    "net",
];

/// Two results side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What was assumed differently; paths below `assumptions`.
    pub assumptions: Vec<Difference>,
    /// The figures of both.
    pub figures: Vec<Pair>,
    /// Trades that are equal before the first that differs.
    pub equal_trades: usize,
    /// Trades of both.
    pub trades: [usize; 2],
    /// The first trade that differs; `None` when all are equal.
    pub first_difference: Option<TradeDifference>,
}

/// One figure of both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pair {
    /// Which.
    pub figure: Figure,
    /// In the first.
    pub a: Option<f64>,
    /// In the second.
    pub b: Option<f64>,
}

/// The first trade that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TradeDifference {
    /// Its number, from 1.
    pub number: usize,
    /// The first's; null when it has no trade of this number.
    pub a: Value,
    /// The second's.
    pub b: Value,
    /// The fields that differ; empty when one of them has no such trade.
    pub fields: Vec<Difference>,
}

/// Why two documents cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// A document is not the report of a backtest.
    #[error("the {which} document is not a backtest report: {reason}")]
    NotAReport {
        /// `first` or `second`.
        which: &'static str,
        /// What is missing.
        reason: String,
    },
}

/// Compares two reports.
pub fn compare(a: &Value, b: &Value) -> Result<Comparison, CompareError> {
    let (left, right) = (Side::read(a, "first")?, Side::read(b, "second")?);
    let figures = Figure::ALL
        .iter()
        .map(|figure| Pair { figure: *figure, a: figure.of(&left.metrics), b: figure.of(&right.metrics) })
        .collect();
    let trades = [left.trades.len(), right.trades.len()];
    let equal_trades = left.trades.iter().zip(&right.trades).take_while(|(a, b)| a == b).count();
    let first_difference = (equal_trades < trades[0].max(trades[1])).then(|| {
        let pick = |trades: &[Value]| trades.get(equal_trades).cloned().unwrap_or_default();
        let (a, b) = (pick(&left.trades), pick(&right.trades));
        let both = !a.is_null() && !b.is_null();
        let fields = if both { differences(&a, &b) } else { Vec::new() };
        TradeDifference { number: equal_trades + 1, a, b, fields }
    });
    let assumptions = differences(left.assumptions, right.assumptions);
    Ok(Comparison { assumptions, figures, equal_trades, trades, first_difference })
}

struct Side<'a> {
    assumptions: &'a Value,
    metrics: Metrics,
    trades: Vec<Value>,
}

impl<'a> Side<'a> {
    fn read(report: &'a Value, which: &'static str) -> Result<Self, CompareError> {
        let wrong = |reason: String| CompareError::NotAReport { which, reason };
        let part = |name: &str| report.get(name).ok_or_else(|| wrong(format!("it has no `{name}`")));
        let metrics =
            serde_json::from_value(part("metrics")?.clone()).map_err(|error| wrong(error.to_string()))?;
        let trades = part("trades")?.as_array().ok_or_else(|| wrong("`trades` is no list".to_owned()))?;
        Ok(Self { assumptions: part("assumptions")?, metrics, trades: trades.iter().map(done).collect() })
    }
}

/// What a trade did.
fn done(trade: &Value) -> Value {
    let field = |name: &&str| ((*name).to_owned(), trade.get(*name).cloned().unwrap_or_default());
    Value::Object(TRADE_FIELDS.iter().map(field).collect())
}

/// The comparison as text for a terminal, with the names of both.
pub fn text(found: &Comparison, names: [&str; 2]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(text, "a  {}\nb  {}\n", names[0], names[1])?;
    if found.assumptions.is_empty() {
        writeln!(text, "Both assumed the same.")?;
    } else {
        writeln!(text, "Assumed differently:")?;
    }
    for difference in found.assumptions.iter().take(LISTED) {
        writeln!(text, "  {}: {} | {}", difference.path, shown(&difference.a), shown(&difference.b))?;
    }
    if found.assumptions.len() > LISTED {
        writeln!(text, "  and {} more", found.assumptions.len() - LISTED)?;
    }
    writeln!(text, "\n{:<24}{:>16}{:>16}{:>16}", "", "a", "b", "b - a")?;
    for pair in &found.figures {
        let change = pair.a.zip(pair.b).map(|(a, b)| b - a);
        let better = match (change, pair.figure.better()) {
            (Some(change), Better::Higher) if change > 0.0 => "  better",
            (Some(change), Better::Lower) if change < 0.0 => "  better",
            (Some(change), _) if change.abs() > 0.0 => "  worse",
            _ => "",
        };
        // More trades are neither good nor bad.
        let better = if pair.figure == Figure::Trades { "" } else { better };
        let (a, b) = (digits::ratio(pair.a), digits::ratio(pair.b));
        writeln!(text, "{:<24}{a:>16}{b:>16}{:>16}{better}", pair.figure.title(), digits::ratio(change))?;
    }
    writeln!(
        text,
        "\n{} trades | {} trades; the first {} are equal.",
        found.trades[0], found.trades[1], found.equal_trades
    )?;
    if let Some(first) = &found.first_difference {
        writeln!(text, "The first that differs is number {}:", first.number)?;
        for (name, trade) in [("a", &first.a), ("b", &first.b)] {
            writeln!(text, "  {name}  {}", sentence(trade))?;
        }
        let fields: Vec<&str> = first.fields.iter().map(|field| field.path.as_str()).collect();
        if !fields.is_empty() {
            writeln!(text, "  differing in {}", fields.join(", "))?;
        }
    }
    Ok(text)
}

fn shown(value: &Value) -> String {
    if value.is_null() { String::from("-") } else { bare(value) }
}

fn sentence(trade: &Value) -> String {
    if trade.is_null() {
        return String::from("has no such trade");
    }
    let field = |name: &str| trade.get(name).map_or_else(|| String::from("-"), shown);
    let time = |name: &str| {
        let at = trade.get(name).and_then(Value::as_i64);
        at.map_or_else(|| field(name), |ms| keyhold_domain::Timestamp::from_ms(ms).to_string())
    };
    let net: Result<keyhold_domain::Decimal, _> = field("net").parse();
    format!(
        "{} {} {} at {} ({}), left at {} ({}) by {}: net {}",
        field("side"),
        field("quantity"),
        field("symbol"),
        field("entry_price"),
        time("entered_at"),
        field("exit_price"),
        time("exited_at"),
        field("exit_reason"),
        net.map_or_else(|_| field("net"), digits::amount)
    )
}
