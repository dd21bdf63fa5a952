//! One attempt at a job: run, timed, stopped when it is told to, and its end put in words.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use metrics::{counter, describe_counter, describe_histogram, histogram};
use tracing::Instrument as _;

use super::{
    super::{JobContext, JobError, JobFailure, Jobs, Policy, Registry, StopReason, claim::Claimed, settle::Outcome},
    WorkerOptions,
};

const ATTEMPTS: &str = "job_attempts_total";
const DURATION: &str = "job_attempt_duration_seconds";

/// How a handler's work ended: with its result, or by being dropped because it did not stop in time.
type Answer = Option<Result<String, JobError>>;

/// Runs an attempt; `None` when nothing is to be written because the job is another worker's.
pub(super) async fn run(
    registry: &Registry,
    options: &WorkerOptions,
    jobs: &Jobs,
    context: &JobContext,
    job: &Claimed,
) -> Option<Outcome> {
    let begun = Instant::now();
    if job.owner.is_empty() {
        let outcome = attempt_at(registry, options, jobs, (context, job)).await;
        count(&job.kind, outcome.as_ref(), begun.elapsed());
        return outcome;
    }
    let (task_id, kind, attempt) = (context.id(), &job.kind, job.attempts);
    let span = tracing::info_span!("task", %task_id, kind, user_id = job.owner, attempt);
    let outcome = attempt_at(registry, options, jobs, (context, job)).instrument(span.clone()).await;
    count(&job.kind, outcome.as_ref(), begun.elapsed());
    let ended = outcome.as_ref().map_or("another worker's", Outcome::name);
    span.in_scope(|| tracing::info!(ended, elapsed_ms = begun.elapsed().as_millis() as u64, "a job ended"));
    outcome
}

/// Says in the numbers of the process what these mean.
pub(super) fn describe_numbers() {
    describe_counter!(ATTEMPTS, "Attempts at jobs, by kind and what came of them");
    describe_histogram!(DURATION, "Seconds that an attempt took, by kind");
}

/// Numbers for whoever runs the place. Kinds are those of the registry, so there are few.
fn count(kind: &str, outcome: Option<&Outcome>, elapsed: Duration) {
    let ended = outcome.map_or("lost", Outcome::label);
    counter!(ATTEMPTS, "kind" => kind.to_owned(), "outcome" => ended).increment(1);
    histogram!(DURATION, "kind" => kind.to_owned()).record(elapsed);
}

async fn attempt_at(
    registry: &Registry,
    options: &WorkerOptions,
    jobs: &Jobs,
    (context, job): (&JobContext, &Claimed),
) -> Option<Outcome> {
    let handler = registry.find(&job.kind)?;
    let policy = handler.policy();
    let work = AssertUnwindSafe(handler.run(&job.payload, context.clone())).catch_unwind();
    let work = async { work.await.unwrap_or_else(|panic| Err(JobError::retry(describe(panic.as_ref())))) };
    let answer = in_time(work, context, policy.timeout, options.grace).await;
    let reason = context.stop_reason();
    if reason == Some(StopReason::LeaseLost) {
        return None;
    }
    Some(match (answer, reason) {
        // What was reached counts, also when it was not wanted any more.
        (Some(Ok(result)), _) => Outcome::Succeeded(result),
        (_, Some(StopReason::Cancelled)) => Outcome::Cancelled,
        (_, Some(StopReason::Shutdown)) => Outcome::Returned,
        (Some(Err(JobError::Fail(failure))), _) => Outcome::Failed(failure),
        (_, Some(StopReason::Timeout)) => try_again(jobs, job, policy, too_long(policy.timeout), None),
        (Some(Err(JobError::Retry { failure, after })), _) => try_again(jobs, job, policy, failure, after),
        (Some(Err(JobError::Stopped)) | None, _) => {
            let message = "it stopped without being told to".to_owned();
            try_again(jobs, job, policy, JobFailure { message, advice: None }, None)
        }
    })
}

/// Lets the work run for `timeout`, tells it to stop then, and drops it when it has not stopped `grace` after it was told to.
async fn in_time(
    work: impl Future<Output = Result<String, JobError>>,
    context: &JobContext,
    timeout: Duration,
    grace: Duration,
) -> Answer {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        answer = &mut work => return Some(answer),
        () = context.cancellation().cancelled() => {}
        () = tokio::time::sleep(timeout) => context.stop(StopReason::Timeout),
    }
    tokio::time::timeout(grace, work).await.ok()
}

fn try_again(jobs: &Jobs, job: &Claimed, policy: Policy, failure: JobFailure, after: Option<Duration>) -> Outcome {
    if job.attempts >= job.max_attempts {
        return Outcome::Failed(failure);
    }
    Outcome::Again(failure, after.unwrap_or_else(|| policy.wait_after(job.attempts, jobs.rng.as_ref())))
}

fn too_long(timeout: Duration) -> JobFailure {
    JobFailure { message: format!("it took longer than {} s", timeout.as_secs_f64()), advice: None }
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref().cloned());
    format!("it panicked: {}", text.unwrap_or_else(|| "without a word".to_owned()))
}
