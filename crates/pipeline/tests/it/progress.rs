//! What a run tells while it goes on.

use pipeline::{FanOut, Outcome, Progress, ProgressReceiver};

use crate::fixture::{Write, open, start, texts};

async fn all(mut events: ProgressReceiver) -> Vec<Progress> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

#[tokio::test]
async fn a_run_tells_its_stages_items_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (run, events) = start(&store).await;
    run.make_all(&Write::default(), &texts(2), FanOut::new(1)).await.unwrap();
    run.finish(Outcome::Succeeded).await;
    let names: Vec<_> =
        all(events).await.iter().map(|event| serde_json::to_value(event).unwrap()["event"].clone()).collect();
    let expected = [
        "run_started",
        "stage_started",
        "advanced",
        "item_finished",
        "advanced",
        "item_finished",
        "stage_finished",
        "run_finished",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn an_event_is_written_as_documented() {
    let text = r#"{"event":"run_finished","outcome":{"outcome":"failed","kind":"exhausted","message":"full"},"elapsed_ms":5,"fraction":0.5}"#;
    let event: Progress = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&event).unwrap(), text);
    let reused = Progress::ItemFinished {
        stage: "voice".to_owned(),
        item: pipeline::Item { number: 1, count: 2 },
        reused: true,
        fraction: 0.25,
    };
    let expected =
        r#"{"event":"item_finished","stage":"voice","item":{"number":1,"count":2},"reused":true,"fraction":0.25}"#;
    assert_eq!(serde_json::to_string(&reused).unwrap(), expected);
}

#[tokio::test]
async fn nobody_has_to_listen() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let (run, events) = start(&store).await;
    drop(events);
    run.make_all(&Write::default(), &texts(3), FanOut::new(1)).await.unwrap();
    run.finish(Outcome::Succeeded).await;
}
