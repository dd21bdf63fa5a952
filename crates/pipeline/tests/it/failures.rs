//! Stages that fail, try again, or are stopped.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use kernel::ErrorKind;
use pipeline::{FanOut, Run, Stage, StageContext, StageError};
use tokio_util::sync::CancellationToken;

use crate::fixture::{open, options, start};

/// Does what its input says, and counts how often it was asked.
#[derive(Debug, Default)]
struct Obey {
    asked: AtomicUsize,
}

impl Obey {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Stage for Obey {
    type Input = String;
    type Output = String;

    fn name(&self) -> &'static str {
        "obey"
    }

    fn version(&self) -> u32 {
        1
    }

    async fn run(&self, input: &String, context: &StageContext) -> Result<String, StageError> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        match input.split(' ').next().unwrap_or_default() {
            "fail" => Err(StageError::fail(ErrorKind::Invalid, "the voice is missing; list them with `voices`")),
            "falter" if asked < 2 => Err(StageError::retry("the service is busy", None)),
            "wait" => {
                let temp = context.temp_file("txt")?;
                tokio::fs::write(temp.path(), "unfinished")
                    .await
                    .map_err(|error| StageError::from_error(ErrorKind::Internal, error))?;
                context.cancellation().cancelled().await;
                Err(StageError::fail(ErrorKind::Internal, "the encoder died"))
            }
            _ => Ok(input.clone()),
        }
    }
}

fn inputs(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn the_first_failure_stops_the_others_and_says_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (run, _events) = start(&store).await;
    let stage = Obey::default();
    let inputs = inputs(&["wait 1", "done", "fail", "wait 2", "never"]);
    let error = run.make_all(&stage, &inputs, FanOut::new(3)).await.unwrap_err();
    assert_eq!(error.to_string(), "obey 3 of 5: the voice is missing; list them with `voices`");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(stage.asked() <= 4, "started {} items", stage.asked());
    assert!(run.make(&stage, &"done".to_owned()).await.unwrap().reused, "what was finished before stays");
}

#[tokio::test]
async fn a_failure_for_good_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (run, _events) = start(&store).await;
    let stage = Obey::default();
    let error = run.make(&stage, &"fail".to_owned()).await.unwrap_err();
    assert_eq!(error.to_string(), "obey: the voice is missing; list them with `voices`");
    assert_eq!(stage.asked(), 1);
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again_after_a_pause() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (run, _events) = start(&store).await;
    let stage = Obey::default();
    let begun = Instant::now();
    assert_eq!(run.make(&stage, &"falter".to_owned()).await.unwrap().output, "falter");
    assert_eq!(stage.asked(), 3);
    assert!(begun.elapsed() >= Duration::from_millis(1400), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_stopped_run_ends_soon_and_leaves_nothing_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let cancellation = CancellationToken::new();
    let options = pipeline::RunOptions { cancellation: cancellation.clone(), ..options() };
    let (run, _events) = Run::start(&store, options).await.unwrap();
    let stopping = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cancellation.cancel();
    });
    let begun = Instant::now();
    let stage = Obey::default();
    let inputs = inputs(&["wait 1", "wait 2", "wait 3"]);
    let error = run.make_all(&stage, &inputs, FanOut::new(2)).await.unwrap_err();
    assert!(matches!(error, StageError::Cancelled), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let error = run.make(&stage, &"done".to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    stopping.await.unwrap();
    let unfinished = walk(&folder.path().join("tmp"));
    assert!(unfinished.iter().all(|path| !path.to_string_lossy().ends_with("txt")), "{unfinished:?}");
}

#[tokio::test]
async fn a_run_that_needs_more_space_than_there_is_does_not_begin() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let options = pipeline::RunOptions { needed_disk_bytes: u64::MAX, ..options() };
    let error = Run::start(&store, options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    assert!(error.to_string().contains("--data"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pressroom.db"), vec![b'x'; 10_000]).unwrap();
    let error = pipeline::Store::open(folder.path(), std::sync::Arc::new(kernel::SystemClock)).await.unwrap_err();
    assert!(error.to_string().contains("pressroom.db"), "{error}");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}
