//! A team makes one video and one dub of it, so that a person sees it work; then everything is stopped.

use super::{Size, Team};
use crate::http::{self, Request};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

const SCRIPT: &str = "examples/tides.md";
const SIZE: Size = Size { servers: 2, workers: 3 };

/// Starts the team, has both made through the gateway, fetches them into `out/`, and stops the team.
pub(crate) fn run(root: &Path) -> Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = root.join(target);
    let began = Instant::now();
    let say = |what: &str| say(&format!("{:5.1} s  {what}", began.elapsed().as_secs_f64()));
    let team = Team::start(root, &target.join("release/pressroom"), &target.join("demo-team"), SIZE, say)?;
    let out = root.join("out");
    std::fs::create_dir_all(&out)?;

    let script = std::fs::read_to_string(root.join(SCRIPT)).with_context(|| format!("{SCRIPT} cannot be read"))?;
    let video = make(&team, "/api/v1/videos", &json!({"script": script}))?;
    let video_file = fetch(&team, &video, "video", &out.join("team.mp4"))?;
    say(&format!("a video: {}", video_file.display()))?;

    let order = json!({
        "source": {"file_id": file_of(&video, "video")?["file_id"]},
        "transcript": {"file_id": find_subtitles(&video)?["file_id"]},
        "from": "en",
        "to": ["es"],
    });
    let dub = make(&team, "/api/v1/dubs", &order)?;
    let dub_file = fetch(&team, &dub, "dub", &out.join("team.es.mp4"))?;
    say(&format!("a dub of it: {}", dub_file.display()))?;

    say("what each process said is in target/demo-team/*.log; stopping")?;
    team.stop()?;
    say("everything is stopped")
}

/// Asks for something, and follows its task to the end; returns what it made.
fn make(team: &Team, path: &str, order: &Value) -> Result<Value> {
    let token = team.sign_in()?;
    let post = Request { method: "POST", path, token: Some(&token), headers: &[] };
    let asked = http::ask_json(team.address, post, order)?.json(202)?;
    let task = asked["task"]["id"].as_str().context("what is asked for has a task")?;
    let mut seen: Vec<String> = Vec::new();
    let done = team.wait_for(task, |task| {
        let now = task["progress"]["stage"].as_str().unwrap_or_default();
        // Sound and segments are made side by side, and tell of themselves in turn.
        if !now.is_empty() && !seen.iter().any(|stage| stage == now) {
            seen.push(now.to_owned());
            say(&format!("         {now}"))?;
        }
        Ok(())
    })?;
    Ok(done["result"].clone())
}

/// The file that is `role` to what was made.
fn file_of<'a>(made: &'a Value, role: &str) -> Result<&'a Value> {
    let files = made["files"].as_array().context("a result has files")?;
    files.iter().find(|file| file["role"] == role).with_context(|| format!("no file is the {role} of {made}"))
}

fn find_subtitles(made: &Value) -> Result<&Value> {
    let files = made["files"].as_array().context("a result has files")?;
    let is_subrip = |file: &&Value| file["media_type"] == "application/x-subrip";
    files.iter().find(is_subrip).with_context(|| format!("no subtitles are in {made}"))
}

fn fetch(team: &Team, made: &Value, role: &str, to: &Path) -> Result<PathBuf> {
    let path = file_of(made, role)?["download_url"].as_str().context("a file has an address")?;
    let answer = http::ask(team.address, Request::get(path, &team.sign_in()?))?;
    answer.save(&mut File::create(to)?)?;
    Ok(to.to_owned())
}

fn say(what: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "demo-team: {what}")?)
}
