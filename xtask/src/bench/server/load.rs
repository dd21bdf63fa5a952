//! Load from wrk, a process of its own: the same generator for every server.

use super::super::process;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

const SCRIPT: &str = include_str!("wrk.lua");
/// How long an answer may take before it counts as an error.
const PATIENCE: &str = "20s";

/// How hard a server is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pressure {
    /// Connections that are kept open, each of which asks again as soon as it has its answer.
    pub(super) connections: u32,
    pub(super) seconds: u32,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) url: String,
    /// An access token, for servers that want to know who asks.
    pub(super) token: Option<String>,
}

/// What wrk measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Figures {
    pub(super) requests: u64,
    duration_us: u64,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    /// Connections that were refused.
    connect: u64,
    read: u64,
    write: u64,
    timeout: u64,
    /// Answers that were no success.
    status: u64,
}

impl Figures {
    pub(super) fn per_second(&self) -> f64 {
        self.requests as f64 / (self.duration_us as f64 / 1e6)
    }

    /// Requests that had no answer or none that is a success, and connections that were refused.
    pub(super) fn errors(&self) -> u64 {
        self.connect + self.read + self.write + self.timeout + self.status
    }
}

/// wrk, with what makes it say its figures.
#[derive(Debug)]
pub(super) struct Generator {
    script: PathBuf,
    folder: PathBuf,
}

impl Generator {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let script = folder.join("wrk.lua");
        std::fs::write(&script, SCRIPT)?;
        // It says its version and fails, because it was not told what to do.
        let started = process::command("wrk", folder).arg("-v").output();
        started.context("`wrk` could not be started; install it with `scripts/setup bench`")?;
        Ok(Self { script, folder: folder.to_owned() })
    }

    /// Asks for `target` as hard as `pressure` says.
    pub(super) fn press(&self, target: &Target, pressure: Pressure) -> Result<Figures> {
        // One thread makes several times the requests that a server can answer on the other cores of a small machine.
        let mut command = process::command("wrk", &self.folder);
        command.args(["--threads", "1", "--timeout", PATIENCE, "--script"]).arg(&self.script);
        command.args(["--connections", &pressure.connections.to_string()]);
        command.args(["--duration", &format!("{}s", pressure.seconds)]);
        if let Some(token) = &target.token {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        read_figures(&process::read_output(command.arg(&target.url))?)
    }
}

fn read_figures(printed: &str) -> Result<Figures> {
    let line = printed.lines().find(|line| line.starts_with('{')).context("wrk said no figures")?;
    serde_json::from_str(line).with_context(|| format!("wrk said `{line}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_among_what_wrk_prints() {
        let printed = "Running 2s test @ http://127.0.0.1:1/\n  1 threads and 10 connections\nRequests/sec: 5\n\
            {\"requests\":5000,\"duration_us\":2000000,\"p50_us\":100,\"p99_us\":300,\"connect\":1,\"read\":2,\"write\":3,\"timeout\":4,\"status\":5}\n";
        let figures = read_figures(printed).unwrap();
        assert!((figures.per_second() - 2500.0).abs() < f64::EPSILON);
        assert_eq!((figures.errors(), figures.p50_us, figures.p99_us), (15, 100, 300));
        assert!(read_figures("unable to connect").is_err());
    }
}
