//! The gateway ends in good order.

use std::time::Duration;

use platform::server::listen::Drained;
use tokio::net::TcpStream;

use crate::support::{
    client::{connect, connect_http2, get, hear, read, until_closed},
    gateway, settings, until,
    upstream::Server,
};

#[tokio::test]
async fn what_was_begun_is_answered_and_nothing_new_is_taken() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let (address, upstream) = (running.address, running.upstream(0));
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut sender = connect(address).await;
    let asking = tokio::spawn(async move { read(sender.send_request(get("/wait/700")).await.unwrap()).await });
    until(|| upstream.in_flight() == 1).await;
    let stopping = tokio::spawn(running.stop());
    until_closed(&mut idle).await;
    let answer = asking.await.unwrap().unwrap();
    assert_eq!(answer.body, "a");
    assert_eq!(answer.headers["connection"], "close");
    assert_eq!(stopping.await.unwrap(), Drained::Whole);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens there any more");
}

#[tokio::test]
async fn over_http2_too() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let upstream = running.upstream(0);
    let mut sender = connect_http2(TcpStream::connect(running.address).await.unwrap()).await;
    let request = hyper::Request::get("http://a/wait/500").body(crate::support::client::whole("")).unwrap();
    let asking = sender.send_request(request);
    let stopping = async {
        until(|| upstream.in_flight() == 1).await;
        running.stop().await
    };
    let (answer, drained) = tokio::join!(asking, stopping);
    assert_eq!(read(answer.unwrap()).await.unwrap().body, "a");
    assert_eq!(drained, Drained::Whole);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let server = Server::start("a").await;
    let running = gateway(settings("[limits]\nshutdown_timeout_s = 1"), &[server.address]).await;
    let upstream = running.upstream(0);
    let mut sender = connect(running.address).await;
    let events = sender.send_request(get("/ticks")).await.unwrap();
    let text = "GET /socket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut socket, text.as_bytes()).await.unwrap();
    assert!(hear(&mut socket, Duration::from_millis(300)).await.starts_with("HTTP/1.1 101 "));
    assert_eq!(running.stop().await, Drained::Cut { connections: 2 });
    until_closed(&mut socket).await;
    assert!(read(events).await.is_err(), "an answer that was cut must not look whole");
    until(|| upstream.in_flight() == 0).await;
}
