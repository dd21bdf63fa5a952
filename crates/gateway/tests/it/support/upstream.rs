//! Servers behind a gateway: one that answers as it is asked to, and one that does what a test writes byte by byte.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Request, State, WebSocketUpgrade, ws},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use futures::StreamExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};

/// A server that answers.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Answers>,
    own: Arc<OwnRuntime>,
}

/// Where it runs: its connections end with it, as those of a program do.
struct OwnRuntime(Mutex<Option<Runtime>>);

impl OwnRuntime {
    fn end(&self) {
        if let Some(runtime) = self.0.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        self.end();
    }
}

struct Answers {
    name: &'static str,
    readiness: AtomicU16,
    status: AtomicU16,
    requests: AtomicUsize,
    uploaded_bytes: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Answers {
            name,
            readiness: AtomicU16::new(200),
            status: AtomicU16::new(200),
            requests: AtomicUsize::new(0),
            uploaded_bytes: AtomicUsize::new(0),
        });
        let router = Router::new()
            .route("/readyz", get(readyz))
            .route("/echo", any(echo))
            .route("/upload", any(upload))
            .route("/wait/{ms}", any(wait))
            .route("/bytes/{count}", get(bytes))
            .route("/ticks", get(ticks))
            .route("/socket", any(socket))
            .route("/refuse", any(|| async { StatusCode::FORBIDDEN }))
            .with_state(state.clone());
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = listener.into_std().unwrap();
        runtime.spawn(async move { axum::serve(TcpListener::from_std(listener).unwrap(), router).await });
        Self { address, state, own: Arc::new(OwnRuntime(Mutex::new(Some(runtime)))) }
    }

    /// What it says of itself to checks.
    pub(crate) fn set_readiness(&self, status: u16) {
        self.state.readiness.store(status, Ordering::SeqCst);
    }

    /// What it answers to `/echo`.
    pub(crate) fn set_status(&self, status: u16) {
        self.state.status.store(status, Ordering::SeqCst);
    }

    /// Requests that it got, checks aside.
    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// Bytes that it took at `/upload`.
    pub(crate) fn uploaded_bytes(&self) -> usize {
        self.state.uploaded_bytes.load(Ordering::SeqCst)
    }

    /// Ends with all that is under way.
    pub(crate) fn kill(&self) {
        self.own.end();
    }
}

async fn readyz(State(state): State<Arc<Answers>>) -> StatusCode {
    StatusCode::from_u16(state.readiness.load(Ordering::SeqCst)).unwrap()
}

/// What it was asked, as it saw it.
async fn echo(State(state): State<Arc<Answers>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    state.requests.fetch_add(1, Ordering::SeqCst);
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect();
    let seen = serde_json::json!({
        "name": state.name, "uri": uri.to_string(), "headers": headers, "body": String::from_utf8_lossy(&body),
    });
    let status = StatusCode::from_u16(state.status.load(Ordering::SeqCst)).unwrap();
    (status, [("keep-alive", "timeout=9"), ("x-answer", "kept")], Json(seen)).into_response()
}

async fn upload(State(state): State<Arc<Answers>>, request: Request) -> Response {
    state.requests.fetch_add(1, Ordering::SeqCst);
    let mut body = request.into_body().into_data_stream();
    let mut count = 0;
    while let Some(piece) = body.next().await {
        let Ok(piece) = piece else { return StatusCode::BAD_REQUEST.into_response() };
        count += piece.len();
        state.uploaded_bytes.store(count, Ordering::SeqCst);
    }
    count.to_string().into_response()
}

async fn wait(State(state): State<Arc<Answers>>, Path(ms): Path<u64>) -> &'static str {
    state.requests.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(ms)).await;
    state.name
}

const PIECE: &[u8] = &[b'x'; 16 * 1024];

async fn bytes(State(state): State<Arc<Answers>>, Path(count): Path<usize>) -> Body {
    state.requests.fetch_add(1, Ordering::SeqCst);
    let pieces = (0..count.div_ceil(PIECE.len())).map(move |place| {
        Ok::<_, Infallible>(Bytes::from_static(&PIECE[..PIECE.len().min(count - place * PIECE.len())]))
    });
    Body::from_stream(futures::stream::iter(pieces))
}

/// An event at once, and one after each 200 ms.
async fn ticks() -> Response {
    let events = futures::stream::unfold(0, |count| async move {
        if count > 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Some((Ok::<_, Infallible>(format!("data: {count}\n\n")), count + 1))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(events)).into_response()
}

async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["press"]).on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if let ws::Message::Close(_) = message {
                return;
            }
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

/// A server that passes its checks and gives every other connection, with the head of its request, to `serve`.
pub(crate) async fn raw<F, W>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream, String) -> W + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let serve = serve.clone();
            tokio::spawn(async move {
                let head = read_head(&mut stream).await;
                if head.starts_with("GET /readyz ") {
                    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                    let _ = stream.write_all(answer.as_bytes()).await;
                    return;
                }
                serve(stream, head).await;
            });
        }
    });
    address
}

/// Reads to the end of a head and no further; what came of it where it ends before.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}
