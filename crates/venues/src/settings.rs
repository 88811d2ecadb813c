//! What an adapter is made from: its market, its addresses, and time limits that fit real venues. Tests shorten them.

use std::time::Duration;

use keyhold_domain::ContractType;

use crate::hosts::Endpoints;
use crate::transport::http::HttpLimits;

/// Which market an adapter talks to, where, and with which limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueConfig {
    /// Linear or inverse contracts.
    pub contract_type: ContractType,
    /// Checked addresses; they carry exchange and environment.
    pub endpoints: Endpoints,
    /// Limits.
    pub settings: Settings,
}

/// Everything that can be tuned without changing what an adapter does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Limits of requests.
    pub http: HttpLimits,
    /// How long a request waits for its turn under the venue's request limit.
    pub limit_patience: Duration,
    /// How often a question that failed on the way is asked in all. Never applies to orders.
    pub read_attempts: u32,
    /// First and longest wait between such attempts and between reconnections.
    pub backoff: (Duration, Duration),
    /// Seed of the waits' jitter; the program gives each bot its own.
    pub seed: u64,
    /// How often a stream says that it lives.
    pub ping_interval: Duration,
    /// A stream that is silent for longer is given up and made anew.
    pub silence_limit: Duration,
    /// For login and subscription to be confirmed.
    pub confirm_limit: Duration,
    /// Waits before each look for an order whose outcome is unknown. Together longer than the venue's window for late
    /// requests, or a request still on its way could be called lost.
    pub resolve_waits: Vec<Duration>,
    /// A candle is fetched only when it closed so long ago; younger ones may still change.
    pub candle_settling: Duration,
    /// Events that wait for the program at most; the stream then waits, too.
    pub event_queue: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            http: HttpLimits {
                connect: Duration::from_secs(8),
                answer: Duration::from_secs(10),
                busy: Duration::from_secs(5),
                idle: Duration::from_secs(25),
                largest_answer: 16 << 20,
            },
            limit_patience: Duration::from_secs(3),
            read_attempts: 3,
            backoff: (Duration::from_millis(250), Duration::from_secs(30)),
            seed: 0,
            ping_interval: Duration::from_secs(20),
            silence_limit: Duration::from_secs(32),
            confirm_limit: Duration::from_secs(10),
            resolve_waits: [0, 300, 700, 1_500, 2_500, 2_500].map(Duration::from_millis).to_vec(),
            candle_settling: Duration::from_secs(1),
            event_queue: 1_024,
        }
    }
}
