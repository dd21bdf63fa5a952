//! What a server of PostgreSQL says of itself, for people.

use sea_orm::ConnectionTrait as _;

use super::{Backend, Db, DbError, Sql};

/// A server, and how many connections it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    pub version: String,
    /// Connections that it takes from those who are not its admins.
    pub max_connections: i64,
    /// Connections of everybody by now.
    pub used_connections: i64,
}

impl Db {
    /// What the server says; nothing of SQLite, which has none.
    pub async fn server_facts(&self) -> Result<Option<ServerFacts>, DbError> {
        if self.backend() == Backend::Sqlite {
            return Ok(None);
        }
        let query = "SELECT current_setting('server_version'), \
                     current_setting('max_connections')::bigint \
                         - current_setting('superuser_reserved_connections')::bigint, \
                     (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')";
        let row = self.reader().query_one_raw(Sql::new(query).on(self.backend())).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ServerFacts {
            version: row.try_get_by_index(0)?,
            max_connections: row.try_get_by_index(1)?,
            used_connections: row.try_get_by_index(2)?,
        }))
    }
}
