//! How a video is made, stage by stage: read this first.
//!
//! script → voice → captions → footage → segments and sound → assemble → check

use kernel::ErrorKind;
use media::{
    FrameRate, Size,
    assemble::Container,
    captions::{Cue, Mode, Style},
    check::CheckReport,
    encoder::{self, Encoder},
    segment::TransitionKind,
};
use pipeline::{FanOut, FileRef, ProgressPlan, Run};

use crate::{
    VideosError,
    narration::{self, Narration},
    otio,
    outputs::{Production, VIDEO_NAME, VideoFacts},
    publishing,
    request::{Transition, VideoRequest},
    score::Score,
    service::Studio,
    stages::{
        assemble::{Assemble, AssembleInput},
        captions::CaptionStyle,
        check::{Check, CheckInput},
        cover::{Backdrop, Cover, CoverInput},
        mix::MixedSound,
        segment::{Canvas, Crossing, EncodedSegment, Mark, SegmentInput},
    },
    storyline::{Storyline, caption, caption_mode, from_beginning, tell, time, total_frames},
    timeline::{Grid, ShotSpan, TimedScene},
};

/// The stages and their usual shares of the time.
pub fn plan() -> ProgressPlan {
    ProgressPlan::new([
        ("voice", 2.0),
        ("captions", 0.5),
        ("footage", 2.0),
        ("subjects", 1.0),
        ("stills", 1.0),
        ("sound", 1.0),
        ("segments", 80.0),
        ("mix", 4.0),
        ("encode-sound", 2.0),
        ("assemble", 1.0),
        ("check", 2.0),
        ("cover", 0.5),
    ])
}

/// The stages of a draft, which a person looks at: it is neither measured nor has it a cover.
pub fn draft_plan() -> ProgressPlan {
    ProgressPlan::new([
        ("voice", 10.0),
        ("captions", 0.5),
        ("footage", 8.0),
        ("subjects", 8.0),
        ("stills", 4.0),
        ("sound", 2.0),
        ("segments", 60.0),
        ("mix", 8.0),
        ("encode-sound", 6.0),
        ("assemble", 1.0),
    ])
}

/// The stages of a narration.
pub fn narration_plan() -> ProgressPlan {
    ProgressPlan::new([("voice", 2.0), ("sound", 1.0), ("mix", 3.0)])
}

/// The stages of subtitles alone.
pub fn subtitles_plan() -> ProgressPlan {
    ProgressPlan::new([("voice", 3.0), ("captions", 1.0)])
}

/// The stages of who helps another make a video.
pub(crate) fn helping_plan() -> ProgressPlan {
    ProgressPlan::new([("segments", 1.0)])
}

/// What is made of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The video itself.
    Final,
    /// Small and quick, to be looked at before the video is made.
    Draft,
}

/// Ticks a second of a narration without pictures.
const SOUND_TICKS: u32 = 100;

/// A video encoded and joined, not measured yet.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub story: Storyline,
    pub video: FileRef,
    encoder: Encoder,
    segments: Vec<EncodedSegment>,
    sound: MixedSound,
}

/// Encodes a video; nothing that was made before is made again.
pub(crate) async fn render(
    studio: &Studio,
    request: &VideoRequest,
    purpose: Purpose,
    container: Container,
    run: &Run,
) -> Result<Rendered, VideosError> {
    let story = tell(studio, request, purpose, run).await?;
    let score = Score { studio, request, run };
    let ((encoder, segments), (sound, track)) =
        tokio::try_join!(encode(studio, request, &story, run), score.track(&story, container))?;
    let frames = story.pieces().map(|(_, span)| span.piece_frames());
    let input = AssembleInput {
        segments: segments.iter().map(|segment| segment.file.clone()).zip(frames).collect(),
        sound: track,
        chapters: story.chapters(),
        fps: story.format.grid.fps,
        frames: story.total_frames(),
        title: story.narration.script.title.clone(),
        lang: story.narration.script.lang.clone(),
        credits: request.credits.clone(),
        container,
        ffmpeg: studio.ffmpeg.fingerprint().to_owned(),
    };
    let video = run.make(&Assemble { ffmpeg: studio.ffmpeg.clone() }, &input).await?.output;
    Ok(Rendered { story, video, encoder, segments, sound })
}

/// Makes a video and everything that belongs to it, and measures it.
pub(crate) async fn produce(
    studio: &Studio,
    request: &VideoRequest,
    container: Container,
    run: &Run,
) -> Result<Production, VideosError> {
    let rendered = render(studio, request, Purpose::Final, container, run).await?;
    let Rendered { story, video, encoder, segments, sound } = rendered;
    let check = CheckInput {
        video: video.clone(),
        frames: story.total_frames(),
        size: story.format.size,
        fps: story.format.grid.fps,
        segments: story.piece_starts_ms().into_iter().zip(segments.into_iter().map(|segment| segment.check)).collect(),
        silent: sound.report.integrated_lufs.is_none(),
    };
    let cover = cover_input(request, &story);
    let (checked, cover) = tokio::try_join!(
        async { run.make(&Check { ffmpeg: studio.ffmpeg.clone() }, &check).await.map_err(VideosError::from) },
        async { run.make(&Cover { ffmpeg: studio.ffmpeg.clone() }, &cover).await.map_err(VideosError::from) },
    )?;
    if !checked.output.failures.is_empty() {
        let failures = checked.output.failures;
        return Err(VideosError::CheckFailed { video: Some(video), failures, aside: None });
    }
    Ok(Production {
        video,
        cover: cover.output,
        cues: story.absolute_cues(),
        caption_style: story.style.parse()?,
        caption_mode: caption_mode(request).unwrap_or(Mode::Line),
        timeline: otio::timeline(&story, VIDEO_NAME),
        facts: facts(request, &story, &encoder, checked.output.report),
    })
}

/// A script read aloud, without pictures.
#[derive(Debug, Clone)]
pub struct Narrated {
    pub sound: MixedSound,
    pub title: Option<String>,
    pub lang: kernel::Lang,
    pub duration_ms: u64,
    pub left_out: Vec<String>,
}

/// The captions of a script that is read aloud, without sound or pictures.
#[derive(Debug, Clone)]
pub(crate) struct Captioned {
    /// Timed from the beginning of the narration.
    pub cues: Vec<Cue>,
    pub style: Style,
    pub mode: Mode,
    /// The frame that they are laid out for.
    pub size: Size,
    pub duration_ms: u64,
    pub left_out: Vec<String>,
}

/// Captions a script as [`narrate_only`] reads it aloud.
pub(crate) async fn caption_only(studio: &Studio, request: &VideoRequest, run: &Run) -> Result<Captioned, VideosError> {
    let style = CaptionStyle::read(&request.captions.style).await?;
    let (narration, timed, grid) = read_aloud(studio, request, run).await?;
    let size = request.picture.aspect.size();
    let cues = caption(&timed, &style, size, grid, run).await?;
    Ok(Captioned {
        cues: from_beginning(&timed, &cues, grid),
        style: style.parse()?,
        mode: caption_mode(request).unwrap_or(Mode::Line),
        size,
        duration_ms: grid.ms(total_frames(&timed)),
        left_out: narration.script.left_out,
    })
}

/// What is said, without scenes that say nothing, and when.
async fn read_aloud(
    studio: &Studio,
    request: &VideoRequest,
    run: &Run,
) -> Result<(Narration, Vec<TimedScene>, Grid), VideosError> {
    let narration = narration::narrate(studio, request, run).await?;
    let grid = Grid { fps: SOUND_TICKS };
    let spoken = narration.scenes.iter().zip(&narration.spoken).filter(|(_, spoken)| !spoken.is_empty());
    let (scenes, sentences): (Vec<_>, Vec<_>) = spoken.map(|(scene, spoken)| (scene.clone(), spoken.clone())).unzip();
    let narration = Narration { scenes, spoken: sentences, ..narration };
    let timed = time(&narration, request, grid, &[]);
    Ok((narration, timed, grid))
}

/// Reads a script aloud.
pub async fn narrate_only(studio: &Studio, request: &VideoRequest, run: &Run) -> Result<Narrated, VideosError> {
    let (narration, timed, grid) = read_aloud(studio, request, run).await?;
    let sound = Score { studio, request, run }.mix(&narration, &timed, grid).await?;
    Ok(Narrated {
        sound,
        duration_ms: grid.ms(total_frames(&timed)),
        left_out: narration.script.left_out,
        title: narration.script.title,
        lang: narration.script.lang,
    })
}

/// The pieces of the video, encoded by as many processors as there are. Where the graphics card fails on the way, all
/// are made by the processor instead, since only equal encoders make pieces that can be joined.
async fn encode(
    studio: &Studio,
    request: &VideoRequest,
    story: &Storyline,
    run: &Run,
) -> Result<(Encoder, Vec<EncodedSegment>), VideosError> {
    let format = story.format;
    let rate = FrameRate::whole(format.grid.fps);
    let encoder = encoder::choose_encoder(&studio.ffmpeg, format.encoding, format.size, rate).await?;
    match encode_with(&encoder, studio, request, story, run).await {
        Err(VideosError::Stage(error)) if encoder.is_hardware() && error.kind() == ErrorKind::Internal => {
            tracing::warn!(%error, "the graphics card failed; encoding begins again without it");
            let Some(encoder) = encoder::fall_back(&studio.ffmpeg, &encoder).await else { return Err(error.into()) };
            let segments = encode_with(&encoder, studio, request, story, run).await?;
            Ok((encoder, segments))
        }
        segments => segments.map(|segments| (encoder, segments)),
    }
}

async fn encode_with(
    encoder: &Encoder,
    studio: &Studio,
    request: &VideoRequest,
    story: &Storyline,
    run: &Run,
) -> Result<Vec<EncodedSegment>, VideosError> {
    let watermark = match &request.picture.watermark {
        None => None,
        Some(mark) => Some(Mark { source: run.import(&mark.file).await?, corner: mark.corner, opacity: mark.opacity }),
    };
    let canvas = Canvas {
        size: story.format.size,
        fps: story.format.grid.fps,
        theme: request.picture.theme.clone(),
        lang: story.narration.script.lang.clone(),
        watermark,
        enhance: story.format.enhance,
        encoder: encoder.clone(),
        ffmpeg: studio.ffmpeg.fingerprint().to_owned(),
    };
    let mode = caption_mode(request);
    let piece = |(index, span): (usize, &ShotSpan)| {
        let transition = (span.transition_out > 0).then(|| Crossing {
            to: story.look(&story.spans[index + 1], 0),
            kind: transition_kind(request, index),
            frames: span.transition_out,
        });
        let (frames, first) = (span.piece_frames(), span.offset + span.transition_in / 2);
        let captions = mode.and_then(|mode| story.captions(span.scene, first, frames, mode));
        SegmentInput {
            canvas: canvas.clone(),
            frames,
            look: story.look(span, span.transition_in),
            transition,
            captions,
        }
    };
    let inputs: Vec<_> = story.pieces().map(piece).collect();
    let stage = studio.segments();
    let fan_out = FanOut::new(studio.jobs).longest_first(|input: &SegmentInput| f64::from(input.frames));
    let segments = run.make_all_together(&stage, &inputs, fan_out).await?;
    Ok(segments.into_iter().map(|made| made.output).collect())
}

/// The transition at the cut after a shot; the seed varies direction and, where asked, kind.
fn transition_kind(request: &VideoRequest, cut: usize) -> TransitionKind {
    use TransitionKind as Kind;
    const SLIDES: [Kind; 3] = [Kind::SlideLeft, Kind::SlideUp, Kind::SlideRight];
    const WIPES: [Kind; 3] = [Kind::WipeLeft, Kind::WipeUp, Kind::WipeRight];
    const ALL: [Kind; 6] = [Kind::Fade, Kind::SlideLeft, Kind::WipeUp, Kind::ZoomIn, Kind::SlideUp, Kind::WipeLeft];
    let turn = request.seed.wrapping_mul(7).wrapping_add(cut as u64) as usize;
    match request.picture.transition {
        Transition::None | Transition::Fade => Kind::Fade,
        Transition::Slide => SLIDES[turn % SLIDES.len()],
        Transition::Wipe => WIPES[turn % WIPES.len()],
        Transition::Zoom => Kind::ZoomIn,
        Transition::Shuffle => ALL[turn % ALL.len()],
    }
}

fn cover_input(request: &VideoRequest, story: &Storyline) -> CoverInput {
    CoverInput {
        title: story.narration.script.title.clone().unwrap_or_default(),
        theme: request.picture.theme.clone(),
        lang: story.narration.script.lang.clone(),
        size: request.picture.aspect.size(),
        backdrop: story.shots.iter().flatten().find_map(|shot| Backdrop::of(&shot.picture, &story.stills)),
    }
}

fn facts(request: &VideoRequest, story: &Storyline, encoder: &Encoder, check: CheckReport) -> VideoFacts {
    let script = &story.narration.script;
    VideoFacts {
        title: script.title.clone(),
        description: request.description.clone().unwrap_or_else(|| publishing::description(script)),
        hashtags: if request.hashtags.is_empty() {
            publishing::hashtags(&story.narration.scenes)
        } else {
            request.hashtags.clone()
        },
        lang: script.lang.clone(),
        voice: story.narration.voice.id.clone(),
        theme: request.picture.theme.clone(),
        size: story.format.size,
        fps: story.format.grid.fps,
        duration_ms: story.format.grid.ms(story.total_frames()),
        encoder: encoder.name().to_owned(),
        chapters: story.chapters(),
        scenes: story.scene_facts(),
        credits: request.credits.clone(),
        left_out: script.left_out.clone(),
        seed: request.seed,
        check,
    }
}
