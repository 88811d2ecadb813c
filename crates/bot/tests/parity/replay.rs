//! Plays a recording to a live bot, part by part, and gathers what the bot reported.

use std::time::{Duration, Instant};

use keyhold_domain::{Decimal, Instrument, Rate, Symbol, Timestamp};
use keyhold_engine::decision::Decision;
use keyhold_engine::trade::Trade;
use keyhold_fake_venues::Part;
use keyhold_protocol::uplink::{Phase, PositionReport};
use serde_json::{Value, json};

use crate::data::{Case, Rates};
use crate::rig::Rig;
use crate::uplink::Heard;

/// Whose turn it is between the close of a candle and the next open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The bot's: its orders arrive before the next open, as the backtester assumes.
    OrdersBeforeOpen,
}

/// What a live run has brought.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) decisions: Vec<Decision>,
    pub(crate) trades: Vec<Trade>,
    pub(crate) instrument: Instrument,
    pub(crate) position: Option<PositionReport>,
    pub(crate) wallet: Decimal,
}

const DEADLINE: Duration = Duration::from_mins(1);

/// Plays everything and waits for every answer.
pub(crate) async fn live(case: &Case, pace: Pace) -> Run {
    let rig = Rig::start(case).await;
    let until =
        |heard: &Heard| heard.beat.is_some_and(|beat| beat.phase == Phase::Online && beat.in_flight == 0);
    wait(&rig, "online", until).await;
    let started = Instant::now();
    let played = &case.candles[case.history..];
    let mut rates = Coming::of(case);
    rates.set(&rig, played[0].open_time);
    for (index, candle) in played.iter().enumerate() {
        if rig.venue.play(Part::Path) > 0 {
            settle(case, &rig, None).await;
        }
        match pace {
            Pace::OrdersBeforeOpen => {
                rig.venue.play(Part::Close);
                settle(case, &rig, Some(candle.open_time)).await;
                // Nothing opens after the last.
                let Some(next) = played.get(index + 1) else { break };
                rates.set(&rig, next.open_time);
                if rig.venue.play(Part::Open) > 0 {
                    settle(case, &rig, None).await;
                }
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let count = u32::try_from(played.len()).unwrap();
    eprintln!(
        "{}: {count} candles played live in {seconds:.1} s, {:.2} ms each",
        case.name,
        seconds * 1e3 / f64::from(count)
    );
    gather(case, &rig)
}

/// The recorded rates that the venue has not been told.
struct Coming<'a> {
    symbol: Symbol,
    rates: &'a [(Timestamp, Rate)],
}

impl<'a> Coming<'a> {
    fn of(case: &'a Case) -> Self {
        let rates = match &case.funding {
            Rates::Constant => [].as_slice(),
            Rates::Recorded(rates) => rates,
        };
        Self { symbol: case.instrument.symbol, rates }
    }

    /// Before a candle opens: what is paid at its open is from then on the rate in force.
    fn set(&mut self, rig: &Rig, open_time: Timestamp) {
        while let Some(((_, rate), rest)) = self.rates.split_first().filter(|((at, _), _)| *at <= open_time) {
            let body = json!({ "symbol": self.symbol, "rate": rate });
            rig.venue.control("funding", &body).unwrap();
            self.rates = rest;
        }
    }
}

/// Waits until the bot knows everything that has happened at the venue and every request of its is answered.
async fn settle(case: &Case, rig: &Rig, decided: Option<Timestamp>) {
    let what =
        decided.map_or("what happened is known".to_owned(), |candle| format!("candle {candle} is decided"));
    wait(rig, &what, |heard| {
        let Some(beat) = heard.beat else { return false };
        if decided.is_some_and(|candle| beat.candle < Some(candle)) {
            return false;
        }
        let tally = tally(rig);
        let wallet = decimal(&tally["wallets"][case.instrument.settle.as_str()]);
        heard.fills == tally["fills"].as_u64().unwrap()
            && heard.wallet == Some(wallet)
            && u64::from(beat.in_flight) == tally["market_orders"].as_u64().unwrap()
    })
    .await;
}

fn tally(rig: &Rig) -> Value {
    rig.venue.control("tally", &json!({ "account": 1 })).unwrap()
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

async fn wait(rig: &Rig, what: &str, done: impl Fn(&Heard) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let changed = rig.line.changed.notified();
        if rig.heard(&done) {
            return;
        }
        if tokio::time::timeout_at(deadline.into(), changed).await.is_err() {
            let told = rig.heard(|heard| {
                format!(
                    "{:?}, {} fills, wallet {:?}, {:?}",
                    heard.beat,
                    heard.fills,
                    heard.wallet,
                    heard.events.last()
                )
            });
            panic!(
                "{what}: not in {DEADLINE:?}; venue {}; bot {told}; its log ends:\n{}",
                tally(rig),
                rig.log_tail()
            );
        }
    }
}

fn gather(case: &Case, rig: &Rig) -> Run {
    let wallet = decimal(&tally(rig)["wallets"][case.instrument.settle.as_str()]);
    rig.heard(|heard| {
        assert_eq!(heard.connections, 1, "the bot has dialed again");
        let parse = |record: &Value| serde_json::from_value(record.clone()).unwrap();
        Run {
            decisions: heard.decisions.iter().map(parse).collect(),
            trades: heard
                .trades
                .iter()
                .map(|record| serde_json::from_value(record.clone()).unwrap())
                .collect(),
            instrument: heard.instruments[0],
            position: heard.position.clone().filter(|position| !position.size.is_flat()),
            wallet,
        }
    })
}
