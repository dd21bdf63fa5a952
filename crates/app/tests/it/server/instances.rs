//! A server that is asked, and a worker elsewhere that does it: whoever follows at the one sees what the other does.

use std::{
    thread,
    time::{Duration, Instant},
};

use platform::{
    db::Backend,
    testing::{RedisServer, TestDb},
};
use sea_orm_migration::sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tungstenite::Message;

use super::{Client, Machine, faults::connect};

/// How long after the end is known its word may come, on a machine where many tests run.
const SOON: Duration = Duration::from_secs(3);

/// The states that a web socket tells, and when it told the last.
fn hear(client: &Client) -> thread::JoinHandle<(Vec<String>, Instant)> {
    let mut socket = connect(client).unwrap();
    thread::spawn(move || {
        let mut states = Vec::new();
        while states.last().is_none_or(|state| state != "succeeded") {
            let Message::Text(told) = socket.read().unwrap() else { continue };
            let told: Value = serde_json::from_str(&told).unwrap();
            states.push(told["task"]["state"].as_str().unwrap().to_owned());
        }
        (states, Instant::now())
    })
}

async fn a_task_is_followed_at_a_server_that_does_not_do_it(backend: Backend, redis: Option<RedisServer>) {
    let machine = Machine::on(TestDb::open(backend).await).with_redis(redis);
    let (_server, address) = machine.serve(&["--no-worker"]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let socket = hear(&client);
    let order = json!({ "script": "A task is asked for here. It is done elsewhere. Its progress is told here." });
    let task = client.ask("/api/v1/audios", &order)["id"].as_str().unwrap().to_owned();
    let stream = thread::spawn({
        let (client, task) = (client.clone(), task.clone());
        move || (client.follow(&task, None), Instant::now())
    });
    let worker = machine.work(&[]);
    let done = client.wait(&task);
    let known_at = Instant::now();
    assert_eq!(done["state"], "succeeded", "{done}");
    let (events, stream_ended_at) = stream.join().unwrap();
    let (_, name, last) = events.last().unwrap();
    assert_eq!((name.as_str(), &last["state"]), ("end", &json!("succeeded")), "{events:?}");
    assert!(events.iter().any(|(_, _, task)| task["state"] == "running"), "{events:?}");
    let (states, socket_told_at) = socket.join().unwrap();
    assert!(states.iter().any(|state| state == "running"), "{states:?}");
    let late = [stream_ended_at, socket_told_at].map(|at| at.saturating_duration_since(known_at));
    assert!(late.iter().all(|late| *late < SOON), "{late:?}");
    assert_eq!(worker.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_followed_at_a_server_that_does_not_do_it_on_postgres() {
    a_task_is_followed_at_a_server_that_does_not_do_it(Backend::Postgres, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_followed_at_a_server_that_does_not_do_it_on_postgres_with_redis() {
    a_task_is_followed_at_a_server_that_does_not_do_it(Backend::Postgres, Some(RedisServer::start())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_handled_is_listed_and_tried_again_by_command() {
    let machine = Machine::on(TestDb::open(Backend::Sqlite).await);
    let lines = |arguments: &[&str]| {
        let output = machine.command(&[&["events"], arguments].concat()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    assert_eq!(lines(&["dead-letters"]), [Value::Null; 0]);
    let letter = "INSERT INTO event_dead_letters (handler, event_id, type, payload, reason, failed_at)
        VALUES ('post', x'0193a5c47b1e7c3a9f002b6d1e8a4c55', 'user.registered', '{}', 'no stamps', '2026-11-28T00:00:00Z')";
    let db = machine.database().unwrap();
    db.db().writer().execute_unprepared(letter).await.unwrap();
    let listed = lines(&["dead-letters"]);
    assert_eq!((&listed[0]["handler"], &listed[0]["reason"]), (&json!("post"), &json!("no stamps")), "{listed:?}");
    assert_eq!(lines(&["requeue", "post"])[0]["count"], 1);
    assert_eq!(db.count("SELECT count(*) FROM event_dead_letters WHERE requeued_at IS NOT NULL").await, 1);
}
