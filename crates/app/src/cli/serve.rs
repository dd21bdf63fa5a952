//! `pressroom serve`.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context;
use clap::Args;
use platform::{
    db::migrate,
    server::listen::{Drained, Server},
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Global, console::Console},
    server::{self, Office},
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
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
    let office = Office::new(&settings, &db)?;
    let listen = settings.server.listen;
    let listener = Server::bind(&settings.server).await.with_context(|| format!("cannot listen on {listen}"))?;
    console.say(&format!("http://{} (documentation at /docs)", listener.address()?));
    if !office.identity().has_admin().await? {
        console.say("there is no admin yet; make one with `pressroom user create --admin ME@EXAMPLE.ORG`");
    }
    let beside = cancel.child_token();
    let serve = async {
        let drained = listener.run(office.assembled.router.clone(), office.health.clone(), cancel.clone()).await;
        beside.cancel();
        drained
    };
    let (drained, ()) = tokio::join!(serve, office.run_beside(beside.clone()));
    db.close().await?;
    if let Drained::Cut { connections } = drained {
        console.warn(&format!("{connections} connections were cut at the deadline"));
    }
    Ok(ExitCode::SUCCESS)
}
