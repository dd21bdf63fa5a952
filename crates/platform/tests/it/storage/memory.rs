//! What an upload and a download take of memory, whatever their size.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use platform::{db::Backend, resources::resident_bytes, testing::TestDb};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    http::world,
    resume::{Running, serve},
};

const MEBIBYTE: usize = 1 << 20;

/// The most memory that this process takes while the value lives.
struct Watch {
    peak: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Watch {
    fn begin() -> Self {
        let watch = Self { peak: Arc::default(), ended: Arc::default() };
        let (peak, ended) = (watch.peak.clone(), watch.ended.clone());
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                peak.fetch_max(resident_bytes().unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        watch
    }

    fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

async fn upload(running: &Running, mebibytes: usize) -> String {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let length = mebibytes * MEBIBYTE;
    let head = format!(
        "POST /api/v1/uploads HTTP/1.1\r\nhost: a\r\nauthorization: Bearer user-1\r\ntus-resumable: 1.0.0\r\nconnection: close\r\n\
         upload-length: {length}\r\ncontent-length: {length}\r\ncontent-type: application/offset+octet-stream\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![7; MEBIBYTE];
    for _ in 0..mebibytes {
        stream.write_all(&piece).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let place = answer.lines().find_map(|line| line.strip_prefix("content-location: /api/v1/files/"));
    place.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

async fn download(running: &Running, file: &str, range: &str) -> usize {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = format!(
        "GET /api/v1/stream/{file} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer user-1\r\nconnection: close\r\n{range}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut total, mut piece) = (0, vec![0; MEBIBYTE]);
    loop {
        match stream.read(&mut piece).await.unwrap() {
            0 => return total,
            count => total += count,
        }
    }
}

/// How much more memory than before an upload and two downloads of this size take at their most, in bytes.
async fn measure(mebibytes: usize) -> u64 {
    let test = TestDb::open(Backend::Sqlite).await;
    let world = world(&test).await;
    let running = serve(&world).await;
    // What is set up once, by the first of anything, is not counted.
    let small = upload(&running, 1).await;
    download(&running, &small, "").await;
    let before = resident_bytes().unwrap_or(0);
    let watch = Watch::begin();
    let file = upload(&running, mebibytes).await;
    let length = mebibytes * MEBIBYTE;
    assert!(download(&running, &file, "").await > length);
    assert!(download(&running, &file, "range: bytes=1000000-\r\n").await > length - 1_000_000);
    let grown = watch.peak().saturating_sub(before);
    drop(running);
    test.remove().await;
    grown
}

/// Other tests of this binary run in the same process under `cargo test`; there, what they take is allowed for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_and_a_download_take_the_same_memory_whatever_their_size() {
    let allowed = if std::env::var_os("NEXTEST").is_some() { 30 } else { 60 };
    let grown = measure(128).await;
    assert!(grown < allowed * MEBIBYTE as u64, "{} MiB", grown / MEBIBYTE as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs 2 GiB of disk and half a minute; cargo test -p platform -- --ignored gibibyte --nocapture"]
async fn a_gibibyte_takes_no_more() {
    let grown = measure(1024).await;
    println!("1 GiB sent and read twice: {:.1} MiB more memory", grown as f64 / MEBIBYTE as f64);
    assert!(grown < 30 * MEBIBYTE as u64);
}
