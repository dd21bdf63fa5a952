//! Which voice speaks a language when nobody chose one.

use kernel::{ErrorKind, Lang};

use super::Voice;

/// No voice speaks a language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no voice speaks `{lang}`; there are voices for {}", near.join(", "))]
pub struct NoVoice {
    /// The language asked for.
    pub lang: Lang,
    /// Languages that have voices: near ones where any begin alike, else all.
    pub near: Vec<String>,
}

impl NoVoice {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::NotFound
    }
}

/// The voice of `lang` to use when none is named.
///
/// A voice of exactly that tag comes first, then one of the tag's usual region (CLDR's likely subtags: American English,
/// Brazilian Portuguese only where plain Portuguese has no voice), then any region's. Among equals the shortest id wins,
/// which is the plain voice before its variants, then the first by alphabet.
pub fn voice_for<'a>(lang: &Lang, voices: &'a [Voice]) -> Result<&'a Voice, NoVoice> {
    let mut tag = canonical(lang.as_str());
    loop {
        let exact = |v: &&Voice| canonical(v.lang.as_str()) == tag;
        if let Some(voice) = plainest(voices.iter().filter(exact)) {
            return Ok(voice);
        }
        if let Some(usual) = usual_region(&tag)
            && let Some(voice) = plainest(voices.iter().filter(|v| v.lang.as_str() == usual))
        {
            return Ok(voice);
        }
        match tag.rsplit_once('-') {
            Some((shorter, _)) => tag = shorter.to_owned(),
            None => break,
        }
    }
    let related = |v: &&Voice| canonical(v.lang.primary()) == tag;
    plainest(voices.iter().filter(related)).ok_or_else(|| NoVoice { lang: lang.clone(), near: near(&tag, voices) })
}

fn plainest<'a>(voices: impl Iterator<Item = &'a Voice>) -> Option<&'a Voice> {
    voices.min_by(|a, b| (a.id.len(), &a.id).cmp(&(b.id.len(), &b.id)))
}

/// One tag for each way of writing a language: Chinese without more is Mandarin, Hong Kong's is Cantonese, and retired
/// codes are their successors.
fn canonical(tag: &str) -> String {
    let (primary, rest) = tag.split_once('-').unwrap_or((tag, ""));
    let cantonese = rest.split('-').any(|subtag| matches!(subtag, "hk" | "mo" | "yue"));
    let primary = match primary {
        "zh" if cantonese => return "yue".to_owned(),
        "zh" => return "cmn".to_owned(),
        "no" => "nb",
        "iw" => "he",
        "in" => "id",
        "ji" => "yi",
        "mo" => "ro",
        other => other,
    };
    if rest.is_empty() { primary.to_owned() } else { format!("{primary}-{rest}") }
}

fn usual_region(tag: &str) -> Option<&'static str> {
    match tag {
        "en" => Some("en-us"),
        "fr" => Some("fr-fr"),
        "pt" => Some("pt-br"),
        "es" => Some("es-es"),
        "de" => Some("de-de"),
        _ => None,
    }
}

/// Tags of `voices` that begin as `primary` does, or every tag when none does.
fn near(primary: &str, voices: &[Voice]) -> Vec<String> {
    let mut tags: Vec<&str> = voices.iter().map(|v| v.lang.as_str()).collect();
    tags.sort_unstable();
    tags.dedup();
    let start = &primary[..primary.len().min(1)];
    let alike: Vec<String> = tags.iter().filter(|t| t.starts_with(start)).map(|t| (*t).to_owned()).collect();
    if alike.is_empty() { tags.into_iter().map(str::to_owned).collect() } else { alike }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voices() -> Vec<Voice> {
        let voice = |id: &str, lang: &str| Voice {
            id: id.to_owned(),
            name: id.to_owned(),
            lang: lang.parse().unwrap(),
            gender: None,
            provider: "test".to_owned(),
        };
        let ids =
            ["cmn", "en-gb", "en-gb+f3", "en-us", "en-us+f3", "es", "es-419", "fr-be", "fr-fr", "nb", "pt", "yue"];
        ids.into_iter().map(|id| voice(id, id.split('+').next().unwrap())).collect()
    }

    #[test]
    fn a_language_gets_its_own_voice_then_its_usual_region() {
        let voices = voices();
        let chosen = |lang: &str| voice_for(&lang.parse().unwrap(), &voices).unwrap().id.clone();
        for (lang, voice) in [
            ("en-gb", "en-gb"),
            ("en", "en-us"),
            ("en-au", "en-us"),
            ("pt", "pt"),
            ("pt-br", "pt"),
            ("es-mx", "es"),
            ("fr", "fr-fr"),
            ("zh", "cmn"),
            ("zh-hans", "cmn"),
            ("zh-hant-hk", "yue"),
            ("no", "nb"),
        ] {
            assert_eq!(chosen(lang), voice, "{lang}");
        }
    }

    #[test]
    fn a_language_without_a_voice_names_those_that_have_one() {
        let error = voice_for(&"eo".parse().unwrap(), &voices()).unwrap_err();
        assert_eq!(error.to_string(), "no voice speaks `eo`; there are voices for en-gb, en-us, es, es-419");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = voice_for(&"xh".parse().unwrap(), &voices()).unwrap_err();
        assert!(error.near.contains(&"yue".to_owned()), "{error}");
    }
}
