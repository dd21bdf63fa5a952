//! A server for tests of the gateway: small, and as faulty as its arguments say.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Query, Request, State, WebSocketUpgrade, ws::WebSocket},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use futures::StreamExt as _;
use serde::Deserialize;
use tokio::net::TcpListener;

/// What the arguments say.
#[derive(Debug, Clone)]
struct Manners {
    listen: SocketAddr,
    /// What `/` answers.
    name: String,
    is_ready: bool,
    /// A part that `/health` says does not work.
    ill_part: Option<String>,
    /// Ends with status 3 after so long.
    exit_after: Option<Duration>,
    /// Answers 500 to whatever comes after so many requests.
    sick_after_requests: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Length {
    ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manners = read_arguments()?;
    if let Some(length) = manners.exit_after {
        tokio::spawn(async move {
            tokio::time::sleep(length).await;
            say("I have had enough");
            std::process::exit(3);
        });
    }
    let listener = TcpListener::bind(manners.listen).await?;
    let router = Router::new()
        .route("/", any(name))
        .route("/slow", any(slow))
        .route("/spin", get(spin))
        .route("/upload", post(upload))
        .route("/echo", any(echo))
        .layer(middleware::from_fn_with_state(manners.clone(), grow_sick))
        .route("/livez", get(|| async { StatusCode::NO_CONTENT }))
        .route("/readyz", get(ready))
        .route("/health", get(health))
        .with_state(manners);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { terminate.recv().await.unwrap_or_default() })
        .await?;
    Ok(())
}

fn read_arguments() -> anyhow::Result<Manners> {
    let mut manners = Manners {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        name: "tiny".to_owned(),
        is_ready: true,
        ill_part: None,
        exit_after: None,
        sick_after_requests: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| anyhow::anyhow!("`{argument}` wants a value"));
        match argument.as_str() {
            "--listen" => manners.listen = value()?.parse()?,
            "--name" => manners.name = value()?,
            "--unready" => manners.is_ready = false,
            "--ill-part" => manners.ill_part = Some(value()?),
            "--exit-after-ms" => manners.exit_after = Some(Duration::from_millis(value()?.parse()?)),
            "--sick-after-requests" => manners.sick_after_requests = Some(value()?.parse()?),
            _ => anyhow::bail!("`{argument}` is not known"),
        }
    }
    Ok(manners)
}

#[expect(clippy::print_stderr, reason = "what it says is what the tests look for")]
fn say(line: &str) {
    eprintln!("{line}");
}

async fn grow_sick(State(manners): State<Manners>, request: Request, next: Next) -> Response {
    use std::sync::atomic::{AtomicU64, Ordering};
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    let count = REQUESTS.fetch_add(1, Ordering::Relaxed);
    if manners.sick_after_requests.is_some_and(|most| count >= most) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    next.run(request).await
}

async fn name(State(manners): State<Manners>) -> String {
    manners.name
}

async fn ready(State(manners): State<Manners>) -> StatusCode {
    if manners.is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn health(State(manners): State<Manners>) -> Response {
    match manners.ill_part {
        None => StatusCode::OK.into_response(),
        Some(name) => {
            let parts =
                serde_json::json!({ "state": "unhealthy", "components": [{ "name": name, "state": "unhealthy" }] });
            (StatusCode::SERVICE_UNAVAILABLE, parts.to_string()).into_response()
        }
    }
}

async fn slow(State(manners): State<Manners>, Query(length): Query<Length>) -> String {
    tokio::time::sleep(Duration::from_millis(length.ms)).await;
    manners.name
}

/// Keeps a core busy.
async fn spin(Query(length): Query<Length>) -> StatusCode {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(length.ms) {
        std::hint::spin_loop();
        tokio::task::yield_now().await;
    }
    StatusCode::NO_CONTENT
}

/// How many bytes came, and to whom.
async fn upload(State(manners): State<Manners>, body: Body) -> Response {
    let (mut pieces, mut bytes) = (body.into_data_stream(), 0);
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => bytes += piece.len(),
            Err(_) => return StatusCode::BAD_REQUEST.into_response(),
        }
    }
    format!("{} {bytes}", manners.name).into_response()
}

async fn echo(State(manners): State<Manners>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |mut socket: WebSocket| async move {
        if socket.send(manners.name.into()).await.is_err() {
            return;
        }
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}
