//! Which families of models there are: a row each.

use super::{Contents, Family, Kind};

/// Every family.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "whisper",
        kind: Kind::Transcription,
        files: &[
            "model.bin",
            "config.json",
            "vocabulary.json",
            "vocabulary.txt",
            "tokenizer.json",
            "preprocessor_config.json",
        ],
        layout: "CTranslate2, as faster-whisper has it: model.bin, config.json, vocabulary.json or vocabulary.txt",
        options: &[],
        licence_note: None,
        recognises: is_whisper,
        loader: None,
    },
    Family {
        name: "nllb",
        kind: Kind::Translation,
        files: &[
            "model.bin",
            "config.json",
            "shared_vocabulary.json",
            "shared_vocabulary.txt",
            "tokenizer.json",
            "sentencepiece.bpe.model",
        ],
        layout: "CTranslate2: model.bin, config.json, shared_vocabulary.json or shared_vocabulary.txt, and tokenizer.json \
                 or sentencepiece.bpe.model",
        options: &[],
        licence_note: Some(
            "the weights of NLLB are under CC BY-NC 4.0: what they translate is not for commercial use, unless this model's \
             makers say otherwise",
        ),
        recognises: is_nllb,
        loader: None,
    },
];

fn is_whisper(contents: &Contents) -> bool {
    let has_words = contents.has("vocabulary.json") || contents.has("vocabulary.txt");
    contents.header().is_some_and(|header| header.specification == "WhisperSpec") && has_words
}

/// Other translators are of the same sort; only this family's words have its codes of languages.
fn is_nllb(contents: &Contents) -> bool {
    let has_codes = |name| contents.has(name) && contents.mentions(name, "eng_Latn");
    contents.header().is_some_and(|header| header.specification == "TransformerSpec")
        && (has_codes("shared_vocabulary.json") || has_codes("shared_vocabulary.txt"))
}
