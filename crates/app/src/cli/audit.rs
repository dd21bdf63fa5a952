//! `pressroom audit`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use identity::{BreakReason, Verification};

use crate::{
    cli::{Global, console::Console, exit},
    server, wiring,
};

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check that nothing in the audit log was changed, taken out or put in
    Verify,
}

pub(crate) async fn run(args: AuditArgs, global: &Global, console: &Console) -> anyhow::Result<ExitCode> {
    let Action::Verify = args.action;
    let settings = wiring::settings(global.data.as_deref())?;
    let db = server::open_database(&settings).await?;
    let basics = server::Basics::new(&db);
    let shared = server::Shared::new(&settings, &basics, None)?;
    let verification = server::identity(&settings, &basics, &shared)?.service.verify_audit().await?;
    db.close().await?;
    match verification {
        Verification::Whole { entries } => {
            console.say(&format!("all {entries} entries are what they were"));
            Ok(ExitCode::SUCCESS)
        }
        Verification::Broken { number, reason } => {
            let what = match reason {
                BreakReason::Changed => "is not what was written",
                BreakReason::Gap => "does not follow the one before",
                BreakReason::CutOff => "is the last there is, and should not be",
                BreakReason::UnknownKey => "was written under another secret key",
            };
            console.warn(&format!("entry {number} {what}"));
            Ok(ExitCode::from(exit::CHECK_FAILED))
        }
    }
}
