//! A video that several workers make together: processes with data folders of their own, and nothing in common but the
//! database and the store of files.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use platform::{db::Backend, testing::TestDb};
use serde_json::{Value, json};

use super::{Client, Machine, Running};
use crate::desk::hash_frames;

const SEGMENTS: usize = 14;

const PATIENCE: Duration = Duration::from_mins(3);

/// Workers whose FFmpeg notes who calls it for what.
struct Team {
    machine: Machine,
    ffmpeg: PathBuf,
}

impl Team {
    async fn new(backend: Backend) -> Self {
        let machine = match backend {
            Backend::Sqlite => Machine::new(backend).await,
            Backend::Postgres => Machine::on(TestDb::postgres().await),
        };
        let ffmpeg = note_calls(&machine, "ffmpeg");
        Self { machine, ffmpeg }
    }

    fn serve(&self) -> (Running, Client) {
        let (server, address) = self.machine.serve(&["--no-worker"]);
        let client = self.machine.sign_in(&address, "ann@example.org", "creator");
        (server, client)
    }

    /// A worker of one core that keeps its results in `folder`.
    fn work(&self, folder: &str, ffmpeg: &PathBuf) -> Running {
        let mut command = self.machine.command_in(folder, &["worker", "--concurrency", "1"]);
        command.env("PRESSROOM_JOBS", "1").env("PRESSROOM_PROGRAMS_FFMPEG", ffmpeg);
        command.env("PRESSROOM_STORAGE_FOLDER", self.machine.desk.path("data/files"));
        if self.machine.database().is_none() {
            // Else it is looked for in the worker's own folder.
            let database = self.machine.desk.path("data/server.db");
            command.env("DATABASE_URL", format!("sqlite://{}", database.display()));
        }
        Running(Some(command.spawn().unwrap()))
    }

    /// How many pieces each process encoded.
    fn encoded(&self) -> BTreeMap<u32, usize> {
        let calls = std::fs::read_to_string(self.machine.desk.path("calls")).unwrap_or_default();
        let mut encoded = BTreeMap::new();
        for call in calls.lines().filter(|call| call.contains("libx264")) {
            let (process, _) = call.split_once(' ').unwrap();
            *encoded.entry(process.parse().unwrap()).or_default() += 1;
        }
        encoded
    }

    fn forget_calls(&self) {
        drop(std::fs::remove_file(self.machine.desk.path("calls")));
    }

    /// Waits until a process has encoded so many pieces.
    fn wait_for_pieces(&self, worker: &Running, count: usize) {
        let begun = Instant::now();
        while self.encoded().get(&worker.id()).copied().unwrap_or_default() < count {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.encoded());
            sleep(Duration::from_millis(20));
        }
    }
}

/// An FFmpeg that writes down its calls, each with the process that it is for.
fn note_calls(machine: &Machine, name: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;

    let script = "#!/bin/sh\necho \"$PPID $*\" >> \"$(dirname \"$0\")/calls\"\nexec ffmpeg \"$@\"\n";
    let path = machine.desk.write(name, script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A video of one piece for each sentence; another seed makes other pieces of it.
fn order(client: &Client, seed: u64) -> Value {
    let sentences: Vec<_> =
        (1..=SEGMENTS).map(|number| format!("Sentence {number} is told here, in its own scene.")).collect();
    let settings = json!({
        "aspect": "1:1", "quality": "draft", "transition": "none", "captions": "line", "fps": 24, "seed": seed,
        "watermark": "mark.png",
    });
    // What was made lies beside it.
    let files = client.get("/api/v1/files?limit=100")["items"].clone();
    let mark = files.as_array().unwrap().iter().find(|file| file["name"] == "mark.png").unwrap();
    let files = json!([{ "file_id": mark["id"], "name": "mark.png" }]);
    json!({ "script": sentences.join("\n\n"), "settings": settings, "files": files })
}

fn send_mark(team: &Team, client: &Client) {
    let picture = std::fs::read(team.machine.desk.still("mark.png", "64x64")).unwrap();
    client.send_file("mark.png", &picture);
}

fn ask(client: &Client, seed: u64) -> String {
    client.ask("/api/v1/videos", &order(client, seed))["task"]["id"].as_str().unwrap().to_owned()
}

/// From then on the worker that is there has the video, and others can only help.
fn wait_until_it_runs(client: &Client, task: &str) {
    let begun = Instant::now();
    while client.get(&format!("/api/v1/tasks/{task}"))["state"] != "running" {
        assert!(begun.elapsed() < PATIENCE, "nobody takes the video");
        sleep(Duration::from_millis(20));
    }
}

fn frames(team: &Team, client: &Client, task: &Value) -> String {
    assert_eq!(task["state"], "succeeded", "{task}");
    let path = team.machine.desk.path("got.mp4");
    std::fs::write(&path, client.file_of(task, "video")).unwrap();
    hash_frames(&path)
}

async fn two_workers_make_what_one_makes(backend: Backend) {
    let team = Team::new(backend).await;
    // On SQLite both are on one machine, and share their folder.
    let folders = if backend == Backend::Sqlite { ["data", "data"] } else { ["one", "two"] };
    let (_server, client) = team.serve();
    send_mark(&team, &client);
    let one = team.work(folders[0], &team.ffmpeg);
    let task = ask(&client, 1);
    wait_until_it_runs(&client, &task);
    let two = team.work(folders[1], &team.ffmpeg);
    let done = client.wait(&task);
    let (encoded, ids) = (team.encoded(), [one.id(), two.id()]);
    assert_eq!(encoded.values().sum::<usize>(), SEGMENTS, "nothing is made twice: {encoded:?}");
    assert!(ids.iter().all(|id| encoded.get(id).is_some_and(|count| *count >= 2)), "{encoded:?}");
    assert_eq!(client.get("/api/v1/tasks")["items"].as_array().unwrap().len(), 1, "helpers are nobody's tasks");
    let together = frames(&team, &client, &done);
    assert_eq!((one.stop(), two.stop()), (Some(0), Some(0)));

    // One that was never there finds what they made; one that finds nothing makes the same.
    team.forget_calls();
    let alone = team.work("three", &team.ffmpeg);
    let again = client.wait(&ask(&client, 1));
    assert_eq!(frames(&team, &client, &again), together);
    let encoded = team.encoded();
    let expected = if backend == Backend::Postgres { None } else { Some(&SEGMENTS) };
    assert_eq!(encoded.get(&alone.id()), expected, "what was shared is not made again");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_make_what_one_makes_on_sqlite() {
    two_workers_make_what_one_makes(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_make_what_one_makes_on_postgres() {
    two_workers_make_what_one_makes(Backend::Postgres).await;
}

/// Workers, the first of which makes a video and the second of which helps it.
async fn pair() -> (Team, Running, Client, Running, Running, String) {
    let team = Team::new(Backend::Postgres).await;
    let (server, client) = team.serve();
    send_mark(&team, &client);
    let parent = team.work("one", &team.ffmpeg);
    let task = ask(&client, 1);
    wait_until_it_runs(&client, &task);
    let helper = team.work("two", &team.ffmpeg);
    team.wait_for_pieces(&helper, 2);
    (team, server, client, parent, helper, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_that_is_killed_costs_the_piece_it_was_at() {
    let (team, _server, client, _parent, helper, task) = pair().await;
    helper.kill();
    let done = client.wait(&task);
    frames(&team, &client, &done);
    assert_eq!(done["attempts"], 1);
    let encoded = team.encoded();
    assert!(encoded.values().sum::<usize>() <= SEGMENTS + 1, "{encoded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_over_a_video_costs_the_pieces_that_were_under_way() {
    let (team, _server, client, parent, _helper, task) = pair().await;
    parent.kill();
    let done = client.wait(&task);
    frames(&team, &client, &done);
    assert_eq!(done["attempts"], 2);
    let encoded = team.encoded();
    // One at each of the two, and one that was on its way.
    assert!(encoded.values().sum::<usize>() <= SEGMENTS + 3, "{encoded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cancels_a_video_stops_its_helpers() {
    let (team, _server, client, _parent, _helper, task) = pair().await;
    assert_eq!(client.post_with(&format!("/api/v1/tasks/{task}/cancel"), &json!({}), &[]).status, 200);
    let begun = Instant::now();
    assert_eq!(client.wait(&task)["state"], "cancelled");
    let running = "SELECT count(*) FROM jobs WHERE state = 'running'";
    while team.machine.database().unwrap().count(running).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "a helper goes on");
        sleep(Duration::from_millis(50));
    }
    let encoded = team.encoded();
    assert!(encoded.values().sum::<usize>() < SEGMENTS, "it was not over: {encoded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_videos_on_two_workers_of_one_job_each_both_end() {
    let team = Team::new(Backend::Postgres).await;
    let (_server, client) = team.serve();
    send_mark(&team, &client);
    let tasks = [ask(&client, 1), ask(&client, 2)];
    let _workers = [team.work("one", &team.ffmpeg), team.work("two", &team.ffmpeg)];
    for task in tasks {
        let done = client.wait(&task);
        assert_eq!((&done["state"], &done["attempts"]), (&json!("succeeded"), &json!(1)), "{done}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_another_ffmpeg_makes_no_part_of_a_video() {
    let team = Team::new(Backend::Postgres).await;
    let other = note_calls(&team.machine, "other-ffmpeg");
    let (_server, client) = team.serve();
    send_mark(&team, &client);
    let parent = team.work("one", &team.ffmpeg);
    let task = ask(&client, 1);
    wait_until_it_runs(&client, &task);
    let stranger = team.work("two", &other);
    let done = client.wait(&task);
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(team.encoded(), BTreeMap::from([(parent.id(), SEGMENTS)]));
    // It lives, and does what needs no help.
    let audio = client.ask("/api/v1/audios", &json!({ "script": "Hello." }))["id"].as_str().unwrap().to_owned();
    assert_eq!(client.wait(&audio)["state"], "succeeded");
    assert_eq!(stranger.stop(), Some(0));
}
