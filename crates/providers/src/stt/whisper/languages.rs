//! Languages as Whisper writes them: two letters, mostly, but not always those of today.

use kernel::Lang;

/// Whisper's codes that are not the tags of their languages.
const CODES: [(&str, &str); 2] = [("jw", "jv"), ("iw", "he")];
/// Other tags of languages that it knows.
const OTHER_TAGS: [(&str, &str); 6] =
    [("nb", "no"), ("cmn", "zh"), ("fil", "tl"), ("arb", "ar"), ("pes", "fa"), ("zsm", "ms")];

/// The language of a token such as `<|en|>`.
pub(super) fn find_lang(token: &str) -> Option<Lang> {
    let code = token.strip_prefix("<|")?.strip_suffix("|>")?;
    if !(2..=3).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    CODES.iter().find(|(known, _)| *known == code).map_or(code, |(_, tag)| tag).parse().ok()
}

/// Which of the languages that a model knows is the one asked for, whatever its region.
pub(super) fn find_known<'a>(known: impl IntoIterator<Item = &'a Lang>, asked: &Lang) -> Option<&'a Lang> {
    let primary = asked.primary();
    let other = OTHER_TAGS.iter().find(|(tag, _)| *tag == primary).map_or(primary, |(_, usual)| usual);
    let mut found = None;
    for lang in known {
        if lang.as_str() == primary {
            return Some(lang);
        }
        found = found.or((lang.as_str() == other).then_some(lang));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lang(tag: &str) -> Lang {
        tag.parse().unwrap()
    }

    #[test]
    fn tokens_of_languages_become_tags_and_others_do_not() {
        for (token, tag) in [("<|en|>", "en"), ("<|haw|>", "haw"), ("<|jw|>", "jv"), ("<|iw|>", "he")] {
            assert_eq!(find_lang(token), Some(lang(tag)), "{token}");
        }
        for token in ["<|0.00|>", "<|transcribe|>", "en", "<|EN|>", "<||>"] {
            assert_eq!(find_lang(token), None, "{token}");
        }
    }

    #[test]
    fn a_region_or_another_tag_finds_its_language() {
        let known = ["en", "no", "nn", "zh", "pt"].map(lang);
        for (asked, found) in [("en-gb", Some("en")), ("nb", Some("no")), ("nn", Some("nn")), ("cmn-hans", Some("zh"))]
        {
            assert_eq!(find_known(&known, &lang(asked)).map(Lang::as_str), found, "{asked}");
        }
        assert_eq!(find_known(&known, &lang("qaa")), None);
    }
}
