//! Texts that go round in circles, which is how these models fail.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};

/// A text that is so many times longer than what it packs to says the same again and again; the number is that of
/// Whisper's makers.
const PACKED_TIMES: f32 = 2.4;

/// Whether a text repeats itself as nobody does who speaks.
pub(crate) fn is_loop(text: &str) -> bool {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Nothing fails that is written to memory.
    let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    packed.is_ok_and(|packed| text.len() as f32 > PACKED_TIMES * packed.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_goes_round_in_circles_is_a_loop() {
        for text in
            ["", "No, no, no!", "It was the best of times, it was the worst of times, it was the age of wisdom."]
        {
            assert!(!is_loop(text), "{text}");
        }
        assert!(is_loop(&" Thank you.".repeat(20)) && is_loop(&"ha".repeat(100)));
    }
}
