//! Results handed to the user: whole or not at all, and theirs to change.

use std::{
    fs::{self, File},
    path::Path,
};

use kernel::ErrorKind;
use pipeline::publish;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_published_file_is_a_copy_that_may_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("kept"), folder.path().join("out/video.mp4"));
    fs::write(&source, "frames").unwrap();
    publish(&source, &target).await.unwrap();
    fs::write(&target, "cut").unwrap();
    assert_eq!(fs::read_to_string(&source).unwrap(), "frames");
    publish(&source, &target).await.unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "frames");
    assert_eq!(names(&folder.path().join("out")), ["video.mp4"]);
}

#[tokio::test]
async fn a_copy_that_was_interrupted_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("kept"), folder.path().join("video.mp4"));
    fs::write(&source, "new").unwrap();
    fs::write(folder.path().join(".video.mp4.partial"), "a longer old part").unwrap();
    publish(&source, &target).await.unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    assert_eq!(names(folder.path()), ["kept", "video.mp4"]);
}

#[tokio::test]
async fn a_target_that_another_run_writes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("kept"), folder.path().join("video.mp4"));
    fs::write(&source, "new").unwrap();
    let busy = File::create(folder.path().join(".video.mp4.partial")).unwrap();
    busy.lock().unwrap();
    let error = publish(&source, &target).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(!target.exists());
}

#[tokio::test]
async fn a_target_that_cannot_be_written_is_named_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("video.mp4");
    let error = publish(&folder.path().join("missing"), &target).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    fs::write(folder.path().join("kept"), "new").unwrap();
    fs::create_dir(&target).unwrap();
    let error = publish(&folder.path().join("kept"), &target).await.unwrap_err();
    assert!(error.to_string().contains("video.mp4"), "{error}");
    assert_eq!(names(folder.path()), ["kept", "video.mp4"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_planted_beside_the_target_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (source, victim) = (folder.path().join("kept"), folder.path().join("victim"));
    fs::write(&source, "new").unwrap();
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, folder.path().join(".video.mp4.partial")).unwrap();
    publish(&source, &folder.path().join("video.mp4")).await.unwrap_err();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}
