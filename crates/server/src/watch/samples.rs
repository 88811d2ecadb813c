//! Bots, keys and decisions for the tests of this part.

use keyhold_domain::{
    BotId, Candle, ContractType, Environment, Exchange, KeyId, Price, ReasonCode, Side, Symbol, TemplateId,
    Timeframe, Timestamp,
};
use keyhold_engine::decision::{Block, Decision, Done, NamedReading};
use keyhold_engine::reading::{Check, Direction, Reading};
use keyhold_engine::template::Role;
use keyhold_protocol::uplink::{DecisionReport, Phase};
use keyhold_store::{ApiKey, Bot, KeyOfBot, Verification, VerificationState, Wish};

/// 2026-11-21T14:02:00Z, a Saturday.
pub(super) const NOW: Timestamp = Timestamp::from_ms(1_795_269_720_000);
pub(super) const BOT: BotId = BotId::from_u128(7);
pub(super) const KEY: KeyId = KeyId::from_u128(8);

pub(super) fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

/// A bot that runs, with a key and a template.
pub(super) fn bot() -> Bot {
    Bot {
        id: BOT,
        label: "BTC Trend".to_owned(),
        region: "local".to_owned(),
        wish: Wish::Running,
        key: Some(KeyOfBot {
            id: KEY,
            label: "Bybit paper".to_owned(),
            hint: "ABCD…WXYZ".to_owned(),
            active: true,
            exchange: Exchange::Bybit,
            environment: Environment::Simulated,
            contract_type: ContractType::Linear,
        }),
        template: Some((TemplateId::from_u128(9), "Trend follower".to_owned(), 3)),
        settings: serde_json::json!({ "format": 1 }),
        generation: 1,
        epoch: 1,
        deployment: None,
        failure: None,
        created_at: NOW.plus_ms(-1_000_000),
        phase: Some(Phase::Online),
        isolation: None,
        last_heartbeat_at: Some(NOW.plus_ms(-3_000)),
        requested_at: None,
        online_at: None,
    }
}

pub(super) fn key() -> ApiKey {
    ApiKey {
        id: KEY,
        label: "Bybit paper".to_owned(),
        exchange: Exchange::Bybit,
        environment: Environment::Simulated,
        contract_type: ContractType::Linear,
        site: keyhold_domain::Site::Global,
        hint: "ABCD…WXYZ".to_owned(),
        fingerprint: "F".to_owned(),
        active: true,
        verification: Verification {
            state: VerificationState::Ok,
            checked_at: Some(NOW.plus_ms(-60_000)),
            ..Verification::UNVERIFIED
        },
        created_at: NOW.plus_ms(-1_000_000),
        leaked_at: None,
        version: 1,
        bot: Some((BOT, "BTC Trend".to_owned())),
        instruments: vec![symbol()],
    }
}

fn reading(component: u16, kind: &str, role: Role, reading: Reading) -> NamedReading {
    NamedReading { component, kind: kind.to_owned().into(), role, reading }
}

/// The candle of 14:01 at one minute: long signals, an ADX filter at 18.4 of 20, and these blocks.
pub(super) fn decision(blocks: Vec<Block>, wanted: Direction) -> DecisionReport {
    let close: Price = "100".parse().unwrap();
    let open_time = NOW.plus_ms(-60_000);
    let record = Decision {
        symbol: symbol(),
        candle: open_time,
        closed_at: NOW,
        decided_at: NOW,
        close,
        readings: vec![
            reading(0, "ema_cross", Role::Signal, Reading::signal(Direction::Long, 1.5, Some(0.0))),
            reading(1, "adx_dmi", Role::Filter, Reading::check(Check::Block, Check::Block, 18.4, Some(20.0))),
            reading(
                2,
                "cooldown",
                Role::EntryGuard,
                Reading::check(Check::Pass, Check::Pass, 9.0, Some(5.0)),
            ),
        ],
        score: "2.5".parse().unwrap(),
        threshold: "2".parse().unwrap(),
        wanted,
        headline: blocks.first().map_or(ReasonCode::NoSignal, |block| block.reason),
        blocks,
        done: Done::Nothing,
        market: None,
    };
    DecisionReport {
        symbol: symbol(),
        candle: Candle {
            open_time,
            open: close,
            high: close,
            low: close,
            close,
            volume: "1".parse().unwrap(),
        },
        timeframe: Timeframe::M1,
        template: TemplateId::from_u128(9),
        template_version: 3,
        code: record.headline,
        wanted: match wanted {
            Direction::Long => Some(Side::Buy),
            Direction::Short => Some(Side::Sell),
            Direction::Neutral => None,
        },
        score: "2.5".to_owned(),
        threshold: "2".to_owned(),
        record: serde_json::to_value(&record).unwrap(),
    }
}
