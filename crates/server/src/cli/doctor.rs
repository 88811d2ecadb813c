//! `keyhold doctor`: what protects this installation, and what does not.

use serde_json::json;

use super::options::Options;
use super::{CliError, print};
use crate::backtest::Ending;
use crate::doctor::{Finding, Standing, examine};

/// Say of every protection whether it is in force on this machine, and what to do where it is not.
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    options: Options,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Doctor) -> Result<Ending, CliError> {
    let config = command.options.config()?;
    let findings = examine(&config).await;
    if command.json {
        print(&format!("{:#}", json!({ "version": env!("CARGO_PKG_VERSION"), "findings": findings })))?;
    } else {
        print(&table(&findings))?;
    }
    let whole = findings.iter().all(|finding| finding.standing == Standing::InForce);
    Ok(if whole { Ending::Fine } else { Ending::Found })
}

fn table(findings: &[Finding]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let written = "a string takes everything";
    for finding in findings {
        let Finding { area, protection, standing, found, means, remedy } = finding;
        writeln!(text, "{:<9} {area:<8} {protection:<26} {found}", standing.words()).expect(written);
        for (word, said) in [("means", means), ("remedy", remedy)] {
            if let Some(said) = said {
                writeln!(text, "{:>18}   {word}: {said}", "").expect(written);
            }
        }
    }
    let count = |standing| findings.iter().filter(|finding| finding.standing == standing).count();
    write!(
        text,
        "\n{} in force, {} degraded, {} absent",
        count(Standing::InForce),
        count(Standing::Degraded),
        count(Standing::Absent)
    )
    .expect(written);
    text
}
