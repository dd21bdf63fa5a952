//! Dubs as their user makes them: with the engines of the machine.

use std::thread::sleep;
use std::time::Instant;

use serde_json::Value;

use crate::desk::{Desk, Ended, hash_frames, kill};

pub(crate) const TRANSCRIPT: &str = "\
1
00:00:00,500 --> 00:00:02,300
The river is high in spring.

2
00:00:02,600 --> 00:00:04,400
We counted many birds.

3
00:00:04,700 --> 00:00:05,900
Children play here.

4
00:00:06,200 --> 00:00:07,600
Good night.
";
const ARGUMENTS: [&str; 6] = ["dub", "talk.mp4", "--to", "es", "--transcript", "talk.en.srt"];
const KILLS: u32 = 20;

fn desk_with_talk() -> Desk {
    let desk = Desk::new();
    desk.clip("talk.mp4", "160x90", 8.0);
    desk.write("talk.en.srt", TRANSCRIPT);
    desk
}

fn document(desk: &Desk) -> Value {
    serde_json::from_slice(&std::fs::read(desk.path("talk.dub.json")).unwrap()).unwrap()
}

/// A share of the run, from 0 to 1, that looks random and is the same each time: multiples of the golden ratio.
fn moment(kill: u32) -> f64 {
    (f64::from(kill) * 0.618_034 + 0.31).fract()
}

/// How many lines a run spoke, those it found excepted.
fn lines_made(ended: &Ended) -> usize {
    let finished = ended.list_events("item_finished").filter(|event| event["stage"] == "speak");
    finished.filter(|event| event["reused"] == false).count()
}

#[test]
fn a_dub_killed_at_any_moment_goes_on_to_the_same_result() {
    let desk = desk_with_talk();
    let started = Instant::now();
    let all = lines_made(&desk.succeed(ARGUMENTS));
    let whole = started.elapsed();
    let (frames, lines) = (hash_frames(&desk.path("talk.es.mp4")), document(&desk)["utterances"].clone());

    let mut kept_count = 0;
    for number in 0..KILLS {
        let desk = desk_with_talk();
        let child = desk.pressroom(ARGUMENTS).spawn().unwrap();
        sleep(whole.mul_f64(moment(number)));
        let killed = kill(child);
        let resumed = desk.succeed(ARGUMENTS);
        let after = whole.mul_f64(moment(number)).as_millis();
        assert!(lines_made(&killed) + lines_made(&resumed) <= all, "killed after {after} ms: a line was spoken twice");
        assert_eq!(hash_frames(&desk.path("talk.es.mp4")), frames, "killed after {after} ms");
        assert_eq!(document(&desk)["utterances"], lines, "killed after {after} ms");
        kept_count += lines_made(&killed);
    }
    assert!(kept_count > 0, "no kill came late enough to find a finished line");
}

#[test]
fn a_line_is_edited_made_again_and_reported() {
    let desk = desk_with_talk();
    desk.succeed(ARGUMENTS);
    desk.succeed(["dub", "edit", "talk.dub.json", "--set", "2.translation=Contamos aves.", "--set", "3.dubbed=false"]);
    let resumed = desk.succeed(["dub", "resume", "talk.dub.json"]);
    assert_eq!(lines_made(&resumed), 1);
    let document = document(&desk);
    assert_eq!(document["utterances"][1]["lines"]["es"]["translation"], "Contamos aves.");
    assert_eq!(document["utterances"][2]["lines"]["es"]["dubbed"], false);
    let report = desk.succeed(["dub", "report", "talk.dub.json"]);
    assert_eq!((&report.events[0]["lines"], &report.events[0]["dubbed"]), (&Value::from(4), &Value::from(3)));
    let figures = report.events[0]["figures"].as_array().unwrap();
    let missed: Vec<_> = figures.iter().filter(|figure| figure["met"] == false).collect();
    assert!(figures.len() > 12 && missed.is_empty(), "{missed:?}");
}

#[test]
fn what_is_said_is_written_down_and_translated() {
    let desk = Desk::new();
    desk.write("talk.md", "Nobody knows how deep the water is. Thank you for listening.\n");
    desk.succeed(["narrate", "talk.md", "-o", "talk.wav"]);
    desk.succeed(["transcribe", "talk.wav"]);
    let heard = std::fs::read_to_string(desk.path("talk.en.srt")).unwrap();
    assert!(heard.contains(" --> ") && heard.contains("listening"), "{heard}");
    desk.succeed(["translate", "talk.en.srt", "--to", "es"]);
    let translated = std::fs::read_to_string(desk.path("talk.es.srt")).unwrap();
    assert_eq!(translated.matches(" --> ").count(), heard.matches(" --> ").count());
    assert!(!translated.contains("listening"), "{translated}");
}

#[test]
fn what_cannot_be_dubbed_is_said_in_one_line_with_its_exit_code() {
    let desk = desk_with_talk();
    let refused = |arguments: &[&str]| {
        let ended = desk.run(arguments);
        (ended.code, ended.the_line().to_owned())
    };
    let (code, line) = refused(&["dub", "talk.mp4", "--to", "ja", "--transcript", "talk.en.srt"]);
    assert!(code == Some(5) && line.contains("nothing translates `en` to `ja`"), "{code:?} {line}");
    let (code, line) = refused(&["dub", "talk.en.srt", "--to", "es"]);
    assert!(code == Some(3) && line.contains("talk.en.srt"), "{code:?} {line}");
    let (code, line) = refused(&["dub", "edit", "talk.dub.json", "--set", "1.text=x"]);
    assert!(code == Some(3) && line.contains("talk.dub.json` cannot be read"), "{code:?} {line}");
    let (code, line) = refused(&["dub", "talk.mp4", "--to", "es", "--track", "2", "--transcript", "talk.en.srt"]);
    assert!(code == Some(3) && line.contains("none with the number 2"), "{code:?} {line}");
    assert!(!desk.path("talk.dub.json").exists() && !desk.path("talk.es.mp4").exists());
}

#[test]
fn one_file_that_cannot_be_dubbed_does_not_stop_the_others() {
    let desk = desk_with_talk();
    desk.write("broken.mp4", "no media at all");
    desk.write("talk.toml", "[S1]\nes = \"es+f3\"\n");
    let ended = desk.run(["dub", "broken.mp4", "talk.mp4", "--to", "es", "--from", "en", "--voices", "talk.toml"]);
    assert_eq!(ended.code, Some(3), "{}", ended.complaint);
    let told = ["broken.mp4", "no speech that could be dubbed"].iter().all(|part| ended.complaint.contains(part));
    assert!(told, "both are tried: {}", ended.complaint);
}
