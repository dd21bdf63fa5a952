//! A real Redis for one test: with a password, keeping nothing, stopped with the value that stands for it.
#![expect(clippy::disallowed_methods, reason = "a server for tests")]

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use secrecy::SecretString;

const PASSWORD: &str = "of-a-test";

/// How long a server may take to answer.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A server for one test, which may stop it. It goes with this value, and with this process.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    child: Mutex<Option<Child>>,
}

impl RedisServer {
    /// Starts a server that is empty.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = listener.unwrap_or_else(|error| panic!("no port for a server: {error}")).port();
        let server = Self { port, child: Mutex::new(None) };
        server.restart();
        server
    }

    /// Its address, with the password.
    pub fn url(&self) -> SecretString {
        format!("redis://:{PASSWORD}@127.0.0.1:{}/0", self.port).into()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, and all it held is lost.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub fn stop(&self) {
        let child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(mut child) = child {
            child.kill().and_then(|()| child.wait()).unwrap_or_else(|error| panic!("redis-server: {error}"));
        }
    }

    /// Starts it again at the same place, empty.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn restart(&self) {
        self.stop();
        // It ends with the test, however that ends.
        let spawned = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "--",
                "redis-server",
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(["--dir", "/tmp", "--requirepass", PASSWORD, "--port", &self.port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let child =
            spawned.unwrap_or_else(|error| panic!("redis-server: {error}; install it with `scripts/setup test`"));
        *self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(child);
        let started = Instant::now();
        while !self.answers() {
            assert!(started.elapsed() < START_TIMEOUT, "Redis did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut answer = [0; 7];
        let asked = stream.write_all(format!("AUTH {PASSWORD}\r\nPING\r\n").as_bytes());
        // `+OK` to the password comes first; whoever else listens there says something else.
        asked.and_then(|()| stream.read_exact(&mut answer)).is_ok() && answer.starts_with(b"+OK")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}
