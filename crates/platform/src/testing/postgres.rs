//! A real PostgreSQL for tests, started by the first test that needs it and removed after the last, also when tests are killed.
#![expect(clippy::disallowed_methods, reason = "a server for tests, which outlives the test that starts it")]

use std::{
    fs::{self, File, OpenOptions},
    io,
    net::TcpListener,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr as _,
    sync::OnceLock,
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};
use sea_orm::sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

const SCRIPT: &str = include_str!("postgres.sh");

/// How long a server may take to be set up and to answer: a second where nobody else works, minutes where many build.
const START_TIMEOUT: Duration = Duration::from_mins(4);

/// How long the shared server waits for another test.
const SHARED_PATIENCE_SECONDS: u32 = 15;

/// Settings that trade safety against loss of power, which no test has, for speed.
const QUICK: &[&str] = &["fsync=off", "full_page_writes=off", "max_connections=400", "shared_buffers=64MB"];

/// A server that runs for as long as this process lives, or longer where other tests use it.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    port: u16,
    /// A lock that ends with this process, however it ends.
    _user: File,
}

impl PostgresServer {
    /// The server that all tests of this user share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(|| {
            let user = rustix::process::geteuid().as_raw();
            let folder = std::env::temp_dir().join(format!("pressroom-tests-postgres-{user}"));
            Self::attach(folder, SHARED_PATIENCE_SECONDS, QUICK)
        })
    }

    /// A server for one test, which may stop it; it goes, with its folder, soon after the last use.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn own(settings: &[&str]) -> Self {
        let own = tempfile::Builder::new().prefix("pressroom-test-postgres-").tempdir();
        let folder = own.unwrap_or_else(|error| panic!("no folder for a server: {error}")).keep();
        // The user whom the server runs as must get into it.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&folder, open).unwrap_or_else(|error| panic!("{error}"));
        Self::attach(folder, 1, settings)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Stops the server as a crash would; it comes back at once.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn crash(&self) {
        let killed = Command::new("kill").args(["-QUIT", &self.pid()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the server is not there to be stopped");
    }

    /// Lets no file of the server grow beyond so many bytes, or lets all grow again. Where a file ends within a page, the server
    /// takes that for a full disk.
    ///
    /// # Panics
    ///
    /// When that cannot be set.
    pub fn limit_files(&self, max_bytes: Option<u64>) {
        let limit = max_bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let set = |pid: &str| {
            // As the user whom the server runs as: root may not where it has not all that belongs to it.
            let is_root = rustix::process::geteuid().is_root();
            let user: &[_] = &["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"];
            let prlimit = ["prlimit", "--pid", pid, &format!("--fsize={limit}:")];
            let command = [if is_root { user } else { &[] }, &prlimit].concat();
            let set = Command::new(command[0]).args(&command[1..]).output();
            set.is_ok_and(|output| output.status.success())
        };
        let keeper = self.pid();
        // First the one whose limit those have that are still to come.
        assert!(set(&keeper), "no limit for the files of process {keeper}");
        let children = || fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).unwrap_or_default();
        for pid in children().split_whitespace() {
            // One that has just ended writes no file any more.
            let is_set = set(pid) || !children().split_whitespace().any(|other| other == pid);
            assert!(is_set, "no limit for the files of process {pid}");
        }
    }

    /// The process whose children serve connections.
    fn pid(&self) -> String {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
        file.lines().next().unwrap_or_default().to_owned()
    }

    fn attach(folder: PathBuf, patience_seconds: u32, settings: &[&str]) -> Self {
        let user = join(&folder);
        let _starter = lock(&folder.join("start.lock"), FlockOperation::LockExclusive);
        let running = fs::read_to_string(folder.join("port")).ok().and_then(|text| text.trim().parse().ok());
        let port = running
            .filter(|port| wait_until_ready(*port, START_TIMEOUT / 4))
            .unwrap_or_else(|| start(&folder, patience_seconds, settings));
        Self { folder, port, _user: user }
    }
}

/// While somebody holds the lock that this returns, the server stays.
///
/// Whoever takes a server down holds it alone and removes its file: who waited for that one begins again with a new one.
fn join(folder: &Path) -> File {
    let path = folder.join("users.lock");
    loop {
        fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let Some(file) = try_lock(&path, FlockOperation::LockShared) else { continue };
        let is_same = |there: fs::Metadata| file.metadata().is_ok_and(|locked| locked.ino() == there.ino());
        if fs::metadata(&path).is_ok_and(is_same) {
            return file;
        }
    }
}

fn lock(path: &Path, operation: FlockOperation) -> File {
    try_lock(path, operation).unwrap_or_else(|| panic!("{}: its folder is gone", path.display()))
}

/// `None` when the folder of the file is gone.
fn try_lock(path: &Path, operation: FlockOperation) -> Option<File> {
    let file = match OpenOptions::new().create(true).truncate(false).write(true).read(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        file => file.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    };
    flock(&file, operation).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(file)
}

fn start(folder: &Path, patience_seconds: u32, settings: &[&str]) -> u16 {
    fs::remove_dir_all(folder.join("data")).ok();
    let port = free_port().unwrap_or_else(|error| panic!("no port for a server: {error}"));
    let spawned = Command::new("sh")
        .args(["-c", SCRIPT, "postgres.sh"])
        .arg(folder)
        .arg(port.to_string())
        .arg(find_programs())
        .arg(patience_seconds.to_string())
        .args(settings)
        // What interrupts the tests does not interrupt the one who cleans up after them.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut keeper = spawned.unwrap_or_else(|error| panic!("sh: {error}"));
    if !wait_until_ready(port, START_TIMEOUT) {
        // The next to try must not meet a server that is still on its way.
        keeper.kill().and_then(|()| keeper.wait()).ok();
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start; install it with `scripts/setup test`. It said: {log}");
    }
    std::thread::spawn(move || drop(keeper.wait()));
    fs::write(folder.join("port"), port.to_string()).unwrap_or_else(|error| panic!("{error}"));
    port
}

/// A program that runs as the user of the server, because it refuses to run as root, and ends with this process.
pub(super) fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Lets the user of the server write into a folder of the test.
pub(super) fn make_folder(folder: &Path) {
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(folder, open).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}

pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Debian keeps the programs of a server out of the search path, a folder for each version; elsewhere they are on it.
pub(super) fn find_programs() -> PathBuf {
    let has_programs = |bin: &PathBuf| bin.join("initdb").exists();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(has_programs).max();
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    newest
        .or_else(|| std::env::split_paths(&search_path).find(has_programs))
        .unwrap_or_else(|| panic!("PostgreSQL not found; install it with `scripts/setup test`"))
}

/// Asks on a thread of its own, because tests call this from inside a runtime.
pub(super) fn wait_until_ready(port: u16, patience: Duration) -> bool {
    let asking = std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return false };
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        // A pooler takes no settings of a session.
        let options = PgConnectOptions::from_str(&url).map(|options| options.extra_float_digits(None));
        let Ok(options) = options else { return false };
        let started = Instant::now();
        while started.elapsed() < patience {
            let answer = runtime.block_on(async { PgConnection::connect_with(&options).await?.ping().await });
            if answer.is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    });
    asking.join().unwrap_or(false)
}
