//! Scripts in many languages, from text to scenes.

use std::path::Path;

use videos::{
    scenes::{self, Shot},
    script::{Reading, Script},
};

/// Language, title, heading, a paragraph of two sentences, a sentence with a number.
const SCRIPTS: [(&str, &str, &str, &str, &str); 12] = [
    (
        "en",
        "The salty sea",
        "Where it comes from",
        "Rivers carry minerals from the rocks. The sea keeps them for millions of years.",
        "Oceans cover 71 % of the Earth.",
    ),
    (
        "es",
        "El mar salado",
        "De dónde viene",
        "Los ríos llevan minerales de las rocas. El mar los guarda durante millones de años.",
        "Los océanos cubren el 71 % de la Tierra.",
    ),
    (
        "de",
        "Das salzige Meer",
        "Woher es kommt",
        "Flüsse tragen Mineralien aus dem Gestein herbei. Das Meer behält sie Millionen Jahre lang.",
        "Ozeane bedecken 71 Prozent der Erde.",
    ),
    (
        "fr",
        "La mer salée",
        "D’où cela vient",
        "Les rivières apportent les minéraux des roches. La mer les garde pendant des millions d’années.",
        "Les océans couvrent 71 % de la Terre.",
    ),
    (
        "pt",
        "O mar salgado",
        "De onde vem",
        "Os rios levam minerais das rochas. O mar guarda-os durante milhões de anos.",
        "Os oceanos cobrem 71 % da Terra.",
    ),
    (
        "ru",
        "Солёное море",
        "Откуда соль",
        "Реки приносят минералы из скал. Море хранит их миллионы лет.",
        "Океаны покрывают 71 % Земли.",
    ),
    ("zh", "咸咸的大海", "盐从哪里来", "河流带来岩石中的矿物质。大海把它们保存了数百万年。", "海洋覆盖了地球的71%。"),
    (
        "ja",
        "塩辛い海",
        "塩はどこから来るのか",
        "川は岩から鉱物を運びます。海はそれを何百万年も保ちます。",
        "海は地球の71%を覆っています。",
    ),
    (
        "ar",
        "البحر المالح",
        "من أين يأتي الملح",
        "تحمل الأنهار المعادن من الصخور. يحفظها البحر ملايين السنين.",
        "تغطي المحيطات 71% من الأرض.",
    ),
    (
        "he",
        "הים המלוח",
        "מאין בא המלח",
        "הנהרות נושאים מינרלים מן הסלעים. הים שומר אותם מיליוני שנים.",
        "האוקיינוסים מכסים 71% מכדור הארץ.",
    ),
    (
        "hi",
        "खारा समुद्र",
        "नमक कहाँ से आता है",
        "नदियाँ चट्टानों से खनिज लाती हैं। समुद्र उन्हें लाखों वर्षों तक रखता है।",
        "महासागर पृथ्वी का 71% भाग ढकते हैं।",
    ),
    ("th", "ทะเลเค็ม", "เกลือมาจากไหน", "แม่น้ำพาแร่ธาตุจากหินมา ทะเลเก็บมันไว้นานหลายล้านปี", "มหาสมุทรปกคลุม 71% ของโลก"),
];

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

#[test]
fn every_language_is_found_and_cut_into_scenes() {
    for (lang, title, heading, paragraph, number) in SCRIPTS {
        let text = format!("# {title}\n\n{paragraph}\n\n## {heading}\n\n{number}\n");
        let script = Script::parse(&text, Reading { base: Path::new(""), lang: None, title: None }).unwrap();
        assert_eq!(script.lang.primary(), lang, "{text}");
        let scenes = scenes::plan(&script, &[]);
        assert!(matches!(&scenes[0].shot, Shot::Title { title: shown, .. } if shown == title), "{lang}");
        let numbered =
            scenes.iter().find(|scene| matches!(&scene.shot, Shot::BigNumber { number, .. } if number.contains("71")));
        assert!(numbered.is_some(), "{lang}: {scenes:?}");
        assert!(scenes.iter().all(|scene| !scene.keywords.is_empty()), "{lang}: {scenes:?}");
        let said: String = scenes.iter().flat_map(|scene| scene.sentences.clone()).collect();
        assert_eq!(bare(&said), bare(&format!("{title}{paragraph}{heading}{number}")), "{lang}");
    }
}

#[test]
fn two_sentences_are_told_apart_where_they_have_full_stops() {
    for (lang, _, _, paragraph, _) in SCRIPTS.iter().filter(|(lang, ..)| *lang != "th") {
        let lang = lang.parse().unwrap();
        let script = Script::parse(paragraph, Reading { base: Path::new(""), lang: Some(&lang), title: None }).unwrap();
        assert_eq!(script.narration().len(), 2, "{lang}: {:?}", script.narration());
    }
}
