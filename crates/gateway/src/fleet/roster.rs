//! Who there is: generations, how many instances of each are wanted, and each instance. Says what is to be started and ended;
//! does neither.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    deployment::Deployment,
    proc::Identity,
    scaling::History,
    state::{Generation, Saved, Scale},
};
use crate::upstream::Upstream;

/// How long an instance must be ready for its end to be no part of a series.
const STABLE: Duration = Duration::from_mins(1);
/// The wait after the second end in a series; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// So many ends in a row are told in health.
pub(super) const TOLD_FAILURES: u32 = 3;

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It was started, and is not ready yet.
    Starting,
    /// It is ready; requests go to another generation.
    Standby,
    /// It gets requests, while it is well.
    Serving,
    /// It gets no new requests, and finishes those it has.
    Draining,
    /// It was told to end.
    Stopping,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 5] = [Self::Starting, Self::Standby, Self::Serving, Self::Draining, Self::Stopping];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Standby => "standby",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
        }
    }

    /// Whether it counts as one of those that are wanted.
    fn counts(self) -> bool {
        self < Self::Draining
    }
}

/// An instance.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) generation: u64,
    pub(super) phase: Phase,
    /// Since when it is in this phase.
    pub(super) since: Instant,
    pub(super) address: Option<SocketAddr>,
    pub(super) pid: Option<u32>,
    pub(super) identity: Option<Identity>,
    pub(super) upstream: Option<Arc<Upstream>>,
    /// Tells it to drain and end.
    pub(super) stop: CancellationToken,
    /// Seconds of processor time that it had used when it was last looked at.
    pub(super) processor: Option<(Instant, f64)>,
    /// What it does, 1 being all that it is meant to take.
    pub(super) load: f64,
}

/// Instances that are of one generation.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) generation: Generation,
    pub(super) wanted: usize,
    pub(super) failures: Failures,
}

/// A series of instances that ended although nobody asked them to.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) in_a_row: u32,
    /// Of all of them, how many.
    pub(super) total: u64,
    pub(super) last_reason: String,
    last: Option<Instant>,
}

/// Everybody.
#[derive(Debug)]
pub(super) struct Roster {
    /// What is kept; its instances are filled in from `members` when it is.
    pub(super) saved: Saved,
    /// The generation that gets requests.
    pub(super) in_pool: u64,
    pub(super) groups: BTreeMap<u64, Group>,
    pub(super) members: BTreeMap<String, Member>,
    pub(super) deployment: Option<Deployment>,
    pub(super) history: History,
    /// Why the state could not be kept, the last time.
    pub(super) save_fault: Option<String>,
    pub(super) is_ending: bool,
}

impl Member {
    pub(super) fn new(generation: u64) -> Self {
        Self {
            generation,
            phase: Phase::Starting,
            since: Instant::now(),
            address: None,
            pid: None,
            identity: None,
            upstream: None,
            stop: CancellationToken::new(),
            processor: None,
            load: 0.0,
        }
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }

    pub(super) fn in_flight(&self) -> usize {
        self.upstream.as_ref().map_or(0, |upstream| upstream.in_flight())
    }
}

impl Failures {
    /// One more, of an instance that had been ready for so long.
    pub(super) fn note(&mut self, was_ready: Duration, reason: String) {
        self.in_a_row = if was_ready >= STABLE { 1 } else { self.in_a_row.saturating_add(1) };
        self.total += 1;
        self.last_reason = reason;
        self.last = Some(Instant::now());
    }

    /// How long to wait yet before another is started.
    pub(super) fn wait(&self) -> Duration {
        let Some(last) = self.last.filter(|_| self.in_a_row >= 2) else { return Duration::ZERO };
        let wait = FIRST_WAIT.saturating_mul(1 << (self.in_a_row - 2).min(16)).min(MAX_WAIT);
        wait.saturating_sub(last.elapsed())
    }

    fn forget_if_over(&mut self) {
        if self.last.is_some_and(|last| last.elapsed() >= STABLE) {
            self.in_a_row = 0;
        }
    }
}

impl Roster {
    pub(super) fn new(saved: Saved) -> Self {
        let serving = saved.serving.clone();
        let in_pool = serving.number;
        let wanted = match saved.scale {
            Scale::Fixed(count) => count,
            Scale::Auto => saved.wanted,
        };
        let group = Group { generation: serving, wanted, failures: Failures::default() };
        Self {
            saved,
            in_pool,
            groups: BTreeMap::from([(in_pool, group)]),
            members: BTreeMap::new(),
            deployment: None,
            history: History::default(),
            save_fault: None,
            is_ending: false,
        }
    }

    /// The group that gets requests.
    pub(super) fn serving(&self) -> Option<&Group> {
        self.groups.get(&self.in_pool)
    }

    pub(super) fn serving_mut(&mut self) -> Option<&mut Group> {
        self.groups.get_mut(&self.in_pool)
    }

    pub(super) fn is_deploying(&self) -> bool {
        self.deployment.as_ref().is_some_and(Deployment::is_running)
    }

    /// Instances of a generation.
    pub(super) fn of(&self, generation: u64) -> impl Iterator<Item = &Member> {
        self.members.values().filter(move |member| member.generation == generation)
    }

    /// A new generation, of which so many instances are wanted.
    pub(super) fn add_generation(&mut self, program: super::program::Program, wanted: usize) -> u64 {
        self.saved.last_generation += 1;
        let number = self.saved.last_generation;
        let generation = Generation { number, program };
        self.groups.insert(number, Group { generation, wanted, failures: Failures::default() });
        number
    }

    /// Brings who there is nearer to who is wanted: names those to be started, which are members from now on, and tells those
    /// to end that are too many.
    pub(super) fn reconcile(&mut self) -> Vec<(String, Generation)> {
        let mut births = Vec::new();
        for group in self.groups.values_mut() {
            let number = group.generation.number;
            let of_group = |member: &&mut Member| member.generation == number && member.phase.counts();
            let mut alive: Vec<&mut Member> = self.members.values_mut().filter(of_group).collect();
            let wanted = if self.is_ending { 0 } else { group.wanted };
            if alive.len() > wanted {
                // The youngest and the idlest go first.
                alive.sort_by_key(|member| (member.phase, member.in_flight(), std::cmp::Reverse(member.since)));
                let spare = alive.len() - wanted;
                for member in alive.into_iter().take(spare) {
                    member.enter(Phase::Draining);
                    member.stop.cancel();
                }
                continue;
            }
            let missing = wanted - alive.len();
            let is_trying = alive.iter().any(|member| member.phase == Phase::Starting);
            if missing == 0 && !is_trying {
                group.failures.forget_if_over();
            }
            let is_troubled = group.failures.in_a_row > 1;
            let count = match (is_troubled, is_trying || !group.failures.wait().is_zero()) {
                (true, true) => 0,
                (true, false) => missing.min(1),
                (false, _) => missing,
            };
            for _ in 0..count {
                self.saved.last_instance += 1;
                births.push((format!("g{number}-{}", self.saved.last_instance), group.generation.clone()));
            }
        }
        for (name, generation) in &births {
            self.members.insert(name.clone(), Member::new(generation.number));
        }
        let (members, in_pool, confirmed) = (&self.members, self.in_pool, self.saved.serving.number);
        self.groups.retain(|number, group| {
            let is_in_use = group.wanted > 0 || *number == in_pool || *number == confirmed;
            is_in_use || members.values().any(|member| member.generation == *number)
        });
        births
    }

    /// When to look again, at the latest.
    pub(super) fn next_wait(&self) -> Option<Duration> {
        let waits = self.groups.values().map(|group| group.failures.wait());
        waits.filter(|wait| !wait.is_zero()).min()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::program::Program, *};

    fn roster(wanted: usize) -> Roster {
        let program = Program::take(Path::new("/bin/sh")).unwrap();
        Roster::new(Saved::first(program, String::new(), wanted))
    }

    fn names(births: Vec<(String, Generation)>) -> Vec<String> {
        births.into_iter().map(|(name, _)| name).collect()
    }

    fn counting(roster: &Roster) -> usize {
        roster.members.values().filter(|member| member.phase.counts()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_are_missing_are_started_once_and_names_never_come_back() {
        let mut roster = roster(2);
        assert_eq!(names(roster.reconcile()), ["g1-1", "g1-2"]);
        assert_eq!(names(roster.reconcile()), [""; 0]);
        roster.members.remove("g1-1");
        assert_eq!(names(roster.reconcile()), ["g1-3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_the_youngest_go_first() {
        let mut roster = roster(3);
        roster.reconcile();
        for name in ["g1-1", "g1-2", "g1-3"] {
            tokio::time::advance(Duration::from_secs(1)).await;
            roster.members.get_mut(name).unwrap().enter(Phase::Serving);
        }
        roster.serving_mut().unwrap().wanted = 1;
        roster.reconcile();
        let left: Vec<_> = roster.members.iter().filter(|(_, member)| !member.stop.is_cancelled()).collect();
        assert_eq!(left.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["g1-1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_ends_again_and_again_is_started_ever_more_rarely_and_one_at_a_time() {
        let mut roster = roster(3);
        roster.reconcile();
        let (mut starts, begun) = (0, Instant::now());
        while begun.elapsed() < Duration::from_mins(10) {
            let starting: Vec<String> = roster.members.keys().cloned().collect();
            for name in starting {
                roster.members.remove(&name);
                roster.serving_mut().unwrap().failures.note(Duration::from_secs(1), "exit status 1".to_owned());
            }
            starts += roster.reconcile().len();
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert!((20..=32).contains(&starts), "{starts} in ten minutes");
        assert!(roster.serving().unwrap().failures.in_a_row >= TOLD_FAILURES);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_dies_after_a_long_life_is_replaced_at_once() {
        let mut roster = roster(1);
        roster.reconcile();
        for _ in 0..3 {
            roster.members.clear();
            roster.serving_mut().unwrap().failures.note(Duration::from_hours(1), "killed".to_owned());
            assert_eq!(roster.reconcile().len(), 1);
        }
        tokio::time::advance(STABLE).await;
        roster.reconcile();
        assert_eq!(roster.serving().unwrap().failures.in_a_row, 1, "the one that replaces it is not ready yet");
        roster.members.values_mut().for_each(|member| member.enter(Phase::Serving));
        roster.reconcile();
        assert_eq!(roster.serving().unwrap().failures.in_a_row, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_generation_without_use_is_forgotten_and_at_the_end_all_are() {
        let mut roster = roster(2);
        let program = roster.saved.serving.program.clone();
        let green = roster.add_generation(program, 1);
        assert_eq!(roster.reconcile().len(), 3);
        roster.groups.get_mut(&green).unwrap().wanted = 0;
        roster.reconcile();
        assert!(roster.groups.contains_key(&green), "it has an instance yet");
        roster.members.retain(|_, member| member.generation != green);
        roster.reconcile();
        assert!(!roster.groups.contains_key(&green));
        roster.is_ending = true;
        roster.reconcile();
        assert_eq!(counting(&roster), 0);
    }
}
