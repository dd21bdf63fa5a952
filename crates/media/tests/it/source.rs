//! What is found in files of every sort, and whether their sound comes out at its time.

use std::path::{Path, PathBuf};

use media::FrameRate;
use media::audio::wav::WavReader;
use media::source::{ExtractedSound, SPEECH_RATE, Source, extract, probe_source};

use crate::fixtures::Workbench;

/// A tone of 50 ms at each of these seconds, in an expression for FFmpeg's `aevalsrc`.
pub(crate) fn beeps(seconds: &[f64]) -> String {
    let beep = |at: &f64| format!("between(t\\,{at}\\,{})", at + 0.05);
    let level = seconds.iter().map(beep).collect::<Vec<_>>().join("+");
    format!("0.5*sin(2*PI*1000*t)*({level})")
}

pub(crate) async fn extracted(bench: &Workbench, path: &Path, source: &Source, number: usize) -> (PathBuf, PathBuf) {
    let (programme, speech) = (bench.path("programme.wav"), bench.path("speech.wav"));
    let sound = ExtractedSound { programme: &programme, speech: &speech };
    extract(&bench.ffmpeg, path, (source, &source.audio[number]), sound, &|_| {}).await.unwrap();
    (programme, speech)
}

/// Where beeps begin, in seconds: the first loud sample after 100 ms of silence.
pub(crate) fn onsets(path: &Path) -> Vec<f64> {
    let mut wav = WavReader::open(path).unwrap();
    let rate = wav.sample_rate();
    let mut sound = vec![[0.0_f32]; wav.frames() as usize];
    wav.read(&mut sound).unwrap();
    let silence = rate as usize / 10;
    let mut last_loud: Option<usize> = None;
    let mut found = Vec::new();
    for (index, [sample]) in sound.iter().enumerate() {
        if sample.abs() > 0.1 {
            if last_loud.is_none_or(|last| index - last > silence) {
                found.push(index as f64 / f64::from(rate));
            }
            last_loud = Some(index);
        }
    }
    found
}

pub(crate) fn assert_near(found: &[f64], wanted: &[f64], tolerance: f64, name: &str) {
    let near = found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= tolerance);
    assert!(near, "{name}: {found:?}, not {wanted:?}");
}

#[tokio::test]
async fn everything_a_dub_must_keep_is_found() {
    let bench = Workbench::new().await;
    std::fs::write(bench.path("a.srt"), "1\n00:00:00,500 --> 00:00:01,000\nHello\n").unwrap();
    std::fs::write(bench.path("font.ttf"), "no font").unwrap();
    std::fs::write(
        bench.path("meta.txt"),
        ";FFMETADATA1\ntitle=A talk\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=One\n",
    )
    .unwrap();
    let arguments = "-f lavfi -i testsrc2=s=64x48:r=30000/1001:d=2 -f lavfi -i sine=r=44100:d=2 -itsoffset 0.5 \
         -f lavfi -i sine=r=48000:d=1 -i a.srt -i meta.txt -map 0 -map 1 -map 2 -map 3 -map_metadata 4 \
         -attach font.ttf -metadata:s:t mimetype=font/ttf -c:v libx264 -preset ultrafast -bf 2 -c:a:0 libmp3lame \
         -c:a:1 aac -ac:a:1 6 -c:s ass -metadata:s:a:0 language=eng -metadata:s:a:1 language=spa \
         -metadata:s:a:1 title=Comments -metadata:s:s:0 language=fra -disposition:a:0 0 -disposition:a:1 default";
    let source = probe_source(&bench.ffmpeg, &bench.generate(arguments, "talk.mkv").await).await.unwrap();
    let video = source.video.as_ref().unwrap();
    assert_eq!((video.codec.as_str(), video.size.width), ("h264", 64));
    assert!((video.fps.unwrap().as_f64() - 29.97).abs() < 0.05, "{video:?}");
    assert_eq!(source.audio.len(), 2);
    assert_eq!((source.audio[0].codec.as_str(), source.audio[0].sample_rate), ("mp3", 44_100));
    assert_eq!(
        (source.audio[1].language.as_deref(), source.audio[1].title.as_deref()),
        (Some("spa"), Some("Comments"))
    );
    assert_eq!((source.audio[1].channels, source.main_audio().unwrap().stream), (6, source.audio[1].stream));
    assert!((450_000..550_000).contains(&source.audio[1].offset_us), "{:?}", source.audio[1]);
    assert_eq!((source.subtitles[0].codec.as_str(), source.subtitles[0].language.as_deref()), ("ass", Some("fra")));
    assert_eq!(source.attachments[0].name.as_deref(), Some("font.ttf"));
    assert_eq!((source.chapters[0].end_ms, source.chapters[0].title.as_deref()), (900, Some("One")));
    assert_eq!(source.title.as_deref(), Some("A talk"));
    assert!((1_950_000..2_100_000).contains(&source.duration_us), "{} µs", source.duration_us);
}

#[tokio::test]
async fn uneven_frames_and_sound_alone_are_told() {
    let bench = Workbench::new().await;
    let arguments = "-f lavfi -i testsrc2=s=64x48:r=25:d=3 -f lavfi -i sine=d=3 -vf select='not(between(n\\,10\\,30))' \
         -fps_mode vfr -c:v libx264 -preset ultrafast -c:a aac";
    let source = probe_source(&bench.ffmpeg, &bench.generate(arguments, "uneven.mp4").await).await.unwrap();
    assert!(source.video.unwrap().variable_rate);
    let source = probe_source(&bench.ffmpeg, &bench.generate("-f lavfi -i sine=d=3", "a.flac").await).await.unwrap();
    assert_eq!((source.video, source.duration_us), (None, 3_000_000));
    let even = bench.generate("-f lavfi -i testsrc2=s=64x48:r=25:d=1 -f lavfi -i sine=d=1 -c:a aac", "even.mp4").await;
    let video = probe_source(&bench.ffmpeg, &even).await.unwrap().video.unwrap();
    assert_eq!((video.fps, video.variable_rate), (Some(FrameRate::whole(25)), false));
}

#[tokio::test]
async fn files_that_cannot_be_dubbed_say_why() {
    let bench = Workbench::new().await;
    let whole = bench
        .generate(
            "-f lavfi -i testsrc2=s=320x180:r=25:d=6 -f lavfi -i sine=d=6 -c:v libx264 -c:a aac -movflags +faststart",
            "whole.mp4",
        )
        .await;
    let whole = std::fs::read(whole).unwrap();
    let mute = std::fs::read(bench.video("64x48", 1, "mute.mp4").await).unwrap();
    let cases: [(&str, &[u8], &str); 4] = [
        ("silent.mp4", &mute, "has no sound, so nothing in it can be dubbed"),
        ("nothing.mp4", b"", "is empty"),
        ("text.mp4", b"dear diary", "is broken or not what its name says"),
        ("cut.mp4", &whole[..whole.len() * 2 / 3], "is only partly written"),
    ];
    for (name, content, reason) in cases {
        std::fs::write(bench.path(name), content).unwrap();
        let error = probe_source(&bench.ffmpeg, &bench.path(name)).await.unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains(name), "{name}: {error}");
    }
}

#[tokio::test]
async fn sound_keeps_its_time_whatever_the_container_does_to_it() {
    let bench = Workbench::new().await;
    let beeps = beeps(&[0.2, 1.0, 2.5]);
    let picture = "-f lavfi -i testsrc2=s=64x48:r=25:d=4";
    // Priming, an edit list, a late track, the same without an edit list, a picture that begins late, packets of 1 ms.
    let cases = [
        (format!("{picture} -f lavfi -i aevalsrc={beeps}:s=44100:d=3 -c:v libx264 -bf 2 -c:a aac"), "priming.mp4", 0.0),
        (format!("{picture} -f lavfi -i aevalsrc={beeps}:s=48000:d=3 -c:a libmp3lame"), "ms.mkv", 0.0),
        (format!("{picture} -itsoffset 0.7 -f lavfi -i aevalsrc={beeps}:s=48000:d=3 -c:a aac"), "late.mp4", 0.7),
        (format!("{picture} -itsoffset 0.7 -f lavfi -i aevalsrc={beeps}:s=48000:d=3 -c:a libopus"), "late.mkv", 0.7),
        (
            format!("-itsoffset 0.6 {picture} -f lavfi -i aevalsrc={beeps}:s=48000:d=3 -fps_mode passthrough -c:a aac"),
            "first.mov",
            -0.6,
        ),
        (format!("{picture} -f lavfi -i aevalsrc={beeps}:s=48000:d=3 -c:v mpeg2video -c:a mp2"), "stream.ts", 0.0),
        (format!("{picture} -f lavfi -i aevalsrc={beeps}:s=48000:d=3 -c:v mpeg4 -c:a pcm_s16le"), "old.avi", 0.0),
        (format!("-f lavfi -i aevalsrc={beeps}:s=8000:d=3"), "narrow.wav", 0.0),
        (format!("-f lavfi -i aevalsrc={beeps}:s=48000:d=3 -c:a libmp3lame"), "alone.mp3", 0.0),
    ];
    for (arguments, name, offset) in cases {
        let path = bench.generate(&arguments, name).await;
        let source = probe_source(&bench.ffmpeg, &path).await.unwrap();
        let (programme, speech) = extracted(&bench, &path, &source, 0).await;
        // What the container shifts, it shifts for picture and sound alike.
        let shift = source.video.as_ref().map_or(0.0, |video| video.start_us as f64 / 1e6);
        let wanted = [0.2, 1.0, 2.5].map(|at| at + offset + shift);
        assert_near(&onsets(&programme), &wanted, 0.012, name);
        assert_near(&onsets(&speech), &wanted, 0.012, name);
        let (programme, speech) = (WavReader::open(&programme).unwrap(), WavReader::open(&speech).unwrap());
        assert_eq!(programme.frames(), source.duration_samples(), "{name}");
        assert_eq!((speech.frames() * 3, speech.sample_rate()), (programme.frames(), SPEECH_RATE), "{name}");
    }
}

#[tokio::test]
async fn a_gap_in_the_sound_becomes_silence_of_its_length() {
    let bench = Workbench::new().await;
    let beeps = beeps(&[0.2, 1.0, 2.5, 3.2]);
    let arguments =
        format!("-f lavfi -i testsrc2=s=64x48:r=25:d=4 -f lavfi -i aevalsrc={beeps}:s=48000:d=4 -c:v libx264 -c:a aac");
    let whole = bench.generate(&arguments, "whole.mkv").await;
    // The packets from 1.3 to 2.2 s are lost, those after them keep their times.
    let drop = format!("-i {} -c copy -bsf:a noise=drop='between(pts*tb\\,1.3\\,2.2)'", whole.display());
    let holed = bench.generate(&drop, "holed.mkv").await;
    let source = probe_source(&bench.ffmpeg, &holed).await.unwrap();
    let (programme, speech) = extracted(&bench, &holed, &source, 0).await;
    assert_near(&onsets(&programme), &[0.2, 1.0, 2.5, 3.2], 0.03, "gap");
    assert_near(&onsets(&speech), &[0.2, 1.0, 2.5, 3.2], 0.03, "gap");
}

#[tokio::test]
async fn sounds_of_many_channels_are_heard_from_both_sides_without_clipping() {
    let bench = Workbench::new().await;
    for (layout, name) in [("5.1", "5.flac"), ("7.1", "7.flac"), ("16c", "16.wav"), ("3c", "3.wav")] {
        let channels = layout.trim_end_matches('c');
        let tones = vec!["0.9*sin(2*PI*500*t)"; if channels.contains('.') { 8 } else { channels.parse().unwrap() }];
        let tones = tones[..if layout == "5.1" { 6 } else { tones.len() }].join("|");
        let named = if channels.contains('.') { format!(":c={layout}") } else { String::new() };
        let path = bench.generate(&format!("-f lavfi -i aevalsrc={tones}{named}:s=48000:d=1"), name).await;
        let source = probe_source(&bench.ffmpeg, &path).await.unwrap();
        let (programme, _) = extracted(&bench, &path, &source, 0).await;
        let mut wav = WavReader::open(&programme).unwrap();
        let mut sound = vec![[0.0_f32; 2]; wav.frames() as usize];
        wav.read(&mut sound).unwrap();
        for side in 0..2 {
            let loudest = sound.iter().fold(0.0_f32, |most, frame| most.max(frame[side].abs()));
            assert!((0.3..0.99).contains(&loudest), "{name}: {loudest}");
        }
    }
}
