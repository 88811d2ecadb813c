//! `keyhold templates`: is a template sound, what does it do in plain words, and the built-in ones as files.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use keyhold_engine::check::{check_document, check_template, explain};
use keyhold_engine::problem::Problem;
use keyhold_engine::system_templates;
use serde::Serialize;
use serde_json::Value;

use crate::backtest::{CommandError, Ending, load_template};

/// Check, explain and write templates.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check a template and list every problem with its place, its code and what to do. Exit code 3 when there are any.
    Validate(Validate),
    /// Say in plain words what a template does.
    Explain(Explain),
    /// Write a built-in template, to keep or to change.
    Export(Export),
    /// List the built-in templates.
    List,
}

/// Options of `validate`.
#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    /// A template file; - reads standard input.
    file: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Options of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// A template file, or the name of a built-in template.
    template: String,
}

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The name of a built-in template.
    id: String,
    /// The file to write; standard output when absent.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What a check found.
#[derive(Debug, Serialize)]
struct Validation {
    valid: bool,
    problems: Vec<Problem>,
    /// Closed candles before the first decision.
    warmup_candles: Option<u32>,
}

pub(super) fn run(command: &Command, output: &mut impl Write) -> Result<Ending, CommandError> {
    match command {
        Command::Validate(options) => validate(options, output),
        Command::Explain(options) => {
            let template = load_template(&options.template)?;
            let mut text = format!("{}\n", template.name);
            if !template.description.is_empty() {
                text.push_str(&template.description);
                text.push('\n');
            }
            print(output, &format!("{text}\n{}", explain(&template)))
        }
        Command::Export(options) => export(options, output),
        Command::List => {
            let line = |found: &system_templates::SystemTemplate| {
                format!("{:<20}{} ({})\n", found.id, found.template.name, found.template.timeframe)
            };
            print(output, &system_templates::all().iter().map(line).collect::<String>())
        }
    }
}

fn print(output: &mut impl Write, text: &str) -> Result<Ending, CommandError> {
    output.write_all(text.as_bytes()).map_err(|source| file(Path::new("standard output"), source))?;
    Ok(Ending::Fine)
}

fn file(path: &Path, source: std::io::Error) -> CommandError {
    CommandError::File { path: path.to_path_buf(), source }
}

fn read(path: &Path) -> Result<String, CommandError> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|source| file(Path::new("standard input"), source))?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|source| file(path, source))
}

fn validate(options: &Validate, output: &mut impl Write) -> Result<Ending, CommandError> {
    let text = read(&options.file)?;
    let checked = serde_json::from_str::<Value>(&text).map_err(|error| vec![no_json(&error)]);
    let validation = match checked.and_then(|document| check_document(&document)) {
        Ok(template) => Validation {
            valid: true,
            problems: Vec::new(),
            warmup_candles: check_template(&template).ok().map(|checked| checked.warmup_candles()),
        },
        Err(problems) => Validation { valid: false, problems, warmup_candles: None },
    };
    let text = if options.json {
        let json = serde_json::to_string_pretty(&validation);
        json.map_err(|error| CommandError::Render(error.to_string()))? + "\n"
    } else {
        words(&validation)
    };
    print(output, &text)?;
    Ok(if validation.valid { Ending::Fine } else { Ending::Found })
}

/// The text is no JSON at all.
fn no_json(error: &serde_json::Error) -> Problem {
    Problem::new(
        format!("line {}, column {}", error.line(), error.column()),
        "JSON_INVALID",
        format!("The text is no JSON document: {error}."),
        "Look for a missing comma, quote or bracket there or just before.",
    )
}

fn words(validation: &Validation) -> String {
    if validation.valid {
        let candles = validation.warmup_candles.unwrap_or(0);
        return format!("The template is sound. It decides from candle {candles} of its history on.\n");
    }
    let heading = match validation.problems.len() {
        1 => String::from("1 problem:\n"),
        count => format!("{count} problems:\n"),
    };
    let problem = |problem: &Problem| {
        let place = if problem.path.is_empty() { "the document" } else { &problem.path };
        format!("\n{place}  [{}]\n  {}\n  {}\n", problem.code, problem.message, problem.remedy)
    };
    heading + &validation.problems.iter().map(problem).collect::<String>()
}

fn export(options: &Export, output: &mut impl Write) -> Result<Ending, CommandError> {
    let all = system_templates::all();
    let Some(found) = all.iter().find(|found| found.id == options.id) else {
        let known: Vec<&str> = all.iter().map(|found| found.id).collect();
        return Err(CommandError::NoTemplate { name: options.id.clone(), known: known.join(", ") });
    };
    let json = serde_json::to_string_pretty(&found.template);
    let text = json.map_err(|error| CommandError::Render(error.to_string()))? + "\n";
    match &options.out {
        Some(path) => {
            std::fs::write(path, text).map_err(|source| file(path, source))?;
            Ok(Ending::Fine)
        }
        None => print(output, &text),
    }
}
