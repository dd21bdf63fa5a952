//! Finished videos are what they should be: facts that ffprobe and FFmpeg's own measurements give.

use std::path::Path;

use crate::desk::{Desk, find_stream, hash_frames, measure, number, of_kind, probe};

const SCRIPT: &str = "---\ntitle: The lighthouse\nlang: en\ntheme: ink\n---\n\n# The lighthouse\n\n\
The keeper climbs two hundred steps. At dusk the lamp is lit.\n\n\
> Every night, the same light.\n\n## What he keeps\n\n- Oil for the lamp\n- A book of storms\n\n\
Ships pass without a word.\n";

const PORTRAIT: (u64, u64) = (1080, 1920);

/// All a render has to fulfil, whatever it shows.
fn assert_sound(video: &Path, size: (u64, u64)) {
    let facts = probe(video);
    let (picture, sound) = (find_stream(&facts, "video"), find_stream(&facts, "audio"));
    assert_eq!((picture["width"].as_u64(), picture["height"].as_u64()), (Some(size.0), Some(size.1)));
    assert_eq!(picture["pix_fmt"], "yuv420p", "QuickTime plays nothing else of H.264");
    for tag in ["color_space", "color_transfer", "color_primaries"] {
        assert_eq!(picture[tag], "bt709", "{tag}");
    }
    assert_eq!((&picture["r_frame_rate"], &picture["avg_frame_rate"]), (&"30/1".into(), &"30/1".into()));
    let one_frame_s = 1.0 / 30.0;
    let difference_s = (number(&picture["duration"]) - number(&sound["duration"])).abs();
    assert!(difference_s <= one_frame_s + 0.001, "picture and sound end {difference_s} s apart");
    let frames = number(&picture["nb_read_packets"]);
    assert!((frames * one_frame_s - number(&picture["duration"])).abs() < 0.5 * one_frame_s, "frames are missing");
    assert_moov_first(video);
    assert_eq!(measure(video, &["-v", "error", "-xerror"]), "", "it decodes without a complaint");

    let said = measure(video, &["-af", "ebur128=peak=true", "-vn"]);
    let summary = said.rsplit_once("Summary:").unwrap().1;
    let read =
        |name: &str| -> f64 { summary.split_once(name).unwrap().1.split_whitespace().next().unwrap().parse().unwrap() };
    assert!((read("I:") + 14.0).abs() <= 0.5, "{summary}");
    assert!(read("Peak:") <= -1.0, "{summary}");
}

/// The index stands before the data, so that a browser can begin before the end.
fn assert_moov_first(video: &Path) {
    let bytes = std::fs::read(video).unwrap();
    let find = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
    assert!(find(b"moov") < find(b"mdat"));
}

#[test]
fn a_script_becomes_a_video_with_its_files_beside_it() {
    let desk = Desk::new();
    desk.write("light.md", SCRIPT);
    desk.succeed(["video", "light.md", "--quality", "draft", "--captions", "word"]);
    assert_eq!(
        desk.list("light."),
        ["light.ass", "light.jpg", "light.json", "light.md", "light.mp4", "light.otio", "light.srt", "light.vtt"]
    );
    let video = desk.path("light.mp4");
    assert_sound(&video, PORTRAIT);
    let seconds = number(&probe(&video)["format"]["duration"]);
    assert!((8.0..30.0).contains(&seconds), "{seconds} s for some thirty words");
    let subtitles = std::fs::read_to_string(desk.path("light.srt")).unwrap();
    assert!(subtitles.starts_with("1\n00:00:00,") && subtitles.contains("hundred steps."), "{subtitles}");
    assert!(std::fs::read_to_string(desk.path("light.vtt")).unwrap().starts_with("WEBVTT\n"));
    assert!(measure(&video, &["-vf", "blackdetect=d=0.5"]).find("black_start").is_none(), "cards are not black");
}

#[test]
fn footage_and_music_fill_a_frame_of_another_shape() {
    let desk = Desk::new();
    desk.write("light.md", SCRIPT);
    desk.clip("clips/lamp-at-dusk.mp4", "640x360", 6.0);
    desk.clip("clips/steps.mp4", "360x640", 6.0);
    desk.still("clips/ships.png", "800x600");
    desk.music("bed.m4a");
    let arguments =
        ["video", "light.md", "--quality", "draft", "--media", "clips", "--music", "bed.m4a", "-o", "out.mp4"];
    let ended = desk.succeed(arguments);
    let decoded = ended.list_events("item_finished").filter(|event| event["stage"] == "stills").count();
    assert_eq!(decoded, 1, "a still is decoded once for all segments and the cover");
    assert_sound(&desk.path("out.mp4"), PORTRAIT);
    let facts: serde_json::Value = serde_json::from_slice(&std::fs::read(desk.path("out.json")).unwrap()).unwrap();
    let shown = facts["scenes"].to_string();
    assert!(shown.contains("lamp-at-dusk.mp4") && shown.contains("ships.png"), "{shown}");
    let said = measure(&desk.path("out.mp4"), &["-vf", "cropdetect=limit=0.06:round=2:reset=0", "-an"]);
    let crop = said.rsplit_once("crop=").unwrap().1.split_whitespace().next().unwrap();
    assert!(crop.starts_with("1080:1920:"), "black bars around {crop}");
}

#[test]
fn every_aspect_has_its_size() {
    let desk = Desk::new();
    desk.write("short.md", "The lamp is lit.\n");
    for (aspect, size) in [("16:9", (1920, 1080)), ("1:1", (1080, 1080)), ("4:5", (1080, 1350))] {
        desk.succeed(["video", "short.md", "--quality", "draft", "--aspect", aspect, "-o", "short.mp4"]);
        assert_sound(&desk.path("short.mp4"), size);
    }
}

#[test]
fn an_unchanged_run_encodes_nothing_and_gives_the_same_frames() {
    let desk = Desk::new();
    desk.write("light.md", SCRIPT);
    let arguments = ["video", "light.md", "--quality", "draft", "-o", "out.mp4"];
    desk.succeed(arguments);
    let before = hash_frames(&desk.path("out.mp4"));
    let again = desk.succeed(arguments);
    for stage in ["voice", "segments"] {
        let (items, reused) = again.count_items(stage);
        assert!(items > 0 && items == reused, "{stage}: {reused} of {items} were kept");
    }
    assert_eq!(hash_frames(&desk.path("out.mp4")), before);
}

#[test]
fn another_data_folder_gives_the_same_frames() {
    let frames = || {
        let desk = Desk::new();
        desk.write("light.md", SCRIPT);
        desk.succeed(["video", "light.md", "--quality", "draft", "-o", "out.mp4"]);
        hash_frames(&desk.path("out.mp4"))
    };
    assert_eq!(frames(), frames());
}

#[test]
fn an_edited_sentence_renders_only_its_scene_again() {
    let desk = Desk::new();
    desk.write("light.md", SCRIPT);
    let arguments = ["video", "light.md", "--quality", "draft", "-o", "out.mp4"];
    desk.succeed(arguments);
    desk.write("light.md", &SCRIPT.replace("Ships pass without a word.", "Ships pass and sound their horns."));
    let edited = desk.succeed(arguments);
    let (spoken, kept) = edited.count_items("voice");
    assert_eq!(spoken - kept, 1, "one sentence is spoken again");
    let (segments, kept) = edited.count_items("segments");
    let made = segments - kept;
    assert!((1..=3).contains(&made), "{made} of {segments}: the scene and the transitions beside it");
}

#[test]
fn two_runs_at_once_on_one_data_folder_both_succeed() {
    let desk = Desk::new();
    desk.write("light.md", SCRIPT);
    let start =
        |output: &str| desk.pressroom(["video", "light.md", "--quality", "draft", "-o", output]).spawn().unwrap();
    let (one, other) = (start("one.mp4"), start("other.mp4"));
    for child in [one, other] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(hash_frames(&desk.path("one.mp4")), hash_frames(&desk.path("other.mp4")));
}

#[test]
fn a_storyboard_is_a_sheet_and_a_draft_and_no_full_render() {
    let desk = Desk::new();
    desk.write("light.md", SCRIPT);
    desk.succeed(["video", "light.md", "--storyboard", "-o", "plan.mp4"]);
    let made = desk.list("plan");
    assert!(!of_kind(&made, "jpg").is_empty() || !of_kind(&made, "png").is_empty(), "{made:?}");
    let facts = probe(&desk.path(of_kind(&made, "mp4")[0]));
    assert!(find_stream(&facts, "video")["height"].as_u64().unwrap() <= 480);
}
