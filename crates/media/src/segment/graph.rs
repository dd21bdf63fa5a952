//! The inputs and the one filter graph of a segment.

use std::ffi::OsString;
use std::path::PathBuf;

use super::feed::Content;
use super::plan::{Decoding, Enhance, Framing, Transition, TransitionKind, Visual};
use super::visual::{Canvas, ClipChain};
use super::watermark::Mark;
use crate::captions::burn_filter;
use crate::{FrameRate, MediaError, MediaInfo, Size, ffmpeg};

/// Frames that rounding between a clip's rate and the result's may lose at its end.
const SPARE_FRAMES: u32 = 2;

/// One `-i` of FFmpeg, and how many frames of the result are made of it.
pub(super) struct Input {
    frames: u32,
    source: Source,
}

enum Source {
    Clip { path: PathBuf, info: MediaInfo, start_ms: u64, framing: Framing, speed: f64 },
    Drawn { size: Size },
}

/// A plan without the things that draw: what FFmpeg is told.
pub(super) struct Graph {
    pub(super) canvas: Canvas,
    pub(super) enhance: Enhance,
    pub(super) captions: Option<PathBuf>,
    /// The picture, and what it gives way to.
    pub(super) inputs: Vec<Input>,
    pub(super) transition: Option<Crossing>,
    pub(super) mark: Option<Place>,
    /// The filter that hands frames to the encoder's own memory.
    pub(super) upload: Option<&'static str>,
}

/// How the first picture gives way to the second, at the end of the segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crossing {
    kind: TransitionKind,
    first_frame: u32,
    frames: u32,
}

/// Where the watermark stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    size: Size,
    left: u32,
    top: u32,
}

/// Parts pictures and watermark into what FFmpeg is told and what is fed to it, in the order of its inputs.
pub(super) fn split(
    picture: Visual,
    transition: Option<Transition>,
    mark: Option<Mark>,
    frames: u32,
) -> (Vec<Input>, Option<Crossing>, Option<Place>, Vec<Content>) {
    let mut visuals = vec![(picture, frames)];
    let crossing = transition.map(|Transition { to, kind, frames: last }| {
        visuals.push((to, last));
        Crossing { kind, first_frame: frames - last, frames: last }
    });
    let mut contents = Vec::new();
    let mut inputs = Vec::new();
    for (visual, frames) in visuals {
        let source = match visual {
            Visual::Clip { path, info, start_ms, framing, speed } => {
                Source::Clip { path, info, start_ms, framing, speed }
            }
            Visual::Drawn { source, first_frame } => {
                let size = source.size();
                contents.push(Content::Moving { source, first_frame, frames });
                Source::Drawn { size }
            }
        };
        inputs.push(Input { frames, source });
    }
    let place = mark.map(|mark| {
        contents.push(Content::Still(mark.rgba));
        Place { size: mark.size, left: mark.left, top: mark.top }
    });
    (inputs, crossing, place, contents)
}

impl Graph {
    /// The inputs and the graph, ending in the label `out`. `pipes` are the numbers of the pipes for what is fed, in order.
    pub(super) fn arguments(&self, pipes: &[i32]) -> Result<Vec<OsString>, MediaError> {
        let mut pipes = pipes.iter();
        let mut pipe = || pipes.next().copied().ok_or_else(|| MediaError::Invalid("a picture has no pipe".into()));
        let mut arguments: Vec<OsString> = Vec::new();
        for input in &self.inputs {
            match &input.source {
                Source::Clip { path, info, start_ms, .. } => {
                    let seconds = format!("{:.6}", seek_seconds(*start_ms, info.fps));
                    if self.enhance.decoding == Decoding::Quick {
                        ffmpeg::extend(&mut arguments, ["-skip_frame", "bidir", "-skip_loop_filter", "all"]);
                    }
                    ffmpeg::extend(&mut arguments, ["-threads", "1", "-ss", &seconds, "-an", "-sn", "-dn"]);
                    arguments.extend(ffmpeg::input(path));
                }
                Source::Drawn { size } => {
                    let format = ["-f", "rawvideo", "-pix_fmt", "yuv420p"];
                    arguments.extend(raw_input(format, *size, self.canvas.fps, pipe()?));
                }
            }
        }
        if let Some(place) = self.mark {
            let format = ["-f", "rawvideo", "-pix_fmt", "rgba"];
            arguments.extend(raw_input(format, place.size, self.canvas.fps, pipe()?));
        }
        ffmpeg::extend(&mut arguments, ["-filter_complex_threads", "1", "-filter_complex"]);
        arguments.push(self.filters()?.into());
        Ok(arguments)
    }

    fn filters(&self) -> Result<String, MediaError> {
        let mut chains = Vec::new();
        for (index, input) in self.inputs.iter().enumerate() {
            let label = format!("v{index}");
            let frames = input.frames;
            chains.push(match &input.source {
                Source::Clip { info, framing, speed, .. } => {
                    // A transition to what ends before it never ends in FFmpeg 5.1; the next segment finds what is missing.
                    let spare_frames = if index == 0 { SPARE_FRAMES } else { frames };
                    let clip =
                        ClipChain { info, framing: *framing, speed: *speed, enhance: self.enhance, spare_frames };
                    self.canvas.clip(&format!("{index}:{}", info.stream), clip, frames, &label)
                }
                Source::Drawn { size } => self.canvas.drawn(&format!("{index}:0"), *size, frames, &label),
            });
        }
        let mut last = "[v0]";
        if let Some(Crossing { kind, first_frame, frames }) = self.transition {
            let seconds = |frames: u32| self.canvas.fps.frame_start_us(u64::from(frames)) as f64 / 1e6;
            let (duration, offset) = (seconds(frames), seconds(first_frame));
            chains.push(format!("[v0][v1]xfade=transition={}:duration={duration}:offset={offset}[x]", kind.name()));
            last = "[x]";
        }
        if let Some(place) = self.mark {
            let index = self.inputs.len();
            chains.push(format!("[{index}:0]scale=out_color_matrix=bt709:out_range=limited,format=yuva420p[m]"));
            let at = format!("{}:{}", place.left, place.top);
            chains.push(format!("{last}[m]overlay={at}:format=yuv420:eval=init:eof_action=repeat[o]"));
            last = "[o]";
        }
        let mut end = match &self.captions {
            Some(path) => burn_filter(path)?,
            None => "null".to_owned(),
        };
        if let Some(upload) = self.upload {
            end.push(',');
            end.push_str(upload);
        }
        chains.push(format!("{last}{end}[out]"));
        Ok(chains.join(";"))
    }
}

/// Half a frame of the clip before the wanted time, so that the frame nearest to it is the first that is kept.
fn seek_seconds(start_ms: u64, fps: FrameRate) -> f64 {
    (start_ms as f64 / 1000.0 - 0.5 / fps.as_f64()).max(0.0)
}

fn raw_input(format: [&str; 4], size: Size, fps: FrameRate, pipe: i32) -> Vec<OsString> {
    let mut arguments = ffmpeg::limits("rawvideo");
    let (size, fps, pipe) = (format!("{}x{}", size.width, size.height), fps.to_string(), format!("pipe:{pipe}"));
    ffmpeg::extend(&mut arguments, format);
    ffmpeg::extend(&mut arguments, ["-thread_queue_size", "2", "-video_size", &size, "-framerate", &fps, "-i", &pipe]);
    arguments
}
