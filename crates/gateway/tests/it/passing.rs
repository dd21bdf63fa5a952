//! What passes through as it comes: events, large bodies, trailers, bodies that wait to be wanted.

use std::time::Duration;

use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    Request,
    body::{Bytes, Frame},
    header::HOST,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::support::{
    PATIENCE,
    client::{ask, connect, get, hear, read, request},
    gateway, settings, until,
    upstream::{Server, raw, read_head},
};

#[tokio::test]
async fn events_arrive_when_they_are_sent() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let mut sender = connect(running.address).await;
    let begun = Instant::now();
    let mut response = sender.send_request(get("/ticks")).await.unwrap();
    let first = timeout(PATIENCE, response.frame()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "data: 0\n\n");
    let second = timeout(PATIENCE, response.frame()).await.unwrap().unwrap().unwrap();
    assert_eq!(second.into_data().unwrap(), "data: 1\n\n");
    assert!(begun.elapsed() >= Duration::from_millis(200), "they were not kept back");
    assert_eq!(running.upstream(0).in_flight(), 1);
    drop((response, sender));
    running.until_quiet().await;
}

#[tokio::test]
async fn a_large_body_passes_in_both_directions() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let size_bytes = 24 << 20;
    let answer = ask(running.address, request("POST", "/upload", vec![7; size_bytes])).await;
    assert_eq!(answer.body, size_bytes.to_string());
    let answer = ask(running.address, get(&format!("/bytes/{size_bytes}"))).await;
    assert_eq!(answer.body.len(), size_bytes);
    running.until_quiet().await;
}

#[tokio::test]
async fn an_upload_reaches_the_server_while_it_is_sent() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let (sender, pieces) = tokio::sync::mpsc::channel::<Bytes>(1);
    let pieces = stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(Frame::data(piece)), pieces))
    });
    let body = StreamBody::new(pieces).boxed();
    let upload = Request::post("/upload").header(HOST, "press.example").body(boxed(body)).unwrap();
    let asking = tokio::spawn(ask(running.address, upload));
    sender.send(Bytes::from_static(b"first")).await.unwrap();
    until(|| server.uploaded_bytes() == 5).await;
    sender.send(Bytes::from_static(b", second")).await.unwrap();
    drop(sender);
    assert_eq!(asking.await.unwrap().body, "13");
}

/// A body whose stream need not be shared between threads.
fn boxed<B>(body: B) -> crate::support::client::RequestBody
where
    B: hyper::body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + Sync + 'static,
{
    body.boxed()
}

#[tokio::test]
async fn a_server_that_does_not_read_holds_the_client_back() {
    let deaf = raw(|stream, _| async move {
        tokio::time::sleep(PATIENCE).await;
        drop(stream);
    })
    .await;
    let running = gateway(settings(""), &[deaf]).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let size_bytes: usize = 64 << 20;
    let head = format!("POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: {size_bytes}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![0; 64 * 1024];
    let mut sent_bytes = 0;
    while let Ok(sent) = timeout(Duration::from_millis(500), stream.write(&piece)).await {
        sent_bytes += sent.unwrap();
    }
    assert!(sent_bytes < size_bytes / 2, "{sent_bytes} bytes went somewhere");
}

#[tokio::test]
async fn trailers_are_kept() {
    let (seen, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let server = raw(move |mut stream, head| {
        let seen = seen.clone();
        async move {
            let mut body = vec![0; 4096];
            let mut read = Vec::new();
            while !read.ends_with(b"\r\n\r\n") {
                let count = stream.read(&mut body).await.unwrap();
                read.extend_from_slice(&body[..count]);
            }
            seen.send((head, String::from_utf8(read).unwrap())).unwrap();
            let answer = "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let running = gateway(settings(""), &[server]).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = "POST /x HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntrailer: x-mine\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n0\r\nx-mine: 1\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let heard = hear(&mut stream, Duration::from_millis(700)).await;
    assert!(heard.ends_with("0\r\nx-sum: 7\r\n\r\n"), "{heard}");
    let (head, body) = requests.recv().await.unwrap();
    assert!(head.contains("te: trailers\r\n") && head.contains("trailer: x-mine\r\n"), "{head}");
    assert_eq!(body, "3\r\nabc\r\n0\r\nx-mine: 1\r\n\r\n");
}

#[tokio::test]
async fn a_body_is_asked_for_when_the_server_asks_for_it() {
    let server = raw(|mut stream, head| async move {
        assert!(head.contains("expect: 100-continue"), "{head}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
        let mut body = [0; 4];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await.unwrap();
        stream.write_all(&body).await.unwrap();
    })
    .await;
    let running = gateway(settings(""), &[server]).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let begun = Instant::now();
    let head = "PUT /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_head(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(begun.elapsed() >= Duration::from_millis(300), "the gateway did not ask for it by itself");
    stream.write_all(b"body").await.unwrap();
    let heard = hear(&mut stream, Duration::from_millis(700)).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n") && heard.ends_with("\r\n\r\nbody"), "{heard}");
}

#[tokio::test]
async fn a_body_that_is_refused_is_never_sent() {
    let server = raw(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
        let rest = hear(&mut stream, Duration::from_secs(2)).await;
        assert_eq!(rest, "", "nothing of the body came");
    })
    .await;
    let running = gateway(settings(""), &[server]).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = "PUT /x HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let heard = hear(&mut stream, Duration::from_millis(1500)).await;
    assert!(heard.starts_with("HTTP/1.1 403 ") && heard.ends_with("\r\n\r\nno"), "{heard}");
    running.until_quiet().await;
}

#[tokio::test]
async fn who_goes_away_ends_the_work_at_the_server() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let mut sender = connect(running.address).await;
    let asking = tokio::spawn(async move { read(sender.send_request(get("/wait/60000")).await.unwrap()).await });
    until(|| running.upstream(0).in_flight() == 1).await;
    asking.abort();
    running.until_quiet().await;
}
