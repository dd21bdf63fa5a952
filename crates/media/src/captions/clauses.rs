//! Where a line may end: clause marks, small words that belong to a neighbour, and the kinsoku rules of Chinese and
//! Japanese setting (JIS X 4051, section 6.1, reduced to the marks that occur in speech).

use kernel::Lang;

use crate::speech_text::TimedWord;

/// How bad a line end between two words is; the units are those of the cost in `breaking`.
pub(super) fn break_cost(before: &TimedWord, after: &TimedWord, lang: &Lang) -> f64 {
    if !may_break(before, after) {
        return 1000.0;
    }
    if before.text.trim_end_matches(is_closing).ends_with(is_clause_mark) || before.text.ends_with(is_clause_mark) {
        return 0.0;
    }
    // Thai sets a space where other scripts set a comma.
    if lang.is_unspaced() && after.space_before {
        return 1.0;
    }
    let (before_word, after_word) = (bare(&before.text), bare(&after.text));
    if leans_forward(&before_word, lang) || leans_back(&after_word, lang) || after_word.is_empty() {
        14.0
    } else if leans_forward(&after_word, lang) {
        2.0
    } else if after.start_ms.saturating_sub(before.end_ms) >= 250 {
        3.0
    } else {
        6.0
    }
}

/// Whether anything but force lets a line end here.
fn may_break(before: &TimedWord, after: &TimedWord) -> bool {
    let (Some(last), Some(first)) = (before.text.chars().next_back(), after.text.chars().next()) else {
        return true;
    };
    if is_no_start(first) || is_no_end(last) {
        return false;
    }
    after.space_before || is_unspaced(last) || is_unspaced(first) || matches!(last, '-' | '–' | '—' | '/' | '…')
}

/// Marks that end a clause or a sentence.
fn is_clause_mark(c: char) -> bool {
    matches!(
        c,
        ',' | ';'
            | ':'
            | '.'
            | '!'
            | '?'
            | '…'
            | '—'
            | '–'
            | '،'
            | '؛'
            | '؟'
            | '।'
            | '॥'
            | '，'
            | '、'
            | '；'
            | '：'
            | '。'
            | '！'
            | '？'
    )
}

fn is_closing(c: char) -> bool {
    matches!(c, ')' | ']' | '}' | '"' | '\'' | '”' | '’' | '»' | '›' | '」' | '』' | '）' | '】' | '》' | '〉')
}

/// Characters that never start a line.
fn is_no_start(c: char) -> bool {
    is_closing(c) && !matches!(c, '"' | '\'')
        || matches!(c, ',' | ';' | ':' | '.' | '!' | '?' | '…' | '%' | '،' | '؛' | '؟' | '।' | '॥')
        || matches!(c, '，' | '、' | '；' | '：' | '。' | '！' | '？' | '・' | '～' | '〜' | 'ー' | '々' | '％' | '‰')
        || matches!(c, 'ぁ' | 'ぃ' | 'ぅ' | 'ぇ' | 'ぉ' | 'っ' | 'ゃ' | 'ゅ' | 'ょ' | 'ゎ')
        || matches!(c, 'ァ' | 'ィ' | 'ゥ' | 'ェ' | 'ォ' | 'ッ' | 'ャ' | 'ュ' | 'ョ' | 'ヮ' | 'ヵ' | 'ヶ' | 'ๆ' | 'ฯ')
}

/// Characters that never end a line.
fn is_no_end(c: char) -> bool {
    matches!(
        c,
        '(' | '['
            | '{'
            | '“'
            | '‘'
            | '«'
            | '‹'
            | '「'
            | '『'
            | '（'
            | '【'
            | '《'
            | '〈'
            | '¿'
            | '¡'
            | '$'
            | '€'
            | '£'
            | '#'
    )
}

/// Whether a character is of a script that writes no spaces between words.
fn is_unspaced(c: char) -> bool {
    is_wide(c) && !('\u{AC00}'..='\u{D7A3}').contains(&c)
        || matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}')
}

/// Whether a character takes a full em (Unicode Standard Annex 11, wide and fullwidth, without rare blocks).
pub(super) fn is_wide(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}' | '\u{1F300}'..='\u{1FAFF}'
        | '\u{20000}'..='\u{3FFFD}')
}

fn bare(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

/// Articles, prepositions, conjunctions: they belong to what follows.
fn leans_forward(word: &str, lang: &Lang) -> bool {
    let words: &[&str] = match lang.primary() {
        "en" => &[
            "a", "an", "the", "and", "or", "but", "nor", "so", "yet", "because", "although", "though", "if", "when",
            "while", "where", "that", "which", "who", "whose", "as", "than", "of", "to", "in", "on", "at", "by", "for",
            "from", "with", "without", "into", "onto", "over", "under", "about", "after", "before", "between",
            "through", "during", "until", "its", "his", "her", "their", "my", "your", "our", "this", "these", "those",
            "every", "each", "no", "not", "mr", "mrs", "ms", "dr", "st",
        ],
        "es" => &[
            "el", "la", "los", "las", "un", "una", "unos", "unas", "lo", "y", "e", "o", "u", "ni", "pero", "sino",
            "que", "porque", "aunque", "si", "cuando", "mientras", "donde", "como", "quien", "cual", "de", "del", "a",
            "al", "en", "con", "sin", "por", "para", "sobre", "entre", "hasta", "desde", "hacia", "según", "tras",
            "su", "sus", "mi", "tu", "este", "esta", "estos", "estas", "ese", "esa", "cada", "no", "sr", "sra",
        ],
        "de" => &[
            "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "eines", "und", "oder",
            "aber", "denn", "sondern", "weil", "dass", "ob", "wenn", "als", "während", "obwohl", "wo", "wie", "in",
            "im", "ins", "an", "am", "ans", "auf", "aus", "bei", "beim", "mit", "nach", "von", "vom", "zu", "zum",
            "zur", "über", "unter", "vor", "zwischen", "durch", "für", "gegen", "ohne", "um", "bis", "seit", "kein",
            "keine", "sein", "seine", "ihr", "ihre", "mein", "dein", "unser", "jeder", "jede", "jedes", "nicht", "dr",
            "hr", "fr",
        ],
        "fr" => &[
            "le", "la", "les", "un", "une", "des", "du", "de", "et", "ou", "mais", "ni", "car", "que", "qui", "dont",
            "où", "quand", "si", "comme", "parce", "à", "au", "aux", "en", "dans", "sur", "sous", "avec", "sans",
            "par", "pour", "chez", "vers", "entre", "ce", "cet", "cette", "ces", "son", "sa", "ses", "mon", "ma",
            "ton", "notre", "votre", "leur", "chaque", "ne", "m", "mme",
        ],
        "it" => &[
            "il", "lo", "la", "i", "gli", "le", "un", "uno", "una", "e", "ed", "o", "ma", "che", "chi", "cui",
            "perché", "se", "quando", "mentre", "dove", "come", "di", "del", "della", "dei", "delle", "a", "al",
            "alla", "da", "dal", "in", "nel", "nella", "con", "su", "sul", "per", "tra", "fra", "questo", "questa",
            "suo", "sua", "ogni", "non",
        ],
        "pt" => &[
            "o", "a", "os", "as", "um", "uma", "e", "ou", "mas", "nem", "que", "quem", "porque", "se", "quando",
            "enquanto", "onde", "como", "de", "do", "da", "dos", "das", "em", "no", "na", "nos", "nas", "com", "sem",
            "por", "pelo", "pela", "para", "sobre", "entre", "até", "desde", "este", "esta", "seu", "sua", "cada",
            "não",
        ],
        "nl" => &[
            "de", "het", "een", "en", "of", "maar", "want", "dat", "die", "omdat", "als", "toen", "terwijl", "waar",
            "hoe", "in", "op", "aan", "bij", "met", "naar", "van", "voor", "over", "onder", "door", "tegen", "zonder",
            "tot", "uit", "zijn", "haar", "mijn", "elke", "niet", "geen",
        ],
        "ar" => &[
            "في", "من", "على", "إلى", "عن", "مع", "أن", "إن", "أو", "ثم", "لكن", "لأن", "التي", "الذي", "هذا", "هذه",
            "بين", "كل", "لا", "ما",
        ],
        "he" => &["של", "את", "על", "עם", "אל", "מן", "כי", "אבל", "או", "אם", "כאשר", "אשר", "בין", "לא", "כל", "גם"],
        "hi" => &["और", "या", "लेकिन", "क्योंकि", "कि", "अगर", "जब", "एक", "यह", "वह", "इस", "उस", "हर", "तो"],
        _ => &[],
    };
    words.contains(&word)
}

/// Postpositions and particles: they belong to what precedes.
fn leans_back(word: &str, lang: &Lang) -> bool {
    let words: &[&str] = match lang.primary() {
        "hi" => &["का", "की", "के", "को", "में", "से", "पर", "ने", "तक", "है", "हैं", "था", "थी", "थे", "भी", "ही", "लिए"],
        "ja" => &[
            "は",
            "が",
            "を",
            "に",
            "で",
            "と",
            "も",
            "の",
            "へ",
            "や",
            "か",
            "ね",
            "よ",
            "から",
            "まで",
            "です",
            "ます",
            "ました",
            "た",
            "て",
        ],
        "zh" | "cmn" | "yue" => &["的", "了", "吗", "呢", "吧", "着", "过", "地", "得", "们"],
        "th" => &["ครับ", "ค่ะ", "คะ", "นะ", "แล้ว"],
        _ => &[],
    };
    words.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, space_before: bool) -> TimedWord {
        TimedWord { text: text.to_owned(), space_before, start_ms: 0, end_ms: 0 }
    }

    fn cost(before: &str, after: &str, lang: &str) -> f64 {
        let lang: Lang = lang.parse().unwrap();
        break_cost(&word(before, true), &word(after, !lang.is_unspaced()), &lang)
    }

    #[test]
    fn a_line_ends_after_a_comma_sooner_than_before_a_preposition_sooner_than_after_one() {
        assert!(cost("morning,", "birds", "en") < cost("morning", "in", "en"));
        assert!(cost("morning", "in", "en") < cost("bright", "morning", "en"));
        assert!(cost("bright", "morning", "en") < cost("in", "Paris", "en"));
        assert!(cost("casa", "de", "es") < cost("de", "campo", "es"));
        assert!(cost("घर", "जाना", "hi") < cost("घर", "में", "hi"));
    }

    #[test]
    fn kinsoku_marks_never_start_or_end_a_line() {
        for (before, after) in [("世界", "。"), ("你好", "，再见"), ("「", "東京"), ("キャッ", "ッ")] {
            assert!(cost(before, after, "ja") >= 1000.0, "{before}|{after}");
        }
        assert!(cost("世界", "你好", "zh") < 1000.0);
        assert!(cost("Bonjour", "!", "fr") >= 1000.0);
    }

    #[test]
    fn words_without_a_space_stay_together_in_spaced_scripts() {
        let lang = Lang::english();
        assert!(break_cost(&word("can", true), &word("not", false), &lang) >= 1000.0);
        assert!(break_cost(&word("well-", true), &word("known", false), &lang) < 1000.0);
    }
}
