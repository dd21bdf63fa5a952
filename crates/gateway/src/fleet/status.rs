//! What is told of a fleet: its generations, its instances, and what is wrong.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Fleet, Scale,
    deployment::DeploymentReport,
    program::Program,
    roster::{Member, Phase, Roster, TOLD_FAILURES},
    state::Generation,
};
use crate::upstream::Health;

/// Instances of one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationStatus {
    pub number: u64,
    pub program: PathBuf,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceStatus {
    pub name: String,
    pub generation: u64,
    pub state: Phase,
    /// Seconds in this state.
    pub since_s: u64,
    /// Whether requests sent to it come back; absent before it is ready.
    pub is_healthy: Option<bool>,
    pub address: Option<SocketAddr>,
    pub pid: Option<u32>,
    /// Requests and sockets that are under way.
    pub in_flight: usize,
    /// What it does, 1 being all that it is meant to take.
    pub load: f64,
}

/// All instances of a gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetStatus {
    /// The generation that requests go to.
    pub serving: GenerationStatus,
    /// The one before it.
    pub previous: Option<GenerationStatus>,
    pub scale: Scale,
    /// How many instances there are to be.
    pub wanted: usize,
    pub min: usize,
    pub max: usize,
    /// What instances do on average, 1 being all that they are meant to take.
    pub load: f64,
    pub instances: Vec<InstanceStatus>,
    /// The deploy that goes on, or the last one.
    pub deployment: Option<DeploymentReport>,
    /// What is wrong, and what to do.
    pub faults: Vec<String>,
}

impl Fleet {
    /// How everything is.
    pub fn status(&self) -> FleetStatus {
        let (mut status, program) = self.snapshot();
        // Asked of the disk, which may be slow, while nothing waits for it.
        if !program.is_unchanged() {
            let path = program.path.display();
            status.faults.push(format!("`{path}` was changed since it was deployed; deploy it, or put it back"));
        }
        status
    }

    fn snapshot(&self) -> (FleetStatus, Program) {
        let roster = self.roster();
        let (min, max) = (self.0.settings.instances.min, self.0.settings.instances.max);
        let serving = roster.serving().map_or(&roster.saved.serving, |group| &group.generation);
        let mut instances: Vec<_> = roster.members.iter().map(|(name, member)| instance(name, member)).collect();
        instances.sort_by_key(|instance| (instance.generation, number_of(&instance.name)));
        let status = FleetStatus {
            serving: generation(serving),
            previous: roster.saved.previous.as_ref().map(generation),
            scale: roster.saved.scale,
            wanted: roster.serving().map_or(0, |group| group.wanted),
            min,
            max,
            load: roster.history.load(),
            instances,
            deployment: roster.deployment.as_ref().map(|deployment| deployment.report.clone()),
            faults: faults(&roster),
        };
        (status, serving.program.clone())
    }
}

fn generation(generation: &Generation) -> GenerationStatus {
    GenerationStatus { number: generation.number, program: generation.program.path.clone() }
}

fn instance(name: &str, member: &Member) -> InstanceStatus {
    InstanceStatus {
        name: name.to_owned(),
        generation: member.generation,
        state: member.phase,
        since_s: member.since.elapsed().as_secs(),
        is_healthy: member.upstream.as_ref().map(|upstream| upstream.health() == Health::Healthy),
        address: member.address,
        pid: member.pid,
        in_flight: member.in_flight(),
        load: member.load,
    }
}

/// The number at the end of an instance's name, so that 10 comes after 9.
fn number_of(name: &str) -> u64 {
    name.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn faults(roster: &Roster) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, group) in &roster.groups {
        let failures = &group.failures;
        if failures.in_a_row >= TOLD_FAILURES {
            let (count, reason) = (failures.in_a_row, &failures.last_reason);
            let wait = failures.wait().as_secs();
            faults.push(format!(
                "instances of generation {number} ended {count} times in a row; the next try is in {wait} s; the last: {reason}"
            ));
        }
    }
    if let Some(group) = roster.serving() {
        let serves = |member: &&Member| {
            let is_healthy = member.upstream.as_ref().is_some_and(|upstream| upstream.health() == Health::Healthy);
            member.phase == Phase::Serving && is_healthy
        };
        let count = roster.of(group.generation.number).filter(serves).count();
        if count < group.wanted {
            faults.push(format!("{count} of {} instances serve", group.wanted));
        }
    }
    if let Some(reason) = &roster.save_fault {
        faults.push(format!("the state of the instances cannot be kept: {reason}; make room in the folder"));
    }
    faults
}
