//! `pressroom voices`.

use std::process::ExitCode;

use ai::tts::{Gender, Voice};
use clap::Args;
use kernel::Lang;

use crate::{
    cli::{
        Global,
        console::{Console, print, print_json},
    },
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct VoicesArgs {
    /// Only voices of this language, such as `es` or `pt-br`
    #[arg(long)]
    lang: Option<Lang>,
}

pub(crate) async fn run(args: VoicesArgs, global: &Global, console: &Console) -> anyhow::Result<ExitCode> {
    let settings = wiring::settings(global.data.as_deref())?;
    let voices = videos::voices(&wiring::speech_engines(&settings), args.lang.as_ref()).await?;
    if console.is_json() {
        for voice in &voices {
            print_json(voice)?;
        }
    } else {
        print(&table(&voices))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(voices: &[Voice]) -> String {
    let width =
        |text: fn(&Voice) -> &str| voices.iter().map(|voice| text(voice).chars().count()).max().unwrap_or(0).max(5);
    let (id, lang) = (width(|voice| &voice.id), width(|voice| voice.lang.as_str()));
    let mut table = format!("{:<id$}  {:<lang$}  {:<6}  {:<8}  NAME\n", "VOICE", "LANG", "GENDER", "ENGINE");
    for voice in voices {
        let gender = match voice.gender {
            Some(Gender::Female) => "female",
            Some(Gender::Male) => "male",
            None => "",
        };
        let line =
            format!("{:<id$}  {:<lang$}  {gender:<6}  {:<8}  {}\n", voice.id, voice.lang, voice.provider, voice.name);
        table.push_str(&line);
    }
    table
}
