//! HTTP/2 without encryption, byte by byte where a client would not do what is tested.

use hyper::Request;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{
    PATIENCE, Running,
    client::{connect_http2, read, until_closed, whole},
    gateway, settings, until,
    upstream::Server,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The head of a request for a path, as a whole one without a body (RFC 7541, appendices A and C).
fn head(stream: u32, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x41, 1, b'a', 0x04, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path.as_bytes());
    frame(HEADERS, 0x05, stream, &block)
}

async fn read_frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], payload))
}

async fn open(running: &Running, settings: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await.unwrap();
    stream
}

#[tokio::test]
async fn requests_share_a_connection() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let sender = connect_http2(TcpStream::connect(running.address).await.unwrap()).await;
    let asked = (0..20).map(|count| {
        let mut sender = sender.clone();
        async move {
            let request = Request::post(format!("http://press.example/echo?{count}"));
            let request = request.header("cookie", "a=1").header("cookie", "b=2").body(whole(count.to_string()));
            read(sender.send_request(request.unwrap()).await.unwrap()).await.unwrap()
        }
    });
    for (count, answer) in futures::future::join_all(asked).await.into_iter().enumerate() {
        assert_eq!(answer.json()["body"], count.to_string());
        assert_eq!(answer.json()["uri"], format!("/echo?{count}"));
        assert_eq!(answer.seen("host"), ["press.example"]);
        assert_eq!(answer.seen("cookie"), ["a=1; b=2"]);
    }
}

#[tokio::test]
async fn a_large_body_passes_in_both_directions() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let mut sender = connect_http2(TcpStream::connect(running.address).await.unwrap()).await;
    let size_bytes = 8 << 20;
    let upload = Request::post("http://a/upload").body(whole(vec![7; size_bytes])).unwrap();
    let answer = read(sender.send_request(upload).await.unwrap()).await.unwrap();
    assert_eq!(answer.body, size_bytes.to_string());
    let download = Request::get(format!("http://a/bytes/{size_bytes}")).body(whole("")).unwrap();
    assert_eq!(read(sender.send_request(download).await.unwrap()).await.unwrap().body.len(), size_bytes);
    running.until_quiet().await;
}

#[tokio::test]
async fn so_many_requests_at_a_time_are_allowed() {
    let server = Server::start("a").await;
    let running = gateway(settings("[limits]\nmax_streams = 7"), &[server.address]).await;
    let mut stream = open(&running, &[]).await;
    let (kind, payload) = read_frame(&mut stream).await.unwrap();
    assert_eq!(kind, SETTINGS);
    // SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113, section 6.5.2).
    assert!(payload.chunks(6).any(|setting| setting == [0, 3, 0, 0, 0, 7]), "{payload:?}");
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let mut stream = open(&running, &[]).await;
    let mut flood = Vec::new();
    for count in 0..500 {
        flood.extend(head(2 * count + 1, "/wait/100"));
        flood.extend(frame(RST_STREAM, 0, 2 * count + 1, &8_u32.to_be_bytes()));
    }
    // It may be closed while more comes.
    let _ = stream.write_all(&flood).await;
    let gone = async {
        while let Some((kind, payload)) = read_frame(&mut stream).await {
            if kind == GOAWAY {
                // ENHANCE_YOUR_CALM (RFC 9113, section 7).
                return payload[4..8] == [0, 0, 0, 0xb];
            }
        }
        true
    };
    assert!(timeout(PATIENCE, gone).await.expect("it goes on"));
    running.until_quiet().await;
    assert!(server.requests() < 200, "{}", server.requests());
}

#[tokio::test]
async fn an_answer_that_is_not_taken_lets_go_of_the_server() {
    let server = Server::start("a").await;
    let running = gateway(settings("[limits]\nread_pause_s = 1"), &[server.address]).await;
    // SETTINGS_INITIAL_WINDOW_SIZE of 0: nothing may be sent.
    let mut stream = open(&running, &[0, 4, 0, 0, 0, 0]).await;
    stream.write_all(&head(1, "/bytes/9999999")).await.unwrap();
    let upstream = running.upstream(0);
    until(|| upstream.in_flight() == 1).await;
    until(|| upstream.in_flight() == 0).await;
}

#[tokio::test]
async fn a_preface_that_stops_halfway_is_not_waited_for() {
    let server = Server::start("a").await;
    let running = gateway(settings("[limits]\nhead_timeout_s = 1"), &[server.address]).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(&PREFACE[..10]).await.unwrap();
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn a_quiet_connection_is_closed() {
    let server = Server::start("a").await;
    let running = gateway(settings("[limits]\nidle_timeout_s = 1"), &[server.address]).await;
    let mut sender = connect_http2(TcpStream::connect(running.address).await.unwrap()).await;
    let request = Request::get("http://a/echo").body(whole("")).unwrap();
    assert_eq!(read(sender.send_request(request).await.unwrap()).await.unwrap().status, 200);
    until(|| sender.is_closed()).await;
}
