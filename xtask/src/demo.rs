//! `./x demo`: the real programs on a made-up exchange, one address, Ctrl-C ends everything.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Map, Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::paths::Profile;
use crate::stack::{MadeUpVenue, RequestLimits, Stack, StackOptions, TestKey};
use crate::{TaskError, paths};

/// How to run it.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Which exchanges are played: bybit, binance, kraken_futures, okx, bitmex, or several of them with commas.
    #[arg(long = "venue", value_delimiter = ',', default_value = "bybit")]
    pub venues: Vec<String>,
    /// A candle file (csv or csv.gz: open_time, open, high, low, close, volume) instead of a made-up market.
    #[arg(long)]
    pub candles: Option<PathBuf>,
    /// One-minute candles per second.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Seed of the made-up market.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Port of the dashboard; another free one is taken when it is in use.
    #[arg(long, default_value_t = 8420)]
    pub port: u16,
    /// Print one line of JSON for a test that drives the stack, and skip building.
    #[arg(long, hide = true)]
    pub for_tests: bool,
}

/// Builds, starts everything and waits for Ctrl-C.
pub fn run(options: &Options) -> Result<(), TaskError> {
    if !options.for_tests {
        build()?;
    }
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|error| TaskError::Failed(error.to_string()))?;
    let mut stack = Stack::start(&StackOptions {
        candles: options.candles.clone(),
        speed: options.speed,
        seed: options.seed,
        venues: options.venues.clone(),
        limits: RequestLimits::Enforced,
        port: options.port,
        folder: None,
        log: "info",
        profile: Profile::Development,
    })?;
    if options.for_tests {
        announce_for_tests(&stack);
    } else {
        announce(&stack);
    }
    wait(&mut stack, &mut signals)?;
    println!("\nStopping bots, server, exchange and keeper ...");
    let killed = stack.stop();
    std::fs::remove_dir_all(&stack.folder).map_err(|error| TaskError::file(&stack.folder, error))?;
    if killed.is_empty() {
        println!("Stopped. Nothing is left running.");
        Ok(())
    } else {
        Err(TaskError::Failed(format!(
            "these did not end by themselves and were killed: {}",
            killed.join(", ")
        )))
    }
}

fn build() -> Result<(), TaskError> {
    build_dashboard()?;
    println!("Building the programs (some minutes the first time) ...");
    task("cargo", &["build", "--locked", "--workspace", "--bins"], "")
}

/// Builds what the server embeds.
pub(crate) fn build_dashboard() -> Result<(), TaskError> {
    let web = paths::root().join("web");
    if !web.join("node_modules").exists() {
        println!("Installing the dashboard's packages (npm ci) ...");
        task("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"], "web")?;
    }
    println!("Building the dashboard ...");
    task("npm", &["run", "--silent", "build"], "web")
}

/// Runs a program in a folder below the root and fails when it does.
pub(crate) fn task(program: &str, arguments: &[&str], folder: &str) -> Result<(), TaskError> {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(paths::root().join(folder))
        .stdin(Stdio::null())
        .status()
        .map_err(|source| TaskError::Start { program: program.to_owned(), source })?;
    if status.success() {
        Ok(())
    } else {
        Err(TaskError::Failed(format!("{program} {}", arguments.join(" "))))
    }
}

fn announce(stack: &Stack) {
    let exchanges: Vec<&str> = stack.venues.iter().map(|venue| venue.exchange.as_str()).collect();
    println!(
        "\n  Keyhold is running with a made-up {}. Open this once to make it yours:\n",
        exchanges.join(" and a made-up ")
    );
    println!("      {}/claim#{}\n", stack.url, stack.claim_code);
    println!("  Everything it writes is in {} and goes with it. Ctrl-C ends it.\n", stack.folder.display());
}

/// One line for the browser journeys. The keys are made up for this run and open nothing but its exchange.
fn announce_for_tests(stack: &Stack) {
    let venue = |venue: &MadeUpVenue| {
        let key = |key: &TestKey| {
            let parts = json!({ "key": key.key, "secret": key.secret, "passphrase": key.passphrase });
            (key.name.to_owned(), parts)
        };
        let keys: Map<String, Value> = venue.keys.iter().map(key).collect();
        (venue.exchange.clone(), json!({ "control": venue.control, "keys": keys }))
    };
    let venues: Map<String, Value> = stack.venues.iter().map(venue).collect();
    let first = stack.venues.first().and_then(|venue| venues.get(&venue.exchange));
    let line = json!({
        "url": stack.url,
        "claim": stack.claim_code,
        "folder": stack.folder,
        "control": stack.control(),
        "keys": first.map(|venue| &venue["keys"]),
        "venues": venues,
    });
    println!("{line}");
}

/// Returns when somebody wants to stop; fails when a program ended by itself.
fn wait(stack: &mut Stack, signals: &mut Signals) -> Result<(), TaskError> {
    loop {
        if signals.pending().next().is_some() {
            return Ok(());
        }
        if let Some(name) = stack.ended() {
            return Err(TaskError::Failed(format!("{name} ended by itself:\n{}", stack.log_of(name))));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
