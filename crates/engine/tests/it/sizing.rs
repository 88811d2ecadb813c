//! Sizes and profits, computed by hand for linear and inverse contracts.

use keyhold_domain::{Balance, ContractType, Decimal, Instrument, OrderPurpose, ReasonCode};
use keyhold_engine::Plan;
use keyhold_engine::action::Action;
use keyhold_engine::settings::BotSettings;
use keyhold_engine::sizing::{SizeInputs, entry_quantity};
use serde_json::json;

use crate::rig::{Rig, d, ids, inverse, linear, price, settings, template};

/// (contract, sizing, equity, available, price, stop, quantity or the reason against it).
#[test]
fn sizes_match_hand_computed_examples() {
    let fixed = |q: &str| json!({"mode": "fixed_notional", "quote": q});
    let percent = |p: &str| json!({"mode": "percent_equity", "pct": p});
    let risk = |p: &str| json!({"mode": "risk_per_trade", "pct": p});
    let none: Option<&str> = None;
    let cases = [
        // 1000 / 300 = 3.33, on the lot 3.3.
        (linear(), fixed("1000"), "10000", "10000", "300", none, Ok("3.3")),
        // 10 % of 10,000 at 300.
        (linear(), percent("10"), "10000", "10000", "300", none, Ok("3.3")),
        // 1 % of 10,000 is 100; the stop loses 6 a unit: 16.66.
        (linear(), risk("1"), "10000", "10000", "300", Some("294"), Ok("16.6")),
        // A short's stop lies above.
        (linear(), risk("1"), "10000", "10000", "300", Some("306"), Ok("16.6")),
        // Never more than available times leverage 5, 500 × 5 / 300 = 8.33, less what the venue wants besides: two fees of
        // 0.05 % of five times the margin and 0.25 % for a move: 8.33 / 1.0075 = 8.27.
        (linear(), percent("100"), "10000", "500", "300", none, Ok("8.2")),
        (linear(), fixed("2600"), "10000", "500", "300", none, Err(ReasonCode::InsufficientBalance)),
        (linear(), fixed("2500"), "10000", "500", "300", none, Ok("8.3")),
        // Below the lot, and below the smallest value of 5.
        (linear(), fixed("29"), "10000", "10000", "300", none, Err(ReasonCode::BelowMinimum)),
        (linear(), fixed("4.9"), "10000", "10000", "40", none, Err(ReasonCode::BelowMinimum)),
        // Inverse: contracts of one dollar, equity in coin.
        (inverse(), fixed("1000"), "1", "1", "50000", none, Ok("1000")),
        // 10 % of 1 BTC at 50,000 are 5,000 dollars.
        (inverse(), percent("10"), "1", "1", "50000", none, Ok("5000")),
        // 1 % of 1 BTC is 0.01; a contract loses 1/49000 - 1/50000 = 0.000000408163: 24,500.
        (inverse(), risk("1"), "1", "1", "50000", Some("49000"), Ok("24500")),
        (inverse(), fixed("0.9"), "1", "1", "50000", none, Err(ReasonCode::BelowMinimum)),
    ];
    for (instrument, sizing, equity, available, at, stop, expected) in cases {
        let settings = settings(&json!({"sizing": sizing}));
        let size = quantity_of(&instrument, &settings, [equity, available, at], stop);
        let expected = expected.map(|text: &str| d(text));
        assert_eq!(size, expected, "{sizing} at {at} with {equity}");
    }
}

fn quantity_of(
    instrument: &Instrument,
    settings: &BotSettings,
    [equity, available, at]: [&str; 3],
    stop: Option<&str>,
) -> Result<Decimal, ReasonCode> {
    let balance =
        Balance { asset: instrument.settle, wallet: d(equity), equity: d(equity), available: d(available) };
    entry_quantity(&SizeInputs {
        instrument,
        settings,
        balance: Some(&balance),
        price: price(at),
        stop: stop.map(price),
    })
    .map(keyhold_domain::Quantity::get)
    .map_err(|block| block.reason)
}

#[test]
fn without_a_balance_a_share_of_it_is_refused() {
    let settings = settings(&json!({"sizing": {"mode": "percent_equity", "pct": "1"}}));
    let inputs = SizeInputs {
        instrument: &linear(),
        settings: &settings,
        balance: None,
        price: price("100"),
        stop: None,
    };
    assert_eq!(entry_quantity(&inputs).unwrap_err().reason, ReasonCode::BalanceUnavailable);
}

/// Buys in two parts, sells in two parts; every amount is computed by hand.
#[test]
fn trades_are_booked_to_the_last_digit() {
    // Linear: 0.4 at 100 and 0.6 at 101 average 100.6. Out: 0.5 at 103, 0.5 at 102.
    // Gross 0.5 × 2.4 + 0.5 × 1.4 = 1.9. Fees 0.0005 × (40 + 60.6 + 51.5 + 51) = 0.10155.
    let trade = trade_of(linear(), "1", [("0.4", "100"), ("0.6", "101")], [("0.5", "103"), ("0.5", "102")]);
    assert_eq!((trade.entry_price, trade.exit_price), (price("100.6"), price("102.5")));
    assert_eq!((trade.gross, trade.fees, trade.net), (d("1.9"), d("0.10155"), d("1.79845")));
    // The stop lay 2 % below the first fill, so a unit risked 2.6 from the average.
    assert_eq!(trade.initial_stop, Some(d("98")));
    assert_eq!(trade.r_multiple, Some((d("1.79845") / d("2.6")).round_dp(6)));

    // Inverse: 10,000 dollars bought at 50,000 are 0.2 BTC, sold at 55,000 they are 0.1818…: profit 0.01818181….
    let trade = trade_of(inverse(), "10000", [("10000", "50000")], [("10000", "55000")]);
    assert_eq!(trade.gross.round_dp(8), d("0.01818182"));
    // Fees: 0.0005 × (0.2 + 0.18181818…).
    assert_eq!(trade.fees.round_dp(8), d("0.00019091"));
    assert_eq!(trade.asset.as_str(), "BTC");
}

fn trade_of<const N: usize, const M: usize>(
    instrument: Instrument,
    size: &str,
    bought: [(&str, &str); N],
    sold: [(&str, &str); M],
) -> keyhold_engine::trade::Trade {
    let settings = settings(&json!({"sizing": {"mode": "fixed_quantity", "quantity": size}}));
    let linear = instrument.contract_type == ContractType::Linear;
    let plan = Plan::compile(&template(&json!({})), &instrument, &settings, ids(0)).unwrap();
    let mut rig = Rig::started(plan);
    rig.funds("1000000", "1000000");
    let closes = if linear { ["98", "99", "100"] } else { ["49000", "49500", "50000"] };
    for close in closes {
        rig.flat_candle(close);
    }
    for (amount, at) in bought {
        rig.fill(OrderPurpose::Entry, amount, at);
        // The stop's answer brings the stop for the size held by now.
        rig.accept(OrderPurpose::ProtectiveStop);
        rig.accept(OrderPurpose::ProtectiveStop);
    }
    let mut actions = Vec::new();
    for (amount, at) in sold {
        actions.extend(rig.fill(OrderPurpose::ProtectiveStop, amount, at));
    }
    actions
        .into_iter()
        .find_map(|action| match action {
            Action::TradeClosed(trade) => Some(*trade),
            _ => None,
        })
        .unwrap()
}
