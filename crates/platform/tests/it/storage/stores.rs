//! Files in a store of the S3 kind: shared by servers, encrypted, had from the store itself, moved to another.

use std::sync::Arc;

use axum::http::Method;
use kernel::IdSource;
use platform::{
    db::Backend,
    rng::SystemRng,
    secrets::SecretKeys,
    storage::{
        Copied, NewObjects, Objects, Rekeyed, Seals, StorageError, StorageSettings, UploadState, copy_objects, rekey,
    },
    testing::{S3Server, TestDb},
};
use secrecy::SecretString;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    desk::{Desk, HOUR_MS, broken_chunk, chunk, noise, settings, user},
    http::{World, world_of},
};

const MEBIBYTE: usize = 1024 * 1024;

fn seals(current: &str, previous: &[&str]) -> Seals {
    let secret = |letter: &str| SecretString::from(letter.repeat(32));
    let previous = previous.iter().map(|letter| secret(letter)).collect();
    Seals::new(&SecretKeys::new(secret(current), previous).unwrap(), Arc::new(SystemRng))
}

async fn on_s3(test: &TestDb, server: &S3Server) -> Desk {
    Desk::on(test, settings(), |_, ids| Objects::new(server.store(), ids)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_broke_off_goes_on_at_another_server() {
    let (test, server) = (TestDb::open(Backend::Postgres).await, S3Server::start());
    // Two servers that share the database and the bucket, and nothing else.
    let (one, other) = (on_s3(&test, &server).await, on_s3(&test, &server).await);
    let (ann, bytes) = (user(1), noise(1, 10 * MEBIBYTE + 7));
    let upload = one.begin(&ann, bytes.len() as u64).await.unwrap();
    let cut = one.files.append(&ann, upload.id, broken_chunk(0, &bytes[..6 * MEBIBYTE])).await;
    assert!(matches!(cut, Err(StorageError::Body(_))), "{cut:?}");
    let offset = other.files.resume_upload(&ann, upload.id).await.unwrap().offset_bytes;
    assert_eq!(offset, 6 * MEBIBYTE as u64);
    let done = other.files.append(&ann, upload.id, chunk(offset, &bytes[6 * MEBIBYTE..])).await.unwrap();
    assert_eq!(done.state, UploadState::Complete);
    let file = one.files.get(&ann, upload.file_id()).await.unwrap();
    assert_eq!((file.size_bytes, file.hash), (bytes.len() as u64, blake3::hash(&bytes)));
    assert!(one.read(&file).await == bytes);
    one.files.delete(&ann, file.id).await.unwrap();
    assert_eq!(std::fs::read_dir(server.bucket()).unwrap().count(), 0, "segments and file are gone");
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_row_names_is_swept_from_a_bucket() {
    let (test, server) = (TestDb::open(Backend::Sqlite).await, S3Server::start());
    let desk = on_s3(&test, &server).await;
    let file = desk.receive(&user(1), "kept.mp4", b"kept").await.unwrap();
    let body = futures::stream::iter([Ok::<_, StorageError>("left".into())]);
    desk.objects().write(body, 10).await.unwrap();
    // By the clock of the desk, what was written just now is old. A bucket is looked through bit by bit.
    let mut swept = 0;
    for _ in 0..32 {
        swept += desk.files.sweep().await.unwrap().objects;
        desk.clock.jump(HOUR_MS / 6);
    }
    assert_eq!(swept, 1);
    assert_eq!(desk.read(&file).await, b"kept");
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_files_outlive_the_secret_that_they_were_written_under() {
    let (test, folder) = (TestDb::open(Backend::Sqlite).await, tempfile::tempdir().unwrap());
    let path = folder.path();
    let under = |current: &'static str, previous: &'static [&str], new: NewObjects| {
        let objects = move |_: &std::path::Path, ids: Arc<dyn IdSource>| {
            Objects::in_folder(path, ids).unwrap().with_seals(seals(current, previous), new)
        };
        Desk::on(&test, settings(), objects)
    };
    let (ann, bytes) = (user(1), noise(2, 300_000));
    let before = under("a", &[], NewObjects::Plain).await;
    let plain = before.receive(&ann, "plain.mp4", &bytes).await.unwrap();
    let old = under("a", &[], NewObjects::Encrypted).await;
    let file = old.receive(&ann, "secret.mp4", &bytes).await.unwrap();
    let upload = old.begin(&ann, 2 * bytes.len() as u64).await.unwrap();
    let cut = old.files.append(&ann, upload.id, broken_chunk(0, &bytes)).await;
    assert!(matches!(cut, Err(StorageError::Body(_))), "{cut:?}");
    let forgotten = under("b", &[], NewObjects::Encrypted).await;
    assert!(forgotten.files.read(&file, 0..10).await.is_err(), "the secret is gone");
    let both = seals("b", &["a"]);
    assert_eq!(rekey(test.db(), &both).await.unwrap(), Rekeyed { encrypted: 2, rewrapped: 2 });
    assert_eq!(rekey(test.db(), &both).await.unwrap(), Rekeyed { encrypted: 2, rewrapped: 0 });
    let new = under("b", &[], NewObjects::Encrypted).await;
    let file = new.files.get(&ann, file.id).await.unwrap();
    assert!(new.read(&file).await == bytes && new.read(&plain).await == bytes);
    assert_eq!(std::fs::read(new.files.local_copy(&file).await.unwrap().path()).unwrap(), bytes);
    let done = new.files.append(&ann, upload.id, chunk(bytes.len() as u64, &bytes)).await.unwrap();
    assert_eq!(done.state, UploadState::Complete);
    let whole = new.files.get(&ann, upload.file_id()).await.unwrap();
    assert_eq!(whole.hash, blake3::hash(&bytes.repeat(2)));
    assert!(rekey(test.db(), &seals("c", &[])).await.is_err(), "nothing is wrapped without the secret before");
    test.remove().await;
}

async fn directly(test: &TestDb, server: &S3Server, new: NewObjects) -> World {
    let settings = StorageSettings { direct_links: true, ..settings() };
    let objects = |_: &std::path::Path, ids| Objects::new(server.store(), ids).with_seals(seals("a", &[]), new);
    world_of(test, Desk::on(test, settings, objects).await)
}

/// What the store answers whoever opens this address.
async fn fetch(address: &str) -> String {
    let rest = address.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_leads_to_the_store_where_that_is_wanted() {
    let (test, server) = (TestDb::open(Backend::Sqlite).await, S3Server::start());
    let world = directly(&test, &server, NewObjects::Plain).await;
    let file = world.desk.receive(&user(1), "клип.mp4", b"some bytes").await.unwrap();
    let link = world.desk.files.link(&user(1), file.id, None).await.unwrap();
    let path = format!("/api/v1/download/{}?token={}", file.id, link.token);
    let led = world.server.get(&path).send().await;
    assert_eq!(led.status, 307, "{led:?}");
    let address = led.header("location");
    assert!(address.contains("response-content-disposition=attachment") && address.contains("X-Amz-Expires=600"));
    assert!(address.contains("response-content-type=video%2Fmp4"), "{address}");
    assert_eq!(led.header("cache-control"), "no-store");
    let answer = fetch(address).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("some bytes"), "{answer}");
    // A signature holds for one object alone.
    let other = world.desk.receive(&user(1), "other.mp4", b"other bytes").await.unwrap();
    let others = world.server.get(&format!("/api/v1/download/{}", other.id)).bearer("user-1").send().await;
    let (place, _) = others.header("location").split_once('?').unwrap();
    let (_, signature) = address.split_once('?').unwrap();
    assert!(fetch(&format!("{place}?{signature}")).await.starts_with("HTTP/1.1 403"));
    let head = world.server.call(Method::HEAD, &path).send().await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, "10"));
    let tag = format!("\"{}\"", file.hash.to_hex());
    assert_eq!(world.server.get(&path).header("if-none-match", &tag).send().await.status, 304);
    assert_eq!(world.server.get(&format!("/api/v1/download/{}?token=no", file.id)).send().await.status, 403);
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_file_is_never_had_from_the_store() {
    let (test, server) = (TestDb::open(Backend::Sqlite).await, S3Server::start());
    let world = directly(&test, &server, NewObjects::Encrypted).await;
    let file = world.desk.receive(&user(1), "secret.mp4", b"some bytes").await.unwrap();
    let path = format!("/api/v1/download/{}", file.id);
    let whole = world.server.get(&path).bearer("user-1").send().await;
    assert_eq!((whole.status.as_u16(), &whole.body[..]), (200, &b"some bytes"[..]));
    let part = world.server.get(&path).bearer("user-1").header("range", "bytes=5-6").send().await;
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &b"by"[..]));
    assert_eq!(part.header("content-range"), "bytes 5-6/10");
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_move_to_another_store_and_a_copy_that_was_stopped_goes_on() {
    let (test, server) = (TestDb::open(Backend::Sqlite).await, S3Server::start());
    let sealed = |_: &std::path::Path, ids| {
        let folder = tempfile::tempdir().unwrap().keep();
        Objects::in_folder(&folder, ids).unwrap().with_seals(seals("a", &[]), NewObjects::Encrypted)
    };
    let (here, encrypted) = (Desk::new(&test).await, Desk::on(&test, settings(), sealed).await);
    let ann = user(1);
    let mut files = Vec::new();
    for (number, size) in [(1, 10), (2, 100_000), (3, 6 * MEBIBYTE)] {
        files.push(here.receive(&ann, "a.mp4", &noise(number, size)).await.unwrap());
    }
    let upload = here.begin(&ann, 100).await.unwrap();
    here.files.append(&ann, upload.id, broken_chunk(0, b"a beginning")).await.unwrap_err();
    let there = Desk::on(&test, settings(), |_, ids| {
        Objects::new(server.store(), ids).with_seals(seals("a", &[]), NewObjects::Plain)
    });
    let there = there.await;
    let copy = async |from: &Desk| {
        let mut told = Vec::new();
        let done = copy_objects(test.db(), from.objects(), there.objects(), &mut |copied| told.push(copied)).await;
        let done = done.unwrap();
        assert_eq!(told.last(), Some(&done));
        done
    };
    let total_bytes = 10 + 100_000 + 6 * MEBIBYTE as u64 + 11;
    assert_eq!(copy(&here).await, Copied { objects: 4, bytes: total_bytes, total_bytes, copied: 4 });
    // One is lost again, and one is not what it was: only those are copied anew.
    server.stop();
    let mut lying: Vec<_> = walk(&server.bucket());
    lying.sort_by_key(|path| std::fs::metadata(path).unwrap().len());
    std::fs::remove_file(&lying[0]).unwrap();
    std::fs::write(&lying[2], noise(9, 100_000)).unwrap();
    server.restart();
    assert_eq!(copy(&here).await.copied, 2);
    assert_eq!(copy(&here).await.copied, 0);
    for file in &files {
        assert_eq!(blake3::hash(&there.read(file).await), file.hash);
    }
    for file in &files {
        here.files.delete(&ann, file.id).await.unwrap();
    }
    here.files.end_upload(&ann, upload.id).await.unwrap();
    let secret = encrypted.receive(&ann, "b.mp4", &noise(4, 100_000)).await.unwrap();
    assert_eq!(copy(&encrypted).await.copied, 1);
    assert!(there.read(&secret).await == noise(4, 100_000));
    test.remove().await;
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_tried_by_writing_reading_and_removing() {
    let (test, server) = (TestDb::open(Backend::Sqlite).await, S3Server::start());
    let desk = on_s3(&test, &server).await;
    desk.objects().probe().await.unwrap();
    assert_eq!(walk(&server.bucket()), Vec::<std::path::PathBuf>::new());
    test.remove().await;
}
