//! The command line: a file per command, one table.

mod audit;
mod completions;
mod config;
mod console;
mod doctor;
mod dub;
mod dub_settings;
mod events;
mod exit;
mod gateway;
mod gateway_table;
mod health;
mod migrate;
mod models;
mod narrate;
mod order;
mod serve;
mod settings;
mod sources;
mod storage;
mod transcribe;
mod translate;
mod user;
mod video;
mod voices;
mod worker;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use platform::telemetry::{Telemetry, Verbosity};

use crate::{cli::console::Console, wiring};

/// A self-hosted media press: turns words into narrated, captioned videos.
#[derive(Debug, Parser)]
#[command(name = "pressroom", version, propagate_version = true, after_help = exit::HELP)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
struct Global {
    /// Folder of everything Pressroom keeps [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print events a program can read, one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a video from a script, a web page, a project file, or a table of requests
    Video(Box<video::VideoArgs>),
    /// Read a script aloud into an audio file
    Narrate(Box<narrate::NarrateArgs>),
    /// Let a video speak other languages
    Dub(Box<dub::DubArgs>),
    /// Write down what is said in a video as subtitles
    Transcribe(transcribe::TranscribeArgs),
    /// Translate subtitles
    Translate(translate::TranslateArgs),
    /// Keep models of your own, which dubs then use
    Models(models::ModelsArgs),
    /// List the voices, or play a sample of one
    Voices(voices::VoicesArgs),
    /// Answer requests over HTTP
    Serve(serve::ServeArgs),
    /// Do jobs for servers on the same database
    Worker(worker::WorkerArgs),
    /// Share requests out among servers, and start, scale and replace them
    Gateway(gateway::GatewayArgs),
    /// Ask a server whether it is well
    Health(health::HealthArgs),
    /// Make accounts
    User(user::UserArgs),
    /// Bring the tables of the server's database up to date, or back
    Migrate(migrate::MigrateArgs),
    /// See what could not be handled of what happened, and have it tried again
    Events(events::EventsArgs),
    /// Try, move and rekey the store of files
    Storage(storage::StorageArgs),
    /// Check the audit log
    Audit(audit::AuditArgs),
    /// Check the settings
    Config(config::ConfigArgs),
    /// Check that everything Pressroom needs is here
    Doctor,
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
}

/// Parses the arguments and runs the command.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::new(&cli.global);
    match run(cli, &console) {
        Ok(code) => code,
        Err(error) => {
            console.error(&error);
            exit::code_of(&error)
        }
    }
}

fn run(cli: Cli, console: &Console) -> anyhow::Result<ExitCode> {
    if let Command::Completions(args) = &cli.command {
        return completions::run(args);
    }
    let settings = wiring::settings(cli.global.data.as_deref())?;
    let verbosity = if cli.global.quiet { Verbosity::Quiet } else { Verbosity::of_count(cli.global.verbose) };
    Telemetry::new(settings.log.format, verbosity).init()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        let cancel = cancel_on_signal();
        match cli.command {
            Command::Video(args) => video::run(*args, &cli.global, console, cancel).await,
            Command::Narrate(args) => narrate::run(*args, &cli.global, console, cancel).await,
            Command::Dub(args) => dub::run(*args, &cli.global, console, cancel).await,
            Command::Transcribe(args) => transcribe::run(args, &cli.global, console, cancel).await,
            Command::Translate(args) => translate::run(args, &cli.global, console, cancel).await,
            Command::Models(args) => models::run(args, &cli.global, console, cancel).await,
            Command::Voices(args) => voices::run(args, &cli.global, console, cancel).await,
            Command::Serve(args) => Box::pin(serve::run(args, &cli.global, console, cancel)).await,
            Command::Worker(args) => worker::run(args, &cli.global, console, cancel).await,
            Command::Gateway(args) => Box::pin(gateway::run(args, &cli.global, console, cancel)).await,
            Command::Health(args) => health::run(args, &cli.global, console).await,
            Command::User(args) => user::run(args, &cli.global, console).await,
            Command::Migrate(args) => migrate::run(args, &cli.global, console).await,
            Command::Storage(args) => storage::run(args, &cli.global, console, cancel).await,
            Command::Config(args) => config::run(&args, &cli.global, console),
            Command::Events(args) => events::run(args, &cli.global, console).await,
            Command::Audit(args) => audit::run(args, &cli.global, console).await,
            Command::Doctor => doctor::run(&cli.global, console).await,
            Command::Completions(args) => completions::run(&args),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    code
}

/// A token that the first Ctrl-C or SIGTERM cancels; a second one ends the program at once, and the kernel ends its
/// children with it.
fn cancel_on_signal() -> CancellationToken {
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        token.cancel();
        wait_for_signal().await;
        std::process::exit(i32::from(exit::CANCELLED));
    });
    cancel
}

async fn wait_for_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
