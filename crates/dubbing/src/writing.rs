//! The dubbed files: the pictures of the source as they are, with new sound.

use std::path::{Path, PathBuf};

use kernel::Lang;
use media::{
    captions::Cue,
    remux::{self, NewSound, NewSubtitles, OriginalSound},
    source::Source,
};
use pipeline::Run;

use crate::{
    DubbingError,
    outputs::Names,
    production::{MadeLang, Work},
    request::Output,
    service::Booth,
};

/// The file of one language.
pub(crate) fn name_of(names: &Names, lang: &Lang, source: &Source) -> PathBuf {
    fitting(names, &lang.to_string(), source, 1)
}

/// The file of all languages.
pub(crate) fn name_of_all(names: &Names, source: &Source, sounds: usize) -> PathBuf {
    fitting(names, "dub", source, sounds)
}

/// A name with the source's own ending, where a file of that kind can hold the dub, else with one that holds anything.
fn fitting(names: &Names, middle: &str, source: &Source, sounds: usize) -> PathBuf {
    let own = names.with(&format!("{middle}.{}", names.extension()));
    if remux::check_output(source, sounds, &own).is_ok() {
        return own;
    }
    names.with(&format!("{middle}.{}", if source.video.is_some() { "mkv" } else { "m4a" }))
}

/// Writes a file for each language. Returns them, and what could not be kept of the source.
pub(crate) async fn write_each(
    booth: &Booth,
    work: &Work,
    made: &[MadeLang],
    (names, output): (&Names, &Output),
    run: &Run,
) -> Result<(Vec<PathBuf>, Vec<String>), DubbingError> {
    let (mut written, mut notes) = (Vec::new(), Vec::new());
    for lang in made {
        let path = name_of(names, &lang.lang, &work.open.source);
        let sound = sounds(std::slice::from_ref(lang), run);
        notes.extend(write(booth, work, (&sound, &[]), output.original, &path).await?);
        written.push(path);
    }
    notes.sort();
    notes.dedup();
    Ok((written, notes))
}

/// Writes one file with a sound and subtitles of every language. Returns it, and what could not be kept.
pub(crate) async fn write_all(
    booth: &Booth,
    work: &Work,
    made: &[MadeLang],
    (names, output): (&Names, &Output),
    run: &Run,
) -> Result<(Vec<PathBuf>, Vec<String>), DubbingError> {
    let sound = sounds(made, run);
    let path = name_of_all(names, &work.open.source, sound.len());
    let langs = std::iter::once(&work.dub.lang).chain(made.iter().map(|made| &made.lang));
    let subtitles: Vec<NewSubtitles> = langs
        .map(|lang| NewSubtitles { path: names.subtitles(lang), lang: lang.clone(), title: None, is_default: false })
        .filter(|subtitles| has_cues(&subtitles.lang, work, made))
        .collect();
    let notes = write(booth, work, (&sound, &subtitles), output.original, &path).await?;
    Ok((vec![path], notes))
}

/// FFmpeg takes a file without cues for no subtitles at all.
fn has_cues(lang: &Lang, work: &Work, made: &[MadeLang]) -> bool {
    let cues = made.iter().find(|made| made.lang == *lang).map(|made| made.cues.as_slice());
    cues.is_some_and(|cues: &[Cue]| !cues.is_empty()) || *lang == work.dub.lang
}

fn sounds(made: &[MadeLang], run: &Run) -> Vec<NewSound> {
    let sound = |made: &MadeLang| {
        let wav = run.path(&made.sound.as_ref()?.mixed.file);
        Some(NewSound { wav, lang: made.lang.clone(), title: None })
    };
    made.iter().filter_map(sound).collect()
}

async fn write(
    booth: &Booth,
    work: &Work,
    (sound, subtitles): (&[NewSound], &[NewSubtitles]),
    original: OriginalSound,
    path: &Path,
) -> Result<Vec<String>, DubbingError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder).await.map_err(|error| media::MediaError::io(folder, error))?;
    }
    let dub = remux::Dub { path: work.open.file.path(), source: &work.open.source, sound, original, subtitles };
    Ok(remux::remux(&booth.ffmpeg, dub, path, &|_| {}).await?)
}
