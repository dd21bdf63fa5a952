//! `pressroom config`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use platform::config::Sources;

use crate::{
    cli::{
        Global,
        console::{Console, print_json},
    },
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check the settings; every fault is named, with where it stands
    Check,
}

pub(crate) fn run(args: &ConfigArgs, global: &Global, console: &Console) -> anyhow::Result<ExitCode> {
    let Action::Check = args.action;
    let settings = wiring::settings(global.data.as_deref())?;
    let file = Sources::of_process().file.filter(|file| file.exists());
    if console.is_json() {
        print_json(&serde_json::json!({ "event": "checked", "file": file, "data": settings.data }))?;
    }
    let from = file.map_or_else(|| "no settings file".to_owned(), |file| format!("`{}`", file.display()));
    console.say(&format!("the settings are fine ({from}, data in `{}`)", settings.data.display()));
    Ok(ExitCode::SUCCESS)
}
