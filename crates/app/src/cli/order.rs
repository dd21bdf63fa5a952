//! Where the result of a command goes, and what is said of it.

use std::path::{Path, PathBuf};

use videos::Finished;

use crate::cli::console::{Console, clock, print_json};

/// What is written, and so how its file is named when nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Video,
    Sound,
}

fn is_url(script: &str) -> bool {
    script.split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Where the result goes: `wanted`, or a file in the folder `wanted`, or one beside the script. A video written beside
/// a file of the same name is told apart by what it is made from.
pub(crate) fn output_path(wanted: Option<&Path>, script: &str, target: Target) -> PathBuf {
    let extension = match target {
        Target::Video => "mp4",
        Target::Sound => "m4a",
    };
    let name = format!("{}.{extension}", name_of(script));
    match wanted {
        Some(path) if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") => path.join(name),
        Some(path) => path.to_owned(),
        None if script == "-" || is_url(script) => PathBuf::from(name),
        None => Path::new(script).with_file_name(name),
    }
}

fn name_of(script: &str) -> String {
    if script == "-" {
        return "script".to_owned();
    }
    if !is_url(script) {
        return Path::new(script)
            .file_stem()
            .map_or_else(|| "script".into(), |stem| stem.to_string_lossy().into_owned());
    }
    let path = script.split(['?', '#']).next().unwrap_or_default();
    let words: Vec<&str> = path.split('/').skip(2).filter(|part| !part.is_empty()).collect();
    let last = words.last().copied().unwrap_or("page");
    let name: String = last.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).take(80).collect();
    name.trim_matches('-').to_owned()
}

/// Says what was made.
pub(crate) fn report(finished: &Finished, console: &Console) -> anyhow::Result<()> {
    for left_out in &finished.left_out {
        console.warn(&format!("left out: {left_out}"));
    }
    if console.is_json() {
        return print_json(&serde_json::json!({ "event": "written", "files": finished }));
    }
    let mib = finished.size_bytes as f64 / f64::from(1 << 20);
    let line = format!("{}  {}  {mib:.1} MiB", finished.output.display(), clock(finished.duration_ms));
    console.say(&line);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_is_written_beside_its_script_unless_told_otherwise() {
        let beside = |script| output_path(None, script, Target::Video);
        assert_eq!(beside("talks/hello.md"), Path::new("talks/hello.mp4"));
        assert_eq!(beside("-"), Path::new("script.mp4"));
        assert_eq!(beside("https://example.org/a/b-c.html?x=1"), Path::new("b-c-html.mp4"));
        assert_eq!(output_path(Some(Path::new("out/")), "talks/hello.md", Target::Sound), Path::new("out/hello.m4a"));
    }
}
