//! Segments as FFmpeg really makes them: frames counted and measured.

use std::path::{Path, PathBuf};
use std::time::Duration;

use media::encoder::{Codec, Encoder, EncoderSettings, Hardware, Quality, RateControl, choose_encoder};
use media::motion::Rect;
use media::probe::probe;
use media::segment::{
    self, Corner, Decoding, Denoise, Enhance, Framing, SegmentPlan, Transition, TransitionKind, Upscale, Visual,
    Watermark,
};
use media::{Frame, FrameRate, FrameSource, Size};

use crate::fixtures::{Workbench, fact, luma, pixels};

pub(crate) const SIZE: Size = Size::new(128, 96);
pub(crate) const FPS: FrameRate = FrameRate::whole(30);

/// Frames of one luma, which grows by 4 with each.
pub(crate) struct Steps(pub(crate) Size);

impl FrameSource for Steps {
    fn size(&self) -> Size {
        self.0
    }

    fn draw(&mut self, index: u32, frame: &mut Frame) {
        let (luma, u, v) = frame.planes_mut();
        luma.fill(16 + 4 * (index % 50) as u8);
        u.fill(128);
        v.fill(128);
    }
}

/// Frames of one luma.
struct Still(u8);

impl FrameSource for Still {
    fn size(&self) -> Size {
        SIZE
    }

    fn draw(&mut self, _: u32, frame: &mut Frame) {
        let (luma, u, v) = frame.planes_mut();
        luma.fill(self.0);
        u.fill(128);
        v.fill(128);
    }
}

pub(crate) async fn encoder(
    bench: &Workbench,
    codec: Codec,
    quality: Quality,
    rate: RateControl,
    size: Size,
) -> Encoder {
    let settings = EncoderSettings { codec, quality, hardware: Hardware::Off, rate };
    choose_encoder(&bench.ffmpeg, settings, size, FPS).await.unwrap()
}

pub(crate) async fn plan(bench: &Workbench, picture: Visual, frames: u32, name: &str) -> SegmentPlan {
    SegmentPlan {
        size: SIZE,
        fps: FPS,
        frames,
        picture,
        transition: None,
        captions: None,
        overlay: None,
        enhance: Enhance::default(),
        encoder: encoder(bench, Codec::H264, Quality::High, RateControl::Constant, SIZE).await,
        threads: 1,
        output: bench.path(name),
    }
}

pub(crate) async fn encode(bench: &Workbench, plan: SegmentPlan) -> PathBuf {
    let output = plan.output.clone();
    segment::encode(&bench.ffmpeg, plan, &|_| {}).await.unwrap();
    output
}

async fn clip(bench: &Workbench, path: &Path, start_ms: u64, framing: Framing) -> Visual {
    let info = probe(&bench.ffmpeg, path).await.unwrap();
    Visual::Clip { path: path.to_owned(), info, start_ms, framing, speed: 1.0 }
}

fn whole(size: Size) -> Framing {
    Framing::Crop(Rect { left: 0, top: 0, width: size.width, height: size.height })
}

pub(crate) fn drawn(source: impl FrameSource + 'static) -> Visual {
    Visual::Drawn { source: Box::new(source), first_frame: 0 }
}

#[track_caller]
fn assert_near(measured: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(measured.len(), expected.len(), "frames: {measured:?}");
    let near = measured.iter().zip(expected).all(|(measured, expected)| (measured - expected).abs() <= tolerance);
    assert!(near, "measured {measured:?}, expected {expected:?}");
}

#[tokio::test]
async fn a_clip_begins_at_the_exact_frame_and_has_every_frame_once() {
    let bench = Workbench::new().await;
    let source = bench.counter("128x96", 50, "counter.mp4").await;
    for (start_ms, first) in [(0, 0), (33, 1), (400, 12), (434, 13), (1000, 30)] {
        let visual = clip(&bench, &source, start_ms, whole(SIZE)).await;
        let output = encode(&bench, plan(&bench, visual, 15, "a.mp4").await).await;
        let expected: Vec<f64> = (first..first + 15).map(|index| 16.0 + 4.0 * f64::from(index)).collect();
        assert_near(&luma(&bench.ffmpeg, &output).await, &expected, 1.5);
    }
}

#[tokio::test]
async fn the_stream_says_what_players_need() {
    let bench = Workbench::new().await;
    let output = encode(&bench, plan(&bench, drawn(Steps(SIZE)), 20, "a.mp4").await).await;
    let entries = "stream=codec_name,width,height,pix_fmt,color_range,color_space,color_transfer,color_primaries,r_frame_rate,avg_frame_rate,nb_frames";
    let facts = fact(&bench.ffmpeg, &output, entries).await;
    assert_eq!(facts, "h264,128,96,yuv420p,tv,bt709,bt709,bt709,30/1,30/1,20");
    let expected: Vec<f64> = (0..20).map(|index| 16.0 + 4.0 * f64::from(index)).collect();
    assert_near(&luma(&bench.ffmpeg, &output).await, &expected, 1.5);
}

#[tokio::test]
async fn the_same_plan_gives_the_same_bytes_and_leaves_nothing_else() {
    let bench = Workbench::new().await;
    let source = bench.video("192x108", 2, "source.mp4").await;
    let mut results = Vec::new();
    for name in ["a.mp4", "b.mp4"] {
        let visual = clip(&bench, &source, 100, Framing::Blur).await;
        let output = encode(&bench, plan(&bench, visual, 30, name).await).await;
        results.push(std::fs::read(output).unwrap());
    }
    assert!(results[0] == results[1], "the bytes differ");
    let mut names: Vec<_> = std::fs::read_dir(bench.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a.mp4", "b.mp4", "cache", "source.mp4"]);
}

#[tokio::test]
async fn a_fade_takes_the_last_frames_and_in_its_middle_both_scenes_are_half_there() {
    let bench = Workbench::new().await;
    let mut plan = plan(&bench, drawn(Still(60)), 50, "a.mp4").await;
    plan.transition = Some(Transition { to: drawn(Still(180)), kind: TransitionKind::Fade, frames: 20 });
    let output = encode(&bench, plan).await;
    let fade = (0..20).map(|index| 60.0 + 120.0 * f64::from(index) / 20.0);
    let expected: Vec<f64> = std::iter::repeat_n(60.0, 30).chain(fade).collect();
    assert_near(&luma(&bench.ffmpeg, &output).await, &expected, 2.0);
}

#[tokio::test]
async fn both_scenes_go_on_moving_in_every_transition() {
    let bench = Workbench::new().await;
    let source = bench.counter("128x96", 40, "counter.mp4").await;
    let kinds = [
        TransitionKind::Fade,
        TransitionKind::SlideLeft,
        TransitionKind::SlideRight,
        TransitionKind::SlideUp,
        TransitionKind::SlideDown,
        TransitionKind::WipeLeft,
        TransitionKind::WipeRight,
        TransitionKind::WipeUp,
        TransitionKind::WipeDown,
        TransitionKind::ZoomIn,
        TransitionKind::CircleOpen,
        TransitionKind::CircleClose,
    ];
    for kind in kinds {
        let mut plan = plan(&bench, clip(&bench, &source, 0, whole(SIZE)).await, 24, "a.mp4").await;
        let to = Visual::Drawn { source: Box::new(Steps(SIZE)), first_frame: 8 };
        plan.transition = Some(Transition { to, kind, frames: 16 });
        let output = encode(&bench, plan).await;
        // Both show the same steps, so any mixture of them, moved in any way, shows them too.
        let expected: Vec<f64> = (0..24).map(|index| 16.0 + 4.0 * f64::from(index)).collect();
        assert_near(&luma(&bench.ffmpeg, &output).await, &expected, 3.0);
    }
}

#[tokio::test]
async fn a_transition_to_a_clip_that_ends_in_it_stands_still_rather_than_for_ever() {
    let bench = Workbench::new().await;
    let source = bench.counter("128x96", 40, "counter.mp4").await;
    let mut plan = plan(&bench, drawn(Still(16)), 40, "a.mp4").await;
    let to = clip(&bench, &source, 1200, whole(SIZE)).await;
    plan.transition = Some(Transition { to, kind: TransitionKind::Fade, frames: 20 });
    let output = encode(&bench, plan).await;
    let seen = luma(&bench.ffmpeg, &output).await;
    assert_eq!(seen.len(), 40);
    // The last frame of the clip is 16 + 4 × 39, and all but one step of the fade is done.
    assert_near(&seen[39..], &[16.0 + 156.0 * 19.0 / 20.0], 3.0);
}

#[tokio::test]
async fn a_transition_to_nothing_is_an_error_and_not_for_ever() {
    let bench = Workbench::new().await;
    let source = bench.counter("128x96", 40, "counter.mp4").await;
    let mut plan = plan(&bench, drawn(Still(16)), 40, "a.mp4").await;
    let to = clip(&bench, &source, 60_000, whole(SIZE)).await;
    plan.transition = Some(Transition { to, kind: TransitionKind::Fade, frames: 20 });
    let ffmpeg = bench.ffmpeg.with_patience(Duration::from_secs(3));
    let error = segment::encode(&ffmpeg, plan, &|_| {}).await.unwrap_err().to_string();
    assert!(error.contains("no further") || error.contains("ended after"), "{error}");
    assert!(!bench.path("a.mp4").exists());
}

#[tokio::test]
async fn other_rates_speeds_and_endings_still_give_the_wanted_frames() {
    let bench = Workbench::new().await;
    let source = bench
        .generate("-f lavfi -i testsrc2=s=128x96:r=24:d=2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p", "24.mp4")
        .await;
    for (start_ms, frames, speed) in [(0, 60, 1.0), (500, 45, 1.0), (0, 30, 2.0), (0, 119, 0.5)] {
        let info = probe(&bench.ffmpeg, &source).await.unwrap();
        let visual = Visual::Clip { path: source.clone(), info, start_ms, framing: whole(SIZE), speed };
        let output = encode(&bench, plan(&bench, visual, frames, "a.mp4").await).await;
        assert_eq!(fact(&bench.ffmpeg, &output, "stream=nb_frames").await, frames.to_string());
    }
}

#[tokio::test]
async fn a_clip_that_is_too_short_is_an_error_and_leaves_no_file() {
    let bench = Workbench::new().await;
    let source = bench.video("128x96", 1, "short.mp4").await;
    let visual = clip(&bench, &source, 0, whole(SIZE)).await;
    let error = segment::encode(&bench.ffmpeg, plan(&bench, visual, 45, "a.mp4").await, &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("ended after 32 of 45 frames"), "{error}");
    assert!(!bench.path("a.mp4").exists());
}

#[tokio::test]
async fn a_crop_shows_its_part_of_the_picture() {
    let bench = Workbench::new().await;
    let source = "-f lavfi -i color=c=0x202020:s=384x192:r=30:d=1,drawbox=x=192:w=192:c=0xd0d0d0:t=fill";
    let source = bench.generate(&format!("{source} -c:v libx264 -qp 0 -pix_fmt yuv420p"), "halves.mp4").await;
    let mut means = Vec::new();
    for left in [0, 128, 256] {
        let visual = clip(&bench, &source, 0, Framing::Crop(Rect { left, top: 0, width: 128, height: 96 })).await;
        let output = encode(&bench, plan(&bench, visual, 2, "a.mp4").await).await;
        means.push(luma(&bench.ffmpeg, &output).await[0]);
    }
    let middle = f64::midpoint(means[0], means[2]);
    assert!(means[0] < 50.0 && means[2] > 180.0 && (means[1] - middle).abs() < 4.0, "{means:?}");
}

#[tokio::test]
async fn blurred_fill_leaves_no_bars_and_fit_shows_its_colour() {
    let bench = Workbench::new().await;
    let source =
        bench.generate("-f lavfi -i color=c=white:s=256x64:r=30:d=1 -c:v libx264 -pix_fmt yuv420p", "white.mp4").await;
    let visual = clip(&bench, &source, 0, Framing::Blur).await;
    let blurred = encode(&bench, plan(&bench, visual, 2, "a.mp4").await).await;
    let picture = pixels(&bench.ffmpeg, &blurred, SIZE).await;
    let at = |picture: &[u8], x: usize, y: usize| picture[(y * SIZE.width as usize + x) * 3..][..3].to_vec();
    assert!((150..230).contains(&at(&picture, 64, 4)[0]), "the fill is {:?}", at(&picture, 64, 4));
    assert!(at(&picture, 64, 48)[0] > 245, "the picture is {:?}", at(&picture, 64, 48));
    let visual = clip(&bench, &source, 0, Framing::Fit { background: [200, 30, 60] }).await;
    let fitted = encode(&bench, plan(&bench, visual, 2, "b.mp4").await).await;
    let picture = pixels(&bench.ffmpeg, &fitted, SIZE).await;
    let near = |pixel: Vec<u8>, wanted: [i32; 3]| pixel.iter().zip(wanted).all(|(a, b)| (i32::from(*a) - b).abs() < 8);
    assert!(near(at(&picture, 64, 4), [200, 30, 60]), "the fill is {:?}", at(&picture, 64, 4));
    assert!(at(&picture, 64, 48)[0] > 245);
}

#[tokio::test]
async fn colours_of_every_kind_of_source_come_out_the_same() {
    let bench = Workbench::new().await;
    let sources = [
        ("bt709", "format=yuv420p", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace bt709 -color_range tv"),
        (
            "bt601",
            "format=yuv420p",
            "scale=out_color_matrix=bt601:out_range=tv",
            "-colorspace smpte170m -color_range tv",
        ),
        ("full", "format=yuv420p", "scale=out_color_matrix=bt709:out_range=pc", "-colorspace bt709 -color_range pc"),
        (
            "ten-bits",
            "format=yuv420p10le",
            "scale=out_color_matrix=bt709:out_range=tv",
            "-colorspace bt709 -color_range tv",
        ),
        ("dense", "format=yuv444p", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace bt709 -color_range tv"),
    ];
    for (name, format, matrix, tags) in sources {
        let source = format!(
            "-f lavfi -i color=c=0xd04020:s=128x96:r=30:d=1,format=gbrp,{matrix},{format} {tags} -c:v libx264 -qp 4"
        );
        let source = bench.generate(&source, &format!("{name}.mp4")).await;
        let visual = clip(&bench, &source, 0, whole(SIZE)).await;
        let output = encode(&bench, plan(&bench, visual, 2, "a.mp4").await).await;
        let picture = pixels(&bench.ffmpeg, &output, SIZE).await;
        let near = picture[..3].iter().zip([0xd0, 0x40, 0x20]).all(|(a, b)| (i32::from(*a) - b).abs() < 7);
        assert!(near, "{name}: {:?}", &picture[..3]);
    }
}

#[tokio::test]
async fn captions_and_watermark_are_in_the_picture() {
    let bench = Workbench::new().await;
    let captions = bench.path("it's [a] caption, or: not.ass");
    std::fs::write(&captions, ASS).unwrap();
    let mark = bench.path("mark.png");
    image::RgbaImage::from_pixel(64, 64, image::Rgba([0, 255, 0, 255])).save(&mark).unwrap();
    let mut plan = plan(&bench, drawn(Still(16)), 30, "a.mp4").await;
    plan.captions = Some(captions);
    plan.overlay = Some(Watermark { path: mark, corner: Corner::TopRight, opacity: 0.5, width_fraction: 0.25 });
    let output = encode(&bench, plan).await;
    let picture = pixels(&bench.ffmpeg, &output, SIZE).await;
    let (x, y) = (SIZE.width as usize - 20, 20);
    let marked = &picture[(y * SIZE.width as usize + x) * 3..][..3];
    assert!(marked[0] < 20 && (110..145).contains(&marked[1]) && marked[2] < 20, "the mark is {marked:?}");
    let means = luma(&bench.ffmpeg, &output).await;
    // The caption stands from 0.5 s on.
    assert!(means[20] - means[5] > 5.0 && (means[5] - means[0]).abs() < 1.0, "{means:?}");
}

const ASS: &str = "[Script Info]\nScriptType: v4.00+\nPlayResX: 128\nPlayResY: 96\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, \
PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, \
BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\nStyle: D,Noto Sans,40,&H00FFFFFF,&H00FFFFFF,\
&H00000000,&H00000000,-1,0,0,0,100,100,0,0,1,0,0,2,0,0,10,1\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, \
MarginR, MarginV, Effect, Text\nDialogue: 0,0:00:00.50,0:00:09.00,D,,0,0,0,,HHHH\n";

#[tokio::test]
async fn every_mending_filter_and_codec_works() {
    let bench = Workbench::new().await;
    let source = bench.video("64x48", 1, "small.mp4").await;
    let enhance =
        Enhance { denoise: Denoise::Strong, deblock: true, upscale: Upscale::Lanczos, decoding: Decoding::Whole };
    let light = Enhance { denoise: Denoise::Light, ..enhance };
    let quick = Enhance { decoding: Decoding::Quick, ..Enhance::default() };
    let two_pass = RateControl::TwoPass { kilobits: Some(200) };
    let cases = [
        (Codec::H264, RateControl::Constant, enhance),
        (Codec::H264, RateControl::Constant, quick),
        (Codec::H264, two_pass, light),
        (Codec::H265, RateControl::Constant, light),
        (Codec::H265, two_pass, light),
        (Codec::Av1, RateControl::Constant, light),
        (Codec::Vp9, RateControl::Constant, light),
        (Codec::Vp9, two_pass, light),
    ];
    for (codec, rate, enhance) in cases {
        let visual = clip(&bench, &source, 0, whole(Size::new(64, 48))).await;
        let mut plan = plan(&bench, visual, 20, "a.mp4").await;
        plan.encoder = encoder(&bench, codec, Quality::Draft, rate, SIZE).await;
        plan.enhance = enhance;
        let output = encode(&bench, plan).await;
        let name = match codec {
            Codec::H264 => "h264",
            Codec::H265 => "hevc",
            Codec::Av1 => "av1",
            Codec::Vp9 => "vp9",
        };
        assert_eq!(fact(&bench.ffmpeg, &output, "stream=codec_name,nb_frames").await, format!("{name},20"));
    }
}

#[tokio::test]
async fn impossible_plans_are_refused_with_their_reason() {
    let bench = Workbench::new().await;
    let source = bench.video("128x96", 1, "source.mp4").await;
    let outside = clip(&bench, &source, 0, Framing::Crop(Rect { left: 100, top: 0, width: 100, height: 96 })).await;
    let plan_outside = plan(&bench, outside, 10, "a.mp4").await;
    let mut plan_odd = plan(&bench, drawn(Steps(SIZE)), 10, "a.mp4").await;
    plan_odd.size = Size::new(127, 96);
    let plan_empty = plan(&bench, drawn(Steps(SIZE)), 0, "a.mp4").await;
    for (plan, reason) in [(plan_outside, "is not inside"), (plan_odd, "even sides"), (plan_empty, "no frames")] {
        let error = segment::encode(&bench.ffmpeg, plan, &|_| {}).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[tokio::test]
async fn cancelling_a_segment_leaves_nothing_behind() {
    let bench = Workbench::new().await;
    let token = tokio_util::sync::CancellationToken::new();
    let ffmpeg = bench.ffmpeg.cancelled_by(token.clone());
    let plan = plan(&bench, drawn(Steps(SIZE)), 2_000_000, "a.mp4").await;
    let work = tokio::spawn(async move { segment::encode(&ffmpeg, plan, &|_| {}).await });
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    token.cancel();
    let error = work.await.unwrap().unwrap_err();
    assert!(matches!(error, media::MediaError::Cancelled), "{error}");
    let names: Vec<_> =
        std::fs::read_dir(bench.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["cache"]);
}
