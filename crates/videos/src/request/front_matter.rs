//! The settings at the top of a script: YAML between `---` lines or TOML between `+++` lines.

use std::path::Path;

use super::{patch::RequestPatch, value::Value};
use crate::VideosError;

/// The most text that may stand between the fences.
const MAX_BYTES: usize = 64 * 1024;

/// A script cut in two.
#[derive(Debug, Clone, PartialEq)]
pub struct FrontMatter<'a> {
    pub patch: RequestPatch,
    /// What follows the front matter: the text itself.
    pub body: &'a str,
}

/// Takes the front matter off a script. A script without any gives an empty patch and its whole text.
///
/// Paths in it are relative to `base`; `place` names the script in messages.
pub fn split<'a>(text: &'a str, base: &Path, place: &str) -> Result<FrontMatter<'a>, VideosError> {
    let Some((fence, block, body)) = cut(text) else {
        return unfenced(text, place);
    };
    let fail = |faults: Vec<String>| VideosError::Settings { place: format!("front matter of {place}"), faults };
    if block.len() > MAX_BYTES {
        return Err(fail(vec![format!("is {} bytes long; at most {MAX_BYTES} are read", block.len())]));
    }
    let value = if fence == "---" { from_yaml(block) } else { from_toml(block) }.map_err(|fault| fail(vec![fault]))?;
    let entries = match value {
        Value::Table(entries) => entries,
        Value::Nothing => Vec::new(),
        Value::One(_) | Value::Many(_) => return Err(fail(vec!["must be lines of `key: value`".to_owned()])),
    };
    let mut patch = RequestPatch::default();
    let faults: Vec<String> = entries.iter().filter_map(|(key, value)| patch.set(key, value, base).err()).collect();
    if faults.is_empty() { Ok(FrontMatter { patch, body }) } else { Err(fail(faults)) }
}

/// The fence, what stands between its two lines, and what follows; `None` when there is no front matter.
fn cut(text: &str) -> Option<(&'static str, &str, &str)> {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next()?;
    let fence = ["---", "+++"].into_iter().find(|fence| first.trim_end() == *fence)?;
    let start = first.len();
    let mut at = start;
    for line in lines {
        let end = line.trim_end();
        if end == fence || (fence == "---" && end == "...") {
            let block = &text[start..at];
            // Two rules around a paragraph are no front matter, however alike they look.
            let is_settings = block.trim().is_empty() || block.lines().any(looks_like_a_setting) || fence == "+++";
            return is_settings.then(|| (fence, block, &text[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

/// A text whose first line is no fence, or whose fence is never closed.
fn unfenced<'a>(text: &'a str, place: &str) -> Result<FrontMatter<'a>, VideosError> {
    let mut lines = text.lines();
    let opened = lines.next().is_some_and(|line| matches!(line.trim_end(), "---" | "+++"));
    if opened && lines.next().is_some_and(looks_like_a_setting) && cut(text).is_none() {
        let fault = "is not closed; end it with the line it begins with".to_owned();
        return Err(VideosError::Settings { place: format!("front matter of {place}"), faults: vec![fault] });
    }
    Ok(FrontMatter { patch: RequestPatch::default(), body: text })
}

/// Whether a line reads as `key: value` or `key = value`.
fn looks_like_a_setting(line: &str) -> bool {
    let name_end = line.find([':', '=']).unwrap_or(0);
    let name = line[..name_end].trim_end();
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn from_yaml(block: &str) -> Result<Value, String> {
    if block.trim().is_empty() {
        return Ok(Value::Nothing);
    }
    // `no` is Norwegian here and never false: the settings that are true or false read the word themselves.
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(block, options).map_err(|error| one_line(&error.to_string()))
}

fn from_toml(block: &str) -> Result<Value, String> {
    toml::from_str(block).map_err(|error| one_line(error.message()))
}

/// A parser's message without its line breaks.
fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<FrontMatter<'_>, String> {
        split(text, Path::new("/stories"), "`a.md`").map_err(|error| error.to_string())
    }

    #[test]
    fn yaml_and_toml_say_the_same() {
        let yaml = read("---\ntitle: Salt\nmax-duration: 90s\nhashtags: [sea, salt]\n---\nText.").unwrap();
        let toml =
            read("+++\ntitle = \"Salt\"\nmax-duration = \"90s\"\nhashtags = [\"sea\", \"salt\"]\n+++\nText.").unwrap();
        assert_eq!(yaml, toml);
        assert_eq!(yaml.patch.max_duration_ms, Some(90_000));
        assert_eq!(yaml.body, "Text.");
    }

    #[test]
    fn ratios_numbers_and_norwegian_stay_what_they_are() {
        let front =
            read("---\naspect: 9:16\ntitle: 2024\nlang: no\nseed: 12\ndenoise: yes\nmusic: bed.mp3\n---\n").unwrap();
        assert_eq!(front.patch.aspect, Some(super::super::Aspect::Portrait));
        assert_eq!(front.patch.title.as_deref(), Some("2024"));
        assert_eq!(front.patch.lang.unwrap().as_str(), "no");
        assert_eq!(front.patch.denoise, Some(true));
        assert_eq!(front.patch.music.as_deref(), Some(Path::new("/stories/bed.mp3")));
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let error = read("---\nvoise: en\nfps: many\ntheme: ink\n---\n").unwrap_err();
        assert!(error.starts_with("front matter of `a.md`: "), "{error}");
        assert!(error.contains("did you mean `voice`") && error.contains("`fps` is `many`"), "{error}");
    }

    #[test]
    fn a_rule_at_the_top_is_no_front_matter() {
        for text in
            ["---\nJust a rule above a paragraph.\n", "---\n\nOne.\n\n---\n\nTwo.\n", "No fence.\n---\n", "---", ""]
        {
            let front = read(text).unwrap();
            assert_eq!(front.body, text);
            assert_eq!(front.patch, RequestPatch::default());
        }
    }

    #[test]
    fn a_fence_that_is_not_closed_is_a_fault() {
        assert!(read("---\ntitle: Salt\n\nThe sea is salty.\n").unwrap_err().contains("is not closed"));
    }

    #[test]
    fn broken_yaml_is_told_with_its_place() {
        let error = read("---\ntitle: [a, b\n---\nText").unwrap_err();
        assert!(error.contains("line"), "{error}");
        assert!(!error.contains('\n'));
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = "---\na0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = level - 1;
            let aliases = vec![format!("*a{below}"); 8].join(", ");
            text.extend([format!("a{level}: &a{level} [{aliases}]\n")]);
        }
        text.push_str("---\n");
        assert!(read(&text).is_err());
    }
}
