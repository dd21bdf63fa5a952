//! How a dub is made, stage by stage: read this first.
//!
//! probe → extract → separate → speech → listen → speakers
//! → (each language: translate → speak → stretch → survey → mix → encode)

use std::{path::Path, sync::Arc};

use ai::separate::Separator;
use kernel::Lang;
use media::{captions::Cue, source};
use pipeline::{FileRef, ProgressPlan, Run};

use crate::{
    DubbingError, burning,
    document::{Dub, Measured, Settings},
    hearing::{self, Known, OpenSource},
    performance::{self, Performed},
    request::{DubRequest, Output, OutputKind, Track},
    separation,
    service::Booth,
    sound::{self, Sound},
    stages::{extract::Extracted, measure::SourceLevels, separate::Voices},
    subtitles::{self, Grid, Said},
    translation, voices,
};

/// How long a frame is where a source has no pictures.
const SOUND_FRAME_MS: f64 = 40.0;

/// The stages and their usual shares of the time.
pub(crate) fn plan(booth: &Booth, settings: &Settings) -> ProgressPlan {
    let separates = matches!(separation::choose(booth, settings), Ok(Some(_)));
    let embeds = booth.speaker_encoder.is_some();
    let shares = [
        ("probe", 0.1),
        ("extract", 4.0),
        // Models take about as long as the sound is.
        ("separate", if separates { 200.0 } else { 0.0 }),
        ("join-voices", if separates { 1.0 } else { 0.0 }),
        ("speech", 2.0),
        ("listen", 40.0),
        ("embed", if embeds { 5.0 } else { 0.0 }),
        ("speakers", 1.0),
        ("levels", 2.0),
        ("translate", 6.0),
        ("speak", 20.0),
        ("stretch", 5.0),
        ("survey", 4.0),
        ("mix", 6.0),
        // Pictures that are encoded anew take many times what their sound takes.
        ("burn", if settings.burn.is_some() { 300.0 } else { 0.0 }),
        ("encode", 10.0),
    ];
    ProgressPlan::new(shares)
}

/// A dub under way: its document, and the source it is made from.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub dub: Dub,
    pub open: OpenSource,
    pub extracted: Extracted,
    /// Its voices apart, where they were separated.
    pub voices: Option<Voices>,
}

impl Work {
    /// What has to be taken out of the programme to leave its background, where that is known.
    pub(crate) fn voices_of_programme(&self) -> Option<FileRef> {
        self.voices.as_ref().map(|voices| voices.programme.clone())
    }
}

/// What was made of one language.
#[derive(Debug, Clone)]
pub(crate) struct MadeLang {
    pub lang: Lang,
    /// None where only subtitles were asked for.
    pub sound: Option<Sound>,
    /// What its captions say.
    pub said: Vec<Said>,
    pub cues: Vec<Cue>,
}

/// Listens to a source, or reads its transcript. What cannot be done at all is said before that takes its minutes.
pub(crate) async fn begin(
    booth: &Booth,
    request: &DubRequest,
    source: source::Source,
    run: &Run,
) -> Result<Work, DubbingError> {
    let seen = (request.source.as_path(), Some(source));
    let open = hearing::open(booth, seen, (&request.track, request.lang.as_ref()), run).await?;
    burning::check(&request.settings, &open.source, &request.output, request.targets.len())?;
    let utterances = match &request.transcript {
        Some(path) => hearing::read_transcript(path, open.duration_ms())?,
        None => Vec::new(),
    };
    let transcript = request.transcript.as_deref();
    let known = Known { open: &open, lang: request.lang.as_ref(), transcript, utterances };
    // With its transcript, and without a new sound, nothing of a source is heard but who speaks.
    let is_heard = known.transcript.is_none() || request.output.kind == OutputKind::Dub;
    let separator = if is_heard { separation::choose(booth, &request.settings)? } else { None };
    check_early(booth, request, &known).await?;
    if !known.names_speakers()
        && let Some(encoder) = &booth.speaker_encoder
    {
        encoder.check().await?;
    }
    let (extracted, voices) = take_apart(booth, &open, separator, run).await?;
    let speech = voices.as_ref().map_or(&extracted.speech, |voices| &voices.speech);
    let mut dub = hearing::hear(booth, known, speech, &request.settings, run).await?;
    dub.targets.clone_from(&request.targets);
    let dub = dub.checked(&request.source)?;
    Ok(Work { dub, open, extracted, voices })
}

/// Goes on with a document; its source must be the one it was made of.
pub(crate) async fn reopen(
    booth: &Booth,
    dub: Dub,
    (path, output): (&Path, &Output),
    run: &Run,
) -> Result<Work, DubbingError> {
    let open = hearing::open(booth, (path, None), (&Track::Number(dub.source.track + 1), None), run).await?;
    if open.file.hash() != dub.source.hash {
        let reason =
            "is not the file this dub was made of, or has changed since; remove the document to begin anew".to_owned();
        return Err(DubbingError::BadFile { path: path.to_owned(), reason });
    }
    burning::check(&dub.settings, &open.source, output, dub.targets.len())?;
    for lang in &dub.targets {
        check_lang(booth, &dub, lang, output.kind).await?;
    }
    let separator = if output.kind == OutputKind::Dub { separation::choose(booth, &dub.settings)? } else { None };
    let (extracted, voices) = take_apart(booth, &open, separator, run).await?;
    Ok(Work { dub, open, extracted, voices })
}

/// The sound of a source, and its voices where there is something to separate them with.
async fn take_apart(
    booth: &Booth,
    open: &OpenSource,
    separator: Option<Arc<dyn Separator>>,
    run: &Run,
) -> Result<(Extracted, Option<Voices>), DubbingError> {
    if let Some(separator) = &separator {
        separator.check().await?;
    }
    let extracted = hearing::extract(booth, open, run).await?;
    let voices = match &separator {
        Some(separator) => {
            let samples = open.source.duration_samples();
            Some(separation::separate(separator, &extracted, samples, run).await?)
        }
        None => None,
    };
    Ok((extracted, voices))
}

/// Says what cannot be done, as far as it can be known without listening.
async fn check_early(booth: &Booth, request: &DubRequest, known: &Known<'_>) -> Result<(), DubbingError> {
    let heard = if known.transcript.is_some() { Vec::new() } else { hearing::heard_langs(&booth.listeners).await? };
    let lang = known.lang(&heard);
    if known.transcript.is_none() {
        hearing::choose_listener(&booth.listeners, lang.as_ref()).await?;
    }
    let Some(lang) = lang else { return Ok(()) };
    let probe = Dub::empty(lang.clone(), request.settings.clone());
    for target in &request.targets {
        if target.primary() == lang.primary() && *target == lang {
            return Err(DubbingError::Request(format!(
                "the source speaks `{lang}` already; name another language with --to"
            )));
        }
        check_lang(booth, &probe, target, request.output.kind).await?;
    }
    Ok(())
}

/// Whether a dub can be translated to a language and, where it is to sound, spoken in it.
async fn check_lang(booth: &Booth, dub: &Dub, lang: &Lang, kind: OutputKind) -> Result<(), DubbingError> {
    translation::find_way(&booth.translators, dub, lang).await?;
    if kind == OutputKind::Subtitles {
        return Ok(());
    }
    let voices = performance::all_voices(&booth.voices).await?;
    Ok(voices::cast(&mut dub.clone(), lang, &voices)?)
}

/// Makes every language of a document, and writes into it what was made.
pub(crate) async fn produce(
    booth: &Booth,
    work: &mut Work,
    kind: OutputKind,
    run: &Run,
) -> Result<Vec<MadeLang>, DubbingError> {
    let levels = match kind {
        OutputKind::Dub => Some(sound::levels(work, run).await?),
        OutputKind::Subtitles => None,
    };
    let mut made = Vec::new();
    for lang in work.dub.targets.clone() {
        translation::translate(&booth.translators, &mut work.dub, &lang, run).await?;
        made.push(match &levels {
            Some(levels) => dub_lang(booth, work, &lang, levels, run).await?,
            None => captioned(work, lang, &[])?,
        });
    }
    Ok(made)
}

async fn dub_lang(
    booth: &Booth,
    work: &mut Work,
    lang: &Lang,
    levels: &SourceLevels,
    run: &Run,
) -> Result<MadeLang, DubbingError> {
    let lines = performance::perform(&booth.voices, &mut work.dub, lang, run).await?;
    let sound = sound::mix(work, levels, &lines, (booth.jobs, run)).await?;
    let made = captioned(work, lang.clone(), &lines)?;
    let measured = Measured {
        duration_ms: work.open.duration_ms(),
        frame_ms: frame_ms(&work.open),
        loudness_lufs: sound.loudness_lufs,
        target_lufs: sound.target_lufs,
        true_peak_dbtp: Some(sound.true_peak_dbtp),
        background_correlation: sound.background.map(|compared| compared.correlation),
        background_snr_db: sound.background.map(|compared| compared.snr_db),
        subtitles: subtitles::figures(&made.cues, lang),
    };
    work.dub.results.insert(lang.clone(), measured);
    Ok(MadeLang { sound: Some(sound), ..made })
}

fn frame_ms(open: &OpenSource) -> f64 {
    let rate = open.source.video.as_ref().and_then(|video| video.fps);
    rate.map_or(SOUND_FRAME_MS, |rate| 1000.0 / rate.as_f64())
}

pub(crate) fn grid(work: &Work) -> Grid {
    Grid { frame_ms: frame_ms(&work.open), duration_ms: work.open.duration_ms() }
}

/// The subtitles of the original.
pub(crate) fn original_cues(work: &Work) -> Result<Vec<Cue>, DubbingError> {
    Ok(subtitles::cues(&subtitles::original(&work.dub), grid(work))?)
}

/// A language with its captions, and no sound yet.
fn captioned(work: &Work, lang: Lang, lines: &[Performed]) -> Result<MadeLang, DubbingError> {
    let spoken = lines.iter().map(|line| (work.dub.utterances[line.utterance].id, line.words.clone())).collect();
    let said = subtitles::translated(&work.dub, &lang, &spoken);
    let cues = subtitles::cues(&said, grid(work))?;
    Ok(MadeLang { lang, sound: None, said, cues })
}
