//! A separation engine for tests: what is the same on both sides is a voice, and the rest is not.

use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::ErrorKind;

use super::{Capability, SAMPLE_RATE, Separated, Separator, Stretch};
use crate::ProviderError;

const MAX_FRAMES: usize = 90 * SAMPLE_RATE as usize;

/// Takes the middle of a stereo sound for its voices. Same stretch, same voices.
#[derive(Debug, Default)]
pub struct FakeSeparator {
    calls: AtomicUsize,
}

impl FakeSeparator {
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it was asked to separate.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Separator for FakeSeparator {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn version(&self) -> &'static str {
        "fake 1"
    }

    fn capability(&self) -> Capability {
        Capability { context_frames: SAMPLE_RATE as usize / 2, max_frames: MAX_FRAMES }
    }

    async fn check(&self) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn separate(&self, stretch: &Stretch) -> Result<Separated, ProviderError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let length = stretch.frames.len();
        if length > MAX_FRAMES {
            let message = format!("the stretch has {length} frames; send at most {MAX_FRAMES} at a time");
            return Err(ProviderError::new("fake", ErrorKind::Invalid, message));
        }
        let middle = |&[left, right]: &[f32; 2]| [f32::midpoint(left, right); 2];
        Ok(Separated { voice: stretch.frames.iter().map(middle).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::separate::conformance::{self, Material};

    #[tokio::test]
    async fn the_fake_passes_its_own_conformance_suite() {
        let tone = |hertz: f32, n: u32| (std::f32::consts::TAU * (hertz * n as f32 / SAMPLE_RATE as f32).fract()).sin();
        let frames = 0..3 * SAMPLE_RATE;
        let material = Material {
            voice: frames.clone().map(|n| [0.3 * tone(440.0, n); 2]).collect(),
            background: frames.map(|n| [0.2 * tone(90.0, n), -0.2 * tone(90.0, n)]).collect(),
            least_db: 100.0,
        };
        conformance::run(&FakeSeparator::new(), &material).await;
    }
}
