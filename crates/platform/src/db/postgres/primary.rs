//! The server of PostgreSQL that takes writes: found among those of the address, watched, and found again after a failover.
//!
//! Work waits for it while it is looked for. Connections to the server before it are thrown away, and what still waited for an
//! answer there fails as with a lost connection.

use std::{io, sync::Arc, time::Duration};

use sea_orm::{
    DbErr,
    sqlx::{self, Connection as _, PgConnection, PgPool, postgres::PgConnectOptions},
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    pool::{Epoch, connect_options, pool_options},
    position::{self, Position},
    question::{Askers, Question, question},
};
use crate::db::{
    DbFault, DbOptions, Servers,
    error::{is_lost, is_of_pooler, lost},
};

/// How often the server is asked whether it still takes writes.
const TICK: Duration = Duration::from_secs(1);
/// How long it may take to answer that.
const LINK_LIMIT: Duration = Duration::from_secs(5);
/// How long a connection may take to stand while servers are tried one after another.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// The wait before all are tried again.
const SEARCH_WAIT: Duration = Duration::from_millis(200);
/// What a statement may take beyond its own limit and the wait for a connection, before its connection is given up.
const GRACE: Duration = Duration::from_secs(5);

/// The server that takes writes. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Primary {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: watch::Sender<State>,
    /// Somebody lost a connection.
    wake: Notify,
    position: Question<Position>,
    acquire_timeout: Duration,
    time_limit: Duration,
}

#[derive(Debug)]
struct State {
    is_serving: bool,
    /// Called when the connections that there are lead to the wrong server.
    moved: CancellationToken,
}

/// Why the connection to the server is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Closed,
    Hung,
    ReadOnly,
}

impl Primary {
    /// Finds the server and makes the pool of its connections. It is watched until `stop`.
    pub(super) async fn open(
        servers: &Servers,
        options: &DbOptions,
        stop: CancellationToken,
    ) -> Result<(Self, PgPool), sqlx::Error> {
        let servers: Vec<_> =
            servers.urls().iter().map(|url| connect_options(url, options)).collect::<Result<_, _>>()?;
        let (current, link) = find_within(&servers, options.acquire_timeout).await?;
        let epoch = Epoch::default();
        let pool = pool_options(options, epoch.clone()).connect_lazy_with(servers[current].clone());
        let (position, askers) = question();
        let state = watch::Sender::new(State { is_serving: true, moved: CancellationToken::new() });
        let time_limit = options.acquire_timeout + options.statement_timeout + GRACE;
        let acquire_timeout = options.acquire_timeout;
        let shared = Arc::new(Shared { state, wake: Notify::new(), position, acquire_timeout, time_limit });
        let pilot =
            Pilot { shared: shared.clone(), pool: pool.clone(), epoch, servers, current, link: Some(link), askers };
        tokio::spawn(async move { stop.run_until_cancelled(pilot.run()).await });
        Ok((Self { shared }, pool))
    }

    /// Runs `work` once the server is known, and until it is another.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let moved = self.admit().await?;
        let bounded = tokio::time::timeout(self.shared.time_limit, work);
        let done = tokio::select! {
            biased;
            done = bounded => done.unwrap_or_else(|_| Err(lost(io::ErrorKind::TimedOut, "no answer in time"))),
            () = moved.cancelled() => Err(has_moved()),
        };
        if let Err(error) = &done {
            self.note(error);
        }
        done
    }

    /// Waits until there is a server that takes writes. What is returned is called when it is another.
    pub(crate) async fn admit(&self) -> Result<CancellationToken, DbErr> {
        let mut state = self.shared.state.subscribe();
        let serving = tokio::time::timeout(self.shared.acquire_timeout, state.wait_for(|state| state.is_serving)).await;
        match serving {
            Ok(Ok(state)) => Ok(state.moved.clone()),
            _ => Err(lost(io::ErrorKind::NotConnected, "no server of `DATABASE_URL` takes writes now")),
        }
    }

    /// A lost connection is a reason to look for the server.
    pub(crate) fn note(&self, error: &DbErr) {
        if is_lost(error) {
            self.shared.state.send_if_modified(|state| std::mem::replace(&mut state.is_serving, false));
            self.shared.wake.notify_one();
        }
    }

    /// Where the server is: what was committed before this call lies before it.
    pub(super) async fn position(&self, at_most: Duration) -> Option<Position> {
        self.shared.position.ask(at_most).await
    }
}

/// What was begun on a server that takes writes no more.
pub(crate) fn has_moved() -> DbErr {
    lost(io::ErrorKind::ConnectionAborted, "the database is served by another server now")
}

/// Watches the server, and finds another when it is gone.
struct Pilot {
    shared: Arc<Shared>,
    pool: PgPool,
    epoch: Epoch,
    servers: Vec<PgConnectOptions>,
    current: usize,
    link: Option<Link>,
    askers: Askers<Position>,
}

/// The connection that the server is watched over.
struct Link {
    connection: PgConnection,
    /// The database cluster behind it; 0 where the server does not tell.
    system: u64,
}

impl Pilot {
    async fn run(mut self) {
        loop {
            tokio::select! {
                () = self.askers.wait() => {}
                () = self.shared.wake.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
            self.askers.gather();
            match self.look().await {
                Ok(position) => {
                    self.set_serving();
                    self.askers.answer(&position);
                }
                Err(loss) => {
                    self.askers.refuse();
                    self.search(loss).await;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Position, Loss> {
        let link = self.link.as_mut().ok_or(Loss::Closed)?;
        let question = position::of_primary(&mut link.connection, link.system);
        let answer = tokio::time::timeout(LINK_LIMIT, question).await;
        let loss = match answer {
            Ok(Ok(Some(position))) => return Ok(position),
            Ok(Ok(None)) => Loss::ReadOnly,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the connection that watches the database was lost");
                Loss::Closed
            }
            Err(_) => Loss::Hung,
        };
        self.link = None;
        Err(loss)
    }

    /// Tries all servers, the one that was used first, until one takes writes.
    async fn search(&mut self, loss: Loss) {
        if matches!(loss, Loss::Closed | Loss::ReadOnly) {
            self.shared.state.send_modify(|state| state.is_serving = false);
        }
        let mut is_told = false;
        loop {
            match find(&self.servers, self.current).await {
                Ok((found, link)) => return self.settle(found, link, loss),
                Err(error) if !is_told => {
                    is_told = true;
                    tracing::warn!(%error, servers = self.servers.len(), "no server of the database takes writes");
                }
                Err(_) => {}
            }
            self.shared.state.send_modify(|state| state.is_serving = false);
            self.askers.refuse();
            tokio::time::sleep(SEARCH_WAIT).await;
        }
    }

    fn settle(&mut self, found: usize, link: Link, loss: Loss) {
        let is_other = found != self.current;
        (self.current, self.link) = (found, Some(link));
        if is_other {
            let server = self.servers[found].clone();
            tracing::warn!(
                host = server.get_host(),
                port = server.get_port(),
                "the database is served by another server"
            );
            self.pool.set_connect_options(server);
        }
        self.epoch.condemn();
        // Work that waits for an answer of the server before may wait for ever.
        if is_other || loss == Loss::ReadOnly {
            self.shared.state.send_modify(|state| {
                std::mem::take(&mut state.moved).cancel();
            });
        }
        self.set_serving();
    }

    fn set_serving(&self) {
        self.shared.state.send_if_modified(|state| !std::mem::replace(&mut state.is_serving, true));
    }
}

/// Finds a server within a time, as one that is just starting is waited for. A wrong password needs no second try.
async fn find_within(servers: &[PgConnectOptions], limit: Duration) -> Result<(usize, Link), sqlx::Error> {
    let started = Instant::now();
    let mut wait = Duration::from_millis(20);
    loop {
        match find(servers, 0).await {
            Err(error) if is_transient(&error) && started.elapsed() + wait < limit => {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(SEARCH_WAIT);
            }
            found => return found,
        }
    }
}

/// The first server from `start` on that takes writes, and a connection to it.
async fn find(servers: &[PgConnectOptions], start: usize) -> Result<(usize, Link), sqlx::Error> {
    let mut failure = sqlx::Error::PoolTimedOut;
    for index in (start..servers.len()).chain(0..start) {
        match tokio::time::timeout(CONNECT_LIMIT, connect(&servers[index])).await {
            Ok(Ok(link)) => return Ok((index, link)),
            // Of several the most telling is told: one that is no server at all says least.
            Ok(Err(error)) if !is_transient(&error) || matches!(failure, sqlx::Error::PoolTimedOut) => failure = error,
            _ => {}
        }
    }
    Err(failure)
}

async fn connect(server: &PgConnectOptions) -> Result<Link, sqlx::Error> {
    let mut connection = PgConnection::connect_with(server).await?;
    if position::of_primary(&mut connection, 0).await?.is_none() {
        connection.close().await?;
        return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the server takes no writes").into());
    }
    // Only a replica needs to know, and says so itself where it is not told.
    let system = position::identity(&mut connection).await.map_or(0, |identity| identity.system);
    Ok(Link { connection, system })
}

fn is_transient(error: &sqlx::Error) -> bool {
    DbFault::of_sqlx(error) == DbFault::Unavailable && !is_of_pooler(error)
}
