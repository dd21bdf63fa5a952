//! The whole server as it is in production, asked without a network.

mod access_matrix;
mod document;
mod health;
mod migrations;

use std::sync::Arc;

use identity::{Email, NewAccount, Password};
use kernel::{ManualClock, Plan, Role, TimeOrderedIds};
use platform::{
    db::migrate,
    testing::{TestDb, TestServer},
};
use serde_json::json;

use super::{Basics, Depot, Office, migrations};
use crate::settings::Settings;

const PASSWORD: &str = "correct horse battery";
const MINUTE_MS: i64 = 60 * 1000;

/// The whole server as it is in production, with a clock that the test moves.
struct World {
    server: TestServer,
    office: Office,
    clock: ManualClock,
    _data: tempfile::TempDir,
}

async fn world(test: &TestDb) -> World {
    let data = tempfile::tempdir().unwrap();
    let mut settings = Settings { data: data.path().to_owned(), ..Settings::default() };
    (settings.server.user_units_per_minute, settings.server.address_units_per_minute) = (1_000_000, 1_000_000);
    settings.identity.hashing.memory_kib = 8;
    settings.identity.hashing.passes = 1;
    migrate::up(test.db(), &migrations()).await.unwrap();
    let clock = ManualClock::at(1_800_000_000_000);
    let basics = Basics::new(test.db());
    let ids = Arc::new(TimeOrderedIds::new(Arc::new(clock.clone()), basics.rng.clone()));
    let basics = Basics { clock: Arc::new(clock.clone()), ids, ..basics };
    let depot = Depot::open(&settings, basics).await.unwrap();
    let office = Office::new(&settings, &depot).unwrap();
    let server = TestServer { router: office.assembled.router.clone(), document: office.assembled.document.clone() };
    World { server, office, clock, _data: data }
}

impl World {
    async fn user(&self, email: &str, role: Role) {
        let account = NewAccount {
            email: email.parse::<Email>().unwrap(),
            name: "Ann".parse().unwrap(),
            password: Password::new(PASSWORD.to_owned().into()).unwrap(),
            role,
            plan: Plan::Free,
        };
        self.office.identity().create_user(None, account).await.unwrap();
    }

    async fn log_in(&self, email: &str) -> String {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self.server.post("/api/v1/auth/login").json(&body).send().await;
        let token = answer.json()["tokens"]["access_token"].as_str().map(str::to_owned);
        token.unwrap_or_else(|| panic!("{answer:?}"))
    }
}
