//! Videos, narrations, subtitles and dubs over HTTP: asked for, followed, looked at, changed, made again.

use platform::db::Backend;
use serde_json::{Value, json};

use super::{Client, Machine};
use crate::desk::{find_stream, number, probe};

const SCRIPT: &str = "# Salt\n\nSea water is salty. Rivers carry salt to it.\n\n![wave](wave.png)\n\nRain is fresh.\n";

fn settings() -> Value {
    json!({ "aspect": "1:1", "quality": "draft", "fps": 24, "captions": "word" })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

async fn a_script_becomes_a_video(backend: Backend) {
    let machine = Machine::new(backend).await;
    let (_server, address) = machine.serve(&[]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let picture = std::fs::read(machine.desk.still("wave.png", "640x640")).unwrap();
    let file = client.send_file("wave.png", &picture);
    let order = json!({ "script": SCRIPT, "settings": settings(), "files": [{ "file_id": file }] });

    // The same request under the same key is one video.
    let key = [("idempotency-key", "one")];
    let (first, second) =
        (client.post_with("/api/v1/videos", &order, &key), client.post_with("/api/v1/videos", &order, &key));
    assert_eq!((first.status, &first.body), (202, &second.body));
    let listed = client.get("/api/v1/videos")["items"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert!(text(&listed[0]["excerpt"]).starts_with("# Salt") && listed[0]["script"].is_null(), "{listed}");
    let asked = first.json();
    let (video, task) = (text(&asked["video"]["id"]), text(&asked["task"]["id"]));

    let events = client.follow(task, None);
    let (last_id, name, last) = events.last().unwrap();
    assert_eq!((name.as_str(), text(&last["state"])), ("end", "succeeded"), "{last}");
    let percents: Vec<f64> = events.iter().filter_map(|(_, _, task)| task["progress"]["percent"].as_f64()).collect();
    assert!(percents.is_sorted() && percents.last() == Some(&100.0), "{percents:?}");
    assert!(events.iter().any(|(_, _, task)| task["progress"]["preview"].is_string()), "a picture is shown meanwhile");
    assert!(client.follow(task, Some(last_id)).is_empty(), "who has seen the end is told nothing more");
    assert_eq!(client.follow(task, Some("0123456789abcdef")).len(), 1, "who has missed it is told");

    let bytes = client.file_of(last, "video");
    let path = machine.desk.path("got.mp4");
    std::fs::write(&path, &bytes).unwrap();
    let facts = probe(&path);
    assert_eq!(
        (find_stream(&facts, "video")["width"].as_u64(), find_stream(&facts, "video")["height"].as_u64()),
        (Some(1080), Some(1080))
    );
    let told_s = last["result"]["duration_ms"].as_f64().unwrap() / 1000.0;
    assert!((number(&facts["format"]["duration"]) - told_s).abs() < 0.1);
    let described = String::from_utf8(client.file_of(last, "facts")).unwrap();
    assert!(described.contains("wave.png") && !described.contains(&machine.desk.path("").display().to_string()));

    streamed_and_linked(&client, last, &bytes);
    changed_and_made_again(&client, video);
}

/// Any part of the video is given, to its owner or to whoever has a link.
fn streamed_and_linked(client: &Client, task: &Value, bytes: &[u8]) {
    let file = &task["result"]["files"][0];
    let part = client.get_with(text(&file["stream_url"]), &[("range", "bytes=10-19")]);
    assert_eq!((part.status, &part.body[..]), (206, &bytes[10..20]));
    assert_eq!(part.header("content-range"), format!("bytes 10-19/{}", bytes.len()));
    let link = client.post_with(&format!("/api/v1/files/{}/links", text(&file["file_id"])), &json!({}), &[]).json();
    let url = format!("{}{}", client.address, text(&link["download_url"]));
    let mut opened = ureq::get(url).call().unwrap();
    assert_eq!(opened.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap(), bytes);
}

/// One sentence is changed, the rest is there already.
fn changed_and_made_again(client: &Client, video: &str) {
    let path = format!("/api/v1/videos/{video}");
    let version = client.get_with(&path, &[]).header("etag");
    let changed = SCRIPT.replace("Rain is fresh.", "Rain is fresh water.");
    let answer = client.patch(&path, &version, &json!({ "script": changed, "settings": { "captions": null } }));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(client.patch(&path, &version, &json!({})).status, 412, "somebody else changed it");
    let wrong = client.patch(&path, &answer.header("etag"), &json!({ "settings": { "voise": "en" } }));
    assert_eq!((wrong.status, text(&wrong.json()["errors"][0]["pointer"])), (422, "/settings/voise"));
    let asked = client.ask(&format!("{path}/storyboards"), &json!({}));
    let sheet = client.wait(text(&asked["task"]["id"]));
    assert_eq!(sheet["state"], "succeeded", "{sheet}");
    assert!(client.file_of(&sheet, "storyboard").starts_with(b"\xff\xd8"));
    let asked = client.ask(&format!("{path}/renders"), &json!({ "priority": "high" }));
    let again = client.wait(text(&asked["task"]["id"]));
    assert_eq!(again["state"], "succeeded", "{again}");
    let of_video = client.get(&format!("/api/v1/tasks?subject=videos/{video}"));
    assert_eq!(of_video["items"].as_array().unwrap().len(), 3);
    let file = text(&again["result"]["files"][0]["file_id"]).to_owned();
    assert_eq!(client.delete(&format!("/api/v1/tasks/{}?files=true", text(&again["id"]))), 204);
    assert_eq!(client.get_with(&format!("/api/v1/files/{file}"), &[]).status, 404, "its files went with it");
    assert_eq!(client.delete(&path), 204);
    assert_eq!(client.get_with(&path, &[]).status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_becomes_a_video_on_sqlite() {
    a_script_becomes_a_video(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_becomes_a_video_on_postgres() {
    a_script_becomes_a_video(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_becomes_sound_and_subtitles_of_one_timing() {
    let machine = Machine::new(Backend::Sqlite).await;
    let (_server, address) = machine.serve(&[]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let order = json!({ "script": "Sea water is salty. Rivers carry salt to it." });
    let sound = client.wait(text(&client.ask("/api/v1/audios?format=mp3", &order)["id"]));
    let words = client.wait(text(&client.ask("/api/v1/subtitles", &order)["id"]));
    let path = machine.desk.path("got.mp3");
    std::fs::write(&path, client.file_of(&sound, "audio")).unwrap();
    assert_eq!(find_stream(&probe(&path), "audio")["codec_name"], "mp3");
    assert_eq!(sound["result"]["duration_ms"], words["result"]["duration_ms"]);
    let subtitles = String::from_utf8(client.file_of(&words, "subtitles")).unwrap();
    assert!(subtitles.starts_with("1\n00:00:00,") && subtitles.contains("Sea water"), "{subtitles}");
    let numbers = String::from_utf8(client.get_with("/metrics", &[]).body).unwrap();
    let spoken =
        |line: &str| line.starts_with("provider_calls_total{") && line.contains(r#"work="speech",outcome="answered""#);
    assert!(numbers.lines().any(spoken), "{numbers}");
    assert!(numbers.contains("stage_duration_seconds_bucket{"), "{numbers}");
}

async fn a_video_speaks_spanish(backend: Backend) {
    let machine = Machine::new(backend).await;
    let (_server, address) = machine.serve(&[]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let talk = client.send_file("talk.mp4", &std::fs::read(machine.desk.clip("talk.mp4", "160x90", 8.0)).unwrap());
    let said = client.send_file("talk.en.srt", crate::dubs::TRANSCRIPT.as_bytes());
    let order = json!({ "source": { "file_id": talk }, "transcript": { "file_id": said }, "to": ["es"], "settings": { "keep": ["Pressroom"] } });
    let asked = client.ask("/api/v1/dubs", &order);
    let (dub, task) = (text(&asked["dub"]["id"]).to_owned(), text(&asked["task"]["id"]));
    let path = format!("/api/v1/dubs/{dub}");
    let made = client.wait(task);
    assert_eq!(made["state"], "succeeded", "{made}");
    let video = machine.desk.path("es.mp4");
    std::fs::write(&video, client.file_of(&made, "dub")).unwrap();
    assert!((number(&probe(&video)["format"]["duration"]) - 8.0).abs() < 0.1);

    let shown = client.get_with(&path, &[]);
    let document = &shown.json()["document"];
    assert_eq!(document["utterances"].as_array().unwrap().len(), 4, "{document}");
    assert_eq!(document["source"]["path"], "talk.mp4", "where it lay is nobody's business");
    let version = shown.header("etag");
    let edits = json!({ "set": { "4.translation": "Buenas noches a todos." } });
    let edited = client.patch(&path, &version, &edits);
    assert_eq!(edited.status, 200, "{edited:?}");
    assert_eq!(client.patch(&path, &version, &edits).status, 412);
    let burn = client.patch(&path, &edited.header("etag"), &json!({ "set": { "settings.burn": "/etc/passwd" } }));
    assert_eq!(burn.status, 422, "{burn:?}");
    let again = client.ask(&format!("{path}/renders"), &json!({}));
    let task = text(&again["task"]["id"]);
    let busy = client.post_with(&format!("{path}/renders"), &json!({}), &[]);
    assert!(busy.status == 409 || client.get(&format!("/api/v1/tasks/{task}"))["state"] == "succeeded", "{busy:?}");
    let made = client.wait(task);
    assert_eq!(made["state"], "succeeded", "{made}");
    let subtitles = String::from_utf8(client.file_of(&made, "subtitles")).unwrap();
    assert!(
        subtitles.contains("Buenas noches a todos.") || made["result"]["files"].as_array().unwrap().len() > 2,
        "{subtitles}"
    );
    assert_eq!(client.get(&format!("{path}/report"))["languages"][0]["lang"], "es");
    assert_eq!(client.delete(&path), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_speaks_spanish_on_sqlite() {
    a_video_speaks_spanish(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_speaks_spanish_on_postgres() {
    a_video_speaks_spanish(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_is_refused_at_once_with_its_place() {
    let machine = Machine::new(Backend::Sqlite).await;
    let (_server, address) = machine.serve(&["--no-worker"]);
    let client = machine.sign_in(&address, "ann@example.org", "creator");
    let stranger = machine.sign_in(&address, "bob@example.org", "creator");
    let file = client.send_file("a.txt", b"Hello.");
    for (order, pointer) in [
        (json!({}), "/script"),
        (json!({ "script": "Hello.", "url": "https://example.org" }), "/script"),
        (json!({ "script": "Hello.", "settings": { "fps": 31 } }), "/settings"),
        (json!({ "script": "Hello.", "settings": { "voise": "en" } }), "/settings/voise"),
        (json!({ "script": "Hello.", "settings": { "music": "/etc/hostname" } }), "/settings/music"),
        (json!({ "script": "Hello.\n\n![x](../../secret.png)" }), "/script"),
        (json!({ "script": "Hello.", "priority": "asap" }), "/priority"),
        (json!({ "script": "Hello.", "owner": "me" }), "/owner"),
        (json!({ "script": "Hello.", "files": [{ "file_id": file, "name": "../x" }] }), "/files/0/name"),
    ] {
        let answer = client.post_with("/api/v1/videos", &order, &[]);
        assert_eq!(answer.status, 422, "{order}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{order}: {}", answer.json());
    }
    let theirs = json!({ "script": "Hello.", "files": [{ "file_id": file }] });
    assert_eq!(stranger.post_with("/api/v1/videos", &theirs, &[]).status, 404, "files of others are not there");
    let dub = |order: Value| client.post_with("/api/v1/dubs", &order, &[]);
    let pointer = |order: Value| text(&dub(order).json()["errors"][0]["pointer"]).to_owned();
    assert_eq!(pointer(json!({ "source": { "file_id": file }, "to": [] })), "/to");
    assert_eq!(pointer(json!({ "to": ["es"] })), "/source");
    assert_eq!(pointer(json!({ "url": "file:///etc/passwd", "to": ["es"] })), "/url");
    assert_eq!(client.get("/api/v1/tasks")["items"], json!([]));
}
