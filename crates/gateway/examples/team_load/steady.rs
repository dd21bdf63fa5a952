//! Requests at a steady rate, with web sockets that stay open and one upload that takes as long as all of it.

use std::{
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
};
use tungstenite::{ClientRequestBuilder, Message};

use crate::{connection::Connection, figures::Figures};

/// Connections that share the rate.
const CONNECTIONS: u32 = 25;
/// Web sockets that stay open.
const SOCKETS: usize = 10;
/// Bytes of the upload that are sent at a time, ten times a second.
const PIECE: usize = 64 * 1024;
const PIECE_EVERY: Duration = Duration::from_millis(100);

/// Asks `rate` times a second for so long, and says what failed.
pub(crate) async fn press(address: SocketAddr, token: &str, rate: u32, seconds: u64) -> Result<String> {
    let (until, ended) = (Instant::now() + Duration::from_secs(seconds), Arc::new(AtomicBool::new(false)));
    let sockets: Vec<_> = (0..SOCKETS).map(|_| follow(address, token.to_owned(), ended.clone())).collect();
    let uploaded = tokio::spawn(upload(address, token.to_owned(), seconds));
    let mut askers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        askers.spawn(ask_on(Connection::new(address, Some(token.to_owned())), rate, until));
    }
    let mut figures = Figures::default();
    while let Some(asked) = askers.join_next().await {
        figures.add(asked?);
    }
    let uploaded = uploaded.await?;
    ended.store(true, Ordering::Relaxed);
    let mut reopened = 0;
    for socket in sockets {
        reopened += socket.join().map_err(|_| anyhow::anyhow!("a socket's thread ended badly"))??;
    }
    let mut line = figures.into_json();
    line["upload"] = uploaded.map_or_else(|error| json!(format!("{error:#}")), |()| json!("whole"));
    line["sockets_reopened"] = json!(reopened);
    Ok(line.to_string())
}

async fn ask_on(mut connection: Connection, rate: u32, until: Instant) -> Figures {
    let mut figures = Figures::default();
    let mut turns = tokio::time::interval(Duration::from_secs(1) * CONNECTIONS / rate.max(1));
    while Instant::now() < until {
        turns.tick().await;
        let began = Instant::now();
        let outcome = connection.ask(Method::GET, "/api/v1/tasks?limit=5", None).await;
        figures.count(began.elapsed(), outcome.map(drop));
    }
    figures
}

/// Keeps a web socket open, and counts how often it had to be opened again, as a browser would.
fn follow(address: SocketAddr, token: String, ended: Arc<AtomicBool>) -> std::thread::JoinHandle<Result<u32>> {
    std::thread::spawn(move || {
        let mut opened = 0;
        while !ended.load(Ordering::Relaxed) {
            let request = ClientRequestBuilder::new(format!("ws://{address}/ws").parse()?)
                .with_header("Authorization", format!("Bearer {token}"));
            let stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(Duration::from_millis(200)))?;
            let (mut socket, _) = tungstenite::client(request, stream).context("a socket cannot be opened")?;
            opened += 1;
            loop {
                match socket.read() {
                    Ok(Message::Close(_)) => break,
                    Ok(_) => {}
                    Err(tungstenite::Error::Io(error)) if is_pause(&error) => {
                        if ended.load(Ordering::Relaxed) {
                            return Ok(opened - 1);
                        }
                    }
                    Err(_) => break,
                }
            }
        }
        Ok(opened - 1)
    })
}

fn is_pause(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// Sends a file slowly, as over a thin line; the server has to take all of it.
async fn upload(address: SocketAddr, token: String, seconds: u64) -> Result<()> {
    let pieces = u64::try_from(Duration::from_secs(seconds).as_millis() / PIECE_EVERY.as_millis())?;
    let before = "--part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"slow.bin\"\r\n\
        Content-Type: application/octet-stream\r\n\r\n";
    let after = "\r\n--part--\r\n";
    let length = before.len() as u64 + pieces * PIECE as u64 + after.len() as u64;
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let head = format!(
        "POST /api/v1/files HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: multipart/form-data; boundary=part\r\nContent-Length: {length}\r\n\r\n{before}"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut turns = tokio::time::interval(PIECE_EVERY);
    // No marks of any sort of file: the server takes it for what it says it is.
    let piece: Vec<u8> = (0..PIECE).map(|index| (index % 251) as u8).collect();
    for _ in 0..pieces {
        turns.tick().await;
        stream.write_all(&piece).await?;
    }
    stream.write_all(after.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(
        answer.starts_with("HTTP/1.1 201"),
        "the upload was answered: {}",
        answer.lines().next().unwrap_or_default()
    );
    Ok(())
}
