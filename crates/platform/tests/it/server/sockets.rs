//! The server on a real socket: slow and large requests, and its end.

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::{Duration, Instant},
};

use axum::{
    Router,
    routing::{get, post},
};
use platform::{
    db::{Backend, migrate},
    idempotency,
    server::{
        health::Health,
        listen::{Drained, Server},
        settings::ServerSettings,
    },
    testing::{Believer, TestDb, TestParts},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

struct Running {
    address: std::net::SocketAddr,
    health: Health,
    stop: CancellationToken,
    ended: JoinHandle<Drained>,
}

async fn start(test: &TestDb, set: impl FnOnce(&mut ServerSettings)) -> Running {
    migrate::up(test.db(), &[idempotency::migrations()]).await.unwrap();
    let mut parts = TestParts::new(test.db(), Arc::new(kernel::SystemClock));
    parts.settings = ServerSettings { listen: "127.0.0.1:0".parse().unwrap(), ..ServerSettings::default() };
    set(&mut parts.settings);
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        "done"
    };
    let length = |body: axum::body::Bytes| async move { body.len().to_string() };
    let routes = Router::new().route("/slow", get(slow)).route("/length", post(length));
    let health = Health::default();
    let served = parts.serve(OpenApiRouter::from(routes), Arc::new(Believer), health.clone());
    let server = Server::bind(&parts.settings).await.unwrap();
    let (address, stop) = (server.address().unwrap(), CancellationToken::new());
    let ended = tokio::spawn(server.run(served.router, health.clone(), stop.clone()));
    Running { address, health, stop, ended }
}

async fn ask(address: std::net::SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    read_all(&mut stream).await
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is cut was closed as well.
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_told_to_end_finishes_what_was_begun_and_takes_nothing_new() {
    let test = TestDb::open(Backend::Sqlite).await;
    let running = start(&test, |_| {}).await;
    let address = running.address;
    let slow = tokio::spawn(async move { ask(address, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.stop.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(TcpStream::connect(running.address).await.is_err(), "nothing new is taken");
    assert_eq!(running.health.readiness().await.state, platform::server::health::State::Unhealthy);
    let answer = slow.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("done"), "{answer}");
    assert_eq!(running.ended.await.unwrap(), Drained::Whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let test = TestDb::open(Backend::Sqlite).await;
    let running = start(&test, |_| {}).await;
    let _idle = TcpStream::connect(running.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    running.stop.cancel();
    assert_eq!(running.ended.await.unwrap(), Drained::Whole);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_deadline_what_is_left_is_cut() {
    let test = TestDb::open(Backend::Sqlite).await;
    let running = start(&test, |settings| settings.shutdown_timeout_s = 1).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc";
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.stop.cancel();
    assert_eq!(running.ended.await.unwrap(), Drained::Cut { connections: 1 });
    read_all(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_to_send_a_head_is_let_go() {
    let test = TestDb::open(Backend::Sqlite).await;
    let running = start(&test, |settings| settings.idle_timeout_s = 1).await;
    for begun in ["", "P", "GET / HTTP/1.1\r\nhost: a\r\nx-slow: "] {
        let began = Instant::now();
        let answer = ask(running.address, begun).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(began.elapsed() < Duration::from_secs(5), "{begun:?}: {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_to_send_a_body_is_told_so() {
    let test = TestDb::open(Backend::Sqlite).await;
    let running = start(&test, |settings| settings.idle_timeout_s = 1).await;
    let answer = ask(running.address, "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc").await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_a_length_is_cut_off_where_it_becomes_too_large() {
    let test = TestDb::open(Backend::Sqlite).await;
    let running = start(&test, |settings| settings.max_body_bytes = 1024).await;
    let head = "POST /length HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let chunk = format!("64\r\n{}\r\n", "x".repeat(100));
    let answer = ask(running.address, &format!("{head}{}0\r\n\r\n", chunk.repeat(20))).await;
    assert!(answer.contains("application/problem+json"), "{answer}");
    let announced = "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999\r\nconnection: close\r\n\r\n";
    let answer = ask(running.address, announced).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_there_is_room_for_wait_and_are_not_refused() {
    let test = TestDb::open(Backend::Sqlite).await;
    let running = start(&test, |settings| settings.max_connections = 2).await;
    let answered = Arc::new(AtomicU32::new(0));
    let asking = (0..8).map(|_| {
        let (answered, address) = (answered.clone(), running.address);
        tokio::spawn(async move {
            let answer = ask(address, "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
            answered.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        asked.await.unwrap();
    }
    assert_eq!(answered.load(std::sync::atomic::Ordering::SeqCst), 8);
}
