//! `pressroom migrate`.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use platform::db::migrate;

use crate::{
    cli::{
        Global,
        console::{Console, print, print_json},
    },
    server, wiring,
};

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Bring the tables up to date
    Up,
    /// Undo the newest steps of a context
    Down {
        /// Whose tables, as `pressroom migrate status` shows it
        #[arg(value_name = "CONTEXT")]
        context: String,
        /// How many steps
        #[arg(long, value_name = "N", default_value_t = 1)]
        steps: usize,
    },
    /// List the steps, done or not
    Status,
}

pub(crate) async fn run(args: MigrateArgs, global: &Global, console: &Console) -> anyhow::Result<ExitCode> {
    let settings = wiring::settings(global.data.as_deref())?;
    let db = server::open_database(&settings).await?;
    let contexts = server::migrations();
    match args.action.unwrap_or(Action::Up) {
        Action::Up => console.say(&format!("{} steps done", migrate::up(&db, &contexts).await?)),
        Action::Down { context, steps } => {
            let known = contexts.iter().find(|known| known.context == context);
            let known = known.ok_or_else(|| anyhow!("`{context}` has no tables; see `pressroom migrate status`"))?;
            console.say(&format!("{} steps undone", migrate::down(&db, *known, steps).await?));
        }
        Action::Status => {
            for step in migrate::status(&db, &contexts).await? {
                let state = if step.applied_at_ms.is_some() { "done" } else { "to do" };
                if console.is_json() {
                    let row = serde_json::json!({ "context": step.context, "name": step.name, "applied_at_ms": step.applied_at_ms });
                    print_json(&row)?;
                } else {
                    print(&format!("{:<8} {:<14} {}\n", state, step.context, step.name))?;
                }
            }
        }
    }
    db.close().await?;
    Ok(ExitCode::SUCCESS)
}
