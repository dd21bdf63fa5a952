//! `pressroom translate`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueHint};
use dubbing::TranslateRequest;
use kernel::Lang;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        Global,
        console::{Console, print_json},
        dub_settings::WordFlags,
    },
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct TranslateArgs {
    /// Subtitles, as SubRip or WebVTT
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    transcript: PathBuf,
    /// The language to translate into
    #[arg(long, value_name = "LANG")]
    to: Lang,
    /// The language of the subtitles [default: told from their name or text]
    #[arg(long, value_name = "LANG")]
    from: Option<Lang>,
    /// Where to write the translation [default: talk.es.srt beside talk.en.srt]
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    #[command(flatten)]
    words: WordFlags,
}

pub(crate) async fn run(
    args: TranslateArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let request = TranslateRequest {
        transcript: args.transcript,
        from: args.from,
        to: args.to,
        settings: args.words.settings()?,
        output: args.output,
    };
    let settings = wiring::settings(global.data.as_deref())?;
    let dubbing = wiring::dubbing(&settings, cancel).await?;
    let mut display = None;
    let written = dubbing.translate(&request, |events| display = Some(console.follow(events))).await;
    if let Some(display) = display {
        display.await?;
    }
    let written = written?;
    if console.is_json() {
        print_json(&serde_json::json!({ "event": "written", "files": { "outputs": [written] } }))?;
    } else {
        console.say(&written.display().to_string());
    }
    Ok(ExitCode::SUCCESS)
}
