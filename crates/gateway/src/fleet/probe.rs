//! Asks an instance how it is, over a connection of its own and within a time.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{net::TcpStream, time::timeout};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Bytes that are read of an answer.
const MAX_BODY_BYTES: usize = 64 * 1024;

const LIVE: &str = "/livez";
const HEALTH: &str = "/health";

/// What a server says of its parts, of which more is said than is read here.
#[derive(Debug, Deserialize)]
struct Parts {
    components: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    name: String,
    state: String,
}

/// Whether an instance answers `path` with a success; else why not.
pub(super) async fn ask(address: SocketAddr, path: &str) -> Result<(), String> {
    let (status, _) = get(address, path).await?;
    if status.is_success() { Ok(()) } else { Err(format!("{path} answers {}", status.as_u16())) }
}

/// Whether an instance lives: anything but a fault of its own is a sign of life, also that there is no such page.
pub(super) async fn answers(address: SocketAddr) -> Result<(), String> {
    let (status, _) = get(address, LIVE).await?;
    if status.is_server_error() { Err(format!("{LIVE} answers {}", status.as_u16())) } else { Ok(()) }
}

/// The parts of an instance that do not work.
pub(super) async fn failing_parts(address: SocketAddr) -> Result<BTreeSet<String>, String> {
    let (status, body) = get(address, HEALTH).await?;
    if status.is_success() {
        return Ok(BTreeSet::new());
    }
    // A server that says only that something is wrong has one part: itself.
    let itself = || BTreeSet::from([format!("{HEALTH} answers {}", status.as_u16())]);
    let Ok(parts) = serde_json::from_slice::<Parts>(&body) else { return Ok(itself()) };
    let failing = parts.components.into_iter().filter(|part| part.state != "healthy").map(|part| part.name);
    let failing: BTreeSet<String> = failing.collect();
    Ok(if failing.is_empty() { itself() } else { failing })
}

async fn get(address: SocketAddr, path: &str) -> Result<(StatusCode, Bytes), String> {
    match timeout(LIMIT, exchange(address, path)).await {
        Ok(answered) => answered.map_err(|error| format!("{path} does not answer: {error}")),
        Err(_) => Err(format!("{path} does not answer within {} s", LIMIT.as_secs())),
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn exchange(address: SocketAddr, path: &str) -> Result<(StatusCode, Bytes), AnyError> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let asking = async {
        let request = Request::get(path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BODY_BYTES).collect().await?.to_bytes();
        Ok((status, body))
    };
    tokio::select! {
        answer = asking => answer,
        // It ends first only where it breaks; whoever asked hears of it, too.
        Err(error) = connection => Err(error.into()),
    }
}
