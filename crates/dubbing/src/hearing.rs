//! From a source to a document of what is said in it: the first half of a dub, shared by all its languages.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use ai::stt::{Stt, Transcript};
use kernel::{ErrorKind, Lang};
use media::{
    captions,
    source::{self, AudioTrack},
    speech::TimeSpan,
};
use pipeline::{FanOut, FileRef, Run, SourceRef};

use crate::{
    DubbingError,
    document::{Dub, Schema, Settings, Source, Utterance, Word},
    language::{self, Signs},
    request::Track,
    service::Booth,
    speakers,
    stages::{
        extract::{Extract, ExtractInput, Extracted},
        listen::{Listen, ListenInput},
        probe::{Probe, ProbeInput},
        speech::{FindSpeech, FindSpeechInput, FoundSpeech},
    },
    transcript,
};

/// A source that is open: looked at, and one of its sounds chosen.
#[derive(Debug, Clone)]
pub(crate) struct OpenSource {
    pub file: SourceRef,
    pub source: source::Source,
    /// Which of its sounds, counted from 0.
    pub track: usize,
}

impl OpenSource {
    fn audio(&self) -> &AudioTrack {
        &self.source.audio[self.track]
    }

    pub(crate) fn duration_ms(&self) -> u64 {
        self.source.duration_us / 1000
    }
}

/// Looks at a source, unless it was seen already, and chooses the sound to dub.
pub(crate) async fn open(
    booth: &Booth,
    (path, seen): (&Path, Option<source::Source>),
    (track, lang): (&Track, Option<&Lang>),
    run: &Run,
) -> Result<OpenSource, DubbingError> {
    let file = run.import(path).await?;
    let input = ProbeInput { source: file.clone(), ffmpeg: booth.ffmpeg.fingerprint().to_owned() };
    let source = run.make(&Probe { ffmpeg: booth.ffmpeg.clone(), seen }, &input).await?.output;
    let track = choose_track(&source, path, track, lang)?;
    Ok(OpenSource { file, source, track })
}

fn choose_track(
    source: &source::Source,
    path: &Path,
    track: &Track,
    lang: Option<&Lang>,
) -> Result<usize, DubbingError> {
    match *track {
        Track::Number(number) => number.checked_sub(1).filter(|index| *index < source.audio.len()).ok_or_else(|| {
            let count = source.audio.len();
            let reason = format!("has {count} sounds, and none with the number {number}; choose from 1 to {count}");
            DubbingError::BadFile { path: path.to_owned(), reason }
        }),
        Track::Usual => {
            let tagged = |audio: &AudioTrack| {
                let tag = audio.language.as_deref().and_then(language::of_tag);
                lang.is_some() && tag.as_ref().map(Lang::primary) == lang.map(Lang::primary)
            };
            let of_lang = source.audio.iter().position(tagged);
            let usual = || source.audio.iter().position(|audio| audio.is_default);
            Ok(of_lang.or_else(usual).unwrap_or(0))
        }
    }
}

/// Takes the chosen sound out of the source.
pub(crate) async fn extract(booth: &Booth, open: &OpenSource, run: &Run) -> Result<Extracted, DubbingError> {
    let stage = Extract { ffmpeg: booth.ffmpeg.clone(), source: open.source.clone(), track: open.audio().clone() };
    let input = ExtractInput {
        source: open.file.clone(),
        stream: open.audio().stream,
        samples: open.source.duration_samples(),
        ffmpeg: booth.ffmpeg.fingerprint().to_owned(),
    };
    Ok(run.make(&stage, &input).await?.output)
}

/// The utterances of a transcript, before anything is made of the source.
pub(crate) fn read_transcript(path: &Path, duration_ms: u64) -> Result<Vec<Utterance>, DubbingError> {
    let read = captions::read_transcript(path)?;
    transcript::utterances(&read, duration_ms)
        .map_err(|source| DubbingError::Transcript { path: path.to_owned(), source })
}

/// What is known of a source before it is listened to.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub open: &'a OpenSource,
    pub lang: Option<&'a Lang>,
    pub transcript: Option<&'a Path>,
    /// The utterances of the transcript.
    pub utterances: Vec<Utterance>,
}

impl Known<'_> {
    /// Whether the transcript says who speaks.
    pub(crate) fn names_speakers(&self) -> bool {
        self.utterances.iter().any(|utterance| utterance.speaker.is_some())
    }

    /// The language of the source, as far as it can be told without listening.
    pub(crate) fn lang(&self, heard: &[Lang]) -> Option<Lang> {
        language::find(Signs {
            said: self.lang,
            tag: self.open.audio().language.as_deref(),
            transcript: self.transcript,
            utterances: &self.utterances,
            heard,
        })
    }
}

/// Every language that can be listened to.
pub(crate) async fn heard_langs(listeners: &[Arc<dyn Stt>]) -> Result<Vec<Lang>, DubbingError> {
    let mut langs = Vec::new();
    for listener in listeners {
        langs.extend(listener.langs().await?);
    }
    langs.sort();
    langs.dedup();
    Ok(langs)
}

/// The listener for a language, the preferred first; for an unknown one the first that finds it out.
pub(crate) async fn choose_listener(
    listeners: &[Arc<dyn Stt>],
    lang: Option<&Lang>,
) -> Result<Arc<dyn Stt>, DubbingError> {
    for listener in listeners {
        let langs = listener.langs().await?;
        let fits = match lang {
            Some(lang) => langs.iter().any(|known| known.primary() == lang.primary()),
            None => listener.capability().detects_lang && !langs.is_empty(),
        };
        if fits {
            return Ok(Arc::clone(listener));
        }
    }
    let Some(lang) = lang else {
        let known = heard_langs(listeners).await?;
        let known: Vec<&str> = known.iter().map(Lang::as_str).collect();
        return Err(DubbingError::Request(format!(
            "the language of the source is not known; say it with --from (understood are {}), or give a --transcript",
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        )));
    };
    Err(DubbingError::NoListener { lang: lang.to_string(), remedy: remedy(listeners, lang).await? })
}

/// What the listeners say of how to hear a language.
async fn remedy(listeners: &[Arc<dyn Stt>], lang: &Lang) -> Result<String, DubbingError> {
    let mut remedies = vec!["give a --transcript".to_owned()];
    for listener in listeners {
        let nothing = ai::stt::Utterance { samples: Arc::new([]), lang: Some(lang.clone()) };
        if let Err(error) = listener.transcribe(&nothing).await
            && matches!(error.kind, ErrorKind::Missing | ErrorKind::NotFound)
        {
            remedies.push(error.message);
        }
    }
    Ok(remedies.join("; or: "))
}

/// The document of a source: its transcript's lines, or what is heard in its speech, and who says it.
pub(crate) async fn hear(
    booth: &Booth,
    known: Known<'_>,
    speech: &FileRef,
    settings: &Settings,
    run: &Run,
) -> Result<Dub, DubbingError> {
    let open = known.open;
    let (mut utterances, lang) = if known.transcript.is_some() {
        let lang = known.lang(&[]).ok_or_else(|| unknown_lang(known.transcript))?;
        (known.utterances, lang)
    } else {
        let lang = known.lang(&heard_langs(&booth.listeners).await?);
        listen(booth, lang, speech, run).await?
    };
    if utterances.iter().all(|utterance| utterance.text.trim().is_empty()) {
        return Err(DubbingError::NoSpeech { path: open.file.path().to_owned() });
    }
    for utterance in &mut utterances {
        utterance.end_ms = utterance.end_ms.min(open.duration_ms());
    }
    utterances.retain(|utterance| utterance.start_ms < utterance.end_ms);
    let speakers = speakers::name(booth, &mut utterances, speech, run).await?;
    let source = Source {
        path: open.file.path().to_owned(),
        hash: open.file.hash().to_owned(),
        track: open.track,
        duration_ms: open.duration_ms(),
        transcript: known.transcript.map(Path::to_owned),
    };
    let (targets, settings, results) = (Vec::new(), settings.clone(), BTreeMap::new());
    Ok(Dub { schema: Schema::V1, source, lang, targets, settings, speakers, utterances, results })
}

fn unknown_lang(transcript: Option<&Path>) -> DubbingError {
    let name = transcript.map(|path| format!(" of `{}`", path.display())).unwrap_or_default();
    DubbingError::Request(format!("the language{name} is not known; say it with --from"))
}

/// Finds speech and writes it down.
async fn listen(
    booth: &Booth,
    lang: Option<Lang>,
    speech: &FileRef,
    run: &Run,
) -> Result<(Vec<Utterance>, Lang), DubbingError> {
    let engine = choose_listener(&booth.listeners, lang.as_ref()).await?;
    let found = run.make(&FindSpeech, &FindSpeechInput { speech: speech.clone() }).await?.output;
    let input = |found: &FoundSpeech| ListenInput {
        engine: engine.version().to_owned(),
        lang: lang.clone(),
        speech: speech.clone(),
        start_ms: found.heard.start_ms,
        end_ms: found.heard.end_ms,
    };
    let inputs: Vec<ListenInput> = found.iter().map(input).collect();
    let fan_out = FanOut::new(booth.jobs).longest_first(|input: &ListenInput| (input.end_ms - input.start_ms) as f64);
    let made = run.make_all(&Listen { engine }, &inputs, fan_out).await?;
    let transcripts: Vec<Transcript> = made.into_iter().map(|made| made.output).collect();
    let spoken = lang.unwrap_or_else(|| most_spoken(&transcripts));
    let utterances = found.iter().zip(transcripts).enumerate();
    Ok((
        utterances.map(|(index, (found, transcript))| utterance(index as u32 + 1, *found, transcript)).collect(),
        spoken,
    ))
}

/// The language of most of what was said.
fn most_spoken(transcripts: &[Transcript]) -> Lang {
    let mut letters: BTreeMap<&Lang, usize> = BTreeMap::new();
    for transcript in transcripts {
        *letters.entry(&transcript.lang).or_default() += transcript.text.chars().count();
    }
    letters.into_iter().max_by_key(|(_, letters)| *letters).map_or_else(Lang::english, |(lang, _)| lang.clone())
}

fn utterance(id: u32, found: FoundSpeech, transcript: Transcript) -> Utterance {
    let TimeSpan { start_ms, end_ms } = found.said;
    let at = |ms: u32| (found.heard.start_ms + u64::from(ms)).clamp(start_ms, end_ms);
    let word = |word: ai::stt::Word| Word {
        text: word.text,
        start_ms: at(word.start_ms),
        end_ms: at(word.end_ms),
        confidence: word.confidence,
    };
    let mut utterance = Utterance {
        id,
        start_ms,
        end_ms,
        speaker: None,
        text: transcript.text.split_whitespace().collect::<Vec<_>>().join(" "),
        words: transcript.words.into_iter().map(word).collect(),
        confidence: transcript.confidence,
        notes: Vec::new(),
        lines: BTreeMap::new(),
    };
    // Words that are not those of the text would count as overwritten by a person.
    if !utterance.words_match() {
        utterance.words.clear();
    }
    utterance
}
