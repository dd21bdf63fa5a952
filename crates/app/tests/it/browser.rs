//! A finished video plays in a real browser.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use crate::desk::{Desk, kill, program};

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Without a screen, and without any network of its own.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    // Without it a browser that has no screen ends as soon as the page is there.
    "--remote-debugging-port=0",
];
/// Plays fast to the end, then tells the test what it saw.
const PAGE: &str = r#"<!doctype html><video id="video" src="video.mp4" muted></video><script>
const video = document.getElementById("video");
const tell = (text) => fetch("/seen?" + encodeURIComponent(text).replaceAll("%20", "+"));
video.onerror = () => tell("error " + video.error.message);
video.onended = () => tell(`ended ${video.videoWidth}x${video.videoHeight} ${Math.abs(video.currentTime - video.duration) < 0.05}`);
video.playbackRate = 8;
video.play().catch((reason) => tell("refused " + reason));
</script>"#;
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn a_video_plays_to_its_end_in_a_browser() {
    let desk = Desk::new();
    desk.write("script.md", "---\nlang: en\n---\n\nThe lamp is lit. A ship goes by.\n");
    desk.succeed(["video", "script.md", "--quality", "draft", "-o", "out.mp4"]);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let (tell, seen) = channel();
    let video = std::fs::read(desk.path("out.mp4")).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let (tell, video) = (tell.clone(), video.clone());
            thread::spawn(move || answer(&connection, &video, &tell));
        }
    });
    let browser = open_browser(&address, &desk.path("profile"));
    let seen = seen.recv_timeout(PATIENCE);
    kill(browser);
    assert_eq!(seen.as_deref(), Ok("ended+1080x1920+true"));
}

fn open_browser(address: &str, profile: &Path) -> Child {
    for browser in BROWSERS {
        let mut command = program(browser);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.display()));
        if let Ok(child) = command.arg(address).spawn() {
            return child;
        }
    }
    panic!("none of {BROWSERS:?} was found; install one with `make setup`");
}

/// Serves the page and the video, and hands on what the page saw.
fn answer(mut connection: &TcpStream, video: &[u8], tell: &Sender<String>) {
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    // The headers end with an empty line.
    lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (sort, body) = match path {
        "/" => ("text/html", PAGE.as_bytes()),
        "/video.mp4" => ("video/mp4", video),
        _ => ("text/plain", &b""[..]),
    };
    if let Some((_, seen)) = path.split_once("/seen?") {
        // The test may have given up already.
        let _ = tell.send(seen.to_owned());
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {sort}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // A browser ends a connection when it has seen enough.
    let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body));
}
