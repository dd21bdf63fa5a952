//! Whisper's tokens: pieces of text, written as bytes of UTF-8 in letters that can be printed (A. Radford et al.,
//! "Language models are unsupervised multitask learners", 2019), and after them those that say what is asked for.

use kernel::Lang;

use super::languages;
use crate::ctranslate2::Vocabulary;

/// The tokens of a model, and which of them mean what.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    vocabulary: Vocabulary,
    /// The first that is no text.
    end: usize,
    pub(super) start: usize,
    pub(super) languages: Vec<Language>,
    /// What says that it is to be written down, not translated; English models do nothing else.
    transcribe: Option<usize>,
}

/// A language that a model knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Language {
    pub(super) lang: Lang,
    pub(super) token: usize,
}

const END: &str = "<|endoftext|>";
const START: &str = "<|startoftranscript|>";
const TRANSCRIBE: &str = "<|transcribe|>";
const NO_TIMESTAMPS: &str = "<|notimestamps|>";

impl Tokens {
    /// `languages` are the tokens of languages that the model's settings name; they count only where it has more than one.
    pub(super) fn new(vocabulary: Vocabulary, languages: &[usize]) -> Result<Self, String> {
        let (end, start) = (vocabulary.get(END)?, vocabulary.get(START)?);
        vocabulary.get(NO_TIMESTAMPS)?;
        // What CTranslate2 tells models of many languages by: a token for nothing, which English ones lack.
        let is_multilingual = vocabulary.find("").is_some();
        let mut tokens = Self { vocabulary, end, start, languages: Vec::new(), transcribe: None };
        if is_multilingual {
            tokens.transcribe = Some(tokens.vocabulary.get(TRANSCRIBE)?);
            tokens.languages = tokens.find_languages(languages)?;
        }
        Ok(tokens)
    }

    fn find_languages(&self, named: &[usize]) -> Result<Vec<Language>, String> {
        let language = |token: usize| {
            let lang = languages::find_lang(self.vocabulary.token(token)?)?;
            Some(Language { lang, token })
        };
        // Where the settings name none, all are taken that look like one.
        let mut found: Vec<Language> = if named.is_empty() {
            (self.start + 1..self.vocabulary.len()).filter_map(language).collect()
        } else {
            let all = named.iter().map(|&token| language(token).ok_or(token));
            all.collect::<Result<_, _>>()
                .map_err(|token| format!("its token {token} is named as a language and is none"))?
        };
        found.sort_by(|a, b| a.lang.cmp(&b.lang));
        found.dedup_by(|a, b| a.lang == b.lang);
        if found.is_empty() { Err("it knows no language".to_owned()) } else { Ok(found) }
    }

    pub(super) fn len(&self) -> usize {
        self.vocabulary.len()
    }

    pub(super) fn is_multilingual(&self) -> bool {
        self.transcribe.is_some()
    }

    /// The languages, in the order of their tags.
    pub(super) fn langs(&self) -> Vec<Lang> {
        if self.is_multilingual() {
            self.languages.iter().map(|language| language.lang.clone()).collect()
        } else {
            vec![Lang::english()]
        }
    }

    /// Which language is asked for; `None` where the model does not know it.
    pub(super) fn find_lang(&self, asked: &Lang) -> Option<Lang> {
        languages::find_known(&self.langs(), asked).cloned()
    }

    /// What is asked of the model before it writes: the language, to write it down, and to leave times out.
    pub(super) fn task(&self, lang: &Lang) -> Vec<usize> {
        let language = self.languages.iter().find(|language| language.lang == *lang);
        let language = language.map(|language| language.token);
        [self.start].into_iter().chain(language).chain(self.transcribe).collect()
    }

    /// The same as a prompt.
    pub(super) fn prompt(&self, lang: &Lang) -> Vec<String> {
        let task = self.task(lang).into_iter().filter_map(|id| self.vocabulary.token(id).map(str::to_owned));
        task.chain([NO_TIMESTAMPS.to_owned()]).collect()
    }

    /// Those of `ids` that are text.
    pub(super) fn texts(&self, ids: &[usize]) -> Vec<usize> {
        ids.iter().copied().filter(|&id| id < self.end).collect()
    }

    pub(super) fn text(&self, ids: &[usize]) -> String {
        String::from_utf8_lossy(&ids.iter().flat_map(|&id| self.bytes(id)).collect::<Vec<u8>>()).into_owned()
    }

    fn bytes(&self, id: usize) -> Vec<u8> {
        self.vocabulary.token(id).unwrap_or_default().chars().filter_map(byte).collect()
    }

    /// The words of a text, each with how many of its tokens it has. Those of a language that is written without spaces are
    /// its characters, as many as stand in a token.
    pub(super) fn words(&self, ids: &[usize], lang: &Lang) -> Vec<(String, usize)> {
        let pieces = self.pieces(ids);
        if lang.is_unspaced() { pieces } else { join_at_spaces(pieces) }
    }

    /// The shortest runs of tokens that are whole characters.
    fn pieces(&self, ids: &[usize]) -> Vec<(String, usize)> {
        let (mut pieces, mut bytes, mut count) = (Vec::new(), Vec::new(), 0);
        for &id in ids {
            bytes.extend(self.bytes(id));
            count += 1;
            // An error at the end may be one that the next token mends.
            if std::str::from_utf8(&bytes).err().is_none_or(|error| error.error_len().is_some()) {
                pieces.push((String::from_utf8_lossy(&bytes).into_owned(), count));
                (bytes, count) = (Vec::new(), 0);
            }
        }
        if count > 0 {
            pieces.push((String::from_utf8_lossy(&bytes).into_owned(), count));
        }
        pieces
    }
}

/// A piece with a space before it begins a word, and so does a mark; others go on with theirs.
fn join_at_spaces(pieces: Vec<(String, usize)>) -> Vec<(String, usize)> {
    let mut words: Vec<(String, usize)> = Vec::new();
    for (piece, count) in pieces {
        let is_mark = piece.trim().chars().all(|c| c.is_ascii_punctuation());
        match words.last_mut() {
            Some((word, tokens)) if !piece.starts_with(' ') && !is_mark => {
                word.push_str(&piece);
                *tokens += count;
            }
            _ => words.push((piece, count)),
        }
    }
    words
}

/// The byte that a letter stands for: itself where it can be printed; the others, in their order, are the letters from
/// U+0100 on.
fn byte(letter: char) -> Option<u8> {
    match u32::from(letter) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => Some(code as u8),
        code @ 0x100..=0x120 => Some((code - 0x100) as u8),
        code @ 0x121..=0x142 => Some((code - 0x121 + 0x7f) as u8),
        0x143 => Some(0xad),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 14] = ["Ġgo", "Ġfor", "ward", ",", "Ġcaf", "Ã", "©", "Ġten", "'s", ".", "æĹ", "¥", "æľ¬", ""];

    fn tokens(multilingual: bool) -> Tokens {
        let mut all: Vec<String> = TEXTS.map(str::to_owned).to_vec();
        if !multilingual {
            all.pop();
        }
        let special =
            [END, START, "<|en|>", "<|jw|>", "<|de|>", "<|translate|>", TRANSCRIBE, NO_TIMESTAMPS, "<|0.00|>"];
        all.extend(special.map(str::to_owned));
        Tokens::new(Vocabulary::new(all), &[]).unwrap()
    }

    fn lang(tag: &str) -> Lang {
        tag.parse().unwrap()
    }

    #[test]
    fn letters_stand_for_every_byte_once() {
        let mut bytes: Vec<u8> = (0..0x144).filter_map(char::from_u32).filter_map(byte).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        assert_eq!(("Ġ".chars().filter_map(byte).collect::<Vec<_>>(), byte('日')), (vec![b' '], None));
    }

    #[test]
    fn what_is_asked_names_the_language_where_there_are_many() {
        let many = tokens(true);
        let langs: Vec<String> = many.langs().into_iter().map(String::from).collect();
        assert_eq!(langs, ["de", "en", "jv"]);
        assert_eq!(many.prompt(&lang("jv")), [START, "<|jw|>", TRANSCRIBE, NO_TIMESTAMPS]);
        assert_eq!(many.find_lang(&lang("de-at")), Some(lang("de")));
        let english = tokens(false);
        assert_eq!(english.prompt(&lang("en")), [START, NO_TIMESTAMPS]);
        assert_eq!((english.langs(), english.find_lang(&lang("de"))), (vec![lang("en")], None));
    }

    #[test]
    fn a_language_of_the_settings_that_is_none_is_refused() {
        let all = ["", END, START, "<|en|>", TRANSCRIBE, NO_TIMESTAMPS].map(str::to_owned).to_vec();
        let error = Tokens::new(Vocabulary::new(all.clone()), &[3, 4]).unwrap_err();
        assert!(error.contains("token 4"), "{error}");
        assert!(Tokens::new(Vocabulary::new(all.clone()), &[300]).is_err());
        assert!(Tokens::new(Vocabulary::new(all[..5].to_vec()), &[3]).unwrap_err().contains(NO_TIMESTAMPS));
    }

    #[test]
    fn words_are_told_by_spaces_and_marks_stand_alone() {
        let tokens = tokens(true);
        let words = tokens.words(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &lang("en"));
        let texts: Vec<&str> = words.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, [" go", " forward", ",", " café", " ten's", "."]);
        assert_eq!(words.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 2, 1, 3, 2, 1]);
        assert_eq!(tokens.text(&[4, 5, 6]), " café");
    }

    #[test]
    fn characters_without_spaces_are_words_and_never_cut_through() {
        let tokens = tokens(true);
        assert_eq!(tokens.words(&[10, 11, 12], &lang("ja")), [("日".to_owned(), 2), ("本".to_owned(), 1)]);
        // A byte that fits nothing, and a character that ends early.
        let words = tokens.words(&[6, 10], &lang("ja"));
        assert_eq!(words, [("\u{fffd}".to_owned(), 1), ("\u{fffd}".to_owned(), 1)]);
    }

    #[test]
    fn what_is_no_text_is_left_out() {
        let tokens = tokens(true);
        assert_eq!(tokens.texts(&[0, 14, 15, 22, 1, 13]), [0, 1, 13]);
    }
}
