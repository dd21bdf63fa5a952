//! Mixes of generated and spoken sound, judged by measuring what came out.

mod dub;
mod loudness;
mod music;
mod placement;
mod signals;
mod speech;
mod transcode;
