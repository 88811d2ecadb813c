//! A case as a backtest: it repeats to the last byte, money adds up to the last unit, sizes lie on the lot.
//!
//! The equity comes from the exchange's wallet, the trades from the bot's own books: their sums must be one number.

use keyhold_domain::{Decimal, Rate, Timestamp};
use keyhold_engine::input::ClosedCandle;
use keyhold_simulator::backtest::{
    BacktestError, Control, DecisionFill, Fills, Funding, ProtectFrom, Report, Spec, Unsupported, json, run,
    run_recorded,
};
use keyhold_simulator::exchange::{GapFill, IntrabarRule};

use crate::case::Case;
use crate::dice::{Dice, d};

/// What a run has brought about, to see that the cases are not empty.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traded {
    pub(crate) trades: usize,
    pub(crate) balanced: usize,
}

/// Plays the case twice and compares; checks the books.
pub(crate) fn play(case: &Case) -> Traded {
    let spec = spec(case);
    let candles: Vec<ClosedCandle> = case.candles.iter().copied().map(ClosedCandle::new).collect();
    let report = match run(&spec, &candles, &mut |_| Control::Continue) {
        Ok(report) => report,
        Err(BacktestError::RangeTooShort { .. }) => return Traded::default(),
        // The exchange says beforehand which prices it can compute with.
        Err(BacktestError::Exchange(_))
            if case.candles.iter().any(|candle| candle.high.get() > most_price()) =>
        {
            return Traded::default();
        }
        Err(error) => panic!("a case that validates does not run: {error}"),
    };
    let mut decisions = 0_u64;
    let again = run_recorded(&spec, &candles, &mut |_| Control::Continue, &mut |_| decisions += 1).unwrap();
    assert_eq!(
        json(&report).unwrap(),
        json(&again).unwrap(),
        "the second run differs, or telling decisions changes them"
    );
    assert_eq!(decisions, report.candles, "one decision for each candle");
    for trade in &report.trades {
        let quantity = trade.quantity.get();
        assert!((quantity % case.instrument.lot).is_zero(), "a size of {quantity} is off the lot");
        assert_eq!(trade.net, trade.gross - trade.fees + trade.funding, "a trade's own sum: {trade:?}");
    }
    Traded { trades: report.trades.len(), balanced: usize::from(is_balanced(&spec, &report)) }
}

/// The highest price that the simulated exchange takes.
fn most_price() -> Decimal {
    Decimal::from(1_000_000_000)
}

/// Start and trades make the end, when nothing is open, liquidated or left out.
fn is_balanced(spec: &Spec, report: &Report) -> bool {
    let excused = report.findings.iter().any(|finding| matches!(finding.code, "LIQUIDATED" | "BT_OVERFLOW"));
    let Some(last) = report.equity.last().filter(|_| !excused && report.open_at_end.is_empty()) else {
        return false;
    };
    let net: Decimal = report.trades.iter().map(|trade| trade.net).sum();
    // The exchange books profits in whole units of the eighth place, the bot's trades keep every digit.
    let rounding = Decimal::new(5, 9) * Decimal::from(report.execution.fills);
    let difference = (last.equity - spec.start_equity - net).abs();
    assert!(difference <= rounding, "start {} and trades {net} make not {}", spec.start_equity, last.equity);
    !report.trades.is_empty()
}

fn spec(case: &Case) -> Spec {
    let mut dice = Dice::new(case.seed, 5);
    let mut spec = Spec::new(case.template.clone(), case.instrument, case.settings.clone(), case.equity);
    spec.unsupported = Unsupported::Neutral;
    spec.fills = Fills {
        slippage_bps: d(dice.pick(&["0", "0", "3", "50"])),
        decision: dice.pick(&[DecisionFill::NextOpen, DecisionFill::NextOpen, DecisionFill::SameClose]),
        protect_from: dice.pick(&[ProtectFrom::EntryCandle, ProtectFrom::NextCandle]),
        intrabar: dice.pick(&[IntrabarRule::StopFirst, IntrabarRule::TargetFirst]),
        stop_gap: dice.pick(&[GapFill::AtMarket, GapFill::AtOrder]),
        target_gap: dice.pick(&[GapFill::AtMarket, GapFill::AtOrder]),
    };
    let rate = |dice: &mut Dice| Rate::new(dice.decimal(d("-0.003"), d("0.003")));
    spec.funding = match dice.below(3) {
        0 => Funding::Off,
        1 => Funding::Constant(rate(&mut dice)),
        _ => Funding::History(history(case, &mut dice, rate)),
    };
    spec
}

fn history(case: &Case, dice: &mut Dice, rate: impl Fn(&mut Dice) -> Rate) -> Vec<(Timestamp, Rate)> {
    let every = case.template.timeframe.ms() * 7;
    let first = case.candles[0].open_time;
    (0..80).map(|index| (first.plus_ms(index * every), rate(dice))).collect()
}
