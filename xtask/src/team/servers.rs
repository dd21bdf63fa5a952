//! The servers that a team shares: PostgreSQL, Redis and an S3 server, each on a port of its own, gone when they are dropped.

use crate::process::{self, program::Program};
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const START_PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(20);
/// Keeps a server of PostgreSQL for as long as somebody holds a lock; the tests use it too.
const KEEPER: &str = "crates/platform/src/testing/postgres.sh";
const BUCKET: &str = "pressroom";
/// Good on this machine, for as long as the servers run.
const ACCESS_KEY: &str = "team";
const SECRET: &str = "a-secret-for-one-run";

/// A port that nobody listens on now.
pub(crate) fn find_free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A PostgreSQL whose folder goes with it.
#[derive(Debug)]
pub(crate) struct Postgres {
    address: SocketAddr,
    keeper: Option<Program>,
    /// Locked while the server is needed.
    user: File,
}

impl Postgres {
    /// Starts an empty server in a new folder, as its own user where this runs as root.
    pub(crate) fn start(root: &Path, folder: &Path) -> Result<Self> {
        let folder = make_new_folder(folder, "postgres")?;
        // The user whom the server runs as must get into it.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        let user = File::create(folder.join("users.lock"))?;
        user.lock_shared()?;
        let address = find_free_address()?;
        let mut command = process::command("sh", root);
        command.arg(root.join(KEEPER)).arg(&folder).arg(address.port().to_string()).arg(find_postgres_programs()?);
        command.args(["1", "max_connections=300"]);
        let keeper = Program::start(&mut command, &folder.with_extension("log"))?;
        let mut started = Self { address, keeper: Some(keeper), user };
        started.wait_until_ready(&folder)?;
        Ok(started)
    }

    /// The address of its one database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.address)
    }

    fn wait_until_ready(&mut self, folder: &Path) -> Result<()> {
        let began = Instant::now();
        loop {
            // It takes connections before it lets anybody in; `pg_isready` tells the two apart.
            let mut ready = process::command(find_postgres_programs()?.join("pg_isready"), folder);
            ready.args(["--quiet", "--host", "127.0.0.1", "--port", &self.address.port().to_string()]);
            if ready.status().is_ok_and(|status| status.success()) {
                return Ok(());
            }
            let has_ended = self.keeper.as_mut().is_none_or(|keeper| keeper.has_ended().unwrap_or(true));
            if has_ended || began.elapsed() > START_PATIENCE {
                bail!("PostgreSQL did not start; {} says why", folder.join("log").display());
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Without its lock the keeper stops the server and removes the folder, and then ends by itself.
        let _ = self.user.unlock();
        let began = Instant::now();
        while let Some(keeper) = &mut self.keeper {
            if keeper.has_ended().unwrap_or(true) || began.elapsed() > START_PATIENCE {
                break;
            }
            thread::sleep(POLL);
        }
    }
}

/// Debian keeps them out of the search path, a folder for each version; elsewhere they are on it.
fn find_postgres_programs() -> Result<PathBuf> {
    let has_programs = |bin: &PathBuf| bin.join("initdb").exists();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(has_programs).max();
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    let found = newest.or_else(|| std::env::split_paths(&search_path).find(has_programs));
    found.context("PostgreSQL not found; install it with `scripts/setup team`")
}

/// Starts a Redis that keeps nothing, and returns its address with it.
pub(crate) fn start_redis(folder: &Path) -> Result<(Program, String)> {
    let address = find_free_address()?;
    let mut command = process::command("redis-server", folder);
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--requirepass", SECRET]).stdout(std::process::Stdio::null());
    let mut redis = Program::start(&mut command, &folder.join("redis.log"))?;
    wait_until_listening(address, &mut redis, "redis-server")?;
    Ok((redis, format!("redis://:{SECRET}@{address}/0")))
}

/// An S3 server that keeps its objects in a folder.
#[derive(Debug)]
pub(crate) struct ObjectServer {
    _program: Program,
    address: SocketAddr,
}

impl ObjectServer {
    /// Starts it with one empty bucket.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let objects = make_new_folder(folder, "objects")?;
        fs::create_dir(objects.join(BUCKET))?;
        let address = find_free_address()?;
        let mut command = process::command(find_rclone(), folder);
        command.args(["serve", "s3", "--addr", &address.to_string(), "--auth-key", &format!("{ACCESS_KEY},{SECRET}")]);
        // What is written is listed at once, and nothing of the user's own settings is read.
        command.args(["--vfs-cache-mode", "off", "--dir-cache-time", "0", "--config", "/dev/null"]).arg(&objects);
        let mut program = Program::start(&mut command, &folder.join("objects.log"))?;
        wait_until_listening(address, &mut program, "rclone")?;
        Ok(Self { _program: program, address })
    }

    /// What a program that keeps its files there has in its environment.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("PRESSROOM_STORAGE_URL", format!("s3://{BUCKET}")),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }
}

/// The one that set-up fetched, since that of Debian 12 serves no S3; else the one of the search path.
fn find_rclone() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let fetched = cache.map(|cache| cache.join("pressroom-tests/rclone/rclone"));
    fetched.filter(|program| program.exists()).unwrap_or_else(|| PathBuf::from("rclone"))
}

fn make_new_folder(folder: &Path, name: &str) -> Result<PathBuf> {
    let made = folder.join(name);
    if made.exists() {
        fs::remove_dir_all(&made).with_context(|| format!("{} stays", made.display()))?;
    }
    fs::create_dir_all(&made)?;
    Ok(made)
}

fn wait_until_listening(address: SocketAddr, program: &mut Program, name: &str) -> Result<()> {
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        ensure!(!program.has_ended()?, "`{name}` ended at its start; install it with `scripts/setup team`");
        ensure!(began.elapsed() < START_PATIENCE, "`{name}` does not listen on {address}");
        thread::sleep(POLL);
    }
    Ok(())
}
