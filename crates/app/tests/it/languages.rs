//! Three scripts in each of ten languages through voice and captions: every word is spoken, timed and captioned.

use crate::desk::{Desk, number, probe};

/// Plain words, then a number, an abbreviation or a sign, then a question or an exclamation.
const LANGUAGES: [(&str, [&str; 3]); 10] = [
    (
        "en",
        [
            "The tide comes in. Nobody hurries.",
            "It costs £3.50, e.g. at 9 a.m. on weekdays.",
            "Who lit the lamp? We did! 🎉",
        ],
    ),
    (
        "es",
        [
            "Sube la marea. Nadie tiene prisa.",
            "Cuesta 3,50 €, p. ej. los días laborables.",
            "¿Quién encendió la lámpara? ¡Nosotros!",
        ],
    ),
    (
        "de",
        [
            "Die Flut kommt. Niemand beeilt sich.",
            "Das kostet 3,50 €, z. B. werktags um 9 Uhr.",
            "Donaudampfschifffahrtsgesellschaft fährt heute nicht!",
        ],
    ),
    (
        "fr",
        [
            "La marée monte. Personne ne se presse.",
            "Cela coûte 3,50 € le matin.",
            "Qui a allumé la lampe ? C’est nous !",
        ],
    ),
    ("zh", ["潮水涨了。没有人着急。", "每天早上九点开门，票价三十五元。", "谁点亮了灯？是我们！"]),
    (
        "ja",
        [
            "しおがみちてくる。だれもいそがない。",
            "まいあさくじにひらきます。",
            "あかりをつけたのはだれ？わたしたちです！",
        ],
    ),
    ("ar", ["يأتي المد. لا أحد يستعجل.", "يفتح المكان كل صباح في الساعة 9.", "من أضاء المصباح؟ نحن!"]),
    ("he", ["הגאות עולה. איש אינו ממהר.", "זה עולה 35 שקלים בבוקר.", "מי הדליק את המנורה? אנחנו!"]),
    ("hi", ["ज्वार आ रहा है। कोई जल्दी में नहीं है।", "यह सुबह 9 बजे खुलता है।", "दीपक किसने जलाया? हमने!"]),
    ("th", ["น้ำขึ้นแล้ว ไม่มีใครรีบร้อน", "ร้านเปิดทุกเช้าเวลา 9 นาฬิกา", "ใครจุดตะเกียง เราเอง"]),
];

#[test]
fn latin_scripts_are_spoken_and_captioned() {
    assert_captioned(&["en", "es", "de", "fr"]);
}

#[test]
fn chinese_japanese_and_thai_are_spoken_and_captioned() {
    assert_captioned(&["zh", "ja", "th"]);
}

#[test]
fn arabic_hebrew_and_hindi_are_spoken_and_captioned() {
    assert_captioned(&["ar", "he", "hi"]);
}

fn assert_captioned(languages: &[&str]) {
    for (lang, scripts) in LANGUAGES.iter().filter(|(lang, _)| languages.contains(lang)) {
        for script in scripts {
            let desk = Desk::new();
            desk.write("script.md", &format!("---\nlang: {lang}\n---\n\n{script}\n"));
            desk.succeed(["video", "script.md", "--quality", "draft", "--captions", "word", "-o", "out.mp4"]);
            let subtitles = std::fs::read_to_string(desk.path("out.srt")).unwrap();
            let duration_s = number(&probe(&desk.path("out.mp4"))["format"]["duration"]);
            assert_cues(&subtitles, script, duration_s);
        }
    }
}

/// Cues follow each other inside the video, are readable, and together say the whole script.
fn assert_cues(subtitles: &str, script: &str, duration_s: f64) {
    let mut said = String::new();
    let mut last_end_s = 0.0;
    for cue in subtitles.trim().split("\n\n") {
        let mut lines = cue.lines().skip(1);
        let (start, end) = lines.next().unwrap().split_once(" --> ").unwrap();
        let (start_s, end_s) = (read_time_s(start), read_time_s(end));
        assert!(last_end_s <= start_s && start_s < end_s && end_s <= duration_s + 0.04, "{subtitles}");
        last_end_s = end_s;
        let lines: Vec<&str> = lines.collect();
        assert!((1..=2).contains(&lines.len()) && lines.iter().all(|line| line.chars().count() <= 42), "{cue}");
        said.extend(lines);
    }
    assert_eq!(letters(&said), letters(script), "captions leave nothing out");
}

fn read_time_s(time: &str) -> f64 {
    let parts: Vec<f64> = time.replace(',', ".").split(':').map(|part| part.parse().unwrap()).collect();
    parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]
}

/// The text without spaces, line breaks and invisible marks of direction.
fn letters(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_whitespace() && !character.is_control() && !is_mark(*character))
        .collect()
}

const fn is_mark(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{ad}')
}
