//! The life of one instance: started, ready, serving, drained, ended. Each has a task of its own, which alone touches its
//! process.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Fleet,
    output::Output,
    probe,
    proc::Identity,
    process::{Order, Process},
    roster::{Member, Phase},
    state::{Generation, Started},
};

/// Which gateway an instance belongs to: the path of the gateway's state folder.
pub(super) const OWNER_VARIABLE: &str = "GATEWAY_INSTANCE_OF";
/// How often one that starts is asked whether it is ready.
const READY_INTERVAL: Duration = Duration::from_millis(100);
/// How many times within the limit one that serves is asked whether it lives.
const LIVE_ASKS: u32 = 3;

/// How a life ended.
enum End {
    /// The gateway wanted it so.
    Ordered,
    /// By itself.
    ByItself(String),
    /// It is of no use, and must be ended.
    Unfit(String),
}

/// A process with what belongs to it.
struct Body {
    process: Process,
    address: SocketAddr,
    output: Output,
}

impl Fleet {
    /// Starts an instance, and stays with it to its end.
    pub(super) async fn raise(self, name: String, generation: Generation, stop: CancellationToken) {
        match self.start(&name, &generation) {
            Ok(body) => self.attend(name, body, stop).await,
            Err(error) => {
                let reason = format!("`{}` cannot be started: {error}", generation.program.path.display());
                self.bury(&name, Some(reason));
            }
        }
    }

    /// Takes over an instance of the gateway before, and stays with it to its end.
    pub(super) async fn take_over(self, started: Started, process: Process, stop: CancellationToken) {
        let output = Output::new(self.0.folder.path(), &started.name);
        tracing::info!(instance = started.name, pid = process.pid(), "an instance is taken over");
        self.attend(started.name, Body { process, address: started.address, output }, stop).await;
    }

    fn start(&self, name: &str, generation: &Generation) -> io::Result<Body> {
        let settings = &self.0.settings.instances;
        // Somebody else may take the port before the instance does. It ends then, and the next one gets another.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let fill = |text: &str| {
            let text = text.replace("{address}", &address.to_string()).replace("{port}", &address.port().to_string());
            text.replace("{instance}", name)
        };
        let output = Output::new(self.0.folder.path(), name);
        let process = Order {
            program: generation.program.path.clone(),
            arguments: settings.arguments.iter().map(|argument| fill(argument)).collect(),
            environment: self.environment(fill),
            output: output.open()?,
            on_gateway_death: settings.on_gateway_death,
        }
        .start()?;
        tracing::info!(instance = name, pid = process.pid(), %address, "an instance is started");
        Ok(Body { process, address, output })
    }

    pub(super) fn environment(&self, fill: impl Fn(&str) -> String) -> BTreeMap<OsString, OsString> {
        let settings = &self.0.settings.instances;
        let is_passed = |name: &OsString| {
            let name = name.to_string_lossy();
            settings.passes(&name) && !self.0.settings.kept_variables.iter().any(|kept| *kept == name)
        };
        let mut environment: BTreeMap<_, _> = std::env::vars_os().filter(|(name, _)| is_passed(name)).collect();
        let own = settings.environment.iter().map(|(name, value)| (name.into(), fill(value).into()));
        environment.extend(own);
        environment.insert(OWNER_VARIABLE.into(), self.0.folder.path().into());
        environment
    }

    async fn attend(&self, name: String, mut body: Body, stop: CancellationToken) {
        self.change_member(&name, |member| {
            member.address = Some(body.address);
            member.pid = Some(body.process.pid());
            member.identity = body.process.identity();
        });
        self.save().await;
        let silent = CancellationToken::new();
        let following = tokio::spawn(body.output.clone().follow(silent.clone()));
        let end = self.live(&name, &mut body, &stop).await;
        let reason = match end {
            End::Ordered => {
                self.let_go(&name, &mut body).await;
                None
            }
            End::ByItself(how) => {
                self.withdraw(&name);
                body.output.catch_up();
                Some(with_last_words(how, &body.output))
            }
            End::Unfit(why) => {
                self.withdraw(&name);
                self.change_member(&name, |member| member.enter(Phase::Stopping));
                body.output.catch_up();
                let reason = with_last_words(why, &body.output);
                body.process.stop(self.0.settings.instances.stop_limit_s.0).await;
                Some(reason)
            }
        };
        silent.cancel();
        // It ends by itself once it has read the rest.
        let _ = following.await;
        self.bury(&name, reason);
        self.save().await;
    }

    /// Until it is to end, or has ended.
    async fn live(&self, name: &str, body: &mut Body, stop: &CancellationToken) -> End {
        let (limit, path) = (self.0.settings.instances.start_limit_s.0, &self.0.settings.ready_path);
        let ready = tokio::select! {
            biased;
            ended = body.process.ended() => return End::ByItself(ended.to_string()),
            () = stop.cancelled() => return End::Ordered,
            ready = timeout(limit, becomes_ready(body.address, path)) => ready,
        };
        if ready.is_err() {
            let why = probe::ask(body.address, path).await.err().unwrap_or_default();
            return End::Unfit(format!("it was not ready within {} s; {why}", limit.as_secs_f64()));
        }
        self.enlist(name, body.address);
        let limit = self.0.settings.instances.live_limit_s.0;
        tokio::select! {
            biased;
            ended = body.process.ended() => End::ByItself(ended.to_string()),
            () = stop.cancelled() => End::Ordered,
            why = is_dead(body.address, limit) => End::Unfit(why),
        }
    }

    /// It is ready: where its generation serves, requests go to it from now on.
    fn enlist(&self, name: &str, address: SocketAddr) {
        let mut roster = self.roster();
        let in_pool = roster.in_pool;
        let Some(member) = roster.members.get_mut(name) else { return };
        if member.phase != Phase::Starting {
            return;
        }
        let is_serving = member.generation == in_pool;
        let pool = &self.0.pool;
        let upstream = if is_serving { pool.add(address) } else { pool.add_standby(address) };
        // It was asked a moment ago.
        upstream.pass_check();
        member.upstream = Some(upstream);
        member.enter(if is_serving { Phase::Serving } else { Phase::Standby });
        drop(roster);
        self.0.changed.notify_waiters();
        tracing::info!(instance = name, "an instance is ready");
    }

    /// Nothing goes to it any more.
    fn withdraw(&self, name: &str) {
        if let Some(upstream) = self.roster().members.get_mut(name).and_then(|member| member.upstream.take()) {
            self.0.pool.remove(&upstream);
        }
    }

    /// Lets it finish what it has, and ends it.
    async fn let_go(&self, name: &str, body: &mut Body) {
        let settings = &self.0.settings.instances;
        let upstream = self.roster().members.get(name).and_then(|member| member.upstream.clone());
        if let Some(upstream) = upstream {
            self.0.pool.drain(&upstream);
            let left = tokio::select! {
                left = upstream.drained(settings.drain_limit_s.0) => left,
                _ = body.process.ended() => 0,
            };
            if left > 0 {
                tracing::warn!(instance = name, left, "an instance is ended although it is not idle; its time is over");
            }
        }
        self.withdraw(name);
        self.change_member(name, |member| member.enter(Phase::Stopping));
        let ended = body.process.stop(settings.stop_limit_s.0).await;
        tracing::info!(instance = name, how = %ended, "an instance was ended");
    }

    /// It is no more. `reason` says why, where nobody wanted it.
    fn bury(&self, name: &str, reason: Option<String>) {
        self.withdraw(name);
        let mut roster = self.roster();
        let Some(member) = roster.members.remove(name) else { return };
        if let Some(reason) = reason {
            tracing::warn!(instance = name, reason, "an instance ended");
            metrics::counter!("gateway_instance_failures_total").increment(1);
            let was_ready = match member.phase {
                Phase::Starting => Duration::ZERO,
                _ => member.since.elapsed(),
            };
            if let Some(group) = roster.groups.get_mut(&member.generation) {
                group.failures.note(was_ready, format!("{name}: {reason}"));
            }
        }
        drop(roster);
        self.0.changed.notify_waiters();
    }

    pub(super) fn change_member(&self, name: &str, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.roster().members.get_mut(name) {
            change(member);
        }
        self.0.changed.notify_waiters();
    }

    /// What tells each process of ours from all others.
    pub(super) fn identities(&self) -> Vec<Identity> {
        self.roster().members.values().filter_map(|member| member.identity).collect()
    }
}

async fn becomes_ready(address: SocketAddr, path: &str) {
    while probe::ask(address, path).await.is_err() {
        sleep(READY_INTERVAL).await;
    }
}

/// Waits until an instance has not answered for `limit`.
async fn is_dead(address: SocketAddr, limit: Duration) -> String {
    let mut answered = Instant::now();
    loop {
        sleep(limit / LIVE_ASKS).await;
        match timeout(limit, probe::answers(address)).await {
            Ok(Ok(())) => answered = Instant::now(),
            _ if answered.elapsed() < limit => {}
            Ok(Err(why)) => return format!("it does not live: {why}"),
            Err(_) => return format!("it does not live: no answer within {} s", limit.as_secs_f64()),
        }
    }
}

fn with_last_words(reason: String, output: &Output) -> String {
    match output.last_words() {
        words if words.is_empty() => reason,
        words => format!("{reason}; it said: {words}"),
    }
}
