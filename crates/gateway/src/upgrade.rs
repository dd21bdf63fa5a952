//! Web sockets: two connections whose bytes are passed on as they are, until one side ends, both are silent, or the
//! gateway is to end.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::answer::Held;

/// How long both sides may take to turn their connections over once both said that they will.
const SWITCH_LIMIT: Duration = Duration::from_secs(10);

/// All web sockets of a gateway.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) tasks: TaskTracker,
    /// Ends them where they are.
    pub(crate) cut: CancellationToken,
    /// How long both sides of one may be silent.
    pub(crate) idle: Duration,
}

impl Sockets {
    /// Passes bytes on between both, in a task of its own. What the request held is held until it ends.
    pub(crate) fn join(&self, client: OnUpgrade, upstream: OnUpgrade, held: Held) {
        let (cut, idle) = (self.cut.clone(), self.idle);
        self.tasks.spawn(async move {
            let address = held.admission.upstream().address();
            if let Some(Err(error)) = cut.run_until_cancelled(pass(client, upstream, idle)).await {
                tracing::debug!(upstream = %address, error = %error, "a web socket broke off");
            }
            drop(held);
        });
    }
}

async fn pass(client: OnUpgrade, upstream: OnUpgrade, idle: Duration) -> io::Result<()> {
    let both = timeout(SWITCH_LIMIT, async { tokio::try_join!(client, upstream) }).await;
    let (client, upstream) = both.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map_err(io::Error::other)?;
    let moved = Arc::new(AtomicU64::new(0));
    let mut client = Counting { stream: TokioIo::new(client), moved: moved.clone() };
    let mut upstream = TokioIo::new(upstream);
    let mut copying = std::pin::pin!(copy_bidirectional(&mut client, &mut upstream));
    let mut seen = 0;
    loop {
        tokio::select! {
            ended = copying.as_mut() => return ended.map(|_| ()),
            () = sleep(idle) => {
                let now = moved.load(Ordering::Relaxed);
                if now == seen {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "both sides were silent for too long"));
                }
                seen = now;
            }
        }
    }
}

/// A connection that counts its bytes, those it takes and those it gives.
struct Counting<T> {
    stream: T,
    moved: Arc<AtomicU64>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Counting<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.moved.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counting<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &result {
            self.moved.fetch_add(*count as u64, Ordering::Relaxed);
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
