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
