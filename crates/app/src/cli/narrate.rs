//! `pressroom narrate`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueHint};
use tokio_util::sync::CancellationToken;
use videos::source;

use crate::{
    cli::{
        Global,
        console::Console,
        order::{self, Target},
        settings::SettingFlags,
    },
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct NarrateArgs {
    /// A script (.md, .txt), a project file (.toml), a web page (https://…), or `-` for a script on standard input
    #[arg(value_name = "SCRIPT", value_hint = ValueHint::AnyPath)]
    script: String,
    /// Where to write the sound; .m4a, .mp3, .opus, .ogg, .flac or .wav [default: .m4a beside the script]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    output: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(crate) async fn run(
    args: NarrateArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let loaded = source::open(&args.script)?;
    let output = order::output_path(args.output.as_deref(), &args.script, Target::Sound);
    let request = args.settings.patch.over(loaded.patch).resolve(loaded.source)?;
    let settings = wiring::settings(global.data.as_deref())?;
    let videos = wiring::videos(&settings, cancel).await?;
    let mut display = None;
    let finished = videos.narrate(&request, &output, |events| display = Some(console.follow(events))).await;
    if let Some(display) = display {
        display.await?;
    }
    order::report(&finished?, console)?;
    Ok(ExitCode::SUCCESS)
}
