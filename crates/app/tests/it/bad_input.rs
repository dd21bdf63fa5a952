//! Whatever is wrong is named with its remedy, in one line, with an exit code, and with nothing under the final name.

use std::path::Path;

use crate::desk::{Desk, Ended, program};

const SCRIPT: &str = "---\nlang: en\n---\n\nThe lamp is lit. A ship goes by.\n";

/// The run failed with `code` and a line that holds all of `words`, and left nothing behind.
fn assert_refused(desk: &Desk, ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.complaint);
    let line = ended.the_line();
    for word in words {
        assert!(line.contains(word), "`{word}` is not in: {line}");
    }
    assert_eq!(desk.list("out"), [""; 0], "something was left behind");
    let errors: Vec<_> = ended.list_events("error").collect();
    assert!(errors.len() == 1 && line.contains(errors[0]["message"].as_str().unwrap()), "{errors:?}");
}

fn video(desk: &Desk, more: &[&str]) -> Ended {
    desk.run([&["video", "script.md", "--quality", "draft", "-o", "out.mp4"], more].concat())
}

#[test]
fn an_empty_script_is_refused() {
    let desk = Desk::new();
    for text in ["", " \n\n", "---\ntitle: Nothing\n---\n", "<!-- only a comment -->\n"] {
        desk.write("script.md", text);
        assert_refused(&desk, &video(&desk, &[]), 3, &["script", "write"]);
    }
}

#[test]
fn an_enormous_script_is_refused() {
    let desk = Desk::new();
    desk.write("script.md", &"The lamp is lit again and again. ".repeat(400_000));
    assert_refused(&desk, &video(&desk, &[]), 3, &["script.md"]);
}

#[test]
fn a_script_that_is_no_text_is_refused() {
    let desk = Desk::new();
    std::fs::write(desk.path("script.md"), [0x89, 0xff, 0x00, 0x9c, 0x0d, 0xc3].repeat(50)).unwrap();
    assert_refused(&desk, &video(&desk, &[]), 3, &["script.md"]);
}

#[test]
fn a_missing_script_is_named() {
    let desk = Desk::new();
    assert_refused(&desk, &video(&desk, &[]), 3, &["script.md"]);
}

#[test]
fn missing_files_are_named() {
    let desk = Desk::new();
    desk.write("script.md", SCRIPT);
    assert_refused(&desk, &video(&desk, &["--media", "nowhere"]), 3, &["nowhere"]);
    assert_refused(&desk, &video(&desk, &["--music", "silence.mp3"]), 3, &["silence.mp3"]);
    desk.write("script.md", &format!("{SCRIPT}\n![A lamp](pictures/lamp.png)\n"));
    assert_refused(&desk, &video(&desk, &[]), 4, &["lamp.png"]);
}

#[test]
fn names_that_do_not_exist_are_answered_with_those_that_do() {
    let desk = Desk::new();
    desk.write("script.md", SCRIPT);
    assert_refused(&desk, &video(&desk, &["--voice", "nova"]), 4, &["nova", "pressroom voices"]);
    let ended = video(&desk, &["--theme", "neon"]);
    assert!(ended.code.is_some_and(|code| (2..=4).contains(&code)), "{}", ended.complaint);
    assert!(ended.complaint.contains("neon") && ended.complaint.contains("ink"), "{}", ended.complaint);
    let ended = video(&desk, &["--caption-style", "loud"]);
    assert!(ended.code.is_some_and(|code| (2..=4).contains(&code)), "{}", ended.complaint);
    assert!(ended.complaint.contains("loud") && ended.complaint.contains("clean"), "{}", ended.complaint);
}

#[test]
fn a_font_that_does_not_exist_is_named() {
    let desk = Desk::new();
    desk.write("script.md", SCRIPT);
    desk.write("style.toml", "font = \"Grotesque of Nowhere\"\n");
    let ended = video(&desk, &["--captions", "line", "--caption-style", "style.toml"]);
    assert!(ended.code.is_some_and(|code| code > 0), "it went through");
    assert!(ended.the_line().contains("Grotesque of Nowhere"), "{}", ended.complaint);
}

#[test]
fn clips_that_cannot_be_used_are_named() {
    let desk = Desk::new();
    let whole = std::fs::read(desk.clip("whole.mp4", "320x240", 2.0)).unwrap();
    let halves: [(&str, &[u8]); 4] = [
        ("half-written.mp4", &whole[..whole.len() / 3]),
        ("empty.mp4", b""),
        ("a-text.mp4", b"This is not a film.\n"),
        ("a-playlist.mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    ];
    for (name, bytes) in halves {
        std::fs::write(desk.path(name), bytes).unwrap();
        desk.write("script.md", &format!("{SCRIPT}\n![The lamp]({name})\n"));
        assert_refused(&desk, &video(&desk, &[]), 3, &[name]);
    }
}

#[test]
fn a_picture_under_the_name_of_a_clip_is_shown_or_named() {
    let desk = Desk::new();
    let still = desk.still("lamp.png", "320x240");
    std::fs::rename(still, desk.path("lamp.mp4")).unwrap();
    desk.write("script.md", &format!("{SCRIPT}\n![The lamp](lamp.mp4)\n"));
    let ended = video(&desk, &[]);
    assert!(ended.code == Some(0) || ended.the_line().contains("lamp.mp4"), "{}", ended.complaint);
}

#[test]
fn a_clip_of_no_length_is_named() {
    let desk = Desk::new();
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=duration=0.02:rate=1", "-t", "0"]);
    command.args(["-c:v", "libx264", "-movflags", "+empty_moov"]).arg(desk.path("blink.mp4"));
    assert!(command.output().unwrap().status.success());
    desk.write("script.md", &format!("{SCRIPT}\n![A blink](blink.mp4)\n"));
    assert_refused(&desk, &video(&desk, &[]), 3, &["blink.mp4"]);
}

#[test]
fn a_still_20_000_pixels_wide_is_shown_or_named() {
    let desk = Desk::new();
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "color=gray:size=20000x12000:duration=1:rate=1"]);
    command.args(["-frames:v", "1", "-pix_fmt", "gray"]).arg(desk.path("wall.png"));
    assert!(command.output().unwrap().status.success());
    desk.write("script.md", &format!("{SCRIPT}\n![A wall](wall.png)\n"));
    let ended = video(&desk, &[]);
    assert!(ended.code == Some(0) || ended.the_line().contains("wall.png"), "{}", ended.complaint);
}

#[test]
fn without_ffmpeg_the_remedy_is_said() {
    let desk = Desk::new();
    desk.write("script.md", SCRIPT);
    let mut command = desk.pressroom(["video", "script.md", "--quality", "draft", "-o", "out.mp4"]);
    command.env("PATH", desk.path("nothing")).env_remove("PRESSROOM_PROGRAMS_FFMPEG");
    let ended = Ended::from(command.output().unwrap());
    assert_refused(&desk, &ended, 5, &["ffmpeg", "install"]);
}

#[test]
fn private_addresses_are_refused() {
    let desk = Desk::new();
    for url in ["http://127.0.0.1:9/", "http://[::1]/", "http://169.254.169.254/latest/", "http://10.0.0.1/"] {
        let ended = desk.run(["video", url, "-o", "out.mp4"]);
        assert!(ended.code.is_some_and(|code| code > 2), "{url}: {}", ended.complaint);
        assert_eq!(desk.list("out"), [""; 0]);
        let host = url.split('/').nth(2).unwrap();
        assert!(ended.the_line().contains(host.split(':').next().unwrap()), "{}", ended.complaint);
    }
    let ended = desk.run(["video", "ftp://example.org/page", "-o", "out.mp4"]);
    assert!(ended.code.is_some_and(|code| code > 0), "{}", ended.complaint);
}

/// Needs a file system of a size, which only root can mount.
#[test]
fn no_space_left_is_said_and_a_later_run_succeeds() {
    let desk = Desk::new();
    desk.write("script.md", SCRIPT);
    let small = desk.path("small");
    std::fs::create_dir(&small).unwrap();
    let Some(_mounted) = Mounted::tmpfs(&small, "300k") else { return };
    let arguments = ["video", "script.md", "--quality", "draft", "-o", "small/out.mp4"];
    std::fs::write(small.join("ballast"), vec![0; 250_000]).unwrap();
    let ended = desk.run(arguments);
    assert_eq!(ended.code, Some(6), "{}", ended.complaint);
    assert!(ended.the_line().contains("small"), "{}", ended.complaint);
    assert!(!small.join("out.mp4").exists(), "half a video has the final name");
    let left: Vec<_> = std::fs::read_dir(&small).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| Path::new(name).extension().is_none_or(|extension| extension != "mp4")), "{left:?}");

    std::fs::remove_file(small.join("ballast")).unwrap();
    desk.succeed(["video", "script.md", "--quality", "draft", "-o", "out.mp4"]);
    assert!(Path::new(&desk.path("out.mp4")).exists());
}

/// A file system in memory, until it is dropped.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn tmpfs(folder: &'a Path, size: &str) -> Option<Self> {
        let mut command = program("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(folder);
        command.output().ok()?.status.success().then_some(Self(folder))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = program("umount").arg(self.0).output();
    }
}
