//! What files are, told by their content.

use media::content::identify;

use crate::fixtures::Workbench;

#[tokio::test]
async fn a_file_is_what_is_in_it_whatever_it_is_called() {
    let bench = Workbench::new().await;
    let tone = "-f lavfi -i sine=d=1";
    let picture = "-f lavfi -i testsrc2=s=64x64:r=10:d=1";
    for (arguments, name, expected) in [
        (format!("{picture} -c:v libx264 -pix_fmt yuv420p"), "a.mp4", "video/mp4"),
        (format!("{picture} -c:v libx264 -pix_fmt yuv420p"), "a.mov", "video/quicktime"),
        (format!("{picture} -c:v libx264 -pix_fmt yuv420p"), "a.mkv", "video/x-matroska"),
        (format!("{picture} -c:v libvpx"), "a.webm", "video/webm"),
        (format!("{tone} -c:a libopus"), "s.webm", "audio/webm"),
        (tone.to_owned(), "a.wav", "audio/wav"),
        (tone.to_owned(), "a.flac", "audio/flac"),
        (tone.to_owned(), "a.mp3", "audio/mpeg"),
        (tone.to_owned(), "a.m4a", "audio/mp4"),
        (tone.to_owned(), "a.ogg", "audio/ogg"),
        (format!("{picture} -frames:v 1"), "a.png", "image/png"),
        (format!("{picture} -frames:v 1"), "a.jpg", "image/jpeg"),
    ] {
        let made = bench.generate(&arguments, name).await;
        let nameless = bench.path("0193a5c47b1e7c3a9f002b6d1e8a4c55");
        std::fs::rename(made, &nameless).unwrap();
        assert_eq!(identify(&bench.ffmpeg, &nameless).await.unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn what_is_none_of_these_is_refused_with_the_reason() {
    let bench = Workbench::new().await;
    let video = std::fs::read(bench.video("64x64", 2, "whole.mp4").await).unwrap();
    let picture = std::fs::read(bench.generate("-f lavfi -i color -frames:v 1", "whole.png").await).unwrap();
    for (name, bytes) in [
        ("nothing", Vec::new()),
        ("program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0".repeat(100)),
        ("archive", b"PK\x03\x04\x14\0\0\0\x08\0".repeat(100)),
        ("half a video", video[..video.len() / 2].to_vec()),
        ("half a picture", picture[..picture.len() / 2].to_vec()),
    ] {
        let path = bench.path("file");
        std::fs::write(&path, bytes).unwrap();
        let refused = identify(&bench.ffmpeg, &path).await;
        assert!(matches!(refused, Err(media::MediaError::BadFile { .. })), "{name}: {refused:?}");
    }
}
