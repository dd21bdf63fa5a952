//! How fast the queue is: the example `queue_speed` of platform, in an empty table and beside a million finished jobs.

use super::super::process;
use super::super::report::Row;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::Path;

const MIN_SQLITE: f64 = 1_000.0;
const MIN_POSTGRES: f64 = 2_000.0;
const MIN_SHARE: f64 = 0.8;
/// Jobs of the system's own: those of users write an event each besides.
const SORT: &str = "jobs";

/// A line of what the example prints.
#[derive(Debug, Deserialize)]
struct Speed {
    database: String,
    sort: String,
    per_second: f64,
    per_second_beside_finished: f64,
}

/// Measures both databases.
pub(super) fn measure(queue_speed: &Path, folder: &Path) -> Result<Vec<Row>> {
    rows(&process::read_output(&mut process::command(queue_speed, folder))?)
}

fn rows(printed: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for line in printed.lines() {
        let speed: Speed = serde_json::from_str(line).with_context(|| format!("the queue's speed is `{line}`"))?;
        if speed.sort != SORT {
            continue;
        }
        let (name, least) = match speed.database.as_str() {
            "sqlite" => ("SQLite", MIN_SQLITE),
            _ => ("PostgreSQL", MIN_POSTGRES),
        };
        let (empty, full) = (speed.per_second, speed.per_second_beside_finished);
        rows.push(Row::at_least(format!("10,000 empty jobs enqueued and run, {name}"), empty, least, "a second"));
        let share = full / empty;
        rows.push(Row::told(
            format!("the same beside a million finished jobs, {name}: speed over that"),
            format!("{share:.2} ({full:.0} a second)"),
            format!("≥ {MIN_SHARE}"),
            share >= MIN_SHARE,
        ));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_has_its_own_reach() {
        let line = |database: &str, sort: &str, empty: f64, full: f64| {
            format!(
                "{{\"database\":\"{database}\",\"sort\":\"{sort}\",\"per_second\":{empty},\"finished\":9,\"per_second_beside_finished\":{full}}}\n"
            )
        };
        let reached = |empty: f64, full: f64| {
            let printed = line("sqlite", "jobs", empty, full)
                + &line("sqlite", "tasks with events", 1.0, 1.0)
                + &line("postgres", "jobs", empty, full);
            rows(&printed).unwrap().iter().map(Row::is_reached).collect::<Vec<_>>()
        };
        assert_eq!(reached(1500.0, 1100.0), [true, false, false, false]);
        assert_eq!(reached(2000.0, 1600.0), [true; 4]);
        assert!(rows("no JSON").is_err());
    }
}
