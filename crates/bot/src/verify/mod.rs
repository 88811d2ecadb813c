//! The test of one key: is it known, is it right, what may it do, does the account fit? Then the process ends.
//!
//! The order of the steps is the order in which a person would look. Each step is told as it ends, the verdict at the
//! end; everything together stays below the limit. What an error means is in [`judge`]. Nothing at the account is changed.

mod judge;

use std::time::Duration;

use keyhold_domain::{Decimal, Environment, Exchange, ReasonCode, Symbol};
use keyhold_protocol::uplink::{
    AccountAssignment, BotMessage, KeyCheck, KeyCheckResult, KeyCheckStep, KeyVerdict, ServerMessage,
};
use keyhold_venues::error::Asked;
use keyhold_venues::port::{PositionMode, VenueStatus};
use keyhold_venues::{MarketData as _, TokioDialer, TradingVenue as _, VenueError};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::clock::{Clock as _, SystemClock};
use crate::findings;
use crate::launch::Options;
use crate::outside::Machine;
use crate::session::{self, Session, SessionError};
use crate::uplink::{self, Incoming, Line};
use judge::{Failure, step_of};

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The server did not say which key.
    #[error("the server gave no key to test")]
    NoAssignment,
    /// The server does not want this process.
    #[error("the server refused the test: {0}")]
    Unwanted(ReasonCode),
    /// The key could not be opened.
    #[error("opening the key")]
    Open(#[from] SessionError),
}

/// Everything together.
const LIMIT: Duration = Duration::from_secs(18);
/// For the verdict to reach the server.
const FAREWELL: Duration = Duration::from_secs(2);

/// Tests the key of the first assignment and reports.
pub async fn verify(options: Options, hello: BotMessage) -> Result<(), VerifyError> {
    let until = Instant::now() + LIMIT;
    let outside = Machine::new(&options);
    let mut line = uplink::start(outside.clone(), hello);
    let account = match timeout_at(until, assignment(&mut line)).await {
        Ok(account) => account?,
        Err(_) => return Err(VerifyError::NoAssignment),
    };
    let mut test = Test::new(line.outgoing.clone(), account.key.exchange);
    let opened = timeout_at(until, session::open(&outside, options.bot, &account)).await;
    let result = match opened {
        Ok(Ok((session, lease))) => {
            let finished = timeout_at(until, test.run(&session, &account, &options)).await;
            if finished.is_err() {
                test.out_of_time();
            }
            // The credential goes first, then the lease that allowed it.
            drop(session);
            drop(lease);
            Ok(())
        }
        Ok(Err(error)) => {
            test.unopened(&error);
            Err(VerifyError::Open(error))
        }
        Err(_) => {
            test.out_of_time();
            Ok(())
        }
    };
    let verdict = BotMessage::KeyVerdict { verdict: Box::new(test.verdict()) };
    if line.outgoing.send(verdict).await.is_err() {
        tracing::warn!("the server has gone and does not hear the verdict");
    }
    line.finish(FAREWELL).await;
    result
}

async fn assignment(line: &mut Line) -> Result<AccountAssignment, VerifyError> {
    while let Some(incoming) = line.incoming.recv().await {
        match incoming {
            Incoming::Connected { .. } | Incoming::Disconnected => {}
            Incoming::Message(message) => match *message {
                ServerMessage::Assignment(assignment) => {
                    return assignment.account.ok_or(VerifyError::NoAssignment);
                }
                ServerMessage::Refused { code } => return Err(VerifyError::Unwanted(code)),
                ServerMessage::Welcome { .. }
                | ServerMessage::Command { .. }
                | ServerMessage::Acknowledged { .. } => {}
            },
        }
    }
    Err(VerifyError::NoAssignment)
}

/// The steps of one test as they go.
struct Test {
    verdict: KeyVerdict,
    line: mpsc::Sender<BotMessage>,
    exchange: Exchange,
}

/// A step failed; the rest is pointless.
struct Stopped;

impl Test {
    fn new(line: mpsc::Sender<BotMessage>, exchange: Exchange) -> Self {
        let verdict = KeyVerdict { checks: vec![], facts: None, account: None, instruments: vec![] };
        Self { verdict, line, exchange }
    }

    /// Every step, the ones that were not reached included.
    fn verdict(mut self) -> KeyVerdict {
        for step in judge::STEPS {
            if !self.verdict.checks.iter().any(|check| check.step == step) {
                self.add(step, KeyCheckResult::NotReached, String::new(), None);
            }
        }
        self.verdict.checks.sort_by_key(|check| check.step);
        self.verdict
    }

    fn add(
        &mut self,
        step: KeyCheckStep,
        result: KeyCheckResult,
        detail: String,
        venue_code: Option<String>,
    ) {
        let check = KeyCheck { step, result, detail, venue_code };
        // The verdict holds every step again, so nothing is lost when there is no room now.
        drop(self.line.try_send(BotMessage::KeyCheck { check: check.clone() }));
        self.verdict.checks.push(check);
    }

    fn passed(&mut self, step: KeyCheckStep, detail: impl Into<String>) {
        self.add(step, KeyCheckResult::Passed, detail.into(), None);
    }

    fn failed(&mut self, step: Failure) -> Stopped {
        for earlier in judge::STEPS.iter().take_while(|earlier| **earlier < step.step) {
            let known = self.verdict.checks.iter().any(|check| check.step == *earlier);
            // An answer that names a later fault means that the earlier ones are not there.
            if !known && *earlier > KeyCheckStep::Clock && step.step <= KeyCheckStep::Permissions {
                self.passed_if_there_is_one(*earlier);
            }
        }
        self.add(step.step, KeyCheckResult::Failed(step.code), step.detail, step.venue_code);
        Stopped
    }

    fn passed_if_there_is_one(&mut self, step: KeyCheckStep) {
        if step == KeyCheckStep::Passphrase && !self.exchange.issues_passphrase() {
            let text = "This exchange has no passphrase.";
            self.add(step, KeyCheckResult::NotReached, text.to_owned(), None);
        } else {
            self.passed(step, "");
        }
    }

    fn unopened(&mut self, error: &SessionError) {
        let detail = format!("The key could not be opened: {error}.");
        self.add(KeyCheckStep::Reachable, KeyCheckResult::Failed(ReasonCode::KeyInvalid), detail, None);
    }

    /// The step that was under way did not end in time.
    fn out_of_time(&mut self) {
        let reached = |step: &&KeyCheckStep| !self.verdict.checks.iter().any(|check| check.step == **step);
        if let Some(step) = judge::STEPS.iter().find(reached).copied() {
            let detail = "The exchange did not answer in time.".to_owned();
            self.add(step, KeyCheckResult::Failed(ReasonCode::ExchangeDown), detail, None);
        }
    }

    async fn run(&mut self, session: &Session<TokioDialer>, account: &AccountAssignment, options: &Options) {
        // A failed step ends the test; it has been told already.
        if self.reach(session).await.is_err() || self.key(session, account, options).await.is_err() {
            return;
        }
        // Its failure is told as well, and it is the last.
        drop(self.account(session, account).await);
    }

    /// Steps 1 and 2.
    async fn reach(&mut self, session: &Session<TokioDialer>) -> Result<(), Stopped> {
        let venue = &session.venue;
        let asked = SystemClock.now();
        let server = match venue.server_time().await {
            Ok(server) => server,
            Err(error) => return Err(self.failed(step_of(&error, KeyCheckStep::Reachable, Asked::ToRead))),
        };
        let answered = SystemClock.now();
        match venue.venue_status().await {
            // Maintenance may be of a part that is not needed here; what is needed fails by itself.
            Ok(VenueStatus::Maintenance { until }) => {
                let end = until.map_or_else(String::new, |until| format!(" until {until}"));
                let text = format!("The exchange says that maintenance is running{end}.");
                let result = KeyCheckResult::Warning(ReasonCode::ExchangeMaintenance);
                self.add(KeyCheckStep::Reachable, result, text, None);
            }
            Ok(VenueStatus::Up) => self.passed(KeyCheckStep::Reachable, ""),
            Err(error) => {
                let step = step_of(&error, KeyCheckStep::Reachable, Asked::ToRead);
                if step.code == ReasonCode::ExchangeMaintenance {
                    return Err(self.failed(step));
                }
                // It told its time; that its status cannot be read says nothing about the key.
                self.passed(KeyCheckStep::Reachable, "");
            }
        }
        let skew = session::clock_skew_ms(asked, server, answered);
        match judge::clock(skew) {
            Ok(detail) => self.passed(KeyCheckStep::Clock, detail),
            Err(step) => return Err(self.failed(step)),
        }
        Ok(())
    }

    /// Steps 3 to 8.
    async fn key(
        &mut self,
        session: &Session<TokioDialer>,
        account: &AccountAssignment,
        options: &Options,
    ) -> Result<(), Stopped> {
        let facts = match session.venue.inspect_key().await {
            Ok(facts) => facts,
            Err(error) => {
                let mut step = step_of(&error, KeyCheckStep::KeyKnown, Asked::ToRead);
                if step.code == ReasonCode::KeyInvalid
                    && let Some(other) = works_elsewhere(session, account, options).await
                {
                    step.code = ReasonCode::KeyWrongEnvironment;
                    step.detail = format!("This key works at {other}.");
                }
                return Err(self.failed(step));
            }
        };
        self.verdict.facts = Some(facts.clone());
        self.passed(KeyCheckStep::KeyKnown, "");
        self.passed(KeyCheckStep::Signature, "");
        self.passed_if_there_is_one(KeyCheckStep::Passphrase);
        match findings::address(&facts) {
            None => self.passed(KeyCheckStep::Address, facts.ip_addresses.join(", ")),
            Some(found) => {
                self.add(KeyCheckStep::Address, KeyCheckResult::Warning(found.code), found.text, None);
            }
        }
        if let Some(expired) = findings::expiry(&facts, SystemClock.now()) {
            return Err(self.failed(Failure::found(KeyCheckStep::Expiry, expired)));
        }
        let date =
            facts.expires_at.map_or_else(|| "Does not expire.".to_owned(), |at| format!("Until {at}."));
        self.passed(KeyCheckStep::Expiry, date);
        let mut found = findings::permissions(&facts).into_iter();
        match found.next() {
            None => self.passed(KeyCheckStep::Permissions, ""),
            Some(worst) if worst.weight == findings::Weight::Forbids => {
                return Err(self.failed(Failure::found(KeyCheckStep::Permissions, worst)));
            }
            Some(worst) => {
                let result = KeyCheckResult::Warning(worst.code);
                self.add(KeyCheckStep::Permissions, result, worst.text, None);
            }
        }
        Ok(())
    }

    /// Steps 9 and 10.
    async fn account(
        &mut self,
        session: &Session<TokioDialer>,
        account: &AccountAssignment,
    ) -> Result<(), Stopped> {
        let venue = &session.venue;
        let facts = self.verdict.facts.as_ref();
        if let Some(found) = facts.and_then(|facts| findings::contract(facts, account.key.contract_type)) {
            return Err(self.failed(Failure::found(KeyCheckStep::Account, found)));
        }
        let wrong = |error: &VenueError| step_of(error, KeyCheckStep::Account, Asked::ToRead);
        match venue.account_settings().await {
            Ok(settings) if settings.margin_mode.is_none() => {
                let detail = "The account's margin mode is neither isolated nor cross.";
                let step =
                    Failure::new(KeyCheckStep::Account, ReasonCode::MarginModeUnsupported, detail.to_owned());
                return Err(self.failed(step));
            }
            Ok(_) => {}
            Err(error) => return Err(self.failed(wrong(&error))),
        }
        let listed = match venue.instruments().await {
            Ok(instruments) => instruments.listed,
            Err(error) => return Err(self.failed(wrong(&error))),
        };
        let symbol: Option<Symbol> =
            account.instruments.first().copied().or_else(|| listed.first().map(|one| one.symbol));
        self.verdict.instruments = listed.into_iter().take(MOST_INSTRUMENTS).collect();
        if let Some(symbol) = symbol {
            match venue.position_mode(symbol).await {
                Ok(PositionMode::OneWay) => {}
                Ok(PositionMode::Hedge) => {
                    let detail = format!("{symbol} is set to a long and a short position side by side.");
                    let step = Failure::new(KeyCheckStep::Account, ReasonCode::AccountModeMismatch, detail);
                    return Err(self.failed(step));
                }
                Err(error) => return Err(self.failed(wrong(&error))),
            }
        }
        self.passed(KeyCheckStep::Account, "");
        match venue.account().await {
            // Some exchanges list every coin, also those of which there is nothing.
            Ok(found) if found.balances.iter().all(|one| one.equity <= Decimal::ZERO) => {
                self.verdict.account = Some(found);
                let detail = "The account holds nothing.".to_owned();
                let result = KeyCheckResult::Warning(ReasonCode::InsufficientBalance);
                self.add(KeyCheckStep::Balance, result, detail, None);
            }
            Ok(found) => {
                let amounts =
                    found.balances.iter().map(|one| format!("{} {}", one.equity.normalize(), one.asset));
                let detail = amounts.collect::<Vec<_>>().join(", ");
                self.verdict.account = Some(found);
                self.passed(KeyCheckStep::Balance, detail);
            }
            Err(error) => {
                let mut step = step_of(&error, KeyCheckStep::Balance, Asked::ToRead);
                step.step = KeyCheckStep::Balance;
                step.code = ReasonCode::BalanceUnavailable;
                return Err(self.failed(step));
            }
        }
        Ok(())
    }
}

/// More than any exchange lists; at about 600 bytes each they stay below the megabyte of a frame.
const MOST_INSTRUMENTS: usize = 1_200;

/// Whether the venue's test system knows a live key. The other way round is not asked: nothing that was declared for a
/// test system or a simulation ever reaches a live host.
async fn works_elsewhere(
    session: &Session<TokioDialer>,
    account: &AccountAssignment,
    options: &Options,
) -> Option<Environment> {
    let other = match account.key.environment {
        Environment::Live => Environment::Testnet,
        Environment::Testnet | Environment::Simulated => return None,
    };
    let (site, signer) = (account.endpoints.site, &session.signer);
    let machine = Machine::new(options);
    let venue = session::elsewhere(&machine, &account.key, other, site, (options.bot, signer)).ok()?;
    venue.inspect_key().await.is_ok().then_some(other)
}
