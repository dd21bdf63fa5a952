//! The body of a request on its way to an upstream: bounded in size and in pauses, held back until the upstream wants it
//! where the client asked for that, or kept whole to be sent a second time.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::task::AtomicWaker;
use http_body_util::BodyExt as _;
use hyper::{
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    header::{self, HeaderMap},
};
use tokio::time::{Sleep, sleep};

/// How long a client that expects `100 Continue` is held back where the upstream says nothing. Some never do.
const CONTINUE_LIMIT: Duration = Duration::from_secs(1);

/// Why a body did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadFault {
    #[error("the body is larger than the gateway takes")]
    TooLarge,
    #[error("the body paused for too long")]
    TooSlow,
    #[error("the body broke off")]
    Broken,
    #[error("the answer came before the body was sent")]
    Unwanted,
}

/// What a body may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UploadLimits {
    pub(crate) max_bytes: u64,
    pub(crate) pause: Duration,
}

/// Whether the client sends the body only when it is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    Nothing,
    Continue,
}

/// A body as it is sent to an upstream.
#[derive(Debug)]
pub(crate) enum Upload {
    Empty,
    /// It is small and was read to its end, so it can be sent again.
    Kept(Option<Bytes>),
    Stream(Box<Stream>),
}

/// A body that passes through.
#[derive(Debug)]
pub(crate) struct Stream {
    body: Incoming,
    limits: UploadLimits,
    left_bytes: u64,
    /// Runs while the client is waited for, and only then: an upstream that reads slowly does not make it late.
    pause: Option<Pin<Box<Sleep>>>,
    watch: Arc<UploadWatch>,
}

/// What others may know of a body that passes through.
#[derive(Debug)]
pub(crate) struct UploadWatch {
    state: AtomicU8,
    seen_bytes: AtomicU64,
    waker: AtomicWaker,
}

const HELD: u8 = 0;
const RUNNING: u8 = 1;
const ENDED: u8 = 2;
const UNWANTED: u8 = 3;
const TOO_LARGE: u8 = 4;
const TOO_SLOW: u8 = 5;
const BROKEN: u8 = 6;

impl UploadWatch {
    fn new(expect: Expect) -> Arc<Self> {
        let state = if expect == Expect::Continue { HELD } else { RUNNING };
        Arc::new(Self { state: AtomicU8::new(state), seen_bytes: AtomicU64::new(0), waker: AtomicWaker::new() })
    }

    /// The upstream wants it.
    pub(crate) fn let_go(&self) {
        self.change(HELD, RUNNING);
    }

    /// Nobody wants what is left of it.
    pub(crate) fn abandon(&self) {
        self.change(RUNNING, UNWANTED);
        self.change(HELD, UNWANTED);
    }

    fn change(&self, from: u8, to: u8) {
        if self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.waker.wake();
        }
    }

    /// Whether it waits until the upstream wants it.
    pub(crate) fn is_held(&self) -> bool {
        self.state.load(Ordering::Acquire) == HELD
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.state.load(Ordering::Acquire) == ENDED
    }

    /// What the client did wrong, if it did.
    pub(crate) fn fault(&self) -> Option<UploadFault> {
        match self.state.load(Ordering::Acquire) {
            TOO_LARGE => Some(UploadFault::TooLarge),
            TOO_SLOW => Some(UploadFault::TooSlow),
            BROKEN => Some(UploadFault::Broken),
            _ => None,
        }
    }

    /// Bytes that came so far.
    pub(crate) fn seen_bytes(&self) -> u64 {
        self.seen_bytes.load(Ordering::Relaxed)
    }
}

impl Upload {
    /// A body that passes through, and what can be known of it.
    pub(crate) fn stream(body: Incoming, limits: UploadLimits, expect: Expect) -> (Self, Arc<UploadWatch>) {
        let watch = UploadWatch::new(expect);
        let pause = (expect == Expect::Continue).then(|| Box::pin(sleep(CONTINUE_LIMIT)));
        let stream = Stream { body, limits, left_bytes: limits.max_bytes, pause, watch: watch.clone() };
        (Self::Stream(Box::new(stream)), watch)
    }

    /// Reads a body of at most `max_bytes` to its end, so that it can be sent again.
    pub(crate) async fn keep(body: Incoming, limits: UploadLimits) -> Result<Bytes, UploadFault> {
        let (stream, watch) = Self::stream(body, limits, Expect::Nothing);
        let collected = stream.collect().await;
        collected.map(http_body_util::Collected::to_bytes).map_err(|_| watch.fault().unwrap_or(UploadFault::Broken))
    }
}

/// The length that a body is announced with.
pub(crate) fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Body for Upload {
    type Data = Bytes;
    type Error = UploadFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Kept(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => stream.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Kept(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Stream(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Kept(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(stream) => stream.body.size_hint(),
        }
    }
}

impl Stream {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        self.watch.waker.register(context.waker());
        match self.watch.state.load(Ordering::Acquire) {
            HELD => {
                let limit = self.pause.get_or_insert_with(|| Box::pin(sleep(CONTINUE_LIMIT)));
                ready!(limit.as_mut().poll(context));
                self.watch.let_go();
                self.pause = None;
            }
            UNWANTED => return Poll::Ready(Some(Err(UploadFault::Unwanted))),
            _ => {}
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let pause = self.limits.pause;
            ready!(self.pause.get_or_insert_with(|| Box::pin(sleep(pause))).as_mut().poll(context));
            return self.fail(TOO_SLOW, UploadFault::TooSlow);
        };
        self.pause = None;
        let frame = match frame {
            None => {
                self.watch.state.store(ENDED, Ordering::Release);
                return Poll::Ready(None);
            }
            Some(Err(error)) => {
                tracing::debug!(error = %error, "the body of a request broke off");
                return self.fail(BROKEN, UploadFault::Broken);
            }
            Some(Ok(frame)) => frame,
        };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left_bytes) = self.left_bytes.checked_sub(bytes) else {
            return self.fail(TOO_LARGE, UploadFault::TooLarge);
        };
        self.left_bytes = left_bytes;
        self.watch.seen_bytes.fetch_add(bytes, Ordering::Relaxed);
        // Whoever knows the length does not ask for an end after the last byte.
        if self.body.is_end_stream() {
            self.watch.state.store(ENDED, Ordering::Release);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn fail(&self, state: u8, fault: UploadFault) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        self.watch.state.store(state, Ordering::Release);
        Poll::Ready(Some(Err(fault)))
    }
}
