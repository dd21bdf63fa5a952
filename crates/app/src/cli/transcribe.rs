//! `pressroom transcribe`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueHint};
use dubbing::{
    document::Settings,
    request::{DubRequest, Output},
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        Global,
        console::{Console, print_json},
        dub::Listening,
        sources,
    },
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct TranscribeArgs {
    /// A video or a sound, anything FFmpeg reads, or its web address (https://…)
    #[arg(value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    source: String,
    #[command(flatten)]
    listening: Listening,
    /// Folder of the result [default: beside the source]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    output: Option<PathBuf>,
}

pub(crate) async fn run(
    args: TranscribeArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let settings = wiring::settings(global.data.as_deref())?;
    let dubbing = wiring::dubbing(&settings, cancel).await?;
    let source = sources::local(&args.source, &settings, console, &dubbing.cancellation).await?;
    let request = DubRequest {
        source: source.path,
        targets: Vec::new(),
        track: args.listening.track(),
        lang: args.listening.from,
        transcript: None,
        settings: Settings { separate: args.listening.separate, ..Settings::default() },
        output: Output { folder: args.output.or(source.results), ..Output::default() },
    };
    let mut display = None;
    let finished = dubbing.transcribe(&request, |events| display = Some(console.follow(events))).await;
    if let Some(display) = display {
        display.await?;
    }
    let finished = finished?;
    if console.is_json() {
        print_json(&serde_json::json!({ "event": "written", "files": finished }))?;
    } else {
        finished.outputs.iter().for_each(|path| console.say(&path.display().to_string()));
    }
    Ok(ExitCode::SUCCESS)
}
