//! `./x docs`: writes anew the pages of `docs/reference` that are made from the engine's catalog.
//!
//! The pages are made by a test of the engine, which compares them in every ordinary run; here it is asked to write.

use std::process::{Command, Stdio};

use crate::{TaskError, paths};

/// Writes the pages.
pub fn run() -> Result<(), TaskError> {
    let arguments = [
        "test",
        "--package",
        "keyhold-engine",
        "--test",
        "it",
        "--locked",
        "the_reference_pages_say_what_the_program_does",
    ];
    let status = Command::new("cargo")
        .args(arguments)
        .env("KEYHOLD_WRITE_DOCS", "1")
        .current_dir(paths::root())
        .stdin(Stdio::null())
        .status()
        .map_err(|source| TaskError::Start { program: String::from("cargo"), source })?;
    if !status.success() {
        return Err(TaskError::Failed(String::from("the reference pages")));
    }
    println!("docs/reference is written");
    Ok(())
}
