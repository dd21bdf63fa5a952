//! Many who ask for single jobs at the same moment.

use futures::future::join_all;
use kernel::ErrorKind;
use platform::{both_databases, jobs::JobState, testing::TestDb};

use super::fixture::{note, set_up};

both_databases! {
    async fn everybody_gets_the_job_that_was_asked_for_as_it_is_now(test: &TestDb) {
        let jobs = set_up(test).await;
        let ids = jobs.enqueue_all((0..700).map(|number| note("x").owned_by(format!("owner {number}")))).await.unwrap();
        let asked = join_all(ids.iter().map(|id| jobs.get(*id, None))).await;
        for (number, (id, task)) in ids.iter().zip(asked).enumerate() {
            let task = task.unwrap();
            assert_eq!((task.id, task.owner.clone()), (*id, format!("owner {number}")));
        }
        // What was changed before one asks is seen, whoever else is asking.
        let busy = join_all((0..2000).map(|number| jobs.get(ids[number % 700], None)));
        let changed = async {
            for id in &ids[..20] {
                jobs.cancel(*id, None).await.unwrap();
                assert_eq!(jobs.get(*id, None).await.unwrap().state, JobState::Cancelled);
            }
        };
        let (busy, ()) = tokio::join!(busy, changed);
        assert!(busy.iter().all(Result::is_ok));
        let strangers = join_all(ids[..50].iter().map(|id| jobs.get(*id, Some("nobody")))).await;
        assert!(strangers.iter().all(|answer| answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound)));
    }

    async fn who_goes_away_keeps_nobody_waiting(test: &TestDb) {
        let jobs = set_up(test).await;
        let ids = jobs.enqueue_all((0..50).map(|_| note("x"))).await.unwrap();
        for id in &ids {
            let gone = jobs.get(*id, None);
            drop(tokio::time::timeout(std::time::Duration::ZERO, gone).await);
        }
        assert!(join_all(ids.iter().map(|id| jobs.get(*id, None))).await.iter().all(Result::is_ok));
    }
}
