//! The adapters against their engines.

#[cfg(test)]
mod espeak;
#[cfg(test)]
mod speech_program;
