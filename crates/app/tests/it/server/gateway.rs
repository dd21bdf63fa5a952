//! A gateway as its operator has it: real servers on one data folder, deployed to themselves, and a gateway that is killed.

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use platform::db::Backend;
use serde_json::Value;

use super::Machine;

/// The longest that the test waits for anything.
const PATIENCE: Duration = Duration::from_mins(2);

const SETTINGS: &str = "\
[listen]
address = \"127.0.0.1:0\"
[instances]
min = 2
max = 3
[deploy]
check_s = 0.5
watch_s = 0.5
[admin]
listen = \"127.0.0.1:0\"
";

fn command(machine: &Machine, admin: &str, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let arguments = [&["gateway"], arguments, &["--admin", admin]].concat();
    let output = machine.command(&arguments).output().unwrap();
    let lines = String::from_utf8_lossy(&output.stdout);
    (output.status.code(), lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Waits until so many instances serve, and no others are there; returns their processes.
fn settled(machine: &Machine, admin: &str, count: usize) -> Vec<u64> {
    let begun = Instant::now();
    loop {
        let (code, lines) = command(machine, admin, &["status"]);
        assert_eq!(code, Some(0), "{lines:?}");
        let instances = lines[0]["fleet"]["instances"].as_array().unwrap();
        let serves = |each: &&Value| each["state"] == "serving" && each["is_healthy"] == true;
        if instances.len() == count && instances.iter().filter(serves).count() == count {
            return instances.iter().map(|each| each["pid"].as_u64().unwrap()).collect();
        }
        assert!(begun.elapsed() < PATIENCE, "{}", lines[0]);
        sleep(Duration::from_millis(100));
    }
}

/// Waits until processes are gone. Those whose gateway was killed are reaped by the system, in its own time.
fn wait_for_the_end_of(pids: &[u64]) {
    let begun = Instant::now();
    while pids.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{pids:?}");
        sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_answers_deploys_to_itself_and_comes_back_from_being_killed() {
    let machine = Machine::new(Backend::Sqlite).await;
    let config = machine.desk.write("gateway.toml", SETTINGS);
    let start = || machine.run_until_listening(&["gateway", "--config", config.to_str().unwrap()]);
    let (gateway, told) = start();
    let text = |told: &Value, key: &str| told[key].as_str().unwrap().to_owned();
    let (address, admin) = (format!("http://{}", text(&told, "address")), text(&told, "admin"));
    let first = settled(&machine, &admin, 2);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let asked = client.ask("/api/v1/subtitles", &serde_json::json!({ "script": "Two servers, one address." }));

    let (code, lines) = command(&machine, &admin, &["deploy", env!("CARGO_BIN_EXE_pressroom")]);
    assert_eq!(code, Some(0), "{lines:?}");
    assert_eq!(lines.last().unwrap()["outcome"], "succeeded");
    let second = settled(&machine, &admin, 2);
    assert!(first.iter().all(|pid| !second.contains(pid)));
    assert_eq!(client.get("/api/v1/tasks")["items"][0]["id"], asked["id"], "the other generation knows what was asked");

    let (code, lines) = command(&machine, &admin, &["deploy", "/bin/false"]);
    assert_eq!(code, Some(9), "{lines:?}");
    assert_eq!(settled(&machine, &admin, 2), second, "what served before serves on");

    gateway.kill();
    let (gateway, told) = start();
    let (address, admin) = (format!("http://{}", text(&told, "address")), text(&told, "admin"));
    assert_eq!(settled(&machine, &admin, 2), second, "the same processes as before");
    client.at(address).get("/api/v1/tasks");
    let (code, lines) = command(&machine, &admin, &["scale", "3"]);
    assert_eq!((code, lines[0]["fleet"]["wanted"].as_u64()), (Some(0), Some(3)));
    let pids = settled(&machine, &admin, 3);
    assert_eq!(gateway.stop(), Some(0));
    wait_for_the_end_of(&pids);
    let (code, _) = command(&machine, &admin, &["status"]);
    assert_eq!(code, Some(7), "nobody answers any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_are_to_end_with_their_gateway_do() {
    let machine = Machine::new(Backend::Sqlite).await;
    let settings = SETTINGS.replace("[deploy]", "on_gateway_death = \"end\"\n[deploy]");
    let config = machine.desk.write("gateway.toml", &settings);
    let (gateway, told) = machine.run_until_listening(&["gateway", "--config", config.to_str().unwrap()]);
    let pids = settled(&machine, told["admin"].as_str().unwrap(), 2);
    gateway.kill();
    wait_for_the_end_of(&pids);
}
