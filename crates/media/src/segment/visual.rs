//! The part of a graph that turns one input into frames of the result's size, rate and colours.

use super::plan::{Decoding, Denoise, Enhance, Framing, Upscale};
use crate::motion::Rect;
use crate::probe::Matrix;
use crate::{FrameRate, MediaInfo, Size, yuv};

/// What a blurred copy is scaled down by before it is blurred: a blur of a sixty-fourth of the pixels costs next to nothing.
const BLUR_REDUCTION: u32 = 8;
/// As many frames as before, each whole.
const DEINTERLACE: &str = "bwdif=mode=send_frame";
/// Says what the colours are by now.
const BT709: &str = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709";

/// The frame a visual has to fill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Canvas {
    pub(super) size: Size,
    pub(super) fps: FrameRate,
}

/// A clip's part of the plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClipChain<'a> {
    pub(super) info: &'a MediaInfo,
    pub(super) framing: Framing,
    pub(super) speed: f64,
    pub(super) enhance: Enhance,
    /// Frames that may be missing at its end; the last one stands in for them.
    pub(super) spare_frames: u32,
}

impl Canvas {
    /// The filters for `frames` frames of a clip read as `input`, ending in the label `output`.
    pub(super) fn clip(self, input: &str, clip: ClipChain<'_>, frames: u32, output: &str) -> String {
        let info = clip.info;
        let mut filters = Vec::new();
        if info.interlaced {
            filters.push(DEINTERLACE.to_owned());
        }
        let speed = if (clip.speed - 1.0).abs() < 1e-9 { String::new() } else { format!("/{}", clip.speed) };
        filters.push(format!("setpts=(PTS-STARTPTS){speed}"));
        // Frames that are not shown need not be scaled, and those shown twice need not be scaled twice.
        let drops_frames = drops_frames(self.fps, clip);
        let rate = format!("fps={}:start_time=0:round=near", self.fps);
        if drops_frames {
            filters.push(rate.clone());
        }
        filters.extend(mending(clip.enhance));
        let filled = self.framed(&filters.join(","), clip, output);
        let mut end = Vec::new();
        if !drops_frames {
            end.push(rate);
        }
        end.push(format!("tpad=stop={}:stop_mode=clone", clip.spare_frames));
        end.push(timed(frames));
        format!("[{input}]{filled},{}[{output}]", end.join(","))
    }

    /// The filters for `frames` frames drawn at `size`.
    pub(super) fn drawn(self, input: &str, size: Size, frames: u32, output: &str) -> String {
        let scale = if size == self.size {
            String::new()
        } else {
            format!("scale={}:{}:flags=bicubic,setsar=1,", self.size.width, self.size.height)
        };
        format!("[{input}]{scale}{}[{output}]", timed(frames))
    }

    /// `before`, then the picture in the frame. Labels inside are made unique by `name`.
    fn framed(self, before: &str, clip: ClipChain<'_>, name: &str) -> String {
        let Size { width, height } = self.size;
        let colours = Colours::of(clip.info);
        let shown = clip.info.size;
        match clip.framing {
            Framing::Crop(rect) => {
                let crop = crop(clip.info, rect).map_or_else(String::new, |crop| format!(",{crop}"));
                let cropped = if crop.is_empty() { clip.info.stored } else { Size::new(0, 0) };
                format!("{before}{crop}{}", scaled(cropped, self.size, clip.enhance, colours))
            }
            _ if same_shape(shown, self.size) => {
                format!("{before}{}", scaled(clip.info.stored, self.size, clip.enhance, colours))
            }
            Framing::Fit { background } => {
                let inner = fitted(shown, self.size);
                let (left, top) = centred(inner, self.size);
                let scaled = scaled(clip.info.stored, inner, clip.enhance, colours);
                let (y, (u, v)) = (yuv::luma(background), yuv::chroma_of(background));
                // `pad` and `color` turn colours into YUV by BT.601: the values are set here instead.
                format!(
                    "{before}{scaled}[{name}a];color=black:size={width}x{height}:rate={},format=yuv420p,\
                     lutyuv=y={y}:u={u}:v={v},trim=end_frame=1,loop=loop=-1:size=1,setsar=1[{name}b];\
                     [{name}b][{name}a]overlay={left}:{top}:format=yuv420:eval=init:shortest=1",
                    clip_rate(self.fps, clip)
                )
            }
            Framing::Blur => {
                let inner = fitted(shown, self.size);
                let (left, top) = centred(inner, self.size);
                let scaled = scaled(clip.info.stored, inner, clip.enhance, colours);
                let backdrop = self.backdrop(clip.info, colours);
                format!(
                    "{before},split[{name}a][{name}b];[{name}a]{backdrop}[{name}c];[{name}b]copy{scaled}[{name}d];\
                     [{name}c][{name}d]overlay={left}:{top}:format=yuv420:eval=init"
                )
            }
        }
    }

    /// Fills the frame with the middle of the picture, out of focus and darker, so that the picture itself stands out.
    fn backdrop(self, info: &MediaInfo, colours: Colours) -> String {
        let Size { width, height } = self.size;
        let covering = covering(info.size, self.size);
        let crop = crop(info, covering).unwrap_or_else(|| "copy".to_owned());
        let small = |side: u32| (side / BLUR_REDUCTION).next_multiple_of(2).max(8);
        let (small_width, small_height) = (small(width), small(height));
        // The radius must stay inside the chroma planes of the small picture.
        let radius = (small_width.min(small_height) / 4 - 1).min(4);
        format!(
            "{crop},scale={small_width}:{small_height}:flags=area{colours},format=yuv420p,boxblur={radius}:2,\
             lutyuv=y='16+(val-16)*0.75',scale={width}:{height}:flags=bicubic,setsar=1"
        )
    }
}

/// The filters that turn frames of a film into upright ones of `size` with square pixels, in the result's colours.
pub(crate) fn upright(info: &MediaInfo, size: Size) -> Vec<String> {
    let deinterlaced = info.interlaced.then(|| DEINTERLACE.to_owned());
    let colours = scaled(info.stored, size, Enhance::default(), Colours::of(info));
    deinterlaced.into_iter().chain([colours.trim_start_matches(',').to_owned(), BT709.to_owned()]).collect()
}

/// Exactly the wanted frames, with the colours they have by now.
fn timed(frames: u32) -> String {
    format!("trim=end_frame={frames},{BT709}")
}

/// Scaling, colours and pixel format in one filter, or nothing where all of it is right already.
fn scaled(from: Size, to: Size, enhance: Enhance, colours: Colours) -> String {
    if from == to && colours == Colours::RESULT {
        return ",setsar=1".to_owned();
    }
    let flags = match (enhance.decoding, enhance.upscale) {
        (Decoding::Quick, _) => "bilinear",
        (Decoding::Whole, Upscale::Bicubic) => "bicubic",
        (Decoding::Whole, Upscale::Lanczos) => "lanczos+accurate_rnd",
    };
    let tone_map = colours.tone_map();
    let colours = if tone_map.is_empty() { colours } else { Colours::RESULT };
    format!(",scale={}:{}:flags={flags}{colours}{tone_map},format=yuv420p,setsar=1", to.width, to.height)
}

/// The colours a clip comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Colours {
    matrix: Matrix,
    full_range: bool,
    high_dynamic_range: bool,
    eight_bit_420: bool,
}

impl Colours {
    const RESULT: Self =
        Self { matrix: Matrix::Bt709, full_range: false, high_dynamic_range: false, eight_bit_420: true };

    fn of(info: &MediaInfo) -> Self {
        let color = info.color;
        Self {
            matrix: color.matrix,
            full_range: color.full_range,
            high_dynamic_range: color.high_dynamic_range,
            eight_bit_420: info.pix_fmt == "yuv420p",
        }
    }

    /// From linear light to what a normal screen shows (Hable's curve), in the wide primaries of BT.2020 until then.
    fn tone_map(self) -> &'static str {
        if self.high_dynamic_range {
            ",zscale=transfer=linear:npl=100,format=gbrpf32le,zscale=primaries=bt709,tonemap=tonemap=hable:desat=0,\
             zscale=transfer=bt709:matrix=bt709:range=limited"
        } else {
            ""
        }
    }
}

impl std::fmt::Display for Colours {
    /// The options of `scale` that turn them into the result's.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let range = if self.full_range { "full" } else { "limited" };
        let matrix = match self.matrix {
            Matrix::Rgb => return write!(formatter, ":out_color_matrix=bt709:out_range=limited"),
            _ if *self == Self::RESULT => return Ok(()),
            Matrix::Bt601 => "bt601",
            Matrix::Bt709 => "bt709",
            Matrix::Bt2020 => "bt2020",
        };
        write!(formatter, ":in_color_matrix={matrix}:in_range={range}:out_color_matrix=bt709:out_range=limited")
    }
}

/// The rate frames have when they are framed: the result's, or the clip's where that is lower.
fn clip_rate(fps: FrameRate, clip: ClipChain<'_>) -> String {
    if drops_frames(fps, clip) { fps.to_string() } else { format!("{}", clip.info.fps.as_f64() * clip.speed) }
}

fn drops_frames(fps: FrameRate, clip: ClipChain<'_>) -> bool {
    clip.info.fps.as_f64() * clip.speed >= fps.as_f64()
}

fn mending(enhance: Enhance) -> Vec<String> {
    let mut filters = Vec::new();
    if enhance.deblock {
        filters.push("deblock=filter=strong:block=8".to_owned());
    }
    match enhance.denoise {
        Denoise::Off => {}
        Denoise::Light => filters.push("hqdn3d=3:2:4:3".to_owned()),
        Denoise::Strong => filters.push("nlmeans=s=3:p=5:r=9".to_owned()),
    }
    filters
}

/// A part of the picture as shown, in the pixels that are stored; `None` for the whole.
fn crop(info: &MediaInfo, rect: Rect) -> Option<String> {
    let (shown, stored) = (info.size, info.stored);
    if (rect.left, rect.top, rect.width, rect.height) == (0, 0, shown.width, shown.height) {
        return None;
    }
    let scale = |value: u32, from: u32, to: u32| (u64::from(value) * u64::from(to) / u64::from(from.max(1))) as u32;
    let across = |value| scale(value, shown.width, stored.width);
    let down = |value| scale(value, shown.height, stored.height);
    Some(format!(
        "crop={}:{}:{}:{}",
        across(rect.width).max(2),
        down(rect.height).max(2),
        across(rect.left),
        down(rect.top)
    ))
}

/// The middle of `inner` with the shape of `outer`.
fn covering(inner: Size, outer: Size) -> Rect {
    let (width, height) = if inner.ratio() > outer.ratio() {
        ((f64::from(inner.height) * outer.ratio()) as u32, inner.height)
    } else {
        (inner.width, (f64::from(inner.width) / outer.ratio()) as u32)
    };
    let (width, height) = (width.clamp(2, inner.width.max(2)) & !1, height.clamp(2, inner.height.max(2)) & !1);
    let (left, top) = ((inner.width.saturating_sub(width) / 2) & !1, (inner.height.saturating_sub(height) / 2) & !1);
    Rect { left, top, width, height }
}

/// The largest even size with the shape of `inner` inside `outer`.
fn fitted(inner: Size, outer: Size) -> Size {
    let even = |value: f64, limit: u32| ((value / 2.0).round() as u32 * 2).clamp(2, limit);
    if inner.ratio() > outer.ratio() {
        Size::new(outer.width, even(f64::from(outer.width) / inner.ratio(), outer.height))
    } else {
        Size::new(even(f64::from(outer.height) * inner.ratio(), outer.width), outer.height)
    }
}

fn centred(inner: Size, outer: Size) -> (u32, u32) {
    (((outer.width - inner.width) / 2) & !1, ((outer.height - inner.height) / 2) & !1)
}

/// Whether bars of less than two pixels would remain.
fn same_shape(inner: Size, outer: Size) -> bool {
    let fit = fitted(inner, outer);
    outer.width - fit.width <= 2 && outer.height - fit.height <= 2
}
