//! Languages as Apertium writes them, how good its pairs are, and the packages that hold them.

use ai::translate::Quality;
use kernel::Lang;

/// Three-letter codes of mode files (ISO 639-3) and the tags of BCP 47, which uses two letters where there are two.
const CODES: [(&str, &str); 43] = [
    ("afr", "af"),
    ("arg", "an"),
    ("bel", "be"),
    ("bre", "br"),
    ("bul", "bg"),
    ("cat", "ca"),
    ("cym", "cy"),
    ("dan", "da"),
    ("deu", "de"),
    ("eng", "en"),
    ("epo", "eo"),
    ("eus", "eu"),
    ("fra", "fr"),
    ("gle", "ga"),
    ("glg", "gl"),
    ("hbs", "sh"),
    ("hin", "hi"),
    ("ind", "id"),
    ("isl", "is"),
    ("ita", "it"),
    ("kaz", "kk"),
    ("mkd", "mk"),
    ("mlt", "mt"),
    ("nld", "nl"),
    ("nno", "nn"),
    ("nob", "nb"),
    ("nor", "nb"),
    ("oci", "oc"),
    ("pol", "pl"),
    ("por", "pt"),
    ("ron", "ro"),
    ("rus", "ru"),
    ("slk", "sk"),
    ("slv", "sl"),
    ("sme", "se"),
    ("spa", "es"),
    ("srd", "sc"),
    ("swe", "sv"),
    ("tat", "tt"),
    ("tur", "tr"),
    ("ukr", "uk"),
    ("urd", "ur"),
    ("zlm", "ms"),
];

/// Pairs that read well, in both directions: relatives so close that the order of words hardly changes, which is what
/// shallow transfer was made for (Corbí-Bellot et al., "An open-source shallow-transfer machine translation engine for
/// the Romance languages of Spain", 2005). The makers' measurements are at
/// <https://wiki.apertium.org/wiki/Translation_quality_statistics>; every other pair is a draft, English ones above all.
const GOOD: [(&str, &str); 8] =
    [("an", "es"), ("ast", "es"), ("ca", "es"), ("ca", "oc"), ("es", "gl"), ("es", "pt"), ("gl", "pt"), ("nb", "nn")];

/// Pairs in Debian's packages, in the order of the package's name, which is `apertium-` and the two.
const PACKAGES: [&str; 44] = [
    "afr-nld", "arg-cat", "bel-rus", "br-fr", "cat-ita", "cat-srd", "dan-nor", "en-gl", "eng-cat", "eng-spa", "eo-ca",
    "eo-en", "eo-es", "eo-fr", "es-gl", "es-pt", "es-ro", "eu-en", "eu-es", "fr-es", "fra-cat", "fra-frp", "hbs-eng",
    "hbs-mkd", "hbs-slv", "ind-zlm", "isl-eng", "isl-swe", "mkd-bul", "mkd-eng", "nno-nob", "oc-ca", "oc-es",
    "oci-fra", "pol-szl", "por-cat", "pt-gl", "rus-ukr", "spa-arg", "spa-ast", "spa-ita", "srd-ita", "swe-dan",
    "swe-nor",
];

/// The tag of a language in the name of a mode: `eng`, `en`, `eng_US`, `cat_valencia`. `None` for what is no language or
/// a spelling that no tag can say, such as `cat_iec2017`.
pub(super) fn find_lang(name: &str) -> Option<Lang> {
    if name.contains('-') {
        // Names such as `eco-es-fr` are of variants of a pair.
        return None;
    }
    let (code, variant) = name.split_once('_').unwrap_or((name, ""));
    let primary = primary_of(code);
    let is_region = variant.len() == 2 && variant.bytes().all(|b| b.is_ascii_uppercase());
    match variant {
        "" => primary.parse().ok(),
        // The countries of Serbo-Croatian are its languages.
        "HR" | "SR" | "BS" if primary == "sh" => variant.parse().ok(),
        "valencia" => format!("{primary}-valencia").parse().ok(),
        _ if is_region => format!("{primary}-{variant}").parse().ok(),
        _ => None,
    }
}

/// How well a mode's language answers to the language asked for, 0 best; `None` when it does not.
pub(super) fn distance(of_mode: &Lang, asked: &Lang) -> Option<u8> {
    let primary = canonical(asked.primary());
    if of_mode == asked {
        Some(0)
    } else if of_mode.as_str() == asked.primary() || of_mode.as_str() == primary {
        Some(1)
    } else if of_mode.as_str() == macrolanguage(primary) {
        Some(2)
    } else if of_mode.primary() == primary {
        // Another region of the language: American English for one who asks for English alone.
        Some(3)
    } else {
        None
    }
}

pub(super) fn quality(from: &Lang, to: &Lang) -> Quality {
    let (from, to) = (from.primary(), to.primary());
    if GOOD.contains(&(from, to)) || GOOD.contains(&(to, from)) { Quality::Good } else { Quality::Draft }
}

/// The package that holds a pair, in at least one of its directions.
pub(super) fn find_package(from: &Lang, to: &Lang) -> Option<String> {
    let (from, to) = (macrolanguage(canonical(from.primary())), macrolanguage(canonical(to.primary())));
    let holds = |name: &&&str| {
        let Some((one, other)) = name.split_once('-') else { return false };
        let pair = (primary_of(one), primary_of(other));
        pair == (from, to) || pair == (to, from)
    };
    PACKAGES.iter().find(holds).map(|name| format!("apertium-{name}"))
}

fn primary_of(code: &str) -> &str {
    CODES.iter().find(|(three, _)| *three == code).map_or(code, |(_, two)| two)
}

/// The tag that stands for others: retired codes, three letters where there are two.
fn canonical(primary: &str) -> &str {
    match primary {
        "no" => "nb",
        other => primary_of(other),
    }
}

fn macrolanguage(primary: &str) -> &str {
    match primary {
        "hr" | "sr" | "bs" | "cnr" => "sh",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lang(tag: &str) -> Lang {
        tag.parse().unwrap()
    }

    #[test]
    fn names_of_modes_become_tags() {
        for (name, tag) in [
            ("eng", "en"),
            ("en", "en"),
            ("eng_US", "en-us"),
            ("pt_BR", "pt-br"),
            ("cat_valencia", "ca-valencia"),
            ("ast", "ast"),
            ("hbs_HR", "hr"),
        ] {
            assert_eq!(find_lang(name), Some(lang(tag)), "{name}");
        }
        for name in ["cat_iec2017", "cat_valencia_uni", "es-fr", "", "english", "e"] {
            assert_eq!(find_lang(name), None, "{name}");
        }
    }

    #[test]
    fn a_region_is_served_by_its_language() {
        assert_eq!(distance(&lang("es"), &lang("es-mx")), Some(1));
        assert_eq!(distance(&lang("nb"), &lang("no")), Some(1));
        assert_eq!(distance(&lang("sh"), &lang("hr")), Some(2));
        assert_eq!(distance(&lang("en-us"), &lang("en")), Some(3));
        assert_eq!(distance(&lang("es"), &lang("eo")), None);
    }

    #[test]
    fn only_close_relatives_are_good() {
        assert_eq!(quality(&lang("es"), &lang("ca-valencia")), Quality::Good);
        assert_eq!(quality(&lang("pt-br"), &lang("es")), Quality::Good);
        assert_eq!(quality(&lang("en"), &lang("es")), Quality::Draft);
        assert_eq!(quality(&lang("en"), &lang("ca")), Quality::Draft);
    }

    #[test]
    fn the_package_of_a_pair_is_named_in_either_direction() {
        assert_eq!(find_package(&lang("es-mx"), &lang("en")).as_deref(), Some("apertium-eng-spa"));
        assert_eq!(find_package(&lang("hr"), &lang("en")).as_deref(), Some("apertium-hbs-eng"));
        assert_eq!(find_package(&lang("en"), &lang("zh")), None);
    }
}
