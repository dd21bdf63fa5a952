//! The side of a helper: a worker that makes pieces of another's work.

use std::time::{Duration, Instant};

use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use kernel::ErrorKind;
use platform::jobs::{JobContext, JobsError, Piece, Pieces};
use serde::Deserialize as _;
use serde_json::Value;
use tokio::sync::Mutex;

use super::payload;
use crate::{
    Exchange, ExchangeError, FileRef, Made, Run, SharedStage, SourceRef, StageError,
    job::{Bench, InputFile, KnownFile},
    run::{encode, key_of},
    store::Record,
};

/// How long a helper goes on taking pieces. Then it ends, so that others have their turn, and is asked for again.
const STINT: Duration = Duration::from_mins(2);

/// Pieces that were made and are being shared while others are made.
const MAX_ON_THEIR_WAY: usize = 8;

/// What a helper works with.
#[derive(Debug)]
pub struct Helping<'a> {
    pieces: Pieces,
    exchange: Exchange,
    bench: &'a Bench,
    /// The user's files that may be needed; one at a time is brought here.
    files: Mutex<Vec<KnownFile>>,
}

/// What a helper waits for.
enum Event<O> {
    /// A piece, none, or no answer.
    Taken(Result<Option<Piece>, JobsError>),
    /// What became of a piece, and how long it took.
    Made(String, Result<(Made<O>, Duration), Refusal>),
    /// Whether a piece was made and told of.
    HandedIn(bool),
}

/// Why a piece was not made.
enum Refusal {
    /// This machine would make something else of it.
    Unable,
    Failed(StageError),
}

impl<'a> Helping<'a> {
    /// What a helper works with, none where the job helps no other. `files` are those of the job that it helps.
    pub async fn new(
        job: &JobContext,
        exchange: Exchange,
        bench: &'a Bench,
        files: &[InputFile],
    ) -> Result<Option<Self>, platform::jobs::JobError> {
        let Some(pieces) = job.pieces_of_parent() else { return Ok(None) };
        let files = Mutex::new(bench.find(files).await?);
        Ok(Some(Self { pieces, exchange, bench, files }))
    }

    /// Makes pieces, at most `concurrency` at once, until there are none left or others should have their turn. Returns how
    /// many it made.
    pub async fn work<S: SharedStage>(&self, run: &Run, stage: &S, concurrency: usize) -> Result<usize, StageError> {
        let (begun, mut events) = (Instant::now(), FuturesUnordered::new());
        let (mut in_work, mut on_their_way, mut made) = (0, 0, 0);
        let (mut goes_on, mut may_take, mut is_taking) = (true, true, false);
        loop {
            goes_on &= begun.elapsed() < STINT && !run.cancellation.is_cancelled();
            if goes_on && may_take && !is_taking && in_work < concurrency && on_their_way < MAX_ON_THEIR_WAY {
                is_taking = true;
                events.push(async { Event::Taken(self.pieces.take().await) }.boxed());
            }
            let Some(event) = events.next().await else { break };
            match event {
                Event::Taken(Ok(Some(piece))) => {
                    (is_taking, in_work) = (false, in_work + 1);
                    events.push(async move { self.make(run, stage, piece).await }.boxed());
                }
                Event::Taken(Ok(None)) => (is_taking, may_take) = (false, false),
                Event::Taken(Err(error)) => {
                    tracing::warn!(%error, "pieces of another's work cannot be taken");
                    goes_on = false;
                }
                Event::Made(name, result) => {
                    (in_work, on_their_way, may_take) = (in_work - 1, on_their_way + 1, true);
                    events.push(async move { Event::HandedIn(self.hand_in(run, stage, &name, result).await) }.boxed());
                }
                Event::HandedIn(is_made) => {
                    on_their_way -= 1;
                    made += usize::from(is_made);
                    goes_on &= is_made;
                }
            }
        }
        if run.cancellation.is_cancelled() { Err(StageError::Cancelled) } else { Ok(made) }
    }

    async fn make<S: SharedStage>(&self, run: &Run, stage: &S, piece: Piece) -> Event<S::Output> {
        let begun = Instant::now();
        let made = self.try_to_make(run, stage, &piece).await;
        Event::Made(piece.name, made.map(|made| (made, begun.elapsed())))
    }

    /// Shares what was made of a piece, and says so; `false` where there is nothing of it, and this helper is of no more use.
    async fn hand_in<S: SharedStage>(
        &self,
        run: &Run,
        stage: &S,
        name: &str,
        result: Result<(Made<S::Output>, Duration), Refusal>,
    ) -> bool {
        let shared = match result {
            Ok((made, elapsed)) => self.share(run, stage, &made, elapsed).await,
            Err(refusal) => Err(refusal),
        };
        let (is_made, told) = match shared {
            Ok(()) => (true, self.pieces.finish(name).await),
            Err(Refusal::Failed(StageError::Cancelled)) => (false, self.pieces.give_back(name).await),
            Err(Refusal::Unable) => {
                tracing::warn!(
                    "this worker makes other than another needs; give all workers the same version and FFmpeg"
                );
                (false, self.pieces.give_up(name).await)
            }
            Err(Refusal::Failed(error)) => {
                tracing::warn!(%error, "a piece of another's work could not be made here");
                (false, self.pieces.give_up(name).await)
            }
        };
        if let Err(error) = &told {
            tracing::debug!(%error, "a piece is not told of");
        }
        is_made && told.is_ok()
    }

    async fn try_to_make<S: SharedStage>(
        &self,
        run: &Run,
        stage: &S,
        piece: &Piece,
    ) -> Result<Made<S::Output>, Refusal> {
        let value = payload::read(&piece.payload).map_err(|_| Refusal::Unable)?;
        let input = S::Input::deserialize(&value).map_err(|_| Refusal::Unable)?;
        let is_the_same = key_of(stage, &input).is_ok_and(|key| key.to_string() == piece.name);
        if !is_the_same || !stage.can_make(&input).await? {
            return Err(Refusal::Unable);
        }
        self.provide(run, &value, &stage.sources(&input)).await?;
        Ok(run.make(stage, &input).await?)
    }

    /// Brings here what a piece is made from.
    async fn provide(&self, run: &Run, input: &Value, sources: &[&SourceRef]) -> Result<(), Refusal> {
        self.exchange.fetch_files(&FileRef::all_in(input), &run.shared).await?;
        for source in sources {
            // One at a time, also when two pieces need the same file.
            let mut files = self.files.lock().await;
            if run.shared.has_source(source.hash()) {
                continue;
            }
            let Some(index) = files.iter().position(|file| file.hash() == source.hash()) else { continue };
            let path = self
                .bench
                .lay_out_known(&files.swap_remove(index))
                .await
                .map_err(|error| Refusal::Failed(StageError::fail(ErrorKind::Unavailable, error.to_string())))?;
            run.import(&path).await?;
        }
        Ok(())
    }

    /// Shares what was made, where somebody keeps results elsewhere.
    async fn share<S: SharedStage>(
        &self,
        run: &Run,
        stage: &S,
        made: &Made<S::Output>,
        elapsed: Duration,
    ) -> Result<(), Refusal> {
        let company = self.pieces.company().await.map_err(|error| StageError::from_error(error.kind(), error))?;
        if company.strangers == 0 {
            return Ok(());
        }
        let output = encode(stage, &made.output).map_err(StageError::from)?;
        let record = Record { key: made.key, stage: stage.name(), version: stage.version(), output, elapsed };
        Ok(self.exchange.offer(&record, &run.shared.store).await?)
    }
}

impl From<StageError> for Refusal {
    fn from(error: StageError) -> Self {
        Self::Failed(error)
    }
}

impl From<ExchangeError> for Refusal {
    fn from(error: ExchangeError) -> Self {
        Self::Failed(StageError::from_error(error.kind(), error))
    }
}
