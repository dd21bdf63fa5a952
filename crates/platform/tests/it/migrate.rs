//! Migrations: up, down, status, and many at the same moment.

use platform::{
    both_databases,
    db::{
        Db, DbOptions,
        migrate::{self, MigrateError, Migrations},
    },
    testing::TestDb,
};
use sea_orm::{ConnectionTrait as _, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait::async_trait};

struct Step(&'static str, &'static str, &'static str);

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.0
    }
}

#[async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.1).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.2).await.map(drop)
    }
}

const LETTERS: Step = Step("letters", "CREATE TABLE letters (id INTEGER)", "DROP TABLE letters");
const STAMPS: Step =
    Step("stamps", "ALTER TABLE letters ADD COLUMN stamp TEXT", "ALTER TABLE letters DROP COLUMN stamp");
const BROKEN: Step = Step("broken", "CREATE TABLE boxes (id INTEGER); SELECT * FROM nowhere", "");

fn post() -> Migrations {
    Migrations { context: "post", list: || vec![Box::new(LETTERS), Box::new(STAMPS)] }
}

fn older_post() -> Migrations {
    Migrations { context: "post", list: || vec![Box::new(LETTERS)] }
}

fn broken() -> Migrations {
    Migrations { context: "broken", list: || vec![Box::new(BROKEN)] }
}

async fn names_done(db: &Db) -> Vec<String> {
    let all = migrate::status(db, &[post()]).await.unwrap();
    all.into_iter().filter(|step| step.applied_at_ms.is_some()).map(|step| step.name).collect()
}

both_databases! {
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

    async fn a_database_of_a_newer_version_is_left_alone(test: &TestDb) {
        migrate::up(test.db(), &[post()]).await.unwrap();
        let error = migrate::up(test.db(), &[older_post()]).await.unwrap_err();
        assert!(error.to_string().contains("newer version of this program (`stamps` of `post`"), "{error}");
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
