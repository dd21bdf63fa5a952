//! Which language a text is written in, when nobody says.

use kernel::Lang;

/// The language of a text; English when the text is too short or too mixed to tell.
pub fn detect(text: &str) -> Lang {
    // The first pages tell as much as the whole book.
    let end = text.char_indices().nth(20_000).map_or(text.len(), |(at, _)| at);
    let text = &text[..end];
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let Some(info) = whatlang::detect(text) else { return Lang::english() };
    // A script of its own names its language from a few letters; languages of one alphabet need a sentence or two.
    let shares_alphabet = matches!(
        info.script(),
        whatlang::Script::Latin | whatlang::Script::Cyrillic | whatlang::Script::Arabic | whatlang::Script::Devanagari
    );
    let sure = if shares_alphabet && info.script() == whatlang::Script::Latin {
        info.is_reliable() || (letters >= 60 && info.confidence() > 0.4)
    } else {
        letters >= 2
    };
    if !sure {
        return Lang::english();
    }
    short_tag(info.lang().code()).parse().unwrap_or_else(|_| Lang::english())
}

/// The two-letter tag of a language (ISO 639-1) from its three letters (ISO 639-3), where it has one: BCP 47 wants the
/// shortest.
fn short_tag(code: &str) -> &str {
    const TAGS: [(&str, &str); 66] = [
        ("epo", "eo"),
        ("eng", "en"),
        ("rus", "ru"),
        ("cmn", "zh"),
        ("spa", "es"),
        ("por", "pt"),
        ("ita", "it"),
        ("ben", "bn"),
        ("fra", "fr"),
        ("deu", "de"),
        ("ukr", "uk"),
        ("kat", "ka"),
        ("ara", "ar"),
        ("hin", "hi"),
        ("jpn", "ja"),
        ("heb", "he"),
        ("yid", "yi"),
        ("pol", "pl"),
        ("amh", "am"),
        ("jav", "jv"),
        ("kor", "ko"),
        ("nob", "nb"),
        ("dan", "da"),
        ("swe", "sv"),
        ("fin", "fi"),
        ("tur", "tr"),
        ("nld", "nl"),
        ("hun", "hu"),
        ("ces", "cs"),
        ("ell", "el"),
        ("bul", "bg"),
        ("bel", "be"),
        ("mar", "mr"),
        ("kan", "kn"),
        ("ron", "ro"),
        ("slv", "sl"),
        ("hrv", "hr"),
        ("srp", "sr"),
        ("mkd", "mk"),
        ("lit", "lt"),
        ("lav", "lv"),
        ("est", "et"),
        ("tam", "ta"),
        ("vie", "vi"),
        ("urd", "ur"),
        ("tha", "th"),
        ("guj", "gu"),
        ("uzb", "uz"),
        ("pan", "pa"),
        ("aze", "az"),
        ("ind", "id"),
        ("tel", "te"),
        ("pes", "fa"),
        ("mal", "ml"),
        ("ori", "or"),
        ("mya", "my"),
        ("nep", "ne"),
        ("sin", "si"),
        ("khm", "km"),
        ("tuk", "tk"),
        ("aka", "ak"),
        ("zul", "zu"),
        ("sna", "sn"),
        ("afr", "af"),
        ("lat", "la"),
        ("slk", "sk"),
    ];
    const MORE: [(&str, &str); 4] = [("cat", "ca"), ("tgl", "tl"), ("hye", "hy"), ("cym", "cy")];
    TAGS.iter().chain(&MORE).find(|(long, _)| *long == code).map_or(code, |(_, short)| short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_languages_are_told_apart() {
        for (lang, text) in [
            ("en", "The sea is salty because rivers carry minerals from the rocks into it."),
            ("es", "El mar es salado porque los ríos llevan minerales de las rocas hasta él."),
            ("de", "Das Meer ist salzig, weil die Flüsse Mineralien aus dem Gestein hineintragen."),
            ("fr", "La mer est salée parce que les rivières y apportent les minéraux des roches."),
            ("ru", "Море солёное, потому что реки приносят в него минералы из скал."),
            ("zh", "海水是咸的，因为河流把岩石中的矿物质带进了大海。"),
            ("ja", "海が塩辛いのは、川が岩の鉱物を海に運ぶからです。"),
            ("ar", "البحر مالح لأن الأنهار تحمل إليه المعادن من الصخور."),
            ("he", "הים מלוח כי הנהרות נושאים אליו מינרלים מן הסלעים."),
            ("hi", "समुद्र खारा है क्योंकि नदियाँ चट्टानों से खनिज उसमें लाती हैं।"),
            ("th", "ทะเลเค็มเพราะแม่น้ำพาแร่ธาตุจากหินลงสู่ทะเล"),
        ] {
            assert_eq!(detect(text).as_str(), lang, "{text}");
        }
    }

    #[test]
    fn a_text_too_short_to_tell_is_english() {
        for text in ["", "OK", "123", "Lorem", "🎉🎉"] {
            assert_eq!(detect(text), Lang::english(), "{text}");
        }
    }
}
