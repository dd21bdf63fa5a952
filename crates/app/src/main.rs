//! The binary `pressroom`.

mod cli;
mod server;
mod settings;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
