//! Captions burnt into a film: seen when they are due, and every frame at its own time.

use std::path::{Path, PathBuf};

use media::burn::{Burning, burn, burnt_size};
use media::captions::{Cue, Line, Mode, Setting, Style, ass};
use media::encoder::{EncoderSettings, Hardware, choose_encoder};
use media::probe::probe;
use media::process::Command;
use media::remux::{Dub, OriginalSound, remux};
use media::source::probe_source;
use media::speech_text::TimedWord;

use crate::fixtures::{Workbench, fact};
use crate::remux::{new_sound, pictures};

/// When the caption is shown, in milliseconds.
const SHOWN: std::ops::Range<u64> = 1_000..2_000;

fn cue() -> Cue {
    let word =
        |text: &str| TimedWord { text: text.to_owned(), space_before: true, start_ms: SHOWN.start, end_ms: SHOWN.end };
    let line = Line { words: ["Hola,", "mar"].map(word).to_vec() };
    Cue { start_ms: SHOWN.start, end_ms: SHOWN.end, lines: vec![line], lang: "es".parse().unwrap() }
}

/// A dub of `input` with the caption in its pictures.
async fn burnt(bench: &Workbench, input: &Path, output: &str) -> PathBuf {
    let (source, info) =
        (probe_source(&bench.ffmpeg, input).await.unwrap(), probe(&bench.ffmpeg, input).await.unwrap());
    let (frame, style) = (burnt_size(&info), Style::named("clean").unwrap());
    let captions = bench.path("captions.ass");
    std::fs::write(&captions, ass(&[cue()], &Setting { style: &style, mode: Mode::Line, frame }).unwrap()).unwrap();
    let settings = EncoderSettings { hardware: Hardware::Off, ..EncoderSettings::default() };
    let encoder = choose_encoder(&bench.ffmpeg, settings, frame, info.fps).await.unwrap();
    let burning =
        Burning { path: input, source: &source, info: &info, captions: &captions, encoder: &encoder, threads: 2 };
    let film = bench.path("burnt.nut");
    burn(&bench.ffmpeg, burning, &film, &|_| {}).await.unwrap();
    let (path, sound) = (bench.path(output), [new_sound(bench, &source, "es").await]);
    let source = source.with_pictures_in("h264");
    let (original, subtitles) = (OriginalSound::Drop, &[]);
    let dub = Dub { path: input, source: &source, sound: &sound, original, subtitles, burnt: Some(&film) };
    remux(&bench.ffmpeg, dub, &path, &|_| {}).await.unwrap();
    path
}

/// When each frame is shown, in seconds from the file's zero, and the brightest of its pixels.
async fn brightness(bench: &Workbench, path: &Path) -> Vec<(f64, f64)> {
    let command = Command::new(bench.ffmpeg.path()).args(["-nostdin", "-v", "error", "-copyts", "-i"]).arg(path);
    let filter = "signalstats,metadata=print:key=lavfi.signalstats.YMAX:file=-";
    let command = command.args(["-map", "0:v:0", "-fps_mode", "passthrough", "-vf", filter, "-f", "null", "-"]);
    let text = String::from_utf8(command.run().await.unwrap().stdout).unwrap();
    let values = |key: &str| -> Vec<f64> {
        let found = text.split_whitespace().filter_map(|word| word.strip_prefix(key));
        found.map(|value| value.parse().unwrap()).collect()
    };
    values("pts_time:").into_iter().zip(values("lavfi.signalstats.YMAX=")).collect()
}

#[tokio::test]
async fn captions_are_seen_when_they_are_due_and_frames_keep_their_times() {
    let bench = Workbench::new().await;
    let dark = "-f lavfi -i color=0x202020:s=320x181:r=25:d=4 -f lavfi -i sine=r=48000:d=4";
    let uneven = "-vf select='not(between(n\\,30\\,40))',scale=320:180 -fps_mode vfr";
    let cases = [
        (format!("{dark} -vf scale=320:180 -c:v libx264 -bf 2 -c:a aac"), "even.mp4", "even.es.mp4"),
        (format!("{dark} {uneven} -c:v libx264 -bf 2 -c:a aac"), "uneven.mkv", "uneven.es.mkv"),
        (format!("{dark} {uneven} -c:v libx264 -bf 2 -c:a aac"), "uneven.mp4", "uneven.es.mp4"),
        (format!("-itsoffset 0.4 {dark} -fps_mode passthrough -c:v mpeg4 -c:a aac"), "late.mp4", "late.es.mp4"),
        (format!("{dark} -c:v mpeg2video -bf 2 -c:a mp2"), "odd.ts", "odd.es.mkv"),
    ];
    for (arguments, input, output) in cases {
        let input = bench.generate(&arguments, input).await;
        let path = burnt(&bench, &input, output).await;
        let ((_, before), (_, after)) = (pictures(&bench, &input).await, pictures(&bench, &path).await);
        let near = before.len() == after.len() && before.iter().zip(&after).all(|(a, b)| (a - b).abs() <= 1.0);
        assert!(near, "{output}: {before:?} became {after:?}");
        let start = probe_source(&bench.ffmpeg, &path).await.unwrap().video.unwrap().start_us as f64 / 1e6;
        let seen = brightness(&bench, &path).await;
        let first = seen[0].0;
        for (at, brightest) in seen {
            let at = at - first + start;
            let (from, until) = (SHOWN.start as f64 / 1e3, SHOWN.end as f64 / 1e3);
            // Containers round times to milliseconds, so a frame at an edge may be on either side of it.
            if (at - from).abs() < 0.005 || (at - until).abs() < 0.005 {
                continue;
            }
            let due = (from..until).contains(&at);
            assert_eq!(brightest > 150.0, due, "{output}: {brightest} at {at} s");
        }
    }
}

#[tokio::test]
async fn a_film_that_lies_on_its_side_is_turned_before_captions_are_set() {
    let bench = Workbench::new().await;
    let upright = "-f lavfi -i color=0x202020:s=320x180:r=25:d=2.2 -f lavfi -i sine=d=2.2 -c:v libx264 -c:a aac";
    bench.generate(upright, "plain.mp4").await;
    let turned = "-display_rotation 90 -i plain.mp4 -c copy";
    let tagged = "-i plain.mp4 -c copy -metadata:s:v:0 rotate=90";
    // FFmpeg 6 has an option of its own for what was a tag before.
    let help = Command::new(bench.ffmpeg.path()).args(["-hide_banner", "-h", "full"]).run().await.unwrap();
    let has_option = String::from_utf8_lossy(&help.stdout).contains("display_rotation");
    let input = bench.generate(if has_option { turned } else { tagged }, "turned.mp4").await;
    let path = burnt(&bench, &input, "turned.es.mp4").await;
    assert_eq!(fact(&bench.ffmpeg, &path, "stream=width,height").await.trim_end_matches(','), "180,320");
    let source = probe_source(&bench.ffmpeg, &path).await.unwrap();
    assert_eq!(source.audio.len(), 1);
}
