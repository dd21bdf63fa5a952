//! A place of its own for each test: a fleet of small servers, and programs for it that are as faulty as the test wants.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use gateway::{
    Pool,
    fleet::{
        DeploySettings, Fleet, FleetSettings, FleetStatus, InstanceSettings, InstanceStatus, Phase, ScalingSettings,
        Seconds, StateError,
    },
    settings::HealthSettings,
};
use kernel::SystemClock;
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// Programs, and the folder in which a fleet keeps what it knows.
#[derive(Debug)]
pub(super) struct Yard {
    folder: TempDir,
    pub(super) settings: FleetSettings,
}

/// A fleet at work.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) fleet: Fleet,
    pub(super) pool: Pool,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Yard {
    /// Two instances of a server without a fault, and times fit for a test.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = make_program(folder.path(), "blue", "");
        let instances = InstanceSettings {
            arguments: ["--listen", "{address}"].map(str::to_owned).to_vec(),
            max: 4,
            start_limit_s: Seconds::whole(20),
            drain_limit_s: Seconds::whole(20),
            stop_limit_s: Seconds::whole(5),
            live_limit_s: Seconds::whole(20),
            ..InstanceSettings::default()
        };
        let moment = Seconds(Duration::from_millis(400));
        let settings = FleetSettings {
            instances,
            scaling: ScalingSettings { cores: 64.0, ..ScalingSettings::default() },
            deploy: DeploySettings { check_s: moment, watch_s: Seconds::whole(1), ..DeploySettings::default() },
            ready_path: "/readyz".to_owned(),
            state: folder.path().join("state"),
            program,
            kept_variables: vec!["GATEWAY_TOKEN".to_owned()],
        };
        Self { folder, settings }
    }

    /// A program that is the server for tests with these arguments, which answers with `name`.
    pub(super) fn program(&self, name: &str, arguments: &str) -> PathBuf {
        make_program(self.folder.path(), name, arguments)
    }

    pub(super) fn open(&self) -> (Fleet, Pool) {
        let pool = Pool::new(HealthSettings { interval_ms: 100, ..HealthSettings::default() });
        let began = Instant::now();
        loop {
            match Fleet::open(self.settings.clone(), pool.clone(), Arc::new(SystemClock)) {
                // The threads of a runtime that was taken away let go of the state when they come to it.
                Err(StateError::Held(_)) if began.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                opened => return (opened.unwrap(), pool),
            }
        }
    }

    /// Begins, in the runtime of the test.
    pub(super) fn start(&self) -> Running {
        let (fleet, pool) = self.open();
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (fleet, stop) = (fleet.clone(), stop.clone());
            async move { fleet.run(stop).await }
        });
        Running { fleet, pool, stop, task }
    }

    /// Begins, in a runtime of its own, which the test may take away: as little of the fleet is left then as of a gateway that
    /// was killed.
    pub(super) fn start_mortal(&self) -> (Runtime, Running) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let running = {
            let _entered = runtime.enter();
            self.start()
        };
        (runtime, running)
    }
}

fn make_program(folder: &Path, name: &str, arguments: &str) -> PathBuf {
    let path = folder.join(name);
    let server = std::env::current_exe().unwrap().parent().unwrap().join("../examples/tiny_server");
    // The shell becomes the server, so that it is the process that was started.
    let script = format!("#!/bin/sh\nexec '{}' --name {name} {arguments} \"$@\"\n", server.display());
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

impl Running {
    /// Waits until `look` finds something in the status.
    pub(super) async fn wait<T>(&self, what: &str, look: impl Fn(&FleetStatus) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let status = self.fleet.status();
            if let Some(found) = look(&status) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "waited for {what}: {status:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until so many serve, and nobody else is there.
    pub(super) async fn settled(&self, count: usize) -> Vec<InstanceStatus> {
        self.wait(&format!("{count} to serve"), |status| {
            let is_well = |each: &InstanceStatus| each.state == Phase::Serving && each.is_healthy == Some(true);
            let is_settled = status.instances.len() == count && status.instances.iter().all(is_well);
            is_settled.then(|| status.instances.clone())
        })
        .await
    }

    /// What each upstream that serves answers, in turn.
    pub(super) async fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for instance in self.fleet.status().instances.iter().filter(|each| each.state == Phase::Serving) {
            names.push(get(&format!("http://{}/", instance.address.unwrap())).await.unwrap());
        }
        names
    }

    /// Ends it in good order.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
        assert!(self.fleet.status().instances.is_empty());
        assert!(self.pool.upstreams().is_empty());
    }
}

/// The body of what is answered.
pub(super) async fn get(url: &str) -> Result<String, reqwest::Error> {
    client().get(url).send().await?.error_for_status()?.text().await
}

#[expect(clippy::disallowed_methods, reason = "a test asks its own servers")]
pub(super) fn client() -> reqwest::Client {
    // Whichever was installed first serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Whether a process is there, and has not ended.
pub(super) fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Sends a signal.
pub(super) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
