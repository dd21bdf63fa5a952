//! Which voice file a request means: ids, variants, and what is near when there is none.

use crate::{
    ffi::VoiceFile,
    protocol::{Failure, FailureKind, Gender, VariantInfo, VoiceInfo},
};

/// The voices of the engine, under ids that users write.
#[derive(Debug)]
pub(crate) struct Voices {
    voices: Vec<Entry>,
    /// File names below `!v`, sorted.
    variants: Vec<Variant>,
}

#[derive(Debug)]
struct Entry {
    id: String,
    file: VoiceFile,
}

/// A change of a voice's sound that goes with any language.
#[derive(Debug, Clone)]
pub(crate) struct Variant {
    pub(crate) id: String,
    pub(crate) gender: Option<Gender>,
}

impl Voices {
    /// Names each file by its first language, or by its own file name where another file has that language.
    pub(crate) fn new(mut files: Vec<VoiceFile>, mut variants: Vec<Variant>) -> Self {
        files.sort_by(|a, b| a.identifier.cmp(&b.identifier));
        let mut voices: Vec<Entry> = Vec::with_capacity(files.len());
        for file in files {
            let Some((_, language)) = file.languages.first() else { continue };
            let taken = voices.iter().any(|v| v.id == *language);
            let id = if taken { file_name(&file.identifier).to_lowercase() } else { language.clone() };
            if voices.iter().all(|v| v.id != id) {
                voices.push(Entry { id, file });
            }
        }
        voices.sort_by(|a, b| a.id.cmp(&b.id));
        variants.sort_by(|a, b| a.id.cmp(&b.id));
        Self { voices, variants }
    }

    pub(crate) fn infos(&self) -> Vec<VoiceInfo> {
        let info = |entry: &Entry| VoiceInfo {
            id: entry.id.clone(),
            name: entry.file.name.replace('_', " "),
            languages: entry.file.languages.iter().map(|(_, tag)| tag.clone()).collect(),
            gender: gender(entry.file.gender),
        };
        self.voices.iter().map(info).collect()
    }

    pub(crate) fn variants(&self) -> Vec<VariantInfo> {
        self.variants.iter().map(|v| VariantInfo { id: v.id.clone(), gender: v.gender }).collect()
    }

    /// The engine's name of voice `id`, such as `gmw/en+f3` for `en-gb+f3`. A plain language tag means the voice the
    /// engine prefers for it.
    pub(crate) fn resolve(&self, id: &str) -> Result<String, Failure> {
        let (language, variant) = match id.split_once('+') {
            Some((language, variant)) => (language, Some(variant)),
            None => (id, None),
        };
        let language = language.to_lowercase().replace('_', "-");
        let entry = self.entry(&language).ok_or_else(|| self.no_voice(id, &language))?;
        let Some(variant) = variant else { return Ok(entry.file.identifier.clone()) };
        let known = self.variants.iter().find(|v| v.id.eq_ignore_ascii_case(variant));
        let known = known.ok_or_else(|| self.no_variant(id, variant))?;
        Ok(format!("{}+{}", entry.file.identifier, known.id))
    }

    /// The voice of exactly this id, else the one whose language list names the tag with the best priority, else that
    /// of the tag without its script or region.
    fn entry(&self, tag: &str) -> Option<&Entry> {
        if let Some(entry) = self.voices.iter().find(|v| v.id == tag) {
            return Some(entry);
        }
        let priority = |entry: &Entry| entry.file.languages.iter().filter(|(_, t)| t == tag).map(|(p, _)| *p).min();
        if let Some((_, entry)) = self.voices.iter().filter_map(|v| Some((priority(v)?, v))).min_by_key(|(p, _)| *p) {
            return Some(entry);
        }
        // Only a script or a region may be left out: `no-such-voice` is not Norwegian.
        let (shorter, last) = tag.rsplit_once('-')?;
        matches!(last.len(), 2..=4).then(|| self.entry(shorter))?
    }

    fn no_voice(&self, id: &str, language: &str) -> Failure {
        let near: Vec<&str> = self.near(language);
        let remedy = if near.is_empty() {
            "list them with `pressroom voices`".to_owned()
        } else {
            format!("near are {}; list all with `pressroom voices`", near.join(", "))
        };
        Failure { kind: FailureKind::NotFound, message: format!("voice `{id}` not found; {remedy}") }
    }

    fn no_variant(&self, id: &str, variant: &str) -> Failure {
        let near: Vec<&str> = self.variants.iter().map(|v| v.id.as_str()).filter(|v| v.len() == 2).collect();
        let message = format!("voice `{id}` not found: no variant `{variant}`; there are {}", near.join(", "));
        Failure { kind: FailureKind::NotFound, message }
    }

    /// Up to eight ids that begin like `language`.
    fn near(&self, language: &str) -> Vec<&str> {
        let ids = || self.voices.iter().map(|v| v.id.as_str());
        for length in [2, 1] {
            let Some(start) = language.get(..length) else { continue };
            let near: Vec<&str> = ids().filter(|id| id.starts_with(start)).take(8).collect();
            if !near.is_empty() {
                return near;
            }
        }
        Vec::new()
    }
}

impl Variant {
    /// Reads the name's file: its gender stands in a line `gender female 50`.
    pub(crate) fn parse(id: String, file: &str) -> Self {
        let word = file.lines().find_map(|line| line.trim().strip_prefix("gender ")).unwrap_or_default();
        let gender = match word.split_whitespace().next() {
            Some("female") => Some(Gender::Female),
            Some("male") => Some(Gender::Male),
            _ => None,
        };
        Self { id, gender }
    }
}

fn gender(code: u8) -> Option<Gender> {
    match code {
        1 => Some(Gender::Male),
        2 => Some(Gender::Female),
        _ => None,
    }
}

fn file_name(identifier: &str) -> &str {
    identifier.rsplit('/').next().unwrap_or(identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(identifier: &str, languages: &[(u8, &str)]) -> VoiceFile {
        let languages = languages.iter().map(|(p, t)| (*p, (*t).to_owned())).collect();
        VoiceFile { name: identifier.to_owned(), languages, identifier: identifier.to_owned(), gender: 1 }
    }

    fn voices() -> Voices {
        let files = vec![
            file("gmw/en", &[(2, "en-gb"), (2, "en")]),
            file("gmw/en-US", &[(2, "en-us"), (3, "en")]),
            file("sit/cmn", &[(5, "cmn"), (5, "zh")]),
            file("sit/yue", &[(5, "yue")]),
            file("sit/yue-Latn-jyutping", &[(5, "yue")]),
        ];
        let variant = |id: &str| Variant { id: id.to_owned(), gender: None };
        Voices::new(files, vec![variant("f3"), variant("Mario")])
    }

    #[test]
    fn a_plain_language_means_the_voice_the_engine_prefers() {
        assert_eq!(voices().resolve("en").unwrap(), "gmw/en");
        assert_eq!(voices().resolve("en_US").unwrap(), "gmw/en-US");
        assert_eq!(voices().resolve("zh-hant-tw").unwrap(), "sit/cmn");
    }

    #[test]
    fn variants_are_found_in_any_case() {
        assert_eq!(voices().resolve("en-gb+mario").unwrap(), "gmw/en+Mario");
    }

    #[test]
    fn two_files_of_one_language_have_two_ids() {
        assert_eq!(voices().resolve("yue").unwrap(), "sit/yue");
        assert_eq!(voices().resolve("yue-latn-jyutping").unwrap(), "sit/yue-Latn-jyutping");
    }

    #[test]
    fn an_unknown_voice_is_refused_with_near_ones() {
        let failure = voices().resolve("enx").unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound);
        assert_eq!(failure.message, "voice `enx` not found; near are en-gb, en-us; list all with `pressroom voices`");
        assert!(voices().resolve("en+fx").unwrap_err().message.contains("f3"));
        assert!(voices().resolve("en+../f3").is_err(), "a variant is a name, not a path");
        assert!(voices().resolve("日本").is_err());
        assert!(voices().resolve("en-voice").is_err(), "what is left out must be a script or a region");
    }
}
