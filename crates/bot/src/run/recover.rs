//! The only way to start: snapshot, journal, and then whatever the venue says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use keyhold_protocol::uplink::BotMessage;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::assignment::market_time;
use super::{AccountView, Bot, Due, HEARTBEAT, Home, INSPECT_EVERY, NEWS_ROOM, RunError, Stage, TICK};
use crate::journal::{Cause, Journal, Outbox};
use crate::market_time::MarketTime;
use crate::mind::record::Entry;
use crate::mind::{Memory, Mind};
use crate::outside::Outside;
use crate::uplink;

impl<O: Outside> Bot<O> {
    /// Reads the memory back. Orders that the replay wants sent are not sent: what became of the real ones is asked of the
    /// venue. Reports are kept; those that were numbered before keep their numbers.
    pub(super) fn recover(outside: O, home: Home, hello: BotMessage) -> Result<Self, RunError> {
        let (journal, found) = Journal::open::<Memory, Entry>(&home.folder)?;
        let mut outbox = Outbox::open(&home.folder)?;
        let snapshot = found.snapshot.map(|snapshot| snapshot.record);
        let mut mind = Mind::restore(home.bot, snapshot)?;
        let now = outside.now();
        let replayed = found.tail.len();
        for numbered in found.tail {
            let effects = mind.take(&numbered.record);
            for (index, report) in (0..).zip(effects.reports) {
                outbox.add(Cause { event: numbered.sequence, index }, now, report)?;
            }
        }
        tracing::info!(events = journal.sequence(), replayed, holds = ?mind.holds(), "the memory is back");
        let time = mind.setup().map_or(MarketTime::Real, |setup| market_time(setup.environment, &mind));
        let (bring, news) = mpsc::channel(NEWS_ROOM);
        let instant = Instant::now();
        let line = uplink::start(outside.clone(), hello);
        Ok(Self {
            outside,
            home,
            mind,
            journal,
            outbox,
            unsaved: u32::try_from(replayed).unwrap_or(u32::MAX),
            line,
            linked: false,
            sent_through: 0,
            assignment: None,
            session: None,
            session_number: 0,
            stage: Stage::Idle,
            slots: BTreeMap::new(),
            market: None,
            account: None,
            account_view: AccountView::Current,
            account_failed: None,
            followed: None,
            waits_for_flat: false,
            told_to_wait: None,
            answers: VecDeque::new(),
            time,
            lease_lost: None,
            give_back: None,
            redial: None,
            redials: 0,
            due: Due {
                heartbeat: instant + HEARTBEAT,
                account: instant,
                inspection: instant + INSPECT_EVERY,
                tick: instant + TICK,
            },
            busy: BTreeSet::new(),
            last_beat: None,
            last_key_code: None,
            news,
            bring,
            errands: JoinSet::new(),
            ending: None,
        })
    }
}
