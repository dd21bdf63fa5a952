//! The dubbed files: the pictures of the source as they are, with new sound.

use std::path::{Path, PathBuf};

use kernel::Lang;
use media::{
    audio::{self, Part, SoundFile},
    captions::Cue,
    remux::{self, NewSound, NewSubtitles, OriginalSound},
    source::Source,
};
use pipeline::{FanOut, Run, TempFile};

use crate::{
    DubbingError, burning,
    outputs::Names,
    production::{MadeLang, Work},
    request::Output,
    service::Booth,
    stages::{
        computing,
        encode::{Encode, EncodeInput},
        mix::MixedPart,
    },
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
    let source = burning::source_for(work, &names.extension());
    for lang in made {
        let path = name_of(names, &lang.lang, &source);
        let made = std::slice::from_ref(lang);
        let new = NewTracks::make(booth, work, (made, &source), &path, run).await?;
        notes.extend(new.write(booth, work, output.original, &path).await?);
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
    let source = burning::source_for(work, &names.extension());
    let path = name_of_all(names, &source, made.len());
    let langs = std::iter::once(&work.dub.lang).chain(made.iter().map(|made| &made.lang));
    let subtitles: Vec<NewSubtitles> = langs
        .map(|lang| NewSubtitles { path: names.subtitles(lang), lang: lang.clone(), title: None, is_default: false })
        .filter(|subtitles| has_cues(&subtitles.lang, work, made))
        .collect();
    let new = NewTracks { subtitles, ..NewTracks::make(booth, work, (made, &source), &path, run).await? };
    let notes = new.write(booth, work, output.original, &path).await?;
    Ok((vec![path], notes))
}

/// FFmpeg takes a file without cues for no subtitles at all.
fn has_cues(lang: &Lang, work: &Work, made: &[MadeLang]) -> bool {
    let cues = made.iter().find(|made| made.lang == *lang).map(|made| made.cues.as_slice());
    cues.is_some_and(|cues: &[Cue]| !cues.is_empty()) || *lang == work.dub.lang
}

/// The sound of a language in one file, which is there as long as this is.
#[derive(Debug)]
struct JoinedSound {
    file: TempFile,
    lang: Lang,
    /// What packets of AAC were made of; none for a WAV file.
    packed_samples: Option<u64>,
}

impl JoinedSound {
    fn as_new(&self) -> NewSound {
        let path = self.file.path().to_owned();
        let file = match self.packed_samples {
            Some(samples) => SoundFile::Aac { path, samples },
            None => SoundFile::Wav(path),
        };
        NewSound { file, lang: self.lang.clone(), title: None }
    }
}

/// The sounds as an output takes them: its packets, or what FFmpeg is to encode.
async fn sounds(booth: &Booth, made: &[MadeLang], output: &Path, run: &Run) -> Result<Vec<JoinedSound>, DubbingError> {
    let is_aac = remux::takes_aac(output)?;
    let mut joined = Vec::with_capacity(made.len());
    for lang in made {
        let Some(sound) = &lang.sound else { continue };
        let file = run.temp_file(if is_aac { "aac" } else { "wav" })?;
        let path = file.path().to_owned();
        let packed_samples = if is_aac {
            let parts = encode(booth, &sound.parts, run).await?;
            computing(move || audio::join_encoded(&parts, &path)).await?;
            sound.parts.first().map(|mixed| mixed.part.duration_samples)
        } else {
            let parts: Vec<(Part, PathBuf)> =
                sound.parts.iter().map(|mixed| (mixed.part, run.path(&mixed.file))).collect();
            computing(move || audio::join_mixed(&parts, &path)).await?;
            None
        };
        joined.push(JoinedSound { file, lang: lang.lang.clone(), packed_samples });
    }
    Ok(joined)
}

/// The packets of every part.
async fn encode(booth: &Booth, parts: &[MixedPart], run: &Run) -> Result<Vec<PathBuf>, DubbingError> {
    let input = |mixed: &MixedPart| EncodeInput {
        part: mixed.part,
        file: mixed.file.clone(),
        ffmpeg: booth.ffmpeg.fingerprint().to_owned(),
    };
    let inputs: Vec<EncodeInput> = parts.iter().map(input).collect();
    let made = run.make_all(&Encode { ffmpeg: booth.ffmpeg.clone() }, &inputs, FanOut::new(booth.jobs)).await?;
    Ok(made.into_iter().map(|made| run.path(&made.output)).collect())
}

/// What a file holds that its source does not.
struct NewTracks<'a> {
    /// The source as its pictures are in the file.
    source: &'a Source,
    burnt: Option<PathBuf>,
    sound: Vec<JoinedSound>,
    subtitles: Vec<NewSubtitles>,
}

impl<'a> NewTracks<'a> {
    /// The sounds of languages and, where captions are burnt in, the pictures with those of the first.
    async fn make(
        booth: &Booth,
        work: &Work,
        (made, source): (&[MadeLang], &'a Source),
        path: &Path,
        run: &Run,
    ) -> Result<Self, DubbingError> {
        let sound = sounds(booth, made, path, run).await?;
        let burnt = match made {
            [first, ..] => burning::burn(booth, work, first, path, run).await?,
            [] => None,
        };
        Ok(Self { source, burnt: burnt.map(|file| run.path(&file)), sound, subtitles: Vec::new() })
    }

    async fn write(
        &self,
        booth: &Booth,
        work: &Work,
        original: OriginalSound,
        path: &Path,
    ) -> Result<Vec<String>, DubbingError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            tokio::fs::create_dir_all(folder).await.map_err(|error| media::MediaError::io(folder, error))?;
        }
        let sound: Vec<NewSound> = self.sound.iter().map(JoinedSound::as_new).collect();
        let dub = remux::Dub {
            path: work.open.file.path(),
            source: self.source,
            sound: &sound,
            original,
            subtitles: &self.subtitles,
            burnt: self.burnt.as_deref(),
        };
        Ok(remux::remux(&booth.ffmpeg, dub, path, &|_| {}).await?)
    }
}
