//! The server's end of the line, for one bot: it acknowledges every report and keeps what is compared.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhold_domain::{BotId, Decimal, Instrument, Timestamp};
use keyhold_protocol::frame::{self, Deadline, FrameLimit, FrameRules};
use keyhold_protocol::uplink::{
    Assignment, BotMessage, EventReport, Phase, PositionReport, Report, ServerMessage, UPLINK_VERSION,
};
use keyhold_seal::Context;
use serde_json::Value;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use crate::keeper::TestKeeper;

const RULES: FrameRules = FrameRules { version: UPLINK_VERSION, limit: FrameLimit::UPLINK };
const WITHIN: Duration = Duration::from_secs(30);

/// A heartbeat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beat {
    pub(crate) phase: Phase,
    pub(crate) candle: Option<Timestamp>,
    pub(crate) in_flight: u32,
}

/// Everything the bot said that matters here.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The newest heartbeat; `None` when something was reported after it.
    pub(crate) beat: Option<Beat>,
    pub(crate) fills: u64,
    pub(crate) wallet: Option<Decimal>,
    pub(crate) position: Option<PositionReport>,
    pub(crate) instruments: Vec<Instrument>,
    /// The engine's own records, unparsed.
    pub(crate) decisions: Vec<Value>,
    pub(crate) trades: Vec<Value>,
    pub(crate) events: Vec<EventReport>,
    pub(crate) connections: u32,
}

/// What is shared with the tasks that listen.
pub(crate) struct Line {
    pub(crate) heard: Mutex<Heard>,
    pub(crate) changed: Notify,
    pub(crate) assignment: Assignment,
    pub(crate) keeper: TestKeeper,
    pub(crate) context: Context,
}

/// Listens until the test ends.
pub(crate) fn listen(socket: &Path, line: Arc<Line>) {
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&line)));
        }
    });
}

async fn serve(mut stream: UnixStream, line: Arc<Line>) {
    let hello = frame::read_message::<BotMessage, _>(&mut stream, RULES, Deadline::Within(WITHIN)).await;
    let Ok(Some(hello)) = hello else { return };
    let BotMessage::Hello { bot, .. } = hello.body else { return };
    line.heard.lock().unwrap().connections += 1;
    greet(&mut stream, &line, bot).await;
    let next = Deadline::AfterFirstByte(WITHIN);
    while let Ok(Some(message)) = frame::read_message::<BotMessage, _>(&mut stream, RULES, next).await {
        let number = hear(&mut line.heard.lock().unwrap(), message.body);
        if let Some(number) = number {
            let acknowledged = ServerMessage::Acknowledged { number };
            if frame::write_message(&mut stream, RULES, 0, &acknowledged, WITHIN).await.is_err() {
                return;
            }
        }
        line.changed.notify_one();
    }
}

async fn greet(stream: &mut UnixStream, line: &Line, bot: BotId) {
    let mut assignment = line.assignment.clone();
    if let Some(account) = &mut assignment.account {
        account.key.ticket = line.keeper.ticket(&line.context, bot).await;
    }
    for message in
        [ServerMessage::Welcome { acknowledged: 0 }, ServerMessage::Assignment(Box::new(assignment))]
    {
        frame::write_message(stream, RULES, 0, &message, WITHIN).await.unwrap();
    }
}

/// The number to acknowledge, for reports.
fn hear(heard: &mut Heard, message: BotMessage) -> Option<u64> {
    match message {
        BotMessage::Heartbeat { phase, progress, in_flight, .. } => {
            let candle = progress.first().map(|one| one.candle);
            heard.beat = Some(Beat { phase, candle, in_flight });
            None
        }
        BotMessage::Report { number, body, .. } => {
            heard.beat = None;
            report(heard, *body);
            Some(number)
        }
        BotMessage::Hello { .. }
        | BotMessage::CommandDone { .. }
        | BotMessage::KeyCheck { .. }
        | BotMessage::KeyVerdict { .. } => None,
    }
}

fn report(heard: &mut Heard, report: Report) {
    match report {
        Report::Decision(decision) => heard.decisions.push(decision.record),
        Report::Trade(trade) => heard.trades.push(trade.record),
        Report::Fill(_) => heard.fills += 1,
        Report::Account(account) => {
            let settle = heard.instruments.first().map(|instrument| instrument.settle);
            heard.wallet = settle.and_then(|settle| account.balance(settle)).map(|balance| balance.wallet);
        }
        Report::Instruments(instruments) => heard.instruments = instruments,
        Report::Position(position) => heard.position = Some(position),
        Report::Event(event) => heard.events.push(event),
        Report::Order(_) | Report::Equity(_) | Report::KeyFacts(_) => {}
    }
}
