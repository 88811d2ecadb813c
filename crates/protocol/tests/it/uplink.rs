//! Every message of the uplink survives the wire. What a bot cannot write or a server cannot read would stop reports for
//! good, because a report is sent again until it is acknowledged.

use keyhold_domain::{
    AccountSnapshot, Asset, Balance, BotId, Candle, ClientOrderId, CommandId, ContractType, Decimal,
    DeploymentId, Exchange, Fill, Instrument, InstrumentStatus, KeyFacts, Known, Liquidity, Money, NewOrder,
    OrderKind, OrderPurpose, OrderStatus, PositionEffect, Price, Quantity, Rate, ReasonCode, Side, Timeframe,
    Timestamp, TradeId,
};
use keyhold_protocol::uplink::{
    BotMessage, Command, CommandOutcome, DecisionReport, EquityReport, EventReport, FillReport, Isolation,
    KeyCheck, KeyCheckResult, KeyCheckStep, KeyVerdict, OrderOutcome, OrderReport, Phase, PositionReport,
    Progress, Purpose, Report, ServerMessage, Severity, StopPlace, StopPolicy, TradeReport,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(message: &T) {
    let text =
        serde_json::to_vec(message).unwrap_or_else(|error| panic!("{message:?} cannot be written: {error}"));
    let read = serde_json::from_slice::<T>(&text);
    let read =
        read.unwrap_or_else(|error| panic!("{} cannot be read: {error}", String::from_utf8_lossy(&text)));
    assert_eq!(&read, message);
}

fn price() -> Price {
    "60000.5".parse().expect("a price")
}
fn quantity() -> Quantity {
    "0.01".parse().expect("a quantity")
}
fn usdt() -> Asset {
    "USDT".parse().expect("an asset")
}
fn at() -> Timestamp {
    Timestamp::from_ms(1_700_000_000_000)
}
fn order_id() -> ClientOrderId {
    ClientOrderId::new(BotId::from_u128(1 << 100), 0, 1, 2, OrderPurpose::Entry).expect("in range")
}

fn instrument() -> Instrument {
    Instrument {
        exchange: Exchange::Bybit,
        symbol: "BTCUSDT".parse().expect("a symbol"),
        base: "BTC".parse().expect("an asset"),
        quote: usdt(),
        settle: usdt(),
        contract_type: ContractType::Linear,
        multiplier: Decimal::ONE,
        tick: Decimal::new(1, 1),
        lot: Decimal::new(1, 3),
        min_quantity: quantity(),
        max_quantity: None,
        min_notional: Some(Decimal::from(5)),
        max_leverage: Decimal::from(100),
        maintenance_margin: Rate::ZERO,
        maker_fee: Rate::ZERO,
        taker_fee: Rate::ZERO,
        funding_interval_hours: 8,
        status: InstrumentStatus::Trading,
    }
}

fn key_facts() -> KeyFacts {
    KeyFacts {
        read: Known::Yes,
        trade: Known::Yes,
        withdraw: Known::No,
        transfer: Known::Unknown,
        ip_bound: Known::Yes,
        ip_addresses: vec!["127.0.0.1".to_owned()],
        expires_at: Some(at()),
        unknown_permissions: Vec::new(),
        contract_types: vec![ContractType::Linear],
    }
}

fn account() -> AccountSnapshot {
    let balance = Balance {
        asset: usdt(),
        wallet: Decimal::TEN,
        equity: Decimal::TEN,
        available: Decimal::new(-15, 1),
    };
    AccountSnapshot { balances: vec![balance], positions: Vec::new(), open_orders: Vec::new(), at: at() }
}

fn decision() -> DecisionReport {
    DecisionReport {
        symbol: instrument().symbol,
        candle: Candle {
            open_time: at(),
            open: price(),
            high: price(),
            low: price(),
            close: price(),
            volume: Decimal::new(123, 4),
        },
        timeframe: Timeframe::H1,
        template: keyhold_domain::TemplateId::from_u128(3),
        template_version: 2,
        code: ReasonCode::NoSignal,
        wanted: Some(Side::Buy),
        score: "1.5".to_owned(),
        threshold: "2".to_owned(),
        record: serde_json::json!({ "readings": [{ "value": 0.1, "limit": null }], "big": 18_446_744_073_709_551_615_u64 }),
    }
}

fn order() -> OrderReport {
    OrderReport {
        order: NewOrder {
            client_id: order_id(),
            symbol: instrument().symbol,
            side: Side::Sell,
            kind: OrderKind::Market,
            quantity: quantity(),
            effect: PositionEffect::ReduceOnly,
            purpose: OrderPurpose::Exit,
        },
        venue_id: None,
        status: Some(OrderStatus::Filled),
        outcome: OrderOutcome::Accepted,
        filled: Decimal::new(1, 2),
        average_price: Some(price()),
        refusal: None,
        reason: ReasonCode::ExitTakeProfit,
        decision: Some(at()),
        decided_at: at(),
        sent_at: None,
        acknowledged_at: Some(at()),
    }
}

fn fill() -> FillReport {
    FillReport {
        fill: Fill {
            fill_id: "f-1".parse().expect("an id"),
            client_id: Some(order_id()),
            venue_order_id: "o-1".parse().expect("an id"),
            symbol: instrument().symbol,
            side: Side::Buy,
            price: price(),
            quantity: quantity(),
            fee: Money::new(Decimal::new(-1, 6), usdt()),
            liquidity: Liquidity::Taker,
            at: at(),
        },
        purpose: Some(OrderPurpose::Entry),
        decision_price: Some(price()),
    }
}

fn position() -> PositionReport {
    PositionReport {
        symbol: instrument().symbol,
        size: "-0.01".parse().expect("a size"),
        entry: Some(price()),
        mark: None,
        unrealized: Some(Decimal::new(-5, 2)),
        settle: usdt(),
        stop: Some(price()),
        stop_at_venue: StopPlace::Venue,
        target: None,
        liquidation: None,
        opened_at: Some(at()),
    }
}

fn trade() -> TradeReport {
    TradeReport {
        id: TradeId::from_u128(9),
        symbol: instrument().symbol,
        side: Side::Buy,
        quantity: quantity(),
        entry_price: price(),
        exit_price: price(),
        entered_at: at(),
        exited_at: at(),
        gross: Decimal::ONE,
        fees: Decimal::ONE,
        funding: Decimal::ZERO,
        net: Decimal::ZERO,
        settle: usdt(),
        exit_reason: ReasonCode::ExitHardStop,
        entry_decision: Some(at()),
        template: keyhold_domain::TemplateId::from_u128(3),
        template_version: 1,
        record: serde_json::json!({}),
    }
}

fn reports() -> Vec<Report> {
    vec![
        Report::Decision(decision()),
        Report::Order(order()),
        Report::Fill(fill()),
        Report::Position(position()),
        Report::Trade(Box::new(trade())),
        Report::Equity(EquityReport { asset: usdt(), wallet: Decimal::ONE, equity: Decimal::ONE }),
        Report::Account(account()),
        Report::Event(EventReport {
            severity: Severity::Critical,
            code: ReasonCode::PositionMismatch,
            text: "text".to_owned(),
            symbol: Some(instrument().symbol),
        }),
        Report::KeyFacts(key_facts()),
        Report::Instruments(vec![instrument()]),
    ]
}

#[test]
fn every_report_survives() {
    for report in reports() {
        survives(&report);
        survives(&BotMessage::Report { number: 7, at: at(), body: Box::new(report) });
    }
}

#[test]
fn every_other_message_survives() {
    let bot = BotId::from_u128(1);
    let check = |result| KeyCheck {
        step: KeyCheckStep::Clock,
        result,
        detail: "d".to_owned(),
        venue_code: Some("10002".to_owned()),
    };
    let checks: Vec<KeyCheck> = [
        KeyCheckResult::Passed,
        KeyCheckResult::Warning(ReasonCode::ClockSkew),
        KeyCheckResult::Failed(ReasonCode::KeyBadSecret),
        KeyCheckResult::NotReached,
    ]
    .into_iter()
    .map(check)
    .collect();
    let verdict = KeyVerdict {
        checks: checks.clone(),
        facts: Some(key_facts()),
        account: Some(account()),
        instruments: vec![instrument()],
    };
    let messages = [
        BotMessage::Hello {
            version: 1,
            program: "0".to_owned(),
            bot,
            deployment: DeploymentId::from_u128(2),
            token: "t".to_owned(),
            purpose: Purpose::Verify,
            isolation: Isolation::Degraded { missing: vec!["m".to_owned()] },
        },
        BotMessage::Heartbeat {
            at: at(),
            phase: Phase::Online,
            progress: vec![Progress { symbol: instrument().symbol, candle: at() }],
            in_flight: 1,
            backlog: 2,
        },
        BotMessage::CommandDone {
            command: CommandId::from_u128(5),
            outcome: CommandOutcome::Failed { code: ReasonCode::ExchangeDown, detail: "d".to_owned() },
        },
        BotMessage::KeyCheck { check: checks[0].clone() },
        BotMessage::KeyVerdict { verdict: Box::new(verdict) },
    ];
    for message in messages {
        survives(&message);
    }
    for message in [
        ServerMessage::Welcome { acknowledged: 3 },
        ServerMessage::Refused { code: ReasonCode::PermissionDenied },
        ServerMessage::Command {
            id: CommandId::from_u128(5),
            command: Command::Stop { positions: StopPolicy::Leave },
        },
        ServerMessage::Acknowledged { number: 4 },
    ] {
        survives(&message);
    }
}
