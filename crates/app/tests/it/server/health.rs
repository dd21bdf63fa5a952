//! How servers and workers tell those who watch over them how they are.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use platform::db::Backend;
use serde_json::json;

use super::Machine;

fn read(url: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.get(url).call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

/// The numbers, once they say all of `wanted`.
fn numbers_with(address: &str, wanted: &[&str]) -> String {
    let begun = Instant::now();
    loop {
        let (_, numbers) = read(&format!("{address}/metrics"));
        match wanted.iter().find(|wanted| !numbers.contains(**wanted)) {
            None => return numbers,
            Some(missing) => assert!(begun.elapsed() < Duration::from_mins(1), "{missing} is not in {numbers}"),
        }
        sleep(Duration::from_millis(100));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_by_the_command_line_how_it_is() {
    let machine = Machine::new(Backend::Sqlite).await;
    let (server, address) = machine.serve(&["--no-worker"]);
    let (code, told) = machine.health(&address);
    assert_eq!((code, &told["healthy"]), (Some(0), &json!(true)), "{told}");
    assert_eq!(machine.health(&format!("{address}/livez")).0, Some(0));
    let (code, told) = machine.health(&format!("{address}/health"));
    assert_eq!((code, &told["faults"]), (Some(7), &json!(["jobs"])), "nobody does the jobs: {told}");
    numbers_with(&address, &["component_healthy{component=\"jobs\"} 0", "component_healthy{component=\"db\"} 1"]);
    server.kill();
    assert_eq!(machine.health(&address).0, Some(7));
    assert_eq!(machine.health("no address").0, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_tells_how_it_is_and_what_it_did() {
    let machine = Machine::new(Backend::Sqlite).await;
    let (server, address) = machine.serve(&["--no-worker"]);
    let (worker, desk) = machine.work_watched(&["--queues", "subtitles"]);
    assert_eq!(machine.health(&desk).0, Some(0));
    assert_eq!(read(&format!("{desk}/api/v1/tasks")).0, 404, "it tells nothing else");

    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let order = json!({ "script": "The lamp is lit.", "settings": { "lang": "en" } });
    let task = client.ask("/api/v1/subtitles", &order)["id"].as_str().unwrap().to_owned();
    assert_eq!(client.wait(&task)["state"], "succeeded");
    let done = [
        "job_attempts_total{kind=\"subtitles\",outcome=\"succeeded\"} 1",
        "job_attempt_duration_seconds_bucket{kind=\"subtitles\",le=\"3600\"} 1",
        "provider_calls_total{",
        "stage_items_total{",
        "jobs_workers 1",
        "disk_free_bytes ",
        "db_connections_max 11",
        "events_dead_letters 0",
        "process_resident_memory_bytes ",
    ];
    numbers_with(&desk, &done);
    assert_eq!(worker.stop(), Some(0));
    assert_eq!(server.stop(), Some(0));
}
