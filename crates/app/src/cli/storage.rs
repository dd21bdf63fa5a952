//! `pressroom storage`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use platform::{
    config,
    db::Db,
    storage::{Copied, Objects, Seals, Store, StoreOptions, StoreUrl, copy_objects, rekey},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        Global,
        console::{Console, print_json},
        exit,
    },
    server::{self, Basics},
    settings::Settings,
    wiring,
};

/// Where nobody looks on, progress is told each time so many more bytes are done.
const NEWS_BYTES: u64 = 100_000_000;

#[derive(Debug, Args)]
pub(crate) struct StorageArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write, read and remove an object in the store of files
    Check,
    /// Copy every file to another store, and read it again there; go on where a copy was stopped
    Copy {
        /// The other store: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`
        #[arg(long, value_name = "URL")]
        to: StoreUrl,
    },
    /// After a change of `SECRET_KEY`: let encrypted files be opened by the new one alone
    Rekey,
}

pub(crate) async fn run(
    args: StorageArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let settings = wiring::settings(global.data.as_deref())?;
    let db = server::open_database(&settings).await?;
    let basics = Basics::new(&db);
    let secrets = server::secrets(&settings, &basics.rng)?;
    let objects = server::objects(&settings, &secrets, &basics)?;
    let seals = Seals::new(&secrets, basics.rng.clone());
    let work = Box::pin(async {
        match args.action {
            Action::Check => check(&settings, &objects, console).await,
            Action::Copy { to } => {
                let options = StoreOptions { url: to, ..settings.storage.store_in(&settings.data) };
                let store = Store::open(&options, &config::secret)?;
                // Objects are copied as they lie: whatever is encrypted stays so under its own key.
                let to = Objects::new(store, basics.ids.clone()).with_seals(seals, settings.storage.new_objects());
                copy(&db, &objects, &to, console).await
            }
            Action::Rekey => {
                let done = rekey(&db, &seals).await?;
                if console.is_json() {
                    print_json(&json!({ "encrypted": done.encrypted, "rewrapped": done.rewrapped }))?;
                }
                console.say(&format!(
                    "{} of {} keys of encrypted files were wrapped anew",
                    done.rewrapped, done.encrypted
                ));
                Ok(())
            }
        }
    });
    let done = cancel.run_until_cancelled(work).await;
    db.close().await?;
    let Some(done) = done else { return Ok(ExitCode::from(exit::CANCELLED)) };
    done.map(|()| ExitCode::SUCCESS)
}

async fn check(settings: &Settings, objects: &Objects, console: &Console) -> anyhow::Result<()> {
    let url = settings.storage.store_in(&settings.data).url;
    // The whole of it is for whoever sits here: the operator.
    objects.probe().await.map_err(|error| {
        let explanation = error.explain();
        anyhow::Error::from(error).context(explanation)
    })?;
    console.say(&format!("`{url}` lets objects be written, read and removed"));
    Ok(())
}

async fn copy(db: &Db, from: &Objects, to: &Objects, console: &Console) -> anyhow::Result<()> {
    to.probe().await.context("the other store cannot be used")?;
    let bar = console.bytes_bar();
    let mut news = 0;
    let mut told = |copied: Copied| {
        bar.set_length(copied.total_bytes);
        bar.set_position(copied.bytes);
        if console.is_json() && copied.bytes / NEWS_BYTES > news {
            news = copied.bytes / NEWS_BYTES;
            drop(print_json(&event("progress", copied)));
        }
    };
    let done = copy_objects(db, from, to, &mut told).await;
    bar.finish_and_clear();
    let done = done?;
    if console.is_json() {
        print_json(&event("copied", done))?;
    }
    console.say(&format!("{} objects are there, {} of them copied now", done.objects, done.copied));
    Ok(())
}

fn event(name: &str, copied: Copied) -> serde_json::Value {
    let Copied { objects, bytes, total_bytes, copied } = copied;
    json!({ "event": name, "objects": objects, "bytes": bytes, "total_bytes": total_bytes, "copied": copied })
}
