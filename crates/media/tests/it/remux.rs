//! Dubbed files: the same pictures, new sound in time, and everything else that the container can hold.

use std::path::{Path, PathBuf};

use kernel::Lang;
use media::audio::SoundFile;
use media::process::Command;
use media::remux::{Dub, NewSound, NewSubtitles, OriginalSound, check_output, remux};
use media::source::{Source, probe_source};
use tokio_util::sync::CancellationToken;

use crate::fixtures::{Workbench, fact};
use crate::source::{assert_near, beeps, extracted, onsets};

/// Where the new sound beeps.
const BEEPS: [f64; 3] = [0.5, 1.3, 2.6];

fn lang(tag: &str) -> Lang {
    tag.parse().unwrap()
}

/// A new sound of the source's length, with beeps in it.
pub(crate) async fn new_sound(bench: &Workbench, source: &Source, tag: &str) -> NewSound {
    let samples = source.duration_samples();
    let arguments = format!(
        "-f lavfi -i aevalsrc={}:s=48000:d=60 -af atrim=end_sample={samples} -ac 2 -c:a pcm_s16le",
        beeps(&BEEPS)
    );
    let wav = bench.generate(&arguments, &format!("new-{tag}.wav")).await;
    NewSound { file: SoundFile::Wav(wav), lang: lang(tag), title: Some(format!("Dub: {tag} = 100 %")) }
}

fn new_subtitles(bench: &Workbench, tag: &str) -> NewSubtitles {
    let path = bench.path(&format!("{tag}.srt"));
    std::fs::write(&path, "1\n00:00:00,500 --> 00:00:01,200\nHola\n\n2\n00:00:01,300 --> 00:00:02,000\n¿Qué tal?\n")
        .unwrap();
    NewSubtitles { path, lang: lang(tag), title: None, is_default: false }
}

/// Dubs `input` to Spanish, and says what was left out.
async fn dubbed(bench: &Workbench, input: &Path, output: &str, original: OriginalSound) -> (PathBuf, Vec<String>) {
    let source = probe_source(&bench.ffmpeg, input).await.unwrap();
    let sound = [new_sound(bench, &source, "es").await];
    let subtitles = [new_subtitles(bench, "es")];
    let dub = Dub { path: input, source: &source, sound: &sound, original, subtitles: &subtitles, burnt: None };
    let output = bench.path(output);
    let notes = remux(&bench.ffmpeg, dub, &output, &|_| {}).await.unwrap();
    (output, notes)
}

/// Hashes of the decoded pictures, and the time of each from that of the first, in milliseconds.
pub(crate) async fn pictures(bench: &Workbench, path: &Path) -> (Vec<String>, Vec<f64>) {
    let command = Command::new(bench.ffmpeg.path()).args(["-nostdin", "-v", "error", "-copyts", "-i"]).arg(path);
    let arguments = ["-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", "1:100000", "-f", "framehash", "-"];
    let text = String::from_utf8(command.args(arguments).run().await.unwrap().stdout).unwrap();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(',').map(str::trim).collect())
        .collect();
    let times: Vec<f64> = lines.iter().map(|line| line[2].parse::<f64>().unwrap() / 100.0).collect();
    (lines.iter().map(|line| line[5].to_owned()).collect(), times.iter().map(|time| time - times[0]).collect())
}

/// The pictures are the same at the same times, the length is nearly the same, and the new sound lies where it should.
async fn assert_dubbed(bench: &Workbench, input: &Path, output: &Path, name: &str) {
    let (before, after) =
        (probe_source(&bench.ffmpeg, input).await.unwrap(), probe_source(&bench.ffmpeg, output).await.unwrap());
    if before.video.is_some() && after.video.is_some() {
        let ((hashes, times), (new_hashes, new_times)) = (pictures(bench, input).await, pictures(bench, output).await);
        assert_eq!(hashes, new_hashes, "{name}: other pictures");
        let near = times.iter().zip(&new_times).all(|(a, b)| (a - b).abs() <= 1.0);
        assert!(near, "{name}: {times:?} {new_times:?}");
    }
    let frame_us = before.video.as_ref().and_then(|video| video.fps).map_or(0.0, |fps| 1e6 / fps.as_f64());
    let off_us = after.duration_us.abs_diff(before.duration_us) as f64;
    assert!(off_us <= frame_us + 24_000.0, "{name}: {} µs became {}", before.duration_us, after.duration_us);
    let start_us = |source: &Source| source.video.as_ref().map_or(0, |video| video.start_us);
    let shift = start_us(&after) as f64 / 1e6 - start_us(&before) as f64 / 1e6;
    assert!(shift.abs() <= 0.025, "{name}: begins {shift} s later");
    let (programme, _) = extracted(bench, output, &after, 0).await;
    assert_near(&onsets(&programme), &BEEPS.map(|at| at + shift), 0.012, name);
}

async fn streams(bench: &Workbench, path: &Path) -> Vec<String> {
    let entries = "stream=codec_type,codec_name:stream_tags=language:stream_disposition=default,attached_pic";
    fact(&bench.ffmpeg, path, entries).await.lines().map(|line| line.trim_end_matches(',').to_owned()).collect()
}

const PICTURE: &str = "-f lavfi -i testsrc2=s=64x48:r=25:d=4 -f lavfi -i sine=r=44100:d=4";

#[tokio::test]
async fn a_film_with_reordered_frames_keeps_pictures_chapters_and_cover() {
    let bench = Workbench::new().await;
    bench.generate("-f lavfi -i testsrc2=s=32x32 -frames:v 1", "cover.png").await;
    std::fs::write(bench.path("old.srt"), "1\n00:00:00,000 --> 00:00:01,000\nHello\n").unwrap();
    std::fs::write(
        bench.path("meta.txt"),
        ";FFMETADATA1\ntitle=A talk\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=One\n\
         [CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=4000\ntitle=Two\n",
    )
    .unwrap();
    let arguments = format!(
        "{PICTURE} -i cover.png -i old.srt -i meta.txt -map 0 -map 1 -map 2 -map 3 -map_metadata 4 -c:v:0 libx264 \
         -bf 3 -g 30 -c:v:1 png -disposition:v:1 attached_pic -c:a aac -c:s mov_text -metadata:s:a:0 language=eng \
         -metadata:s:s:0 language=eng -disposition:s:0 default"
    );
    let input = bench.generate(&arguments, "talk.mp4").await;
    let (output, notes) = dubbed(&bench, &input, "talk.es.mp4", OriginalSound::Drop).await;
    assert_eq!(notes, Vec::<String>::new());
    assert_dubbed(&bench, &input, &output, "mp4").await;
    let source = probe_source(&bench.ffmpeg, &output).await.unwrap();
    assert_eq!(source.title.as_deref(), Some("A talk"));
    let chapters: Vec<_> = source.chapters.iter().map(|chapter| (chapter.start_ms, chapter.title.clone())).collect();
    assert_eq!(chapters, [(0, Some("One".to_owned())), (2_000, Some("Two".to_owned()))]);
    assert_eq!((source.audio.len(), source.pictures.len()), (1, 1));
    let sound = &source.audio[0];
    assert_eq!((sound.codec.as_str(), sound.language.as_deref(), sound.is_default), ("aac", Some("spa"), true));
    let languages: Vec<_> = source.subtitles.iter().map(|track| track.language.as_deref().unwrap_or("")).collect();
    assert_eq!(languages, ["spa", "eng"]);
    let head = std::fs::read(&output).unwrap();
    let place = |name: &[u8]| head.windows(4).position(|window| window == name).unwrap();
    assert!(place(b"moov") < place(b"mdat"), "the index is at the end");
}

#[tokio::test]
async fn matroska_keeps_attachments_styles_and_the_original_sound() {
    let bench = Workbench::new().await;
    std::fs::write(bench.path("old.srt"), "1\n00:00:00,000 --> 00:00:01,000\nHello\n").unwrap();
    std::fs::write(bench.path("font.ttf"), "no font").unwrap();
    let arguments = format!(
        "{PICTURE} -i old.srt -map 0 -map 1 -map 2 -attach font.ttf -metadata:s:t mimetype=font/ttf -c:v libx264 -bf 2 \
         -c:a ac3 -c:s ass -metadata:s:a:0 language=eng"
    );
    let input = bench.generate(&arguments, "talk.mkv").await;
    let (output, notes) = dubbed(&bench, &input, "talk.es.mkv", OriginalSound::Keep).await;
    assert_eq!(notes, Vec::<String>::new());
    assert_dubbed(&bench, &input, &output, "mkv").await;
    let found = streams(&bench, &output).await;
    let wanted =
        ["h264,video,0,0", "aac,audio,1,0,spa", "ac3,audio,0,0,eng", "subrip,subtitle,0,0,spa", "ass,subtitle,0,0"];
    let flat: Vec<String> = found.iter().take(5).cloned().collect();
    for (found, wanted) in flat.iter().zip(wanted) {
        let video = wanted.starts_with("h264") && found.starts_with("h264,video");
        assert!(video || found.starts_with(wanted), "{flat:?}");
    }
    let source = probe_source(&bench.ffmpeg, &output).await.unwrap();
    assert_eq!(source.attachments[0].name.as_deref(), Some("font.ttf"));
    assert_eq!(std::fs::read(bench.path("font.ttf")).unwrap(), b"no font");
    // The same into MP4, which holds neither the attachment nor the style.
    let (output, notes) = dubbed(&bench, &input, "talk.es.mp4", OriginalSound::Keep).await;
    assert_eq!(notes, ["the attachment `font.ttf` is left out: the file cannot hold it"]);
    assert_dubbed(&bench, &input, &output, "mkv to mp4").await;
}

#[tokio::test]
async fn uneven_frames_and_every_container_keep_their_times() {
    let bench = Workbench::new().await;
    let uneven = "-vf select='not(between(n\\,10\\,30))+eq(n\\,55)' -fps_mode vfr";
    let cases = [
        (format!("{PICTURE} {uneven} -c:v libx264 -bf 2 -c:a aac"), "uneven.mp4", "uneven.es.mp4"),
        (format!("{PICTURE} {uneven} -c:v libx264 -bf 2 -c:a aac"), "uneven.mkv", "uneven.es.mkv"),
        (format!("{PICTURE} -c:v libx264 -bf 2 -c:a libmp3lame"), "b.mkv", "b.es.mp4"),
        (format!("{PICTURE} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"), "c.webm", "c.es.webm"),
        (format!("{PICTURE} -c:v mpeg2video -bf 2 -c:a mp2"), "d.ts", "d.es.mkv"),
        (format!("{PICTURE} -c:v libx264 -bf 2 -c:a aac"), "e.ts", "e.es.mp4"),
        (format!("{PICTURE} -c:v mpeg4 -bf 2 -c:a libmp3lame"), "f.avi", "f.es.mkv"),
        (format!("-itsoffset 0.4 {PICTURE} -fps_mode passthrough -c:v libx264 -bf 2 -c:a aac"), "g.mov", "g.es.mov"),
        ("-f lavfi -i sine=d=4 -c:a libmp3lame".into(), "h.mp3", "h.es.m4a"),
        ("-f lavfi -i sine=d=4 -c:a flac".into(), "i.flac", "i.es.opus"),
    ];
    for (arguments, input, output) in cases {
        let input = bench.generate(&arguments, input).await;
        let (path, _) = dubbed(&bench, &input, output, OriginalSound::Drop).await;
        assert_dubbed(&bench, &input, &path, output).await;
    }
}

#[tokio::test]
async fn several_languages_go_into_one_file_and_are_the_same_each_time() {
    let bench = Workbench::new().await;
    let input = bench.generate(&format!("{PICTURE} -c:v libx264 -c:a aac"), "talk.mp4").await;
    let source = probe_source(&bench.ffmpeg, &input).await.unwrap();
    let sound = [new_sound(&bench, &source, "es").await, new_sound(&bench, &source, "fr").await];
    let subtitles = [new_subtitles(&bench, "es"), NewSubtitles { is_default: true, ..new_subtitles(&bench, "ca") }];
    let dub = Dub {
        path: &input,
        source: &source,
        sound: &sound,
        original: OriginalSound::Keep,
        subtitles: &subtitles,
        burnt: None,
    };
    for name in ["talk.all.mp4", "talk.all.mkv"] {
        let output = bench.path(name);
        remux(&bench.ffmpeg, dub, &output, &|_| {}).await.unwrap();
        let made = probe_source(&bench.ffmpeg, &output).await.unwrap();
        let sounds: Vec<_> =
            made.audio.iter().map(|track| (track.language.as_deref().unwrap_or("und"), track.is_default)).collect();
        assert_eq!(sounds, [("spa", true), ("fra", false), ("und", false)], "{name}");
        let subtitles: Vec<_> =
            made.subtitles.iter().map(|track| (track.language.as_deref(), track.is_default)).collect();
        assert_eq!(subtitles, [(Some("spa"), false), (Some("cat"), true)], "{name}");
        let first = std::fs::read(&output).unwrap();
        remux(&bench.ffmpeg, dub, &output, &|_| {}).await.unwrap();
        assert!(first == std::fs::read(&output).unwrap(), "{name} differs from run to run");
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_early_and_leaves_nothing() {
    let bench = Workbench::new().await;
    let input = bench.generate(&format!("{PICTURE} -c:v libx264 -c:a aac"), "talk.mp4").await;
    let source = probe_source(&bench.ffmpeg, &input).await.unwrap();
    for (name, sounds, reason) in [
        ("talk.webm", 1, "cannot hold pictures in h264, and they are never encoded again; end the name in .mkv"),
        ("talk.xyz", 1, "names no file that a dub can be written to"),
        ("talk.mp3", 2, "holds one sound, not 2"),
    ] {
        let error = check_output(&source, sounds, Path::new(name)).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(reason), "{error}");
    }
    let results = bench.path("results");
    std::fs::create_dir(&results).unwrap();
    let token = CancellationToken::new();
    token.cancel();
    let sound = [new_sound(&bench, &source, "es").await];
    let dub = Dub {
        path: &input,
        source: &source,
        sound: &sound,
        original: OriginalSound::Drop,
        subtitles: &[],
        burnt: None,
    };
    let cancelled = bench.ffmpeg.cancelled_by(token);
    remux(&cancelled, dub, &results.join("talk.es.mp4"), &|_| {}).await.unwrap_err();
    assert_eq!(std::fs::read_dir(&results).unwrap().count(), 0);
}
