//! Foreign files in, formats for listeners out.

use std::time::Duration;

use media::audio::{AudioTags, decode_to_wav, encode_audio};
use media::probe::probe_sound;

use super::signals::{level_db, read_stereo, tone, write_mono};
use crate::fixtures::Workbench;

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn sound_of_any_file_becomes_our_wav() {
    let bench = Workbench::new().await;
    let sources = [
        ("-f lavfi -i sine=440:r=44100:d=2 -c:a aac", "tone.m4a"),
        ("-f lavfi -i sine=440:r=8000:d=2 -ac 1", "tone.wav"),
        ("-f lavfi -i sine=440:r=48000:d=2 -ac 6 -c:a flac", "tone.flac"),
        ("-f lavfi -i sine=440:d=2 -f lavfi -i testsrc2=s=64x64:d=2 -c:a libmp3lame", "clip.mkv"),
    ];
    for (arguments, name) in sources {
        let input = bench.generate(arguments, name).await;
        let output = bench.path("out.wav");
        let samples = decode_to_wav(&bench.ffmpeg, &input, &output, LONG).await.unwrap();
        assert!((94_000..99_000).contains(&samples), "{name}: {samples}");
        let frames = read_stereo(&output);
        assert_eq!(frames.len() as u64, samples);
        // Six channels are mixed to two so that all of them at once would not clip.
        assert!(level_db(&frames[20_000..80_000]) > -40.0, "{name}");
    }
}

#[tokio::test]
async fn decoding_stops_where_it_is_told() {
    let bench = Workbench::new().await;
    let input = bench.generate("-f lavfi -i sine=440:d=30 -c:a libmp3lame", "long.mp3").await;
    let output = bench.path("out.wav");
    let samples = decode_to_wav(&bench.ffmpeg, &input, &output, Duration::from_millis(2_500)).await.unwrap();
    assert_eq!(samples, 120_000);
}

#[tokio::test]
async fn sound_that_begins_late_keeps_its_time() {
    let bench = Workbench::new().await;
    let arguments = "-f lavfi -i testsrc2=s=64x64:d=3 -itsoffset 1 -f lavfi -i sine=440:d=2 -c:a libmp3lame";
    let input = bench.generate(arguments, "late.mkv").await;
    let output = bench.path("out.wav");
    decode_to_wav(&bench.ffmpeg, &input, &output, LONG).await.unwrap();
    let frames = read_stereo(&output);
    assert!(level_db(&frames[..45_000]) < -60.0);
    assert!(level_db(&frames[52_000..100_000]) > -30.0);
}

#[tokio::test]
async fn files_without_sound_are_refused_and_leave_nothing() {
    let bench = Workbench::new().await;
    let mute = bench.video("64x64", 1, "mute.mp4").await;
    let text = bench.path("text.mp3");
    std::fs::write(&text, "no sound").unwrap();
    let results = bench.path("results");
    std::fs::create_dir(&results).unwrap();
    for input in [mute, text, bench.path("missing.mp3")] {
        let name = input.file_name().unwrap().to_string_lossy().into_owned();
        let error = decode_to_wav(&bench.ffmpeg, &input, &results.join("out.wav"), LONG).await.unwrap_err();
        assert!(error.to_string().contains(&name), "{error}");
        assert_eq!(std::fs::read_dir(&results).unwrap().count(), 0, "{name}");
    }
}

#[tokio::test]
async fn every_format_is_written_with_its_title_and_the_same_each_time() {
    let bench = Workbench::new().await;
    let wav = bench.path("in.wav");
    write_mono(&wav, 48_000, &tone(440.0, 0.3, 96_000, 48_000));
    let tags = AudioTags { title: "Sea: \"light\" = 5%".into(), language: "eng".into(), ..AudioTags::default() };
    for (name, codec) in [
        ("talk.m4a", "aac"),
        ("talk.mp3", "mp3"),
        ("talk.opus", "opus"),
        ("talk.ogg", "vorbis"),
        ("talk.flac", "flac"),
        ("talk.WAV", "pcm_s16le"),
    ] {
        let output = bench.path(name);
        encode_audio(&bench.ffmpeg, &wav, &output, &tags).await.unwrap();
        let info = probe_sound(&bench.ffmpeg, &output).await.unwrap();
        assert_eq!(info.codec, codec);
        assert!((1_950..2_100).contains(&info.duration_ms), "{name}: {info:?}");
        let first = std::fs::read(&output).unwrap();
        encode_audio(&bench.ffmpeg, &wav, &output, &tags).await.unwrap();
        assert!(first == std::fs::read(&output).unwrap(), "{name} differs from run to run");
        let printed = bench.ffmpeg.probe_command().args(["-show_format", "-show_streams"]).arg(&output).run().await;
        let printed = String::from_utf8(printed.unwrap().stdout).unwrap();
        assert!(printed.contains("Sea: \"light\" = 5%"), "{name}: {printed}");
    }
}

#[tokio::test]
async fn an_unwritable_folder_is_an_error_that_names_it() {
    let bench = Workbench::new().await;
    let wav = bench.path("in.wav");
    write_mono(&wav, 48_000, &tone(440.0, 0.3, 9_600, 48_000));
    let output = bench.path("nowhere/talk.m4a");
    let error = encode_audio(&bench.ffmpeg, &wav, &output, &AudioTags::default()).await.unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}
