//! What is there is not made again; what is missing or broken is.

use std::{fs, sync::Arc, time::Instant};

use kernel::SystemClock;
use pipeline::{FanOut, Store};

use crate::fixture::{Text, Write, finish, open, start, texts};

#[tokio::test]
async fn an_artifact_that_exists_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (stage, text) = (Write::default(), Text("hello".to_owned()));
    let first = {
        let store = open(folder.path()).await;
        let (run, _events) = start(&store).await;
        let made = run.make(&stage, &text).await.unwrap();
        assert_eq!(fs::read(run.path(&made.output.file)).unwrap(), b"hello");
        finish(run).await;
        made
    };
    let store = open(folder.path()).await;
    let (run, _events) = start(&store).await;
    let second = run.make(&stage, &text).await.unwrap();
    assert_eq!((first.reused, second.reused, stage.count()), (false, true, 1));
    assert_eq!((first.key, first.output), (second.key, second.output));
}

#[tokio::test]
async fn only_what_is_new_among_many_is_made_and_all_come_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (run, _events) = start(&store).await;
    let stage = Write::default();
    run.make_all(&stage, &texts(5), FanOut::new(2)).await.unwrap();
    let inputs = texts(9);
    let made =
        run.make_all(&stage, &inputs, FanOut::new(3).longest_first(|text: &Text| text.0.len() as f64)).await.unwrap();
    assert_eq!(stage.count(), 9);
    assert_eq!(made.iter().filter(|made| made.reused).count(), 5);
    for (input, made) in inputs.iter().zip(&made) {
        assert_eq!(fs::read_to_string(run.path(&made.output.file)).unwrap(), input.0);
    }
}

#[tokio::test]
async fn equal_inputs_are_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (run, _events) = start(&store).await;
    let stage = Write::default();
    let inputs = vec![Text("same".to_owned()); 6];
    let made = run.make_all(&stage, &inputs, FanOut::new(4)).await.unwrap();
    assert_eq!((stage.count(), made.len()), (1, 6));
}

#[tokio::test]
async fn an_artifact_whose_file_is_missing_or_cut_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (run, _events) = start(&store).await;
    let (stage, text) = (Write::default(), Text("hello".to_owned()));
    let file = run.path(&run.make(&stage, &text).await.unwrap().output.file);
    fs::remove_file(&file).unwrap();
    assert!(!run.make(&stage, &text).await.unwrap().reused);
    fs::write(&file, "hel").unwrap();
    assert!(!run.make(&stage, &text).await.unwrap().reused);
    assert_eq!(fs::read(&file).unwrap(), b"hello");
    assert!(run.make(&stage, &text).await.unwrap().reused);
}

#[tokio::test]
async fn an_unchanged_second_run_of_many_artifacts_is_quick() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Write::default();
    let (inputs, store) = (texts(150), open(folder.path()).await);
    let (run, _events) = start(&store).await;
    run.make_all(&stage, &inputs, FanOut::new(2)).await.unwrap();
    finish(run).await;
    drop(store);

    let opening = Instant::now();
    let store = Store::open(folder.path(), Arc::new(SystemClock)).await.unwrap();
    let opened = opening.elapsed();
    let (run, _events) = start(&store).await;
    let made = run.make_all(&stage, &inputs, FanOut::new(2)).await.unwrap();
    finish(run).await;
    let whole = opening.elapsed();
    println!("opened in {opened:?}, all in {whole:?}");
    assert!(made.iter().all(|made| made.reused));
    assert!(whole.as_millis() < 1000, "{whole:?}");
}
