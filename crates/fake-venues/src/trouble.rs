//! Everything that is meant to go wrong, and what is scripted to go wrong next.
//!
//! Set over the control interface, asked by the network side. Chances are drawn from the venue's seed.

use std::collections::VecDeque;
use std::net::IpAddr;

use keyhold_simulator::faults::{FaultPlan, MessageFate, RequestFate};
use keyhold_simulator::random::Random;
use serde::Deserialize;

/// The most scripted faults that wait at one time.
const MAX_SCRIPTED: usize = 1_000;

/// A fault for the next request to a path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scripted {
    /// Beginning of the path, for example `/v5/order/create`.
    pub(crate) path: String,
    /// What happens.
    pub(crate) fate: ScriptedFate,
    /// HTTP status for `status`. 451 stands for what the venue answers to a country that it does not serve.
    #[serde(default = "unavailable")]
    pub(crate) status: u16,
    /// How many requests it happens to.
    #[serde(default = "once")]
    pub(crate) times: u32,
}

const fn unavailable() -> u16 {
    503
}
const fn once() -> u32 {
    1
}

/// What a scripted fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScriptedFate {
    /// The request never arrives.
    LostRequest,
    /// The request is done, its answer is lost.
    LostAnswer,
    /// The request is answered with `status` and not done.
    Status,
}

/// Whether the venue works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Service {
    /// As usual.
    #[default]
    Open,
    /// In maintenance.
    Maintenance,
}

/// The troubles of one venue.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// Chances of trouble.
    pub(crate) plan: FaultPlan,
    /// Maintenance or not.
    pub(crate) service: Service,
    /// Added to the wall clock for time checks and what the venue tells of the time, in milliseconds.
    pub(crate) skew_ms: i64,
    /// The address that every client is taken to have, for tests of address lists.
    pub(crate) peer: Option<IpAddr>,
    /// Beginnings of public topics of which nothing is sent but what answers a subscription.
    pub(crate) muted: Vec<String>,
    scripted: VecDeque<Scripted>,
    random: Random,
}

const TROUBLE: u64 = 2;

impl Trouble {
    /// No trouble.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            plan: FaultPlan::default(),
            service: Service::Open,
            skew_ms: 0,
            peer: None,
            muted: Vec::new(),
            scripted: VecDeque::new(),
            random: Random::of(seed, TROUBLE),
        }
    }

    /// Adds a scripted fault. False when too many wait already.
    pub(crate) fn script(&mut self, fault: Scripted) -> bool {
        let fits = self.scripted.len() < MAX_SCRIPTED;
        if fits && fault.times > 0 {
            self.scripted.push_back(fault);
        }
        fits
    }

    /// Forgets the scripted faults that still wait, and every chance of trouble.
    pub(crate) fn calm(&mut self) {
        self.scripted.clear();
        self.plan = FaultPlan::default();
    }

    /// The fate of a request to this path and how long its answer takes, in milliseconds.
    pub(crate) fn request(&mut self, path: &str) -> (RequestFate, u32) {
        let delay = self.plan.latency.draw(&mut self.random);
        let Some(index) = self.scripted.iter().position(|fault| path.starts_with(&fault.path)) else {
            return (self.plan.request(&mut self.random), delay);
        };
        let fault = &mut self.scripted[index];
        let fate = match fault.fate {
            ScriptedFate::LostRequest => RequestFate::LostRequest,
            ScriptedFate::LostAnswer => RequestFate::LostAnswer,
            ScriptedFate::Status => RequestFate::Status(fault.status),
        };
        fault.times -= 1;
        if fault.times == 0 {
            self.scripted.remove(index);
        }
        (fate, delay)
    }

    /// Whether a public topic is silent.
    pub(crate) fn is_muted(&self, topic: &str) -> bool {
        self.muted.iter().any(|start| topic.starts_with(start))
    }

    /// The fate of a stream message.
    pub(crate) const fn message(&mut self) -> MessageFate {
        self.plan.message(&mut self.random)
    }
}
