//! Which families of models there are: a row each.

use super::{Contents, Dimension, Family, Kind};

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
    Family {
        name: "mdx",
        kind: Kind::Separation,
        files: &["*.onnx"],
        layout: "one ONNX file that takes and gives an array of any × 4 × frequencies × times",
        options: &[
            ("stem", "what the model gives: `vocals` (usual) or `instrumental`"),
            ("window", "samples of a window, its n_fft; without it twice its frequencies"),
            ("compensate", "what its result is multiplied with, such as 1.035; without it 1"),
        ],
        licence_note: None,
        recognises: is_mdx,
        loader: loaders::MDX,
    },
    Family {
        name: "wespeaker",
        kind: Kind::Diarization,
        files: &["*.onnx"],
        layout: "one ONNX file that takes an array of any × times × 80 and gives one of any × numbers",
        options: &[("same_voice", "from which likeness on two voices are one speaker's, −1 to 1; without it 0.5")],
        licence_note: None,
        recognises: is_wespeaker,
        loader: loaders::WESPEAKER,
    },
];

/// The loaders of engines that are built only on demand.
#[cfg(feature = "local-models")]
mod loaders {
    use super::super::Loader;
    use crate::{diarize::wespeaker, separate::mdx};

    pub(super) const MDX: Option<Loader> = Some(mdx::load);
    pub(super) const WESPEAKER: Option<Loader> = Some(wespeaker::load);
}

#[cfg(not(feature = "local-models"))]
mod loaders {
    use super::super::Loader;

    pub(super) const MDX: Option<Loader> = None;
    pub(super) const WESPEAKER: Option<Loader> = None;
}

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

/// The real and imaginary parts of two channels go in, and as much comes out.
fn is_mdx(contents: &Contents) -> bool {
    let Some(graph) = contents.graph() else { return false };
    let ([input], [output]) = (graph.inputs.as_slice(), graph.outputs.as_slice()) else { return false };
    let is_spectrum = |shape: &[Dimension]| matches!(shape, [_, Dimension::Fixed(4), Dimension::Fixed(_), _]);
    // Some exporters leave out what comes out.
    is_spectrum(&input.shape) && (output.shape.is_empty() || is_spectrum(&output.shape))
}

/// Any number of frames of 80 bands goes in, and one vector comes out.
fn is_wespeaker(contents: &Contents) -> bool {
    let Some(graph) = contents.graph() else { return false };
    let ([input], [output, ..]) = (graph.inputs.as_slice(), graph.outputs.as_slice()) else { return false };
    let takes_bands = matches!(input.shape.as_slice(), [_, Dimension::Free(_), Dimension::Fixed(80)]);
    takes_bands && matches!(output.shape.as_slice(), [] | [_, _])
}
