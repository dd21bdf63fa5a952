//! What every scene shows: the file its script names, footage that fits, or a drawn card.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use media::{
    Ffmpeg, MediaInfo, Size,
    cards::Card,
    motion::{Rect, crop_for},
};
use pipeline::{FanOut, FileRef, Run, SourceRef};
use serde::{Deserialize, Serialize};

use crate::{
    VideosError,
    library::{self, Asset, AssetKind, Facts, Library, Part, SceneNeed},
    narration::Narration,
    request::{Framing, VideoRequest},
    scenes::{Scene, Shot as Wish},
    stages::{
        footage::{Croppable, FindSubject, Footage, LookAt},
        still::{Reduce, ReduceInput},
    },
    timeline::{Grid, TimedScene},
};

/// A crop that leaves less of a clip than this shows the whole of it over a blurred copy instead.
const LEAST_KEPT: f64 = 0.3;
/// A card of more characters repeats what the captions say anyway.
const LONGEST_PHRASE: usize = 48;
/// Where a crop lies before anyone has looked.
const MIDDLE: (f32, f32) = (0.5, 0.5);
/// Clips looked at at once; each look holds a decoder.
const LOOKS_AT_ONCE: usize = 2;
/// Stills decoded at once.
const STILLS_AT_ONCE: usize = 2;

/// One picture of a scene.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shot {
    pub picture: ShotPicture,
    /// Length without what transitions add.
    pub frames: u32,
}

/// What a shot shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ShotPicture {
    Clip(ClipShot),
    /// A picture in slow motion.
    Still {
        source: SourceRef,
        seed: u64,
    },
    /// Drawn by Pressroom.
    Card {
        card: Card,
        seed: u64,
    },
}

/// Part of a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClipShot {
    pub source: SourceRef,
    pub info: MediaInfo,
    /// Where in the clip the picture begins to be seen.
    pub start_ms: u64,
    pub speed: f64,
    pub framing: ClipFraming,
}

/// How a clip fills the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClipFraming {
    /// This part of the picture, as shown.
    Crop(Rect),
    /// The whole picture over a blurred copy of itself.
    Blur,
    /// The whole picture over the theme's colour.
    Fit,
}

/// The user's files of this video, looked at.
#[derive(Debug)]
pub(crate) struct Materials {
    files: HashMap<PathBuf, (SourceRef, Footage)>,
    assets: Vec<Asset>,
}

impl Materials {
    /// Finds the footage of the request and looks at every file that was not looked at before.
    pub(crate) async fn gather(
        ffmpeg: &Ffmpeg,
        request: &VideoRequest,
        scenes: &[Scene],
        run: &Run,
    ) -> Result<Self, VideosError> {
        let folders = request.materials.folders.clone();
        let scanned = tokio::task::spawn_blocking(move || Library::scan(&folders, library::Limits::default()));
        let mut assets = scanned.await.map_err(|error| VideosError::Internal(error.to_string()))??.assets;
        let mut paths: Vec<PathBuf> = assets.iter().map(|asset| asset.path.clone()).collect();
        paths.extend(scenes.iter().filter_map(|scene| scene.given().map(PathBuf::from)));
        paths.extend(request.picture.intro.iter().chain(&request.picture.outro).cloned());
        paths.sort();
        paths.dedup();
        let mut sources = Vec::with_capacity(paths.len());
        for path in &paths {
            sources.push(run.import(path).await?);
        }
        let looks = run.make_all(&LookAt { ffmpeg: ffmpeg.clone() }, &sources, FanOut::new(LOOKS_AT_ONCE)).await?;
        let looks = looks.into_iter().map(|look| look.output);
        let files: HashMap<_, _> = paths.into_iter().zip(sources.into_iter().zip(looks)).collect();
        for asset in &mut assets {
            let Some((_, footage)) = files.get(&asset.path) else { continue };
            asset.kind = footage.kind();
            asset.facts = Some(Facts { size: footage.size(), duration_ms: footage.duration_ms() });
        }
        Ok(Self { files, assets })
    }

    fn file(&self, path: &Path) -> Result<&(SourceRef, Footage), VideosError> {
        self.files.get(path).ok_or_else(|| VideosError::Internal(format!("`{}` was not looked at", path.display())))
    }

    /// A clip that has sound of its own.
    pub(crate) fn sounding(&self, path: &Path) -> Option<&SourceRef> {
        let (source, footage) = self.files.get(path)?;
        matches!(footage, Footage::Clip { info, .. } if info.has_audio).then_some(source)
    }

    /// How long a clip lasts; nothing for a still.
    pub(crate) fn duration_ms(&self, path: &Path) -> Option<u64> {
        let (_, footage) = self.files.get(path)?;
        (footage.kind() == AssetKind::Clip).then(|| footage.duration_ms())
    }
}

/// Everything that decides which shots a video has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Casting<'a> {
    pub request: &'a VideoRequest,
    pub narration: &'a Narration,
    pub materials: &'a Materials,
    pub timed: &'a [TimedScene],
    /// Frames of the transition at each cut.
    pub transitions: &'a [u32],
    pub grid: Grid,
    pub size: Size,
}

/// Aims the crops of clips at their subjects; what fills the frame whole needs no aim, and no look.
pub(crate) async fn aim(shots: &mut [Vec<Shot>], ratio: f64, ffmpeg: &Ffmpeg, run: &Run) -> Result<(), VideosError> {
    let mut cropped: Vec<(Size, &SourceRef, u64, &mut ClipFraming)> = Vec::new();
    for shot in shots.iter_mut().flatten() {
        let ShotPicture::Clip(ClipShot { source, info, framing, .. }) = &mut shot.picture else { continue };
        if matches!(framing, ClipFraming::Crop(rect) if (rect.width, rect.height) != (info.size.width, info.size.height))
        {
            cropped.push((info.size, source, info.duration_ms, framing));
        }
    }
    let input =
        |clip: &(Size, &SourceRef, u64, &mut ClipFraming)| Croppable { source: clip.1.clone(), duration_ms: clip.2 };
    let inputs: Vec<Croppable> = cropped.iter().map(input).collect();
    let stage = FindSubject { ffmpeg: ffmpeg.clone() };
    let subjects = run.make_all(&stage, &inputs, FanOut::new(LOOKS_AT_ONCE)).await?;
    for ((size, _, _, framing), subject) in cropped.into_iter().zip(subjects) {
        *framing = ClipFraming::Crop(crop_for(size, ratio, subject.output));
    }
    Ok(())
}

/// Decodes every still that is shown, once, to what a frame of `size` needs.
pub(crate) async fn reduce_stills(
    shots: &[Vec<Shot>],
    frame: Size,
    matte: [u8; 3],
    run: &Run,
) -> Result<HashMap<SourceRef, FileRef>, VideosError> {
    let mut inputs: Vec<ReduceInput> = Vec::new();
    for shot in shots.iter().flatten() {
        let ShotPicture::Still { source, .. } = &shot.picture else { continue };
        if !inputs.iter().any(|input| input.source == *source) {
            inputs.push(ReduceInput { source: source.clone(), frame, matte });
        }
    }
    let made = run.make_all(&Reduce, &inputs, FanOut::new(STILLS_AT_ONCE)).await?;
    Ok(inputs.into_iter().map(|input| input.source).zip(made.into_iter().map(|made| made.output)).collect())
}

impl Casting<'_> {
    /// The shots of every scene, with crops around the middle.
    pub(crate) fn cast(&self) -> Result<Vec<Vec<Shot>>, VideosError> {
        let needs: Vec<SceneNeed> = (0..self.timed.len()).map(|scene| self.need(scene)).collect();
        let plan = library::Plan {
            lang: &self.narration.script.lang,
            ratio: self.size.ratio(),
            order: self.request.materials.order,
            seed: self.request.seed,
        };
        let parts = library::assign(&needs, &self.materials.assets, plan);
        (0..self.timed.len()).map(|scene| self.shots(scene, &parts[scene])).collect()
    }

    /// What the scene asks of footage. Scenes that show a card of their own ask for nothing.
    fn need(&self, scene: usize) -> SceneNeed {
        let given = self.narration.scenes[scene].given().map(PathBuf::from);
        match self.narration.scenes[scene].shot {
            Wish::Open => SceneNeed {
                keywords: self.narration.scenes[scene].keywords.clone(),
                beats_ms: self.beats(scene),
                given,
            },
            _ => SceneNeed { given: Some(given.unwrap_or_default()), ..SceneNeed::default() },
        }
    }

    /// How long each sentence of a scene is seen, transitions included.
    fn beats(&self, scene: usize) -> Vec<u64> {
        let visible_ms = self.grid.ms(self.visible_frames(scene));
        let lead_ms = self.grid.ms(self.lead(scene));
        let starts = self.timed[scene].sentences.iter().skip(1).map(|sentence| sentence.start_ms + lead_ms);
        let cuts: Vec<u64> = std::iter::once(0).chain(starts).chain([visible_ms]).collect();
        cuts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
    }

    /// Frames of the scene that the transition before it shows ahead of its beginning.
    fn lead(&self, scene: usize) -> u32 {
        scene.checked_sub(1).map_or(0, |cut| self.transitions[cut] / 2)
    }

    /// Frames of the scene that the transition after it shows beyond its end.
    fn tail(&self, scene: usize) -> u32 {
        self.transitions.get(scene).map_or(0, |frames| frames / 2)
    }

    fn visible_frames(&self, scene: usize) -> u32 {
        self.lead(scene) + self.timed[scene].frames + self.tail(scene)
    }

    fn shots(&self, scene: usize, parts: &[Part]) -> Result<Vec<Shot>, VideosError> {
        let whole = |picture| vec![Shot { picture, frames: self.timed[scene].frames }];
        if let Some(path) = self.narration.scenes[scene].given() {
            return self.given(scene, path);
        }
        if parts.is_empty() {
            return Ok(whole(self.card(scene)));
        }
        let mut shots = Vec::with_capacity(parts.len());
        for (part, frames) in parts.iter().zip(self.part_frames(scene, parts)) {
            let picture = match part {
                Part::Card { .. } => self.card(scene),
                Part::Still { asset, .. } => self.picture(scene, &self.materials.assets[*asset].path, 0, 1.0)?,
                Part::Clip { asset, start_ms, speed, .. } => {
                    self.picture(scene, &self.materials.assets[*asset].path, *start_ms, *speed)?
                }
            };
            shots.push(Shot { picture, frames });
        }
        shots.retain(|shot| shot.frames > 0);
        Ok(shots)
    }

    /// The lengths of the parts on the grid, without what transitions add: they fill the scene to the frame, and the
    /// first and the last are long enough for their transitions.
    fn part_frames(&self, scene: usize, parts: &[Part]) -> Vec<u32> {
        let (frames, lead, tail) = (self.timed[scene].frames, self.lead(scene), self.tail(scene));
        let mut cuts = vec![0];
        let mut at_ms = 0;
        for part in &parts[..parts.len() - 1] {
            at_ms += part.duration_ms();
            let cut = (at_ms * u64::from(self.grid.fps) / 1000) as u32;
            let least = cuts.last().copied().unwrap_or(0).max(lead);
            cuts.push(
                cut.saturating_sub(lead).clamp(least.min(frames), frames.saturating_sub(tail).max(least.min(frames))),
            );
        }
        cuts.push(frames);
        cuts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// The file a script names: a clip that is too short is followed by the scene's card, never frozen or begun again.
    fn given(&self, scene: usize, path: &Path) -> Result<Vec<Shot>, VideosError> {
        let frames = self.timed[scene].frames;
        let picture = self.picture(scene, path, 0, 1.0)?;
        let Some(clip_ms) = self.materials.duration_ms(path) else { return Ok(vec![Shot { picture, frames }]) };
        let clip_frames = (clip_ms * u64::from(self.grid.fps) / 1000) as u32;
        if clip_frames >= self.visible_frames(scene) {
            return Ok(vec![Shot { picture, frames }]);
        }
        let first = clip_frames.saturating_sub(self.lead(scene)).min(frames.saturating_sub(self.tail(scene)));
        if first <= self.lead(scene) {
            return Ok(vec![Shot { picture: self.card(scene), frames }]);
        }
        Ok(vec![Shot { picture, frames: first }, Shot { picture: self.card(scene), frames: frames - first }])
    }

    fn picture(&self, scene: usize, path: &Path, start_ms: u64, speed: f64) -> Result<ShotPicture, VideosError> {
        let (source, footage) = self.materials.file(path)?;
        let source = source.clone();
        Ok(match footage {
            Footage::Still { .. } => ShotPicture::Still { source, seed: self.seed(scene) },
            Footage::Clip { info } => {
                let framing = self.framing(info.size);
                ShotPicture::Clip(ClipShot { source, info: info.clone(), start_ms, speed, framing })
            }
        })
    }

    fn framing(&self, clip: Size) -> ClipFraming {
        let crop = crop_for(clip, self.size.ratio(), MIDDLE);
        let kept =
            f64::from(crop.width) * f64::from(crop.height) / (f64::from(clip.width) * f64::from(clip.height)).max(1.0);
        match self.request.picture.framing {
            Framing::Blur => ClipFraming::Blur,
            Framing::Fit => ClipFraming::Fit,
            Framing::Auto if kept < LEAST_KEPT => ClipFraming::Blur,
            Framing::Auto | Framing::Crop => ClipFraming::Crop(crop),
        }
    }

    /// Neighbouring scenes move differently, and so do the same scenes of another seed.
    fn seed(&self, scene: usize) -> u64 {
        self.request.seed.wrapping_mul(31).wrapping_add(scene as u64)
    }

    fn card(&self, scene: usize) -> ShotPicture {
        let card = match &self.narration.scenes[scene].shot {
            Wish::Title { title, subtitle, byline } => {
                Card::Title { title: title.clone(), subtitle: subtitle.clone(), byline: byline.clone() }
            }
            Wish::Section { number, heading } => Card::Section { number: *number, heading: heading.clone() },
            Wish::Quote { text, by } => Card::Quote { text: text.clone(), by: by.clone() },
            Wish::List { heading, items } => {
                Card::List { heading: heading.clone(), items: items.clone(), reveal: self.reveal(scene) }
            }
            Wish::BigNumber { number, label } => Card::BigNumber { number: number.clone(), label: label.clone() },
            Wish::End { title, credits } => Card::End { title: title.clone(), credits: credits.clone() },
            Wish::Open | Wish::Media { .. } => Card::Text { text: phrase(&self.narration.scenes[scene]) },
        };
        ShotPicture::Card { card, seed: self.seed(scene) }
    }

    /// The frame at which each sentence of the scene begins, for a list that is told item by item.
    fn reveal(&self, scene: usize) -> Vec<u32> {
        let begins = |start_ms: u64| (start_ms * u64::from(self.grid.fps) / 1000) as u32 + self.lead(scene);
        self.timed[scene].sentences.iter().map(|sentence| begins(sentence.start_ms)).collect()
    }
}

/// What a drawn card says in a scene that has no footage: its first sentence, or the first part of a long one.
fn phrase(scene: &Scene) -> String {
    let sentence = scene.sentences.first().cloned().unwrap_or_default();
    if sentence.chars().count() <= LONGEST_PHRASE {
        return sentence;
    }
    let ends = sentence.char_indices().filter(|(_, c)| matches!(c, ',' | ';' | ':' | '—' | '–' | '，' | '、' | '；'));
    let fits = ends.map(|(at, _)| &sentence[..at]).take_while(|part| part.chars().count() <= LONGEST_PHRASE);
    fits.last()
        .filter(|part| part.chars().count() >= LONGEST_PHRASE / 3)
        .map_or_else(|| sentence.clone(), str::to_owned)
}
