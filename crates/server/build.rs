//! Makes cargo build the server again when the dashboard changed, in the profiles that embed it.
//!
//! Debug builds read `web/dist` from the disk when they are asked for a file, so nothing is to be noticed there.
//! What is served and how: `src/http/assets.rs`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("PROFILE").is_some_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed=../../web/dist");
    }
}
