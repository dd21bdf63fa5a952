//! Random bytes from the system, fit for secrets.

use kernel::Rng;
use ring::rand::{SecureRandom, SystemRandom};

/// The system's own source of chance.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, bytes: &mut [u8]) {
        let filled = SystemRandom::new().fill(bytes);
        // A secret of zeros would be worse than an end: no system that runs this lacks the call.
        assert!(filled.is_ok(), "the system gives no random bytes");
    }
}
