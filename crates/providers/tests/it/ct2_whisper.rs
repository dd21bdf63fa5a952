//! A Whisper model of one layer that was not trained but made: it says one sentence of low tones and another of high ones,
//! half a second for each token, and takes low ones for English and high ones for Spanish.
//!
//! Every token has a place of its own among the numbers of a state, and so have the angle of a position and the balance of
//! low and high tones. What stands beside its negative leaves the mean of a state at zero, so that norms only scale it.

use std::f32::consts::PI;

use ai::stt::{SAMPLE_RATE, Utterance};
use kernel::Lang;

use crate::ct2_file::Ct2File;

/// What is said of low tones, and of high ones; the last token stands for nothing.
const TEXTS: [&str; 11] = ["Ġgo", "Ġfor", "ward", "Ġten", "Ġmeters", ".", "Ġturn", "Ġback", "Ġnow", "!", ""];
const LOW: usize = 6;
const SPECIALS: [&str; 10] = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|es|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
];
pub(crate) const LOW_SAYS: &str = "go forward ten meters.";
pub(crate) const HIGH_SAYS: &str = "turn back now!";
/// The frames of 20 ms that each token lasts.
const TOKEN_FRAMES: usize = 25;

const WIDTH: usize = 32;
const HEADS: i16 = 2;
const BANDS: usize = 80;
/// Bands below about 1000 Hz.
const LOW_BANDS: usize = 27;
const FRAMES: usize = 1_500;
const POSITIONS: usize = 64;
// Places in a state of the encoder.
const LOW_TONES: usize = 0;
const HIGH_TONES: usize = 1;
const ENCODED_ANGLE: usize = 2;
// Places in a state of the decoder, after those of the tokens.
const BALANCE: usize = 21;
const ANGLE: usize = 22;
const SIGNAL: usize = 26;

/// How a model differs from one that is sure of what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    Sure,
    /// It understands English alone, and is asked in another way.
    EnglishOnly,
    /// Silence is more probable to it than any word, and every word as probable as the next.
    Doubtful,
    /// It says its first word again and again.
    Looping,
}

pub(crate) fn model(habit: Habit) -> Ct2File {
    let mut file = Ct2File::new("WhisperSpec", 3);
    encoder(&mut file);
    decoder(&mut file, habit);
    let tokens: Vec<String> = tokens(habit);
    let ids = |names: [&str; 2]| names.map(|name| tokens.iter().position(|token| token == name));
    let settings = serde_json::json!({
        "alignment_heads": [[0, 1]],
        "lang_ids": ids(["<|en|>", "<|es|>"]),
        "suppress_ids": [],
        "suppress_ids_begin": [],
    });
    file.texts.insert("config.json", settings.to_string());
    file.texts.insert("vocabulary.json", serde_json::json!(tokens).to_string());
    file
}

fn tokens(habit: Habit) -> Vec<String> {
    let nothing = if habit == Habit::EnglishOnly { "Ġ" } else { "" };
    let texts = TEXTS.iter().map(|text| if text.is_empty() { nothing } else { text });
    texts.chain(SPECIALS).map(str::to_owned).collect()
}

fn id(name: &str) -> usize {
    TEXTS.len() + SPECIALS.iter().position(|special| *special == name).unwrap_or(0)
}

/// Cosine and sine, each beside its negative.
fn angle(file: &mut Ct2File, name: &str, (row, place): (usize, usize), (radians, size): (f32, f32)) {
    let rows = if name.starts_with("encoder") { FRAMES } else { POSITIONS };
    let encodings = file.array(name, &[rows, WIDTH]);
    for (offset, number) in [radians.cos(), -radians.cos(), radians.sin(), -radians.sin()].into_iter().enumerate() {
        encodings.set(row, place + offset, size * number);
    }
}

/// Hears how loud low and high tones are; states are mostly the angles of their places.
fn encoder(file: &mut Ct2File) {
    file.number("encoder/num_heads", HEADS);
    let conv1 = file.array("encoder/conv1/weight", &[WIDTH, BANDS, 3]);
    for band in 0..BANDS {
        if band < LOW_BANDS {
            conv1.set(LOW_TONES, band, 1.0 / LOW_BANDS as f32);
        } else {
            conv1.set(HIGH_TONES, band, 1.0 / (BANDS - LOW_BANDS) as f32);
        }
    }
    let conv2 = file.array("encoder/conv2/weight", &[WIDTH, WIDTH, 3]);
    for tones in [LOW_TONES, HIGH_TONES] {
        conv2.set(tones, tones, 1.0);
    }
    // What is added keeps the numbers where the activation changes little.
    for name in ["encoder/conv1/bias", "encoder/conv2/bias"] {
        file.array(name, &[WIDTH]).numbers[LOW_TONES..=HIGH_TONES].fill(3.0);
    }
    for frame in 0..FRAMES {
        let radians = PI * frame as f32 / FRAMES as f32;
        angle(file, "encoder/position_encodings/encodings", (frame, ENCODED_ANGLE), (radians, 1_000.0));
    }
    file.layer("encoder/layer_0", WIDTH);
    file.norm("encoder/layer_norm", WIDTH);
}

fn decoder(file: &mut Ct2File, habit: Habit) {
    let count = TEXTS.len() + SPECIALS.len();
    file.number("decoder/num_heads", HEADS);
    file.number("decoder/scale_embeddings", 0);
    let embeddings = file.array("decoder/embeddings/weight", &[count, WIDTH]);
    for token in 0..count {
        embeddings.set(token, token, 10.0);
        embeddings.set(token, BALANCE, -10.0);
    }
    // The first token is said by the state of what was asked last.
    let asked = if habit == Habit::EnglishOnly { 1 } else { 3 };
    for position in 0..POSITIONS {
        let frame = TOKEN_FRAMES * position.saturating_sub(asked) + TOKEN_FRAMES / 2;
        let radians = PI * frame as f32 / FRAMES as f32;
        angle(file, "decoder/position_encodings/encodings", (position, ANGLE), (radians, 10.0));
    }
    file.layer("decoder/layer_0", WIDTH);
    file.norm("decoder/layer_norm", WIDTH);
    attention(file);
    projection(file, habit);
}

/// The first head hears everything alike and tells low from high; the second looks where its angle points.
fn attention(file: &mut Ct2File) {
    let head = WIDTH / HEADS as usize;
    let scope = "decoder/layer_0/attention";
    let queries = file.array(&format!("{scope}/linear_0/weight"), &[]);
    queries.set(head, ANGLE, 7_000.0);
    queries.set(head + 1, ANGLE + 2, 7_000.0);
    let keys_and_values = file.array(&format!("{scope}/linear_1/weight"), &[]);
    keys_and_values.set(head, ENCODED_ANGLE, 1.0);
    keys_and_values.set(head + 1, ENCODED_ANGLE + 2, 1.0);
    keys_and_values.set(WIDTH, LOW_TONES, 5_000.0);
    keys_and_values.set(WIDTH, HIGH_TONES, -5_000.0);
    let output = file.array(&format!("{scope}/linear_2/weight"), &[]);
    output.set(SIGNAL, 0, 1.0);
    output.set(SIGNAL + 1, 0, -1.0);
}

/// Which token follows which.
fn projection(file: &mut Ct2File, habit: Habit) {
    let count = TEXTS.len() + SPECIALS.len();
    let sure = if habit == Habit::Doubtful { 0.01 } else { 10.0 };
    let (end, start, asked) = (id("<|endoftext|>"), id("<|startoftranscript|>"), id("<|notimestamps|>"));
    let weights = file.array("decoder/projection/weight", &[count, WIDTH]);
    for token in 0..count {
        let next = match token {
            _ if token == asked || token == start => continue,
            0 if habit == Habit::Looping => 0,
            _ if token + 1 == LOW || token + 1 >= TEXTS.len() - 1 => end,
            _ => token + 1,
        };
        weights.set(next, token, sure);
    }
    if habit != Habit::Looping {
        // Where nothing follows, the end is the least of all: a search that keeps five ways in sight of so few tokens would
        // else have gathered five that end too early before the right one does.
        weights.set(end, BALANCE, 0.2 * sure);
    }
    for (from, low, high) in [(asked, 0, LOW), (start, id("<|en|>"), id("<|es|>"))] {
        for (token, signal) in [(low, SIGNAL), (high, SIGNAL + 1)] {
            weights.set(token, from, sure);
            weights.set(token, signal, 2.0 * sure);
        }
    }
    if habit == Habit::Doubtful {
        weights.set(id("<|nospeech|>"), start, 10.0);
    }
}

/// Several tones at once.
pub(crate) fn tones(hertz: &[f32], seconds: f32) -> Vec<i16> {
    let sample = |n: u32| {
        let time = n as f32 / SAMPLE_RATE as f32;
        let sum: f32 = hertz.iter().map(|hertz| (2.0 * PI * (hertz * time).fract()).sin()).sum();
        (12_000.0 * sum / hertz.len() as f32) as i16
    };
    (0..(seconds * SAMPLE_RATE as f32) as u32).map(sample).collect()
}

pub(crate) fn low(lang: Option<Lang>) -> Utterance {
    Utterance { samples: tones(&[180.0, 260.0, 370.0, 520.0, 690.0, 840.0], 3.3).into(), lang }
}

pub(crate) fn high(lang: Option<Lang>) -> Utterance {
    Utterance { samples: tones(&[1_600.0, 2_100.0, 2_800.0, 3_700.0, 4_900.0, 6_500.0], 3.3).into(), lang }
}
