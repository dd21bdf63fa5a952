//! The adapters against their engines.

#[cfg(test)]
mod apertium;
#[cfg(test)]
mod espeak;
#[cfg(test)]
mod flite;
#[cfg(test)]
mod models;
#[cfg(test)]
mod pocketsphinx;
#[cfg(test)]
mod speech_program;
