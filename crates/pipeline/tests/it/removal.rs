//! Old artifacts go, by age and by size; what a run uses stays.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use kernel::Clock;
use pipeline::{Limits, Run, RunOptions, Store, collect};

use crate::fixture::{Text, Write, finish, no_limits, open, options, start};

/// A clock that a test sets.
#[derive(Debug, Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

fn text(letter: &str) -> Text {
    Text(letter.repeat(1000))
}

/// Uses the artifact of each letter in a run of its own, a second after the one before.
async fn use_each(store: &Store, clock: &Hands, letters: &[&str]) {
    for letter in letters {
        clock.0.fetch_add(1000, Ordering::SeqCst);
        let (run, _events) = start(store).await;
        run.make(&Write::default(), &text(letter)).await.unwrap();
        finish(run).await;
    }
}

async fn is_there(store: &Store, letter: &str) -> bool {
    let (run, _events) = start(store).await;
    run.make(&Write::default(), &text(letter)).await.unwrap().reused
}

fn files(root: &Path) -> usize {
    fs::read_dir(root.join("blobs")).unwrap().map(|entry| fs::read_dir(entry.unwrap().path()).unwrap().count()).sum()
}

async fn set_up(folder: &Path) -> (Store, Arc<Hands>) {
    let clock = Arc::new(Hands::default());
    let store = Store::open(folder, Arc::<Hands>::clone(&clock)).await.unwrap();
    (store, clock)
}

#[tokio::test]
async fn the_least_recently_used_go_until_the_rest_fits() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = set_up(folder.path()).await;
    use_each(&store, &clock, &["a", "b", "c", "d", "a"]).await;
    let collected = collect(&store, Limits { max_bytes: 2500, ..no_limits() }).await.unwrap().unwrap();
    assert_eq!((collected.artifacts, collected.files, collected.bytes), (2, 2, 2000));
    assert_eq!(files(folder.path()), 2);
    assert!(is_there(&store, "a").await && is_there(&store, "d").await);
    assert!(!is_there(&store, "b").await);
}

#[tokio::test]
async fn what_was_not_used_for_long_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = set_up(folder.path()).await;
    use_each(&store, &clock, &["a", "b"]).await;
    let limits = Limits { max_age: Duration::from_millis(500), ..no_limits() };
    let collected = collect(&store, limits).await.unwrap().unwrap();
    assert_eq!(collected.artifacts, 1);
    assert!(!is_there(&store, "a").await);
    assert!(is_there(&store, "b").await);
}

#[tokio::test]
async fn nothing_goes_while_a_run_is_alive() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = set_up(folder.path()).await;
    use_each(&store, &clock, &["a"]).await;
    let nothing = Limits { max_bytes: 0, max_age: Duration::ZERO };
    let (run, _events) = start(&store).await;
    assert_eq!(collect(&store, nothing).await.unwrap(), None);
    finish(run).await;
    assert_eq!(collect(&store, nothing).await.unwrap().map(|collected| collected.artifacts), Some(1));
}

#[tokio::test]
async fn a_run_over_its_limits_removes_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = set_up(folder.path()).await;
    use_each(&store, &clock, &["a", "b"]).await;
    assert_eq!(files(folder.path()), 2);
    clock.0.fetch_add(1000, Ordering::SeqCst);
    let limits = Limits { max_bytes: 2500, ..no_limits() };
    let (run, _events) = Run::start(&store, RunOptions { limits, ..options() }).await.unwrap();
    run.make(&Write::default(), &text("c")).await.unwrap();
    finish(run).await;
    assert_eq!(files(folder.path()), 2);
    assert!(!is_there(&store, "a").await);
}

#[tokio::test]
async fn files_that_no_artifact_names_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    assert!(!is_there(&store, "a").await);
    let orphan = folder.path().join("blobs/zz");
    fs::create_dir(&orphan).unwrap();
    fs::write(orphan.join("zz.mp4"), "left by a killed run").unwrap();
    let collected = collect(&store, no_limits()).await.unwrap().unwrap();
    assert_eq!((collected.artifacts, collected.files, collected.bytes), (0, 1, 20));
    assert!(is_there(&store, "a").await);
}
