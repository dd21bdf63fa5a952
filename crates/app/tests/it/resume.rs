//! A run that is killed goes on where it was, and gives the same frames.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::desk::{Desk, Ended, hash_frames, kill};

const SCRIPT: &str = "---\ntitle: Going on\nlang: en\ntheme: paper\n---\n\n\
The first scene is short. The second follows.\n\n\
> A quote in between.\n\nThen come two more. And this is the last of them.\n";
const ARGUMENTS: [&str; 10] =
    ["video", "script.md", "--quality", "draft", "--aspect", "1:1", "--captions", "word", "-o", "out.mp4"];
const KILLS: u32 = 20;

fn desk_with_script() -> Desk {
    let desk = Desk::new();
    desk.write("script.md", SCRIPT);
    desk
}

/// The numbers of the segments that a run finished, made or found.
fn list_segments(ended: &Ended, is_wanted: fn(bool) -> bool) -> BTreeSet<u64> {
    let finished = ended.list_events("item_finished").filter(|event| event["stage"] == "segments");
    let wanted = finished.filter(|event| is_wanted(event["reused"].as_bool().unwrap()));
    wanted.map(|event| event["item"]["number"].as_u64().unwrap()).collect()
}

/// A share of the run, from 0 to 1, that looks random and is the same each time: multiples of the golden ratio.
fn moment(kill: u32) -> f64 {
    (f64::from(kill) * 0.618_034 + 0.31).fract()
}

#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_same_frames() {
    let desk = desk_with_script();
    let started = Instant::now();
    desk.succeed(ARGUMENTS);
    let whole = started.elapsed();
    let frames = hash_frames(&desk.path("out.mp4"));

    let mut kept_count = 0;
    for number in 0..KILLS {
        let desk = desk_with_script();
        let child = desk.pressroom(ARGUMENTS).spawn().unwrap();
        sleep(whole.mul_f64(moment(number)));
        let killed = kill(child);
        let after = whole.mul_f64(moment(number)).as_millis();
        if killed.code != Some(0) {
            assert_eq!(desk.list("out.mp4"), [""; 0], "killed after {after} ms");
        }

        let resumed = desk.succeed(ARGUMENTS);
        let finished = list_segments(&killed, |_| true);
        let encoded = list_segments(&resumed, |reused| !reused);
        let twice: Vec<_> = finished.intersection(&encoded).collect();
        assert!(twice.is_empty(), "killed after {after} ms: segments {twice:?} were encoded again");
        assert_eq!(hash_frames(&desk.path("out.mp4")), frames, "killed after {after} ms");
        kept_count += finished.len();
    }
    assert!(kept_count > 0, "no kill came late enough to find a finished segment");
}

#[test]
fn nothing_goes_on_after_a_kill() {
    let desk = desk_with_script();
    let child = desk.pressroom(ARGUMENTS).spawn().unwrap();
    sleep(Duration::from_millis(1500));
    kill(child);
    let data = desk.path("data");
    let still_open = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter(|process| {
                let command_line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&command_line).contains(data.to_str().unwrap())
            })
            .count()
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    while still_open() > 0 {
        assert!(Instant::now() < deadline, "a child outlived Pressroom");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_interrupted_run_ends_by_itself_and_leaves_no_video() {
    let desk = desk_with_script();
    let mut child = desk.pressroom(ARGUMENTS).spawn().unwrap();
    sleep(Duration::from_millis(800));
    let interrupt = crate::desk::program("kill").args(["-INT", &child.id().to_string()]).output().unwrap();
    assert!(interrupt.status.success());
    let deadline = Instant::now() + Duration::from_secs(15);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not end when it is interrupted");
        sleep(Duration::from_millis(50));
    }
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{}", ended.complaint);
    assert_eq!(desk.list("out"), [""; 0]);
}
