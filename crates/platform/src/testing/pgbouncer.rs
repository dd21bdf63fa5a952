//! A real `PgBouncer` for tests, which gives each transaction to any of a few sessions.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::postgres::{as_postgres, free_port, make_folder, wait_until_ready};

/// How long it may take to start: a moment where nobody else works.
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// Sessions for each database: few, so that clients have to share them.
const SESSIONS: u32 = 3;

/// A pooler in front of a server, for as long as this value lives.
#[derive(Debug)]
pub struct PgBouncer {
    port: u16,
    process: Child,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts one in front of the server at `port`.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for PgBouncer: {error}"));
        make_folder(folder.path());
        let own = free_port().unwrap_or_else(|error| panic!("no port for PgBouncer: {error}"));
        let (settings, users) = (folder.path().join("pgbouncer.ini"), folder.path().join("users.txt"));
        // As Debian delivers it, but for what is needed to reach it: no setting that a client brings is let pass unseen.
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {own}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = {SESSIONS}\nmax_client_conn = 400\n",
            users.display()
        );
        let written = fs::write(&users, "\"postgres\" \"\"\n").and_then(|()| fs::write(&settings, text));
        written.unwrap_or_else(|error| panic!("{error}"));
        let mut command = as_postgres(find_program());
        command.arg(&settings).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| panic!("pgbouncer: {error}"));
        let bouncer = Self { port: own, process, _folder: folder };
        assert!(wait_until_ready(own, START_TIMEOUT), "PgBouncer did not start; install it with `scripts/setup test`");
        bouncer
    }

    /// The address of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

/// Debian keeps it where only admins look for programs.
fn find_program() -> &'static Path {
    let debian = Path::new("/usr/sbin/pgbouncer");
    if debian.exists() { debian } else { Path::new("pgbouncer") }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.process.kill().and_then(|()| self.process.wait()));
    }
}
