//! Connections to an upstream, kept for the next request while they are fresh.
//!
//! They are ours, not those of a client library, for what the gateway must know: whether a byte of a request was sent when
//! it failed, and that a drained upstream keeps none open. And they have no task of their own: whoever uses one drives it, so
//! that a request passes without waking another thread.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::upload::Upload;

/// Bytes that the head of an answer may have.
const MAX_ANSWER_HEAD_BYTES: usize = 256 * 1024;
/// How long a kept connection may take to be ready: it only has to see that its last answer is over.
const READY_LIMIT: Duration = Duration::from_millis(100);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectFault {
    #[error("no connection within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("no connection: {0}")]
    Io(#[from] io::Error),
    #[error("no connection: {0}")]
    Http(#[from] hyper::Error),
}

/// A connection to an upstream. It moves while it is driven, and only then.
pub(crate) struct Line {
    address: SocketAddr,
    sender: SendRequest<Upload>,
    /// Nothing once it has ended.
    connection: Option<Connection>,
}

type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Line {
    /// Makes a connection of HTTP/1.1.
    pub(crate) async fn connect(address: SocketAddr, limit: Duration) -> Result<Self, ConnectFault> {
        let stream = timeout(limit, TcpStream::connect(address)).await.map_err(|_| ConnectFault::TimedOut(limit))??;
        // Without it a small request may wait for the other end to confirm the one before.
        stream.set_nodelay(true)?;
        let (sender, connection) =
            http1::Builder::new().max_buf_size(MAX_ANSWER_HEAD_BYTES).handshake(TokioIo::new(stream)).await?;
        Ok(Self { address, sender, connection: Some(Box::pin(connection.with_upgrades())) })
    }

    /// Moves what can be moved: the request out, its answer in.
    pub(crate) fn drive(&mut self, context: &mut Context<'_>) {
        let Some(connection) = &mut self.connection else { return };
        if let Poll::Ready(ended) = connection.as_mut().poll(context) {
            self.connection = None;
            if let Err(error) = ended {
                tracing::debug!(upstream = %self.address, error = %error, "a connection to an upstream broke off");
            }
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|context| {
            self.drive(context);
            answer.as_mut().poll(context)
        })
        .await
    }

    /// Waits until it takes a request; whether it ever will.
    async fn becomes_ready(&mut self) -> bool {
        let ready = poll_fn(|context| {
            self.drive(context);
            self.sender.poll_ready(context)
        });
        ready.await.is_ok()
    }

    /// Lets it go on by itself: it turns into a web socket.
    pub(crate) fn let_go(self) {
        if let Some(connection) = self.connection {
            tokio::spawn(connection);
        }
    }
}

/// Connections over which nothing is asked at the moment.
#[derive(Debug, Default)]
pub(crate) struct IdleConnections(Mutex<Vec<Idle>>);

#[derive(Debug)]
struct Idle {
    line: Line,
    since: Instant,
}

impl IdleConnections {
    /// The freshest connection that still is one.
    pub(crate) async fn take(&self, max_age: Duration) -> Option<Line> {
        loop {
            let mut line = self.pop(max_age)?;
            if timeout(READY_LIMIT, line.becomes_ready()).await == Ok(true) {
                return Some(line);
            }
        }
    }

    fn pop(&self, max_age: Duration) -> Option<Line> {
        let mut idle = self.lock();
        let Idle { line, since } = idle.pop()?;
        if since.elapsed() < max_age {
            return Some(line);
        }
        // The others were put there before it.
        idle.clear();
        None
    }

    /// Keeps a connection whose answer is over, unless there are `max` already.
    pub(crate) fn put(&self, line: Line, max: usize) {
        if line.connection.is_none() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < max {
            idle.push(Idle { line, since: Instant::now() });
        }
    }

    /// Closes those that are too old.
    pub(crate) fn close_older(&self, max_age: Duration) {
        self.lock().retain(|idle| idle.since.elapsed() < max_age);
    }

    /// Closes all of them.
    pub(crate) fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
