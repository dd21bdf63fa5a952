//! `pressroom worker`.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::Args;
use platform::{
    db::{migrate, presence::Presence},
    server::status::StatusDesk,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        Global,
        console::{Console, print_json},
    },
    server::{self, Basics, Depot, Numbers},
    settings::Settings,
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
    /// Where to answer how it is (`/livez`, `/readyz`, `/health`, `/metrics`) [default: nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
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
    settings.worker.listen = args.listen.or(settings.worker.listen);
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
    let desk = open_desk(&settings, &depot, console).await?;
    let queues = if args.queues.is_empty() { known.join(", ") } else { args.queues.join(", ") };
    console.say(&format!("working on {queues}; stop with Ctrl-C"));
    // Whether it lives is told until the last of its jobs was given back.
    let ended = CancellationToken::new();
    let work = async {
        worker.run(cancel.clone()).await;
        ended.cancel();
    };
    let told = tell(desk, cancel.clone(), ended.clone());
    let ((), (), present) = tokio::join!(work, told, server::stay(&presence, &cancel, &ended));
    db.close().await?;
    present?;
    Ok(ExitCode::SUCCESS)
}

/// Where the worker tells how it is, if the settings name an address for that, and what it then looks up.
async fn open_desk(
    settings: &Settings,
    depot: &Depot,
    console: &Console,
) -> anyhow::Result<Option<(StatusDesk, Numbers)>> {
    let Some(listen) = settings.worker.listen else { return Ok(None) };
    let health = server::health_of(settings, depot);
    let desk = StatusDesk::bind(listen, &settings.server, health.clone()).await;
    let desk = desk.with_context(|| format!("cannot listen on {listen}"))?;
    let address = desk.address()?;
    if console.is_json() {
        print_json(&serde_json::json!({ "event": "listening", "address": address }))?;
    }
    console.say(&format!("http://{address}/health tells how this worker is"));
    Ok(Some((desk, Numbers::new(depot.clone(), health, settings.data.clone()))))
}

async fn tell(desk: Option<(StatusDesk, Numbers)>, stop: CancellationToken, closed: CancellationToken) {
    if let Some((desk, numbers)) = desk {
        tokio::join!(desk.run(stop, closed.clone()), numbers.run(closed));
    }
}
