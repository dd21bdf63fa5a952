//! Files that processes share, named by their content.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use platform::{
    both_databases,
    storage::{Shelf, ShelfLimits, StorageError},
    testing::TestDb,
};

use super::desk::{Desk, HOUR_MS};

const LIMITS: ShelfLimits = ShelfLimits { max_bytes: 1000, max_age: Duration::from_hours(240), min_free_bytes: 0 };

/// Writes a file, and returns its path and hash.
fn file(desk: &Desk, name: &str, content: &[u8]) -> (PathBuf, blake3::Hash) {
    let path = desk.folder.path().join(name);
    fs::write(&path, content).unwrap();
    (path, blake3::hash(content))
}

/// Every object of the folder.
fn objects(desk: &Desk) -> Vec<PathBuf> {
    let Ok(shards) = fs::read_dir(desk.folder.path().join("objects")) else { return Vec::new() };
    shards.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap()).map(|entry| entry.unwrap().path()).collect()
}

async fn put(shelf: &Shelf, desk: &Desk, content: &[u8]) -> blake3::Hash {
    let (path, hash) = file(desk, "source", content);
    shelf.put(&hash, &path).await.unwrap();
    hash
}

async fn fetch(shelf: &Shelf, desk: &Desk, hash: &blake3::Hash, size_bytes: u64) -> Result<Vec<u8>, StorageError> {
    let target = desk.folder.path().join("fetched");
    shelf.fetch(hash, size_bytes, &target).await?;
    Ok(fs::read(&target).unwrap())
}

fn overwrite(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
}

both_databases! {
    async fn what_one_puts_on_the_shelf_another_fetches_and_it_lies_there_once(test: &TestDb) {
        let desk = Desk::new(test).await;
        let (one, other) = (desk.shelf(LIMITS), desk.shelf(LIMITS));
        let (path, hash) = file(&desk, "segment", b"a segment");
        let (first, second) = tokio::join!(one.put(&hash, &path), other.put(&hash, &path));
        first.and(second).unwrap();
        one.put(&hash, &path).await.unwrap();
        assert_eq!(objects(&desk).len(), 1);
        let absent = blake3::hash(b"nothing");
        assert_eq!(other.find(&[absent, hash]).await.unwrap(), HashSet::from([hash]));
        assert_eq!(fetch(&other, &desk, &hash, 9).await.unwrap(), b"a segment");
        assert!(matches!(fetch(&other, &desk, &absent, 9).await, Err(StorageError::NotShelved)));
        let altered = one.put(&absent, &path).await;
        assert!(matches!(altered, Err(StorageError::Altered)), "a name that is not that of the content: {altered:?}");
        assert_eq!(objects(&desk).len(), 1);
    }

    async fn what_is_lost_or_altered_in_the_store_is_forgotten_and_put_there_anew(test: &TestDb) {
        let desk = Desk::new(test).await;
        let shelf = desk.shelf(LIMITS);
        for spoil in [
            (|path| overwrite(path, b"forged it")) as fn(&Path),
            |path| overwrite(path, b"cut"),
            |path| fs::remove_file(path).unwrap(),
        ] {
            let hash = put(&shelf, &desk, b"a segment").await;
            spoil(&objects(&desk)[0]);
            fetch(&shelf, &desk, &hash, 9).await.unwrap_err();
            assert!(shelf.find(&[hash]).await.unwrap().is_empty());
            assert!(objects(&desk).is_empty());
        }
        let hash = put(&shelf, &desk, b"a segment").await;
        assert_eq!(fetch(&shelf, &desk, &hash, 9).await.unwrap(), b"a segment");
    }

    async fn what_nobody_used_for_long_goes_and_what_is_in_use_stays_also_when_there_is_too_much(test: &TestDb) {
        let desk = Desk::new(test).await;
        let shelf = desk.shelf(LIMITS);
        let (old, used) = (put(&shelf, &desk, &[1; 400]).await, put(&shelf, &desk, &[2; 400]).await);
        desk.files.sweep().await.unwrap();
        assert_eq!(shelf.sweep().await.unwrap(), 0);
        desk.clock.jump(200 * HOUR_MS);
        assert_eq!(shelf.find(&[used]).await.unwrap().len(), 1);
        desk.clock.jump(41 * HOUR_MS);
        desk.files.sweep().await.unwrap();
        assert_eq!(objects(&desk).len(), 2, "the sweep of files leaves what is shared");
        assert_eq!(shelf.sweep().await.unwrap(), 1);
        assert_eq!(shelf.find(&[old, used]).await.unwrap(), HashSet::from([used]));

        let (large, larger) = (put(&shelf, &desk, &[3; 500]).await, put(&shelf, &desk, &[4; 600]).await);
        assert_eq!(shelf.sweep().await.unwrap(), 0, "too much, and all of it in use");
        desk.clock.jump(19 * HOUR_MS);
        assert_eq!(shelf.find(&[larger]).await.unwrap().len(), 1);
        desk.clock.jump(6 * HOUR_MS);
        assert_eq!(shelf.sweep().await.unwrap(), 2);
        assert_eq!(shelf.find(&[used, large, larger]).await.unwrap(), HashSet::from([larger]));
        assert_eq!(objects(&desk).len(), 1);
    }
}
