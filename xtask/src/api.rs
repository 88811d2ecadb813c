//! `./x api`: writes anew what is made from the handlers of the API, which is the kept description
//! (`crates/server/openapi.json`) and from it the dashboard's types (`web/src/lib/api/schema.d.ts`).
//!
//! `./x test` changes neither and fails when one is not current: the first in the server's tests, the second in a
//! stage of its own.

use std::process::{Command, Stdio};

use crate::paths::Profile;
use crate::stages::{self, NPM_CI, Services, Stage, stage};
use crate::{TaskError, paths};

/// Where the description is kept, below the root.
pub const DESCRIPTION: &str = "crates/server/openapi.json";

const BUILD: Stage =
    stage("server", "", &["cargo", "build", "--package", "keyhold-server", "--bin", "keyhold", "--locked"]);
const TYPES: Stage = stage("web api types", "web", &["npm", "run", "--silent", "api"]);

/// Builds the server, keeps what it says of its API, and makes the dashboard's types from that.
pub fn run() -> Result<(), TaskError> {
    stages::run(&[BUILD], Services::None)?;
    let program = paths::program(Profile::Development, "keyhold");
    let said = Command::new(&program)
        .arg("openapi")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| TaskError::Start { program: program.display().to_string(), source })?;
    if !said.status.success() {
        return Err(TaskError::Failed(format!("{} openapi", program.display())));
    }
    let kept = paths::root().join(DESCRIPTION);
    std::fs::write(&kept, said.stdout).map_err(|error| TaskError::file(&kept, error))?;
    stages::run(&[NPM_CI, TYPES], Services::None)
}
