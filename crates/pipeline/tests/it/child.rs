//! This test program started again as a child, to be killed or to race another.
#![expect(clippy::disallowed_methods, reason = "these children are killed on purpose, which no other place allows")]

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use pipeline::{FanOut, Progress, Stage, StageContext, StageError};

use crate::fixture::{Text, Write, Written, finish, open, start, texts};

const FOLDER: &str = "PIPELINE_TEST_FOLDER";

/// How many artifacts the child makes.
pub(crate) const COUNT: usize = 40;

/// Makes what [`Write`] makes, slowly and in pieces, as an encoder would.
#[derive(Debug)]
struct SlowWrite;

impl Stage for SlowWrite {
    type Input = Text;
    type Output = Written;

    fn name(&self) -> &'static str {
        Write::default().name()
    }

    fn version(&self) -> u32 {
        Write::default().version()
    }

    async fn run(&self, input: &Text, context: &StageContext) -> Result<Written, StageError> {
        let temp = context.temp_file("txt")?;
        for byte in input.0.bytes() {
            let mut file = OpenOptions::new().create(true).append(true).open(temp.path()).unwrap();
            file.write_all(&[byte]).unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let file = context.keep(temp).await?;
        Ok(Written { length: input.0.len(), file })
    }
}

/// The command that starts one ignored test of this program on a folder.
pub(crate) fn command(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(FOLDER, folder);
    command
}

/// The folder that a child was started on.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os(FOLDER).unwrap().into()
}

/// A child that makes all artifacts and notes each that it finished in `finished` of the folder.
pub(crate) fn spawn_writer(folder: &Path) -> Child {
    let errors = OpenOptions::new().create(true).append(true).open(folder.join("errors")).unwrap();
    command("child::writer", folder).stdout(Stdio::null()).stderr(errors).spawn().unwrap()
}

/// Waits for a child, which must succeed.
pub(crate) fn wait(mut child: Child, folder: &Path) {
    let status = child.wait().unwrap();
    let errors = std::fs::read_to_string(folder.join("errors")).unwrap_or_default();
    assert!(status.success(), "{status}: {errors}");
}

/// The numbers of the artifacts that children noted as made, in that order.
pub(crate) fn made(folder: &Path) -> Vec<usize> {
    let notes = std::fs::read_to_string(folder.join("finished")).unwrap_or_default();
    notes.lines().map(|line| line.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by other tests as a child process"]
async fn writer() {
    let folder = folder();
    let store = open(&folder.join("data")).await;
    let (run, mut events) = start(&store).await;
    let notes = folder.join("finished");
    let noting = tokio::spawn(async move {
        let mut notes = OpenOptions::new().create(true).append(true).open(notes).unwrap();
        while let Some(event) = events.next().await {
            if let Progress::ItemFinished { item, reused: false, .. } = event {
                notes.write_all(format!("{}\n", item.number).as_bytes()).unwrap();
            }
        }
    });
    let made = run.make_all(&SlowWrite, &texts(COUNT), FanOut::new(3)).await.unwrap();
    assert_eq!(made.len(), COUNT);
    finish(run).await;
    noting.await.unwrap();
}
