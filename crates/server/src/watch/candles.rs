//! A bot's chart: candles, where it entered and left, and the levels in force.
//!
//! Candles come from the bot's own decisions and, where those do not reach, from the venue's public history. While the
//! venue is away the chart shows what the bot itself decided on. The decisions' candle wins: it is what the bot saw.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use keyhold_domain::id::kind;
use keyhold_domain::{
    BotId, Candle, ClientOrderId, Contract, ContractType, Decimal, Environment, Exchange, OrderPurpose,
    Price, Quantity, Side, Symbol, Timeframe, Timestamp,
};
use keyhold_store::{FillRow, KeyOfBot, OrderRow, PageRequest, WorkspaceStore};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::values::CandleView;
use crate::api::documents::query_value;
use crate::app::{App, Shared};
use crate::http::auth::Session;
use crate::http::ids::PathId;
use crate::http::json::Json;
use crate::http::problem::{Problem, ProblemDocument};
use crate::http::query::Query;
use crate::shape;
use crate::venues::{self, Wanted};

/// Candles of a chart at most.
const MOST_CANDLES: u32 = 1_000;
/// Decisions read at most; more candles come from the venue.
const MOST_DECISIONS: u32 = 500;
/// A chart does not wait longer for the venue.
const VENUE_PATIENCE: Duration = Duration::from_secs(3);
/// A venue is asked for the same candles at most this often.
const FRESH_MS: i64 = 5_000;
/// After a venue did not answer, it is left alone for this long.
const REST_MS: i64 = 15_000;
/// Answers of venues kept at most.
const MOST_KEPT: usize = 64;

/// Which chart.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub(crate) struct ChartQuery {
    /// The market; that of the newest decision when absent, else the key's first.
    symbol: Option<String>,
    /// The template's when absent.
    timeframe: Option<String>,
    /// 1 to 1000; 300 when absent.
    limit: Option<u32>,
}

/// Candles with what the bot did on them.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Chart {
    /// The market shown; null when the bot has none.
    #[schema(value_type = Option<String>, required)]
    symbol: Option<Symbol>,
    #[schema(value_type = Option<shape::Timeframe>, required)]
    timeframe: Option<Timeframe>,
    /// Oldest first; the newest may still be forming.
    candles: Vec<CandleView>,
    entries: Vec<Mark>,
    exits: Vec<Mark>,
    /// The protective stop in force.
    #[schema(value_type = Option<String>, required)]
    stop: Option<Price>,
    /// The target in force.
    #[schema(value_type = Option<String>, required)]
    target: Option<Price>,
}

/// An order that was filled, at the average price of its fills.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Mark {
    /// The first fill.
    #[schema(value_type = i64)]
    at: Timestamp,
    #[schema(value_type = String)]
    price: Price,
    /// `buy` or `sell`: what was done.
    #[schema(value_type = shape::Side)]
    side: Side,
    #[schema(value_type = String)]
    quantity: Quantity,
    /// Why, on exits.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What a venue was asked for.
type Question = (Exchange, Environment, ContractType, Symbol, Timeframe, u32);

/// What a venue answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// Candles, oldest first.
    Told(Arc<[Candle]>),
    /// Nothing in time, or a refusal.
    Away,
}

/// Answers of venues, kept for seconds, so that charts that many people look at cost a venue one question.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    answers: Mutex<BTreeMap<Question, (Timestamp, Answer)>>,
}

impl Kept {
    fn get(&self, question: &Question, now: Timestamp) -> Option<Answer> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, answer) = answers.get(question)?;
        let good_for = match answer {
            Answer::Told(_) => FRESH_MS,
            Answer::Away => REST_MS,
        };
        (now.since_ms(*at) < good_for).then(|| answer.clone())
    }

    fn put(&self, question: Question, now: Timestamp, answer: Answer) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|_, (at, _)| now.since_ms(*at) < REST_MS);
        if answers.len() < MOST_KEPT {
            answers.insert(question, (now, answer));
        }
    }
}

/// Candles with entries, exits and the levels in force.
#[utoipa::path(get, path = "/bots/{id}/candles", params(("id" = String, Path), ChartQuery),
    responses((status = 200, body = Chart), (status = 404, body = ProblemDocument)))]
pub(crate) async fn candles(
    State(app): State<Shared>,
    Extension(kept): Extension<Arc<Kept>>,
    session: Session,
    PathId(id): PathId<kind::Bot>,
    Query(query): Query<ChartQuery>,
) -> Result<Json<Chart>, Problem> {
    let store = &session.workspace;
    let bot = store.bot(id).await?;
    let count = query.limit.unwrap_or(300).clamp(1, MOST_CANDLES);
    let asked = query_value(query.symbol.as_deref(), "?symbol")?;
    let page = PageRequest::new(1, None);
    let newest = store.decisions(id, asked, &page).await?.into_iter().next().map(|row| row.report);
    let first = match &bot.key {
        Some(key) => store.key(key.id).await?.instruments.first().copied(),
        None => None,
    };
    let Some(symbol) = asked.or(newest.as_ref().map(|report| report.symbol)).or(first) else {
        return Ok(Json(Chart::default()));
    };
    let timeframe = match (query_value(query.timeframe.as_deref(), "?timeframe")?, &bot.template, &newest) {
        (Some(timeframe), _, _) => timeframe,
        (None, Some((template, _, _)), _) => store.template(*template).await?.document.timeframe,
        (None, None, Some(report)) => report.timeframe,
        (None, None, None) => Timeframe::M15,
    };
    let decided = decided(store, id, symbol, timeframe, count).await?;
    let told = match &bot.key {
        Some(key) if !reaches(&decided, timeframe, count, app.clock.now()) => {
            let question = (key.exchange, key.environment, key.contract_type, symbol, timeframe, count);
            history(&app, &kept, question, decided.last()).await
        }
        Some(_) | None => Answer::Away,
    };
    let told: &[Candle] = match &told {
        Answer::Told(candles) => candles,
        Answer::Away => &[],
    };
    let candles = merged(told, &decided, count);
    let (entries, exits) = match candles.first() {
        Some(candle) => {
            let from = candle.open_time;
            let end = Timestamp::from_ms(i64::MAX);
            let (orders, fills) = store.executions_between(id, symbol, from, end).await?;
            marks(&fills, &orders, contract(bot.key.as_ref()))
        }
        None => Default::default(),
    };
    let open = store.open_positions().await?;
    let open = open.iter().find(|position| position.bot == id && position.report.symbol == symbol);
    Ok(Json(Chart {
        symbol: Some(symbol),
        timeframe: Some(timeframe),
        candles: candles.into_iter().map(CandleView::from).collect(),
        entries,
        exits,
        stop: open.and_then(|position| position.report.stop),
        target: open.and_then(|position| position.report.target),
    }))
}

/// Candles the bot decided on, oldest first.
async fn decided(
    store: &WorkspaceStore,
    bot: BotId,
    symbol: Symbol,
    timeframe: Timeframe,
    count: u32,
) -> Result<Vec<Candle>, Problem> {
    let page = PageRequest::new(count.min(MOST_DECISIONS), None);
    let rows = store.decisions(bot, Some(symbol), &page).await?;
    let fitting = rows.into_iter().rev().filter(|row| row.report.timeframe == timeframe);
    Ok(fitting.map(|row| row.report.candle).collect())
}

/// Whether the decisions' candles fill the chart without a gap up to now.
fn reaches(decided: &[Candle], timeframe: Timeframe, count: u32, now: Timestamp) -> bool {
    let (Some(first), Some(last)) = (decided.first(), decided.last()) else { return false };
    let span = last.open_time.since_ms(first.open_time) / timeframe.ms() + 1;
    let complete = i64::try_from(decided.len()).is_ok_and(|found| found == span && found >= i64::from(count));
    complete && now.since_ms(last.open_time) <= 2 * timeframe.ms()
}

/// The venue's candles, as kept or asked for now; up to what the bot has seen, which in a fast replay lies ahead of now.
async fn history(app: &App, kept: &Kept, question: Question, newest: Option<&Candle>) -> Answer {
    let now = app.clock.now();
    if let Some(answer) = kept.get(&question, now) {
        return answer;
    }
    let (exchange, environment, contract_type, symbol, timeframe, count) = question;
    let until = newest.map_or(now, |candle| now.max(candle.open_time.plus_ms(timeframe.ms())));
    let wanted = Wanted { exchange, environment, contract_type, symbol, timeframe, count, until };
    let asking = tokio::time::timeout(VENUE_PATIENCE, venues::candles(app, &wanted));
    let answer = if let Ok(Ok(candles)) = asking.await {
        Answer::Told(Arc::from(candles))
    } else {
        tracing::debug!(%exchange, %environment, "the venue did not give candles; the bot's own are shown");
        Answer::Away
    };
    kept.put(question, now, answer.clone());
    answer
}

/// The newest `count` candles of both, oldest first, each opening time once.
fn merged(told: &[Candle], decided: &[Candle], count: u32) -> Vec<Candle> {
    let all = told.iter().chain(decided).map(|candle| (candle.open_time, *candle));
    let by_time: BTreeMap<Timestamp, Candle> = all.collect();
    let skipped = by_time.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
    by_time.into_values().skip(skipped).collect()
}

/// How prices are averaged; the multiplier does not matter for it.
fn contract(key: Option<&KeyOfBot>) -> Contract {
    let multiplier = Decimal::ONE;
    match key.map(|key| key.contract_type) {
        Some(ContractType::Inverse) => Contract::Inverse { multiplier },
        Some(ContractType::Linear) | None => Contract::Linear { multiplier },
    }
}

/// One mark per order that was filled, entries and exits apart, oldest first.
fn marks(fills: &[FillRow], orders: &[OrderRow], contract: Contract) -> (Vec<Mark>, Vec<Mark>) {
    let mut found: BTreeMap<ClientOrderId, Mark> = BTreeMap::new();
    for fill in fills.iter().map(|row| &row.report.fill) {
        let Some(id) = fill.client_id else { continue };
        let new =
            Mark { at: fill.at, price: fill.price, side: fill.side, quantity: fill.quantity, reason: None };
        let joined = match found.get(&id) {
            None => new,
            Some(old) => {
                let price = contract.average_entry(old.price, old.quantity, fill.price, fill.quantity);
                let total = old.quantity.get().checked_add(fill.quantity.get());
                let quantity = total.and_then(|total| Quantity::new(total).ok());
                Mark {
                    at: old.at.min(fill.at),
                    price: price.unwrap_or(old.price),
                    quantity: quantity.unwrap_or(old.quantity),
                    ..old.clone()
                }
            }
        };
        found.insert(id, joined);
    }
    let (mut entries, mut exits) = (Vec::new(), Vec::new());
    for (id, mark) in found {
        match id.purpose() {
            OrderPurpose::Entry => entries.push(mark),
            OrderPurpose::Exit | OrderPurpose::ProtectiveStop | OrderPurpose::TakeProfit => {
                let order = orders.iter().find(|row| row.report.order.client_id == id);
                let reason = order.map(|row| row.report.reason.to_string());
                exits.push(Mark {
                    reason: Some(reason.unwrap_or_else(|| likely(id.purpose()).to_owned())),
                    ..mark
                });
            }
        }
    }
    entries.sort_by_key(|mark| mark.at);
    exits.sort_by_key(|mark| mark.at);
    (entries, exits)
}

/// The reason when the order itself was decided before the chart begins.
const fn likely(purpose: OrderPurpose) -> &'static str {
    match purpose {
        OrderPurpose::ProtectiveStop => "EXIT_HARD_STOP",
        OrderPurpose::TakeProfit => "EXIT_TAKE_PROFIT",
        OrderPurpose::Entry | OrderPurpose::Exit => "EXIT_EXTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhold_domain::{Fill, Liquidity, Money};
    use keyhold_protocol::uplink::FillReport;

    const MINUTE: i64 = 60_000;

    fn candle(minute: i64, close: &str) -> Candle {
        let price: Price = close.parse().unwrap();
        Candle {
            open_time: Timestamp::from_ms(minute * MINUTE),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Decimal::ONE,
        }
    }

    fn fill(id: ClientOrderId, price: &str, at: i64) -> FillRow {
        let fill = Fill {
            fill_id: at.to_string().parse().unwrap(),
            client_id: Some(id),
            venue_order_id: "v".parse().unwrap(),
            symbol: "BTCUSD".parse().unwrap(),
            side: Side::Sell,
            price: price.parse().unwrap(),
            quantity: "10".parse().unwrap(),
            fee: Money::zero("BTC".parse().unwrap()),
            liquidity: Liquidity::Maker,
            at: Timestamp::from_ms(at),
        };
        let report = FillReport { fill, purpose: None, decision_price: None };
        FillRow { id: at.to_string(), at: fill.at, report }
    }

    #[test]
    fn the_bot_s_own_candle_wins_and_the_newest_are_kept() {
        let told = [candle(1, "1"), candle(2, "2"), candle(3, "3"), candle(4, "4")];
        let all = merged(&told, &[candle(3, "33")], 3);
        let closes: Vec<String> = all.iter().map(|candle| candle.close.to_string()).collect();
        assert_eq!(closes, ["2", "33", "4"]);
    }

    #[test]
    fn the_venue_is_asked_unless_decisions_fill_the_chart_up_to_now() {
        let now = Timestamp::from_ms(4 * MINUTE + 1);
        let full = [candle(1, "1"), candle(2, "1"), candle(3, "1")];
        assert!(reaches(&full, Timeframe::M1, 3, now));
        assert!(!reaches(&full, Timeframe::M1, 4, now), "too few");
        assert!(!reaches(&[full[0], full[2]], Timeframe::M1, 2, now), "a gap");
        assert!(!reaches(&full, Timeframe::M1, 3, now.plus_ms(2 * MINUTE)), "too old");
        assert!(!reaches(&[], Timeframe::M1, 1, now));
    }

    #[test]
    fn fills_of_one_order_are_one_mark_at_the_contract_s_average() {
        let bot = BotId::from_u128(1);
        let exit = ClientOrderId::new(bot, 0, 1, 2, OrderPurpose::ProtectiveStop).unwrap();
        let fills = [fill(exit, "100", 5), fill(exit, "50", 6)];
        let inverse = Contract::Inverse { multiplier: Decimal::ONE };
        let (entries, exits) = marks(&fills, &[], inverse);
        assert!(entries.is_empty());
        assert_eq!(exits.len(), 1);
        // Inverse contracts average harmonically: 20 / (10/100 + 10/50).
        assert_eq!(exits[0].price.get().round_dp(4).to_string(), "66.6667");
        assert_eq!((exits[0].quantity.to_string(), exits[0].at.ms()), ("20".to_owned(), 5));
        assert_eq!(exits[0].reason.as_deref(), Some("EXIT_HARD_STOP"));
    }

    #[test]
    fn a_venue_that_is_away_is_left_alone_for_a_while() {
        let kept = Kept::default();
        let question = |count| {
            let symbol: Symbol = "BTCUSDT".parse().unwrap();
            (Exchange::Bybit, Environment::Live, ContractType::Linear, symbol, Timeframe::M1, count)
        };
        let at = Timestamp::from_ms;
        assert_eq!(kept.get(&question(1), at(0)), None);
        kept.put(question(1), at(0), Answer::Away);
        assert_eq!(kept.get(&question(1), at(REST_MS - 1)), Some(Answer::Away));
        assert_eq!(kept.get(&question(1), at(REST_MS)), None);
        kept.put(question(2), at(0), Answer::Told(Arc::from([candle(1, "1")])));
        assert!(kept.get(&question(2), at(FRESH_MS - 1)).is_some());
        assert_eq!(kept.get(&question(2), at(FRESH_MS)), None);
        for count in 0..200 {
            kept.put(question(count), at(0), Answer::Away);
        }
        assert_eq!(kept.answers.lock().unwrap().len(), MOST_KEPT, "what is kept is bounded");
    }
}
