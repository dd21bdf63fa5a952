//! Segments joined to a file that plays, and the checks that tell a good one from a bad one.

use std::path::{Path, PathBuf};

use kernel::Lang;
use media::assemble::{Assembly, Chapter, Container, assemble};
use media::audio::{SoundFile, encode_aac};
use media::check::{Expected, check_segment, check_video};
use media::encoder::{Codec, Quality, RateControl};
use media::process::Command;
use media::thumbnails::{Precision, thumbnails};
use media::{Frame, FrameRate, FrameSource, Size};

use crate::fixtures::{Workbench, fact, luma};
use crate::segment::{FPS, SIZE, Steps, drawn, encode, encoder, plan};

/// Segments of these many frames, each counting its luma up from the start.
async fn segments(bench: &Workbench, lengths: &[u32], codec: Codec) -> Vec<(PathBuf, u32)> {
    let mut paths = Vec::new();
    for (index, frames) in lengths.iter().enumerate() {
        let mut plan = plan(bench, drawn(Steps(SIZE)), *frames, &format!("segment-{index}.mp4")).await;
        plan.encoder = encoder(bench, codec, Quality::Standard, RateControl::Constant, SIZE).await;
        paths.push((encode(bench, plan).await, *frames));
    }
    paths
}

async fn joined(bench: &Workbench, lengths: &[u32], codec: Codec, name: &str) -> PathBuf {
    let segments = segments(bench, lengths, codec).await;
    join(bench, &segments, name).await
}

async fn join(bench: &Workbench, segments: &[(PathBuf, u32)], name: &str) -> PathBuf {
    let sound = tone(bench, segments).await;
    join_with(bench, segments, &SoundFile::Wav(sound), name).await
}

/// A tone as long as the segments.
async fn tone(bench: &Workbench, segments: &[(PathBuf, u32)]) -> PathBuf {
    let frames: u32 = segments.iter().map(|(_, frames)| frames).sum();
    let seconds = f64::from(frames) / 30.0;
    let tone = format!("-f lavfi -i sine=f=330:r=48000 -af volume=-2dB -ac 2 -t {seconds:.6}");
    bench.generate(&tone, "sound.wav").await
}

async fn join_with(bench: &Workbench, segments: &[(PathBuf, u32)], sound: &SoundFile, name: &str) -> PathBuf {
    let frames = segments.iter().map(|(_, frames)| frames).sum();
    let chapters =
        [Chapter { start_ms: 0, title: "One".into() }, Chapter { start_ms: 400, title: "T=wo; #2\n[CHAPTER]".into() }];
    let assembly = Assembly {
        segments,
        sound,
        fps: FPS,
        frames,
        chapters: &chapters,
        title: Some("A title: it's 100 %"),
        credits: &[],
        lang: &"de".parse::<Lang>().unwrap(),
        container: Container::of(Path::new(name)).unwrap(),
    };
    let output = bench.path(name);
    assemble(&bench.ffmpeg, assembly, &output, &|_| {}).await.unwrap();
    output
}

async fn decodes_strictly(bench: &Workbench, path: &Path) {
    let command = Command::new(bench.ffmpeg.path()).args([
        "-nostdin",
        "-v",
        "warning",
        "-xerror",
        "-err_detect",
        "explode",
        "-i",
    ]);
    let output = command.arg(path).args(["-fps_mode", "passthrough", "-f", "null", "-"]).run().await.unwrap();
    assert_eq!(output.stderr, "", "{}", path.display());
}

#[tokio::test]
async fn sound_that_was_encoded_before_lies_where_sound_encoded_on_the_way_does() {
    let bench = Workbench::new().await;
    let segments = segments(&bench, &[20, 17], Codec::H264).await;
    let wav = tone(&bench, &segments).await;
    let packets = bench.path("sound.aac");
    encode_aac(&bench.ffmpeg, &wav, &packets).await.unwrap();
    let before =
        join_with(&bench, &segments, &SoundFile::Aac { path: packets, samples: 37 * 1600 }, "before.mp4").await;
    let meanwhile = join_with(&bench, &segments, &SoundFile::Wav(wav), "meanwhile.mp4").await;
    decodes_strictly(&bench, &before).await;
    let entries = "packet=stream_index,pts_time,duration_time";
    assert_eq!(fact(&bench.ffmpeg, &before, entries).await, fact(&bench.ffmpeg, &meanwhile, entries).await);
    let sound = async |path: &Path| {
        let command = Command::new(bench.ffmpeg.path()).args(["-nostdin", "-v", "error", "-i"]).arg(path);
        command.args(["-map", "0:a", "-f", "s16le", "-"]).run().await.unwrap().stdout
    };
    let (before, meanwhile) = (sound(&before).await, sound(&meanwhile).await);
    assert!(before.len() >= 37 * 1600 * 4, "{} bytes", before.len());
    assert!(before == meanwhile, "other samples, or elsewhere");
}

#[tokio::test]
async fn hundreds_of_segments_drift_by_no_frame() {
    let bench = Workbench::new().await;
    // The file of ten frames states 334 ms, a third of a millisecond more than they last.
    let segment = segments(&bench, &[10], Codec::H264).await.remove(0);
    let output = join(&bench, &vec![segment; 300], "many.mp4").await;
    let times = fact(&bench.ffmpeg, &output, "packet=stream_index,pts_time").await;
    let picture = times.lines().filter_map(|line| line.strip_prefix("0,")?.parse::<f64>().ok());
    let mut picture: Vec<f64> = picture.collect();
    picture.sort_by(f64::total_cmp);
    assert_eq!(picture.len(), 3000);
    let late = picture.iter().enumerate().map(|(frame, time)| (time - frame as f64 / 30.0).abs()).fold(0.0, f64::max);
    assert!(late < 0.001, "a frame is {late} s from its place");
}

#[tokio::test]
async fn packets_are_joined_without_a_gap_and_with_sound_as_long_as_the_picture() {
    let bench = Workbench::new().await;
    let lengths = [8, 1, 2, 15, 3, 22];
    let output = joined(&bench, &lengths, Codec::H264, "it's joined.mp4").await;
    decodes_strictly(&bench, &output).await;
    let times = fact(&bench.ffmpeg, &output, "packet=stream_index,pts_time,dts_time").await;
    let picture: Vec<(f64, f64)> = times
        .lines()
        .filter_map(|line| line.strip_prefix("0,"))
        .map(|line| line.split_once(',').unwrap())
        .map(|(pts, dts)| (pts.parse().unwrap(), dts.trim_end_matches(',').parse().unwrap()))
        .collect();
    assert_eq!(picture.len(), 51);
    let mut shown: Vec<f64> = picture.iter().map(|(pts, _)| *pts).collect();
    shown.sort_by(f64::total_cmp);
    let even = |times: &[f64]| times.windows(2).all(|pair| (pair[1] - pair[0] - 1.0 / 30.0).abs() < 1e-5);
    assert!(even(&shown), "{shown:?}");
    assert!(even(&picture.iter().map(|(_, dts)| *dts).collect::<Vec<_>>()), "{picture:?}");
    assert!(picture.iter().all(|(pts, dts)| pts + 1e-6 >= *dts));
    let steps = luma(&bench.ffmpeg, &output).await;
    let expected = lengths.iter().flat_map(|frames| (0..*frames).map(|index| 16.0 + 4.0 * f64::from(index)));
    let far: Vec<_> = steps.iter().zip(expected).filter(|(a, b)| (**a - b).abs() > 2.5).collect();
    assert!(far.is_empty() && steps.len() == 51, "{far:?}");
    let ends = fact(&bench.ffmpeg, &output, "stream=duration").await;
    let ends: Vec<f64> = ends.split_whitespace().map(|line| line.parse().unwrap()).collect();
    assert!((ends[0] - ends[1]).abs() <= 1.0 / 30.0, "{ends:?}");
}

#[tokio::test]
async fn the_file_starts_at_once_and_says_what_it_is() {
    let bench = Workbench::new().await;
    let output = joined(&bench, &[15, 15], Codec::H264, "a.mp4").await;
    let bytes = std::fs::read(&output).unwrap();
    let place = |kind: &[u8]| bytes.windows(4).position(|window| window == kind).unwrap();
    assert!(place(b"moov") < place(b"mdat"));
    assert_eq!(fact(&bench.ffmpeg, &output, "format_tags=title").await, "A title: it's 100 %");
    // A third stream holds the chapters' titles.
    assert!(fact(&bench.ffmpeg, &output, "stream_tags=language").await.starts_with("deu\ndeu"));
    let chapters = fact(&bench.ffmpeg, &output, "chapter=start_time,end_time").await;
    assert_eq!(chapters, "0.000000,0.400000\n0.400000,1.000000");
    let colours = "stream=color_range,color_space,color_transfer,color_primaries";
    assert!(fact(&bench.ffmpeg, &output, colours).await.starts_with("tv,bt709,bt709,bt709"));
}

#[tokio::test]
async fn every_codec_joins_in_its_container() {
    let bench = Workbench::new().await;
    let cases = [
        (Codec::H265, "a.mp4"),
        (Codec::Av1, "b.mp4"),
        (Codec::Vp9, "c.webm"),
        (Codec::H264, "d.mkv"),
        (Codec::Av1, "e.webm"),
    ];
    for (codec, name) in cases {
        let output = joined(&bench, &[9, 12, 5], codec, name).await;
        decodes_strictly(&bench, &output).await;
        let expected = Expected { frames: 26, size: SIZE, fps: FPS, loudness: None, true_peak_dbtp: 0.0 };
        let (report, failures) = check_video(&bench.ffmpeg, &output, expected).await.unwrap();
        assert!(failures.is_empty(), "{name}: {failures:?} {report:?}");
    }
}

#[tokio::test]
async fn the_check_names_each_thing_that_is_not_as_it_must_be() {
    let bench = Workbench::new().await;
    let output = joined(&bench, &[30, 30], Codec::H264, "a.mp4").await;
    let right = Expected { frames: 60, size: SIZE, fps: FPS, loudness: None, true_peak_dbtp: 0.0 };
    let (report, failures) = check_video(&bench.ffmpeg, &output, right).await.unwrap();
    assert!(failures.is_empty() && report.constant_frame_rate && report.duration_ms == 2000, "{failures:?} {report:?}");
    let wrong = Expected {
        frames: 61,
        size: Size::new(96, 128),
        fps: FrameRate::whole(25),
        loudness: Some((-3.0, 0.5)),
        true_peak_dbtp: -60.0,
    };
    let (_, failures) = check_video(&bench.ffmpeg, &output, wrong).await.unwrap();
    for reason in ["60 frames instead of 61", "picture of", "uneven times", "LUFS instead of -3", "true peak"] {
        assert!(failures.iter().any(|failure| failure.contains(reason)), "no `{reason}` in {failures:?}");
    }
}

/// Black for two seconds, then grey, never moving.
struct Dead;

impl FrameSource for Dead {
    fn size(&self) -> Size {
        SIZE
    }

    fn draw(&mut self, index: u32, frame: &mut Frame) {
        frame.planes_mut().0.fill(if index < 60 { 16 } else { 120 });
    }
}

#[tokio::test]
async fn black_and_frozen_stretches_of_a_segment_are_found() {
    let bench = Workbench::new().await;
    let dead = encode(&bench, plan(&bench, drawn(Dead), 180, "dead.mp4").await).await;
    let found = check_segment(&bench.ffmpeg, &dead, 180, FPS).await.unwrap();
    assert_eq!(found.black.len(), 1, "{found:?}");
    assert!(found.black[0].start_ms == 0 && (1800..=2200).contains(&found.black[0].end_ms), "{found:?}");
    let frozen = found.frozen.last().unwrap();
    assert!((1800..=2200).contains(&frozen.start_ms) && frozen.end_ms >= 5800, "{found:?}");
    let alive = encode(&bench, plan(&bench, drawn(Steps(SIZE)), 180, "alive.mp4").await).await;
    let found = check_segment(&bench.ffmpeg, &alive, 180, FPS).await.unwrap();
    assert!(found.black.is_empty() && found.frozen.is_empty(), "{found:?}");
}

#[tokio::test]
async fn damaged_segments_fail_their_check() {
    let bench = Workbench::new().await;
    let source = bench.video("128x96", 3, "whole.mp4").await;
    let whole = std::fs::read(&source).unwrap();
    check_segment(&bench.ffmpeg, &source, 90, FPS).await.unwrap();
    let mut holed = whole.clone();
    holed[whole.len() / 3..whole.len() / 2].fill(0x55);
    let cut = whole[..whole.len() / 2].to_vec();
    for (name, bytes) in [("holed.mp4", holed), ("cut.mp4", cut)] {
        std::fs::write(bench.path(name), bytes).unwrap();
        assert!(check_segment(&bench.ffmpeg, &bench.path(name), 90, FPS).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn thumbnails_show_the_moments_asked_for() {
    let bench = Workbench::new().await;
    let source = bench.counter("128x96", 50, "counter.mp4").await;
    let pictures = thumbnails(&bench.ffmpeg, &source, &[0, 500, 1000, 1400, 1600], 64, Precision::Exact).await.unwrap();
    assert!(pictures.iter().all(|picture| picture.dimensions() == (64, 48)));
    let seen: Vec<u8> = pictures.iter().map(|picture| picture.get_pixel(30, 20).0[0]).collect();
    let expected = [0, 15, 30, 42, 48].map(|frame: u8| f64::from(4 * frame) * 255.0 / 219.0);
    let near = seen.iter().zip(expected).all(|(seen, expected)| (f64::from(*seen) - expected).abs() < 8.0);
    assert!(near && seen.len() == 5, "{seen:?} instead of {expected:?}");
}
