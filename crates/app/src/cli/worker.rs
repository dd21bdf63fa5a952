//! `pressroom worker`.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use platform::db::{migrate, presence::Presence};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Global, console::Console},
    server::{self, Basics, Depot},
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Kinds of jobs to do, such as `videos,audios` [default: all]
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    queues: Vec<String>,
    /// Jobs at a time, of all kinds together [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    concurrency: Option<u16>,
}

pub(crate) async fn run(
    args: WorkerArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let mut settings = wiring::settings(global.data.as_deref())?;
    if let Some(concurrency) = args.concurrency {
        settings.worker.concurrency = Some(concurrency.into());
    }
    let db = server::open_database(&settings).await?;
    migrate::up(&db, &server::migrations()).await?;
    let basics = Basics::new(&db);
    let presence = Presence::register(&db, basics.ids.as_ref(), "worker", server::migrations()).await?;
    let depot = Depot::open(&settings, basics).await?;
    let registry = depot.registry(&settings).await?;
    let known: Vec<_> = registry.kinds().collect();
    if let Some(unknown) = args.queues.iter().find(|queue| !known.contains(&queue.as_str())) {
        bail!("there are no jobs of the kind `{unknown}`; there are {}", known.join(", "));
    }
    let is_wanted = |kind: &str| args.queues.is_empty() || args.queues.iter().any(|queue| queue == kind);
    let worker = depot.worker(&settings, registry.only(is_wanted));
    let queues = if args.queues.is_empty() { known.join(", ") } else { args.queues.join(", ") };
    console.say(&format!("working on {queues}; stop with Ctrl-C"));
    let ended = CancellationToken::new();
    let work = async {
        worker.run(cancel.clone()).await;
        ended.cancel();
    };
    let ((), present) = tokio::join!(work, server::stay(&presence, &cancel, &ended));
    db.close().await?;
    present?;
    Ok(ExitCode::SUCCESS)
}
