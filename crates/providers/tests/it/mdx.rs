//! Separation by models of the family mdx, which ONNX Runtime runs: models that keep some frequencies, so that what they
//! have to find is known.

use std::f32::consts::TAU;

use ai::separate::{SAMPLE_RATE, Separator as _, Stretch, conformance, conformance::Material};
use providers::{
    models::{FAMILIES, ModelPool},
    separate::mdx::Mdx,
};

use crate::{
    onnx_file::{Axis, OnnxFile},
    onnx_shelf::Shelf,
};

const BINS: u64 = 2048;
const TIMES: u64 = 32;

/// A model that keeps the frequencies from 300 to 3400 Hz where `keeps`, or all others, times a gain.
fn model(window: u64, gain: f32, keeps: bool) -> OnnxFile {
    let factor = |bin: u64| {
        let hertz = bin as f32 * SAMPLE_RATE as f32 / window as f32;
        if (300.0..=3_400.0).contains(&hertz) == keeps { gain } else { 0.0 }
    };
    let axes = [Axis::Any("batch"), Axis::Fixed(4), Axis::Fixed(BINS), Axis::Fixed(TIMES)];
    OnnxFile::product(&axes, &[1, 1, BINS, 1], (0..BINS).map(factor).collect())
}

/// Tones that fade in and out, of the frequencies that count as voice, over tones of others.
fn material(seconds: u32) -> Material {
    let frames = seconds * SAMPLE_RATE;
    let tone =
        |hertz: f32, n: u32| (TAU * (f64::from(hertz) * f64::from(n) / f64::from(SAMPLE_RATE)).fract() as f32).sin();
    let fade = |n: u32| (n.min(frames - n) as f32 / 20_000.0).min(1.0);
    let voice = |n: u32| [fade(n) * 0.3 * tone(700.0, n), fade(n) * 0.2 * tone(1_900.0, n)];
    let background = |n: u32| [fade(n) * 0.2 * tone(90.0, n), fade(n) * 0.25 * tone(8_000.0, n)];
    Material {
        voice: (0..frames).map(voice).collect(),
        background: (0..frames).map(background).collect(),
        least_db: 40.0,
    }
}

fn pool() -> ModelPool {
    ModelPool::new(8 << 30)
}

#[tokio::test]
async fn the_port_is_kept() {
    let shelf = Shelf::new();
    let model = shelf.add("vocals", &model(4096, 1.0, true), &[]).await.unwrap();
    conformance::run(&Mdx::new(model, &pool()), &material(4)).await;
}

#[tokio::test]
async fn a_model_of_all_but_the_voice_finds_the_voice_too() {
    let shelf = Shelf::new();
    let options = [("stem", "instrumental"), ("window", "6144"), ("compensate", "2")];
    let model = shelf.add("rest", &model(6144, 0.5, false), &options).await.unwrap();
    conformance::run(&Mdx::new(model, &pool()), &material(4)).await;
}

#[tokio::test]
async fn a_model_of_another_shape_or_a_damaged_one_is_refused_with_the_reason() {
    let shelf = Shelf::new();
    let axes = [Axis::Fixed(1), Axis::Fixed(2), Axis::Fixed(BINS), Axis::Fixed(TIMES)];
    let mono = OnnxFile::product(&axes, &[1], vec![1.0]).write(&shelf.path("mono/model.onnx"));
    let error = shelf.add_file("mono", &mono, Some("mdx"), &[]).await.unwrap_err().to_string();
    assert!(error.contains("model `mono` cannot be loaded") && error.contains("[1, 2, 2048, 32]"), "{error}");
    let narrow = shelf.add("narrow", &model(4096, 1.0, true), &[("window", "2048")]).await.unwrap_err().to_string();
    assert!(narrow.contains("give its option `window`"), "{narrow}");
    // Its operators are unknown to the runtime.
    let mut odd = model(4096, 1.0, true);
    odd.nodes[0].operator = "Conjure";
    let odd = shelf.add("odd", &odd, &[]).await.unwrap_err().to_string();
    assert!(odd.contains("Conjure"), "{odd}");
    let nothing = shelf.add("nothing", &model(4096, f32::NAN, true), &[]).await.unwrap_err().to_string();
    assert!(nothing.contains("no numbers"), "{nothing}");
}

#[tokio::test]
async fn a_model_is_shared_and_given_up_when_memory_is_full() {
    let shelf = Shelf::new();
    let first = shelf.add("first", &model(4096, 1.0, true), &[]).await.unwrap();
    let second = shelf.add("second", &model(4096, 0.5, true), &[]).await.unwrap();
    let sound = Stretch { frames: material(3).voice.into() };

    let roomy = pool();
    let (one, other) = (Mdx::new(first.clone(), &roomy), Mdx::new(first.clone(), &roomy));
    let (a, b) = tokio::join!(one.separate(&sound), other.separate(&sound));
    assert!(a.unwrap() == b.unwrap() && roomy.loaded() == 1, "two jobs share one model");

    // As if memory were always full: only the last used model stays.
    let full = ModelPool::with_gauge(1, || Some(u64::MAX), FAMILIES);
    let (one, other) = (Mdx::new(first, &full), Mdx::new(second, &full));
    let before = one.separate(&sound).await.unwrap();
    assert_eq!(full.loaded(), 1);
    assert!(other.separate(&sound).await.unwrap() != before);
    assert_eq!(full.loaded(), 1, "the first model was given up for the second");
    assert!(one.separate(&sound).await.unwrap() == before, "and is loaded again when it is needed");
}

#[tokio::test]
async fn work_that_nobody_waits_for_any_more_ends_with_its_chunk() {
    let shelf = Shelf::new();
    let engine = Mdx::new(shelf.add("vocals", &model(4096, 1.0, true), &[]).await.unwrap(), &pool());
    let long = Stretch { frames: material(80).voice.into() };
    engine.check().await.unwrap();
    let began = std::time::Instant::now();
    engine.separate(&long).await.unwrap();
    let whole = began.elapsed();
    let given_up = tokio::time::timeout(whole / 20, engine.separate(&long)).await;
    assert!(given_up.is_err(), "a stretch of 80 s takes longer than a twentieth of itself");
    // The engine is free again at once, not when the long stretch would have ended.
    let began = std::time::Instant::now();
    engine.separate(&Stretch { frames: material(1).voice.into() }).await.unwrap();
    assert!(began.elapsed() < whole / 2, "{:?} of {whole:?}", began.elapsed());
}
