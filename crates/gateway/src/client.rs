//! A client's connection: who it is, what it has under way, and the watch over its bytes. A head that comes too slowly and
//! an answer that is not taken end it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::header::HeaderValue;
use metrics::Gauge;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::{Sleep, sleep},
};

use crate::room::Place;

/// How clients reach the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tls,
    Plain,
}

/// Whether what a client says of others is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    Proxy,
    Stranger,
}

/// A connection of a client, shared by its requests.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: SocketAddr,
    /// The address of `peer` as a header, made once.
    pub(crate) address: HeaderValue,
    pub(crate) trust: Trust,
    pub(crate) transport: Transport,
    active: AtomicUsize,
    requests: AtomicU64,
    max_requests: u64,
    /// Told when it had as many requests as it may have.
    pub(crate) spent: Notify,
    watches_heads: AtomicBool,
    in_flight: Gauge,
    /// Its place among all connections, until the last request over it ends.
    _place: Place,
}

/// What is known of a connection when it is taken.
#[derive(Debug)]
pub(crate) struct Introduction {
    pub(crate) peer: SocketAddr,
    pub(crate) trust: Trust,
    pub(crate) transport: Transport,
    pub(crate) max_requests: u64,
    pub(crate) place: Place,
}

impl Client {
    pub(crate) fn new(introduction: Introduction, in_flight: Gauge) -> Self {
        let Introduction { peer, trust, transport, max_requests, place } = introduction;
        Self {
            peer,
            address: address_header(peer.ip()),
            trust,
            transport,
            active: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            max_requests,
            spent: Notify::new(),
            watches_heads: AtomicBool::new(false),
            in_flight,
            _place: place,
        }
    }

    /// A request came; it is under way until what is returned is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.active.fetch_add(1, Ordering::Relaxed);
        self.in_flight.increment(1.0);
        if self.requests.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= self.max_requests {
            self.spent.notify_one();
        }
        Busy(self.clone())
    }

    /// Requests that are under way.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Requests that came so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// It speaks HTTP/1.1: what comes while nothing is under way is the head of a request.
    pub(crate) fn watch_heads(&self) {
        self.watches_heads.store(true, Ordering::Relaxed);
    }

    fn awaits_head(&self) -> bool {
        self.watches_heads.load(Ordering::Relaxed) && self.active() == 0
    }
}

fn address_header(address: IpAddr) -> HeaderValue {
    // Addresses are digits, letters, dots and colons.
    HeaderValue::from_str(&address.to_canonical().to_string()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Client>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
        self.0.in_flight.decrement(1.0);
    }
}

/// How long a client may keep the gateway waiting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From the first byte of a head to its last.
    pub(crate) head: Duration,
    /// Between two pieces that it takes of what is there for it.
    pub(crate) reading: Duration,
}

/// The bytes of a client's connection.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: TcpStream,
    client: Arc<Client>,
    patience: Patience,
    head: Option<Head>,
    writing: Option<Pin<Box<Sleep>>>,
}

/// A head that began to come.
#[derive(Debug)]
struct Head {
    /// Requests that came before it: once there are more, it is over.
    requests_before: u64,
    limit: Pin<Box<Sleep>>,
}

impl Watched {
    pub(crate) fn new(stream: TcpStream, client: Arc<Client>, patience: Patience) -> Self {
        Self { stream, client, patience, head: None, writing: None }
    }

    /// What came of writing. Time runs while the other end takes nothing.
    fn written<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.writing = None;
            return result;
        }
        let limit = self.patience.reading;
        match self.writing.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(late("the client took nothing of its answer"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn late(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(context, buffer);
        if !this.client.awaits_head() {
            this.head = None;
            return result;
        }
        let requests_before = this.client.requests();
        this.head = this.head.take().filter(|head| head.requests_before == requests_before);
        if buffer.filled().len() > before && this.head.is_none() {
            this.head = Some(Head { requests_before, limit: Box::pin(sleep(this.patience.head)) });
        }
        let limit = this.head.as_mut().filter(|_| result.is_pending()).map(|head| head.limit.as_mut());
        if limit.is_some_and(|limit| limit.poll(context).is_ready()) {
            return Poll::Ready(Err(late("the head of a request came too slowly")));
        }
        result
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A connection some bytes of which were read before.
#[derive(Debug)]
pub(crate) struct Rewound<T> {
    read_ahead: Vec<u8>,
    stream: T,
}

impl<T> Rewound<T> {
    pub(crate) fn new(read_ahead: Vec<u8>, stream: T) -> Self {
        Self { read_ahead, stream }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Rewound<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read_ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = self.read_ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.read_ahead[..count]);
        self.read_ahead.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Rewound<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
