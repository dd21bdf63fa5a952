//! Which families of models there are: a row each.

use super::{Contents, Dimension, Family, Kind};

/// Every family.
pub const FAMILIES: &[Family] = &[
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
        layout: "a folder of faster-whisper: model.bin, config.json, and vocabulary.json or vocabulary.txt",
        options: CTRANSLATE2_OPTIONS,
        licence_note: None,
        recognises: |contents| is_of(contents, "WhisperSpec"),
        loader: loaders::WHISPER,
    },
    Family {
        name: "nllb",
        kind: Kind::Translation,
        files: &["model.bin", "config.json", "shared_vocabulary.json", "shared_vocabulary.txt", "tokenizer.json"],
        layout: "a folder of NLLB-200 for CTranslate2: model.bin, config.json, shared_vocabulary.json or \
                 shared_vocabulary.txt, and tokenizer.json",
        options: CTRANSLATE2_OPTIONS,
        licence_note: Some(
            "the weights that Meta published for NLLB-200 are under CC-BY-NC 4.0: translations by them are not for \
             commercial use",
        ),
        recognises: is_nllb,
        loader: loaders::NLLB,
    },
];

/// What may be said of every model that CTranslate2 runs.
const CTRANSLATE2_OPTIONS: &[(&str, &str)] = &[
    (
        "beam",
        "how many ways of going on are kept in sight, 1 to 16: more is slower; without it 5 for whisper, 4 for nllb",
    ),
    ("compute", "how it is computed: `stored` as its weights are (usual), `int8` with less memory, or `float32`"),
];

/// The loaders of engines that are built only on demand.
#[cfg(feature = "local-models")]
mod loaders {
    use super::super::Loader;
    use crate::{diarize::wespeaker, separate::mdx, stt::whisper, translate::nllb};

    pub(super) const MDX: Option<Loader> = Some(mdx::load);
    pub(super) const NLLB: Option<Loader> = Some(nllb::load);
    pub(super) const WESPEAKER: Option<Loader> = Some(wespeaker::load);
    pub(super) const WHISPER: Option<Loader> = Some(whisper::load);
}

#[cfg(not(feature = "local-models"))]
mod loaders {
    use super::super::Loader;

    pub(super) const MDX: Option<Loader> = None;
    pub(super) const NLLB: Option<Loader> = None;
    pub(super) const WESPEAKER: Option<Loader> = None;
    pub(super) const WHISPER: Option<Loader> = None;
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

/// Whether it is a CTranslate2 model of a sort.
fn is_of(contents: &Contents, specification: &str) -> bool {
    contents.header().is_some_and(|header| header.specification == specification)
}

/// Any pair of languages has models of its sort; the languages among its tokens tell NLLB.
fn is_nllb(contents: &Contents) -> bool {
    let vocabularies = ["shared_vocabulary.json", "shared_vocabulary.txt"];
    is_of(contents, "TransformerSpec") && vocabularies.iter().any(|file| contents.mentions(file, "eng_Latn"))
}
