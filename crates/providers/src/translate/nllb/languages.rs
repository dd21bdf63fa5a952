//! Languages as NLLB writes them, by the codes of FLORES-200 (NLLB Team, "No language left behind: scaling human-centered
//! machine translation", 2022, table 1), and how good its translations are.

use ai::translate::Quality;
use kernel::Lang;

/// The codes and the tags of BCP 47, which has two letters where there are two, and the script only where there are two.
const CODES: [(&str, &str); 202] = [
    ("ace_Arab", "ace-arab"),
    ("ace_Latn", "ace"),
    ("acm_Arab", "acm"),
    ("acq_Arab", "acq"),
    ("aeb_Arab", "aeb"),
    ("afr_Latn", "af"),
    ("ajp_Arab", "ajp"),
    ("aka_Latn", "ak"),
    ("als_Latn", "sq"),
    ("amh_Ethi", "am"),
    ("apc_Arab", "apc"),
    ("arb_Arab", "ar"),
    ("ars_Arab", "ars"),
    ("ary_Arab", "ary"),
    ("arz_Arab", "arz"),
    ("asm_Beng", "as"),
    ("ast_Latn", "ast"),
    ("awa_Deva", "awa"),
    ("ayr_Latn", "ay"),
    ("azb_Arab", "azb"),
    ("azj_Latn", "az"),
    ("bak_Cyrl", "ba"),
    ("bam_Latn", "bm"),
    ("ban_Latn", "ban"),
    ("bel_Cyrl", "be"),
    ("bem_Latn", "bem"),
    ("ben_Beng", "bn"),
    ("bho_Deva", "bho"),
    ("bjn_Arab", "bjn-arab"),
    ("bjn_Latn", "bjn"),
    ("bod_Tibt", "bo"),
    ("bos_Latn", "bs"),
    ("bug_Latn", "bug"),
    ("bul_Cyrl", "bg"),
    ("cat_Latn", "ca"),
    ("ceb_Latn", "ceb"),
    ("ces_Latn", "cs"),
    ("cjk_Latn", "cjk"),
    ("ckb_Arab", "ckb"),
    ("crh_Latn", "crh"),
    ("cym_Latn", "cy"),
    ("dan_Latn", "da"),
    ("deu_Latn", "de"),
    ("dik_Latn", "dik"),
    ("dyu_Latn", "dyu"),
    ("dzo_Tibt", "dz"),
    ("ell_Grek", "el"),
    ("eng_Latn", "en"),
    ("epo_Latn", "eo"),
    ("est_Latn", "et"),
    ("eus_Latn", "eu"),
    ("ewe_Latn", "ee"),
    ("fao_Latn", "fo"),
    ("fij_Latn", "fj"),
    ("fin_Latn", "fi"),
    ("fon_Latn", "fon"),
    ("fra_Latn", "fr"),
    ("fur_Latn", "fur"),
    ("fuv_Latn", "ff"),
    ("gaz_Latn", "om"),
    ("gla_Latn", "gd"),
    ("gle_Latn", "ga"),
    ("glg_Latn", "gl"),
    ("grn_Latn", "gn"),
    ("guj_Gujr", "gu"),
    ("hat_Latn", "ht"),
    ("hau_Latn", "ha"),
    ("heb_Hebr", "he"),
    ("hin_Deva", "hi"),
    ("hne_Deva", "hne"),
    ("hrv_Latn", "hr"),
    ("hun_Latn", "hu"),
    ("hye_Armn", "hy"),
    ("ibo_Latn", "ig"),
    ("ilo_Latn", "ilo"),
    ("ind_Latn", "id"),
    ("isl_Latn", "is"),
    ("ita_Latn", "it"),
    ("jav_Latn", "jv"),
    ("jpn_Jpan", "ja"),
    ("kab_Latn", "kab"),
    ("kac_Latn", "kac"),
    ("kam_Latn", "kam"),
    ("kan_Knda", "kn"),
    ("kas_Arab", "ks"),
    ("kas_Deva", "ks-deva"),
    ("kat_Geor", "ka"),
    ("kaz_Cyrl", "kk"),
    ("kbp_Latn", "kbp"),
    ("kea_Latn", "kea"),
    ("khk_Cyrl", "mn"),
    ("khm_Khmr", "km"),
    ("kik_Latn", "ki"),
    ("kin_Latn", "rw"),
    ("kir_Cyrl", "ky"),
    ("kmb_Latn", "kmb"),
    ("kmr_Latn", "ku"),
    ("knc_Arab", "knc-arab"),
    ("knc_Latn", "knc"),
    ("kon_Latn", "kg"),
    ("kor_Hang", "ko"),
    ("lao_Laoo", "lo"),
    ("lij_Latn", "lij"),
    ("lim_Latn", "li"),
    ("lin_Latn", "ln"),
    ("lit_Latn", "lt"),
    ("lmo_Latn", "lmo"),
    ("ltg_Latn", "ltg"),
    ("ltz_Latn", "lb"),
    ("lua_Latn", "lua"),
    ("lug_Latn", "lg"),
    ("luo_Latn", "luo"),
    ("lus_Latn", "lus"),
    ("lvs_Latn", "lv"),
    ("mag_Deva", "mag"),
    ("mai_Deva", "mai"),
    ("mal_Mlym", "ml"),
    ("mar_Deva", "mr"),
    ("min_Latn", "min"),
    ("mkd_Cyrl", "mk"),
    ("mlt_Latn", "mt"),
    ("mni_Beng", "mni"),
    ("mos_Latn", "mos"),
    ("mri_Latn", "mi"),
    ("mya_Mymr", "my"),
    ("nld_Latn", "nl"),
    ("nno_Latn", "nn"),
    ("nob_Latn", "nb"),
    ("npi_Deva", "ne"),
    ("nso_Latn", "nso"),
    ("nus_Latn", "nus"),
    ("nya_Latn", "ny"),
    ("oci_Latn", "oc"),
    ("ory_Orya", "or"),
    ("pag_Latn", "pag"),
    ("pan_Guru", "pa"),
    ("pap_Latn", "pap"),
    ("pbt_Arab", "ps"),
    ("pes_Arab", "fa"),
    ("plt_Latn", "mg"),
    ("pol_Latn", "pl"),
    ("por_Latn", "pt"),
    ("prs_Arab", "prs"),
    ("quy_Latn", "qu"),
    ("ron_Latn", "ro"),
    ("run_Latn", "rn"),
    ("rus_Cyrl", "ru"),
    ("sag_Latn", "sg"),
    ("san_Deva", "sa"),
    ("sat_Beng", "sat"),
    ("scn_Latn", "scn"),
    ("shn_Mymr", "shn"),
    ("sin_Sinh", "si"),
    ("slk_Latn", "sk"),
    ("slv_Latn", "sl"),
    ("smo_Latn", "sm"),
    ("sna_Latn", "sn"),
    ("snd_Arab", "sd"),
    ("som_Latn", "so"),
    ("sot_Latn", "st"),
    ("spa_Latn", "es"),
    ("srd_Latn", "sc"),
    ("srp_Cyrl", "sr"),
    ("ssw_Latn", "ss"),
    ("sun_Latn", "su"),
    ("swe_Latn", "sv"),
    ("swh_Latn", "sw"),
    ("szl_Latn", "szl"),
    ("tam_Taml", "ta"),
    ("taq_Latn", "taq"),
    ("taq_Tfng", "taq-tfng"),
    ("tat_Cyrl", "tt"),
    ("tel_Telu", "te"),
    ("tgk_Cyrl", "tg"),
    ("tgl_Latn", "tl"),
    ("tha_Thai", "th"),
    ("tir_Ethi", "ti"),
    ("tpi_Latn", "tpi"),
    ("tsn_Latn", "tn"),
    ("tso_Latn", "ts"),
    ("tuk_Latn", "tk"),
    ("tum_Latn", "tum"),
    ("tur_Latn", "tr"),
    ("twi_Latn", "tw"),
    ("tzm_Tfng", "tzm"),
    ("uig_Arab", "ug"),
    ("ukr_Cyrl", "uk"),
    ("umb_Latn", "umb"),
    ("urd_Arab", "ur"),
    ("uzn_Latn", "uz"),
    ("vec_Latn", "vec"),
    ("vie_Latn", "vi"),
    ("war_Latn", "war"),
    ("wol_Latn", "wo"),
    ("xho_Latn", "xh"),
    ("ydd_Hebr", "yi"),
    ("yor_Latn", "yo"),
    ("yue_Hant", "yue"),
    ("zho_Hans", "zh-hans"),
    ("zho_Hant", "zh-hant"),
    ("zsm_Latn", "ms"),
    ("zul_Latn", "zu"),
];

/// Other tags of languages that stand above.
const OTHER_TAGS: [(&str, &str); 14] = [
    ("arb", "ar"),
    ("cmn", "zh"),
    ("fil", "tl"),
    ("in", "id"),
    ("iw", "he"),
    ("khk", "mn"),
    ("no", "nb"),
    ("npi", "ne"),
    ("pes", "fa"),
    ("sr-cyrl", "sr"),
    ("swh", "sw"),
    ("uzn", "uz"),
    ("zh", "zh-hans"),
    ("zsm", "ms"),
];
/// Regions that write Chinese with the traditional characters.
const TRADITIONAL: [&str; 3] = ["hk", "mo", "tw"];

/// Relatives of English whose chrF++ from and to English the paper gives far above the mean of its languages; the small
/// models keep most of it. All else is a draft, by the rule that a person then reads every line.
const GOOD: [&str; 11] = ["ca", "da", "de", "es", "fr", "it", "nb", "nl", "pt", "ro", "sv"];

/// The languages that have a code among `has`, each with it, in the order of their tags.
pub(super) fn of_model(has: impl Fn(&str) -> bool) -> Vec<(Lang, &'static str)> {
    let known = CODES.iter().filter(|(code, _)| has(code));
    let mut langs: Vec<(Lang, &str)> = known.filter_map(|(code, tag)| Some((tag.parse().ok()?, *code))).collect();
    langs.sort();
    langs
}

/// The code of a language, whatever its region, among those of a model.
pub(super) fn find_code(langs: &[(Lang, &'static str)], asked: &Lang) -> Option<&'static str> {
    let exactly = |tag: &str| langs.iter().find(|(lang, _)| lang.as_str() == tag).map(|(_, code)| *code);
    let usual = |tag: &str| OTHER_TAGS.iter().find(|(other, _)| *other == tag).map(|(_, usual)| *usual);
    let mut subtags = asked.as_str().split('-').skip(1);
    if matches!(asked.primary(), "zh" | "cmn") && subtags.any(|tag| tag == "hant" || TRADITIONAL.contains(&tag)) {
        return exactly("zh-hant");
    }
    // The tag as it is, then ever less of it.
    let mut tag = asked.as_str();
    loop {
        let others = std::iter::successors(usual(tag), |other| usual(other));
        if let Some(code) = [tag].into_iter().chain(others).find_map(exactly) {
            return Some(code);
        }
        let (shorter, cut) = tag.rsplit_once('-')?;
        // Another script is another text.
        let is_script = cut.len() == 4 && cut.bytes().all(|b| b.is_ascii_alphabetic());
        if is_script && !has_script(langs, shorter, cut) {
            return None;
        }
        tag = shorter;
    }
}

/// Whether the language of a tag is written in a script by the code that it has.
fn has_script(langs: &[(Lang, &'static str)], tag: &str, script: &str) -> bool {
    let code = langs.iter().find(|(lang, _)| lang.as_str() == tag).map(|(_, code)| *code);
    code.is_none_or(|code| code.rsplit('_').next().is_some_and(|known| known.eq_ignore_ascii_case(script)))
}

pub(super) fn quality(from: &Lang, to: &Lang) -> Quality {
    let is_good = |lang: &Lang| GOOD.contains(&lang.as_str());
    let good = match (from.as_str(), to.as_str()) {
        ("en", _) => is_good(to),
        (_, "en") => is_good(from),
        _ => false,
    };
    if good { Quality::Good } else { Quality::Draft }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lang(tag: &str) -> Lang {
        tag.parse().unwrap()
    }

    #[test]
    fn every_code_has_a_tag_of_its_own() {
        let all = of_model(|_| true);
        assert_eq!(all.len(), CODES.len());
        assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let mut codes: Vec<&str> = all.iter().map(|(_, code)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CODES.len());
        assert!(codes.iter().all(|code| matches!(code.split_once('_'), Some((a, b)) if a.len() == 3 && b.len() == 4)));
    }

    #[test]
    fn tags_find_their_code_whatever_the_region() {
        let all = of_model(|_| true);
        for (tag, code) in [
            ("en", "eng_Latn"),
            ("pt-br", "por_Latn"),
            ("zh", "zho_Hans"),
            ("zh-cn", "zho_Hans"),
            ("zh-tw", "zho_Hant"),
            ("zh-hant-hk", "zho_Hant"),
            ("no", "nob_Latn"),
            ("sr-cyrl-rs", "srp_Cyrl"),
            ("sr", "srp_Cyrl"),
            ("ks-deva", "kas_Deva"),
            ("ace-latn", "ace_Latn"),
            ("cmn", "zho_Hans"),
        ] {
            assert_eq!(find_code(&all, &lang(tag)), Some(code), "{tag}");
        }
        for tag in ["qaa", "sr-latn", "fy"] {
            assert_eq!(find_code(&all, &lang(tag)), None, "{tag}");
        }
        let few = of_model(|code| code == "eng_Latn");
        assert_eq!((few.len(), find_code(&few, &lang("es"))), (1, None));
    }

    #[test]
    fn only_english_and_what_is_near_it_is_good() {
        assert_eq!(quality(&lang("en"), &lang("es")), Quality::Good);
        assert_eq!(quality(&lang("fr"), &lang("en")), Quality::Good);
        assert_eq!(quality(&lang("es"), &lang("ca")), Quality::Draft);
        assert_eq!(quality(&lang("en"), &lang("ja")), Quality::Draft);
    }
}
