//! The tables of all contexts: made and taken away again, and listed by their indexes.

use platform::{
    both_databases,
    db::{
        migrate::{self, Migrations, Step, Version, run_ddl},
        presence::Presence,
    },
    testing::TestDb,
};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait, sea_orm::DbErr};

use super::{
    access_matrix::{check_every_route, check_what_is_ones_own},
    world,
};
use crate::server::{Basics, migrations};

/// The tables of this release, but for that of users.
const TABLES: &[&str] = &[
    "sessions",
    "refresh_tokens",
    "password_resets",
    "api_keys",
    "signing_keys",
    "audit_log",
    "audit_head",
    "jobs",
    "job_workers",
    "job_schedules",
    "events",
    "event_head",
    "event_handlers",
    "event_dead_letters",
    "files",
    "uploads",
    "upload_segments",
    "storage_use",
    "idempotency_keys",
    "videos",
    "dubs",
];

/// A release after this one.
const NEXT: Version = Version::new(99, 0, 0);

/// A step of the next release, with the tables that it adds to.
struct Addition(&'static str, &'static [&'static str]);

impl MigrationName for Addition {
    fn name(&self) -> &str {
        self.0
    }
}

#[async_trait]
impl MigrationTrait for Addition {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in self.1 {
            let statements = [
                format!("ALTER TABLE {table} ADD COLUMN next_note TEXT"),
                format!("ALTER TABLE {table} ADD COLUMN next_count BIGINT NOT NULL DEFAULT 0"),
                format!("CREATE INDEX next_{table} ON {table} (next_note, next_count)"),
                format!("CREATE TABLE next_of_{table} (id UUID NOT NULL PRIMARY KEY, at TIMESTAMPTZ NOT NULL)"),
            ];
            run_ddl(manager, &statements.each_ref().map(String::as_str)).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

/// The list of a context of this release, and after it a step that takes away.
fn next_users() -> Vec<Step> {
    let mut steps = (identity::migrations().list)();
    steps.push(Step::expand(Addition("next_adds", &["users"])));
    steps.push(Step::contract(NEXT, Drops));
    steps
}

/// Every table of every context gets more in the next release.
fn next_release() -> Vec<Migrations> {
    let additions = || vec![Step::expand(Addition("next_adds_everywhere", TABLES))];
    let identity = Migrations { context: "identity", list: next_users };
    let kept = migrations().into_iter().filter(|context| context.context != "identity");
    kept.chain([identity, Migrations { context: "next", list: additions }]).collect()
}

/// A step that this release does not live with.
struct Drops;

impl MigrationName for Drops {
    fn name(&self) -> &'static str {
        "next_drops"
    }
}

#[async_trait]
impl MigrationTrait for Drops {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run_ddl(manager, &["DROP TABLE api_keys"]).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

both_databases! {
    async fn lists_of_documents_use_an_index(test: &TestDb) {
        migrate::up(test.db(), &migrations()).await.unwrap();
        let id = "'019ac700-0000-7000-8000-000000000000'";
        for (table, index) in [("videos", "videos_owner"), ("dubs", "dubs_owner")] {
            let list = format!("SELECT id, summary FROM {table} WHERE owner = {id} AND id < {id} ORDER BY id DESC LIMIT 51");
            test.assert_served(&list, &[index]).await;
        }
    }

    async fn every_step_goes_up_and_down_and_up_again(test: &TestDb) {
        let contexts = migrations();
        let steps = migrate::up(test.db(), &contexts).await.unwrap();
        assert_eq!(steps, migrate::status(test.db(), &contexts).await.unwrap().len());
        let made = test.made().await;
        assert!(made.contains(&"jobs".to_owned()), "{made:?}");
        let mut undone = 0;
        for context in contexts.iter().rev() {
            undone += migrate::down(test.db(), *context, usize::MAX).await.unwrap();
        }
        assert_eq!(undone, steps);
        assert_eq!(test.made().await, [""; 0]);
        assert_eq!(migrate::up(test.db(), &contexts).await.unwrap(), steps);
        assert_eq!(test.made().await, made);
    }

    async fn this_release_works_on_what_the_next_one_added_and_keeps_what_it_uses(test: &TestDb) {
        let db = test.db();
        migrate::up(db, &migrations()).await.unwrap();
        let ids = Basics::new(db).ids;
        let server = Presence::register(db, ids.as_ref(), "server", migrations()).await.unwrap();
        assert_eq!(migrate::up_as(NEXT, db, &next_release()).await.unwrap(), 2, "only what adds is done");
        let world = world(test).await;
        check_every_route(&world).await;
        check_what_is_ones_own(&world).await;
        server.leave().await.unwrap();
        assert_eq!(migrate::up_as(NEXT, db, &next_release()).await.unwrap(), 1);
        let error = migrate::up(db, &migrations()).await.unwrap_err();
        assert!(error.to_string().contains("`next_drops` of `identity`"), "{error}");
    }
}
