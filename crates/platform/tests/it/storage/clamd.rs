//! Virus scans: against a small daemon that speaks the protocol, and against a real ClamAV where one is installed.
#![expect(clippy::disallowed_methods, reason = "a daemon for tests, started and ended by them")]

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use futures::StreamExt as _;
use platform::{
    db::Backend,
    storage::{ByteStream, Clamd, ClamdAddress, Files, ScanError, Verdict, VirusScanner as _},
    testing::TestDb,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::desk::{Desk, noise, user};

fn content(bytes: &[u8]) -> ByteStream {
    let pieces: Vec<_> = bytes.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    futures::stream::iter(pieces).boxed()
}

/// A daemon that takes at most `max_bytes` and finds what holds `harm`.
async fn daemon(max_bytes: usize) -> Clamd {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ClamdAddress::Tcp(listener.local_addr().unwrap().to_string());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, max_bytes));
        }
    });
    Clamd::new(address)
}

async fn answer(mut stream: TcpStream, max_bytes: usize) -> Option<()> {
    let mut command = Vec::new();
    while !command.ends_with(b"\0") {
        command.push(stream.read_u8().await.ok()?);
    }
    if command == b"zPING\0" {
        return stream.write_all(b"PONG\0").await.ok();
    }
    assert_eq!(command, b"zINSTREAM\0");
    let mut bytes = Vec::new();
    loop {
        let mut piece = vec![0; usize::try_from(stream.read_u32().await.ok()?).unwrap()];
        if piece.is_empty() {
            break;
        }
        stream.read_exact(&mut piece).await.ok()?;
        bytes.extend(piece);
        if bytes.len() > max_bytes {
            return stream.write_all(b"INSTREAM size limit exceeded. ERROR\0").await.ok();
        }
    }
    let is_harmful = bytes.windows(4).any(|window| window == b"harm");
    stream.write_all(if is_harmful { b"stream: Test.Harm FOUND\0" } else { b"stream: OK\0" }).await.ok()
}

#[tokio::test]
async fn what_the_daemon_says_is_what_is_found() {
    let clamd = daemon(1_000_000).await;
    clamd.ping().await.unwrap();
    assert_eq!(clamd.scan(content(b"good"), 4).await.unwrap(), Verdict::Clean);
    let harmful = [noise(1, 250_000), b"harm".to_vec()].concat();
    assert_eq!(clamd.scan(content(&harmful), 250_004).await.unwrap(), Verdict::Infected("Test.Harm".to_owned()));
    let large = clamd.scan(content(&noise(1, 40_000_000)), 40_000_000).await.unwrap_err();
    assert!(matches!(large, ScanError::TooLarge { size_bytes: 40_000_000, .. }), "{large}");
    let failing = futures::stream::iter([Err(platform::storage::StorageError::Broken)]).boxed();
    assert!(matches!(clamd.scan(failing, 4).await, Err(ScanError::Content(_))));
}

#[tokio::test]
async fn a_daemon_that_is_not_there_or_falls_silent_is_no_clean_file() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clamd = Clamd::new(ClamdAddress::Tcp(listener.local_addr().unwrap().to_string()));
    tokio::spawn(async move {
        // Takes the connection, and hangs up on it.
        drop(listener.accept().await);
        drop(listener);
    });
    let cut = clamd.scan(content(&noise(1, 10_000_000)), 10_000_000).await;
    assert!(matches!(cut, Err(ScanError::Unreachable { .. })), "{cut:?}");
    let gone = clamd.scan(content(b"good"), 4).await.unwrap_err();
    assert!(gone.to_string().contains("does not answer"), "{gone}");
    let nowhere = Clamd::new(ClamdAddress::Unix("/nowhere/clamd.ctl".into()));
    assert!(nowhere.ping().await.is_err());
}

async fn desk_with(test: &TestDb, clamd: Clamd) -> (Desk, Files) {
    let desk = Desk::new(test).await;
    let files = desk.scanned_by(Arc::new(clamd));
    (desk, files)
}

#[tokio::test]
async fn a_file_with_a_virus_is_refused_and_one_that_was_not_scanned_is_not_taken() {
    let test = TestDb::open(Backend::Sqlite).await;
    let (mut desk, files) = desk_with(&test, daemon(1_000_000).await).await;
    desk.files = files;
    let harmful = desk.receive(&user(1), "a", b"some harm").await.unwrap_err();
    assert_eq!(harmful.to_string(), "the file was refused: it holds the virus `Test.Harm`");
    assert!(desk.receive(&user(1), "a", b"good").await.is_ok());
    desk.files = desk.scanned_by(Arc::new(Clamd::new(ClamdAddress::Unix("/nowhere/clamd.ctl".into()))));
    let unscanned = desk.receive(&user(1), "a", b"good").await.unwrap_err();
    assert_eq!(unscanned.kind(), kernel::ErrorKind::Unavailable, "{unscanned}");
    assert_eq!(desk.count_objects(), 1);
}

/// A real clamd with one signature, which finds the EICAR test string; ended with this value.
struct RealClamd {
    child: Child,
    folder: tempfile::TempDir,
}

impl RealClamd {
    fn start() -> Self {
        let program = ["/usr/sbin/clamd", "/usr/bin/clamd"].into_iter().find(|path| Path::new(path).exists());
        let program = program.unwrap_or_else(|| panic!("clamd not found; install it with `scripts/setup test`"));
        let folder = tempfile::tempdir().unwrap();
        let signatures = folder.path().join("signatures");
        std::fs::create_dir(&signatures).unwrap();
        let digits = eicar().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let eicar: String = digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
        std::fs::write(signatures.join("test.ndb"), format!("Pressroom.Test:0:*:{eicar}\n")).unwrap();
        let settings = format!(
            "LocalSocket {0}/clamd.ctl\nDatabaseDirectory {0}/signatures\nForeground yes\nStreamMaxLength 2M\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("clamd.conf"), settings).unwrap();
        let child = Command::new(program)
            .arg("--config-file")
            .arg(folder.path().join("clamd.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("clamd.ctl")
    }
}

impl Drop for RealClamd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Put together here, so that no scanner takes these sources for it.
fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

#[tokio::test]
async fn a_real_clamd_finds_what_its_signatures_name() {
    let real = RealClamd::start();
    let clamd = Clamd::new(ClamdAddress::Unix(real.socket()));
    let begun = Instant::now();
    while clamd.ping().await.is_err() {
        assert!(begun.elapsed() < Duration::from_mins(1), "clamd does not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(clamd.scan(content(b"good"), 4).await.unwrap(), Verdict::Clean);
    let found = clamd.scan(content(&eicar()), 68).await.unwrap();
    assert!(matches!(&found, Verdict::Infected(name) if name.contains("Pressroom.Test")), "{found:?}");
    let large = clamd.scan(content(&noise(1, 20_000_000)), 20_000_000).await.unwrap_err();
    assert!(matches!(large, ScanError::TooLarge { .. }), "{large}");
}
