//! Embeddings by models of the family wespeaker, which ONNX Runtime runs: a model that takes for a voice how much each band
//! moves.

use std::f32::consts::TAU;

use ai::diarize::{SAMPLE_RATE, SpeakerEncoder as _, Speech, conformance, conformance::Material};
use providers::{diarize::wespeaker::WeSpeaker, models::ModelPool};

use crate::{
    onnx_file::{Axis, Node, OnnxFile},
    onnx_shelf::Shelf,
};

/// The mean square of each band over time.
fn model() -> OnnxFile {
    let node = |operator, inputs: [&'static str; 2], output| Node {
        operator,
        inputs: inputs.into_iter().filter(|input| !input.is_empty()).collect(),
        output,
        attributes: Vec::new(),
    };
    let mean = Node {
        attributes: vec![("axes", vec![1]), ("keepdims", vec![0])],
        ..node("ReduceMean", ["squares", ""], "output")
    };
    OnnxFile {
        input: vec![Axis::Any("B"), Axis::Any("T"), Axis::Fixed(80)],
        output: vec![Axis::Any("B"), Axis::Fixed(80)],
        nodes: vec![node("Mul", ["input", "input"], "squares"), mean],
        constants: Vec::new(),
    }
}

/// Syllables of two tones over a little noise.
fn speech(hertz: f32, syllables_a_second: f32, seed: u32) -> Speech {
    let mut state = seed;
    let samples = (0..3 * SAMPLE_RATE).map(|n| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 16) as f32 / 65_536.0 - 0.5;
        let time = n as f32 / SAMPLE_RATE as f32;
        let loud = (TAU * syllables_a_second * time).sin().max(0.0);
        let tones = (TAU * (hertz * time).fract()).sin() + (TAU * (2.0 * hertz * time).fract()).sin();
        (8_000.0 * loud * tones + 200.0 * noise) as i16
    });
    Speech { samples: samples.collect() }
}

#[tokio::test]
async fn the_port_is_kept() {
    let shelf = Shelf::new();
    let engine = WeSpeaker::new(shelf.add("speakers", &model(), &[]).await.unwrap(), &ModelPool::new(8 << 30));
    let material =
        Material { speech: speech(300.0, 3.0, 1), same: speech(300.0, 4.0, 2), another: speech(1_500.0, 3.0, 3) };
    conformance::run(&engine, &material).await;
}

#[tokio::test]
async fn the_likeness_of_one_speaker_is_an_option_of_the_model() {
    let shelf = Shelf::new();
    let strict = shelf.add("strict", &model(), &[("same_voice", "0.99")]).await.unwrap();
    let usual = shelf.add("usual", &model(), &[]).await.unwrap();
    let pool = ModelPool::new(8 << 30);
    let (strict, usual) = (WeSpeaker::new(strict, &pool), WeSpeaker::new(usual, &pool));
    assert_eq!((strict.capability().same_voice, usual.capability().same_voice), (0.99, 0.5));
    assert_ne!(strict.version(), usual.version());
    let error = shelf.add("wrong", &model(), &[("same_voice", "2")]).await.unwrap_err().to_string();
    assert!(error.contains("`same_voice`"), "{error}");
}

#[tokio::test]
async fn silence_has_no_voice_and_a_model_of_another_sort_is_refused() {
    let shelf = Shelf::new();
    let engine = WeSpeaker::new(shelf.add("speakers", &model(), &[]).await.unwrap(), &ModelPool::new(8 << 30));
    assert_eq!(engine.embed(&Speech { samples: vec![0; 16_000].into() }).await.unwrap(), None);
    let axes = [Axis::Any("B"), Axis::Any("T"), Axis::Fixed(40)];
    let other = OnnxFile::product(&axes, &[1], vec![1.0]).write(&shelf.path("other/model.onnx"));
    let error = shelf.add_file("other", &other, Some("wespeaker"), &[]).await.unwrap_err().to_string();
    assert!(error.contains("× 80"), "{error}");
}
