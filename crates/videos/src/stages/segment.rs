//! A piece of the video, a shot and its transition to the next, is drawn, captioned and encoded, once.

use std::sync::Arc;

use kernel::Lang;
use media::{
    Ffmpeg, FrameRate, FrameSource, MediaError, Size, StillLimits, Timing,
    captions::{self, Cue, Mode, Setting},
    cards::{Card, CardRequest, CardSource, Theme},
    check::{self, SegmentCheck},
    encoder::{self, Encoder},
    motion::KenBurns,
    segment::{self, Corner, Decoding, Enhance, Framing, SegmentPlan, Transition, TransitionKind, Visual, Watermark},
    still::load_still,
};
use pipeline::{Advance, FileRef, SharedStage, SourceRef, Stage, StageContext, StageError};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::{captions::CaptionStyle, computing, media_failure};
use crate::shots::{ClipFraming, ClipShot};

/// Memory of an encoder, its filters and its decoders, for each pixel of the frame, measured at 1080 × 1920.
const BYTES_PER_PIXEL: u64 = 110;
/// Width of a watermark over the frame's.
const WATERMARK_WIDTH: f32 = 0.14;

/// Encodes pieces.
#[derive(Debug)]
pub(crate) struct Segment {
    pub ffmpeg: Ffmpeg,
    /// The places of this process for pieces in work: another's and one's own share them.
    pub places: Arc<Semaphore>,
}

/// A piece of the video, and all that decides its pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentInput {
    pub canvas: Canvas,
    pub frames: u32,
    pub look: Look,
    pub transition: Option<Crossing>,
    pub captions: Option<CaptionWindow>,
}

/// What all pieces of a video share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Canvas {
    pub size: Size,
    pub fps: u32,
    pub theme: String,
    pub lang: Lang,
    pub watermark: Option<Mark>,
    pub enhance: Enhance,
    pub encoder: Encoder,
    /// The program that encodes: another version may encode otherwise.
    pub ffmpeg: String,
}

/// A picture laid over everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub source: SourceRef,
    pub corner: Corner,
    pub opacity: f32,
}

/// What the last frames of a piece give way to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Crossing {
    pub to: Look,
    pub kind: TransitionKind,
    pub frames: u32,
}

/// Part of the time that a picture is seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Look {
    pub picture: Picture,
    /// Where the part begins, counted from when the picture begins to be seen.
    pub first_frame: u32,
}

/// A shot's picture and all that decides how it looks. How long a drawn one is seen in all decides how it moves; a clip
/// moves by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Picture {
    Clip(ClipShot),
    /// What [`super::still::Reduce`] made of a still.
    Still {
        file: FileRef,
        seed: u64,
        visible_frames: u32,
    },
    Card {
        card: Card,
        seed: u64,
        visible_frames: u32,
    },
}

/// The captions of a piece, and which stretch of their time it covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CaptionWindow {
    pub cues: Vec<Cue>,
    pub start_ms: u64,
    pub end_ms: u64,
    pub style: CaptionStyle,
    pub mode: Mode,
}

/// An encoded piece.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EncodedSegment {
    pub file: FileRef,
    pub check: SegmentCheck,
}

impl Stage for Segment {
    type Input = SegmentInput;
    type Output = EncodedSegment;

    fn name(&self) -> &'static str {
        "segments"
    }

    fn version(&self) -> u32 {
        2
    }

    async fn run(&self, input: &SegmentInput, context: &StageContext) -> Result<EncodedSegment, StageError> {
        let size = input.canvas.size;
        // Never closed.
        let _place = self.places.acquire().await;
        let _memory = context.memory(u64::from(size.width) * u64::from(size.height) * BYTES_PER_PIXEL).await?;
        let captions = context.temp_file("ass")?;
        let captions = write_captions(input, captions.path()).await?.then_some(captions);
        let file = context.temp_file("mp4")?;
        let plan = SegmentPlan {
            size,
            fps: FrameRate::whole(input.canvas.fps),
            frames: input.frames,
            picture: visual(&input.look, &input.canvas, context).await?,
            transition: transition(input, context).await?,
            captions: captions.as_ref().map(|file| file.path().to_owned()),
            overlay: watermark(input, context).await?,
            enhance: input.canvas.enhance,
            encoder: input.canvas.encoder.clone(),
            threads: 1,
            output: file.path().to_owned(),
        };
        let ffmpeg = self.ffmpeg.cancelled_by(context.cancellation().clone());
        let (progress, total) = (context.progress().clone(), f64::from(input.frames));
        let report = move |done: media::ffmpeg::Progress| {
            progress.advance(Advance::to(f64::from(done.frames) / total).speed(done.speed));
        };
        segment::encode(&ffmpeg, plan, &report).await.map_err(media_failure)?;
        let mut check = SegmentCheck::default();
        // A draft is looked at by a person.
        if input.canvas.enhance.decoding == Decoding::Whole {
            let rate = FrameRate::whole(input.canvas.fps);
            let seen = check::check_segment(&ffmpeg, file.path(), input.frames, rate).await.map_err(media_failure)?;
            // Cards may be dark and calm; footage that is has failed.
            if matches!(input.look.picture, Picture::Clip(_)) {
                check = seen;
            }
        }
        let file = context.keep(file).await?;
        context.progress().advance(Advance::to(1.0).preview(context.path(&file)));
        Ok(EncodedSegment { file, check })
    }
}

impl SharedStage for Segment {
    fn sources<'a>(&self, input: &'a SegmentInput) -> Vec<&'a SourceRef> {
        let looks = std::iter::once(&input.look).chain(input.transition.as_ref().map(|crossing| &crossing.to));
        let clips = looks.filter_map(|look| match &look.picture {
            Picture::Clip(clip) => Some(&clip.source),
            Picture::Still { .. } | Picture::Card { .. } => None,
        });
        clips.chain(input.canvas.watermark.as_ref().map(|mark| &mark.source)).collect()
    }

    async fn can_make(&self, input: &SegmentInput) -> Result<bool, StageError> {
        if input.canvas.ffmpeg != self.ffmpeg.fingerprint() {
            return Ok(false);
        }
        encoder::is_chosen_here(&self.ffmpeg, &input.canvas.encoder).await.map_err(media_failure)
    }
}

/// Writes the captions of the piece; false when nothing is shown.
async fn write_captions(input: &SegmentInput, path: &std::path::Path) -> Result<bool, StageError> {
    let Some(window) = input.captions.clone() else { return Ok(false) };
    let frame = input.canvas.size;
    let text = computing(move || {
        let style = window.style.parse()?;
        let setting = Setting { style: &style, mode: window.mode, frame };
        captions::ass_window(&window.cues, &setting, window.start_ms..window.end_ms)
    })
    .await?;
    let Some(text) = text else { return Ok(false) };
    tokio::fs::write(path, text).await.map_err(|error| media_failure(MediaError::io(path, error)))?;
    Ok(true)
}

async fn transition(input: &SegmentInput, context: &StageContext) -> Result<Option<Transition>, StageError> {
    let Some(Crossing { to, kind, frames }) = &input.transition else { return Ok(None) };
    Ok(Some(Transition { to: visual(to, &input.canvas, context).await?, kind: *kind, frames: *frames }))
}

async fn visual(look: &Look, canvas: &Canvas, context: &StageContext) -> Result<Visual, StageError> {
    let first_frame = look.first_frame;
    let timing = |total_frames| Timing { total_frames, fps: f64::from(canvas.fps) };
    let theme = Theme::named(&canvas.theme).map_err(media_failure)?;
    let source: Box<dyn FrameSource> = match look.picture.clone() {
        Picture::Clip(ClipShot { source, info, start_ms, framing, speed }) => {
            let into_ms = f64::from(first_frame) * 1000.0 / f64::from(canvas.fps) * speed;
            let framing = match framing {
                ClipFraming::Crop(rect) => Framing::Crop(rect),
                ClipFraming::Blur => Framing::Blur,
                ClipFraming::Fit => Framing::Fit { background: theme.palette.ground },
            };
            let path = context.source_path(&source).await?;
            return Ok(Visual::Clip { path, info, start_ms: start_ms + into_ms.round() as u64, framing, speed });
        }
        Picture::Still { file, seed, visible_frames } => {
            let (path, size, timing) = (context.path(&file), canvas.size, timing(visible_frames));
            let limits = StillLimits::default();
            computing(move || Ok(Box::new(KenBurns::new(&load_still(&path, &limits)?, size, timing, seed)?))).await?
        }
        Picture::Card { card, seed, visible_frames } => {
            let (size, lang, timing) = (canvas.size, canvas.lang.clone(), timing(visible_frames));
            computing(move || {
                let request = CardRequest { card: &card, theme, size, timing, seed, lang: &lang };
                Ok(Box::new(CardSource::new(&request)?))
            })
            .await?
        }
    };
    Ok(Visual::Drawn { source, first_frame })
}

async fn watermark(input: &SegmentInput, context: &StageContext) -> Result<Option<Watermark>, StageError> {
    let Some(mark) = &input.canvas.watermark else { return Ok(None) };
    let path = context.source_path(&mark.source).await?;
    Ok(Some(Watermark { path, corner: mark.corner, opacity: mark.opacity, width_fraction: WATERMARK_WIDTH }))
}
