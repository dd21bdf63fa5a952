//! A project file: every setting of a video and where its words are, in one TOML file.

use std::path::{Path, PathBuf};

use super::{
    keys::{KEYS, spelled, unknown},
    patch::RequestPatch,
    value::Value,
};
use crate::VideosError;

/// Where a project or a CSV row says its words are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptPlace {
    File(PathBuf),
    Text(String),
    Url(url::Url),
}

/// What a project file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    pub script: ScriptPlace,
    pub patch: RequestPatch,
}

/// The sections of a project file.
const SECTIONS: [&str; 6] = ["voice", "picture", "captions", "materials", "sound", "encoding"];

impl Project {
    /// Reads a project file's text; paths in it are relative to `base`, and `place` names it in messages.
    pub fn parse(text: &str, base: &Path, place: &str) -> Result<Self, VideosError> {
        let fail = |faults| VideosError::Settings { place: place.to_owned(), faults };
        let value: Value = toml::from_str(text).map_err(|error| fail(vec![toml_fault(&error, text)]))?;
        let Value::Table(entries) = value else { return Err(fail(vec!["is no TOML table".to_owned()])) };
        let mut reader = Reader { base, patch: RequestPatch::default(), scripts: Vec::new(), faults: Vec::new() };
        for (name, value) in &entries {
            reader.entry(&spelled(name), value);
        }
        if reader.scripts.len() != 1 && reader.faults.is_empty() {
            reader.faults.push("must have exactly one of `script`, `text` and `url`".to_owned());
        }
        match reader.scripts.pop() {
            Some(script) if reader.faults.is_empty() => Ok(Self { script, patch: reader.patch }),
            _ => Err(fail(reader.faults)),
        }
    }
}

struct Reader<'a> {
    base: &'a Path,
    patch: RequestPatch,
    scripts: Vec<ScriptPlace>,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn entry(&mut self, name: &str, value: &Value) {
        if let Value::Table(entries) = value {
            if SECTIONS.contains(&name) {
                for (short, value) in entries {
                    self.setting(name, &spelled(short), value);
                }
            } else {
                self.faults.push(unknown("section", name, SECTIONS.into_iter()));
            }
        } else if matches!(name, "script" | "text" | "url") {
            match script_place(name, value, self.base) {
                Ok(place) => self.scripts.push(place),
                Err(fault) => self.faults.push(format!("`{name}` {fault}")),
            }
        } else {
            self.setting("", name, value);
        }
    }

    fn setting(&mut self, section: &str, short: &str, value: &Value) {
        let shown = if section.is_empty() { short.to_owned() } else { format!("{section}.{short}") };
        let known = KEYS.iter().find(|key| key.section == section && key.short == short);
        if let Some(key) = known {
            if let Err(fault) = key.read(&mut self.patch, value, self.base) {
                self.faults.push(format!("`{shown}` {fault}"));
            }
            return;
        }
        let elsewhere = KEYS.iter().find(|key| key.name == short || key.short == short);
        self.faults.push(match elsewhere {
            Some(key) if key.section.is_empty() => format!("`{shown}` stands at the top, before the first section"),
            Some(key) => format!("`{shown}` is called `{}` and stands in [{}]", key.short, key.section),
            None => {
                let here = KEYS.iter().filter(|key| key.section == section).map(|key| key.short);
                unknown("key", &shown, here)
            }
        });
    }
}

/// Reads `script`, `text` or `url`.
pub(crate) fn script_place(name: &str, value: &Value, base: &Path) -> Result<ScriptPlace, String> {
    match name {
        "script" => value.path(base).map(ScriptPlace::File),
        "url" => parse_url(value.text()?).map(ScriptPlace::Url),
        _ => value.text().map(|text| ScriptPlace::Text(text.to_owned())),
    }
}

/// An address of the web; only http and https are fetched.
pub fn parse_url(text: &str) -> Result<url::Url, String> {
    let url = url::Url::parse(text).map_err(|error| format!("is `{text}`, which is no address: {error}"))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err(format!("is `{text}`, but only http and https addresses are fetched"))
    }
}

/// A TOML fault with the line it stands in.
fn toml_fault(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Project, String> {
        Project::parse(text, Path::new("/reel"), "`project.toml`").map_err(|error| error.to_string())
    }

    #[test]
    fn every_setting_can_be_written_in_its_section() {
        let mut text = "script = \"story.md\"\n".to_owned();
        for section in std::iter::once("").chain(SECTIONS) {
            if !section.is_empty() {
                text.extend([format!("[{section}]\n")]);
            }
            for key in KEYS.iter().filter(|key| key.section == section) {
                let value = match key.short {
                    "aspect" => "\"1:1\"",
                    "transition" => "\"wipe\"",
                    "framing" => "\"blur\"",
                    "watermark-corner" => "\"top-left\"",
                    "mode" => "\"line\"",
                    "order" => "\"random\"",
                    "quality" => "\"high\"",
                    "codec" => "\"vp9\"",
                    "hardware" => "\"off\"",
                    "two-pass" | "denoise" | "noise-reduction" => "true",
                    "lang" => "\"es\"",
                    "title" | "description" | "name" | "theme" | "style" => "\"words\"",
                    "watermark" | "intro" | "outro" | "music" => "\"file.png\"",
                    "media" | "hashtags" | "credits" => "[\"one\", \"two\"]",
                    _ => "1",
                };
                text.extend([format!("{} = {value}\n", key.short)]);
            }
        }
        let project = read(&text).unwrap();
        assert_eq!(project.script, ScriptPlace::File("/reel/story.md".into()));
        let shown = format!("{:?}", project.patch);
        assert!(!shown.contains("None,") && !shown.contains("None }"), "a key sets nothing: {shown}");
    }

    #[test]
    fn the_documentation_lists_every_setting_in_its_section() {
        let page = include_str!("../../../../docs/project-file.md");
        for key in KEYS {
            let section = if key.section.is_empty() { String::new() } else { format!("`[{}]` ", key.section) };
            let row = format!("| {section}| `{}` | `{}` |", key.short, key.name);
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_key_in_the_wrong_place_is_sent_to_the_right_one() {
        let error = read("text = \"Hi.\"\naspect = \"1:1\"\n[sound]\nseed = 3\ntheme = \"ink\"\n").unwrap_err();
        assert!(error.contains("`aspect` is called `aspect` and stands in [picture]"), "{error}");
        assert!(error.contains("`sound.seed` stands at the top"), "{error}");
        assert!(error.contains("`sound.theme` is called `theme` and stands in [picture]"), "{error}");
    }

    #[test]
    fn exactly_one_script_is_asked_for() {
        assert!(read("title = \"x\"").unwrap_err().contains("exactly one of"));
        assert!(read("text = \"a\"\nurl = \"https://example.org\"").unwrap_err().contains("exactly one of"));
    }

    #[test]
    fn an_address_that_is_not_of_the_web_is_refused() {
        for bad in ["file:///etc/passwd", "ftp://example.org", "example.org", "javascript:alert(1)"] {
            assert!(read(&format!("url = \"{bad}\"")).unwrap_err().contains(bad));
        }
    }

    #[test]
    fn broken_toml_is_told_with_its_line() {
        assert!(read("text = \"a\"\ntitle = \n").unwrap_err().contains("line 2"));
    }
}
