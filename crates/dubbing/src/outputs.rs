//! The files a user gets: dubbed videos, subtitles, and the document they can edit.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use kernel::Lang;
use media::{captions, captions::Cue, source};
use pipeline::{Run, publish_bytes};

use crate::{
    DubbingError,
    document::{Dub, MAX_DOCUMENT_BYTES, Settings, Utterance},
    hearing,
    language::{self, Signs},
    production::{self, MadeLang, Work},
    report::Report,
    request::{DubRequest, Output, OutputKind, Tracks},
    service::{Booth, Finished, TranslateRequest},
    subtitles::{self, Grid},
    transcript, writing,
};

/// Where everything of a dub is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub source: PathBuf,
    pub document: PathBuf,
    transcript: Option<PathBuf>,
    folder: PathBuf,
    stem: OsString,
}

impl Names {
    /// Results are beside the source, unless the user names a folder.
    pub(crate) fn of(request: &DubRequest) -> Self {
        let source = request.source.clone();
        let folder = request.output.folder.clone().unwrap_or_else(|| folder_of(&source));
        let stem = source.file_stem().unwrap_or_default().to_owned();
        let names = Self { source, document: PathBuf::new(), transcript: request.transcript.clone(), folder, stem };
        Self { document: names.with("dub.json"), ..names }
    }

    /// Results are beside the document, and its source where it says.
    pub(crate) fn of_document(document: &Path, dub: &Dub, output: &Output) -> Self {
        let beside = folder_of(document);
        let source = beside.join(&dub.source.path);
        let stem = source.file_stem().unwrap_or_default().to_owned();
        let folder = output.folder.clone().unwrap_or(beside);
        let transcript = dub.source.transcript.as_ref().map(|path| folder_of(document).join(path));
        Self { source, document: document.to_owned(), transcript, folder, stem }
    }

    /// `talk.` and an ending.
    pub(crate) fn with(&self, ending: &str) -> PathBuf {
        let mut name = self.stem.clone();
        name.push(".");
        name.push(ending);
        self.folder.join(name)
    }

    /// The subtitles of a language. The user's own transcript is never written over.
    pub(crate) fn subtitles(&self, lang: &Lang) -> PathBuf {
        let usual = self.with(&format!("{lang}.srt"));
        let place = |path: &Path| std::fs::canonicalize(path).ok();
        let is_transcript =
            self.transcript.as_ref().is_some_and(|path| place(path).is_some_and(|there| Some(there) == place(&usual)));
        if is_transcript { self.with(&format!("{lang}.dub.srt")) } else { usual }
    }

    /// The source's own ending, in small letters.
    pub(crate) fn extension(&self) -> String {
        self.source.extension().unwrap_or_default().to_string_lossy().to_lowercase()
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The document of a dub, if there is one.
pub(crate) async fn find_document(path: &Path) -> Result<Option<Dub>, DubbingError> {
    if tokio::fs::try_exists(path).await.unwrap_or(false) { read_document(path).await.map(Some) } else { Ok(None) }
}

/// Reads and checks the document of a dub.
pub(crate) async fn read_document(path: &Path) -> Result<Dub, DubbingError> {
    let bad = |reason: String| DubbingError::BadFile { path: path.to_owned(), reason };
    let found = tokio::fs::metadata(path).await.map_err(|error| bad(format!("cannot be read: {error}")))?;
    if !found.is_file() || found.len() > MAX_DOCUMENT_BYTES {
        return Err(bad(format!("is no document of a dub; one is a file of at most {MAX_DOCUMENT_BYTES} bytes")));
    }
    let bytes = tokio::fs::read(path).await.map_err(|error| bad(format!("cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| bad("is not UTF-8; save it as UTF-8".to_owned()))?;
    Ok(Dub::parse(&text, path)?)
}

/// Writes the document of a dub, whole or not at all.
pub(crate) async fn write_document(dub: &Dub, path: &Path) -> Result<(), DubbingError> {
    let text = dub.to_text().map_err(|error| DubbingError::Internal(error.to_string()))?;
    Ok(publish_bytes(text.into_bytes(), path).await?)
}

/// Adds to a document what is asked for anew. What would undo what is in it is refused.
pub(crate) fn adopt(dub: &mut Dub, request: &DubRequest, document: &Path) -> Result<(), DubbingError> {
    let there = format!("`{}` is there already", document.display());
    let anew = "or remove it to begin anew";
    if let Some(path) = &request.transcript
        && !is_made_of(dub, &hearing::read_transcript(path, dub.source.duration_ms)?)
    {
        return Err(DubbingError::Request(format!(
            "{there} with another text; leave --transcript out to go on with it, {anew}"
        )));
    }
    if request.lang.as_ref().is_some_and(|lang| *lang != dub.lang) {
        return Err(DubbingError::Request(format!(
            "{there}, from `{}`; leave --from out to go on with it, {anew}",
            dub.lang
        )));
    }
    for target in &request.targets {
        if *target == dub.lang {
            return Err(DubbingError::Request(format!(
                "the source speaks `{target}` already; name another language with --to"
            )));
        }
        if !dub.targets.contains(target) {
            dub.targets.push(target.clone());
        }
    }
    lay_over(&mut dub.settings, &request.settings);
    Ok(())
}

/// Whether a document still has the text of a transcript: then it may be given again.
fn is_made_of(dub: &Dub, utterances: &[Utterance]) -> bool {
    let same = |(a, b): (&Utterance, &Utterance)| a.text == b.text && a.start_ms == b.start_ms;
    dub.utterances.len() == utterances.len() && dub.utterances.iter().zip(utterances).all(same)
}

/// What is said anew counts, and what is not stays.
fn lay_over(settings: &mut Settings, new: &Settings) {
    settings.loudness_lufs = new.loudness_lufs.or(settings.loudness_lufs);
    settings.duck_db = new.duck_db.or(settings.duck_db);
    settings.min_confidence = new.min_confidence.or(settings.min_confidence);
    settings.pivots = new.pivots.or(settings.pivots);
    settings.separate = new.separate.or(settings.separate);
    settings.burn = new.burn.clone().or(settings.burn.take());
    for (lang, terms) in &new.glossary {
        settings.glossary.entry(lang.clone()).or_default().extend(terms.clone());
    }
    for (speaker, voices) in &new.voices {
        settings.voices.entry(speaker.clone()).or_default().extend(voices.clone());
    }
    for (phrases, added) in [(&mut settings.keep, &new.keep), (&mut settings.no_dub, &new.no_dub)] {
        for phrase in added {
            if !phrases.contains(phrase) {
                phrases.push(phrase.clone());
            }
        }
    }
}

/// Hands out what was made. The document comes last: where it is, everything it tells of is.
pub(crate) async fn hand_out(
    booth: &Booth,
    work: &mut Work,
    made: &[MadeLang],
    (names, output): (&Names, &Output),
    run: &Run,
) -> Result<Finished, DubbingError> {
    let original = production::original_cues(work)?;
    let mut beside = vec![write_srt(names, &work.dub.lang, &original).await?];
    for lang in made {
        beside.push(write_srt(names, &lang.lang, &lang.cues).await?);
    }
    let (outputs, left_out) = match (output.kind, output.tracks) {
        (OutputKind::Subtitles, _) => (Vec::new(), Vec::new()),
        (OutputKind::Dub, Tracks::FileEach) => writing::write_each(booth, work, made, (names, output), run).await?,
        (OutputKind::Dub, Tracks::OneFile) => writing::write_all(booth, work, made, (names, output), run).await?,
    };
    measure_lengths(booth, work, made, &outputs).await?;
    work.dub.source.path = beside_document(&names.source, &names.document);
    work.dub.source.transcript = names.transcript.as_ref().map(|path| beside_document(path, &names.document));
    write_merged(&work.dub, &names.document).await?;
    beside.push(names.document.clone());
    let reports = made.iter().map(|made| Report::new(&work.dub, &made.lang)).collect();
    Ok(Finished { outputs, beside, duration_ms: work.open.duration_ms(), reports, left_out })
}

/// Notes how long the files became: one for each language, or one for all.
async fn measure_lengths(
    booth: &Booth,
    work: &mut Work,
    made: &[MadeLang],
    outputs: &[PathBuf],
) -> Result<(), DubbingError> {
    for (index, made) in made.iter().enumerate() {
        let Some(path) = outputs.get(index).or(outputs.last()) else { return Ok(()) };
        let length_us = source::length_us(&booth.ffmpeg, path).await?;
        if let Some(measured) = work.dub.results.get_mut(&made.lang) {
            measured.duration_ms = length_us / 1000;
        }
    }
    Ok(())
}

async fn write_srt(names: &Names, lang: &Lang, cues: &[Cue]) -> Result<PathBuf, DubbingError> {
    let path = names.subtitles(lang);
    publish_bytes(captions::srt(cues).into_bytes(), &path).await?;
    Ok(path)
}

/// The path of a source as its document names it: a document and its source move together.
fn beside_document(source: &Path, document: &Path) -> PathBuf {
    if folder_of(source) == folder_of(document) {
        return source.file_name().unwrap_or_default().into();
    }
    std::path::absolute(source).unwrap_or_else(|_| source.to_owned())
}

/// Writes a document, together with the languages that another run of the same source wrote meanwhile.
async fn write_merged(dub: &Dub, path: &Path) -> Result<(), DubbingError> {
    let mut dub = dub.clone();
    if let Ok(Some(other)) = find_document(path).await {
        merge(&mut dub, &other);
    }
    write_document(&dub, path).await
}

fn merge(dub: &mut Dub, other: &Dub) {
    if dub.source.hash != other.source.hash || dub.lang != other.lang {
        return;
    }
    let added: Vec<Lang> = other.targets.iter().filter(|lang| !dub.targets.contains(lang)).cloned().collect();
    for utterance in &mut dub.utterances {
        let Some(twin) = other.utterances.iter().find(|twin| twin.id == utterance.id && twin.text == utterance.text)
        else {
            continue;
        };
        let lines = added.iter().filter_map(|lang| Some((lang.clone(), twin.lines.get(lang)?.clone())));
        utterance.lines.extend(lines);
    }
    for speaker in &mut dub.speakers {
        let twin = other.speaker(&speaker.id);
        let voices = added.iter().filter_map(|lang| Some((lang.clone(), twin?.voices.get(lang)?.clone())));
        speaker.voices.extend(voices);
    }
    dub.results.extend(added.iter().filter_map(|lang| Some((lang.clone(), other.results.get(lang)?.clone()))));
    dub.targets.extend(added);
}

/// Hands out what was heard.
pub(crate) async fn hand_out_transcript(work: &Work, names: &Names) -> Result<Finished, DubbingError> {
    let path = write_srt(names, &work.dub.lang, &production::original_cues(work)?).await?;
    Ok(Finished {
        outputs: vec![path],
        beside: Vec::new(),
        duration_ms: work.open.duration_ms(),
        reports: Vec::new(),
        left_out: Vec::new(),
    })
}

/// A file of subtitles as a document without a source.
pub(crate) fn read_subtitles(request: &TranslateRequest) -> Result<Dub, DubbingError> {
    let path = &request.transcript;
    let read = captions::read_transcript(path)?;
    let duration_ms = read.cues.iter().map(|cue| cue.end_ms).max().unwrap_or(0);
    let utterances = transcript::utterances(&read, duration_ms)
        .map_err(|source| DubbingError::Transcript { path: path.clone(), source })?;
    let signs =
        Signs { said: request.from.as_ref(), tag: None, transcript: Some(path), utterances: &utterances, heard: &[] };
    let lang = language::find(signs).ok_or_else(|| {
        DubbingError::Request(format!("the language of `{}` is not known; say it with --from", path.display()))
    })?;
    let mut dub = Dub::empty(lang, request.settings.clone());
    dub.source.duration_ms = duration_ms;
    dub.targets.push(request.to.clone());
    dub.utterances = utterances;
    Ok(dub)
}

/// Writes a translated file of subtitles.
pub(crate) async fn hand_out_subtitles(dub: &Dub, request: &TranslateRequest) -> Result<PathBuf, DubbingError> {
    // No frames are known; those of film are the longest.
    let grid = Grid { frame_ms: 1000.0 / 24.0, duration_ms: dub.source.duration_ms };
    let cues = subtitles::cues(&subtitles::translated(dub, &request.to, &BTreeMap::new()), grid)?;
    let path = request.output.clone().unwrap_or_else(|| translated_name(&request.transcript, &request.to));
    publish_bytes(captions::srt(&cues).into_bytes(), &path).await?;
    Ok(path)
}

/// `talk.es.srt` of `talk.en.srt` and of `talk.srt`.
fn translated_name(transcript: &Path, to: &Lang) -> PathBuf {
    let stem = Path::new(transcript.file_stem().unwrap_or_default());
    let is_tagged = captions::language_of_name(transcript).is_some();
    let stem = if is_tagged { stem.file_stem().unwrap_or_default() } else { stem.as_os_str() };
    let mut name = stem.to_owned();
    name.push(format!(".{to}.srt"));
    transcript.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        document::{
            Line,
            tests::{dub, lang, utterance},
        },
        request::Track,
    };

    fn request(source: &str) -> DubRequest {
        DubRequest {
            source: source.into(),
            targets: Vec::new(),
            lang: None,
            track: Track::Usual,
            transcript: None,
            settings: Settings::default(),
            output: Output::default(),
        }
    }

    #[test]
    fn results_are_named_after_the_source() {
        let of = |source: &str, output: Output| Names::of(&DubRequest { output, ..request(source) });
        let names = of("talks/Talk One.MP4", Output::default());
        assert_eq!(names.document, Path::new("talks/Talk One.dub.json"));
        assert_eq!(
            (names.with("es.srt"), names.extension()),
            (PathBuf::from("talks/Talk One.es.srt"), "mp4".to_owned())
        );
        let elsewhere = Output { folder: Some("out".into()), ..Output::default() };
        assert_eq!(of("talk.mkv", elsewhere).document, Path::new("out/talk.dub.json"));
        assert_eq!(translated_name(Path::new("a/talk.en.srt"), &lang("es")), Path::new("a/talk.es.srt"));
        assert_eq!(translated_name(Path::new("talk.vtt"), &lang("es")), Path::new("talk.es.srt"));
    }

    #[test]
    fn a_document_finds_its_source_when_both_have_moved() {
        let made = dub(&["es"], vec![utterance(1, 0, 1000, "Hello.")]);
        let names = Names::of_document(Path::new("moved/talk.dub.json"), &made, &Output::default());
        assert_eq!(names.source, Path::new("moved/talk.mp4"));
        assert_eq!(beside_document(Path::new("a/talk.mp4"), Path::new("a/talk.dub.json")), Path::new("talk.mp4"));
        assert!(beside_document(Path::new("b/talk.mp4"), Path::new("a/talk.dub.json")).is_absolute());
    }

    #[test]
    fn what_another_run_wrote_meanwhile_is_kept() {
        let line = |text: &str| Line { translation: Some(text.to_owned()), ..Line::default() };
        let mut ours = dub(&["es"], vec![utterance(1, 0, 1000, "Hello.")]);
        ours.utterances[0].lines.insert(lang("es"), line("Hola."));
        let mut theirs = dub(&["fr", "es"], vec![utterance(1, 0, 1000, "Hello.")]);
        theirs.utterances[0].lines.insert(lang("fr"), line("Bonjour."));
        theirs.utterances[0].lines.insert(lang("es"), line("Buenas."));
        merge(&mut ours, &theirs);
        assert_eq!(ours.targets, [lang("es"), lang("fr")]);
        let said = |tag: &str| ours.utterances[0].lines[&lang(tag)].translation.clone().unwrap();
        assert_eq!((said("es"), said("fr")), ("Hola.".to_owned(), "Bonjour.".to_owned()));
    }

    #[test]
    fn going_on_with_a_document_adds_languages_and_undoes_nothing() {
        let mut there = dub(&["es"], vec![utterance(1, 0, 1000, "Hello.")]);
        there.settings.duck_db = Some(12.0);
        let settings = Settings { keep: vec!["Acme".to_owned()], ..Settings::default() };
        let request = DubRequest { targets: vec![lang("fr")], settings, ..request("talk.mp4") };
        adopt(&mut there, &request, Path::new("talk.dub.json")).unwrap();
        assert_eq!((there.targets.len(), there.settings.duck_db, there.settings.keep.len()), (2, Some(12.0), 1));
        let folder = tempfile::tempdir().unwrap();
        let mut given = |text: &str| {
            let path = folder.path().join("talk.srt");
            std::fs::write(&path, format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n")).unwrap();
            let request = DubRequest { transcript: Some(path), ..request.clone() };
            adopt(&mut there, &request, Path::new("talk.dub.json"))
        };
        given("Hello.").unwrap();
        let message = given("Goodbye.").unwrap_err().to_string();
        assert!(message.starts_with("`talk.dub.json` is there already with another text"), "{message}");
    }
}
