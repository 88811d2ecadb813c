//! `./x bench`: the figures that we promise to state, measured on this machine with the programs as people run them.
//!
//! [`figure`] says what is measured, in which unit and against which target; [`parts`] runs the programs that measure,
//! each of which is an example of the crate it measures and prints one line of JSON per figure; [`machine`] says on what;
//! [`report`] prints and keeps the results. A figure that could not be measured is an error, never a blank.
//!
//! Two further questions have runs of their own: [`instructions`] counts what a candle costs, exactly and on any machine;
//! [`peers`] runs other backtesting programs beside ours on the same candles.

pub mod figure;
mod instructions;
mod machine;
mod parts;
mod peers;
mod report;

use crate::paths::{self, Profile};
use crate::{TaskError, demo};

use figure::Figure;
use machine::{Machine, Moment};

/// How to measure.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// Few repetitions, to see that it works; such results are not recorded in the documentation.
    #[arg(long)]
    pub quick: bool,
    /// Which build is measured. Only the release build says anything about speed.
    #[arg(long, value_enum, default_value = "release")]
    pub profile: Profile,
    /// Put the results where they are kept: docs/benchmarks.md, or the table of instructions.
    #[arg(long)]
    pub record: bool,
    /// What else is measured instead.
    #[command(flatten)]
    pub instead: Instead,
}

/// Runs with a question of their own.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(multiple = false)]
pub struct Instead {
    /// Count instructions per candle under valgrind and compare them with those recorded.
    #[arg(long, conflicts_with_all = ["quick", "profile"])]
    pub instructions: bool,
    /// Run other backtesting programs beside ours; needs ../shared and the network for their packages.
    #[arg(long, conflicts_with_all = ["profile", "record"])]
    pub peers: bool,
}

/// Builds, measures everything, prints a table and writes the results to `target/bench`.
pub fn run(options: &Options) -> Result<(), TaskError> {
    if options.instead.instructions {
        let counts = if options.record { instructions::Use::Record } else { instructions::Use::Compare };
        return instructions::run(counts);
    }
    if options.instead.peers {
        return peers::run(if options.quick { peers::Length::Quick } else { peers::Length::Whole });
    }
    if options.record && (options.quick || options.profile != Profile::Release) {
        return Err(TaskError::Failed("only whole runs of the release build are recorded".to_owned()));
    }
    let before = Moment::now()?;
    build(options.profile)?;
    let (machine, start) = (Machine::here()?, Moment::now()?);
    let found = parts::measure(*options)?;
    let figures = in_order(found)?;
    let run = report::Run { options: *options, machine, before, start, end: Moment::now()?, figures };
    println!("\n{}", report::table(&run));
    let kept = report::keep(&run)?;
    println!("written to {}", kept.display());
    if options.record {
        report::record(&run)?;
        println!("docs/benchmarks.md has these results");
    }
    Ok(())
}

/// Every figure once, in the order of the list.
fn in_order(mut found: Vec<Figure>) -> Result<Vec<Figure>, TaskError> {
    let mut figures = Vec::new();
    for wanted in figure::FIGURES {
        let place = found.iter().position(|figure| figure.what.id == wanted.id);
        let place = place.ok_or_else(|| TaskError::Failed(format!("{} was not measured", wanted.title)))?;
        figures.push(found.swap_remove(place));
    }
    match found.first() {
        None => Ok(figures),
        Some(twice) => Err(TaskError::Failed(format!("{} was measured twice", twice.what.title))),
    }
}

/// The programs are built as the README says, so that what is measured is what people get.
fn build(profile: Profile) -> Result<(), TaskError> {
    if !paths::root().join("web").join("dist").join("index.html").exists() {
        demo::build_dashboard()?;
    }
    println!("Building the programs (some minutes the first time) ...");
    let release: &[&str] = match profile {
        Profile::Development => &[],
        Profile::Release => &["--release"],
    };
    let mut programs = vec!["build", "--locked", "--workspace", "--bins"];
    programs.extend(release);
    demo::task("cargo", &programs, "")?;
    for (package, example) in parts::EXAMPLES {
        let mut arguments = vec!["build", "--locked", "--package", package, "--example", example];
        arguments.extend(release);
        demo::task("cargo", &arguments, "")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Figure> {
        let line = |id| format!(r#"{{"figure":"{id}","ran":"x","values":[1]}}"#);
        figure::FIGURES.iter().map(|what| Figure::parse(&line(what.id)).unwrap()).collect()
    }

    #[test]
    fn a_figure_that_is_missing_or_twice_is_an_error() {
        let mut mixed = all();
        mixed.reverse();
        let ids = |figures: &[Figure]| figures.iter().map(|figure| figure.what.id).collect::<Vec<_>>();
        assert_eq!(ids(&in_order(mixed).unwrap()), ids(&all()));
        let mut fewer = all();
        fewer.pop();
        assert!(in_order(fewer).is_err());
        let mut more = all();
        more.extend(all().pop());
        assert!(in_order(more).is_err());
    }
}
