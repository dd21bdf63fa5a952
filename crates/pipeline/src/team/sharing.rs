//! The side of the job whose work is shared out.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use platform::jobs::{Company, Held, JobsError, NewPiece};
use tokio_util::sync::CancellationToken;

use super::{Team, payload};
use crate::{
    ExchangeError, FileRef, Key, Made, Stage, StageError,
    exchange::SharedArtifact,
    run::{Work, decode, encode},
    store::Record,
};

/// How often it looks what helpers made: while there is work here, and while there is none.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const IDLE_LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// How often it looks which workers there are.
const COMPANY_INTERVAL: Duration = Duration::from_secs(2);

/// How often it asks for helpers. The pause doubles while those that were asked for make nothing.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Artifacts fetched at a time before the work begins.
const FETCHES: usize = 4;

/// The items of one stage while they are made together.
pub(super) struct Sharing<'a, S: Stage> {
    team: &'a Team,
    work: &'a Work<'a, S>,
    weights: &'a [f64],
    /// The items that are missing, by the name of their piece: equal items are one piece.
    open: HashMap<String, Vec<usize>>,
    /// Pieces that are made here, or fetched.
    busy: HashSet<String>,
    /// Pieces that somebody removed without having made them.
    lost: HashSet<String>,
    made: HashMap<usize, Made<S::Output>>,
    /// What was made here before there was somebody to share it with.
    unshared: Vec<(Made<S::Output>, Duration)>,
    company: Company,
    /// When to look again which workers there are.
    next_company: Instant,
    recruiting: Recruiting,
    /// Whether what items are made from was shared.
    are_inputs_shared: bool,
}

/// When to ask for helpers again.
struct Recruiting {
    next: Instant,
    pause: Duration,
}

/// What was waited for.
enum Event<O> {
    /// A piece to make here, none, or no answer.
    Taken(Result<Option<String>, JobsError>),
    /// What became of a piece here, and how long it took.
    Ended(String, Result<Made<O>, StageError>, Duration),
    /// What is laid out still.
    Looked(Result<Vec<Held>, JobsError>),
    /// Which other workers there are.
    Counted(Result<Company, JobsError>),
    /// A piece was fetched, or cannot be had.
    Fetched(String, Option<Made<O>>),
    /// Helpers are asked for, and whether what items are made from is shared now.
    Recruited(Result<bool, TeamError>),
    /// Something was told to others, as far as it could be.
    Told,
}

type Events<'a, O> = FuturesUnordered<BoxFuture<'a, Event<O>>>;

/// What goes on while pieces are made.
struct Course<'a, O> {
    events: Events<'a, O>,
    cancellation: CancellationToken,
    /// Pieces in work here, and how many there may be.
    lanes: usize,
    concurrency: usize,
    /// Whether there may be something to take, and whether that is being asked.
    may_take: bool,
    is_taking: bool,
    is_looking: bool,
    next_look: Instant,
    first_error: Option<StageError>,
}

impl<'a, S: Stage> Sharing<'a, S> {
    pub(super) fn new(team: &'a Team, work: &'a Work<'a, S>, missing: Vec<usize>, weights: &'a [f64]) -> Self {
        let mut open: HashMap<String, Vec<usize>> = HashMap::new();
        for index in missing {
            open.entry(work.keys[index].to_string()).or_default().push(index);
        }
        Self {
            team,
            work,
            weights,
            open,
            busy: HashSet::new(),
            lost: HashSet::new(),
            made: HashMap::new(),
            unshared: Vec::new(),
            company: Company::default(),
            next_company: Instant::now(),
            recruiting: Recruiting { next: Instant::now(), pause: FIRST_PAUSE },
            are_inputs_shared: false,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn into_made(self) -> HashMap<usize, Made<S::Output>> {
        self.made
    }

    /// What is missing still, and what is made.
    pub(super) fn into_parts(self) -> (Vec<usize>, HashMap<usize, Made<S::Output>>) {
        (self.open.into_values().flatten().collect(), self.made)
    }

    /// Fetches what was made and shared before, by whomever.
    pub(super) async fn take_over(&mut self) -> Result<(), StageError> {
        let (team, work) = (self.team, self.work);
        let keys: Vec<Key> = self.open.values().map(|indexes| work.keys[indexes[0]]).collect();
        let fetching = async {
            let found = team.exchange.find(&keys).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "what others made cannot be looked up");
                HashMap::new()
            });
            let fetches = found.into_iter().map(|(key, artifact)| async move {
                (key, keep(team, work, key, artifact).await.inspect_err(|error| tracing::debug!(%error, "not fetched")))
            });
            stream::iter(fetches).buffer_unordered(FETCHES).collect::<Vec<_>>().await
        };
        let cancellation = &work.run.cancellation;
        let fetched = cancellation.run_until_cancelled(fetching).await.ok_or(StageError::Cancelled)?;
        for (key, made) in fetched {
            if let Ok(Some(made)) = made {
                self.settle(&key.to_string(), &Made { reused: true, ..made });
            }
        }
        Ok(())
    }

    /// Lays out a piece for each item that is missing.
    pub(super) async fn lay_out(&self) -> Result<(), JobsError> {
        let fault = |source| JobsError::Payload { kind: self.work.stage.name(), source };
        let piece = |(name, indexes): (&String, &Vec<usize>)| {
            let payload = payload::write(self.work.inputs[indexes[0]]).map_err(fault)?;
            Ok(NewPiece { name: name.clone(), weight: self.weights[indexes[0]], payload })
        };
        let pieces: Vec<NewPiece> = self.open.iter().map(piece).collect::<Result<_, JobsError>>()?;
        self.team.pieces.lay_out(&pieces).await
    }

    /// Makes pieces until all are there, here or elsewhere. The first failure stops what is made here, and is returned.
    pub(super) async fn work_off(&mut self, concurrency: usize) -> Result<(), StageError> {
        let mut course = Course {
            events: FuturesUnordered::new(),
            cancellation: self.work.run.cancellation.child_token(),
            lanes: 0,
            concurrency,
            may_take: true,
            is_taking: false,
            is_looking: false,
            next_look: Instant::now(),
            first_error: None,
        };
        loop {
            if course.wants_piece() {
                course.is_taking = true;
                course.events.push(self.take());
            }
            let is_over = course.first_error.is_some() || (self.is_done() && course.events.is_empty());
            if course.lanes == 0 && is_over {
                break;
            }
            let goes_on = course.first_error.is_none();
            // Nothing of this waits for others anywhere else: the pieces in work here move on only while it waits here.
            tokio::select! {
                Some(event) = course.events.next(), if !course.events.is_empty() => self.handle(event, &mut course),
                () = tokio::time::sleep_until(course.next_look.into()), if goes_on && !course.is_looking && !self.is_done() => {
                    course.is_looking = true;
                    self.look(&mut course);
                }
                () = course.cancellation.cancelled(), if goes_on => course.first_error = Some(StageError::Cancelled),
            }
        }
        course.first_error.map_or(Ok(()), Err)
    }

    fn handle(&mut self, event: Event<S::Output>, course: &mut Course<'a, S::Output>) {
        match event {
            Event::Taken(taken) => {
                course.is_taking = false;
                self.begin_taken(taken, course);
            }
            Event::Ended(name, result, elapsed) => {
                course.lanes -= 1;
                course.may_take = true;
                self.end(name, result, elapsed, course);
            }
            Event::Looked(held) => {
                course.is_looking = false;
                course.may_take = true;
                course.next_look = Instant::now() + if course.lanes == 0 { IDLE_LOOK_INTERVAL } else { LOOK_INTERVAL };
                match held {
                    Ok(held) => self.see(&held, course),
                    Err(error) => tracing::debug!(%error, "pieces cannot be looked at"),
                }
            }
            Event::Counted(Ok(company)) => {
                self.company = company;
                if company.strangers > 0 && !self.unshared.is_empty() {
                    course.events.push(self.share_all());
                }
                self.recruit(course);
            }
            Event::Fetched(name, fetched) => {
                self.busy.remove(&name);
                course.may_take = true;
                if let Some(made) = fetched {
                    self.recruiting.pause = FIRST_PAUSE;
                    self.settle(&name, &made);
                }
            }
            Event::Recruited(Ok(are_shared)) => self.are_inputs_shared |= are_shared,
            Event::Recruited(Err(error)) => tracing::warn!(%error, "helpers cannot be asked for"),
            Event::Counted(Err(error)) => tracing::debug!(%error, "other workers cannot be counted"),
            Event::Told => {}
        }
    }

    /// Asks for a piece to make here.
    fn take(&self) -> BoxFuture<'a, Event<S::Output>> {
        let pieces = &self.team.pieces;
        async move { Event::Taken(pieces.take().await.map(|piece| piece.map(|piece| piece.name))) }.boxed()
    }

    fn begin_taken(&mut self, taken: Result<Option<String>, JobsError>, course: &mut Course<'a, S::Output>) {
        let name = match taken {
            // One that is there or in work already was laid out for nothing.
            Ok(Some(name)) if !self.open.contains_key(&name) || self.busy.contains(&name) => return,
            Ok(Some(name)) => Some(name),
            Ok(None) => self.heaviest(|name| self.lost.contains(name)),
            // The work goes on without a word to others: what two make is the same.
            Err(error) => {
                tracing::debug!(%error, "pieces cannot be taken");
                self.heaviest(|_| true)
            }
        };
        let Some(name) = name.filter(|_| course.first_error.is_none()) else {
            course.may_take = false;
            return;
        };
        self.busy.insert(name.clone());
        course.lanes += 1;
        let (work, index, cancellation) = (self.work, self.first_of(&name), course.cancellation.clone());
        let make = async move {
            let begun = Instant::now();
            let result = work.make_one(index, cancellation).await;
            Event::Ended(name, result, begun.elapsed())
        };
        course.events.push(make.boxed());
    }

    fn heaviest(&self, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
        let open = self.open.iter().filter(|(name, _)| !self.busy.contains(*name) && is_wanted(name));
        let weight = |indexes: &[usize]| self.weights[indexes[0]];
        open.max_by(|a, b| weight(a.1).total_cmp(&weight(b.1)).then(b.0.cmp(a.0))).map(|(name, _)| name.clone())
    }

    fn end(
        &mut self,
        name: String,
        result: Result<Made<S::Output>, StageError>,
        elapsed: Duration,
        course: &mut Course<'a, S::Output>,
    ) {
        match result {
            Ok(made) => course.events.push(self.hand_in(name, &made, elapsed)),
            Err(error) if course.first_error.is_none() => {
                // Those that run are told to stop and waited for, so that their children are gone.
                course.cancellation.cancel();
                let item = self.work.progress.item(self.first_of(&name)).item();
                course.first_error = Some(error.at(self.work.stage.name(), item));
            }
            Err(_) => {}
        }
    }

    /// Notes what was made here, and shares it where there is somebody to share it with.
    fn hand_in(&mut self, name: String, made: &Made<S::Output>, elapsed: Duration) -> BoxFuture<'a, Event<S::Output>> {
        let team = self.team;
        self.unshared.push((made.clone(), elapsed));
        let share = (self.company.strangers > 0).then(|| self.share_all());
        // The first of equal items has told of itself.
        let first = self.open.get_mut(&name).filter(|indexes| !indexes.is_empty()).map(|indexes| indexes.remove(0));
        self.made.extend(first.map(|first| (first, made.clone())));
        self.settle(&name, made);
        async move {
            if let Some(share) = share {
                share.await;
            }
            collect(team, &name).await;
            Event::Told
        }
        .boxed()
    }

    /// Shares what was made here.
    fn share_all(&mut self) -> BoxFuture<'a, Event<S::Output>> {
        let (team, work, unshared) = (self.team, self.work, std::mem::take(&mut self.unshared));
        async move {
            for (made, elapsed) in &unshared {
                if let Err(error) = offer(team, work, made, *elapsed).await {
                    tracing::warn!(%error, "what was made is not shared");
                }
            }
            Event::Told
        }
        .boxed()
    }

    /// Looks what helpers made, and now and then which other workers there are.
    fn look(&mut self, course: &mut Course<'a, S::Output>) {
        let pieces = &self.team.pieces;
        course.events.push(async move { Event::Looked(pieces.look().await) }.boxed());
        if Instant::now() >= self.next_company {
            self.next_company = Instant::now() + COMPANY_INTERVAL;
            course.events.push(async move { Event::Counted(pieces.company().await) }.boxed());
        }
    }

    /// Fetches what helpers made.
    fn see(&mut self, held: &[Held], course: &mut Course<'a, S::Output>) {
        let laid_out: HashSet<&str> = held.iter().map(|held| held.name.as_str()).collect();
        self.lost = self.open.keys().filter(|name| !laid_out.contains(name.as_str())).cloned().collect();
        for held in held.iter().filter(|held| held.is_made && self.open.contains_key(&held.name)) {
            if self.busy.insert(held.name.clone()) {
                course.events.push(self.fetch(held.name.clone()));
            }
        }
    }

    fn fetch(&self, name: String) -> BoxFuture<'a, Event<S::Output>> {
        let (team, work, index) = (self.team, self.work, self.first_of(&name));
        async move {
            let fetched = fetch(team, work, work.keys[index]).await;
            let fetched = fetched.inspect_err(|error| tracing::debug!(%error, "a piece cannot be fetched"));
            let fetched = fetched.ok().flatten();
            if fetched.is_some() {
                collect(team, &name).await;
            } else {
                tracing::warn!(piece = name, "what a helper made cannot be had; it is made again");
                if let Err(error) = team.pieces.reopen(&name).await {
                    tracing::debug!(%error, "a piece cannot be opened again");
                }
            }
            Event::Fetched(name, fetched)
        }
        .boxed()
    }

    /// Asks for as many helpers as there are workers that do nothing, as long as there is something for them to do.
    fn recruit(&mut self, course: &mut Course<'a, S::Output>) {
        let left = self.open.len().saturating_sub(self.busy.len());
        let wanted = self.company.idle.min(left).saturating_sub(self.company.waiting);
        let is_due = wanted > 0 && Instant::now() >= self.recruiting.next;
        let count = if is_due { wanted } else { 0 };
        let has_to_share = self.company.strangers > 0 && !self.are_inputs_shared;
        if count == 0 && !has_to_share {
            return;
        }
        let files = if has_to_share { self.input_files() } else { Vec::new() };
        if is_due {
            self.recruiting.next = Instant::now() + self.recruiting.pause;
            self.recruiting.pause = (self.recruiting.pause * 2).min(LONGEST_PAUSE);
        }
        let (team, run) = (self.team, &self.work.run.shared);
        let recruit = async move {
            team.exchange.offer_files(&files, &run.store).await?;
            if count > 0 {
                team.pieces.recruit(&team.helper, count).await?;
            }
            Ok(has_to_share)
        };
        course.events.push(async move { Event::Recruited(recruit.await) }.boxed());
    }

    /// The kept files that items are made from.
    fn input_files(&self) -> Vec<FileRef> {
        let inputs = self.open.values().map(|indexes| serde_json::to_value(self.work.inputs[indexes[0]]));
        let mut files: Vec<FileRef> = inputs.flat_map(|input| FileRef::all_in(&input.unwrap_or_default())).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    fn settle(&mut self, name: &str, made: &Made<S::Output>) {
        self.busy.remove(name);
        for index in self.open.remove(name).unwrap_or_default() {
            if made.reused {
                self.work.progress.item(index).reused();
            } else {
                self.work.progress.item(index).made();
            }
            self.made.insert(index, made.clone());
        }
    }

    fn first_of(&self, name: &str) -> usize {
        self.open.get(name).and_then(|indexes| indexes.first()).copied().unwrap_or_default()
    }
}

impl<O> Course<'_, O> {
    fn wants_piece(&self) -> bool {
        self.may_take && !self.is_taking && self.first_error.is_none() && self.lanes < self.concurrency
    }
}

/// Why no helpers could be asked for.
#[derive(Debug, thiserror::Error)]
enum TeamError {
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error(transparent)]
    Jobs(#[from] JobsError),
}

async fn collect(team: &Team, name: &str) {
    if let Err(error) = team.pieces.collect(name).await {
        tracing::debug!(%error, "a piece stays laid out");
    }
}

/// An artifact that another made: from the data folder where that is shared, else from the exchange.
async fn fetch<S: Stage>(team: &Team, work: &Work<'_, S>, key: Key) -> Result<Option<Made<S::Output>>, ExchangeError> {
    let here = work.run.shared.store.find(&[key]).await?;
    if let Some(made) = here.get(&key).and_then(|output| decode::<S>(key, output)) {
        return Ok(Some(Made { reused: false, ..made }));
    }
    match team.exchange.find(&[key]).await?.remove(&key) {
        Some(artifact) => keep(team, work, key, artifact).await,
        None => Ok(None),
    }
}

/// Brings a shared artifact into the data folder.
async fn keep<S: Stage>(
    team: &Team,
    work: &Work<'_, S>,
    key: Key,
    artifact: SharedArtifact,
) -> Result<Option<Made<S::Output>>, ExchangeError> {
    let Some(made) = decode::<S>(key, &artifact.output) else { return Ok(None) };
    let run = &work.run.shared;
    team.exchange.fetch_files(&FileRef::all_in(&artifact.output), run).await?;
    let (stage, version) = (work.stage.name(), work.stage.version());
    let SharedArtifact { output, elapsed } = artifact;
    run.store.save(Record { key, stage, version, output, elapsed }).await?;
    Ok(Some(Made { reused: false, ..made }))
}

async fn offer<S: Stage>(
    team: &Team,
    work: &Work<'_, S>,
    made: &Made<S::Output>,
    elapsed: Duration,
) -> Result<(), ExchangeError> {
    let (stage, version) = (work.stage.name(), work.stage.version());
    let record = Record { key: made.key, stage, version, output: encode(work.stage, &made.output)?, elapsed };
    team.exchange.offer(&record, &work.run.shared.store).await
}
