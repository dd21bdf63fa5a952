//! The one list of settings: the name of each in front matter and CSV, its place in a project file, and how it is read.

use std::path::Path;

use super::{Choice, patch::RequestPatch, value::Value};

/// Reads a value into its field, or says what is wrong with it.
type Set = fn(&mut RequestPatch, &Value, &Path) -> Result<(), String>;

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The name in front matter and in the header of a CSV file.
    pub name: &'static str,
    /// The section of a project file it stands in; empty for the top.
    pub section: &'static str,
    /// The name inside that section.
    pub short: &'static str,
    /// What it decides, in a line.
    pub help: &'static str,
    pub form: Form,
    set: Set,
}

/// What a setting's value looks like to whoever writes it.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    Text,
    Path,
    Flag,
    /// One of these names.
    OneOf(fn() -> Vec<&'static str>),
}

fn names<C: Choice>() -> Vec<&'static str> {
    C::NAMES.iter().map(|(name, _)| *name).collect()
}

#[expect(clippy::too_many_arguments, reason = "a row of a table")]
const fn key(
    name: &'static str,
    section: &'static str,
    short: &'static str,
    help: &'static str,
    form: Form,
    set: Set,
) -> Key {
    Key { name, section, short, help, form, set }
}

/// Every setting, in the order of the documentation.
pub const KEYS: &[Key] = &[
    key("title", "", "title", "Title of the video", Form::Text, |p, v, _| {
        v.text().map(|t| p.title = Some(t.to_owned()))
    }),
    key(
        "description",
        "",
        "description",
        "What the video is about, for those who publish it",
        Form::Text,
        |p, v, _| v.text().map(|t| p.description = Some(t.to_owned())),
    ),
    key(
        "lang",
        "",
        "lang",
        "Language of the script, such as en or pt-br [default: found from the text]",
        Form::Text,
        |p, v, _| v.number("a language tag such as en, es or pt-br").map(|lang| p.lang = Some(lang)),
    ),
    key("hashtags", "", "hashtags", "Hashtags for those who publish it", Form::Text, |p, v, _| {
        v.list().map(|tags| p.hashtags = Some(tags))
    }),
    key("credits", "", "credits", "Lines of the end card", Form::Text, |p, v, _| {
        v.lines().map(|lines| p.credits = Some(lines))
    }),
    key(
        "max-duration",
        "",
        "max-duration",
        "Shorten a longer script by leaving out sentences, such as 90s or 1m30s",
        Form::Text,
        |p, v, _| v.duration_ms().map(|ms| p.max_duration_ms = Some(ms)),
    ),
    key(
        "seed",
        "",
        "seed",
        "Decides what is left to chance; the same seed gives the same video",
        Form::Text,
        |p, v, _| v.number("a whole number, not negative").map(|seed| p.seed = Some(seed)),
    ),
    key(
        "voice",
        "voice",
        "name",
        "Voice, as `pressroom voices` lists it [default: the language's own]",
        Form::Text,
        |p, v, _| v.text().map(|t| p.voice = Some(t.to_owned())),
    ),
    key("rate", "voice", "rate", "Speed of the voice, 0.5 to 2", Form::Text, |p, v, _| {
        v.number("a number from 0.5 to 2").map(|rate| p.rate = Some(rate))
    }),
    key("pitch", "voice", "pitch", "Pitch of the voice, 0.5 to 2", Form::Text, |p, v, _| {
        v.number("a number from 0.5 to 2").map(|pitch| p.pitch = Some(pitch))
    }),
    key("sentence-pause", "voice", "sentence-pause", "Pause after a sentence", Form::Text, |p, v, _| {
        v.duration_ms().map(|ms| p.sentence_pause_ms = Some(ms))
    }),
    key("paragraph-pause", "voice", "paragraph-pause", "Pause after a paragraph", Form::Text, |p, v, _| {
        v.duration_ms().map(|ms| p.paragraph_pause_ms = Some(ms))
    }),
    key("section-pause", "voice", "section-pause", "Pause after a section", Form::Text, |p, v, _| {
        v.duration_ms().map(|ms| p.section_pause_ms = Some(ms))
    }),
    key("aspect", "picture", "aspect", "Shape of the frame", Form::OneOf(names::<super::Aspect>), |p, v, _| {
        v.choice().map(|aspect| p.aspect = Some(aspect))
    }),
    key("fps", "picture", "fps", "Frames a second: 24, 25, 30, 50 or 60", Form::Text, |p, v, _| {
        v.number("24, 25, 30, 50 or 60").map(|fps| p.fps = Some(fps))
    }),
    key("theme", "picture", "theme", "Look of the drawn cards", Form::Text, |p, v, _| {
        v.text().map(|t| p.theme = Some(t.to_owned()))
    }),
    key(
        "transition",
        "picture",
        "transition",
        "How one scene gives way to the next",
        Form::OneOf(names::<super::Transition>),
        |p, v, _| v.choice().map(|transition| p.transition = Some(transition)),
    ),
    key(
        "transition-time",
        "picture",
        "transition-time",
        "Length of a transition, such as 400ms",
        Form::Text,
        |p, v, _| v.duration_ms().map(|ms| p.transition_ms = Some(ms)),
    ),
    key(
        "framing",
        "picture",
        "framing",
        "How footage of another shape fills the frame",
        Form::OneOf(names::<super::Framing>),
        |p, v, _| v.choice().map(|framing| p.framing = Some(framing)),
    ),
    key("watermark", "picture", "watermark", "Picture laid over the whole video", Form::Path, |p, v, base| {
        v.path(base).map(|path| p.watermark = Some(path))
    }),
    key(
        "watermark-corner",
        "picture",
        "watermark-corner",
        "Corner of the watermark",
        Form::OneOf(names::<super::Corner>),
        |p, v, _| v.choice().map(|corner| p.watermark_corner = Some(corner)),
    ),
    key(
        "watermark-opacity",
        "picture",
        "watermark-opacity",
        "Opacity of the watermark, 0 to 1",
        Form::Text,
        |p, v, _| v.number("a number from 0 to 1").map(|opacity| p.watermark_opacity = Some(opacity)),
    ),
    key("intro", "picture", "intro", "Clip or still shown first", Form::Path, |p, v, base| {
        v.path(base).map(|path| p.intro = Some(path))
    }),
    key("outro", "picture", "outro", "Clip or still shown last", Form::Path, |p, v, base| {
        v.path(base).map(|path| p.outro = Some(path))
    }),
    key(
        "captions",
        "captions",
        "mode",
        "Captions in the picture; `word` lights the spoken word",
        Form::OneOf(names::<super::CaptionMode>),
        |p, v, _| v.choice().map(|mode| p.captions = Some(mode)),
    ),
    key(
        "caption-style",
        "captions",
        "style",
        "Look of the captions: a built-in style or a style file",
        Form::Text,
        |p, v, base| v.text().map(|t| p.caption_style = Some(style_name(t, base))),
    ),
    key(
        "media",
        "materials",
        "media",
        "Folder of clips and stills to choose from; may be given more than once",
        Form::Path,
        |p, v, base| v.paths(base).map(|paths| p.media = Some(paths)),
    ),
    key(
        "order",
        "materials",
        "order",
        "Among equal matches: by name, or by the seed",
        Form::OneOf(names::<super::Order>),
        |p, v, _| v.choice().map(|order| p.order = Some(order)),
    ),
    key("music", "sound", "music", "Music under everything", Form::Path, |p, v, base| {
        v.path(base).map(|path| p.music = Some(path))
    }),
    key(
        "music-below-voice",
        "sound",
        "music-below-voice",
        "Level of the music in pauses, in LU below the voice",
        Form::Text,
        |p, v, _| v.number("a number of LU from 0 to 40").map(|lu| p.music_below_voice_lu = Some(lu)),
    ),
    key("duck", "sound", "duck", "How much further the music goes down under speech, in dB", Form::Text, |p, v, _| {
        v.number("a number of dB from 0 to 40").map(|db| p.duck_db = Some(db))
    }),
    key("noise-reduction", "sound", "noise-reduction", "Clean the voice of noise", Form::Flag, |p, v, _| {
        v.flag().map(|on| p.noise_reduction = Some(on))
    }),
    key(
        "quality",
        "encoding",
        "quality",
        "Quality of the encoding",
        Form::OneOf(names::<super::Quality>),
        |p, v, _| v.choice().map(|quality| p.quality = Some(quality)),
    ),
    key("codec", "encoding", "codec", "Codec of the picture", Form::OneOf(names::<super::Codec>), |p, v, _| {
        v.choice().map(|codec| p.codec = Some(codec))
    }),
    key(
        "hardware",
        "encoding",
        "hardware",
        "Whether the graphics card may encode",
        Form::OneOf(names::<super::Hardware>),
        |p, v, _| v.choice().map(|hardware| p.hardware = Some(hardware)),
    ),
    key("two-pass", "encoding", "two-pass", "Encode in two passes, to a bitrate", Form::Flag, |p, v, _| {
        v.flag().map(|on| p.two_pass = Some(on))
    }),
    key("denoise", "encoding", "denoise", "Remove noise of the footage", Form::Flag, |p, v, _| {
        v.flag().map(|on| p.denoise = Some(on))
    }),
    key("upscale", "encoding", "upscale", "Enlarge the result 2, 4 or 8 times", Form::Text, |p, v, _| {
        v.number("2, 4 or 8").map(|times| p.upscale = Some(times))
    }),
];

impl RequestPatch {
    /// Sets the flat key `name`; a fault names the key, what is wrong and what would be right.
    pub(crate) fn set(&mut self, name: &str, value: &Value, base: &Path) -> Result<(), String> {
        let name = spelled(name);
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            return Err(unknown("key", &name, KEYS.iter().map(|key| key.name)));
        };
        key.read(self, value, base).map_err(|fault| format!("`{name}` {fault}"))
    }
}

impl Key {
    /// Sets this setting in `patch` from what stands on a command line; several texts are a list.
    pub fn read_texts(&self, patch: &mut RequestPatch, texts: &[String]) -> Result<(), String> {
        let value = match texts {
            [text] => Value::One(text.clone()),
            texts => Value::Many(texts.to_vec()),
        };
        self.read(patch, &value, Path::new(""))
    }

    /// Reads `value` into this setting's field. A key with nothing behind it says nothing.
    pub(crate) fn read(&self, patch: &mut RequestPatch, value: &Value, base: &Path) -> Result<(), String> {
        if *value == Value::Nothing { Ok(()) } else { (self.set)(patch, value, base) }
    }
}

/// A key as the list spells it: lower case, `-` between words.
pub(crate) fn spelled(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', ' '], "-")
}

/// The message for a name that does not exist: the nearest that does, and all of them when none is near.
pub(crate) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let distance = |candidate: &str| edit_distance(name, candidate);
    let near = known.clone().min_by_key(|candidate| distance(candidate)).filter(|near| {
        distance(near) <= near.chars().count() / 3 + 1
            || (name.len() > 3 && (near.contains(name) || name.contains(near)))
    });
    match near {
        Some(near) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        None => format!("there is no {what} `{name}`; there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// Insertions, deletions and replacements between two names (Levenshtein 1966). Names are cut at 64 characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A caption style is a built-in name or a file; only a file is relative to something.
fn style_name(text: &str, base: &Path) -> String {
    if text.contains(['/', '\\', '.']) { base.join(text).display().to_string() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_for_two_settings() {
        for (i, key) in KEYS.iter().enumerate() {
            for other in &KEYS[..i] {
                assert_ne!(key.name, other.name);
                assert_ne!((key.section, key.short), (other.section, other.short));
            }
        }
    }

    #[test]
    fn a_mistyped_key_is_answered_with_the_nearest() {
        let mut patch = RequestPatch::default();
        let fault = patch.set("voise", &Value::One("en".to_owned()), Path::new("")).unwrap_err();
        assert_eq!(fault, "there is no key `voise`; did you mean `voice`?");
        let fault = patch.set("caption", &Value::One("word".to_owned()), Path::new("")).unwrap_err();
        assert!(fault.contains("did you mean `captions`"), "{fault}");
    }

    #[test]
    fn a_key_like_no_other_is_answered_with_all() {
        let mut patch = RequestPatch::default();
        let fault = patch.set("zzzzzz", &Value::One("1".to_owned()), Path::new("")).unwrap_err();
        assert!(fault.contains("there are title, description"), "{fault}");
    }

    #[test]
    fn underscores_and_capitals_are_forgiven() {
        let mut patch = RequestPatch::default();
        patch.set("Max_Duration", &Value::One("1m".to_owned()), Path::new("")).unwrap();
        assert_eq!(patch.max_duration_ms, Some(60_000));
    }

    #[test]
    fn paths_are_relative_to_the_file_they_stand_in() {
        let mut patch = RequestPatch::default();
        patch.set("music", &Value::One("bed.mp3".to_owned()), Path::new("/stories")).unwrap();
        patch.set("media", &Value::One("clips, /stock".to_owned()), Path::new("/stories")).unwrap();
        assert_eq!(patch.music.as_deref(), Some(Path::new("/stories/bed.mp3")));
        assert_eq!(patch.media.unwrap(), [Path::new("/stories/clips"), Path::new("/stock")]);
    }

    #[test]
    fn a_value_of_the_wrong_sort_says_what_would_be_right() {
        let mut patch = RequestPatch::default();
        let set = |patch: &mut RequestPatch, key: &str, value: &str| {
            patch.set(key, &Value::One(value.to_owned()), Path::new("")).unwrap_err()
        };
        assert_eq!(set(&mut patch, "fps", "thirty"), "`fps` is `thirty`, but must be 24, 25, 30, 50 or 60");
        assert!(set(&mut patch, "aspect", "2:3").contains("9:16, 16:9, 1:1, 4:5"));
        assert!(set(&mut patch, "lang", "english").contains("a language tag"));
        assert!(set(&mut patch, "denoise", "maybe").contains("true or false"));
    }
}
