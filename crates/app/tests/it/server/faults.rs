//! Processes that are killed or told to end: every task ends exactly once, and none is lost.

use std::{thread::sleep, time::Duration};

use platform::db::Backend;
use serde_json::{Value, json};

use super::{Client, Machine};

/// Long enough that a worker is killed in the middle of it.
fn order() -> Value {
    let sentences: Vec<_> =
        (1..=6).map(|number| format!("Sentence {number} is told here, in its own scene.")).collect();
    json!({ "script": sentences.join("\n\n"), "settings": { "aspect": "1:1", "quality": "draft", "transition": "none" } })
}

fn ask(client: &Client) -> String {
    client.ask("/api/v1/videos", &order())["task"]["id"].as_str().unwrap().to_owned()
}

async fn a_task_outlives_its_worker(backend: Backend) {
    let machine = Machine::new(backend).await;
    let (server, address) = machine.serve(&["--no-worker"]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let task = ask(&client);
    sleep(Duration::from_millis(300));
    assert_eq!(client.get(&format!("/api/v1/tasks/{task}"))["state"], "ready", "nobody works");
    let worker = machine.work(&[]);
    client.wait_for_progress(&task, 5.0);
    worker.kill();
    let _second = machine.work(&["--queues", "videos,audios"]);
    let done = client.wait(&task);
    assert_eq!((&done["state"], &done["attempts"]), (&json!("succeeded"), &json!(2)), "{done}");
    assert_eq!(client.get("/api/v1/tasks")["items"].as_array().unwrap().len(), 1);
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_outlives_its_worker_on_sqlite() {
    a_task_outlives_its_worker(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_outlives_its_worker_on_postgres() {
    a_task_outlives_its_worker(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_goes_on_where_it_was() {
    let machine = Machine::new(Backend::Sqlite).await;
    let (server, address) = machine.serve(&[]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let task = ask(&client);
    client.wait_for_progress(&task, 5.0);
    server.kill();
    let (_server, address) = machine.serve(&[]);
    let client = client.at(address);
    let done = client.wait(&task);
    assert_eq!(done["state"], "succeeded", "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_lets_go_of_its_programs_at_once() {
    let machine = Machine::new(Backend::Sqlite).await;
    let (_server, address) = machine.serve(&[]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let task = ask(&client);
    client.wait_for_progress(&task, 5.0);
    let begun = std::time::Instant::now();
    assert_eq!(client.post_with(&format!("/api/v1/tasks/{task}/cancel"), &json!({}), &[]).status, 200);
    let done = client.wait(&task);
    assert_eq!(done["state"], "cancelled", "{done}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(client.post_with(&format!("/api/v1/tasks/{task}/retry"), &json!({}), &[]).status, 200);
    assert_eq!(client.wait(&task)["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_end_gives_its_work_back() {
    let machine = Machine::new(Backend::Sqlite).await;
    let (server, address) = machine.serve(&[]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let task = ask(&client);
    client.wait_for_progress(&task, 5.0);
    assert_eq!(server.stop(), Some(0));
    let (_server, address) = machine.serve(&[]);
    let client = client.at(address);
    let done = client.wait(&task);
    assert_eq!(
        (&done["state"], &done["attempts"]),
        (&json!("succeeded"), &json!(1)),
        "giving back is no attempt: {done}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_end_does_not_wait_for_streams() {
    let machine = Machine::new(Backend::Sqlite).await;
    let (server, address) = machine.serve(&["--no-worker"]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let task = ask(&client);
    let (told, heard) = std::sync::mpsc::channel();
    let follower = std::thread::spawn(move || client.follow_until_cut(&task, &told));
    assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok("ready".to_owned()));
    let begun = std::time::Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    follower.join().unwrap();
}

pub(super) type Socket = tungstenite::WebSocket<tungstenite::stream::MaybeTlsStream<std::net::TcpStream>>;

pub(super) fn connect(client: &Client) -> Result<Socket, tungstenite::Error> {
    let url = format!("{}/ws", client.address.replace("http://", "ws://"));
    let mut request = tungstenite::client::IntoClientRequest::into_client_request(url).unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", client.token).parse().unwrap());
    tungstenite::connect(request).map(|(socket, _)| socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_socket_tells_of_ones_own_tasks() {
    let machine = Machine::new(Backend::Sqlite).await;
    let (_server, address) = machine.serve(&[]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let other = machine.sign_in(&address, "bob@example.org", "creator");
    let (mut mine, mut theirs) = (connect(&client).unwrap(), connect(&other).unwrap());
    let task = client.ask("/api/v1/audios", &json!({ "script": "Hello there." }))["id"].as_str().unwrap().to_owned();
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != "succeeded") {
        let tungstenite::Message::Text(told) = mine.read().unwrap() else { continue };
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&told["type"], &told["task"]["id"]), (&json!("task"), &json!(task)));
        states.push(told["task"]["state"].as_str().unwrap().to_owned());
    }
    if let tungstenite::stream::MaybeTlsStream::Plain(stream) = theirs.get_mut() {
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    }
    assert!(theirs.read().is_err(), "nobody hears of the tasks of others");
    assert_eq!(client.get_with("/ws", &[]).status, 426);
}

#[tokio::test(flavor = "multi_thread")]
async fn web_sockets_are_as_many_as_a_user_needs_and_are_told_that_the_server_ends() {
    let machine = Machine::new(Backend::Sqlite).await;
    let (server, address) = machine.serve(&["--no-worker"]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let task = ask(&client);
    let mut sockets: Vec<Socket> = (0..20).map(|_| connect(&client).unwrap()).collect();
    let tungstenite::Error::Http(refused) = connect(&client).unwrap_err() else { panic!("one too many is let in") };
    assert_eq!(refused.status(), 429);
    assert_eq!(client.get_with(&format!("/api/v1/tasks/{task}/events"), &[]).status, 429);
    for socket in &mut sockets {
        assert!(socket.read().unwrap().to_text().unwrap().contains(&task), "what waits is told at once");
    }
    let told = std::thread::spawn(move || {
        let is_told = |mut socket: Socket| loop {
            match socket.read() {
                Ok(message) if message.is_close() => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        };
        sockets.into_iter().all(is_told)
    });
    assert_eq!(server.stop(), Some(0));
    assert!(told.join().unwrap(), "a socket broke off without a word");
}
