//! The server and its workers as programs: started, asked over HTTP, killed.

mod client;
mod deaths;
mod faults;
mod gateway;
mod health;
mod instances;
mod media;
mod team;

use std::{
    io::{BufRead as _, BufReader},
    process::Child,
};

use platform::{
    db::Backend,
    testing::{RedisServer, TestDb},
};
use secrecy::ExposeSecret as _;
use serde_json::Value;

pub(crate) use self::client::Client;
use crate::desk::Desk;

/// A machine of its own: a data folder, and a database in it or on the server of the tests.
pub(crate) struct Machine {
    pub(crate) desk: Desk,
    database: Option<TestDb>,
    redis: Option<RedisServer>,
}

/// A program of Pressroom that goes on until it is stopped; dropped, it is killed.
pub(crate) struct Running(Option<Child>);

impl Machine {
    pub(crate) async fn new(backend: Backend) -> Self {
        let database = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(TestDb::postgres().await),
        };
        Self { desk: Desk::new(), database, redis: None }
    }

    /// A machine whose database the test looks into as well.
    pub(crate) fn on(database: TestDb) -> Self {
        Self { desk: Desk::new(), database: Some(database), redis: None }
    }

    /// The same with a Redis, which its servers and workers share.
    pub(crate) fn with_redis(self, redis: Option<RedisServer>) -> Self {
        Self { redis, ..self }
    }

    pub(crate) fn database(&self) -> Option<&TestDb> {
        self.database.as_ref()
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        self.command_in("data", arguments)
    }

    /// A command with another data folder.
    fn command_in(&self, data: &str, arguments: &[&str]) -> std::process::Command {
        let mut command = self.desk.pressroom_in(data, arguments);
        command.env_remove("DATABASE_URL").env_remove("REDIS_URL").env_remove("SECRET_KEY");
        if let Some(database) = &self.database {
            command.env("DATABASE_URL", database.address());
        }
        if let Some(redis) = &self.redis {
            command.env("REDIS_URL", redis.url().expose_secret());
        }
        // Many tests ask from one address.
        command.env("PRESSROOM_SERVER_USER_UNITS_PER_MINUTE", "1000000");
        command.env("PRESSROOM_SERVER_ADDRESS_UNITS_PER_MINUTE", "1000000");
        command.env("PRESSROOM_IDENTITY_HASHING_MEMORY_KIB", "8192");
        command.env("PRESSROOM_IDENTITY_HASHING_PASSES", "1");
        command
    }

    /// A server that answers, and where.
    pub(crate) fn serve(&self, arguments: &[&str]) -> (Running, String) {
        self.listen(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat())
    }

    /// A worker that tells how it is, and where.
    pub(crate) fn work_watched(&self, arguments: &[&str]) -> (Running, String) {
        self.listen(&[&["worker", "--listen", "127.0.0.1:0"], arguments].concat())
    }

    /// What `pressroom health` says of an address: its code and its JSON.
    pub(crate) fn health(&self, address: &str) -> (Option<i32>, Value) {
        let output = self.command(&["health", address]).output().unwrap();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
    }

    fn listen(&self, arguments: &[&str]) -> (Running, String) {
        let (running, told) = self.run_until_listening(arguments);
        (running, format!("http://{}", told["address"].as_str().unwrap()))
    }

    /// A program that answers requests, and where, in its own words.
    pub(crate) fn run_until_listening(&self, arguments: &[&str]) -> (Running, Value) {
        let mut child = self.command(arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let told: Value = serde_json::from_str(&first).unwrap_or_default();
        if told["address"].as_str().is_none() {
            drop(child.kill());
            let output = child.wait_with_output().unwrap();
            panic!("no server: {first} {}", String::from_utf8_lossy(&output.stderr));
        }
        (Running(Some(child)), told)
    }

    /// A worker.
    pub(crate) fn work(&self, arguments: &[&str]) -> Running {
        Running(Some(self.command(&[&["worker"], arguments].concat()).spawn().unwrap()))
    }

    /// Makes a user, and signs in.
    pub(crate) fn sign_in(&self, address: &str, email: &str, role: &str) -> Client {
        let made = self.command(&["user", "create", email, "--role", role]).output().unwrap();
        let made: Value = serde_json::from_slice(&made.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&made.stderr)));
        Client::sign_in(address, email, made["password"].as_str().unwrap())
    }
}

impl Running {
    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().map(Child::id).unwrap_or_default()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Tells it to end, and waits until it did; returns its code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let mut child = self.0.take()?;
        let killed = crate::desk::program("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
