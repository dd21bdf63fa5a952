//! The binary `pressroom`.

mod cli;
mod server;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
