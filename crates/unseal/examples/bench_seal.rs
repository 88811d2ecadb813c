//! Measures sealing a credential and opening it again: `cargo run --release -p keyhold-unseal --example bench_seal -- 5000`.
//!
//! Prints one line of JSON per figure with the time of every repetition in microseconds; `./x bench` makes statistics of
//! them. Each repetition seals anew with the kernel's entropy and opens what was sealed, by way of a keeper's import and
//! lease, which are not timed; a repetition whose credential cannot be opened ends the program.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::fs::File;
use std::io::Read as _;
use std::time::Instant;

use keyhold_seal::{EntropySource, EntropyUnavailable, PlainSecret, Sealed, seal};
use keyhold_unseal::open::EphemeralKey;
use keyhold_unseal::rewrap::{Recipient, import, lease};

#[allow(dead_code, reason = "the vectors are written elsewhere")]
#[path = "vectors.rs"]
mod vectors;

use vectors::{KeeperSide, Plan};

type Failed = Box<dyn std::error::Error>;

/// The kernel's random numbers.
struct Kernel(File);

impl EntropySource for Kernel {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        self.0.read_exact(bytes).map_err(|_| EntropyUnavailable)
    }
}

fn main() -> Result<(), Failed> {
    let count: usize = std::env::args().nth(1).map_or(Ok(5_000), |text| text.parse())?;
    let keeper = vectors::keeper_side();
    let plan = &vectors::plans()[0];
    let mut kernel = Kernel(File::open("/dev/urandom")?);
    let (mut sealing, mut opening) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let secret = PlainSecret::new(&plan.api_key, &plan.api_secret, None)?;
        let started = Instant::now();
        let sealed = seal(keeper.secret_key.public(), &plan.context, secret, &mut kernel);
        sealing.push(micros(started));
        opening.push(open(&keeper, plan, &sealed?, &mut kernel)?);
    }
    print(
        "seal",
        "one credential of the usual size with entropy of the kernel, as a browser does it",
        &sealing,
    );
    print("open", "a keeper's answer and the envelope, as a bot does it, into locked memory", &opening);
    Ok(())
}

/// Leases the data key to a new bot and answers how long the bot takes to come to the credential.
fn open(keeper: &KeeperSide, plan: &Plan, sealed: &Sealed, kernel: &mut Kernel) -> Result<f64, Failed> {
    let context = &plan.context;
    let wrapped = import(&keeper.secret_key, keeper.wrapping(), context, &sealed.data_key, kernel)?;
    let key = EphemeralKey::generate(kernel)?;
    let recipient = Recipient { key: key.public().clone(), ..vectors::recipient() };
    let answer = lease(keeper.wrapping(), context, &wrapped, &recipient, kernel)?;
    let started = Instant::now();
    let opened = key
        .open_lease(&answer, context, recipient.bot, recipient.lease)
        .and_then(|data_key| data_key.open(&sealed.envelope, context));
    let took = micros(started);
    // Wiping the credential belongs to its use, not to its opening.
    drop(opened?);
    Ok(took)
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

fn print(figure: &str, ran: &str, values: &[f64]) {
    println!("{}", serde_json::json!({ "figure": figure, "ran": ran, "values": values }));
}
