//! What is tried again at another server, and what is not.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use hyper::{Request, header::HOST};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

use crate::support::{
    Running,
    client::{Answer, RequestBody, ask, get, request, try_ask, whole},
    gateway, settings,
    upstream::{Server, raw},
};

/// A gateway before a server that is asked first and fails as it is told, and one that answers.
struct Pair {
    running: Running,
    failing: Arc<AtomicUsize>,
    well: Server,
}

async fn pair(answer: &'static str) -> Pair {
    let failing = Arc::new(AtomicUsize::new(0));
    let count = failing.clone();
    let sick = raw(move |mut stream, _| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let well = Server::start("well").await;
    let mut settings = settings("[balance]\nstrategy = 'round_robin'\n[health]\nfailed_requests = 1000");
    settings.health.failures = 1000;
    Pair { running: gateway(settings, &[sick, well.address]).await, failing, well }
}

impl Pair {
    /// Asks until the failing one was asked; the answer to that request.
    async fn asked(&self, request: impl Fn() -> Request<RequestBody>) -> Result<Answer, hyper::Error> {
        for _ in 0..4 {
            let before = self.failing.load(Ordering::SeqCst);
            let answer = try_ask(self.running.address, request()).await;
            if self.failing.load(Ordering::SeqCst) > before {
                return answer;
            }
        }
        panic!("the failing one was never asked");
    }
}

fn with_key() -> Request<RequestBody> {
    let builder = Request::post("/echo").header(HOST, "press.example").header("idempotency-key", "k-1");
    builder.body(whole("the order")).unwrap()
}

#[tokio::test]
async fn what_is_idempotent_is_tried_elsewhere_with_its_body() {
    let pair = pair("").await;
    assert_eq!(pair.asked(|| get("/echo")).await.unwrap().name(), "well");
    let answer = pair.asked(|| request("PUT", "/echo", "kept")).await.unwrap();
    assert_eq!((answer.name(), answer.json()["body"].as_str().unwrap()), ("well".to_owned(), "kept"));
    let answer = pair.asked(with_key).await.unwrap();
    assert_eq!(answer.json()["body"], "the order");
}

#[tokio::test]
async fn what_may_have_had_an_effect_is_not_repeated() {
    let pair = pair("").await;
    let answer = pair.asked(|| request("POST", "/echo", "once")).await.unwrap();
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["type"], "/problems/unavailable");
    let large = "x".repeat(100 * 1024);
    let answer = pair.asked(|| request("PUT", "/echo", large.clone())).await.unwrap();
    assert_eq!(answer.status, 502, "its body was not kept");
    let reached = pair.failing.load(Ordering::SeqCst);
    assert_eq!(reached, 2);
}

#[tokio::test]
async fn a_request_that_reached_nobody_is_given_to_another() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, well) = (closed.local_addr().unwrap(), Server::start("well").await);
    let running = gateway(settings("[balance]\nstrategy = 'round_robin'"), &[well.address]).await;
    let refusing = running.pool.add(address);
    // It answers its first check, and is gone then.
    let checked = async {
        while !refusing.became_healthy(std::time::Duration::ZERO).await {
            let (mut stream, _) = closed.accept().await.unwrap();
            let head = crate::support::upstream::read_head(&mut stream).await;
            assert!(head.starts_with("GET /readyz"));
            stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    checked.await;
    drop(closed);
    for _ in 0..6 {
        assert_eq!(ask(running.address, request("POST", "/echo", "body")).await.json()["body"], "body");
    }
    assert!(refusing.counts().failures > 0, "it was asked");
}

#[tokio::test]
async fn an_answer_of_unavailable_is_asked_for_elsewhere_and_passed_on_where_all_say_so() {
    let pair = pair("HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbusy").await;
    assert_eq!(pair.asked(|| get("/echo")).await.unwrap().name(), "well");
    let answer = pair.asked(|| request("POST", "/echo", "")).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (503, &b"busy"[..]), "it is the server's own");
    pair.well.set_status(503);
    let answer = pair.asked(|| get("/echo")).await.unwrap();
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn an_answer_that_began_is_not_asked_for_again() {
    let pair = pair("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of").await;
    let answer = pair.asked(|| get("/echo")).await;
    assert!(answer.is_err(), "half an answer must not look like a whole one: {answer:?}");
    assert_eq!(pair.running.upstream(0).counts().failures, 1);
    assert_eq!(pair.well.requests(), pair.running.upstream(1).counts().requests as usize);
}

#[tokio::test]
async fn what_an_upstream_says_that_is_no_http_is_its_fault() {
    let pair = pair("SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    let answer = pair.asked(|| request("POST", "/echo", "")).await.unwrap();
    assert_eq!(answer.status, 502);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_no_failure() {
    // Answers one request over a connection, and closes it without a word when the next comes.
    let fickle = raw(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        crate::support::upstream::read_head(&mut stream).await;
    })
    .await;
    let running = gateway(settings(""), &[fickle]).await;
    for _ in 0..5 {
        assert_eq!(ask(running.address, get("/echo")).await.status, 200);
    }
    assert_eq!(running.upstream(0).counts().failures, 0);
}
