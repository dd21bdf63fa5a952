//! Measures what instances do, and has more or fewer of them where the load asks for it.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    Fleet, proc,
    roster::{Member, Phase, Roster},
    scaling::{Bounds, Step, decide},
    settings::ScalingSettings,
    state::Scale,
};

/// How often the load is measured.
const INTERVAL: Duration = Duration::from_secs(1);

impl Fleet {
    /// Measures, and decides, for ever.
    pub(super) async fn measure(self) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if self.measure_once() {
                self.0.changed.notify_waiters();
                self.save().await;
            }
        }
    }

    /// Whether the number of instances is to change.
    fn measure_once(&self) -> bool {
        let settings = &self.0.settings.scaling;
        let now_ms = self.0.clock.now_ms();
        let mut roster = self.roster();
        let mut loads = Vec::new();
        for member in roster.members.values_mut().filter(|member| member.pid.is_some()) {
            member.load = load_of(member, settings);
            if member.phase == Phase::Serving {
                loads.push(member.load);
            }
        }
        for phase in Phase::ALL {
            let count = roster.members.values().filter(|member| member.phase == phase).count();
            metrics::gauge!("gateway_instances", "state" => phase.name()).set(count as f64);
        }
        if loads.is_empty() {
            return false;
        }
        let load = loads.iter().sum::<f64>() / loads.len() as f64;
        roster.history.note(now_ms, load, settings);
        metrics::gauge!("gateway_load").set(roster.history.load());
        if self.scale_by_load(&mut roster) {
            roster.history.changed(now_ms);
            return true;
        }
        false
    }

    fn scale_by_load(&self, roster: &mut Roster) -> bool {
        if roster.saved.scale != Scale::Auto || roster.is_ending {
            return false;
        }
        let Some(count) = roster.serving().map(|group| group.wanted) else { return false };
        let (min, max) = (self.0.settings.instances.min, self.0.settings.instances.max);
        let load = roster.history.load();
        let wanted = match decide(&roster.history, count, Bounds { min, max }, &self.0.settings.scaling) {
            Step::Hold => return false,
            // A deploy needs what there is, to go back to.
            Step::Down(_) if roster.is_deploying() => return false,
            Step::Up(wanted) | Step::Down(wanted) => wanted,
        };
        tracing::info!(from = count, to = wanted, load, "the number of instances changes with the load");
        if let Some(group) = roster.serving_mut() {
            group.wanted = wanted;
        }
        true
    }
}

/// What an instance does: its requests and its processor time, whichever is greater, 1 being what it is meant to take.
fn load_of(member: &mut Member, settings: &ScalingSettings) -> f64 {
    let requests = member.in_flight() as f64 / f64::from(settings.target_in_flight);
    let identity = member.identity;
    let stat = member.pid.and_then(proc::stat).filter(|stat| identity.is_none_or(|identity| identity == stat.identity));
    let Some(stat) = stat else { return requests };
    let now = Instant::now();
    let before = member.processor.replace((now, stat.processor_s));
    let processor = before.map_or(0.0, |(then, used_s)| {
        let passed_s = now.duration_since(then).as_secs_f64().max(f64::MIN_POSITIVE);
        (stat.processor_s - used_s).max(0.0) / passed_s / settings.cores
    });
    requests.max(processor)
}
