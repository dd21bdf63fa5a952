//! The repository tests itself (`cargo xtask tidy`) and measures itself (`cargo xtask bench`).

mod bench;
mod http;
mod process;
mod team;
mod tidy;

use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Check what the compiler does not: arrows between crates, layout, links, licences.
    Tidy,
    /// Measure Pressroom against the bare encode, and write docs/benchmarks.md.
    Bench(bench::BenchOptions),
    /// Measure dubs, and write docs/benchmarks-dubbing.md.
    BenchDub(bench::BenchDubOptions),
    /// Measure the server and its queue, and write docs/benchmarks-server.md.
    BenchServer(bench::BenchServerOptions),
    /// Start a team on this machine, let it make a video and a dub, and stop it.
    DemoTeam,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.task {
        Task::Tidy => tidy::run(root()),
        Task::Bench(options) => bench::run(root(), &options),
        Task::BenchDub(options) => bench::run_dub(root(), &options),
        Task::BenchServer(options) => bench::run_server(root(), &options),
        Task::DemoTeam => team::run_demo(root()),
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    // Nothing is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "xtask: {error:#}");
    ExitCode::FAILURE
}

/// The folder of the repository, the one above this crate.
fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}
