//! From one generation to the next: started beside the one that serves, checked, switched to in one step, watched; and back at
//! the first sign that it is worse. Until the new generation was found good, the old one stands ready.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kernel::ErrorKind;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Fleet,
    deployment::{Deployment, DeploymentReport, Outcome},
    output::Output,
    probe,
    process::Order,
    program::{Program, ProgramError},
    roster::{Phase, Roster},
    settings::OnGatewayDeath,
    state::Scale,
};
use crate::upstream::{Counts, Health, Upstream};

/// How often new instances are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// So few failed requests say nothing of a program.
const MIN_FAILED: u64 = 5;
/// Looks in a row that an instance may fail.
const FAILED_LOOKS: u32 = 2;

/// Why the fleet does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error(
        "generation {0} is being deployed; wait for its end, or call it off with `pressroom gateway rollback` as long as it is not found good"
    )]
    Busy(u64),
    #[error("{count} is not between {min} and {max}, which `[instances]` allows")]
    OutOfBounds { count: usize, min: usize, max: usize },
    #[error("no generation before this one is known; deploy the program that is to serve")]
    NoPrevious,
    #[error("`{0}` was changed since it served; deploy the program that is to serve")]
    Changed(PathBuf),
    #[error("the gateway is about to end")]
    Ending,
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl FleetError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Busy(_) | Self::Changed(_) => ErrorKind::Conflict,
            Self::OutOfBounds { .. } | Self::Program(_) => ErrorKind::Invalid,
            Self::NoPrevious => ErrorKind::NotFound,
            Self::Ending => ErrorKind::Unavailable,
        }
    }
}

/// How much a new generation is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Checked and watched for as long as the settings say.
    Full,
    /// Only that it is ready: it served before, and what serves now is to go.
    Swift,
}

/// Why a deploy ended with the generation that served before.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Unfit(String),
    #[error("it was called off")]
    CalledOff,
}

impl Fleet {
    /// Sets how many instances there are.
    pub async fn scale(&self, scale: Scale) -> Result<(), FleetError> {
        let (min, max) = (self.0.settings.instances.min, self.0.settings.instances.max);
        {
            let mut roster = self.idle_roster()?;
            if let Scale::Fixed(count) = scale {
                if !(min..=max).contains(&count) {
                    return Err(FleetError::OutOfBounds { count, min, max });
                }
                if let Some(group) = roster.serving_mut() {
                    group.wanted = count;
                }
            }
            roster.saved.scale = scale;
            roster.history.changed(self.0.clock.now_ms());
        }
        self.0.changed.notify_waiters();
        self.save().await;
        Ok(())
    }

    /// Begins to put the program at `path` in the place of the one that serves.
    pub fn deploy(&self, path: &Path) -> Result<DeploymentReport, FleetError> {
        self.begin(Program::take(path)?, Care::Full)
    }

    /// Calls off the deploy that goes on; where none does, begins to put the generation before in the place of the one that
    /// serves.
    pub fn rollback(&self) -> Result<DeploymentReport, FleetError> {
        let previous = {
            let mut roster = self.roster();
            let serving = roster.saved.serving.number;
            if let Some(deployment) = roster.deployment.as_mut().filter(|deployment| deployment.is_running()) {
                if serving == deployment.report.generation {
                    return Err(FleetError::Busy(serving));
                }
                deployment.call_off();
                return Ok(deployment.report.clone());
            }
            roster.saved.previous.clone().ok_or(FleetError::NoPrevious)?
        };
        if !previous.program.is_unchanged() {
            return Err(FleetError::Changed(previous.program.path));
        }
        self.begin(previous.program, Care::Swift)
    }

    /// The deploy that goes on, or the last one.
    pub fn deployment(&self) -> Option<DeploymentReport> {
        self.roster().deployment.as_ref().map(|deployment| deployment.report.clone())
    }

    fn idle_roster(&self) -> Result<std::sync::MutexGuard<'_, Roster>, FleetError> {
        let roster = self.roster();
        if roster.is_ending {
            return Err(FleetError::Ending);
        }
        match &roster.deployment {
            Some(deployment) if deployment.is_running() => Err(FleetError::Busy(deployment.report.generation)),
            _ => Ok(roster),
        }
    }

    fn begin(&self, program: Program, care: Care) -> Result<DeploymentReport, FleetError> {
        let mut roster = self.idle_roster()?;
        let wanted = roster.serving().map_or(self.0.settings.instances.min, |group| group.wanted);
        let path = program.path.clone();
        let green = roster.add_generation(program, wanted);
        let mut deployment = Deployment::new(green, path.clone());
        let message = format!("generation {green}: starting {wanted} of `{}`", path.display());
        deployment.tell(self.0.clock.now_ms(), message);
        let (report, cancel) = (deployment.report.clone(), deployment.cancel.clone());
        roster.deployment = Some(deployment);
        drop(roster);
        self.0.changed.notify_waiters();
        let fleet = self.clone();
        self.0.tasks.spawn(async move {
            let blue = fleet.roster().in_pool;
            let tried = cancel.run_until_cancelled(fleet.attempt(blue, green, care)).await;
            let found = tried.unwrap_or(Err(Refusal::CalledOff)).and_then(|()| fleet.confirm(green));
            match &found {
                Ok(()) => fleet.finish(blue, green).await,
                Err(_) => fleet.go_back(blue, green).await,
            }
            fleet.conclude(found);
        });
        Ok(report)
    }

    /// Everything up to the point at which the new generation was found good.
    async fn attempt(&self, blue: u64, green: u64, care: Care) -> Result<(), Refusal> {
        self.save().await;
        let settings = &self.0.settings.deploy;
        self.until_ready(green).await?;
        let before = self.counts_of(blue);
        if care == Care::Full {
            self.compare_health(blue, green).await?;
            self.check(green).await?;
            self.run_check_command(green).await?;
        }
        let usual = share_of_failed(before, self.counts_of(blue)).unwrap_or(0.0);
        self.switch(blue, green);
        self.tell(format!("requests go to generation {green}; generation {blue} stands ready"));
        if care == Care::Full {
            self.tell(format!("watching for {} s", settings.watch_s.0.as_secs_f64()));
            self.watch(green, usual + settings.worse_failures).await?;
        }
        Ok(())
    }

    async fn until_ready(&self, green: u64) -> Result<(), Refusal> {
        let begun = Instant::now();
        let limit = self.0.settings.instances.start_limit_s.0 + Duration::from_secs(5);
        let look = |roster: &Roster| match failure_of(roster, green) {
            Some(reason) => Some(Err(Refusal::Unfit(reason))),
            None => are_all_ready(roster, green).then_some(Ok(())),
        };
        let too_late = || Refusal::Unfit(format!("not every instance was ready within {} s", limit.as_secs()));
        self.wait_for(limit, look).await.ok_or_else(too_late)??;
        self.tell(format!("ready after {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(())
    }

    /// What does not work in the new instances must not work in the old ones either.
    async fn compare_health(&self, blue: u64, green: u64) -> Result<(), Refusal> {
        let mut known = BTreeSet::new();
        for address in self.addresses(blue) {
            // One that does not answer says nothing of what works.
            known.extend(probe::failing_parts(address).await.unwrap_or_default());
        }
        for address in self.addresses(green) {
            let failing = probe::failing_parts(address).await.map_err(Refusal::Unfit)?;
            let new: Vec<_> = failing.difference(&known).map(String::as_str).collect();
            if !new.is_empty() {
                return Err(Refusal::Unfit(format!("its health is worse than before: {}", new.join(", "))));
            }
        }
        Ok(())
    }

    /// The new instances must stay ready for a while.
    async fn check(&self, green: u64) -> Result<(), Refusal> {
        let (length, path) = (self.0.settings.deploy.check_s.0, &self.0.settings.ready_path);
        self.tell(format!("checking for {} s", length.as_secs_f64()));
        let (begun, mut failed) = (Instant::now(), 0);
        while begun.elapsed() < length {
            sleep(LOOK_INTERVAL.min(length)).await;
            if let Some(reason) = failure_of(&self.roster(), green) {
                return Err(Refusal::Unfit(reason));
            }
            let asked = self.addresses(green).into_iter().map(|address| probe::ask(address, path));
            let why = futures::future::join_all(asked).await.into_iter().find_map(Result::err);
            failed = if why.is_some() { failed + 1 } else { 0 };
            if let Some(why) = why.filter(|_| failed >= FAILED_LOOKS) {
                return Err(Refusal::Unfit(format!("it did not stay ready: {why}")));
            }
        }
        Ok(())
    }

    async fn run_check_command(&self, green: u64) -> Result<(), Refusal> {
        let settings = &self.0.settings.deploy;
        let Some((program, arguments)) = settings.check_command.split_first() else { return Ok(()) };
        let Some(address) = self.addresses(green).first().copied() else { return Ok(()) };
        self.tell(format!("running `{program}`"));
        let output = Output::new(self.0.folder.path(), "check");
        let cannot = |error: std::io::Error| Refusal::Unfit(format!("`{program}` cannot be started: {error}"));
        let order = Order {
            program: PathBuf::from(program),
            arguments: arguments.iter().map(|argument| argument.replace("{address}", &address.to_string())).collect(),
            environment: self.environment(str::to_owned),
            output: output.open().map_err(cannot)?,
            on_gateway_death: OnGatewayDeath::End,
        };
        let mut process = order.start().map_err(cannot)?;
        let ended = timeout(settings.check_command_limit_s.0, process.ended()).await;
        output.catch_up();
        let words = output.last_words();
        match ended {
            Ok(ended) if ended.is_success() => Ok(()),
            Ok(ended) => Err(Refusal::Unfit(format!("`{program}` failed ({ended}): {words}"))),
            Err(_) => {
                process.stop(Duration::from_secs(1)).await;
                let limit = settings.check_command_limit_s.0.as_secs_f64();
                Err(Refusal::Unfit(format!("`{program}` took longer than {limit} s: {words}")))
            }
        }
    }

    /// Requests go to `to` from here on. Each request finds the one or the other.
    fn switch(&self, from: u64, to: u64) {
        let mut roster = self.roster();
        let old = take_phase(&mut roster, from, Phase::Serving, Phase::Standby);
        let new = take_phase(&mut roster, to, Phase::Standby, Phase::Serving);
        roster.in_pool = to;
        // The load may have asked for more in the meantime.
        let wanted = roster.groups.get(&from).map_or(0, |group| group.wanted);
        if let Some(group) = roster.groups.get_mut(&to) {
            group.wanted = group.wanted.max(wanted);
        }
        roster.history.changed(self.0.clock.now_ms());
        self.0.pool.replace(&old, &new);
        drop(roster);
        self.0.changed.notify_waiters();
    }

    /// The new instances must not end, not be taken out, and not fail more requests than is usual.
    async fn watch(&self, green: u64, most: f64) -> Result<(), Refusal> {
        let (begun, before) = (Instant::now(), self.counts_of(green));
        while begun.elapsed() < self.0.settings.deploy.watch_s.0 {
            sleep(LOOK_INTERVAL.min(self.0.settings.deploy.watch_s.0)).await;
            if let Some(reason) = failure_of(&self.roster(), green) {
                return Err(Refusal::Unfit(reason));
            }
            let is_ill = |upstream: &Arc<Upstream>| matches!(upstream.health(), Health::Unhealthy | Health::Ejected);
            if let Some(ill) = self.upstreams_of(green).into_iter().find(is_ill) {
                let reason = format!("the instance at {} fails since requests go to it", ill.address());
                return Err(Refusal::Unfit(reason));
            }
            if let Some(share) = share_of_failed(before, self.counts_of(green)).filter(|share| *share > most) {
                let (share, most) = (100.0 * share, 100.0 * most);
                return Err(Refusal::Unfit(format!("{share:.0} % of its requests fail; {most:.0} % is the most")));
            }
        }
        Ok(())
    }

    /// From here on the new generation is the one that serves, unless somebody was quicker to call it off.
    fn confirm(&self, green: u64) -> Result<(), Refusal> {
        let mut roster = self.roster();
        if roster.deployment.as_ref().is_some_and(|deployment| deployment.cancel.is_cancelled()) {
            return Err(Refusal::CalledOff);
        }
        if let Some(generation) = roster.groups.get(&green).map(|group| group.generation.clone()) {
            roster.saved.previous = Some(std::mem::replace(&mut roster.saved.serving, generation));
        }
        Ok(())
    }

    /// The old generation goes.
    async fn finish(&self, blue: u64, green: u64) {
        self.save().await;
        self.tell(format!("generation {green} serves; generation {blue} finishes what it has"));
        self.dismiss(blue).await;
    }

    /// The old generation serves again, if it ever ceased to, and the new one goes.
    async fn go_back(&self, blue: u64, green: u64) {
        if self.roster().in_pool == green {
            self.switch(green, blue);
            self.tell(format!("requests go to generation {blue} again"));
        }
        self.dismiss(green).await;
    }

    /// Ends a generation, and waits until it is gone.
    async fn dismiss(&self, generation: u64) {
        if let Some(group) = self.roster().groups.get_mut(&generation) {
            group.wanted = 0;
        }
        self.0.changed.notify_waiters();
        // Each of its instances has its limits of time.
        self.wait_for(Duration::MAX, |roster| roster.of(generation).next().is_none().then_some(())).await;
    }

    fn conclude(&self, ended: Result<(), Refusal>) {
        let (outcome, reason) = match ended {
            Ok(()) => (Outcome::Succeeded, None),
            Err(refusal) => (Outcome::Failed, Some(refusal.to_string())),
        };
        let label = if outcome == Outcome::Succeeded { "succeeded" } else { "failed" };
        metrics::counter!("gateway_deploys_total", "outcome" => label).increment(1);
        if let Some(deployment) = &mut self.roster().deployment {
            let generation = deployment.report.generation;
            match &reason {
                None => tracing::info!(generation, "a deploy succeeded"),
                Some(reason) => tracing::error!(generation, reason, "a deploy failed"),
            }
            (deployment.report.outcome, deployment.report.reason) = (outcome, reason);
        }
        self.0.changed.notify_waiters();
    }

    fn tell(&self, message: String) {
        tracing::info!(message, "deploy");
        let now_ms = self.0.clock.now_ms();
        if let Some(deployment) = &mut self.roster().deployment {
            deployment.tell(now_ms, message);
        }
    }

    fn addresses(&self, generation: u64) -> Vec<SocketAddr> {
        self.upstreams_of(generation).iter().map(|upstream| upstream.address()).collect()
    }

    fn upstreams_of(&self, generation: u64) -> Vec<Arc<Upstream>> {
        self.roster().of(generation).filter_map(|member| member.upstream.clone()).collect()
    }

    fn counts_of(&self, generation: u64) -> Counts {
        let counts = self.upstreams_of(generation).into_iter().map(|upstream| upstream.counts());
        counts.fold(Counts::default(), |sum, counts| Counts {
            requests: sum.requests + counts.requests,
            failures: sum.failures + counts.failures,
            server_errors: sum.server_errors + counts.server_errors,
        })
    }
}

/// Brings the ready instances of a generation from one phase to another; returns them as upstreams.
fn take_phase(roster: &mut Roster, generation: u64, from: Phase, to: Phase) -> Vec<Arc<Upstream>> {
    let members = roster.members.values_mut();
    let mut upstreams = Vec::new();
    for member in members.filter(|member| member.generation == generation && member.phase == from) {
        member.enter(to);
        upstreams.extend(member.upstream.clone());
    }
    upstreams
}

/// What is wrong with the instances of a generation.
fn failure_of(roster: &Roster, generation: u64) -> Option<String> {
    let failures = &roster.groups.get(&generation)?.failures;
    (failures.total > 0).then(|| failures.last_reason.clone())
}

fn are_all_ready(roster: &Roster, generation: u64) -> bool {
    let Some(group) = roster.groups.get(&generation) else { return false };
    let is_ready = |phase: Phase| matches!(phase, Phase::Standby | Phase::Serving);
    roster.of(generation).filter(|member| is_ready(member.phase)).count() >= group.wanted
}

/// Which part of the requests between two counts failed; nothing where too few did to say.
fn share_of_failed(before: Counts, after: Counts) -> Option<f64> {
    let since = |then: u64, now: u64| now.saturating_sub(then);
    let failed = since(before.failures, after.failures).max(since(before.server_errors, after.server_errors));
    let requests = since(before.requests, after.requests).max(failed);
    (failed >= MIN_FAILED).then(|| failed as f64 / requests as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_failures_say_nothing_and_the_greater_count_is_taken() {
        let counts = |requests, failures, server_errors| Counts { requests, failures, server_errors };
        assert_eq!(share_of_failed(counts(0, 0, 0), counts(4, 4, 4)), None);
        assert_eq!(share_of_failed(counts(10, 0, 0), counts(20, 2, 5)), Some(0.5));
        assert_eq!(share_of_failed(counts(10, 9, 0), counts(20, 19, 5)), Some(1.0));
        assert_eq!(share_of_failed(counts(10, 9, 9), counts(1000, 9, 9)), None);
    }
}
