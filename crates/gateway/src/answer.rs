//! The body of an answer on its way to a client: passed on as it comes, no faster than the client takes it, and holding
//! what the request holds until it ends.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::{
    sync::mpsc,
    time::{Sleep, sleep, timeout},
};

use crate::{
    client::Busy,
    connection::Line,
    upload::UploadWatch,
    upstream::{Admission, Failure, Others},
};

/// Why an answer breaks off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerFault {
    #[error("the upstream broke off: {0}")]
    Upstream(#[from] hyper::Error),
    #[error("the upstream was silent for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the client took nothing for too long")]
    NotTaken,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// The gateway's own, or none.
    Own(Option<Bytes>),
    Relayed(Relayed),
    /// Relayed by a task of its own, which notices when it is not taken.
    Pumped(Pumped),
}

/// What a task relays.
#[derive(Debug)]
pub(crate) struct Pumped {
    pieces: mpsc::Receiver<Piece>,
    is_over: bool,
}

#[derive(Debug)]
enum Piece {
    Frame(Frame<Bytes>),
    Fault(AnswerFault),
    /// Said, not concluded from silence: half an answer must not look like a whole one.
    End,
}

/// What an upstream sends.
#[derive(Debug)]
pub(crate) struct Relayed {
    body: Incoming,
    held: Option<Held>,
    idle: Duration,
    silence: Option<Pin<Box<Sleep>>>,
}

/// What a request holds until its answer is over.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) admission: Admission,
    pub(crate) line: Option<Line>,
    pub(crate) upload: Option<Arc<UploadWatch>>,
    pub(crate) max_idle_connections: usize,
    /// Counts the request as under way.
    pub(crate) _busy: Busy,
}

impl Held {
    /// The answer is over: the connection may be used again, if the request is over as well.
    fn release(mut self) {
        if self.upload.as_ref().is_none_or(|upload| upload.is_ended())
            && let Some(line) = self.line.take()
        {
            self.admission.upstream().idle_connections().put(line, self.max_idle_connections);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.abandon();
        }
    }
}

impl AnswerBody {
    /// An answer that is passed on. `idle` is how long the upstream may be silent.
    pub(crate) fn relay(body: Incoming, held: Held, idle: Duration) -> Self {
        if body.is_end_stream() {
            held.release();
            return Self::Own(None);
        }
        Self::Relayed(Relayed { body, held: Some(held), idle, silence: None })
    }

    /// The same, relayed by a task which gives up once a piece is not taken for `limit`.
    ///
    /// Over HTTP/2 a client can stop one answer and go on with others, so the connection does not tell, as it does for
    /// HTTP/1.1; and a body is not asked while it is not taken, so it could not tell itself.
    pub(crate) fn pumped(self, limit: Duration) -> Self {
        let Self::Relayed(mut relayed) = self else { return self };
        let (sender, pieces) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let piece = match relayed.frame().await {
                    Some(Ok(frame)) => Piece::Frame(frame),
                    Some(Err(fault)) => Piece::Fault(fault),
                    None => Piece::End,
                };
                let is_last = !matches!(piece, Piece::Frame(_));
                let is_taken = matches!(timeout(limit, sender.send(piece)).await, Ok(Ok(())));
                if is_last || !is_taken {
                    return;
                }
            }
        });
        Self::Pumped(Pumped { pieces, is_over: false })
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        match &mut *self {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relayed(relayed) => Pin::new(relayed).poll_frame(context),
            Self::Pumped(pumped) => pumped.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Relayed(relayed) => relayed.is_end_stream(),
            Self::Pumped(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Relayed(relayed) => relayed.size_hint(),
            Self::Pumped(_) => SizeHint::default(),
        }
    }
}

impl Pumped {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let piece = ready!(self.pieces.poll_recv(context));
        self.is_over = !matches!(piece, Some(Piece::Frame(_)));
        Poll::Ready(match piece {
            Some(Piece::Frame(frame)) => Some(Ok(frame)),
            Some(Piece::Fault(fault)) => Some(Err(fault)),
            Some(Piece::End) => None,
            None => Some(Err(AnswerFault::NotTaken)),
        })
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = AnswerFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = this.poll_piece(context) else {
            let idle = this.idle;
            ready!(this.silence.get_or_insert_with(|| Box::pin(sleep(idle))).as_mut().poll(context));
            return Poll::Ready(Some(Err(this.fail(AnswerFault::Silent(idle)))));
        };
        this.silence = None;
        match frame {
            Some(Ok(frame)) => {
                // Whoever knows the length does not ask for an end after the last byte.
                if this.body.is_end_stream() {
                    this.release();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(this.fail(error.into())))),
            None => {
                this.release();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Relayed {
    /// The next piece. What was asked for has to be brought by the connection, which nobody else drives.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let there = Pin::new(&mut self.body).poll_frame(context);
        let Some(line) = self.held.as_mut().filter(|_| there.is_pending()).and_then(|held| held.line.as_mut()) else {
            return there;
        };
        line.drive(context);
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn release(&mut self) {
        if let Some(held) = self.held.take() {
            held.release();
        }
    }

    fn fail(&mut self, fault: AnswerFault) -> AnswerFault {
        if let Some(mut held) = self.held.take() {
            tracing::warn!(upstream = %held.admission.upstream().address(), error = %fault, "an answer broke off");
            // Too late for another upstream to answer. Whether others are well matters for answers only.
            held.admission.failed(Failure::Broken, Others::Ill);
        }
        fault
    }
}
