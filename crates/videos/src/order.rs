//! What is asked of a server: words, settings and files of the user's. Checked as far as can be before anything is laid out,
//! so that whoever asks hears at once what is wrong.
//!
//! The files of an order are like a folder beside its script: settings and pictures in the script name them, and what no
//! setting names is footage to choose from. No path leads out of that folder.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use kernel::Lang;
use pipeline::job::InputFile;
use platform::documents::Kept;
use serde::{Deserialize, Serialize};

use crate::{
    VideosError,
    request::{RequestPatch, ScriptPlace, Source, VideoRequest, Wanted, front_matter, parse_url},
    script::{Block, Reading, Script},
    source::load_place,
};

/// The most text a script may have: about a day of narration.
pub const MAX_SCRIPT_BYTES: usize = 1_000_000;
/// The most files of an order.
pub const MAX_FILES: usize = 200;

/// How much of a script a list shows.
const EXCERPT_CHARACTERS: usize = 200;

/// Stands for the folder of the files while there is none.
const NOWHERE: &str = "files";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub words: Words,
    /// Settings by the names of front matter; stronger than those of the script.
    #[serde(default)]
    pub settings: BTreeMap<String, Wanted>,
    #[serde(default)]
    pub files: Vec<InputFile>,
}

/// Where the words come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// Markdown or plain text, with its front matter.
    Script(String),
    /// The address of a page of the web.
    Url(String),
}

/// What a list shows of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSummary {
    /// How its words begin, or the address that they are at.
    pub excerpt: String,
}

impl Kept for Order {
    type Summary = OrderSummary;

    fn summary(&self) -> OrderSummary {
        let (Words::Script(text) | Words::Url(text)) = &self.words;
        OrderSummary { excerpt: text.chars().take(EXCERPT_CHARACTERS).collect() }
    }
}

/// What is wrong with an order, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.iter().map(|fault| fault.reason.as_str()).collect::<Vec<_>>().join("; "))]
pub struct OrderError {
    pub faults: Vec<OrderFault>,
}

/// One thing that is wrong with an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFault {
    /// The part of the order.
    pub part: OrderPart,
    pub reason: String,
}

/// A part of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderPart {
    Words,
    /// A setting of this name.
    Setting(String),
    Files,
}

impl Order {
    /// Checks all that can be checked without the files themselves; every fault is named.
    pub fn check(&self) -> Result<(), OrderError> {
        let mut faults = Vec::new();
        let mut fault = |part, reason: String| faults.push(OrderFault { part, reason });
        self.check_files(&mut fault);
        let (mut patch, read) = self.settings_in(Path::new(NOWHERE));
        for (name, reason) in read {
            fault(OrderPart::Setting(name), reason);
        }
        match self.words_in(Path::new(NOWHERE)) {
            Err(error) => fault(OrderPart::Words, error.to_string()),
            Ok((source, of_script)) => {
                for reason in self.strangers(&of_script) {
                    fault(OrderPart::Words, format!("front matter: {reason}"));
                }
                patch = patch.over(of_script);
                if let Source::Text { text, .. } = &source {
                    self.check_script(text, patch.lang.as_ref(), &mut fault);
                }
            }
        }
        for reason in patch.values_at_fault() {
            fault(OrderPart::Setting(String::new()), reason);
        }
        if faults.is_empty() { Ok(()) } else { Err(OrderError { faults }) }
    }

    /// The request, once the files lie in `folder`.
    pub fn resolve(&self, folder: &Path) -> Result<VideoRequest, VideosError> {
        let fail = |faults: Vec<String>| VideosError::Settings { place: "the order".to_owned(), faults };
        self.check().map_err(|error| fail(error.faults.into_iter().map(|fault| fault.reason).collect()))?;
        let (patch, _) = self.settings_in(folder);
        let (source, of_script) = self.words_in(folder)?;
        let mut patch = patch.over(of_script);
        if patch.media.is_none() {
            patch.media = Some(self.footage(&patch, &source, folder));
        }
        patch.resolve(source)
    }

    /// What the result is called, without an ending.
    pub fn name(&self) -> String {
        let (patch, _) = self.settings_in(Path::new(NOWHERE));
        let title = match self.words_in(Path::new(NOWHERE)) {
            Ok((source, of_script)) => patch.over(of_script).title.or_else(|| heading(&source)),
            Err(_) => patch.title,
        };
        let title = title.unwrap_or_default();
        let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
        let words: String = title.chars().map(plain).take(60).collect();
        let words: Vec<&str> = words.split('-').filter(|word| !word.is_empty()).collect();
        if words.is_empty() { "video".to_owned() } else { words.join("-") }
    }

    fn check_files(&self, fault: &mut impl FnMut(OrderPart, String)) {
        if self.files.len() > MAX_FILES {
            fault(OrderPart::Files, format!("there are {} files; at most {MAX_FILES} are taken", self.files.len()));
        }
        let mut names = BTreeSet::new();
        for file in &self.files {
            if !names.insert(&file.name) {
                fault(OrderPart::Files, format!("two files are called `{}`; give one another `name`", file.name));
            }
        }
    }

    fn check_script(&self, text: &str, lang: Option<&Lang>, fault: &mut impl FnMut(OrderPart, String)) {
        match Script::parse(text, Reading { base: Path::new(NOWHERE), lang, title: None }) {
            Err(error) => fault(OrderPart::Words, error.to_string()),
            Ok(script) => {
                for block in &script.blocks {
                    if let Block::Media { path, .. } = block
                        && let Err(reason) = self.require_named(path)
                    {
                        fault(OrderPart::Words, format!("the script shows {reason}"));
                    }
                }
            }
        }
    }

    /// The settings with their paths in `folder`, and those that cannot be read.
    fn settings_in(&self, folder: &Path) -> (RequestPatch, Vec<(String, String)>) {
        let (mut patch, mut faults) = (RequestPatch::default(), Vec::new());
        for (name, value) in &self.settings {
            if let Err(reason) = patch.set_wanted(name, value, folder) {
                faults.push((name.clone(), reason));
            } else {
                let mut alone = RequestPatch::default();
                if alone.set_wanted(name, value, Path::new(NOWHERE)).is_ok() {
                    faults.extend(self.strangers(&alone).into_iter().map(|reason| (name.clone(), reason)));
                }
            }
        }
        (patch, faults)
    }

    fn words_in(&self, folder: &Path) -> Result<(Source, RequestPatch), VideosError> {
        let place = match &self.words {
            Words::Script(text) if text.len() > MAX_SCRIPT_BYTES => {
                return Err(VideosError::Script(format!(
                    "the script has {} bytes; at most {MAX_SCRIPT_BYTES} are read: split it into several",
                    text.len()
                )));
            }
            Words::Script(text) => {
                let front = front_matter::split(text, folder, "the script")?;
                if front.body.trim().is_empty() {
                    return Err(VideosError::Script("the script has no text; write the words to be spoken".to_owned()));
                }
                ScriptPlace::Text(text.clone())
            }
            Words::Url(url) => ScriptPlace::Url(parse_url(url).map_err(VideosError::Script)?),
        };
        let loaded = load_place(place, folder)?;
        Ok((loaded.source, loaded.patch))
    }

    /// The paths of a patch in [`NOWHERE`] that name no file of the order.
    fn strangers(&self, patch: &RequestPatch) -> Vec<String> {
        patch.paths().into_iter().filter_map(|path| self.require_named(&path).err()).collect()
    }

    /// Fails where a path in [`NOWHERE`] is not that of one of the files.
    fn require_named(&self, path: &Path) -> Result<(), String> {
        let name = path.strip_prefix(NOWHERE).unwrap_or(path);
        let is_plain = matches!(name.components().collect::<Vec<_>>().as_slice(), [Component::Normal(_)]);
        let is_ours = is_plain && self.files.iter().any(|file| Path::new(file.name.as_str()) == name);
        if is_ours {
            return Ok(());
        }
        let known: Vec<_> = self.files.iter().map(|file| format!("`{}`", file.name)).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(format!("`{}`, which is not among the files of the request: {known}", name.display()))
    }

    /// The files that nothing names.
    fn footage(&self, patch: &RequestPatch, source: &Source, folder: &Path) -> Vec<PathBuf> {
        let mut named: BTreeSet<PathBuf> = patch.paths().into_iter().collect();
        if let Source::Text { text, base } = source
            && let Ok(script) = Script::parse(text, Reading { base, lang: patch.lang.as_ref(), title: None })
        {
            named.extend(script.blocks.into_iter().filter_map(|block| match block {
                Block::Media { path, .. } => Some(path),
                _ => None,
            }));
        }
        self.files.iter().map(|file| folder.join(file.name.as_str())).filter(|path| !named.contains(path)).collect()
    }
}

/// The heading that a script begins with.
fn heading(source: &Source) -> Option<String> {
    let Source::Text { text, base } = source else { return None };
    Script::parse(text, Reading { base, lang: None, title: None }).ok()?.title
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;
    use platform::storage::FileId;
    use serde_json::json;

    use super::*;

    fn order(script: &str, settings: serde_json::Value, files: &[&str]) -> Order {
        let file = |(number, name): (usize, &&str)| InputFile {
            file_id: FileId::from_uuid(Uuid::from_u128(number as u128)),
            name: name.parse().unwrap(),
        };
        Order {
            words: Words::Script(script.to_owned()),
            settings: serde_json::from_value(settings).unwrap(),
            files: files.iter().enumerate().map(file).collect(),
        }
    }

    fn faults(order: &Order) -> String {
        order.check().unwrap_err().to_string()
    }

    #[test]
    fn no_path_leads_out_of_the_files() {
        for script in [
            "Hello.\n\n![x](/etc/passwd)\n",
            "Hello.\n\n![x](../secret.png)\n",
            "Hello.\n\n![x](a.png/../../b.png)\n",
            "Hello.\n\n![x](%2e%2e/b.png)\n",
            "---\nmusic: /etc/hostname\n---\nHello.",
            "---\nmedia: [\"..\"]\n---\nHello.",
            "---\nmedia: .\n---\nHello.",
            "---\ncaption-style: /etc/style.toml\n---\nHello.",
        ] {
            assert!(faults(&order(script, json!({}), &["a.png"])).contains("not among the files"), "{script}");
        }
        for settings in [json!({ "intro": "/a.mp4" }), json!({ "watermark": "../a.png" }), json!({ "media": ["/"] })] {
            let error = order("Hello.", settings.clone(), &["a.png"]).check().unwrap_err();
            assert!(matches!(error.faults[0].part, OrderPart::Setting(_)), "{settings}: {error}");
        }
    }

    #[test]
    fn what_no_setting_names_is_footage() {
        let order = order(
            "---\nmusic: bed.mp3\n---\nHello.\n\n![wave](wave.png)\n",
            json!({ "watermark": "logo.png" }),
            &["bed.mp3", "logo.png", "beach.mp4", "wave.png"],
        );
        order.check().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for file in &order.files {
            std::fs::write(folder.path().join(file.name.as_str()), "x").unwrap();
        }
        let request = order.resolve(folder.path()).unwrap();
        assert_eq!(request.materials.folders, [folder.path().join("beach.mp4")]);
        assert_eq!(request.sound.music, Some(folder.path().join("bed.mp3")));
    }

    #[test]
    fn settings_are_those_of_front_matter_in_the_types_of_json_and_stronger() {
        let order = order(
            "---\nseed: 1\ntitle: Old\n---\nHello.",
            json!({ "seed": 7, "fps": 60, "rate": 1.25, "denoise": true, "hashtags": ["a", "b"], "title": "Salt & sea" }),
            &[],
        );
        let request = order.resolve(Path::new("/nowhere")).unwrap();
        assert_eq!((request.seed, request.picture.fps, request.encoding.denoise), (7, 60, true));
        assert_eq!(request.hashtags, ["a", "b"]);
        assert_eq!(order.name(), "Salt-sea");
        assert_eq!(super::Order { settings: BTreeMap::new(), ..order }.name(), "Old");
    }

    #[test]
    fn every_fault_is_named_with_its_part() {
        let order = order("---\nfps: many\n---\nHello.", json!({ "voise": "en", "rate": 9 }), &["a", "a"]);
        let error = order.check().unwrap_err();
        let parts: Vec<_> = error.faults.iter().map(|fault| fault.part.clone()).collect();
        assert!(parts.contains(&OrderPart::Files) && parts.contains(&OrderPart::Words), "{error}");
        assert!(parts.contains(&OrderPart::Setting("voise".to_owned())), "{error}");
        assert!(error.to_string().contains("`rate` is 9"), "{error}");
    }

    #[test]
    fn words_that_cannot_be_told_are_refused_at_once() {
        for script in ["", "  \n", "---\ntitle: x\n---\n", "```\ncode\n```"] {
            assert!(order(script, json!({}), &[]).check().is_err(), "{script:?}");
        }
        let long = order(&"a ".repeat(500_001), json!({}), &[]);
        assert!(faults(&long).contains("split it"));
        let url = |url: &str| Order { words: Words::Url(url.to_owned()), ..order("", json!({}), &[]) };
        assert!(url("https://example.org/a").check().is_ok());
        assert!(url("file:///etc/passwd").check().is_err() && url("example").check().is_err());
    }
}
