//! The binary `pressroom`.

mod cli;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
