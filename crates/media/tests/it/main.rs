//! Media work against the real FFmpeg, on small generated files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod assemble;
mod audio;
mod burn;
mod captions;
mod cards;
mod content;
mod corrupt;
mod fixtures;
mod hostile;
mod listening;
mod probe;
mod process;
mod remux;
mod segment;
mod source;
mod stills;
