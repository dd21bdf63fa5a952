//! The server that is measured: a database, an account, a server on a port of its own.

use super::super::process;
use super::load::Target;
use crate::http::{self, Request};
use crate::process::program::Program;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const EMAIL: &str = "bench@example.org";
/// More than anybody can ask in a minute: what is measured are answers, not refusals.
const UNITS: &str = "4294967295";
const START_PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(1);
const TASK_PATIENCE: Duration = Duration::from_mins(2);

/// Which database is behind a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A data folder, a migrated database and somebody who may use it.
#[derive(Debug)]
pub(super) struct Installation {
    pub(super) backend: Backend,
    /// The address of the database.
    pub(super) database: String,
    pressroom: PathBuf,
    data: PathBuf,
    password: String,
}

impl Installation {
    /// Makes one with an account in `folder`, on the database at `postgres` or on a file.
    pub(super) fn make(pressroom: &Path, folder: &Path, postgres: Option<&str>) -> Result<Self> {
        let data = folder.join(if postgres.is_some() { "data-postgres" } else { "data-sqlite" });
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("{} stays", data.display()))?;
        }
        std::fs::create_dir_all(&data)?;
        // Whatever the settings of whoever runs this are.
        std::fs::write(data.join("settings.toml"), "")?;
        let (backend, database) = match postgres {
            Some(address) => (Backend::Postgres, address.to_owned()),
            None => (Backend::Sqlite, data.join("server.db").display().to_string()),
        };
        let mut made = Self { backend, database, pressroom: pressroom.to_owned(), data, password: String::new() };
        let printed = process::read_output(made.command().args(["user", "create", "--admin", "--json", EMAIL]))?;
        let account: Value = serde_json::from_str(printed.trim())?;
        account["password"].as_str().context("an account has a password")?.clone_into(&mut made.password);
        Ok(made)
    }

    /// Starts the server on it, and says how many seconds passed until it was ready.
    pub(super) fn start(&self) -> Result<(Server, f64)> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = self.command();
        command.args(["serve", "--listen", &address.to_string()]).stdout(std::process::Stdio::null());
        let started = Instant::now();
        let mut program = Program::start(&mut command, &self.data.join("log"))?;
        while !is_ready(address) {
            if started.elapsed() > START_PATIENCE || program.has_ended()? {
                bail!("the server did not get ready; {} says why", self.data.join("log").display());
            }
            thread::sleep(POLL);
        }
        let ready_s = started.elapsed().as_secs_f64();
        Ok((Server { program, address, password: self.password.clone() }, ready_s))
    }

    fn command(&self) -> Command {
        let mut command = process::command(&self.pressroom, &self.data);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PRESSROOM_")) {
            command.env_remove(name);
        }
        command.env_remove("SECRET_KEY").env("DATABASE_URL", &self.database);
        command.env("PRESSROOM_DATA", &self.data).env("PRESSROOM_CONFIG", self.data.join("settings.toml"));
        command.env("PRESSROOM_SERVER_USER_UNITS_PER_MINUTE", UNITS);
        command.env("PRESSROOM_SERVER_ADDRESS_UNITS_PER_MINUTE", UNITS);
        command
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let ready = Request { method: "GET", path: "/readyz", token: None, headers: &[] };
    http::ask(address, ready).is_ok_and(|answer| answer.status == 200)
}

/// A server that is ready.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) program: Program,
    pub(super) address: SocketAddr,
    password: String,
}

impl Server {
    /// A fresh access token, which is good for a quarter of an hour.
    pub(super) fn sign_in(&self) -> Result<String> {
        let post = Request { method: "POST", path: "/api/v1/auth/login", token: None, headers: &[] };
        let body = json!({"email": EMAIL, "password": self.password});
        let session = http::ask_json(self.address, post, &body)?.json(200)?;
        let token = session["tokens"]["access_token"].as_str().context("who signs in gets a token")?;
        Ok(token.to_owned())
    }

    /// Makes a task and waits for its end, so that it is the same whenever it is asked for; returns its id.
    pub(super) fn make_task(&self) -> Result<String> {
        let token = self.sign_in()?;
        let post = Request { method: "POST", path: "/api/v1/audios", token: Some(&token), headers: &[] };
        let task = http::ask_json(self.address, post, &json!({"script": "Hello."}))?.json(202)?;
        let id = task["id"].as_str().context("a task has an id")?.to_owned();
        let path = format!("/api/v1/tasks/{id}");
        let started = Instant::now();
        loop {
            let task = http::ask(self.address, Request::get(&path, &token))?.json(200)?;
            match task["state"].as_str() {
                Some("succeeded" | "failed" | "cancelled") => return Ok(id),
                _ if started.elapsed() > TASK_PATIENCE => bail!("the task does not end: {task}"),
                _ => thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// `path` for wrk, as the owner of all there is.
    pub(super) fn target(&self, path: &str) -> Result<Target> {
        Ok(Target { url: format!("http://{}{path}", self.address), token: Some(self.sign_in()?) })
    }
}
