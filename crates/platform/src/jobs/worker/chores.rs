//! What a worker does besides jobs: it shows that it lives, takes up what the dead left, makes delayed jobs ready, runs
//! schedules, hears cancellations, stores progress, and removes old jobs.

use std::{sync::Arc, time::Instant};

use tokio::task::JoinSet;

use super::{
    super::{JobId, JobProgress, StopReason, context::JobContext, delayed::ClockWatch},
    Chores, Shared,
};
use crate::{
    db::{DbError, Topic},
    heartbeat::Watch,
};

/// Starts all chores. They end when the worker closes: those that jobs need, only once all jobs ended.
pub(super) fn spawn(shared: &Arc<Shared>) -> Chores {
    let mut chores = JoinSet::new();
    chores.spawn(Arc::clone(shared).show_life());
    chores.spawn(Arc::clone(shared).watch_others());
    chores.spawn(Arc::clone(shared).make_ready());
    chores.spawn(Arc::clone(shared).hear_cancellations());
    chores.spawn(Arc::clone(shared).store_progress());
    chores.spawn(Arc::clone(shared).remove_old());
    chores
}

impl Shared {
    /// Counts in the worker's row until all jobs ended. A row that is gone means that others have the jobs.
    async fn show_life(self: Arc<Self>) {
        let mut last = Instant::now();
        while tokio::time::timeout(self.options.heartbeat, self.closed.cancelled()).await.is_err() {
            let Some(worker) = self.slots.worker() else { continue };
            match self.jobs.beat(worker).await {
                Ok(true) => last = Instant::now(),
                Ok(false) => {
                    tracing::warn!("this worker was taken for dead; it begins anew");
                    self.slots.set_worker(None);
                }
                // Without the database nobody can take the jobs either, unless it is only this process that is cut off.
                Err(error) => {
                    let silent_s = last.elapsed().as_secs();
                    tracing::warn!(%error, silent_s, "the worker cannot show that it lives");
                }
            }
        }
    }

    /// Takes up the jobs of workers that died.
    async fn watch_others(self: Arc<Self>) {
        let (mut watch, mut unknown) = (Watch::default(), Vec::new());
        while !self.closing.is_cancelled() {
            if let Err(error) = self.look_at_others(&mut watch).await {
                tracing::debug!(%error, "other workers could not be looked at");
            }
            match self.find_unknown(&unknown).await {
                Ok(found) => unknown = found,
                Err(error) => tracing::debug!(%error, "this worker's own jobs could not be looked at"),
            }
            self.pause(self.options.heartbeat).await;
        }
    }

    async fn look_at_others(&self, watch: &mut Watch) -> Result<(), DbError> {
        let mut beats = self.jobs.read_beats().await?;
        beats.retain(|(worker, _)| Some(*worker) != self.slots.worker());
        for (worker, beat) in watch.look(&beats, Instant::now(), self.options.lease) {
            if self.jobs.remove_worker(worker, Some(beat)).await? {
                tracing::warn!(%worker, "a worker shows no life");
            }
        }
        while self.jobs.take_up_orphans().await? > 0 {}
        Ok(())
    }

    /// Finds jobs that are this worker's without its knowing, because the answer to a claim got lost, and gives those back that
    /// were found before: an end may just be on its way.
    async fn find_unknown(&self, before: &[JobId]) -> Result<Vec<JobId>, DbError> {
        let Some(worker) = self.slots.worker() else { return Ok(Vec::new()) };
        let _claiming = self.claiming.lock().await;
        let mut unknown = self.jobs.read_running(worker).await?;
        unknown.retain(|id| !self.slots.holds(worker, *id));
        let lost: Vec<_> = unknown.iter().copied().filter(|id| before.contains(id)).collect();
        if !lost.is_empty() {
            tracing::warn!(jobs = lost.len(), "jobs that this worker never got are given back");
            self.jobs.give_back(worker, &lost).await?;
        }
        Ok(unknown)
    }

    /// Makes delayed jobs ready at their times, and enqueues those of schedules.
    async fn make_ready(self: Arc<Self>) {
        let mut clock = ClockWatch::new(self.jobs.clock.now_ms());
        let mut are_registered = false;
        while !self.closing.is_cancelled() {
            if !are_registered {
                match self.jobs.register_schedules(&self.schedules).await {
                    Ok(()) => are_registered = true,
                    Err(error) => tracing::warn!(%error, "schedules wait for the database"),
                }
            }
            if clock.was_set_back(self.jobs.clock.now_ms()) {
                tracing::warn!("the clock was set back; delays are counted anew");
                if let Err(error) = self.jobs.mend_delays().await {
                    tracing::warn!(%error, "delays could not be counted anew");
                }
            }
            if let Err(error) = self.jobs.run_schedules(&self.schedules).await {
                tracing::warn!(%error, "schedules wait for the database");
            }
            match self.promote().await {
                Ok(next) => self.pause(next).await,
                Err(error) => {
                    tracing::debug!(%error, "delayed jobs wait for the database");
                    self.pause(self.options.poll).await;
                }
            }
        }
    }

    /// Makes ready what is due, and returns when to look again.
    async fn promote(&self) -> Result<std::time::Duration, DbError> {
        while self.jobs.promote().await? > 0 {}
        let next = self.jobs.next_due().await?.unwrap_or(self.options.poll);
        Ok(next.clamp(std::time::Duration::from_millis(5), self.options.poll))
    }

    /// Tells running jobs that they were cancelled.
    async fn hear_cancellations(self: Arc<Self>) {
        let mut called = self.jobs.db.subscribe().await;
        while !self.closed.is_cancelled() {
            tokio::select! {
                _ = called.wait(Topic::Cancellations, self.options.cancel_poll) => called.forget(),
                () = self.closed.cancelled() => return,
            }
            let Some(worker) = self.slots.worker() else { continue };
            if self.slots.running().is_empty() {
                continue;
            }
            match self.jobs.read_cancelled(worker).await {
                Ok(ids) => self.slots.stop(&ids, StopReason::Cancelled),
                Err(error) => tracing::debug!(%error, "cancellations could not be read"),
            }
        }
    }

    async fn store_progress(self: Arc<Self>) {
        while tokio::time::timeout(self.options.progress, self.closed.cancelled()).await.is_err() {
            let Some(worker) = self.slots.worker() else { continue };
            let mine = self.slots.running().into_iter().filter(|job| job.worker() == worker);
            let reports: Vec<(JobContext, JobProgress)> =
                mine.filter_map(|job| job.take_progress().map(|progress| (job, progress))).collect();
            for reports in reports.chunks(256) {
                let told: Vec<_> = reports.iter().map(|(job, progress)| (job.id(), progress)).collect();
                if let Err(error) = self.jobs.store_progress(worker, &told).await {
                    tracing::debug!(%error, "progress could not be stored");
                    for (job, progress) in reports {
                        job.put_back(progress.clone());
                    }
                }
            }
        }
    }

    async fn remove_old(self: Arc<Self>) {
        while !self.closing.is_cancelled() {
            if let Err(error) = self.jobs.remove_idle_helpers().await {
                tracing::debug!(%error, "helpers of jobs that ended could not be removed");
            }
            match self.jobs.remove_finished(self.options.keep).await {
                Ok(1..) => continue,
                Ok(0) => {}
                Err(error) => tracing::debug!(%error, "old jobs could not be removed"),
            }
            self.pause(std::time::Duration::from_hours(1)).await;
        }
    }
}
