//! What PostgreSQL needs beside a pool of connections: the server that takes writes, and a replica for reads.

mod pool;
mod position;
mod primary;
mod question;
mod replica;

use sea_orm::{SqlxPostgresConnector, sqlx};
use tokio_util::sync::CancellationToken;

pub(super) use self::{
    primary::{Primary, has_moved},
    replica::{Refusal, Replica},
};
use super::{Connection, DbOptions, Servers, connection::Repeat};

/// What was opened of a server.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) reader: Connection,
    pub(super) replica: Option<Replica>,
}

/// Opens the pool of the server among `servers` that takes writes. It is watched, and its replica followed, until `stop`.
pub(super) async fn open(
    servers: &Servers,
    options: &DbOptions,
    stop: &CancellationToken,
) -> Result<Opened, sqlx::Error> {
    let (primary, pool) = Primary::open(servers, options, stop.clone()).await?;
    let replica = options.replica.as_ref();
    let replica = replica.map(|servers| Replica::open(servers, &primary, options, stop.clone())).transpose()?;
    let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    let prelude = pool::prelude(options);
    let connection = |repeat| Connection::of_primary(pool.clone(), primary.clone(), prelude.clone(), repeat);
    Ok(Opened { writer: connection(Repeat::Never), reader: connection(Repeat::WhenLost), replica })
}
