//! The `keyhold` program: the server and its command line. See `cli`.

fn main() -> std::process::ExitCode {
    keyhold_server::cli::main()
}
