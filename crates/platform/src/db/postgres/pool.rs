//! How connections to PostgreSQL are made, and which of them are thrown away.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::sqlx::{
    self, ConnectOptions as _, Connection as _,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use url::Url;

use crate::db::{DbOptions, Pooler};

/// A connection that was idle for longer is asked whether it still lives before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// How long a connection may take to say that it lives.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// Connections that were made before it are thrown away: they lead to a server that takes writes no more.
#[derive(Debug, Clone, Default)]
pub(super) struct Epoch(Arc<Mutex<Option<Instant>>>);

impl Epoch {
    /// All connections that there are by now are used no more.
    pub(super) fn condemn(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_condemned(&self, age: Duration) -> bool {
        let condemned = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        condemned.is_some_and(|before| age > before.elapsed())
    }
}

/// How a connection to the server at `url` is made.
pub(super) fn connect_options(url: &Url, options: &DbOptions) -> Result<PgConnectOptions, sqlx::Error> {
    let connect = PgConnectOptions::from_url(url)?.application_name("pressroom").disable_statement_logging();
    Ok(match options.pooler {
        Pooler::None => connect.options([
            ("statement_timeout", options.statement_timeout.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", options.idle_transaction_timeout.as_millis().to_string()),
        ]),
        // Settings of a session are not for a pooler, which gives each transaction to any session, and neither are statements
        // that are prepared for later.
        Pooler::Transaction => connect.extra_float_digits(None).statement_cache_capacity(0),
    })
}

/// What comes first in each transaction behind a pooler: others may have prepared statements under our names in the session,
/// and the limits of time hold for this transaction alone.
pub(super) fn prelude(options: &DbOptions) -> Option<Arc<str>> {
    let limits = format!(
        "DEALLOCATE ALL; SET LOCAL statement_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}",
        options.statement_timeout.as_millis(),
        options.idle_transaction_timeout.as_millis()
    );
    (options.pooler == Pooler::Transaction).then(|| limits.into())
}

/// A pool whose connections are bounded in number, age and idleness.
pub(super) fn pool_options(options: &DbOptions, epoch: Epoch) -> PgPoolOptions {
    let at_release = epoch.clone();
    PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .max_lifetime(options.max_lifetime)
        .idle_timeout(options.idle_timeout)
        // Asking before every use would double the round trips.
        .test_before_acquire(false)
        .before_acquire(move |connection, state| {
            let is_condemned = epoch.is_condemned(state.age);
            Box::pin(async move {
                if is_condemned || state.idle_for < TRUSTED_IDLE {
                    return Ok(!is_condemned);
                }
                Ok(tokio::time::timeout(PING_LIMIT, connection.ping()).await.is_ok_and(|answer| answer.is_ok()))
            })
        })
        .after_release(move |_, state| {
            let is_condemned = at_release.is_condemned(state.age);
            Box::pin(async move { Ok(!is_condemned) })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_sentence_is_condemned_and_what_comes_after_is_not() {
        let epoch = Epoch::default();
        assert!(!epoch.is_condemned(Duration::from_hours(1)));
        epoch.condemn();
        assert!(epoch.is_condemned(Duration::from_hours(1)));
        assert!(!epoch.is_condemned(Duration::ZERO));
    }
}
