//! The binary `pressroom`.

mod cli;
mod gateway;
mod server;
mod settings;
mod wiring;

use std::process::ExitCode;

/// Small requests spend a quarter of their time in the allocator of the C library, which also keeps what a thousand clients
/// needed once.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::main()
}
