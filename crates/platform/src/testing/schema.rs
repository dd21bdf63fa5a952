//! What is in a database: its tables and indexes, which of them serve a query, and how many rows fit one.

use sea_orm::{ConnectionTrait as _, QueryResult};

use super::TestDb;
use crate::db::{Backend, Sql};

/// Tables, indexes and sequences beside those that migrations keep for themselves and what the database has for itself.
const MADE_ON_SQLITE: &str = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND tbl_name NOT IN ('migrations', 'instances') ORDER BY name";
const MADE_ON_POSTGRES: &str = "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
                                WHERE n.nspname = 'public' AND relname NOT LIKE 'migrations%' AND relname NOT LIKE 'instances%' ORDER BY relname";

impl TestDb {
    /// The names of what migrations made and did not take away.
    ///
    /// # Panics
    ///
    /// When the database cannot tell.
    pub async fn made(&self) -> Vec<String> {
        let backend = self.db.backend();
        let query = if backend == Backend::Sqlite { MADE_ON_SQLITE } else { MADE_ON_POSTGRES };
        let rows = self.db.reader().query_all_raw(Sql::new(query).on(backend)).await;
        let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
        let name = |row: &QueryResult| row.try_get_by_index(0).unwrap_or_else(|error| panic!("{query}: {error}"));
        rows.iter().map(name).collect()
    }

    /// The number that `query` tells.
    ///
    /// # Panics
    ///
    /// When it tells none.
    pub async fn count(&self, query: &str) -> i64 {
        let row = self.db.reader().query_one_raw(Sql::new(query).on(self.db.backend())).await;
        let row = row.unwrap_or_else(|error| panic!("{query}: {error}"));
        let number = row.map(|row| row.try_get_by_index(0).unwrap_or_else(|error| panic!("{query}: {error}")));
        number.unwrap_or_else(|| panic!("{query}: no row"))
    }

    /// Fails unless `query` is served by one of `indexes`, with no table read whole and nothing sorted. `jobs_pkey` is the
    /// primary key of `jobs`, and `files_object_key` what keeps `object` unique in `files`, as PostgreSQL calls them.
    ///
    /// Values stand in the query itself, as a plan for a value that is only found while the query runs is another.
    ///
    /// # Panics
    ///
    /// When it is not, and when the database cannot tell.
    pub async fn assert_served(&self, query: &str, indexes: &[&str]) {
        let plan = self.explain(query).await;
        for line in &plan {
            for bad in ["Seq Scan", "Sort", "TEMP B-TREE"] {
                assert!(!line.contains(bad), "{query}\n{plan:#?}");
            }
            // A step that reads rows, of whichever database, names what it reads them by.
            let reads = ["Scan", "SCAN ", "SEARCH "].iter().any(|step| line.contains(step));
            let is_served = indexes.iter().any(|index| self.names(line, index));
            assert!(is_served || !reads || is_of_no_table(line), "not by {indexes:?}: {query}\n{plan:#?}");
        }
        assert!(plan.iter().any(|line| indexes.iter().any(|index| self.names(line, index))), "{query}\n{plan:#?}");
    }

    fn names(&self, line: &str, index: &str) -> bool {
        let words = || line.split(|c: char| !c.is_alphanumeric() && c != '_');
        let is_named = |name: &str| words().any(|word| word == name);
        if is_named(index) {
            return true;
        }
        // SQLite gives what a table says of its columns names of its own.
        let is_automatic = |table: &str| words().any(|word| word.starts_with(&format!("sqlite_autoindex_{table}_")));
        match (self.db.backend(), index.rsplit_once("_pkey"), index.strip_suffix("_key")) {
            (Backend::Sqlite, Some((table, "")), _) => is_automatic(table),
            (Backend::Sqlite, None, Some(named)) => {
                named.rsplit_once('_').is_some_and(|(table, _)| is_automatic(table))
            }
            _ => false,
        }
    }

    /// The lines of the plan.
    async fn explain(&self, query: &str) -> Vec<String> {
        let backend = self.db.backend();
        let (explain, column) = match backend {
            Backend::Postgres => ("EXPLAIN", 0),
            Backend::Sqlite => ("EXPLAIN QUERY PLAN", 3),
        };
        let tx = self.db.begin().await.unwrap_or_else(|error| panic!("{query}: {error}"));
        // Small tables are read whole whatever indexes they have; what counts is whether an index could serve.
        let off: &[_] = if backend == Backend::Postgres { &["seqscan", "sort", "bitmapscan"] } else { &[] };
        for what in off {
            let set = tx.execute_unprepared(&format!("SET LOCAL enable_{what} = off")).await;
            set.unwrap_or_else(|error| panic!("{query}: {error}"));
        }
        let rows = tx.query_all_raw(Sql::new(format!("{explain} {query}")).on(backend)).await;
        let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
        rows.iter().map(|row| row.try_get_by_index(column).unwrap_or_else(|error| panic!("{query}: {error}"))).collect()
    }
}

/// Steps that only pass on what others read.
fn is_of_no_table(line: &str) -> bool {
    ["Subquery Scan", "CTE Scan", "Values Scan", "Result", "SCAN CONSTANT ROW"].iter().any(|step| line.contains(step))
}
