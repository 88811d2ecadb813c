//! `./x dist`: the programs as they are distributed.
//!
//! They are built as one unit each, and for the work they do: an instrumented build plays the product's templates and the
//! reference strategies first, and the compiler arranges the final programs by what it counted there. Backtests become
//! about a quarter faster by that; results do not change. What was counted is merged by `llvm-profdata` of the compiler's own component `llvm-tools`; where
//! that cannot be had, the programs are built without and it is said.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{TaskError, demo, paths};

/// What plays the strategies, in training as in measurements.
pub(crate) const SPEED: &[&str] = &["--package", "keyhold-simulator", "--example", "speed"];
/// Candles of each strategy: thousands of trades of each, some seconds in all.
const TRAINING_CANDLES: &str = "100000";
/// Strategies besides those that the example lists.
const REFERENCES: [&str; 3] = ["reference-next-candle", "reference-at-level", "reference-at-close"];

/// How the programs were arranged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arranged {
    /// By counts in this file.
    ByUse(PathBuf),
    /// By the compiler's guesses, and why.
    ByGuess(String),
}

impl Arranged {
    /// Half a line for people.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::ByUse(_) => "arranged by use".to_owned(),
            Self::ByGuess(why) => format!("NOT arranged by use ({why})"),
        }
    }
}

/// Builds the three programs and says where they are.
pub fn run() -> Result<(), TaskError> {
    demo::build_dashboard()?;
    let arranged = train()?;
    build(&["--workspace", "--bins"], &arranged)?;
    println!("\nThe programs, {}:", arranged.words());
    for name in ["keyhold", "keyhold-bot", "keyhold-keeper"] {
        println!("    {}", folder()?.join(name).display());
    }
    Ok(())
}

/// Where distributed programs are; examples are in `examples` below it.
pub(crate) fn folder() -> Result<PathBuf, TaskError> {
    Ok(paths::target().join(host()?).join("dist"))
}

/// Plays the strategies in an instrumented build.
pub(crate) fn train() -> Result<Arranged, TaskError> {
    let merger = match merger()? {
        Ok(merger) => merger,
        Err(why) => {
            println!("The programs are not arranged by use: {why}");
            return Ok(Arranged::ByGuess(why));
        }
    };
    println!("Training: an instrumented build plays every template (some minutes the first time) ...");
    let home = paths::target().join("training");
    let (raw, built) = (home.join("raw"), home.join("build"));
    cargo(SPEED, &format!("-Cprofile-generate={}", raw.display()), &built)?;
    let speed = built.join(host()?).join("dist").join("examples").join("speed");
    // Cargo builds anew when a flag changes, not when a file does that it names: another program, another name.
    let program = std::fs::read(&speed).map_err(|error| TaskError::file(&speed, error))?;
    let mut digest = DefaultHasher::new();
    program.hash(&mut digest);
    let counts = home.join(format!("counts-{:016x}.profdata", digest.finish()));
    if counts.exists() {
        return Ok(Arranged::ByUse(counts));
    }
    if raw.exists() {
        std::fs::remove_dir_all(&raw).map_err(|error| TaskError::file(&raw, error))?;
    }
    std::fs::create_dir_all(&raw).map_err(|error| TaskError::file(&raw, error))?;
    let listed = said(Command::new(&speed).arg("--list").env("LLVM_PROFILE_FILE", "/dev/null"))?;
    for strategy in listed.lines().chain(REFERENCES) {
        said(Command::new(&speed).args([TRAINING_CANDLES, strategy, "--passes", "1"]))?;
    }
    let merged = home.join("merged.profdata");
    said(Command::new(merger).args(["merge", "--output"]).arg(&merged).arg(&raw))?;
    std::fs::rename(&merged, &counts).map_err(|error| TaskError::file(&counts, error))?;
    Ok(Arranged::ByUse(counts))
}

/// Builds as distributed, arranged by what the training counted.
pub(crate) fn build(what: &[&str], arranged: &Arranged) -> Result<(), TaskError> {
    let flag = match arranged {
        Arranged::ByUse(counts) => format!("-Cprofile-use={}", counts.display()),
        Arranged::ByGuess(_) => String::new(),
    };
    cargo(what, &flag, &paths::target())
}

/// A named target keeps the flags away from build scripts and macros, which run here and now.
fn cargo(what: &[&str], flag: &str, target: &Path) -> Result<(), TaskError> {
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    flags.push(' ');
    flags.push_str(flag);
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let mut command = Command::new("cargo");
    command
        .args(["build", "--locked", "--profile", "dist", "--target", &host()?])
        .args(what)
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CARGO_TARGET_DIR", target);
    let status = command.current_dir(paths::root()).stdin(Stdio::null()).status();
    let status = status.map_err(|source| TaskError::Start { program: "cargo".to_owned(), source })?;
    if status.success() { Ok(()) } else { Err(TaskError::Failed(format!("cargo build {}", what.join(" ")))) }
}

/// The compiler's own tool; why there is none.
fn merger() -> Result<Result<PathBuf, String>, TaskError> {
    let sysroot = said(Command::new("rustc").args(["--print", "sysroot"]))?;
    let tool = Path::new(sysroot.trim()).join("lib/rustlib").join(host()?).join("bin/llvm-profdata");
    if tool.exists() {
        return Ok(Ok(tool));
    }
    println!("Installing the compiler's llvm-tools (rustup component add llvm-tools) ...");
    let added = said(Command::new("rustup").args(["component", "add", "llvm-tools"]));
    Ok(match added {
        Ok(_) if tool.exists() => Ok(tool),
        Ok(_) => Err(format!("{} is not there", tool.display())),
        Err(error) => Err(error.to_string()),
    })
}

/// The machine's own target, for example `x86_64-unknown-linux-gnu`.
fn host() -> Result<String, TaskError> {
    let version = said(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| TaskError::Failed("rustc does not name its host".to_owned()))
}

/// What a program prints; what it says on standard error is shown when it fails.
pub(crate) fn said(command: &mut Command) -> Result<String, TaskError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.current_dir(paths::root()).stdin(Stdio::null()).output();
    let output = output.map_err(|source| TaskError::Start { program: program.clone(), source })?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(TaskError::Failed(format!("{program} ended with {}:\n{complaint}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
