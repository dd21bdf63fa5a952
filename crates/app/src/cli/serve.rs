//! `pressroom serve`.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context;
use clap::Args;
use platform::{
    db::{migrate, presence::Presence},
    server::listen::{Drained, Server},
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        Global,
        console::{Console, print_json},
    },
    server::{self, Basics, Depot, Office},
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Leave the jobs to `pressroom worker`
    #[arg(long)]
    no_worker: bool,
}

pub(crate) async fn run(
    args: ServeArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let mut settings = wiring::settings(global.data.as_deref())?;
    settings.server.listen = args.listen.unwrap_or(settings.server.listen);
    let db = server::open_database(&settings).await?;
    migrate::up(&db, &server::migrations()).await?;
    let basics = Basics::new(&db);
    let presence = Presence::register(&db, basics.ids.as_ref(), "server", server::migrations()).await?;
    let depot = Depot::open(&settings, basics).await?;
    let office = Office::new(&settings, &depot)?;
    let registry = if args.no_worker { None } else { Some(depot.registry(&settings).await?) };
    let worker = registry.map(|registry| depot.worker(&settings, registry));
    let listen = settings.server.listen;
    let listener = Server::bind(&settings.server).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.address()?;
    if console.is_json() {
        print_json(&serde_json::json!({ "event": "listening", "address": address }))?;
    }
    console.say(&format!("http://{address} (documentation at /docs)"));
    if !office.identity().has_admin().await? {
        console.say("there is no admin yet; make one with `pressroom user create --admin ME@EXAMPLE.ORG`");
    }
    // What goes on beside requests goes on until the last of them is answered.
    let beside = CancellationToken::new();
    let serve = async {
        let drained = listener.run(office.assembled.router.clone(), office.health.clone(), cancel.clone()).await;
        beside.cancel();
        drained
    };
    let work = async {
        if let Some(worker) = worker {
            worker.run(cancel.clone()).await;
        }
    };
    let present = server::stay(&presence, &cancel, &beside);
    let (drained, (), (), present) =
        tokio::join!(serve, work, office.run_beside(cancel.clone(), beside.clone()), present);
    db.close().await?;
    present?;
    if let Drained::Cut { connections } = drained {
        console.warn(&format!("{connections} connections were cut at the deadline"));
    }
    Ok(ExitCode::SUCCESS)
}
