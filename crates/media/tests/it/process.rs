//! Children end when they should, and never outlive their reason.

use std::time::{Duration, Instant};

use media::MediaError;
use media::process::Command;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::fixtures::process_with_argument;

#[tokio::test]
async fn what_a_program_says_comes_back() {
    let output = Command::new("cat").stdin(b"hello".to_vec()).run().await.unwrap();
    assert_eq!(output.stdout, b"hello");
    let mut lines = Vec::new();
    let command = Command::new("sh").args(["-c", "echo one; echo two; echo aside >&2"]);
    let aside = command.run_lines(|line| lines.push(line.to_owned())).await.unwrap();
    assert_eq!((lines, aside.as_str()), (vec!["one".to_owned(), "two".to_owned()], "aside"));
}

#[tokio::test]
async fn a_failure_keeps_the_end_of_what_was_said() {
    let script =
        "i=0; while [ $i -lt 3000 ]; do echo noise noise $i >&2; i=$((i+1)); done; echo the reason >&2; exit 3";
    let error = Command::new("sh").args(["-c", script]).run().await.unwrap_err();
    let MediaError::Process { program, status, detail } = error else { panic!("{error}") };
    assert_eq!((program.as_str(), status.as_str()), ("sh", "exit status 3"));
    assert!(detail.ends_with("the reason") && detail.len() < 20_000, "{} bytes kept", detail.len());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let error = Command::new("/nowhere/at-all").run().await.unwrap_err();
    assert!(matches!(&error, MediaError::MissingProgram { program, .. } if program == "/nowhere/at-all"), "{error}");
}

#[tokio::test]
async fn too_much_output_and_too_much_time_are_failures() {
    let started = Instant::now();
    let flood = Command::new("yes").stdout_limit(1000).run().await.unwrap_err();
    assert!(flood.to_string().contains("more than 1000 bytes"), "{flood}");
    let slow = Command::new("sleep").arg("1009").time_limit(Duration::from_millis(200)).run().await.unwrap_err();
    assert!(slow.to_string().contains("stopped after 0.2 s"), "{slow}");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(!process_with_argument("sleep\x001009"));
}

#[tokio::test]
async fn cancelling_ends_and_reaps_the_child() {
    let token = CancellationToken::new();
    let child = tokio::spawn(Command::new("sleep").arg("1013").cancelled_by(token.clone()).run());
    while !process_with_argument("sleep\x001013") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    token.cancel();
    assert!(matches!(child.await.unwrap(), Err(MediaError::Cancelled)));
    assert!(!process_with_argument("sleep\x001013"));
}

#[tokio::test]
async fn a_child_that_ignores_the_request_to_end_is_killed() {
    let token = CancellationToken::new();
    let script = "trap '' TERM; echo ready; while true; do sleep 0.05; done # stubborn-1019";
    let (ready, mut is_ready) = tokio::sync::mpsc::unbounded_channel();
    let command = Command::new("sh").args(["-c", script]).cancelled_by(token.clone());
    let child = tokio::spawn(command.run_lines(move |line| ready.send(line.to_owned()).unwrap()));
    assert_eq!(is_ready.recv().await.as_deref(), Some("ready"));
    token.cancel();
    assert!(matches!(child.await.unwrap(), Err(MediaError::Cancelled)));
    assert!(!process_with_argument("stubborn-1019"));
}

#[tokio::test]
async fn dropping_the_work_kills_the_child() {
    let work = Command::new("sleep").arg("1021").run();
    assert!(tokio::time::timeout(Duration::from_millis(300), work).await.is_err());
    let deadline = Instant::now() + Duration::from_secs(5);
    while process_with_argument("sleep\x001021") {
        assert!(Instant::now() < deadline, "the child lives on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn pipes_reach_the_child_under_their_numbers() {
    let mut command = Command::new("sh").args(["-c", "cat; cat <&3"]);
    let (first, number) = command.pipe().unwrap();
    let (second, other_number) = command.pipe().unwrap();
    assert_eq!((number, other_number), (0, 3));
    let writer = std::thread::spawn(move || {
        for (mut pipe, text) in [(first, "first "), (second, "second")] {
            std::io::Write::write_all(&mut pipe, text.as_bytes()).unwrap();
        }
    });
    assert_eq!(command.run().await.unwrap().stdout, b"first second");
    writer.join().unwrap();
}

#[tokio::test]
async fn a_conversation_goes_to_and_fro() {
    let mut talk = Command::new("cat").converse().await.unwrap();
    for word in ["alpha\n", "beta\n"] {
        talk.stdin.write_all(word.as_bytes()).await.unwrap();
        let mut answer = String::new();
        talk.stdout.read_line(&mut answer).await.unwrap();
        assert_eq!(answer, word);
    }
    talk.close().await;
}

/// The helper of the test below: this same test binary, started as a parent that then is killed.
#[tokio::test]
async fn parent_for_the_next_test() {
    if std::env::var_os("PRESSROOM_TEST_PARENT").is_some() {
        let _ = Command::new("sleep").arg("1031").run().await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn children_die_with_a_parent_that_is_killed_outright() {
    let this = std::env::current_exe().unwrap();
    let parent =
        Command::new(this).args(["--exact", "process::parent_for_the_next_test"]).env("PRESSROOM_TEST_PARENT", "1");
    let running = parent.converse().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !process_with_argument("sleep\x001031") {
        assert!(Instant::now() < deadline, "the child was never started");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(running); // Kills it with SIGKILL, as a crash would.
    while process_with_argument("sleep\x001031") {
        assert!(Instant::now() < deadline, "the child outlived its parent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
