//! A real S3 server for one test: rclone, which checks signatures and keeps a bucket in a folder.
#![expect(clippy::disallowed_methods, reason = "a server for tests")]
#![expect(clippy::missing_panics_doc, reason = "a test whose server does not start fails")]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use secrecy::SecretString;

use crate::{
    config::SecretError,
    storage::{Store, StoreOptions},
};

const KEY_ID: &str = "AKPRESSROOMTEST";
const SECRET: &str = "of-a-test";
const BUCKET: &str = "bucket";

/// How long a server may take to answer.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a store of a test may take to answer.
const STORE_TIMEOUT: Duration = Duration::from_secs(20);

/// A certificate with its key, and who vouches for it: files in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
}

/// A server with one bucket, for one test, which may stop it. It goes with this value, and with this process.
#[derive(Debug)]
pub struct S3Server {
    port: u16,
    folder: tempfile::TempDir,
    tls: Option<TlsFiles>,
    child: Mutex<Option<Child>>,
}

impl S3Server {
    /// Starts a server whose bucket is empty.
    pub fn start() -> Self {
        Self::with(None)
    }

    /// The same, over TLS.
    pub fn start_tls(files: TlsFiles) -> Self {
        Self::with(Some(files))
    }

    fn with(tls: Option<TlsFiles>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = listener.unwrap_or_else(|error| panic!("no port for a server: {error}")).port();
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for a server: {error}"));
        fs::create_dir(folder.path().join(BUCKET)).unwrap_or_else(|error| panic!("no bucket: {error}"));
        let server = Self { port, folder, tls, child: Mutex::new(None) };
        server.restart();
        server
    }

    /// What opens its bucket, with `path` behind the bucket's name.
    pub fn options(&self, path: &str) -> StoreOptions {
        let url = format!("s3://{BUCKET}{path}");
        let url = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        StoreOptions { url, ca_file: self.tls.as_ref().map(|tls| tls.ca.clone()), timeout: STORE_TIMEOUT }
    }

    /// What a variable of the environment is for who uses the server.
    pub fn variable(&self, name: &str) -> Option<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match name {
            "AWS_ACCESS_KEY_ID" => Some(KEY_ID.to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some(SECRET.to_owned()),
            "AWS_ENDPOINT_URL" => Some(format!("{scheme}://localhost:{}", self.port)),
            _ => None,
        }
    }

    /// The same, as a store looks it up.
    pub fn variables(&self) -> impl Fn(&str) -> Result<Option<SecretString>, SecretError> + Sync + '_ {
        |name| Ok(self.variable(name).map(SecretString::from))
    }

    /// Its bucket.
    pub fn store(&self) -> Store {
        self.store_at("")
    }

    /// Its bucket, where keys begin with `/prefix`.
    pub fn store_at(&self, path: &str) -> Store {
        Store::open(&self.options(path), &self.variables()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The folder in which the server keeps the bucket.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// Kills it. What it holds stays, beside uploads in parts.
    pub fn stop(&self) {
        let child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(mut child) = child {
            child.kill().and_then(|()| child.wait()).unwrap_or_else(|error| panic!("rclone: {error}"));
        }
    }

    /// Starts it again at the same place.
    pub fn restart(&self) {
        self.stop();
        let program = program();
        let mut command = Command::new("setpriv");
        // It ends with the test, however that ends.
        command.args(["--pdeathsig", "KILL", "--"]).arg(&program).args(["serve", "s3"]).arg(self.folder.path());
        command.args(["--addr", &format!("localhost:{}", self.port), "--auth-key", &format!("{KEY_ID},{SECRET}")]);
        command.args(["--config", "/dev/null"]);
        if let Some(TlsFiles { certificate, key, .. }) = &self.tls {
            command.arg("--cert").arg(certificate).arg("--key").arg(key);
        }
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = spawned.unwrap_or_else(|error| panic!("setpriv: {error}"));
        *self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(child);
        let started = Instant::now();
        while TcpStream::connect(("localhost", self.port)).is_err() {
            assert!(
                started.elapsed() < START_TIMEOUT && self.runs(),
                "`{}` did not start; install it with `scripts/setup test`",
                program.display()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn runs(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where set-up puts rclone: that of Debian 12 is too old to be a server of S3.
fn program() -> PathBuf {
    let of_home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(of_home).unwrap_or_default();
    cache.join("pressroom-tests/rclone/rclone")
}
