//! Migrations: up, down, status, and many at the same moment.

use std::sync::Arc;

use kernel::{SystemClock, TimeOrderedIds};
use platform::{
    all_databases,
    db::{
        Db, DbOptions, Sql,
        migrate::{self, MigrateError, Migrations, Phase, Step, Version},
        presence::Presence,
        timestamp,
    },
    rng::SystemRng,
    testing::TestDb,
};
use sea_orm::{ConnectionTrait as _, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

struct Change(&'static str, &'static str, &'static str);

impl MigrationName for Change {
    fn name(&self) -> &str {
        self.0
    }
}

#[async_trait]
impl MigrationTrait for Change {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.1).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.2).await.map(drop)
    }
}

const LETTERS: Change = Change("letters", "CREATE TABLE letters (id INTEGER)", "DROP TABLE letters");
const STAMPS: Change =
    Change("stamps", "ALTER TABLE letters ADD COLUMN stamp TEXT", "ALTER TABLE letters DROP COLUMN stamp");
const BROKEN: Change = Change("broken", "CREATE TABLE boxes (id INTEGER); SELECT * FROM nowhere", "");

fn post() -> Migrations {
    Migrations { context: "post", list: || vec![Step::expand(LETTERS), Step::expand(STAMPS)] }
}

fn older_post() -> Migrations {
    Migrations { context: "post", list: || vec![Step::expand(LETTERS)] }
}

const NO_STAMPS: Change =
    Change("no_stamps", "ALTER TABLE letters DROP COLUMN stamp", "ALTER TABLE letters ADD COLUMN stamp TEXT");
const PARCELS: Change = Change("parcels", "CREATE TABLE parcels (id INTEGER)", "DROP TABLE parcels");

/// A version that uses stamps no more.
const NEWER: Version = Version::new(99, 0, 0);

fn newer_post() -> Migrations {
    let list =
        || vec![Step::expand(LETTERS), Step::expand(STAMPS), Step::contract(NEWER, NO_STAMPS), Step::expand(PARCELS)];
    Migrations { context: "post", list }
}

fn ids() -> TimeOrderedIds {
    TimeOrderedIds::new(Arc::new(SystemClock), Arc::new(SystemRng))
}

fn broken() -> Migrations {
    Migrations { context: "broken", list: || vec![Step::expand(BROKEN)] }
}

async fn names_done(db: &Db) -> Vec<String> {
    let all = migrate::status(db, &[post()]).await.unwrap();
    all.into_iter().filter(|step| step.applied_at_ms.is_some()).map(|step| step.name).collect()
}

all_databases! {
    async fn steps_are_done_once_and_undone_newest_first(test: &TestDb) {
        let db = test.db();
        assert_eq!(names_done(db).await, Vec::<String>::new());
        assert_eq!(migrate::up(db, &[post()]).await.unwrap(), 2);
        assert_eq!(migrate::up(db, &[post()]).await.unwrap(), 0);
        assert_eq!(names_done(db).await, ["letters", "stamps"]);
        db.writer().execute_unprepared("INSERT INTO letters (id, stamp) VALUES (1, 'penny')").await.unwrap();
        assert_eq!(migrate::down(db, post(), 1).await.unwrap(), 1);
        assert_eq!(names_done(db).await, ["letters"]);
        assert_eq!(migrate::down(db, post(), 9).await.unwrap(), 1);
        assert_eq!(migrate::up(db, &[post()]).await.unwrap(), 2);
    }

    async fn a_step_that_fails_leaves_nothing_and_names_itself(test: &TestDb) {
        let db = test.db();
        let error = migrate::up(db, &[post(), broken()]).await.unwrap_err();
        assert!(matches!(&error, MigrateError::Step { context: "broken", .. }), "{error}");
        assert_eq!(names_done(db).await, ["letters", "stamps"]);
        assert!(db.writer().execute_unprepared("SELECT * FROM boxes").await.is_err());
    }

    async fn a_version_goes_on_while_a_newer_one_adds_to_its_tables(test: &TestDb) {
        let db = test.db();
        migrate::up(db, &[older_post()]).await.unwrap();
        let server = Presence::register(db, &ids(), "server", vec![older_post()]).await.unwrap();
        assert_eq!(migrate::up_as(NEWER, db, &[post()]).await.unwrap(), 1, "it adds at once");
        assert_eq!(migrate::up(db, &[older_post()]).await.unwrap(), 0, "the older one may start again");
        let all = migrate::status(db, &[older_post()]).await.unwrap();
        let unknown = all.iter().find(|step| !step.is_known).unwrap();
        assert_eq!((unknown.name.as_str(), unknown.phase), ("stamps", Phase::Expand));
        let error = migrate::down(db, older_post(), 1).await.unwrap_err();
        assert!(error.to_string().contains("`stamps` of `post` was done by a newer version"), "{error}");
        server.leave().await.unwrap();
    }

    async fn what_an_older_version_uses_is_taken_away_only_when_it_has_ended(test: &TestDb) {
        let db = test.db();
        migrate::up(db, &[post()]).await.unwrap();
        let server = Presence::register(db, &ids(), "server", vec![post()]).await.unwrap();
        assert_eq!(migrate::up_as(NEWER, db, &[newer_post()]).await.unwrap(), 1, "what is added after it does not wait");
        let all = migrate::status(db, &[newer_post()]).await.unwrap();
        let waiting = all.iter().find(|step| step.name == "no_stamps").unwrap();
        assert_eq!(waiting.waits_for.as_ref().map(|instance| instance.kind.as_str()), Some("server"));
        let error = migrate::require_all(&all).unwrap_err();
        assert!(error.to_string().contains("takes away what server"), "{error}");
        db.writer().execute_unprepared("INSERT INTO letters (id, stamp) VALUES (1, 'penny')").await.unwrap();

        server.leave().await.unwrap();
        assert_eq!(migrate::up_as(NEWER, db, &[newer_post()]).await.unwrap(), 1);
        assert!(db.writer().execute_unprepared("SELECT stamp FROM letters").await.is_err());
        let error = migrate::up(db, &[post()]).await.unwrap_err();
        assert!(error.to_string().contains("`no_stamps` of `post` takes away what versions before 99.0.0 use"), "{error}");
        assert_eq!(error.kind(), kernel::ErrorKind::Conflict);
        let late = Presence::register(db, &ids(), "server", vec![post()]).await;
        assert!(matches!(late, Err(MigrateError::Newer { .. })), "{late:?}");
    }

    async fn a_table_of_steps_of_an_earlier_version_is_read_and_completed(test: &TestDb) {
        let db = test.db();
        let table = "CREATE TABLE migrations (context TEXT NOT NULL, name TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL, \
                     PRIMARY KEY (context, name))";
        db.writer().execute_unprepared(&db.backend().ddl(table)).await.unwrap();
        db.writer().execute_unprepared("CREATE TABLE letters (id INTEGER)").await.unwrap();
        let done = Sql::new("INSERT INTO migrations VALUES ('post', 'letters', $1)").bind(timestamp(0));
        db.writer().execute_raw(done.on(db.backend())).await.unwrap();
        assert_eq!(migrate::up(db, &[post()]).await.unwrap(), 1);
        assert_eq!(names_done(db).await, ["letters", "stamps"]);
    }

    async fn ten_that_start_together_migrate_once(test: &TestDb) {
        let starts = (0..10).map(|_| {
            let options: DbOptions = test.options().clone();
            tokio::spawn(async move {
                let db = Db::open(&DbOptions { max_connections: 2, ..options }).await.unwrap();
                let done = migrate::up(&db, &[post()]).await.unwrap();
                db.close().await.unwrap();
                done
            })
        });
        let mut done = 0;
        for start in starts.collect::<Vec<_>>() {
            done += start.await.unwrap();
        }
        assert_eq!(done, 2);
        assert_eq!(names_done(test.db()).await, ["letters", "stamps"]);
    }
}
