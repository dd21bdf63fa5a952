//! A device without space: a clear error, nothing half written, and the next run goes on.
#![expect(clippy::disallowed_methods, reason = "a small file system can only be mounted by a command")]

use std::{fs, process::Command};

use kernel::ErrorKind;
use pipeline::{FanOut, Limits, collect};

use crate::{
    child,
    fixture::{Text, Write, no_limits, open, start},
};

/// Mounts a small file system of its own and runs the test inside; where that is not allowed, it says so.
#[test]
fn a_full_device_is_told_and_the_next_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let inside = child::command("full_device::on_a_small_device", folder.path());
    let mut sheltered = Command::new("unshare");
    sheltered.args([
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs -o size=3m none \"$1\" && shift && exec \"$@\"",
        "sh",
    ]);
    sheltered.arg(folder.path()).arg(inside.get_program()).args(inside.get_args());
    sheltered.envs(inside.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = sheltered.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if said.contains("running 1 test") {
        assert!(output.status.success(), "{said}");
    } else {
        println!("not run, as no file system can be mounted here: {said}");
    }
}

#[tokio::test]
#[ignore = "started by another test as a child process on a small device"]
async fn on_a_small_device() {
    let folder = child::folder();
    let store = open(&folder).await;
    let (run, _events) = start(&store).await;
    let stage = Write::default();
    let inputs: Vec<_> = (0..20).map(|number| Text(format!("{number:06}").repeat(50_000))).collect();
    let error = run.make_all(&stage, &inputs, FanOut::new(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted, "{error}");
    assert!(error.to_string().contains("--data"), "{error}");
    assert_eq!(fs::read_dir(folder.join("locks")).unwrap().count(), 0);
    for folder in fs::read_dir(folder.join("blobs")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let hash = blake3::hash(&fs::read(&path).unwrap()).to_hex();
            assert_eq!(path.file_stem().unwrap(), hash.as_str(), "half written under a final name");
        }
    }
    let made = stage.count() - 1;
    assert!(made >= 3, "only {made} fitted");
    drop(run);

    // Some room is made, and what was finished is not made again.
    collect(&store, Limits { max_bytes: 900_000, ..no_limits() }).await.unwrap().unwrap();
    let (run, _events) = start(&store).await;
    let last = &inputs[made - 1];
    assert!(run.make(&stage, last).await.unwrap().reused);
    assert!(!run.make(&stage, &inputs[made]).await.unwrap().reused);
}
