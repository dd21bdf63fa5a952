//! The user's own files, named by their content.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use kernel::ErrorKind;

use crate::fixture::open;

fn set_modified(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[tokio::test]
async fn an_unchanged_file_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("data")).await;
    let path = folder.path().join("clip.mp4");
    fs::write(&path, "first").unwrap();
    set_modified(&path, 1_000_000);
    let first = store.import(&path).await.unwrap();
    assert_eq!((first.hash(), first.size_bytes()), (blake3::hash(b"first").to_hex().as_str(), 5));
    // Another content behind the same size, time and place: a hash of before shows that it was not read again.
    fs::write(&path, "other").unwrap();
    set_modified(&path, 1_000_000);
    assert_eq!(store.import(&path).await.unwrap().hash(), first.hash());
    set_modified(&path, 1_000_001);
    assert_eq!(store.import(&path).await.unwrap().hash(), blake3::hash(b"other").to_hex().as_str());
}

#[tokio::test]
async fn the_hash_of_a_file_that_was_just_written_is_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("data")).await;
    let path = folder.path().join("clip.mp4");
    fs::write(&path, "first").unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    store.import(&path).await.unwrap();
    fs::write(&path, "other").unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(store.import(&path).await.unwrap().hash(), blake3::hash(b"other").to_hex().as_str());
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("data")).await;
    let error = store.import(&folder.path().join("missing.mp4")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("missing.mp4` does not exist"), "{error}");
    let error = store.import(folder.path()).await.unwrap_err();
    assert!(error.to_string().contains("is a folder"), "{error}");
    #[cfg(unix)]
    {
        let error = store.import(Path::new("/dev/zero")).await.unwrap_err();
        assert!(error.to_string().contains("is no regular file"), "{error}");
    }
}
