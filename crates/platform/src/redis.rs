//! Redis, or a server that speaks like it, such as Valkey: one connection that everybody shares and that comes back by itself.
//!
//! Nothing that must not be lost lives only here. Whoever uses it says what happens while it is away.

mod circuit;

use std::{sync::Arc, time::Duration};

use ::redis::{
    AsyncConnectionConfig, Client, ErrorKind, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection, PubSub},
};
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use self::circuit::{Circuit, Outcome};
use crate::server::health::{Component, Need};

/// How long those may wait who have something to fall back on.
const SOON: Duration = Duration::from_millis(100);
/// How long a connection may take to stand, and a command to be answered.
const TIME_LIMIT: Duration = Duration::from_secs(2);
/// How long to wait at most between two tries to reach a server that is away.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(2);
/// What every key begins with, so that other programs can use the same database.
const PREFIX: &str = "pressroom";

/// Why an address is none of a server of Redis.
#[derive(Debug, thiserror::Error)]
#[error("this is no address of Redis ({reason}); write `redis://HOST:6379/0`, or `rediss://…` for TLS, in `REDIS_URL`")]
pub struct AddressError {
    reason: String,
}

/// Redis does not answer, or not in time. Why stands in the log, once for all who meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Redis is away")]
pub struct Away;

/// A server of Redis. Clones share the connection.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    shared: ConnectionManager,
    circuit: Arc<Circuit>,
    soon: Duration,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address holds the password.
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// The server at `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`. It need not be there yet: the first command connects.
    pub fn open(address: &SecretString) -> Result<Self, AddressError> {
        let client = Client::open(address.expose_secret()).map_err(|error| address_error(&error))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(TIME_LIMIT))
            .set_response_timeout(Some(TIME_LIMIT))
            .set_max_delay(MAX_RETRY_DELAY)
            .set_number_of_retries(1);
        let shared =
            ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(|error| address_error(&error))?;
        Ok(Self { client, shared, circuit: Arc::new(Circuit::new()), soon: SOON })
    }

    /// The same server, with another time that an answer may take whose asker has something to fall back on.
    #[must_use]
    pub fn patient(self, soon: Duration) -> Self {
        Self { soon, ..self }
    }

    /// Asks on the shared connection for an answer that has to come soon. While the server is away it costs nothing: who
    /// asks is told so at once.
    pub async fn soon<T, F, Fut>(&self, ask: F) -> Result<T, Away>
    where
        F: FnOnce(ConnectionManager) -> Fut,
        Fut: Future<Output = Result<T, RedisError>>,
    {
        if !self.circuit.admits() {
            return Err(Away);
        }
        match tokio::time::timeout(self.soon, ask(self.shared())).await {
            Ok(Ok(answer)) => {
                self.circuit.note(Outcome::Answered, &"");
                Ok(answer)
            }
            Ok(Err(error)) => {
                self.circuit.note(Outcome::Failed, &error);
                Err(Away)
            }
            Err(_) => {
                self.circuit.note(Outcome::Late, &format_args!("no answer within {} ms", self.soon.as_millis()));
                Err(Away)
            }
        }
    }

    /// Whether it answered those who asked last.
    pub fn is_up(&self) -> bool {
        self.circuit.is_up()
    }

    /// The connection that everybody shares: for commands that are answered at once.
    pub fn shared(&self) -> ConnectionManager {
        self.shared.clone()
    }

    /// A connection of one's own: for commands that wait, such as a blocking read.
    pub async fn own(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(TIME_LIMIT)).set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// A connection of one's own that hears what is published.
    pub async fn pubsub(&self) -> Result<PubSub, RedisError> {
        let connected = tokio::time::timeout(TIME_LIMIT, self.client.get_async_pubsub()).await;
        connected.unwrap_or_else(|_| Err((ErrorKind::Io, "no connection in time").into()))
    }

    /// Whether the server answers.
    pub async fn ping(&self) -> Result<(), RedisError> {
        ::redis::cmd("PING").query_async(&mut self.shared()).await
    }

    /// The key of `name` in an `area` of ours, such as `limit` or `cache`.
    pub fn key(area: &str, name: impl std::fmt::Display) -> String {
        format!("{PREFIX}:{area}:{name}")
    }
}

fn address_error(error: &RedisError) -> AddressError {
    // The error's own text may hold the address, and with it the password.
    AddressError { reason: error.category().to_owned() }
}

/// Redis as a part of the server: useful, since whoever uses it has something to fall back on.
#[derive(Debug, Clone)]
pub struct RedisHealth(pub Redis);

#[async_trait]
impl Component for RedisHealth {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn need(&self) -> Need {
        Need::Useful
    }

    async fn check(&self) -> Result<(), String> {
        self.0.ping().await.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::RedisServer;

    #[test]
    fn a_wrong_address_is_told_without_its_password() {
        let error = Redis::open(&"http://user:secret@host".into()).unwrap_err().to_string();
        assert!(error.contains("`redis://HOST:6379/0`"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn who_needs_an_answer_soon_does_not_wait_for_a_server_that_is_away() {
        let server = RedisServer::start();
        let redis = Redis::open(&server.url()).unwrap().patient(Duration::from_secs(20));
        let ping = |mut connection: ConnectionManager| async move {
            ::redis::cmd("PING").query_async::<String>(&mut connection).await
        };
        assert_eq!(redis.soon(ping).await, Ok("PONG".to_owned()));
        server.stop();
        assert_eq!(redis.soon(ping).await, Err(Away));
        assert!(!redis.is_up());
        let begun = std::time::Instant::now();
        for _ in 0..1000 {
            assert_eq!(redis.soon(ping).await, Err(Away));
        }
        assert!(begun.elapsed() < Duration::from_millis(900), "a thousand took {:?}", begun.elapsed());
        server.restart();
        let is_back = async {
            while redis.soon(ping).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), is_back).await.expect("it comes back");
        assert!(redis.is_up());
    }

    #[tokio::test]
    async fn a_server_that_was_away_is_found_again() {
        let server = RedisServer::start();
        let redis = Redis::open(&server.url()).unwrap();
        redis.ping().await.unwrap();
        server.stop();
        assert!(redis.ping().await.is_err());
        server.restart();
        let is_back = async {
            while redis.ping().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), is_back).await.expect("it comes back");
    }
}
