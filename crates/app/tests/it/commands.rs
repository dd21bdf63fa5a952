//! The smaller commands, and sources other than one script.

use std::path::Path;

use crate::desk::{Desk, Ended, find_stream, number, of_kind, probe, program};

const SCRIPT: &str = "---\nlang: en\n---\n\nThe lamp is lit. A ship goes by.\n";

#[test]
fn a_script_is_read_aloud_into_a_file() {
    let desk = Desk::new();
    desk.write("notes.md", SCRIPT);
    desk.succeed(["narrate", "notes.md", "-o", "notes.m4a"]);
    let facts = probe(&desk.path("notes.m4a"));
    assert_eq!(find_stream(&facts, "audio")["codec_name"], "aac");
    assert!((1.5..12.0).contains(&number(&facts["format"]["duration"])));
}

#[test]
fn voices_are_listed_by_language() {
    let desk = Desk::new();
    let spanish = desk.succeed(["voices", "--lang", "es"]);
    assert!(spanish.events.len() > 1);
    for voice in &spanish.events {
        assert!(voice["lang"].as_str().unwrap().starts_with("es"), "{voice}");
    }
    let unknown = desk.run(["voices", "--lang", "xx"]);
    assert!(unknown.code.is_some_and(|code| code > 0));
}

#[test]
fn settings_are_checked_and_every_fault_is_named() {
    let desk = Desk::new();
    desk.succeed(["config", "check"]);
    let mut command = desk.pressroom(["config", "check"]);
    command.env("PRESSROOM_JOBS", "many").env("PRESSROOM_SPEED", "1").env("PRESSROOM_STORAGE_MAX_LINK_HOURS", "0");
    let wrong = Ended::from(command.output().unwrap());
    assert_eq!(wrong.code, Some(3), "{}", wrong.complaint);
    for named in ["`jobs`", "PRESSROOM_SPEED"] {
        assert!(wrong.complaint.contains(named), "{named}: {}", wrong.complaint);
    }
}

#[test]
fn a_sample_of_a_voice_is_played_or_kept() {
    let desk = Desk::new();
    desk.succeed(["voices", "--play", "es", "-o", "sample.wav"]);
    let kept = number(&probe(&desk.path("sample.wav"))["format"]["duration"]);
    assert!((1.0..10.0).contains(&kept), "{kept}");

    // A sound device that writes down what it is given.
    let heard = desk.path("heard.raw");
    let mut playing = desk.pressroom(["voices", "--play", "es", "--say", "Hola."]);
    let ended = playing.env("SDL_AUDIODRIVER", "disk").env("SDL_DISKAUDIOFILE", &heard).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let heard = std::fs::read(heard).unwrap();
    assert!(heard.iter().filter(|byte| **byte != 0).count() > 1000, "{} bytes", heard.len());

    let ended = desk.pressroom(["voices", "--play", "es"]).env("SDL_AUDIODRIVER", "none").output().unwrap();
    let complaint = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && complaint.contains("no sound device"), "{complaint}");
    let unknown = desk.run(["voices", "--play", "nova"]);
    assert_eq!(unknown.code, Some(4), "{}", unknown.complaint);
}

#[test]
fn the_doctor_finds_a_working_machine() {
    Desk::new().succeed(["doctor"]);
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = program(env!("CARGO_BIN_EXE_pressroom")).args(["completions", shell]).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains("storyboard"), "{shell}");
    }
}

#[test]
fn a_project_file_holds_everything_of_a_video() {
    let desk = Desk::new();
    desk.write("story/script.md", SCRIPT);
    let project =
        "script = \"script.md\"\n\n[picture]\naspect = \"1:1\"\ntheme = \"mono\"\n\n[encoding]\nquality = \"draft\"\n";
    desk.write("story/project.toml", project);
    desk.succeed(["video", "story/project.toml", "-o", "out.mp4"]);
    let facts = probe(&desk.path("out.mp4"));
    assert_eq!(find_stream(&facts, "video")["width"], 1080);
    assert_eq!(find_stream(&facts, "video")["height"], 1080);
}

#[test]
fn a_table_makes_a_video_of_each_row() {
    let desk = Desk::new();
    desk.write("one.md", SCRIPT);
    desk.write("other.md", "---\nlang: en\n---\n\nAnother lamp is lit.\n");
    desk.write(
        "requests.csv",
        "script,output,theme,quality\none.md,one.mp4,ink,draft\nother.md,other.mp4,paper,draft\n",
    );
    desk.succeed(["video", "--batch", "requests.csv"]);
    assert_eq!((desk.list("one.mp4").len(), desk.list("other.mp4").len()), (1, 1));
}

#[test]
fn variants_of_one_request_look_different() {
    let desk = Desk::new();
    desk.write("script.md", SCRIPT);
    desk.succeed(["video", "script.md", "--quality", "draft", "--variants", "2", "-o", "out.mp4"]);
    let made = desk.list("out");
    let videos = of_kind(&made, "mp4");
    assert_eq!(videos.len(), 2, "{videos:?}");
    let read = |name: &String| std::fs::read(desk.path(name)).unwrap();
    assert_ne!(read(videos[0]), read(videos[1]));
}

#[test]
fn every_example_becomes_a_storyboard() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut made = 0;
    for entry in std::fs::read_dir(&examples).unwrap() {
        let path = entry.unwrap().path();
        let is_script = path.extension().is_some_and(|extension| extension == "md");
        if !is_script || path.ends_with("README.md") {
            continue;
        }
        let desk = Desk::new();
        let (script, output) = (path.to_str().unwrap().to_owned(), desk.path("out.mp4").to_str().unwrap().to_owned());
        desk.succeed(["video", &script, "--storyboard", "-o", &output]);
        made += 1;
    }
    assert!(made >= 3, "{made} examples");
}
