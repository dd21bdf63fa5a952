//! What is said about good files, and about bad ones.

use media::probe::{Matrix, probe, probe_sound};
use media::{FrameRate, Size};

use crate::fixtures::Workbench;

#[tokio::test]
async fn a_clip_is_described() {
    let bench = Workbench::new().await;
    let source =
        "-f lavfi -i testsrc2=s=320x180:r=30000/1001:d=2 -f lavfi -i sine=d=2 -c:v libx264 -pix_fmt yuv420p -c:a aac";
    let info = probe(&bench.ffmpeg, &bench.generate(source, "clip.mp4").await).await.unwrap();
    assert_eq!((info.size, info.stored), (Size::new(320, 180), Size::new(320, 180)));
    assert_eq!(info.fps, FrameRate::new(30_000, 1001).unwrap());
    assert!((1960..=2050).contains(&info.duration_ms), "{} ms", info.duration_ms);
    assert_eq!((info.codec.as_str(), info.pix_fmt.as_str(), info.color.matrix), ("h264", "yuv420p", Matrix::Bt601));
    assert!(info.has_audio && !info.variable_rate && !info.interlaced);
}

#[tokio::test]
async fn a_turned_and_stretched_clip_is_described_as_shown() {
    let bench = Workbench::new().await;
    let stored =
        bench.generate("-f lavfi -i testsrc2=s=320x240:d=1,setsar=4/3 -c:v libx264 -pix_fmt yuv420p", "a.mp4").await;
    let turn = format!("-display_rotation 90 -i {} -c copy", stored.display());
    // FFmpeg 6 took the first way from its tag and gave it an option.
    let path = if bench.ffmpeg.version().starts_with("5.") {
        bench.generate(&format!("-i {} -c copy -metadata:s:v rotate=90", stored.display()), "b.mov").await
    } else {
        bench.generate(&turn, "b.mov").await
    };
    let info = probe(&bench.ffmpeg, &path).await.unwrap();
    assert_eq!((info.size, info.stored), (Size::new(240, 427), Size::new(240, 320)));
}

#[tokio::test]
async fn a_recording_without_a_stated_length_is_measured() {
    let bench = Workbench::new().await;
    let source =
        "-f lavfi -i testsrc2=s=160x90:r=25:d=3 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -live 1 -f webm";
    let info = probe(&bench.ffmpeg, &bench.generate(source, "recording.webm").await).await.unwrap();
    assert!((2900..=3050).contains(&info.duration_ms), "{} ms", info.duration_ms);
}

#[tokio::test]
async fn sound_is_described() {
    let bench = Workbench::new().await;
    let path = bench.generate("-f lavfi -i sine=r=44100:d=2 -ac 2", "tone.mp3").await;
    let info = probe_sound(&bench.ffmpeg, &path).await.unwrap();
    assert_eq!((info.channels, info.sample_rate, info.codec.as_str()), (2, 44_100, "mp3"));
    assert!((1990..=2100).contains(&info.duration_ms), "{} ms", info.duration_ms);
}

#[tokio::test]
async fn every_unusable_file_says_what_is_wrong_with_it() {
    let bench = Workbench::new().await;
    let whole = std::fs::read(bench.video("320x180", 3, "whole.mp4").await).unwrap();
    let fast = bench.generate("-i whole.mp4 -c copy -movflags +faststart", "fast.mp4").await;
    let fast = std::fs::read(fast).unwrap();
    bench.generate("-f lavfi -i sine=d=1", "tone.m4a").await;
    bench.generate("-f lavfi -i testsrc2=s=64x64 -frames:v 1", "still.png").await;
    let still = std::fs::read(bench.path("still.png")).unwrap();
    let cases: [(&str, &[u8], &str); 7] = [
        ("nothing.mp4", b"", "is empty"),
        ("text.mp4", b"dear diary, this is no video at all\n", "is broken or not what its name says"),
        ("cut.mp4", &whole[..whole.len() / 2], "is only partly written"),
        ("cut-data.mp4", &fast[..fast.len() / 2], "is only partly written"),
        ("picture.mp4", &still, "is not what its name says"),
        (
            "list.mp4",
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nwhole.mp4\n#EXT-X-ENDLIST\n",
            "is not what its name says",
        ),
        ("tone.mp4", &std::fs::read(bench.path("tone.m4a")).unwrap(), "has sound but no moving picture"),
    ];
    for (name, content, reason) in cases {
        std::fs::write(bench.path(name), content).unwrap();
        let error = probe(&bench.ffmpeg, &bench.path(name)).await.unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains(name), "{name}: {error}");
    }
    let missing = probe(&bench.ffmpeg, &bench.path("gone.mp4")).await.unwrap_err().to_string();
    assert!(missing.contains("gone.mp4` does not exist"), "{missing}");
}
