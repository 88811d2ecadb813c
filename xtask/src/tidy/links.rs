//! What a built program may not contain, however indirectly, read from what cargo really links.
//!
//! `cargo tree -e normal` is asked, not the resolve graph of `cargo metadata`: the latter lists optional packages
//! that nothing builds.

use std::process::Command;

use crate::{TaskError, paths};

const SQL: &[&str] = &["sqlx", "sqlx-core", "sqlx-sqlite", "sqlx-postgres", "libsqlite3-sys"];
const HTTP_SERVER: &[&str] = &["axum"];
const HTTP_CLIENT: &[&str] = &["hyper", "reqwest", "tokio-tungstenite"];
const IMPURE: &[&str] = &["tokio", "getrandom", "rand", "rand_core", "hyper", "mio", "socket2"];

/// `(package, packages that it must not link)`.
pub const WALLS: &[(&str, &[&[&str]])] = &[
    ("keyhold-server", &[&["keyhold-unseal"]]),
    ("keyhold-store", &[&["keyhold-unseal"]]),
    ("keyhold-provision", &[&["keyhold-unseal"]]),
    ("keyhold-bot", &[&["keyhold-store", "keyhold-provision", "keyhold-server"], SQL, HTTP_SERVER]),
    (
        "keyhold-keeper",
        &[&["keyhold-store", "keyhold-venues", "keyhold-server"], SQL, HTTP_CLIENT, HTTP_SERVER],
    ),
    ("keyhold-domain", &[IMPURE]),
    ("keyhold-engine", &[IMPURE]),
    ("keyhold-simulator", &[IMPURE]),
];

/// Packages that nothing in the workspace may link.
pub const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "ring"];

/// `(package, the only package that may bring it)`: unwanted in our own code, unavoidable behind that one.
pub const ONLY_BEHIND: &[(&str, &str)] = &[("chrono", "parquet")];

/// `(package, most packages of others that it may link)`, macros that only run at build time not counted. A ratchet: lower it
/// when something goes. The aim for the keeper is 60. What would have to go are the time zones and decimals that `domain`
/// brings (5), the command line (5) and the front of the log (3); none of them sees a key.
pub const BUDGETS: &[(&str, usize)] = &[("keyhold-keeper", 71)];

/// One sentence per breach; empty when all walls stand.
pub fn violations() -> Result<Vec<String>, TaskError> {
    let mut found = Vec::new();
    for (package, forbidden) in WALLS {
        let linked = linked_packages(package)?;
        for name in forbidden.iter().copied().flatten().chain(BANNED) {
            if linked.iter().any(|one| one == name) {
                found.push(format!("{package} links {name}"));
            }
        }
        for (unwanted, bringer) in ONLY_BEHIND {
            let links = |name: &str| linked.iter().any(|one| one == name);
            if links(unwanted) && !links(bringer) {
                found.push(format!("{package} links {unwanted} without {bringer}"));
            }
        }
    }
    for (package, most) in BUDGETS {
        let linked = packages(package, "normal,no-proc-macro")?;
        let others = linked.iter().filter(|name| !name.starts_with("keyhold-")).count();
        if others > *most {
            found.push(format!("{package} links {others} packages of others; {most} is its budget"));
        }
    }
    Ok(found)
}

/// The names of all packages in the program, itself included.
pub fn linked_packages(package: &str) -> Result<Vec<String>, TaskError> {
    packages(package, "normal")
}

/// The same over some kinds of edges.
fn packages(package: &str, edges: &str) -> Result<Vec<String>, TaskError> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(&cargo)
        .args(["tree", "--locked", "-e", edges, "--prefix", "none", "--format", "{p}", "-p", package])
        .current_dir(paths::root())
        .output()
        .map_err(|source| TaskError::Start { program: cargo, source })?;
    if !output.status.success() {
        return Err(TaskError::Failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut names: Vec<String> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}
