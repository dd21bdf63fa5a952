//! Several processes on one folder, and processes that die.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use pipeline::FanOut;
use sea_orm::ConnectionTrait;

use crate::{
    child::{self, COUNT, made, spawn_writer},
    fixture::{Text, Write, open, start, texts},
};

async fn assert_all_is_there(folder: &Path) {
    let store = open(&folder.join("data")).await;
    let (run, _events) = start(&store).await;
    let stage = Write::default();
    let inputs = texts(COUNT);
    let all = run.make_all(&stage, &inputs, FanOut::new(2)).await.unwrap();
    assert_eq!(stage.count(), 0, "something that was finished was made again");
    for (input, made) in inputs.iter().zip(all) {
        assert_eq!(fs::read_to_string(run.path(&made.output.file)).unwrap(), input.0);
    }
}

#[tokio::test]
async fn a_killed_run_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut kills = 0;
    for moment in 0..20 {
        let mut child = spawn_writer(folder.path());
        // Moments spread over start, work and end; the children are slower on a busy machine, never faster.
        thread::sleep(Duration::from_millis(20 + 37 * moment));
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills > 0, "no child lived long enough to be killed");
    child::wait(spawn_writer(folder.path()), folder.path());
    let made = made(folder.path());
    let distinct: BTreeSet<_> = made.iter().collect();
    assert_eq!(made.len(), distinct.len(), "an artifact that was finished was made again: {made:?}");
    assert_all_is_there(folder.path()).await;
    let unfinished = fs::read_dir(folder.path().join("data/tmp")).unwrap().count();
    assert_eq!(unfinished, 0, "what the dead left behind is still there");
}

#[tokio::test]
async fn two_runs_at_once_make_each_artifact_once() {
    let folder = tempfile::tempdir().unwrap();
    let children = [spawn_writer(folder.path()), spawn_writer(folder.path())];
    for child in children {
        child::wait(child, folder.path());
    }
    let mut made = made(folder.path());
    made.sort_unstable();
    assert_eq!(made, (1..=COUNT).collect::<Vec<_>>());
    assert_all_is_there(folder.path()).await;
}

#[tokio::test]
async fn a_run_leaves_the_unfinished_files_of_a_live_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (first, _events) = start(&store).await;
    let temp = folder.path().join("tmp");
    let before: BTreeSet<_> = fs::read_dir(&temp).unwrap().map(|entry| entry.unwrap().path()).collect();
    let (second, _events) = start(&store).await;
    assert!(before.iter().all(|path| path.exists()), "{before:?}");
    drop((first, second));
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_waits_for_another_program_that_holds_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (run, _events) = start(&store).await;
    let other = platform::db::open_sqlite(&folder.path().join("pressroom.db")).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let releasing = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        other.execute_unprepared("COMMIT").await.unwrap();
    });
    let waiting = Instant::now();
    run.make(&Write::default(), &Text("late".to_owned())).await.unwrap();
    assert!(waiting.elapsed() >= Duration::from_millis(350), "{:?}", waiting.elapsed());
    releasing.await.unwrap();
}

#[tokio::test]
async fn folders_opened_at_the_same_moment_are_set_up_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..4)
        .map(|_| child::command("processes::opener", folder.path()).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
}

#[tokio::test]
async fn a_folder_whose_set_up_was_killed_can_be_opened() {
    for moment in 0..16 {
        let folder = tempfile::tempdir().unwrap();
        let mut child = child::command("processes::opener", folder.path()).stdout(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(6 + 4 * moment));
        child.kill().unwrap();
        child.wait().unwrap();
        open(&folder.path().join("data")).await;
    }
}

#[tokio::test]
#[ignore = "started by other tests as a child process"]
async fn opener() {
    open(&child::folder().join("data")).await.close().await.unwrap();
}
