//! The smallest program that speaks the bots' uplink: it greets, beats, reports and obeys, and trades nothing.
//!
//! The server's tests launch it in place of `keyhold-bot`. As a verifier it finds every linear key good and every
//! inverse key able to withdraw. As a bot it reports an open position once it has a template and closes it when told.

use std::collections::VecDeque;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use keyhold_domain::{ContractType, Known, Timestamp};
use keyhold_protocol::frame::{self, Deadline, FrameLimit, FrameRules};
use keyhold_protocol::uplink::{
    Assignment, BotMessage, Command, CommandOutcome, Isolation, Phase, Purpose, Report, ServerMessage,
    StopPolicy, UPLINK_VERSION,
};
use serde_json::json;
use tokio::net::UnixStream;

type Failure = Box<dyn std::error::Error>;

const RULES: FrameRules = FrameRules { version: UPLINK_VERSION, limit: FrameLimit::UPLINK };
const LIMIT: Duration = Duration::from_secs(5);
/// Nothing here depends on the time of day.
const NOW: Timestamp = Timestamp::from_ms(1_760_000_000_000);

struct Parrot {
    stream: UnixStream,
    folder: PathBuf,
    number: u64,
    waiting: VecDeque<Report>,
    has_position: bool,
}

fn option(name: &str) -> Result<String, Failure> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().ok_or_else(|| format!("{name} is missing").into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let mut token = [0; 64];
    std::io::stdin().read_exact(&mut token)?;
    let token = String::from_utf8(token.to_vec())?;
    let purpose = match std::env::args().nth(1).as_deref() {
        Some("verify") => Purpose::Verify,
        Some(_) | None => Purpose::Run,
    };
    // The line may break when the server is restarted; a bot dials again.
    loop {
        let Ok(stream) = UnixStream::connect(option("--uplink")?).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let mut parrot = Parrot {
            stream,
            folder: option("--folder")?.into(),
            number: 0,
            waiting: VecDeque::new(),
            has_position: false,
        };
        match parrot.talk(&token, purpose).await {
            Ok(()) => return Ok(()),
            Err(_broken_line) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

impl Parrot {
    async fn send(&mut self, message: &BotMessage) -> Result<(), Failure> {
        Ok(frame::write_message(&mut self.stream, RULES, 1, message, LIMIT).await?)
    }

    async fn receive(&mut self) -> Result<ServerMessage, Failure> {
        let deadline = Deadline::AfterFirstByte(LIMIT);
        let message = frame::read_message(&mut self.stream, RULES, deadline).await?;
        Ok(message.ok_or("the server closed the line")?.body)
    }

    async fn talk(&mut self, token: &str, purpose: Purpose) -> Result<(), Failure> {
        self.send(&BotMessage::Hello {
            version: UPLINK_VERSION,
            program: "parrot".to_owned(),
            bot: option("--bot")?.parse()?,
            deployment: option("--deployment")?.parse()?,
            token: token.to_owned(),
            purpose,
            isolation: Isolation::Degraded { missing: vec!["everything".to_owned()] },
        })
        .await?;
        loop {
            match self.receive().await? {
                ServerMessage::Welcome { acknowledged } => self.number = acknowledged,
                ServerMessage::Refused { .. } => return Ok(()),
                ServerMessage::Assignment(assignment) if purpose == Purpose::Verify => {
                    return self.verdict(&assignment).await;
                }
                ServerMessage::Assignment(assignment) => self.obey(&assignment).await?,
                ServerMessage::Acknowledged { number } => {
                    self.number = self.number.max(number);
                    self.next_report().await?;
                }
                ServerMessage::Command { id, command } => {
                    if !matches!(command, Command::Stop { positions: StopPolicy::Leave }) {
                        self.close().await?;
                    }
                    let outcome = CommandOutcome::Completed;
                    self.send(&BotMessage::CommandDone { command: id, outcome }).await?;
                    if matches!(command, Command::Stop { .. }) {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn obey(&mut self, assignment: &Assignment) -> Result<(), Failure> {
        std::fs::write(self.folder.join("assignment.json"), serde_json::to_vec(assignment)?)?;
        self.send(&BotMessage::Heartbeat {
            at: NOW,
            phase: Phase::Online,
            progress: Vec::new(),
            in_flight: 0,
            backlog: 0,
        })
        .await?;
        if assignment.template.is_some() && assignment.account.is_some() && !self.has_position {
            self.has_position = true;
            self.waiting.push_back(position("0.5")?);
            self.next_report().await?;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<(), Failure> {
        if self.has_position {
            self.waiting.push_back(position("0")?);
            self.next_report().await?;
            while !self.waiting.is_empty() {
                if let ServerMessage::Acknowledged { number } = self.receive().await? {
                    self.number = number;
                    self.next_report().await?;
                }
            }
            // The report just sent still has to be acknowledged before anything is said of it.
            while !matches!(self.receive().await?, ServerMessage::Acknowledged { .. }) {}
            self.number += 1;
        }
        Ok(())
    }

    async fn next_report(&mut self) -> Result<(), Failure> {
        let Some(report) = self.waiting.pop_front() else { return Ok(()) };
        let number = self.number + 1;
        self.send(&BotMessage::Report { number, at: NOW, body: Box::new(report) }).await
    }

    async fn verdict(&mut self, assignment: &Assignment) -> Result<(), Failure> {
        let account = assignment.account.as_ref().ok_or("no account to verify")?;
        if account.key.ticket.is_none() {
            return Err("no ticket".into());
        }
        let withdraw = match account.key.contract_type {
            ContractType::Linear => Known::No,
            ContractType::Inverse => Known::Yes,
        };
        let check: serde_json::Value = json!({"step": "reachable", "result": {"result": "passed"}, "detail": "it answers", "venue_code": null});
        self.send(&BotMessage::KeyCheck { check: serde_json::from_value(check.clone())? }).await?;
        let verdict = json!({
            "checks": [check],
            "facts": {
                "read": "yes", "trade": "yes", "withdraw": withdraw, "transfer": "no", "ip_bound": "no",
                "ip_addresses": [], "expires_at": null, "unknown_permissions": [], "contract_types": ["linear"]
            },
            "account": {
                "balances": [{"asset": "USDT", "wallet": "1000", "equity": "1000", "available": "1000"}],
                "positions": [], "open_orders": [], "at": NOW
            },
            "instruments": [{
                "exchange": "bybit", "symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "settle": "USDT",
                "contract_type": "linear", "multiplier": "1", "tick": "0.1", "lot": "0.001", "min_quantity": "0.001",
                "max_quantity": null, "min_notional": null, "max_leverage": "100", "maintenance_margin": "0.005",
                "maker_fee": "0.0002", "taker_fee": "0.00055", "funding_interval_hours": 8, "status": "trading"
            }]
        });
        self.send(&BotMessage::KeyVerdict { verdict: Box::new(serde_json::from_value(verdict)?) }).await?;
        // The server ends the line once it has read the verdict.
        while self.receive().await.is_ok() {}
        Ok(())
    }
}

fn position(size: &str) -> Result<Report, Failure> {
    Ok(Report::Position(serde_json::from_value(json!({
        "symbol": "BTCUSDT", "size": size, "entry": "60000", "mark": "60100",
        "unrealized": "50", "settle": "USDT", "stop": "59000", "stop_at_venue": "venue", "target": null,
        "liquidation": null, "opened_at": NOW
    }))?))
}
