//! A model of the family NLLB of one layer that was not trained but made: it puts one word for another, the first for the
//! first, and writes what it has no word for letter by letter.
//!
//! Every token has a place of its own among the numbers of a state, and so have the angles of a position, which lead the
//! decoder to the token of the same position. What stands beside its negative leaves the mean of a state at zero, so that
//! norms only scale it.

use std::f32::consts::TAU;

use crate::ct2_file::Ct2File;

/// Words with their translations; a letter is translated as it is.
const WORDS: [(&str, &str); 9] = [
    ("▁The", "▁La"),
    ("▁the", "▁la"),
    ("▁house", "▁casa"),
    ("▁dog", "▁perra"),
    ("▁is", "▁es"),
    ("▁big", "▁grande"),
    ("▁small", "▁chica"),
    ("▁and", "▁y"),
    ("▁Yes", "▁Sí"),
];
const LETTERS: &str = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?";
const SPECIALS: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];
const LANGS: [&str; 3] = ["eng_Latn", "fra_Latn", "spa_Latn"];
const WIDTH: usize = 160;
/// Places after those of the tokens.
const BALANCE: usize = 147;
const ANGLES: usize = 148;
/// After so many positions each angle is the same again.
const PERIODS: [f32; 3] = [8.0, 64.0, 512.0];
const POSITIONS: usize = 700;

/// How a model differs from one that puts word for word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    WordForWord,
    /// It says the same word without end.
    Looping,
}

pub(crate) fn model(habit: Habit) -> Ct2File {
    let (tokens, merges) = tokens();
    assert!(tokens.len() <= BALANCE, "{} tokens", tokens.len());
    let mut file = Ct2File::new("TransformerSpec", 7);
    for side in ["encoder", "decoder"] {
        file.number(&format!("{side}/num_heads"), 1);
        file.number(&format!("{side}/scale_embeddings"), 0);
        encodings(&mut file, &format!("{side}/position_encodings/encodings"));
        file.layer(&format!("{side}/layer_0"), WIDTH);
        file.norm(&format!("{side}/layer_norm"), WIDTH);
    }
    let embeddings = file.array("decoder/embeddings/weight", &[tokens.len(), WIDTH]);
    for token in 0..tokens.len() {
        embeddings.set(token, token, 10.0);
        embeddings.set(token, BALANCE, -10.0);
    }
    file.aliases.insert("encoder/embeddings_0/weight".to_owned(), "decoder/embeddings/weight".to_owned());
    attention(&mut file);
    projection(&mut file, &tokens, habit);
    let settings = serde_json::json!({
        "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "decoder_start_token": "</s>",
        "add_source_bos": false, "add_source_eos": false,
    });
    file.texts.insert("config.json", settings.to_string());
    file.texts.insert("tokenizer.json", tokenizer(&tokens, &merges));
    file.texts.insert("shared_vocabulary.json", serde_json::json!(tokens).to_string());
    file
}

/// All tokens, and which two of them make another.
fn tokens() -> (Vec<String>, Vec<String>) {
    let mut tokens: Vec<String> = SPECIALS.map(str::to_owned).to_vec();
    tokens.extend(LETTERS.chars().map(String::from));
    let mut merges = Vec::new();
    for (word, _) in WORDS {
        let mut part = String::new();
        for letter in word.chars() {
            let whole = format!("{part}{letter}");
            if !tokens.contains(&whole) {
                merges.push(format!("{part} {letter}"));
                tokens.push(whole.clone());
            }
            part = whole;
        }
    }
    tokens.extend(WORDS.map(|(_, translation)| translation.to_owned()));
    tokens.extend(LANGS.map(str::to_owned));
    (tokens, merges)
}

/// Cosines and sines, each beside its negative.
fn encodings(file: &mut Ct2File, name: &str) {
    let encodings = file.array(name, &[POSITIONS, WIDTH]);
    for position in 0..POSITIONS {
        for (index, period) in PERIODS.iter().enumerate() {
            let radians = TAU * (position as f32 / period).fract();
            let numbers = [radians.cos(), -radians.cos(), radians.sin(), -radians.sin()];
            for (offset, number) in numbers.into_iter().enumerate() {
                encodings.set(position, ANGLES + 4 * index + offset, 10.0 * number);
            }
        }
    }
}

/// Looks where the source has the same angles, and takes the token that it finds there for ten times its own.
fn attention(file: &mut Ct2File) {
    let scope = "decoder/layer_0/attention";
    for row in 0..2 * PERIODS.len() {
        file.array(&format!("{scope}/linear_0/weight"), &[]).set(row, ANGLES + 2 * row, 50.0);
        file.array(&format!("{scope}/linear_1/weight"), &[]).set(row, ANGLES + 2 * row, 1.0);
    }
    for token in 0..=BALANCE {
        file.array(&format!("{scope}/linear_1/weight"), &[]).set(WIDTH + token, token, 10.0);
        file.array(&format!("{scope}/linear_2/weight"), &[]).set(token, token, 1.0);
    }
}

fn projection(file: &mut Ct2File, tokens: &[String], habit: Habit) {
    let find = |name: &str| tokens.iter().position(|token| token == name).unwrap_or(0);
    let weights = file.array("decoder/projection/weight", &[tokens.len(), WIDTH]);
    for (id, token) in tokens.iter().enumerate() {
        let translation = WORDS.iter().find(|(word, _)| word == token).map_or(id, |(_, translation)| find(translation));
        weights.set(if habit == Habit::Looping { find("▁casa") } else { translation }, id, 10.0);
    }
}

/// As Hugging Face's `tokenizers` write it for this family: pairs of bytes, with a mark for the space before a word.
fn tokenizer(tokens: &[String], merges: &[String]) -> String {
    let special = |name: &&str| SPECIALS.contains(name) || LANGS.contains(name);
    let added = tokens.iter().enumerate().filter(|(_, token)| special(&token.as_str()));
    let added: Vec<_> = added
        .map(|(id, token)| {
            serde_json::json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true,
            })
        })
        .collect();
    let vocab: serde_json::Map<String, serde_json::Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let space = serde_json::json!({
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true,
    });
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": space, "post_processor": null, "decoder": space,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": false, "vocab": vocab, "merges": merges,
        },
    })
    .to_string()
}
