//! Files that try to reach beyond themselves: another file, or an address.

use std::path::Path;

use media::probe::{probe, probe_sound};

use crate::fixtures::Workbench;

/// Scripts and playlists that FFmpeg would follow, each naming a file and an address.
fn bait(canary: &Path, address: &str) -> Vec<(&'static str, String)> {
    let canary = canary.display();
    vec![
        ("playlist.m3u8", format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{canary}\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n")),
        ("concat.txt", format!("ffconcat version 1.0\nfile '{canary}'\nfile '{address}'\n")),
        ("metadata.ffmeta", format!(";FFMETADATA1\ntitle={canary}\n")),
        ("drawing.svg", format!("<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"64\" height=\"64\"><image xlink:href=\"{address}\" width=\"64\" height=\"64\"/></svg>")),
        ("manifest.mpd", format!("<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" mediaPresentationDuration=\"PT2S\"><Period><AdaptationSet><Representation id=\"1\" bandwidth=\"1\" mimeType=\"video/mp4\"><BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>")),
        ("session.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n".to_owned()),
        ("list.edl", format!("# mpv EDL v0\n{canary}\n{address}\n")),
        ("captions.vobsub", format!("# VobSub index file, v7 (do not modify this line!)\n{canary}\n")),
        ("list.imf", format!("<?xml version=\"1.0\"?><CompositionPlaylist><a>{address}</a></CompositionPlaylist>")),
        ("shortcut.avs", format!("AviSource(\"{canary}\")\n")),
    ]
}

#[tokio::test]
async fn scripts_and_playlists_reach_nothing_under_any_name() {
    let bench = Workbench::new().await;
    let canary = bench.video("64x64", 2, "canary.mp4").await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}/clip.mp4", listener.local_addr().unwrap());
    for (name, content) in bait(&canary, &address) {
        let stem = name.split('.').next().unwrap();
        for name in [name.to_owned(), format!("{stem}.mp4"), format!("{stem}-%03d.png")] {
            let path = bench.path(&name);
            std::fs::write(&path, &content).unwrap();
            let error = probe(&bench.ffmpeg, &path).await.expect_err(&name).to_string();
            assert!(error.contains(&name), "{name}: {error}");
            probe_sound(&bench.ffmpeg, &path).await.expect_err(&name);
        }
    }
    assert!(listener.accept().is_err(), "an address was asked");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_data_reference_to_another_file_is_not_followed() {
    let bench = Workbench::new().await;
    let canary = bench.video("64x64", 2, "canary.mp4").await;
    let movie = std::fs::read(&canary).unwrap();
    let path = bench.path("reference.mp4");
    std::fs::write(&path, with_external_data(&movie, "canary.mp4")).unwrap();
    // Without its own data the file has a promise of frames and none of them.
    let error = probe(&bench.ffmpeg, &path).await.unwrap_err().to_string();
    assert!(error.contains("reference.mp4"), "{error}");
}

/// The movie with its samples removed and its data reference naming a file, as an `alis` record of `QuickTime` does.
fn with_external_data(movie: &[u8], name: &str) -> Vec<u8> {
    let marker = movie.windows(4).position(|window| window == b"url ").unwrap();
    let mut changed = movie.to_vec();
    // The flag of `url ` that says "in this same file" is cleared, and its kind made one that names a file.
    changed[marker..marker + 4].copy_from_slice(b"alis");
    changed[marker + 7] = 0;
    let data = changed.windows(4).position(|window| window == b"mdat").unwrap();
    let index = changed.windows(4).position(|window| window == b"moov").unwrap();
    assert!(data < index, "the samples stand before the index");
    changed[data + 4..index - 4].fill(0);
    changed.extend_from_slice(name.as_bytes());
    changed
}

#[tokio::test]
async fn names_that_look_like_options_or_addresses_are_only_names() {
    let bench = Workbench::new().await;
    let video = std::fs::read(bench.video("64x64", 1, "plain.mp4").await).unwrap();
    for name in
        ["-y", "http:x.mp4", "frame-%03d.mp4", "a'b c[d];e,f.mp4", "pipe:0", "ümläut 日本.mp4", "concat:a|b.mp4"]
    {
        let path = bench.path(name);
        std::fs::write(&path, &video).unwrap();
        assert_eq!(probe(&bench.ffmpeg, &path).await.unwrap().duration_ms, 1000, "{name}");
    }
}
