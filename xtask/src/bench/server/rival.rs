//! The server to compare with, in Python: fetched once into a folder of its own, and started on Pressroom's database.

use super::super::{process, say};
use super::load::Target;
use crate::http::{self, Request};
use crate::process::program::Program;
use anyhow::{Context, Result, bail};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const SOURCE: &str = include_str!("rival.py");
const REQUIREMENTS: &str = include_str!("rival-requirements.txt");
const WORKERS: &str = "2";
const START_PATIENCE: Duration = Duration::from_mins(1);

/// What the rival needs, in place.
#[derive(Debug)]
pub(super) struct Rival {
    folder: PathBuf,
}

impl Rival {
    /// Makes its environment in `folder`, where it is not there already.
    pub(super) fn prepare(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("rival.py"), SOURCE)?;
        let rival = Self { folder: folder.to_owned() };
        let installed = folder.join("installed.txt");
        if std::fs::read_to_string(&installed).is_ok_and(|there| there == REQUIREMENTS) {
            return Ok(rival);
        }
        say("fetching FastAPI, uvicorn and SQLAlchemy")?;
        let wanted = folder.join("requirements.txt");
        std::fs::write(&wanted, REQUIREMENTS)?;
        let make = process::read_output(process::command("python3", folder).args(["-m", "venv", "--clear", "venv"]));
        make.context("Python needs its module `venv`; install it with `scripts/setup bench`")?;
        let mut install = process::command(rival.python(), folder);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        process::read_output(install.arg(&wanted))?;
        std::fs::rename(wanted, installed)?;
        Ok(rival)
    }

    /// Starts it on the PostgreSQL at `database`; it is asked for `path` by whoever Pressroom's `token` says.
    pub(super) fn start(&self, database: &str, path: &str, token: &str) -> Result<(Program, Target)> {
        let token = process::read_output(process::command(self.python(), &self.folder).args(["rival.py", token]))?;
        let token = token.trim().to_owned();
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = process::command(self.python(), &self.folder);
        command.env("RIVAL_DATABASE", database.replacen("postgres://", "postgresql+asyncpg://", 1));
        command.args(["-m", "uvicorn", "rival:app", "--workers", WORKERS, "--loop", "uvloop", "--http", "httptools"]);
        command.args(["--no-access-log", "--log-level", "warning", "--port", &address.port().to_string()]);
        let log = self.folder.join("log");
        let mut program = Program::start(&mut command, &log)?;
        let started = Instant::now();
        loop {
            match http::ask(address, Request::get(path, &token)) {
                Ok(answer) => {
                    answer.read(200).with_context(|| format!("{} may say why", log.display()))?;
                    break;
                }
                Err(_) if started.elapsed() < START_PATIENCE && !program.has_ended()? => {
                    thread::sleep(Duration::from_millis(100));
                }
                Err(error) => bail!("the rival does not start: {error:#}; {} says why", log.display()),
            }
        }
        Ok((program, Target { url: format!("http://{address}{path}"), token: Some(token) }))
    }

    fn python(&self) -> PathBuf {
        self.folder.join("venv/bin/python")
    }
}
