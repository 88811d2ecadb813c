//! One table of all recorded cases: per venue and kind how many were run, are not offered, and are suspect.
//!
//! Every runner tells its counts here; the test below runs them all, holds the sums against the data, and prints the table.
//! A case that a runner does not know fails there; one that it passes over in silence fails here.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use keyhold_domain::Exchange;
use serde_json::Value;

use crate::support::{shared, shared_json};

/// What was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Requests of another client.
    Request,
    /// Answers with what another client read in them.
    Response,
    /// Errors with their meaning.
    Error,
    /// Signatures.
    Vector,
    /// Frames that another client sends.
    Frame,
    /// Messages of the venue.
    Wire,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Request, Self::Response, Self::Error, Self::Vector, Self::Frame, Self::Wire];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Error => "error",
            Self::Vector => "vector",
            Self::Frame => "frame",
            Self::Wire => "wire",
        })
    }
}

/// What became of the cases of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    /// Compared, and found to be as recorded.
    pub(crate) run: usize,
    /// In a table of what Keyhold does not do, with the reason.
    pub(crate) not_offered: usize,
    /// Marked in the data as departing from the venue's documentation.
    pub(crate) suspect: usize,
}

impl Count {
    /// All of them were compared.
    pub(crate) fn run(run: usize) -> Self {
        Self { run, ..Self::default() }
    }

    const fn sum(self) -> usize {
        self.run + self.not_offered + self.suspect
    }
}

/// By the name of the data and the kind.
static TOLD: Mutex<BTreeMap<(&str, Kind), Count>> = Mutex::new(BTreeMap::new());

/// What a runner has to say. Told again, it is the same.
pub(crate) fn tell(name: &'static str, kind: Kind, count: Count) {
    let before = TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert((name, kind), count);
    assert!(before.is_none_or(|before| before == count), "{name} {kind}: {before:?}, then {count:?}");
}

/// The runners of an exchange. A new exchange does not compile until it has an arm here.
fn runners(exchange: Exchange) -> &'static [fn()] {
    match exchange {
        Exchange::Bybit => &[
            crate::conformance_requests::our_requests_mean_what_the_recorded_ones_mean,
            crate::conformance_requests::signing_vectors_come_out,
            crate::conformance_responses::answers_are_read_as_recorded,
            crate::conformance_responses::errors_mean_what_is_recorded,
            crate::conformance_messages::recorded_messages_are_read,
            crate::conformance_messages::our_frames_mean_what_another_clients_frames_mean,
        ],
        Exchange::Binance => &[
            crate::binance::requests::linear_requests_mean_what_is_recorded,
            crate::binance::requests::inverse_requests_mean_what_is_recorded,
            crate::binance::requests::signatures_are_those_of_the_vectors,
            crate::binance::requests::our_frames_mean_what_another_clients_frames_mean,
            crate::binance::responses::linear_answers_are_read_as_recorded,
            crate::binance::responses::inverse_answers_are_read_as_recorded,
            crate::binance::responses::errors_mean_what_is_recorded,
            crate::binance::responses::recorded_messages_are_read,
        ],
        Exchange::KrakenFutures => &[
            crate::kraken::requests::our_requests_mean_what_the_recorded_ones_mean,
            crate::kraken::requests::signing_vectors_come_out,
            crate::kraken::answers::answers_are_read_as_recorded,
            crate::kraken::answers::errors_mean_what_is_recorded,
            crate::kraken::messages::every_recorded_message_is_read,
            crate::kraken::messages::our_frames_mean_what_another_clients_frames_mean,
        ],
        Exchange::Okx => &[
            crate::okx::requests::our_requests_mean_what_the_recorded_ones_mean,
            crate::okx::requests::signing_vectors_come_out,
            crate::okx::answers::what_is_read_is_what_is_recorded,
            crate::okx::answers::every_recorded_error_has_its_meaning,
            crate::okx::wire::every_recorded_message_is_read,
            crate::okx::frames::every_recorded_topic_is_among_ours,
        ],
        Exchange::Bitmex => &[
            crate::bitmex::requests::our_requests_mean_what_the_recorded_ones_mean,
            crate::bitmex::requests::signing_vectors_come_out,
            crate::bitmex::answers::answers_are_read_as_recorded,
            crate::bitmex::answers::errors_mean_what_is_recorded,
            crate::bitmex::messages::messages_of_the_venue_are_read,
            crate::bitmex::requests::frames_of_the_stream_are_those_of_another_client,
        ],
    }
}

/// Names of an exchange in the data, by kind.
fn names(exchange: Exchange, kind: Kind) -> &'static [&'static str] {
    match (exchange, kind) {
        (Exchange::Bybit, _) => &["bybit"],
        (Exchange::Okx, _) => &["okx"],
        (Exchange::Bitmex, _) => &["bitmex"],
        (Exchange::KrakenFutures, Kind::Wire) => &["kraken"],
        (Exchange::KrakenFutures, _) => &["krakenfutures"],
        (Exchange::Binance, Kind::Request | Kind::Response | Kind::Frame) => &["binanceusdm", "binancecoinm"],
        (Exchange::Binance, Kind::Error) => &["binance-futures"],
        (Exchange::Binance, Kind::Vector) => &["binance", "binanceusdm"],
        (Exchange::Binance, Kind::Wire) => &["binance"],
    }
}

fn lists(table: &Value) -> usize {
    table.as_object().unwrap().values().map(|cases| cases.as_array().unwrap().len()).sum()
}

/// How many cases the data hold.
fn recorded(name: &str, kind: Kind) -> usize {
    let file = |folder: &str| shared_json(&format!("conformance/venues/{folder}/{name}.json")).unwrap();
    match kind {
        Kind::Request => lists(&file("request")["methods"]),
        Kind::Response => {
            let file = file("response");
            lists(&file["records"]) + lists(&file["responses"])
        }
        Kind::Error => file("errors")["errors"].as_array().unwrap().len(),
        Kind::Vector => {
            let file = shared_json("conformance/venues/signing-vectors.json").unwrap();
            file["vectors"].as_array().unwrap().iter().filter(|vector| vector["venue"] == name).count()
        }
        Kind::Frame => {
            let file = file("ws-client-frames");
            let steps = file["steps"].as_array().unwrap().iter();
            steps.map(|step| step["frames"].as_array().unwrap().len()).sum()
        }
        Kind::Wire => {
            let folder = shared(&format!("conformance/wire/{name}")).unwrap();
            std::fs::read_dir(folder).unwrap().count()
        }
    }
}

#[test]
fn every_recorded_case_is_run_or_named() {
    if shared("conformance").is_none() {
        return;
    }
    let mut table =
        format!("{:14} {:9} {:>5} {:>12} {:>8}\n", "venue", "kind", "run", "not offered", "suspect");
    let mut all = Count::default();
    for exchange in Exchange::ALL.iter().copied() {
        for run in runners(exchange) {
            run();
        }
        for kind in Kind::ALL {
            for name in names(exchange, kind) {
                let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner).get(&(*name, kind)).copied();
                let count = told.unwrap_or_else(|| panic!("{name}: nobody ran its cases of the kind {kind}"));
                assert_eq!(count.sum(), recorded(name, kind), "{name} {kind}: {count:?}");
                let Count { run, not_offered, suspect } = count;
                writeln!(table, "{name:14} {kind:9} {run:5} {not_offered:12} {suspect:8}").unwrap();
                all.run += count.run;
                all.not_offered += count.not_offered;
                all.suspect += count.suspect;
            }
        }
    }
    write!(table, "{:24} {:5} {:12} {:8}", "all", all.run, all.not_offered, all.suspect).unwrap();
    println!("{table}");
    assert!(all.run >= 750, "only {} cases were run", all.run);
}
