//! Which language a source speaks, when nobody says.

use std::path::Path;

use kernel::Lang;
use media::captions::language_of_name;

use crate::document::Utterance;

/// Letters that tell a language even where a like one is close.
const ENOUGH_LETTERS: usize = 60;

/// What tells the language of a source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signs<'a> {
    /// As the user says.
    pub said: Option<&'a Lang>,
    /// As the file tags its sound, usually three letters.
    pub tag: Option<&'a str>,
    pub transcript: Option<&'a Path>,
    /// What the transcript says.
    pub utterances: &'a [Utterance],
    /// The languages that can be listened to.
    pub heard: &'a [Lang],
}

/// The language, from the surest sign to the weakest; `None` where nothing tells.
pub(crate) fn find(signs: Signs<'_>) -> Option<Lang> {
    let only = || match signs.heard {
        // Where one language is understood and nothing speaks against it, it is that.
        [only] => Some(only.clone()),
        _ => None,
    };
    let named = || signs.transcript.and_then(language_of_name);
    let said = signs.said.cloned();
    said.or_else(named).or_else(|| detect(signs.utterances)).or_else(|| signs.tag.and_then(of_tag)).or_else(only)
}

/// The language of a text that is long enough to tell.
fn detect(utterances: &[Utterance]) -> Option<Lang> {
    let mut text = String::new();
    // A few pages tell as much as all.
    for utterance in utterances.iter().take(300) {
        text.push_str(&utterance.text);
        text.push(' ');
    }
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let found = whatlang::detect(&text)?;
    let is_sure = found.is_reliable() || letters >= ENOUGH_LETTERS && found.confidence() > 0.4;
    if is_sure { of_tag(found.lang().code()) } else { None }
}

/// The shortest tag of a language that a container names by three letters, in either alphabet of ISO 639-2.
pub(crate) fn of_tag(tag: &str) -> Option<Lang> {
    let tag = match tag.trim().to_ascii_lowercase().as_str() {
        "" | "und" | "mul" | "zxx" | "mis" => return None,
        "fre" => "fra".to_owned(),
        "ger" => "deu".to_owned(),
        "dut" => "nld".to_owned(),
        "chi" | "cmn" => "zho".to_owned(),
        "gre" => "ell".to_owned(),
        "cze" => "ces".to_owned(),
        "rum" => "ron".to_owned(),
        "per" => "fas".to_owned(),
        "wel" => "cym".to_owned(),
        "slo" => "slk".to_owned(),
        "ice" => "isl".to_owned(),
        "mac" => "mkd".to_owned(),
        "baq" => "eus".to_owned(),
        "may" => "msa".to_owned(),
        other => other.to_owned(),
    };
    let lang: Lang = tag.parse().ok()?;
    if lang.primary().len() == 2 {
        return Some(lang);
    }
    // Whoever has three letters has two, or none at all.
    let two = ('a'..='z').flat_map(|a| ('a'..='z').map(move |b| format!("{a}{b}")));
    let shorter =
        two.filter_map(|two| two.parse::<Lang>().ok()).find(|two| two.three_letters() == Some(lang.primary()));
    Some(shorter.unwrap_or(lang))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::{lang, utterance};

    fn signs(utterances: &[Utterance]) -> Signs<'_> {
        Signs { said: None, tag: None, transcript: None, utterances, heard: &[] }
    }

    #[test]
    fn the_surest_sign_counts() {
        let spanish =
            [utterance(1, 0, 1000, "Buenos días a todos, hoy vamos a hablar de los pájaros que viven junto al río.")];
        assert_eq!(find(signs(&spanish)), Some(lang("es")));
        assert_eq!(find(Signs { tag: Some("eng"), ..signs(&spanish) }), Some(lang("es")));
        let named = Signs { transcript: Some(Path::new("talk.fr.srt")), ..signs(&spanish) };
        assert_eq!(find(named), Some(lang("fr")));
        assert_eq!(find(Signs { said: Some(&lang("ca")), ..named }), Some(lang("ca")));
    }

    #[test]
    fn a_tag_of_three_letters_is_the_language_of_two() {
        for (tag, two) in [("eng", "en"), ("fre", "fr"), ("GER", "de"), ("es", "es"), ("zho", "zh")] {
            assert_eq!(find(Signs { tag: Some(tag), ..signs(&[]) }), Some(lang(two)), "{tag}");
        }
        assert_eq!(find(Signs { tag: Some("und"), ..signs(&[]) }), None);
        assert_eq!(find(Signs { heard: &[lang("en")], tag: Some("und"), ..signs(&[]) }), Some(lang("en")));
        assert_eq!(find(Signs { heard: &[lang("en"), lang("es")], ..signs(&[]) }), None);
    }
}
