//! What owners and admins see: lists, pages, rights, and the plans of the queries behind them.

use std::time::Duration;

use kernel::{ErrorKind, PageRequest, PageSize};
use platform::{
    both_databases,
    jobs::{JobState, TaskFilter},
    testing::TestDb,
};
use sea_orm::ConnectionTrait as _;

use super::fixture::{note, set_up};

both_databases! {
    async fn a_list_is_read_page_by_page_newest_first(test: &TestDb) {
        let jobs = set_up(test).await;
        let ids = jobs.enqueue_all((0..25).map(|number| note(number.to_string()).owned_by("ann"))).await.unwrap();
        jobs.enqueue(note("other").owned_by("bob")).await.unwrap();
        let filter = TaskFilter { owner: Some("ann".to_owned()), ..TaskFilter::default() };
        let mut request = PageRequest { size: PageSize::new(10).unwrap(), after: None };
        let mut seen = Vec::new();
        loop {
            let page = jobs.list(&filter, &request).await.unwrap();
            seen.extend(page.items.iter().map(|task| task.id));
            request.after = page.next_cursor;
            if request.after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ids.into_iter().rev().collect::<Vec<_>>());
        let wrong = PageRequest { after: Some("nonsense".parse().unwrap()), ..request };
        assert_eq!(jobs.list(&filter, &wrong).await.unwrap_err().kind(), ErrorKind::Invalid);
    }

    async fn a_list_is_filtered_by_kind_and_state(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("one")).await.unwrap();
        jobs.enqueue(note("two")).await.unwrap();
        jobs.cancel(id, None).await.unwrap();
        let of = |kind: &str, state| TaskFilter { kind: Some(kind.to_owned()), state: Some(state), ..TaskFilter::default() };
        let cancelled = jobs.list(&of("notes", JobState::Cancelled), &PageRequest::default()).await.unwrap();
        assert_eq!(cancelled.items.iter().map(|task| task.id).collect::<Vec<_>>(), [id]);
        assert!(jobs.list(&of("letters", JobState::Ready), &PageRequest::default()).await.unwrap().items.is_empty());
    }

    async fn nobody_sees_or_changes_what_is_another_owners(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("secret").owned_by("ann")).await.unwrap();
        assert_eq!(jobs.get(id, Some("bob")).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(jobs.cancel(id, Some("bob")).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(jobs.retry(id, Some("bob")).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(jobs.delete(id, Some("bob")).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(jobs.get(id, Some("ann")).await.unwrap().state, JobState::Ready);
    }

    async fn what_does_not_fit_the_state_of_a_job_is_refused(test: &TestDb) {
        let jobs = set_up(test).await;
        let id = jobs.enqueue(note("waits")).await.unwrap();
        assert_eq!(jobs.delete(id, None).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(jobs.retry(id, None).await.unwrap_err().kind(), ErrorKind::Conflict);
        jobs.cancel(id, None).await.unwrap();
        jobs.delete(id, None).await.unwrap();
        assert_eq!(jobs.get(id, None).await.unwrap_err().kind(), ErrorKind::NotFound);
    }

    async fn every_query_of_the_queue_and_its_lists_uses_an_index(test: &TestDb) {
        let jobs = set_up(test).await;
        jobs.enqueue_all((0..3000).map(|number| note("x").owned_by(format!("owner {}", number % 300)))).await.unwrap();
        jobs.enqueue_all((0..200).map(|_| note("x").after(Duration::from_hours(1)))).await.unwrap();
        // An index without rows has no statistics, so there are jobs in each state.
        for statement in [
            "UPDATE jobs SET state = 'succeeded' WHERE priority = 2 AND owner > 'owner 2'",
            "UPDATE jobs SET state = 'running', worker_id = id WHERE owner LIKE 'owner 1_'",
            "ANALYZE",
        ] {
            test.db().writer().execute_unprepared(statement).await.unwrap();
        }
        let id = "'019ac700-0000-7000-8000-000000000000'";
        for (query, indexes) in [
            ("SELECT * FROM jobs ORDER BY id DESC LIMIT 51".to_owned(), &["jobs_pkey"][..]),
            (format!("SELECT * FROM jobs WHERE id IN ({id}, {id})"), &["jobs_pkey"]),
            ("SELECT * FROM jobs WHERE owner = 'owner 1' ORDER BY id DESC LIMIT 51".to_owned(), &["jobs_by_owner"]),
            (
                format!("SELECT * FROM jobs WHERE owner = 'owner 1' AND id < {id} ORDER BY id DESC LIMIT 51"),
                &["jobs_by_owner"],
            ),
            (
                "SELECT * FROM jobs WHERE owner = 'owner 1' AND state = 'ready' ORDER BY id DESC LIMIT 51".to_owned(),
                &["jobs_by_owner", "jobs_open"],
            ),
            (
                "SELECT * FROM jobs WHERE owner = 'owner 1' AND state IN ('ready', 'delayed', 'running') \
                 ORDER BY id DESC LIMIT 500"
                    .to_owned(),
                &["jobs_open"],
            ),
            ("SELECT * FROM jobs WHERE kind = 'notes' ORDER BY id DESC LIMIT 51".to_owned(), &["jobs_by_kind"]),
            (
                format!("SELECT * FROM jobs WHERE state = 'failed' AND id < {id} ORDER BY id DESC LIMIT 51"),
                &["jobs_by_state"],
            ),
            (
                "SELECT * FROM jobs WHERE kind = 'notes' AND state = 'failed' ORDER BY id DESC LIMIT 51".to_owned(),
                &["jobs_by_state", "jobs_by_kind"],
            ),
            (
                "SELECT * FROM jobs WHERE owner = 'owner 1' AND subject = 'videos/1' ORDER BY id DESC LIMIT 51".to_owned(),
                &["jobs_by_subject"],
            ),
            (
                "SELECT id FROM jobs WHERE state = 'ready' AND kind = 'notes' ORDER BY priority, tag, id LIMIT 64".to_owned(),
                &["jobs_ready"],
            ),
            (
                "SELECT max(tag) FROM jobs WHERE state = 'ready' AND kind = 'notes' AND priority = 2 AND owner = 'owner 1'"
                    .to_owned(),
                &["jobs_ready_owner"],
            ),
            (
                "SELECT min(tag) FROM jobs WHERE state = 'ready' AND kind = 'notes' AND priority = 2".to_owned(),
                &["jobs_ready"],
            ),
            ("SELECT id FROM jobs WHERE state = 'delayed' ORDER BY run_at LIMIT 1".to_owned(), &["jobs_delayed"]),
            (
                format!("SELECT id FROM jobs WHERE state = 'running' AND worker_id = {id} AND cancel_requested"),
                &["jobs_running"],
            ),
            (format!("SELECT id FROM jobs WHERE parent_id = {id} AND state = 'running'"), &["jobs_by_parent"]),
            (format!("SELECT name FROM job_pieces WHERE job_id = {id}"), &["job_pieces_pkey"]),
            ("SELECT id FROM events WHERE position IS NULL ORDER BY id LIMIT 1000".to_owned(), &["events_without_place"]),
            ("SELECT id FROM events WHERE position > 10 ORDER BY position LIMIT 100".to_owned(), &["events_position"]),
        ] {
            test.assert_served(&query, indexes).await;
        }
    }
}
