//! `pressroom voices`.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use ai::tts::{Gender, Speech, SpeechRequest, Tts, Voice};
use anyhow::Context;
use clap::Args;
use kernel::Lang;
use media::audio::{self, AudioTags};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        Global,
        console::{Console, print, print_json},
    },
    settings::Settings,
    wiring,
};

/// What a voice says of itself, by language.
const GREETINGS: [(&str, &str); 14] = [
    ("ar", "مرحبا، هكذا أتكلم، بهدوء ووضوح."),
    ("ca", "Hola, així és com parlo, amb calma i claredat."),
    ("de", "Hallo, so klinge ich, wenn ich ruhig und deutlich spreche."),
    ("en", "Hello, this is how I sound when I speak calmly and clearly."),
    ("es", "Hola, así es como hablo, con calma y claridad."),
    ("fr", "Bonjour, voici comment je parle, avec calme et clarté."),
    ("hi", "नमस्ते, मैं शांति से और साफ़ इस तरह बोलती हूँ।"),
    ("it", "Ciao, ecco come parlo, con calma e chiarezza."),
    ("ja", "こんにちは、わたしは このように はなします。"),
    ("nl", "Hallo, zo klink ik als ik rustig en duidelijk spreek."),
    ("pl", "Cześć, tak właśnie mówię, spokojnie i wyraźnie."),
    ("pt", "Olá, é assim que eu falo, com calma e clareza."),
    ("ru", "Здравствуйте, вот как я говорю, спокойно и ясно."),
    ("cmn", "你好，我说话就是这样，平静而清楚。"),
];
/// Numbers are read in every language.
const COUNTING: &str = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10.";

#[derive(Debug, Args)]
pub(crate) struct VoicesArgs {
    /// Only voices of this language, such as `es` or `pt-br`
    #[arg(long)]
    lang: Option<Lang>,
    /// Play a sample of this voice
    #[arg(long, value_name = "VOICE", conflicts_with = "lang")]
    play: Option<String>,
    /// What the sample says [default: a greeting in the voice's language]
    #[arg(long, value_name = "TEXT", requires = "play")]
    say: Option<String>,
    /// Write the sample to this file rather than play it
    #[arg(short, long, value_name = "FILE", requires = "play")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(
    args: VoicesArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let settings = wiring::settings(global.data.as_deref())?;
    let engines = wiring::speech_engines(&settings);
    if let Some(voice) = &args.play {
        return sample(voice, &args, &engines, &settings, cancel).await;
    }
    let voices = videos::voices(&engines, args.lang.as_ref()).await?;
    if console.is_json() {
        for voice in &voices {
            print_json(voice)?;
        }
    } else {
        print(&table(&voices))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Plays a sample of a voice, or writes it to a file.
async fn sample(
    id: &str,
    args: &VoicesArgs,
    engines: &[Arc<dyn Tts>],
    settings: &Settings,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    if let Some(output) = &args.output {
        audio::check_format(output)?;
    }
    let ffmpeg = wiring::ffmpeg(settings).await?.cancelled_by(cancel);
    let (engine, voice) = videos::find_voice(engines, id).await?;
    let text = args.say.clone().unwrap_or_else(|| greeting(&voice.lang).to_owned());
    let Speech { sample_rate, samples, .. } =
        engine.speak(&SpeechRequest { text, voice: voice.id, rate: 1.0, pitch: 1.0 }).await?;
    let folder = tempfile::tempdir().context("no folder for the sample")?;
    let wav = folder.path().join("sample.wav");
    audio::wav::write_mono_s16(&wav, sample_rate, &samples)?;
    match &args.output {
        Some(output) => audio::encode_audio(&ffmpeg, &wav, output, &AudioTags::default()).await?,
        None => audio::play(&ffmpeg, &wav).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn greeting(lang: &Lang) -> &'static str {
    GREETINGS.iter().find(|(known, _)| *known == lang.primary()).map_or(COUNTING, |(_, text)| text)
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
