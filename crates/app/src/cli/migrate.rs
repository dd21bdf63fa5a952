//! `pressroom migrate`.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use platform::db::{
    migrate::{self, MigrationStatus},
    presence,
};

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
    /// Bring the tables up to date; steps that take away wait for older versions that run
    Up {
        /// Fail where such a step has to wait, and find out first which programs died
        #[arg(long)]
        contract: bool,
    },
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
    match args.action.unwrap_or(Action::Up { contract: false }) {
        Action::Up { contract } => {
            let work =
                if contract { presence::contract(&db, &contexts).await } else { migrate::up(&db, &contexts).await };
            console.say(&format!("{} steps done", work?));
            for step in migrate::status(&db, &contexts).await? {
                if let Some(instance) = step.waits_for {
                    console.say(&format!("`{}` of `{}` waits until {instance} has ended", step.name, step.context));
                }
            }
        }
        Action::Down { context, steps } => {
            let known = contexts.iter().find(|known| known.context == context);
            let known = known.ok_or_else(|| anyhow!("`{context}` has no tables; see `pressroom migrate status`"))?;
            console.say(&format!("{} steps undone", migrate::down(&db, *known, steps).await?));
        }
        Action::Status => {
            for step in migrate::status(&db, &contexts).await? {
                show(&step, console)?;
            }
        }
    }
    db.close().await?;
    Ok(ExitCode::SUCCESS)
}

fn show(step: &MigrationStatus, console: &Console) -> anyhow::Result<()> {
    let state = match (step.applied_at_ms, step.is_known, &step.waits_for) {
        (Some(_), true, _) => "done",
        (Some(_), false, _) => "newer",
        (None, _, Some(_)) => "waits",
        (None, _, None) => "to do",
    };
    if console.is_json() {
        return print_json(&serde_json::json!({
            "context": step.context,
            "name": step.name,
            "state": state,
            "contracts_since": step.phase.since().map(|since| since.to_string()),
            "applied_at_ms": step.applied_at_ms,
            "waits_for": step.waits_for.as_ref().map(ToString::to_string),
        }));
    }
    let contract = step.phase.since().map(|since| format!(" (takes away what versions before {since} use)"));
    let waits = step.waits_for.as_ref().map(|instance| format!(" (for {instance})"));
    let (contract, waits) = (contract.unwrap_or_default(), waits.unwrap_or_default());
    Ok(print(&format!("{state:<8} {:<14} {}{contract}{waits}\n", step.context, step.name))?)
}
