//! The plan of a video: what is said, shown and captioned when, before anything is encoded.

use std::collections::HashMap;

use media::{
    Size,
    assemble::Chapter,
    captions::{Cue, Mode},
    encoder::{self, EncoderSettings, RateControl},
    segment::{Decoding, Denoise, Enhance, Upscale},
};
use pipeline::{FanOut, FileRef, Run, SourceRef};

use crate::{
    VideosError,
    narration::{self, Narration},
    outputs::SceneFacts,
    production::Purpose,
    request::{self, CaptionMode, Transition, VideoRequest},
    scenes::{Scene, Shot as Wish},
    service::Studio,
    shots::{self, Casting, ClipShot, Materials, Shot, ShotPicture},
    stages::{
        captions::{CaptionStyle, Captions, CaptionsInput},
        segment::{CaptionWindow, Look, Picture},
    },
    timeline::{self, Grid, SceneSpeech, ShotSpan, TimedScene},
};

/// How long a card stays at least: one with few words, and others.
const SHORT_CARD_MS: u64 = 2200;
const CARD_MS: u64 = 3000;
/// Frames a second of a draft.
const DRAFT_FPS: u32 = 15;

/// The frame a purpose asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    pub size: Size,
    pub grid: Grid,
    pub transition_frames: u32,
    pub encoding: EncoderSettings,
    pub enhance: Enhance,
}

impl Format {
    fn of(request: &VideoRequest, purpose: Purpose) -> Self {
        let request::Encoding { quality, codec, hardware, two_pass, denoise, upscale } = request.encoding;
        if purpose == Purpose::Draft {
            let encoding = EncoderSettings {
                codec: encoder::Codec::H264,
                quality: encoder::Quality::Draft,
                hardware: encoder::Hardware::Off,
                rate: RateControl::Constant,
            };
            return Self {
                size: request.picture.aspect.draft_size(),
                grid: Grid { fps: DRAFT_FPS },
                transition_frames: 0,
                encoding,
                enhance: Enhance { decoding: Decoding::Quick, ..Enhance::default() },
            };
        }
        let base = request.picture.aspect.size();
        let times = upscale.unwrap_or(1);
        let grid = Grid { fps: request.picture.fps };
        let transition_frames = match request.picture.transition {
            Transition::None => 0,
            _ => grid.frames_covering(request.picture.transition_ms),
        };
        Self {
            size: Size::new(base.width * times, base.height * times),
            grid,
            transition_frames,
            encoding: EncoderSettings {
                codec,
                quality,
                hardware,
                rate: if two_pass { RateControl::TwoPass { kilobits: None } } else { RateControl::Constant },
            },
            enhance: Enhance {
                decoding: Decoding::Whole,
                denoise: if denoise { Denoise::Light } else { Denoise::Off },
                deblock: denoise,
                upscale: if times > 1 { Upscale::Lanczos } else { Upscale::Bicubic },
            },
        }
    }
}

/// Everything known before the first frame is encoded.
#[derive(Debug)]
pub(crate) struct Storyline {
    pub narration: Narration,
    pub materials: Materials,
    pub format: Format,
    pub timed: Vec<TimedScene>,
    /// Captions of each scene, timed from its beginning.
    pub cues: Vec<Vec<Cue>>,
    pub style: CaptionStyle,
    pub shots: Vec<Vec<Shot>>,
    /// Every still that is shown, decoded and reduced.
    pub stills: HashMap<SourceRef, FileRef>,
    pub spans: Vec<ShotSpan>,
}

impl Storyline {
    pub(crate) fn total_frames(&self) -> u32 {
        total_frames(&self.timed)
    }

    /// The shots that are encoded, with their places among all: each from the end of the transition before it to the end of
    /// the one after it. A shot that the transition before it covers whole is encoded with that.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (usize, &ShotSpan)> {
        self.spans.iter().enumerate().filter(|(_, span)| span.piece_frames() > 0)
    }

    /// When each piece of the video begins.
    pub(crate) fn piece_starts_ms(&self) -> Vec<u64> {
        let mut first = 0;
        let starts = self.pieces().map(|(_, span)| {
            let start_ms = self.format.grid.ms(first);
            first += span.piece_frames();
            start_ms
        });
        starts.collect()
    }

    /// A shot's picture for the stretch that begins `first_frame` frames after it is first seen.
    pub(crate) fn look(&self, span: &ShotSpan, first_frame: u32) -> Look {
        let visible_frames = span.visible_frames();
        let picture = match self.shots[span.scene][span.shot].picture.clone() {
            ShotPicture::Clip(clip) => Picture::Clip(clip),
            ShotPicture::Still { source, seed } => {
                Picture::Still { file: self.stills[&source].clone(), seed, visible_frames }
            }
            ShotPicture::Card { card, seed } => Picture::Card { card, seed, visible_frames },
        };
        Look { picture, first_frame }
    }

    /// The captions of `frames` frames from `first` on, counted from the beginning of `scene`; a stretch may reach into
    /// the next scene. Nothing when none is shown.
    pub(crate) fn captions(&self, scene: usize, first: u32, frames: u32, mode: Mode) -> Option<CaptionWindow> {
        let grid = self.format.grid;
        let (start_ms, end_ms) = (grid.ms(first), grid.ms(first + frames));
        let next = self.cues.get(scene + 1).into_iter().flatten();
        let scene_ms = grid.ms(self.timed[scene].frames);
        let cues = self.cues[scene].iter().cloned().chain(next.map(|cue| later(cue, scene_ms)));
        let cues: Vec<Cue> = cues.filter(|cue| cue.start_ms < end_ms && cue.end_ms > start_ms).collect();
        (!cues.is_empty()).then(|| CaptionWindow { cues, start_ms, end_ms, style: self.style.clone(), mode })
    }

    /// All captions, timed from the beginning of the video.
    pub(crate) fn absolute_cues(&self) -> Vec<Cue> {
        from_beginning(&self.timed, &self.cues, self.format.grid)
    }

    /// The sections of the script; the first begins with the video.
    pub(crate) fn chapters(&self) -> Vec<Chapter> {
        let mut chapters = Vec::new();
        for (scene, timed) in self.narration.scenes.iter().zip(&self.timed) {
            let title = match &scene.shot {
                Wish::Section { heading, .. } => heading,
                Wish::Title { title, .. } if chapters.is_empty() => title,
                _ => continue,
            };
            let start_ms = if chapters.is_empty() { 0 } else { self.format.grid.ms(timed.first_frame) };
            chapters.push(Chapter { start_ms, title: title.clone() });
        }
        chapters
    }

    /// What is said and seen when.
    pub(crate) fn scene_facts(&self) -> Vec<SceneFacts> {
        let grid = self.format.grid;
        let scenes = self.narration.scenes.iter().zip(&self.timed).zip(&self.shots);
        let facts = scenes.map(|((scene, timed), shots)| SceneFacts {
            start_ms: grid.ms(timed.first_frame),
            end_ms: grid.ms(timed.first_frame + timed.frames),
            text: scene.sentences.join(" "),
            shows: shots.iter().map(|shot| shown(&shot.picture)).collect(),
        });
        facts.collect()
    }
}

/// The captions of scenes, timed from the beginning of the video.
pub(crate) fn from_beginning(timed: &[TimedScene], cues: &[Vec<Cue>], grid: Grid) -> Vec<Cue> {
    let scenes = timed.iter().zip(cues);
    scenes.flat_map(|(timed, cues)| cues.iter().map(move |cue| later(cue, grid.ms(timed.first_frame)))).collect()
}

fn shown(picture: &ShotPicture) -> String {
    match picture {
        ShotPicture::Clip(ClipShot { source, .. }) | ShotPicture::Still { source, .. } => {
            source.path().display().to_string()
        }
        ShotPicture::Card { .. } => "card".to_owned(),
    }
}

fn later(cue: &Cue, by_ms: u64) -> Cue {
    let mut cue = cue.clone();
    cue.start_ms += by_ms;
    cue.end_ms += by_ms;
    for word in cue.lines.iter_mut().flat_map(|line| &mut line.words) {
        word.start_ms += by_ms;
        word.end_ms += by_ms;
    }
    cue
}

/// Plans a video: speaks it, looks at the footage, and lays everything on the grid.
pub(crate) async fn tell(
    studio: &Studio,
    request: &VideoRequest,
    purpose: Purpose,
    run: &Run,
) -> Result<Storyline, VideosError> {
    let format = Format::of(request, purpose);
    let theme = media::cards::Theme::named(&request.picture.theme)?;
    let style = CaptionStyle::read(&request.captions.style).await?;
    let mut narration = narration::narrate(studio, request, run).await?;
    add_intro_and_outro(&mut narration, request);
    let materials = Materials::gather(&studio.ffmpeg, request, &narration.scenes, run).await?;
    let least: Vec<_> = narration.scenes.iter().map(|scene| least_ms(scene, &materials, request)).collect();
    let timed = time(&narration, request, format.grid, &least);
    let cues = caption(&timed, &style, format.size, format.grid, run).await?;
    let transitions = timeline::transitions(&timed, format.transition_frames);
    let casting = Casting {
        request,
        narration: &narration,
        materials: &materials,
        timed: &timed,
        transitions: &transitions,
        grid: format.grid,
        size: format.size,
    };
    let mut shots = casting.cast()?;
    shots::aim(&mut shots, format.size.ratio(), &studio.ffmpeg, run).await?;
    let stills = shots::reduce_stills(&shots, format.size, theme.palette.ground, run).await?;
    let lengths: Vec<Vec<u32>> = shots.iter().map(|shots| shots.iter().map(|shot| shot.frames).collect()).collect();
    let spans = timeline::lay_shots(&lengths, &transitions);
    Ok(Storyline { narration, materials, format, timed, cues, style, shots, stills, spans })
}

/// The captions of each scene, timed from its beginning.
pub(crate) async fn caption(
    timed: &[TimedScene],
    style: &CaptionStyle,
    size: Size,
    grid: Grid,
    run: &Run,
) -> Result<Vec<Vec<Cue>>, VideosError> {
    let captions = timed.iter().map(|scene| CaptionsInput {
        sentences: scene.sentences.clone(),
        style: style.clone(),
        size,
        scene_ms: grid.ms(scene.frames),
    });
    let made = run.make_all(&Captions, &captions.collect::<Vec<_>>(), FanOut::new(1)).await?;
    Ok(made.into_iter().map(|made| made.output).collect())
}

fn add_intro_and_outro(narration: &mut Narration, request: &VideoRequest) {
    if let Some(intro) = &request.picture.intro {
        narration.scenes.insert(0, Scene::silent(Wish::Media { path: intro.clone() }));
        narration.spoken.insert(0, Vec::new());
    }
    if let Some(outro) = &request.picture.outro {
        narration.scenes.push(Scene::silent(Wish::Media { path: outro.clone() }));
        narration.spoken.push(Vec::new());
    }
}

/// How long a scene stays at least: a silent clip as long as it lasts, less what its transitions take; a card until it
/// has arrived and can be read.
fn least_ms(scene: &Scene, materials: &Materials, request: &VideoRequest) -> u64 {
    let clip_ms = scene.given().filter(|_| scene.sentences.is_empty()).and_then(|path| materials.duration_ms(path));
    match clip_ms {
        Some(clip_ms) => clip_ms.saturating_sub(request.picture.transition_ms.max(100)).max(500),
        None => card_ms(scene),
    }
}

/// How long a card must be seen; nothing for scenes that show footage.
pub(crate) fn card_ms(scene: &Scene) -> u64 {
    match &scene.shot {
        Wish::Open | Wish::Media { .. } if !scene.sentences.is_empty() => 0,
        Wish::Title { .. } | Wish::Section { .. } => SHORT_CARD_MS,
        _ => CARD_MS,
    }
}

/// Lays the narration's scenes on the grid; `least` says how long each stays at least.
pub(crate) fn time(narration: &Narration, request: &VideoRequest, grid: Grid, least: &[u64]) -> Vec<TimedScene> {
    let speech = narration.scenes.iter().zip(&narration.spoken).enumerate().map(|(index, (scene, sentences))| {
        let least_ms = least.get(index).copied().unwrap_or(0);
        SceneSpeech { section: scene.section, paragraph: scene.paragraph, sentences, least_ms }
    });
    timeline::time_scenes(&speech.collect::<Vec<_>>(), request.voice.pauses, grid, &narration.script.lang)
}

/// Length of all scenes together.
pub(crate) fn total_frames(timed: &[TimedScene]) -> u32 {
    timed.last().map_or(0, |scene| scene.first_frame + scene.frames)
}

/// How captions are burnt into the picture; `None` where they are not.
pub(crate) fn caption_mode(request: &VideoRequest) -> Option<Mode> {
    match request.captions.mode {
        CaptionMode::None => None,
        CaptionMode::Line => Some(Mode::Line),
        CaptionMode::Word => Some(Mode::Word),
    }
}
