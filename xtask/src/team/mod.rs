//! A team on this machine, for looking at it and for measuring it: PostgreSQL, Redis, an S3 server, servers behind the gateway,
//! and workers whose data folders nobody else sees.

mod demo;
mod servers;

use crate::http::{self, Request};
use crate::process::{self, program::Program};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use servers::{ObjectServer, Postgres, find_free_address, start_redis};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use demo::run as run_demo;

const EMAIL: &str = "team@example.org";
const START_PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(200);

/// How large a team is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) servers: u32,
    pub(crate) workers: usize,
}

/// A team that works. What is dropped first is stopped first.
#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) workers: Vec<Program>,
    pub(crate) gateway: Program,
    /// Where the gateway listens.
    pub(crate) address: SocketAddr,
    password: String,
    _objects: ObjectServer,
    _redis: Program,
    _postgres: Postgres,
}

/// What every process of the team has in common.
#[derive(Debug)]
struct Installation {
    pressroom: PathBuf,
    folder: PathBuf,
    environment: Vec<(&'static str, String)>,
}

impl Team {
    /// Starts a team in `folder`; `said` hears of each part once it works.
    pub(crate) fn start(
        root: &Path,
        pressroom: &Path,
        folder: &Path,
        size: Size,
        mut said: impl FnMut(&str) -> Result<()>,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
        let postgres = Postgres::start(root, folder)?;
        said("PostgreSQL")?;
        let (redis, redis_url) = start_redis(folder)?;
        said("Redis")?;
        let objects = ObjectServer::start(folder)?;
        said("an S3 server")?;
        let mut environment = vec![
            ("DATABASE_URL", postgres.url()),
            ("REDIS_URL", redis_url),
            ("SECRET_KEY", "a secret of a team that lives for one run".to_owned()),
        ];
        environment.extend(objects.environment());
        let installation = Installation { pressroom: pressroom.to_owned(), folder: folder.to_owned(), environment };
        let password = installation.make_account()?;
        let (gateway, address) = installation.start_gateway(size.servers)?;
        said(&format!("{} servers behind the gateway at http://{address}", size.servers))?;
        let workers: Vec<_> =
            (1..=size.workers).map(|number| installation.start_worker(number)).collect::<Result<_>>()?;
        said(&format!("{} workers", size.workers))?;
        Ok(Self { workers, gateway, address, password, _objects: objects, _redis: redis, _postgres: postgres })
    }

    /// A fresh access token, which is good for a quarter of an hour.
    pub(crate) fn sign_in(&self) -> Result<String> {
        let post = Request { method: "POST", path: "/api/v1/auth/login", token: None, headers: &[] };
        let body = json!({"email": EMAIL, "password": self.password});
        let session = http::ask_json(self.address, post, &body)?.json(200)?;
        Ok(session["tokens"]["access_token"].as_str().context("who signs in gets a token")?.to_owned())
    }

    /// Waits until a task has ended well; `told` hears how far it is.
    pub(crate) fn wait_for(&self, task: &str, mut told: impl FnMut(&Value) -> Result<()>) -> Result<Value> {
        let path = format!("/api/v1/tasks/{task}");
        let mut token = (self.sign_in()?, Instant::now());
        loop {
            if token.1.elapsed() > Duration::from_mins(10) {
                token = (self.sign_in()?, Instant::now());
            }
            let task = http::ask(self.address, Request::get(&path, &token.0))?.json(200)?;
            match task["state"].as_str() {
                Some("succeeded") => return Ok(task),
                Some("failed" | "cancelled") => bail!("the task did not succeed: {task}"),
                _ => told(&task)?,
            }
            thread::sleep(POLL);
        }
    }

    /// Stops everything in order, and fails where something does not end.
    pub(crate) fn stop(self) -> Result<()> {
        for worker in self.workers {
            worker.stop()?;
        }
        self.gateway.stop()
    }
}

impl Installation {
    /// A command of Pressroom's that sees nothing of the settings of whoever runs this, and has a data folder of its own.
    fn command(&self, name: &str) -> Result<Command> {
        let data = self.folder.join(name);
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("{} stays", data.display()))?;
        }
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join("settings.toml"), "")?;
        let mut command = process::command(&self.pressroom, &data);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PRESSROOM_")) {
            command.env_remove(name);
        }
        command.env("PRESSROOM_DATA", &data).env("PRESSROOM_CONFIG", data.join("settings.toml"));
        command.env("PRESSROOM_LOG", "warn,pressroom=info,videos=info,pipeline=info,platform=info,gateway=info");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }

    /// Makes the tables and an admin, and returns the password.
    fn make_account(&self) -> Result<String> {
        let mut create = self.command("account")?;
        let printed = process::read_output(create.args(["user", "create", "--admin", "--json", EMAIL]))?;
        let account: Value = serde_json::from_str(printed.trim())?;
        Ok(account["password"].as_str().context("an account has a password")?.to_owned())
    }

    fn start_gateway(&self, servers: u32) -> Result<(Program, SocketAddr)> {
        let address = find_free_address()?;
        let mut command = self.command("gateway")?;
        let config = self.folder.join("gateway.toml");
        std::fs::write(&config, gateway_config(address, servers))?;
        command.args(["gateway", "--config"]).arg(&config).stdout(Stdio::null());
        let mut gateway = Program::start(&mut command, &self.folder.join("gateway.log"))?;
        let began = Instant::now();
        while !is_ready(address) {
            if began.elapsed() > START_PATIENCE || gateway.has_ended()? {
                bail!("the gateway did not get ready; {} says why", self.folder.join("gateway.log").display());
            }
            thread::sleep(POLL);
        }
        Ok((gateway, address))
    }

    fn start_worker(&self, number: usize) -> Result<Program> {
        let name = format!("worker-{number}");
        let mut command = self.command(&name)?;
        command.args(["worker", "--concurrency", "1"]).stdout(Stdio::null());
        Program::start(&mut command, &self.folder.join(format!("{name}.log")))
    }
}

fn gateway_config(address: SocketAddr, servers: u32) -> String {
    format!("[listen]\naddress = \"{address}\"\n\n[instances]\nmin = {servers}\nmax = {servers}\n")
}

fn is_ready(address: SocketAddr) -> bool {
    let ready = Request { method: "GET", path: "/readyz", token: None, headers: &[] };
    http::ask(address, ready).is_ok_and(|answer| answer.status == 200)
}
