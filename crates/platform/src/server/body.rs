//! Bodies of requests, bounded in size and in the time that a sender may let pass between two pieces.

use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, header},
};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::problem::{Problem, ProblemType};

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    #[error("the body is larger than the {max_bytes} bytes allowed here")]
    TooLarge { max_bytes: u64 },
    #[error("nothing of the body came for {} s", idle.as_secs())]
    TooSlow { idle: Duration },
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Self {
        let kind = match fault {
            BodyFault::TooLarge { .. } => ProblemType::PayloadTooLarge,
            BodyFault::TooSlow { .. } => ProblemType::Timeout,
        };
        Self::new(kind).detail(fault.to_string())
    }
}

/// Bounds of a body.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Bytes it may have.
    pub max_bytes: u64,
    /// How long its sender may pause.
    pub idle: Duration,
}

/// Refuses a body that says itself that it is too large, before a byte of it is read.
pub(super) fn check_announced(headers: &HeaderMap, limits: BodyLimits) -> Result<(), BodyFault> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(bytes) if bytes > limits.max_bytes => Err(BodyFault::TooLarge { max_bytes: limits.max_bytes }),
        _ => Ok(()),
    }
}

/// `body`, which ends in a [`BodyFault`] once it goes beyond its limits.
pub(super) fn bounded(body: Body, limits: BodyLimits) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Bounded { body, limits, seen_bytes: 0, pause: None })
}

struct Bounded {
    body: Body,
    limits: BodyLimits,
    seen_bytes: u64,
    /// Runs while the sender is waited for, and only then: who reads slowly does not make it late.
    pause: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) else {
            let idle = this.limits.idle;
            ready!(this.pause.get_or_insert_with(|| Box::pin(sleep(idle))).as_mut().poll(context));
            return Poll::Ready(Some(Err(axum::Error::new(BodyFault::TooSlow { idle }))));
        };
        this.pause = None;
        if let Some(Ok(frame)) = &frame {
            this.seen_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            if this.seen_bytes > this.limits.max_bytes {
                let fault = BodyFault::TooLarge { max_bytes: this.limits.max_bytes };
                return Poll::Ready(Some(Err(axum::Error::new(fault))));
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The problem of a body that could not be read.
pub fn read_failure(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(fault) = current.downcast_ref::<BodyFault>() {
            return Problem::from(*fault);
        }
        cause = current.source();
    }
    Problem::new(ProblemType::Malformed).detail("the body broke off")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BodyLimits = BodyLimits { max_bytes: 4, idle: Duration::from_secs(10) };

    async fn read(body: Body) -> Result<Bytes, ProblemType> {
        axum::body::to_bytes(body, usize::MAX).await.map_err(|error| read_failure(&error).kind())
    }

    #[tokio::test]
    async fn a_body_ends_where_it_becomes_too_large() {
        assert_eq!(read(bounded(Body::from("four"), LIMITS)).await.unwrap(), "four");
        assert_eq!(read(bounded(Body::from("fives"), LIMITS)).await, Err(ProblemType::PayloadTooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_pauses_too_long_is_not_waited_for() {
        let (_sender, receiver) = tokio::io::duplex(16);
        let stalled = Body::new(http_body_util::StreamBody::new(tokio_stream(receiver)));
        assert_eq!(read(bounded(stalled, LIMITS)).await, Err(ProblemType::Timeout));
    }

    /// The bytes of a pipe as frames.
    fn tokio_stream(
        pipe: tokio::io::DuplexStream,
    ) -> impl futures::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send + 'static {
        futures::stream::unfold(pipe, |mut pipe| async {
            let mut bytes = [0; 4];
            let count = tokio::io::AsyncReadExt::read(&mut pipe, &mut bytes).await;
            let frame = count.map(|count| Frame::data(Bytes::copy_from_slice(&bytes[..count])));
            Some((frame, pipe))
        })
    }

    #[test]
    fn a_length_that_is_announced_too_large_is_refused_at_once() {
        let headers = |length: u64| [(header::CONTENT_LENGTH, length.into())].into_iter().collect();
        assert_eq!(check_announced(&headers(4), LIMITS), Ok(()));
        assert!(check_announced(&headers(5), LIMITS).is_err());
        assert_eq!(check_announced(&HeaderMap::new(), LIMITS), Ok(()));
    }
}
