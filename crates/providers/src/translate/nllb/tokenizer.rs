//! Cuts texts into the tokens of a model, by the `tokenizer.json` that Hugging Face's converters write for it: normalised as
//! SentencePiece does, each word with the mark of a space before it, and pairs of tokens joined in the order in which they
//! were learned (R. Sennrich et al., "Neural machine translation of rare words with subword units", 2016).

mod charsmap;

use std::{collections::HashMap, fs, path::Path};

use serde::Deserialize;
use serde_json::Value;

use self::charsmap::CharsMap;

const FILE: &str = "tokenizer.json";
/// More than any such file has.
const MAX_BYTES: u64 = 256 << 20;
/// What stands for a space.
pub(super) const SPACE: char = '\u{2581}';
pub(super) const UNKNOWN: &str = "<unk>";
/// Longer runs without a space are cut: the work grows with the square of the length.
const MAX_WORD: usize = 400;

/// The tokens of a model, and how texts become them.
#[derive(Debug)]
pub(super) struct Tokenizer {
    tokens: Vec<String>,
    of_letter: HashMap<char, usize>,
    /// For two tokens when they were learned to be joined, and what they become.
    joins: HashMap<(usize, usize), (usize, usize)>,
    charsmap: Option<CharsMap>,
}

/// What is read of the file.
#[derive(Debug, Deserialize)]
struct File {
    normalizer: Option<Value>,
    model: Model,
}

#[derive(Debug, Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: HashMap<String, usize>,
    merges: Vec<Merge>,
}

/// Two tokens that are joined, as older and newer files write them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Merge {
    Text(String),
    Pair(String, String),
}

impl Tokenizer {
    /// Reads the file of a model's folder.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(format!(
                "it has no `{FILE}`, without which a text cannot be cut into its tokens; put that of the model it was \
                 converted from, which has one beside its `sentencepiece.bpe.model`, into its folder"
            ));
        }
        let wrong = |reason: String| format!("its `{FILE}` cannot be read ({reason})");
        if fs::metadata(&path).is_ok_and(|found| found.len() > MAX_BYTES) {
            return Err(wrong("it is too large".to_owned()));
        }
        let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        Self::parse(&text).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let File { normalizer, model } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if let Some(kind) = model.kind.filter(|kind| kind != "BPE") {
            return Err(format!("its model is of the sort {kind}, and NLLB's is BPE"));
        }
        let mut tokens: Vec<String> = Vec::with_capacity(model.vocab.len());
        let mut ids: HashMap<&str, usize> = HashMap::with_capacity(model.vocab.len());
        for token in model.vocab.keys() {
            ids.insert(token, tokens.len());
            tokens.push(token.clone());
        }
        let mut joins = HashMap::with_capacity(model.merges.len());
        for (rank, merge) in model.merges.iter().enumerate() {
            let (left, right) = merge.parts().ok_or("a pair of tokens to join is none")?;
            let whole = format!("{left}{right}");
            let (Some(left), Some(right), Some(whole)) = (ids.get(left), ids.get(right), ids.get(whole.as_str()))
            else {
                return Err(format!("`{whole}` is to be joined of tokens, of which one is not there"));
            };
            joins.entry((*left, *right)).or_insert((rank, *whole));
        }
        let letter = |token: &str| Some(token.chars().next()?).filter(|letter| letter.len_utf8() == token.len());
        let of_letter = ids.iter().filter_map(|(token, id)| Some((letter(token)?, *id))).collect();
        let charsmap = normalizer.as_ref().map(CharsMap::find).transpose()?.flatten();
        Ok(Self { tokens, of_letter, joins, charsmap })
    }

    /// The tokens of a text; for runs of letters that the model does not know one that says so.
    pub(super) fn encode(&self, text: &str) -> Vec<String> {
        let text = self.charsmap.as_ref().map_or_else(|| text.to_owned(), |charsmap| charsmap.normalise(text));
        let mut tokens = Vec::new();
        for word in text.split([' ', SPACE]).filter(|word| !word.is_empty()) {
            let letters: Vec<char> = [SPACE].into_iter().chain(word.chars()).collect();
            for part in letters.chunks(MAX_WORD) {
                self.encode_word(part, &mut tokens);
            }
        }
        tokens
    }

    fn encode_word(&self, letters: &[char], tokens: &mut Vec<String>) {
        // None is what is not known.
        let mut parts: Vec<Option<usize>> = letters.iter().map(|letter| self.of_letter.get(letter).copied()).collect();
        let join = |pair: &[Option<usize>]| self.joins.get(&(pair[0]?, pair[1]?)).copied();
        loop {
            let joins = parts.windows(2).enumerate().filter_map(|(place, pair)| Some((join(pair)?, place)));
            // The first that was learned; of several places the leftmost.
            let Some(((_, whole), place)) = joins.min_by_key(|((rank, _), place)| (*rank, *place)) else { break };
            parts[place] = Some(whole);
            parts.remove(place + 1);
        }
        parts.dedup_by(|a, b| a.is_none() && b.is_none());
        let name = |part: Option<usize>| part.and_then(|id| self.tokens.get(id)).map_or(UNKNOWN, String::as_str);
        tokens.extend(parts.into_iter().map(|part| name(part).to_owned()));
    }
}

impl Merge {
    fn parts(&self) -> Option<(&str, &str)> {
        match self {
            Self::Text(text) => text.split_once(' '),
            Self::Pair(left, right) => Some((left, right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens in the order in which SentencePiece 0.2 learned them from a few sentences (`model_type=bpe`).
    const PIECES: &str = "we lo ▁lo ne ▁t wer st ▁ne ▁th west an is ▁low ▁the ▁newer ▁lowest ch de ip té wi ▁f ▁o ▁é ▁日 and \
                          der ips ish ▁ch ▁is ▁to ▁wi ▁日本 ▁and ▁one ▁été ▁fish";
    const LETTERS: &str = "▁ e w t o n s h l r i a d é c f p 日 本 .";

    fn file(merges: &dyn Fn(&str, &str) -> Value, normalizer: &Value) -> String {
        let all: Vec<&str> = LETTERS.split(' ').chain(PIECES.split(' ')).collect();
        // As converters make pairs of pieces: every two that make one, in its order.
        let joins = PIECES.split(' ').flat_map(|piece| {
            let splits = piece.char_indices().skip(1).map(move |(at, _)| piece.split_at(at));
            splits.filter(|(left, right)| all.contains(left) && all.contains(right)).collect::<Vec<_>>()
        });
        let merges: Vec<Value> = joins.map(|(left, right)| merges(left, right)).collect();
        let vocab: HashMap<&str, usize> = all.iter().enumerate().map(|(id, token)| (*token, id)).collect();
        let model = serde_json::json!({ "type": "BPE", "vocab": vocab, "merges": merges });
        serde_json::json!({ "normalizer": normalizer, "model": model }).to_string()
    }

    fn tokenizer() -> Tokenizer {
        let normalizer = serde_json::json!({
            "type": "Sequence",
            "normalizers": [
                { "type": "Precompiled", "precompiled_charsmap": charsmap::tests::RULES },
                { "type": "Replace", "pattern": { "Regex": " {2,}" }, "content": "▁" },
            ],
        });
        Tokenizer::parse(&file(&|left, right| format!("{left} {right}").into(), &normalizer)).unwrap()
    }

    #[test]
    fn texts_become_the_tokens_that_sentencepiece_makes_of_them() {
        for (text, tokens) in [
            ("lower", "▁lo wer"),
            ("A low", "▁ a ▁low"),
            ("ﬁsh  and\u{3000}chips…", "▁fish ▁and ▁ch ips . . ."),
            ("e\u{301}te\u{301} 日本 x", "▁été ▁日本 ▁ <unk>"),
            ("newest\u{a0}lowest", "▁ne west ▁lowest"),
            ("", ""),
        ] {
            assert_eq!(tokenizer().encode(text).join(" "), tokens, "{text}");
        }
    }

    #[test]
    fn pairs_may_be_written_as_lists_and_what_is_unknown_is_one_token() {
        let listed = file(&|left, right| serde_json::json!([left, right]), &Value::Null);
        let tokenizer = Tokenizer::parse(&listed).unwrap();
        assert_eq!(tokenizer.encode("lowest XYZlow"), ["▁lowest", "▁", UNKNOWN, "lo", "w"]);
        assert_eq!(tokenizer.encode(&"o".repeat(1_000)).len(), 1_000);
    }

    #[test]
    fn a_file_of_another_sort_or_a_damaged_one_is_refused() {
        for (text, said) in [
            ("{}", "model"),
            (r#"{"model": {"type": "Unigram", "vocab": {}, "merges": []}}"#, "Unigram"),
            (r#"{"model": {"vocab": {"a": 0}, "merges": ["a b"]}}"#, "`ab`"),
            (r#"{"normalizer": {"type": "Lowercase"}, "model": {"vocab": {}, "merges": []}}"#, "Lowercase"),
        ] {
            let error = Tokenizer::parse(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
