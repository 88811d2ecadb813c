//! The backtest of the same case, and the comparison.

use keyhold_domain::{Decimal, Rate, ReasonCode};
use keyhold_engine::decision::Decision;
use keyhold_engine::input::ClosedCandle;
use keyhold_engine::trade::Trade;
use keyhold_engine::{Ids, Plan};
use keyhold_simulator::backtest::{Control, Funding, Report, Spec, run_recorded};
use serde::Serialize;
use serde_json::Value;

use crate::data::{Case, FUNDING, Rates, SLIPPAGE_BPS};
use crate::replay::Run;
use crate::rig::{BOT, TEMPLATE};

/// What the backtester says.
pub(crate) struct Expected {
    pub(crate) decisions: Vec<Decision>,
    pub(crate) report: Report,
}

/// Backtests the case with the instrument that the live bot was told, from the first candle the bot decided on, and with
/// exactly the history that the bot loads.
pub(crate) fn backtest(case: &Case, run: &Run) -> Expected {
    assert_eq!(run.instrument, case.instrument, "the bot knows the instrument as it is");
    let first = case.history;
    let ids = Ids { bot: BOT, slot: 0, epoch: 0, template: TEMPLATE, template_version: 1 };
    let plan = Plan::compile(&case.template, &case.instrument, &case.settings, ids).unwrap();
    let history = usize::try_from(plan.warmup_candles).unwrap();
    let closed: Vec<_> = case.candles[first - history..].iter().copied().map(ClosedCandle::new).collect();
    let mut spec =
        Spec::new(case.template.clone(), case.instrument, case.settings.clone(), case.start_equity);
    spec.template_id = TEMPLATE;
    spec.from = Some(case.candles[first].open_time);
    spec.fills.slippage_bps = SLIPPAGE_BPS;
    spec.funding = match &case.funding {
        Rates::Constant => Funding::Constant(Rate::new(FUNDING)),
        Rates::Recorded(rates) => Funding::History(rates.clone()),
    };
    let mut decisions = Vec::new();
    let report =
        run_recorded(&spec, &closed, &mut |_| Control::Continue, &mut |decision| decisions.push(decision));
    Expected { decisions, report: report.unwrap() }
}

/// The first thing that is not the same.
#[derive(Debug)]
pub(crate) struct Difference {
    what: String,
    live: String,
    backtest: String,
}

impl Difference {
    pub(crate) fn in_full(&self) -> String {
        format!("{}\nlive:     {}\nbacktest: {}", self.what, self.live, self.backtest)
    }

    fn of(what: String, live: &impl Serialize, backtest: &impl Serialize) -> Self {
        let [live, backtest] = [document(live), document(backtest)];
        let mut paths = Vec::new();
        differing("", &live, &backtest, &mut paths);
        Self { what: what + ": " + &paths.join(", "), live: live.to_string(), backtest: backtest.to_string() }
    }
}

/// Compares everything and says how much that was.
pub(crate) fn compare(case: &Case, run: &Run, expected: &Expected) -> Option<Difference> {
    let mut clock = Clock::default();
    let live: Vec<_> = run
        .decisions
        .iter()
        .zip(&expected.decisions)
        .map(|(one, other)| clock.decision(one, other))
        .collect();
    let decisions = pairs("decision", &live, &expected.decisions, |one| one.candle.to_string());
    let live: Vec<_> =
        run.trades.iter().zip(&expected.report.trades).map(|(one, other)| clock.trade(one, other)).collect();
    let trades = pairs("trade", &live, &expected.report.trades, |one| one.entered_at.to_string());
    let entries = run.decisions.iter().filter(|one| one.headline == ReasonCode::Entered).count();
    let readings: usize = run.decisions.iter().map(|one| one.readings.len()).sum();
    eprintln!(
        "{}: {} decisions with {readings} readings and {entries} entries, {} trades; differing: {} decisions, {} \
         trades; decided up to {} ms later than its candle's close: {}",
        case.name,
        run.decisions.len(),
        run.trades.len(),
        decisions.count,
        trades.count,
        clock.most_ms,
        clock.later
    );
    let count = |what: &str, live: usize, backtest: usize| {
        (live != backtest).then(|| Difference::of(format!("the number of {what} differs"), &live, &backtest))
    };
    decisions
        .first
        .or(trades.first)
        .or_else(|| count("decisions", run.decisions.len(), expected.decisions.len()))
        .or_else(|| count("trades", run.trades.len(), expected.report.trades.len()))
        .or_else(|| at_end(case, run, &expected.report))
}

/// When a decision was made is measured, not decided. A stop that is filled in the last millisecond of a candle is
/// handled in some real milliseconds, which carry the bot's clock past the close; the backtester's clock stands still.
#[derive(Debug, Default)]
struct Clock {
    later: usize,
    most_ms: i64,
}

/// No decision may be that late.
const MOST_LATE_MS: i64 = 30_000;

impl Clock {
    fn decision(&mut self, live: &Decision, backtest: &Decision) -> Decision {
        let late = live.decided_at.since_ms(backtest.decided_at);
        let decided_at =
            if (0..=MOST_LATE_MS).contains(&late) { backtest.decided_at } else { live.decided_at };
        self.later += usize::from(late > 0);
        self.most_ms = self.most_ms.max(late);
        Decision { decided_at, ..live.clone() }
    }

    fn trade(&self, live: &Trade, backtest: &Trade) -> Trade {
        let mut trade = live.clone();
        let late = live.decided_at.since_ms(backtest.decided_at);
        if (0..=self.most_ms).contains(&late) {
            trade.decided_at = backtest.decided_at;
        }
        if let (Some(one), Some(other)) = (&mut trade.entry_decision, &backtest.entry_decision)
            && one.decided_at == live.decided_at
        {
            one.decided_at = other.decided_at;
        }
        trade
    }
}

fn document(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

/// The fields that are not the same, with both values.
fn differing(path: &str, one: &Value, other: &Value, out: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(fields), Value::Object(others)) => {
            for (name, value) in fields {
                differing(&format!("{path}.{name}"), value, &others[name], out);
            }
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            for (index, (item, other)) in items.iter().zip(others).enumerate() {
                differing(&format!("{path}[{index}]"), item, other, out);
            }
        }
        (one, other) if one != other => out.push(format!("{path} {one} live, {other} in the backtest")),
        _ => {}
    }
}

struct Pairs {
    count: usize,
    first: Option<Difference>,
}

fn pairs<T: PartialEq + Serialize>(
    kind: &str,
    live: &[T],
    backtest: &[T],
    name: impl Fn(&T) -> String,
) -> Pairs {
    let mut found = Pairs { count: 0, first: None };
    for (index, (one, other)) in
        live.iter().zip(backtest).enumerate().filter(|(_, (one, other))| one != other)
    {
        found.count += 1;
        found.first.get_or_insert_with(|| {
            Difference::of(format!("{kind} {index} of {} differs", name(one)), one, other)
        });
    }
    found
}

/// What is still held, and the money.
fn at_end(case: &Case, run: &Run, report: &Report) -> Option<Difference> {
    let live = run.position.as_ref().map(|position| (position.size, position.entry, position.opened_at));
    let backtest = report.open_at_end.first().map(|open| (open.size, Some(open.entry), Some(open.since)));
    if live != backtest {
        return Some(Difference::of("the position at the end differs".to_owned(), &live, &backtest));
    }
    // With nothing open the wallet is the start plus what the trades have brought. The venue books 8 decimal places: each
    // flow (a result, two fees, sometimes funding) is off by half a unit at most.
    let net: Decimal = report.trades.iter().map(|trade| trade.net).sum();
    let expected = case.start_equity + net;
    let rounding = Decimal::from(4 * (report.trades.len() + 1)) * Decimal::new(5, 9);
    let equal = live.is_some() || (run.wallet - expected).abs() <= rounding;
    (!equal).then(|| {
        Difference::of(
            "the wallet at the end differs".to_owned(),
            &run.wallet.to_string(),
            &expected.to_string(),
        )
    })
}
