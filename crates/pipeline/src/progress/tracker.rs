//! Adds up what the items report to one fraction of the run, and sends the events.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{self, UnboundedSender};

use super::{Advance, Item, Outcome, Progress, ProgressPlan, ProgressReceiver};

/// Events that may wait for a slow reader before those that can be spared are left out.
const MAX_WAITING: usize = 512;

/// No time left is told before this much of the run was done by work: too little to judge by.
const MIN_WORKED_FRACTION: f64 = 0.02;

/// How many events nobody has read yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    pub(super) fn took_one(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps a run's progress. Clones keep the same.
#[derive(Debug, Clone)]
pub(crate) struct Tracker {
    totals: Arc<Mutex<Totals>>,
}

#[derive(Debug)]
struct Totals {
    events: UnboundedSender<Progress>,
    waiting: Waiting,
    started: Instant,
    /// Share of the whole run per stage; they add up to 1.
    shares: BTreeMap<&'static str, f64>,
    stages: BTreeMap<&'static str, StageState>,
    fraction: f64,
    finished: bool,
}

#[derive(Debug)]
struct StageState {
    /// Share of the stage per item; they add up to 1.
    item_shares: Vec<f64>,
    item_fractions: Vec<f64>,
    reused: Vec<bool>,
    started: Instant,
}

impl Tracker {
    /// Starts a run of `plan` and says so.
    pub(crate) fn start(plan: &ProgressPlan) -> (Self, ProgressReceiver) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let total: f64 = plan.stages.iter().map(|(_, weight)| weight).sum();
        let mut shares = BTreeMap::new();
        for (name, weight) in &plan.stages {
            *shares.entry(*name).or_insert(0.0) += if total > 0.0 { weight / total } else { 0.0 };
        }
        let waiting = Waiting::default();
        let totals = Totals {
            events: sender,
            waiting: waiting.clone(),
            started: Instant::now(),
            shares,
            stages: BTreeMap::new(),
            fraction: 0.0,
            finished: false,
        };
        totals.send(Progress::RunStarted { stages: plan.stages.iter().map(|(name, _)| (*name).to_owned()).collect() });
        (Self { totals: Arc::new(Mutex::new(totals)) }, ProgressReceiver { events: receiver, waiting })
    }

    /// A stage begins; `weights` are the shares of its items in any unit.
    pub(crate) fn start_stage(&self, stage: &'static str, weights: &[f64]) -> StageProgress {
        let mut totals = self.lock();
        let total: f64 = weights.iter().filter(|weight| is_weight(**weight)).sum();
        let even = 1.0 / weights.len().max(1) as f64;
        let share = |weight: &f64| {
            if total <= 0.0 {
                even
            } else if is_weight(*weight) {
                weight / total
            } else {
                0.0
            }
        };
        // A stage without items has one share all the same, done when the stage is.
        let item_shares: Vec<f64> = if weights.is_empty() { vec![1.0] } else { weights.iter().map(share).collect() };
        let stage_state = StageState {
            item_fractions: vec![0.0; item_shares.len()],
            reused: vec![weights.is_empty(); item_shares.len()],
            item_shares,
            started: Instant::now(),
        };
        totals.stages.insert(stage, stage_state);
        totals.send(Progress::StageStarted { stage: stage.to_owned(), items: weights.len() });
        drop(totals);
        StageProgress { tracker: self.clone(), stage, count: weights.len() }
    }

    /// Sends the last event; later ones are not sent.
    pub(crate) fn finish(&self, outcome: Outcome) {
        let mut totals = self.lock();
        if outcome == Outcome::Succeeded {
            totals.fraction = 1.0;
        }
        let event =
            Progress::RunFinished { outcome, elapsed_ms: millis(totals.started.elapsed()), fraction: totals.fraction };
        totals.send(event);
        totals.finished = true;
    }

    fn lock(&self) -> MutexGuard<'_, Totals> {
        // The numbers are whole between any two statements, so a panic elsewhere leaves nothing half done.
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Totals {
    fn send(&self, event: Progress) {
        if !self.finished && self.events.send(event).is_ok() {
            self.waiting.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn send_if_read(&self, event: Progress) {
        if self.waiting.0.load(Ordering::Relaxed) < MAX_WAITING {
            self.send(event);
        }
    }

    fn set_item(&mut self, stage: &'static str, index: usize, fraction: f64) -> f64 {
        let Some(fractions) = self.stages.get_mut(stage).map(|stage| &mut stage.item_fractions) else { return 0.0 };
        let Some(held) = fractions.get_mut(index) else { return 0.0 };
        if fraction.is_finite() {
            *held = held.max(fraction.clamp(0.0, 1.0));
        }
        let held = *held;
        let done = self.sum(|_| true);
        self.fraction = self.fraction.max(done.min(1.0));
        held
    }

    /// Adds up the shares of the items that `counts` lets count, as (reused).
    fn sum(&self, counts: impl Fn(bool) -> bool) -> f64 {
        let of_stage = |stage: &StageState| -> f64 {
            let items = stage.item_shares.iter().zip(&stage.item_fractions).zip(&stage.reused);
            items.filter(|(_, reused)| counts(**reused)).map(|((share, fraction), _)| share * fraction).sum()
        };
        self.stages.iter().map(|(name, stage)| self.shares.get(name).copied().unwrap_or(0.0) * of_stage(stage)).sum()
    }

    fn eta_ms(&self) -> Option<u64> {
        time_left(self.started.elapsed(), self.sum(|reused| !reused), self.fraction).map(millis)
    }
}

/// The time left, judged by the work done so far; what was there before took no time and tells nothing.
fn time_left(elapsed: Duration, worked_fraction: f64, fraction: f64) -> Option<Duration> {
    if worked_fraction < MIN_WORKED_FRACTION {
        return None;
    }
    Some(elapsed.mul_f64(((1.0 - fraction) / worked_fraction).max(0.0)))
}

fn is_weight(weight: f64) -> bool {
    weight.is_finite() && weight > 0.0
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The progress of one stage.
#[derive(Debug, Clone)]
pub(crate) struct StageProgress {
    tracker: Tracker,
    stage: &'static str,
    count: usize,
}

impl StageProgress {
    /// The reporter of the item at `index`, counted from 0.
    pub(crate) fn item(&self, index: usize) -> Reporter {
        Reporter {
            tracker: self.tracker.clone(),
            stage: self.stage,
            item: Item { number: index + 1, count: self.count },
        }
    }

    /// All items are there.
    pub(crate) fn finish(&self) {
        let mut totals = self.tracker.lock();
        if self.count == 0 {
            totals.set_item(self.stage, 0, 1.0);
        }
        let Some(stage) = totals.stages.get(self.stage) else { return };
        totals.send(Progress::StageFinished {
            stage: self.stage.to_owned(),
            items: self.count,
            reused: stage.reused.iter().take(self.count).filter(|reused| **reused).count(),
            elapsed_ms: millis(stage.started.elapsed()),
            fraction: totals.fraction,
        });
    }
}

/// Where a stage says how far one item is. Clones report on the same item.
#[derive(Debug, Clone)]
pub struct Reporter {
    tracker: Tracker,
    stage: &'static str,
    item: Item,
}

impl Reporter {
    /// Which item it reports on.
    pub fn item(&self) -> Item {
        self.item
    }

    /// Says how far the item is. An item never goes back: a lower fraction than before counts as the one before.
    pub fn advance(&self, advance: Advance) {
        let mut totals = self.tracker.lock();
        let item_fraction = totals.set_item(self.stage, self.item.number - 1, advance.fraction);
        totals.send_if_read(Progress::Advanced {
            stage: self.stage.to_owned(),
            item: self.item,
            fraction: totals.fraction,
            item_fraction,
            eta_ms: totals.eta_ms(),
            speed: advance.speed,
            message: advance.message,
            preview: advance.preview,
        });
    }

    pub(crate) fn made(&self) {
        self.finish_item(false);
    }

    pub(crate) fn reused(&self) {
        self.finish_item(true);
    }

    fn finish_item(&self, reused: bool) {
        let mut totals = self.tracker.lock();
        let index = self.item.number - 1;
        if let Some(flag) = totals.stages.get_mut(self.stage).and_then(|stage| stage.reused.get_mut(index)) {
            *flag = reused;
        }
        totals.set_item(self.stage, index, 1.0);
        let fraction = totals.fraction;
        totals.send_if_read(Progress::ItemFinished { stage: self.stage.to_owned(), item: self.item, reused, fraction });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Start(usize, Vec<f64>),
        Advance(usize, usize, f64),
        Made(usize, usize),
        Reused(usize, usize),
    }

    const STAGES: [&str; 4] = ["voice", "segments", "mix", "unplanned"];

    fn step() -> impl Strategy<Value = Step> {
        let (stage, item) = (0..STAGES.len(), 0..6_usize);
        prop_oneof![
            (stage.clone(), proptest::collection::vec(any::<f64>(), 0..6)).prop_map(|(stage, w)| Step::Start(stage, w)),
            (stage.clone(), item.clone(), any::<f64>()).prop_map(|(stage, item, f)| Step::Advance(stage, item, f)),
            (stage.clone(), item.clone(), 0.0..1.0).prop_map(|(stage, item, f)| Step::Advance(stage, item, f)),
            (stage.clone(), item.clone()).prop_map(|(stage, item)| Step::Made(stage, item)),
            (stage, item).prop_map(|(stage, item)| Step::Reused(stage, item)),
        ]
    }

    fn fraction_of(event: &Progress) -> Option<f64> {
        match event {
            Progress::Advanced { fraction, .. }
            | Progress::ItemFinished { fraction, .. }
            | Progress::StageFinished { fraction, .. }
            | Progress::RunFinished { fraction, .. } => Some(*fraction),
            Progress::RunStarted { .. } | Progress::StageStarted { .. } => None,
        }
    }

    fn drain(mut receiver: ProgressReceiver) -> Vec<Progress> {
        std::iter::from_fn(|| receiver.try_next()).collect()
    }

    proptest! {
        #[test]
        fn the_fraction_of_a_run_never_goes_back(
            weights in proptest::array::uniform3(any::<f64>()),
            steps in proptest::collection::vec(step(), 0..60),
        ) {
            let plan = ProgressPlan::new(STAGES.into_iter().zip(weights));
            let (tracker, receiver) = Tracker::start(&plan);
            let mut stages: BTreeMap<usize, StageProgress> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Start(stage, weights) => {
                        stages.insert(stage, tracker.start_stage(STAGES[stage], &weights));
                    }
                    Step::Advance(stage, item, fraction) => {
                        if let Some(stage) = stages.get(&stage) {
                            stage.item(item).advance(Advance::to(fraction));
                        }
                    }
                    Step::Made(stage, item) => stages.get(&stage).into_iter().for_each(|stage| stage.item(item).made()),
                    Step::Reused(stage, item) => stages.get(&stage).into_iter().for_each(|stage| stage.item(item).reused()),
                }
            }
            tracker.finish(Outcome::Succeeded);
            let events = drain(receiver);
            let fractions: Vec<_> = events.iter().filter_map(fraction_of).collect();
            prop_assert!(fractions.iter().all(|fraction| (0.0..=1.0).contains(fraction)), "{fractions:?}");
            prop_assert!(fractions.is_sorted(), "{fractions:?}");
            prop_assert_eq!(fractions.last(), Some(&1.0));
        }
    }

    #[test]
    fn a_slow_reader_loses_steps_but_never_the_end() {
        let (tracker, receiver) = Tracker::start(&ProgressPlan::new([("voice", 1.0)]));
        let stage = tracker.start_stage("voice", &[1.0]);
        for step in 0..10_000 {
            stage.item(0).advance(Advance::to(f64::from(step) / 10_000.0));
        }
        stage.item(0).made();
        stage.finish();
        tracker.finish(Outcome::Succeeded);
        let events = drain(receiver);
        assert!(events.len() <= MAX_WAITING + 2, "{}", events.len());
        assert!(matches!(events[events.len() - 2], Progress::StageFinished { items: 1, reused: 0, .. }));
        assert!(matches!(events[events.len() - 1], Progress::RunFinished { outcome: Outcome::Succeeded, .. }));
    }

    #[test]
    fn stages_and_items_count_by_their_weight() {
        let (tracker, receiver) = Tracker::start(&ProgressPlan::new([("voice", 1.0), ("segments", 3.0)]));
        tracker.start_stage("segments", &[1.0, 2.0]).item(1).made();
        let events = drain(receiver);
        let fraction = events.last().and_then(fraction_of).unwrap();
        assert!((fraction - 0.5).abs() < 1e-9, "{fraction}");
    }

    #[test]
    fn a_stage_without_items_counts_when_it_is_finished() {
        let (tracker, receiver) = Tracker::start(&ProgressPlan::new([("footage", 1.0), ("segments", 1.0)]));
        tracker.start_stage("footage", &[]).finish();
        let events = drain(receiver);
        let expected =
            Progress::StageFinished { stage: "footage".to_owned(), items: 0, reused: 0, elapsed_ms: 0, fraction: 0.5 };
        assert_eq!(events.last(), Some(&expected));
    }

    #[test]
    fn the_time_left_is_judged_by_work_alone() {
        let elapsed = Duration::from_secs(10);
        assert_eq!(time_left(elapsed, 0.01, 0.5), None);
        // Half was there before and took no time; a quarter took ten seconds, so the last quarter takes ten more.
        assert_eq!(time_left(elapsed, 0.25, 0.75), Some(elapsed));
    }
}
