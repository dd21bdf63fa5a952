//! What clients may take of the gateway: bytes, time, connections.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::support::{
    Running,
    client::{ask, connect, get, hear, read, request, say, until_closed},
    gateway, settings, until,
    upstream::{Server, raw},
};

async fn running(text: &str) -> (Running, Server) {
    let server = Server::start("a").await;
    (gateway(settings(text), &[server.address]).await, server)
}

async fn open(running: &Running, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_is_not_waited_for() {
    let (running, _server) = running("[limits]\nhead_timeout_s = 1").await;
    let mut slow = open(&running, "GET /echo HTTP/1.1\r\nho").await;
    let mut second = open(&running, "GET /echo HTTP/1.1\r\nhost: a\r\n\r\nGET /ec").await;
    let begun = Instant::now();
    let drip = async {
        while slow.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(10), drip).await.expect("a byte now and then kept it open");
    assert!(begun.elapsed() >= Duration::from_millis(900));
    assert!(hear(&mut second, Duration::from_millis(300)).await.starts_with("HTTP/1.1 200"));
    second.write_all(b"ho").await.unwrap();
    until_closed(&mut second).await;
}

#[tokio::test]
async fn a_connection_may_be_quiet_for_longer_than_a_head_but_not_for_ever() {
    let (running, _server) = running("[limits]\nhead_timeout_s = 1\nidle_timeout_s = 2").await;
    let mut stream = open(&running, "GET /echo HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(hear(&mut stream, Duration::from_millis(1500)).await.starts_with("HTTP/1.1 200"));
    stream.write_all(b"GET /echo HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(hear(&mut stream, Duration::from_millis(500)).await.starts_with("HTTP/1.1 200"));
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_announced_or_not() {
    let (running, server) = running("[limits]\nmax_body_bytes = 1000\n[balance]\nkept_body_bytes = 0").await;
    assert_eq!(ask(running.address, request("POST", "/upload", vec![1; 1000])).await.body, "1000");
    let answer = ask(running.address, request("POST", "/upload", vec![1; 1001])).await;
    assert_eq!((answer.status.as_u16(), answer.json()["type"].as_str()), (413, Some("/problems/payload-too-large")));
    assert_eq!(server.requests(), 1, "it did not get that far");
    let chunk = format!("258\r\n{}\r\n", "x".repeat(600));
    let text = format!("POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    let heard = say(running.address, &text).await;
    assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");
    assert_eq!(running.upstream(0).counts().failures, 0, "the server is not to blame");
}

#[tokio::test]
async fn a_body_that_pauses_is_not_waited_for() {
    let (running, _server) = running("[limits]\nbody_pause_s = 1").await;
    let mut stream = open(&running, "POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf").await;
    let heard = hear(&mut stream, Duration::from_secs(4)).await;
    assert!(heard.starts_with("HTTP/1.1 408 ") && heard.contains("/problems/timeout"), "{heard}");
    // One that is kept as well.
    let mut stream = open(&running, "PUT /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf").await;
    let heard = hear(&mut stream, Duration::from_secs(4)).await;
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    running.until_quiet().await;
    assert_eq!(running.upstream(0).counts().failures, 0);
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_let_go() {
    let (running, _server) = running("[limits]\nread_pause_s = 1").await;
    let mut stream = open(&running, "GET /bytes/100000000 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let upstream = running.upstream(0);
    until(|| upstream.in_flight() == 1).await;
    until(|| upstream.in_flight() == 0).await;
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn who_takes_an_answer_slowly_but_steadily_gets_it() {
    let (running, _server) = running("[limits]\nread_pause_s = 1").await;
    let mut stream = open(&running, "GET /bytes/12000000 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let mut count = 0;
    let mut bytes = vec![0; 1 << 20];
    loop {
        let read = stream.read(&mut bytes).await.unwrap();
        if read == 0 {
            break;
        }
        count += read;
        tokio::time::sleep(Duration::from_millis(if count > 6_000_000 { 1 } else { 120 })).await;
    }
    assert!(count > 12_000_000, "{count}");
}

#[tokio::test]
async fn events_may_be_far_apart() {
    let (running, _server) =
        running("[limits]\nread_pause_s = 1\nhead_timeout_s = 1\nidle_timeout_s = 1\nbody_pause_s = 1").await;
    let mut sender = connect(running.address).await;
    let answer = sender.send_request(get("/wait/2500")).await.unwrap();
    assert_eq!(read(answer).await.unwrap().body, "a");
    let quiet = raw(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no").await.unwrap();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        stream.write_all(b"k").await.unwrap();
    })
    .await;
    running.pool.replace(&[running.upstream(0)], &[running.pool.add(quiet)]);
    running.until_health(1, gateway::Health::Healthy).await;
    assert_eq!(ask(running.address, get("/")).await.body, "ok");
}

#[tokio::test]
async fn an_upstream_that_falls_silent_is_not_waited_for() {
    let silent = raw(|mut stream, head| async move {
        if head.contains("/half") {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
        }
        hear(&mut stream, Duration::from_secs(20)).await;
    })
    .await;
    let running = gateway(settings("[limits]\nanswer_timeout_s = 1\nstream_idle_s = 1"), &[silent]).await;
    let answer = ask(running.address, request("POST", "/whole", "")).await;
    assert_eq!((answer.status.as_u16(), answer.json()["type"].as_str()), (504, Some("/problems/unavailable")));
    let heard = say(running.address, "GET /half HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(heard.ends_with("half"), "{heard}");
    running.until_quiet().await;
    assert_eq!(running.upstream(0).counts().failures, 2);
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    let (running, _server) = running("[limits]\nmax_connections_per_address = 2").await;
    let held = [connect(running.address).await, connect(running.address).await];
    let mut third = TcpStream::connect(running.address).await.unwrap();
    until_closed(&mut third).await;
    drop(held);
    let answered = async {
        loop {
            if let Ok(answer) = crate::support::client::try_ask(running.address, get("/echo")).await {
                return answer.status;
            }
        }
    };
    assert_eq!(timeout(Duration::from_secs(10), answered).await.unwrap(), 200);
}

#[tokio::test]
async fn beyond_all_connections_clients_wait() {
    let (running, _server) = running("[limits]\nmax_connections = 1").await;
    let held = connect(running.address).await;
    let asking = tokio::spawn(ask(running.address, get("/echo")));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!asking.is_finished());
    drop(held);
    assert_eq!(asking.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_head_has_so_many_bytes() {
    let (running, server) = running("[limits]\nmax_head_bytes = 8192").await;
    let heard =
        say(running.address, &format!("GET /echo HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(20_000))).await;
    assert!(heard.starts_with("HTTP/1.1 431 "), "{heard}");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_connection_has_so_many_requests() {
    let (running, _server) = running("[limits]\nmax_requests_per_connection = 2").await;
    let mut stream = open(&running, "GET /echo HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let first = hear(&mut stream, Duration::from_millis(300)).await;
    assert!(first.starts_with("HTTP/1.1 200") && !first.contains("connection: close"), "{first}");
    stream.write_all(b"GET /wait/100 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let second = hear(&mut stream, Duration::from_secs(5)).await;
    assert!(second.starts_with("HTTP/1.1 200") && second.contains("connection: close"), "{second}");
}
