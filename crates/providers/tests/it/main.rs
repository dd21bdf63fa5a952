//! The adapters against their engines.

#[cfg(test)]
mod apertium;
#[cfg(all(test, feature = "local-models"))]
mod ct2_file;
#[cfg(all(test, feature = "local-models"))]
mod ct2_nllb;
#[cfg(all(test, feature = "local-models"))]
mod ct2_shelf;
#[cfg(all(test, feature = "local-models"))]
mod ct2_whisper;
#[cfg(test)]
mod espeak;
#[cfg(test)]
mod flite;
#[cfg(all(test, feature = "local-models"))]
mod mdx;
#[cfg(test)]
mod models;
#[cfg(all(test, feature = "local-models"))]
mod nllb;
#[cfg(all(test, feature = "local-models"))]
mod onnx_file;
#[cfg(all(test, feature = "local-models"))]
mod onnx_shelf;
#[cfg(test)]
mod pocketsphinx;
#[cfg(test)]
mod speech_program;
#[cfg(all(test, feature = "local-models"))]
mod wespeaker;
#[cfg(all(test, feature = "local-models"))]
mod whisper;
