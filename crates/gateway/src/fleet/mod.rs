//! Instances: servers that the gateway starts itself, as many as the load asks for. One that ends is replaced, a new program takes
//! over from the one before, and a gateway that was killed finds them again.
//!
//! [`roster`] says what is to be done, [`instance`] does it for each, [`deploy`] leads from one generation to the next.

mod deploy;
mod deployment;
mod instance;
mod measure;
mod output;
mod probe;
mod proc;
mod process;
mod program;
mod roster;
mod scaling;
mod settings;
mod state;
mod status;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kernel::Clock;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use deploy::{Care, FleetError};
pub use deployment::{DeploymentReport, Event, Outcome};
pub use program::ProgramError;
pub use roster::Phase;
pub use settings::{DeploySettings, InstanceSettings, OnGatewayDeath, ScalingSettings, Seconds};
pub use state::{Scale, StateError};
pub use status::{FleetStatus, GenerationStatus, InstanceStatus};

use crate::Pool;
use process::Process;
use program::Program;
use roster::{Member, Roster};
use state::{Saved, StateFolder};

/// How long nothing may be looked at.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// All that a fleet goes by.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    pub instances: InstanceSettings,
    pub scaling: ScalingSettings,
    pub deploy: DeploySettings,
    /// What instances are asked for to find out whether they are ready.
    pub ready_path: String,
    /// Where the fleet keeps what it knows.
    pub state: PathBuf,
    /// The program of the first generation.
    pub program: PathBuf,
    /// Variables of the gateway's own that instances never get, since they are secrets of its.
    pub kept_variables: Vec<String>,
}

/// The instances of a gateway. Clones are the same fleet.
#[derive(Debug, Clone)]
pub struct Fleet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: FleetSettings,
    pool: Pool,
    clock: Arc<dyn Clock>,
    folder: Arc<StateFolder>,
    roster: Mutex<Roster>,
    /// Told with each change of the roster.
    changed: Notify,
    /// Held while the state is written, so that the last one written is the last one.
    saving: tokio::sync::Mutex<()>,
    /// A task for each instance, and for a deploy.
    tasks: TaskTracker,
}

impl Fleet {
    /// A fleet that goes on from what the gateway before it kept, and has not begun. Its instances become upstreams of `pool`.
    pub fn open(settings: FleetSettings, pool: Pool, clock: Arc<dyn Clock>) -> Result<Self, StateError> {
        let folder = StateFolder::hold(&settings.state)?;
        let (min, max) = (settings.instances.min, settings.instances.max);
        let mut saved = match folder.load() {
            Some(saved) => saved,
            None => Saved::first(Program::take(&settings.program)?, proc::boot_id(), min),
        };
        if !saved.lives() {
            saved.renew(&settings.program)?;
        }
        saved.wanted = saved.wanted.clamp(min, max);
        if let Scale::Fixed(count) = &mut saved.scale {
            *count = (*count).clamp(min, max);
        }
        let inner = Inner {
            settings,
            pool,
            clock,
            folder: Arc::new(folder),
            roster: Mutex::new(Roster::new(saved)),
            changed: Notify::new(),
            saving: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Starts, watches and replaces instances until `stop`, then ends them all.
    pub async fn run(&self, stop: CancellationToken) {
        self.find_again();
        self.save().await;
        let measuring = self.0.tasks.spawn(stop.clone().run_until_cancelled_owned(self.clone().measure()));
        while !stop.is_cancelled() {
            self.reconcile();
            stop.run_until_cancelled(self.pause()).await;
        }
        let _ = measuring.await;
        self.end().await;
    }

    /// Until something changed, or is due.
    async fn pause(&self) {
        let changed = self.0.changed.notified();
        let wait = self.roster().next_wait().unwrap_or(MAX_PAUSE).min(MAX_PAUSE);
        // That nothing changed is no failure.
        let _ = timeout(wait.max(Duration::from_millis(10)), changed).await;
    }

    fn reconcile(&self) {
        let births = {
            let mut roster = self.roster();
            let births = roster.reconcile();
            let with_tokens = births.into_iter().filter_map(|(name, generation)| {
                let stop = roster.members.get(&name)?.stop.clone();
                Some((name, generation, stop))
            });
            with_tokens.collect::<Vec<_>>()
        };
        for (name, generation, stop) in births {
            self.0.tasks.spawn(self.clone().raise(name, generation, stop));
        }
    }

    /// Takes over the instances that the gateway before this one started: those of the generation that serves stay, those of a
    /// deploy that it did not finish are ended, and so are those of which it could tell nobody.
    fn find_again(&self) {
        let (boot_id, serving, instances) = {
            let mut roster = self.roster();
            let saved = &mut roster.saved;
            let boot_id = std::mem::replace(&mut saved.boot_id, proc::boot_id());
            (boot_id, saved.serving.number, std::mem::take(&mut saved.instances))
        };
        let is_same_run = !boot_id.is_empty() && boot_id == proc::boot_id();
        for started in instances.into_iter().filter(|_| is_same_run) {
            let Some(process) = Process::adopt(started.identity) else { continue };
            let mut member = Member::new(started.generation);
            (member.address, member.pid) = (Some(started.address), Some(process.pid()));
            member.identity = Some(started.identity);
            let stop = member.stop.clone();
            if started.generation != serving {
                member.enter(Phase::Stopping);
                stop.cancel();
            }
            self.roster().members.insert(started.name.clone(), member);
            self.0.tasks.spawn(self.clone().take_over(started, process, stop));
        }
        output::remove_all_but(self.0.folder.path(), |name| self.roster().members.contains_key(name));
        let (owner, known) = (self.0.folder.path().to_string_lossy().into_owned(), self.identities());
        let strays = proc::started_with(instance::OWNER_VARIABLE, &owner);
        for mut stray in strays.into_iter().filter(|found| !known.contains(found)).filter_map(Process::adopt) {
            tracing::warn!(pid = stray.pid(), "an instance that the gateway before started and did not note is ended");
            let limit = self.0.settings.instances.stop_limit_s.0;
            self.0.tasks.spawn(async move { drop(stray.stop(limit).await) });
        }
    }

    /// Ends everything, a deploy first.
    async fn end(&self) {
        {
            let mut roster = self.roster();
            roster.is_ending = true;
            if let Some(deployment) = &roster.deployment {
                deployment.cancel.cancel();
            }
        }
        self.0.tasks.close();
        while timeout(Duration::from_millis(200), self.0.tasks.wait()).await.is_err() {
            // An instance may just have been on its way in.
            self.roster().reconcile();
        }
        self.save().await;
    }

    /// Keeps what the next gateway must know.
    async fn save(&self) {
        let _saving = self.0.saving.lock().await;
        let saved = {
            let mut roster = self.roster();
            let wanted = roster.groups.get(&roster.saved.serving.number).map(|group| group.wanted);
            roster.saved.wanted = wanted.unwrap_or(roster.saved.wanted);
            let started = |(name, member): (&String, &Member)| {
                let (generation, address, identity) = (member.generation, member.address?, member.identity?);
                Some(state::Started { name: name.clone(), generation, address, identity })
            };
            let mut saved = roster.saved.clone();
            saved.instances = roster.members.iter().filter_map(started).collect();
            saved
        };
        let folder = self.0.folder.clone();
        let written = tokio::task::spawn_blocking(move || folder.save(&saved)).await;
        let fault = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = &fault {
            tracing::error!(reason, "the state of the instances cannot be kept");
        }
        self.roster().save_fault = fault;
    }

    /// Waits until `look` finds something, for `limit` at most.
    async fn wait_for<T>(&self, limit: Duration, look: impl Fn(&Roster) -> Option<T>) -> Option<T> {
        let looking = async {
            loop {
                let changed = self.0.changed.notified();
                if let Some(found) = look(&self.roster()) {
                    return found;
                }
                tokio::select! {
                    () = changed => {}
                    () = sleep(Duration::from_millis(200)) => {}
                }
            }
        };
        timeout(limit, looking).await.ok()
    }

    fn roster(&self) -> MutexGuard<'_, Roster> {
        self.0.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
