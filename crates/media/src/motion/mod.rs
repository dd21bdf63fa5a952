//! Stills in motion: where the eye goes in a picture, and a slow camera that goes there.

mod camera;
mod focus;
mod ken_burns;

pub use focus::{Rect, crop_for, focus};
pub(crate) use ken_burns::scaled_crop;
pub use ken_burns::{KenBurns, reduce_for};
