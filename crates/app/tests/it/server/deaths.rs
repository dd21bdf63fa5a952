//! A server that dies again and again while it is asked, in the middle of requests and between a commit and the word of it.

use std::{collections::HashMap, thread, time::Duration};

use platform::{db::Backend, testing::TestDb};
use serde_json::{Value, json};

use super::{Client, Machine};

/// How often the server dies, and how many ask it at the same moment.
const DEATHS: u64 = 10;
const ASKERS: u64 = 4;

/// What somebody asks for, again and again under the same key until there is an answer.
#[derive(Debug, Clone)]
struct Wish {
    key: String,
    order: Value,
}

impl Wish {
    fn new(number: u64) -> Self {
        Self { key: format!("wish-{number}"), order: json!({ "script": format!("Wish number {number} is told.") }) }
    }

    /// The task that it became; nothing where the server went away first, or died over it before.
    fn ask(&self, client: &Client) -> Option<String> {
        let answer = client.try_post("/api/v1/subtitles", &self.order, &[("idempotency-key", &self.key)]).ok()?;
        let body = answer.json();
        match answer.status {
            202 => Some(body["id"].as_str().unwrap().to_owned()),
            // One that had claimed the key died with it, and may yet be at it as far as anybody knows.
            409 => {
                assert_eq!(body["type"], "/problems/request-in-flight", "{body}");
                None
            }
            status => panic!("{status}: {body}"),
        }
    }
}

async fn what_is_asked_of_a_server_that_dies_is_done_once_or_not_at_all(backend: Backend) {
    let machine = Machine::on(TestDb::open(backend).await);
    let (mut server, address) = machine.serve(&["--no-worker"]);
    let mut client = machine.sign_in(&address, "ann@example.org", "creator");
    let mut became: HashMap<String, String> = HashMap::new();
    let (mut wishes, mut cut) = (Vec::new(), 0);
    for death in 0..DEATHS {
        wishes.extend((0..ASKERS).map(|asker| Wish::new(death * ASKERS + asker)));
        let open: Vec<Wish> = wishes.iter().filter(|wish| !became.contains_key(&wish.key)).cloned().collect();
        let asking: Vec<_> = open
            .into_iter()
            .map(|wish| {
                let client = client.clone();
                thread::spawn(move || wish.ask(&client).map(|task| (wish.key, task)))
            })
            .collect();
        // From before anything was read to after all was answered.
        thread::sleep(Duration::from_millis(3 * death));
        server.kill();
        let asked = asking.len();
        let answered: Vec<_> = asking.into_iter().filter_map(|asker| asker.join().unwrap()).collect();
        cut += asked - answered.len();
        became.extend(answered);
        let (next, address) = machine.serve(&["--no-worker"]);
        (server, client) = (next, client.at(address));
    }
    // Whoever was answered is answered the same; of the others some were done without a word, which they hear now.
    for wish in &wishes {
        let told = wish.ask(&client);
        if let Some(task) = became.get(&wish.key) {
            assert_eq!(told.as_ref(), Some(task), "{wish:?}");
        }
        became.extend(told.map(|task| (wish.key.clone(), task)));
    }
    let listed = client.get("/api/v1/tasks?limit=100");
    let mut listed: Vec<&str> =
        listed["items"].as_array().unwrap().iter().filter_map(|task| task["id"].as_str()).collect();
    let mut known: Vec<&str> = became.values().map(String::as_str).collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known, "every task was asked for once, and who asked was told of it");
    assert!(known.len() > 4 * ASKERS as usize, "most were done: {}", known.len());
    assert!(cut > 0, "nobody was asking when the server died");

    let worker = machine.work(&[]);
    for task in &known {
        let done = client.wait(task);
        assert_eq!((&done["state"], &done["attempts"]), (&json!("succeeded"), &json!(1)), "{done}");
    }
    assert_eq!(worker.stop(), Some(0));
    assert_eq!(server.stop(), Some(0));
    let database = machine.database().unwrap();
    assert_eq!(database.count("SELECT count(*) FROM events WHERE position IS NULL").await, 0, "all events were told");
    for told in ["task.created", "task.succeeded"] {
        let count = database.count(&format!("SELECT count(*) FROM events WHERE type = '{told}'")).await;
        assert_eq!(usize::try_from(count), Ok(known.len()), "{told}, once for each task");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_a_server_that_dies_is_done_once_or_not_at_all_on_sqlite() {
    what_is_asked_of_a_server_that_dies_is_done_once_or_not_at_all(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_a_server_that_dies_is_done_once_or_not_at_all_on_postgres() {
    what_is_asked_of_a_server_that_dies_is_done_once_or_not_at_all(Backend::Postgres).await;
}
