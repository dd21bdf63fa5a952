//! `pressroom events`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use kernel::{Clock as _, SystemClock};
use platform::{db::migrate, events::DeadLetter};
use serde_json::json;

use crate::{
    cli::{
        Global,
        console::{Console, print_json},
    },
    server, wiring,
};

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what could not be handled, the newest first
    DeadLetters {
        /// The most to list
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Have what a handler could not handle brought to it once more
    Requeue {
        /// The handler that `dead-letters` names
        handler: String,
    },
}

pub(crate) async fn run(args: EventsArgs, global: &Global, console: &Console) -> anyhow::Result<ExitCode> {
    let settings = wiring::settings(global.data.as_deref())?;
    let db = server::open_database(&settings).await?;
    migrate::up(&db, &server::migrations()).await?;
    match args.action {
        Action::DeadLetters { limit } => list(&DeadLetter::list(&db, limit).await?, console)?,
        Action::Requeue { handler } => {
            let count = DeadLetter::requeue(&db, &handler, SystemClock.now_ms()).await?;
            if console.is_json() {
                print_json(&json!({ "event": "requeued", "handler": handler, "count": count }))?;
            }
            console.say(&format!("{count} events are brought to `{handler}` once more"));
        }
    }
    db.close().await?;
    Ok(ExitCode::SUCCESS)
}

fn list(letters: &[DeadLetter], console: &Console) -> anyhow::Result<()> {
    for letter in letters {
        if console.is_json() {
            print_json(&json!({
                "event": "dead_letter", "handler": letter.handler, "id": letter.event_id, "type": letter.event_type,
                "reason": letter.reason, "failed_at_ms": letter.failed_at_ms,
            }))?;
        }
        console.say(&format!("{}  {} {}: {}", letter.handler, letter.event_type, letter.event_id, letter.reason));
    }
    if letters.is_empty() {
        console.say("every event was handled, or still will be");
    }
    Ok(())
}
