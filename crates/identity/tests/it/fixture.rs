//! A server with identity alone, and people to sign in.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::http::Method;
use identity::{
    Algorithm, Deps, Email, HashingCost, Identity, IdentityService, IdentitySettings, Letter, MailError, Mailer,
    NewAccount, Password,
};
use kernel::{ManualClock, Plan, Role};
use platform::{
    cache::Caches,
    db::migrate,
    events, idempotency,
    server::health::Health,
    testing::{Answer, Call, TestDb, TestParts, TestServer},
};
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;
pub(crate) const MINUTE_MS: i64 = 60 * 1000;

/// Letters that were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct MailBox(Arc<Mutex<Vec<Letter>>>);

#[async_trait]
impl Mailer for MailBox {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(letter.clone());
        Ok(())
    }
}

impl MailBox {
    pub(crate) fn letters(&self) -> Vec<Letter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) service: IdentityService,
    pub(crate) clock: ManualClock,
    pub(crate) mail: MailBox,
}

/// A session of tokens.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

pub(crate) fn settings() -> IdentitySettings {
    let hashing = HashingCost { memory_kib: 8, passes: 1, at_a_time: 2 };
    IdentitySettings { hashing, ..IdentitySettings::default() }
}

pub(crate) async fn world(test: &TestDb) -> World {
    world_with(test, settings()).await
}

pub(crate) async fn world_with(test: &TestDb, settings: IdentitySettings) -> World {
    let clock = ManualClock::at(1_800_000_000_000);
    world_at(test, settings, clock).await
}

/// Another server on the same database and with the same clock.
pub(crate) async fn world_at(test: &TestDb, settings: IdentitySettings, clock: ManualClock) -> World {
    world_of(test, settings, clock, test.caches()).await
}

/// The same, with these caches.
pub(crate) async fn world_of(test: &TestDb, settings: IdentitySettings, clock: ManualClock, caches: Caches) -> World {
    migrate::up(test.db(), &[events::migrations(), idempotency::migrations(), identity::migrations()]).await.unwrap();
    let mut parts = TestParts::new(test.db(), Arc::new(clock.clone()));
    parts.settings.address_units_per_minute = 1_000_000;
    parts.settings.user_units_per_minute = 1_000_000;
    parts.rng = Arc::new(platform::rng::SystemRng);
    parts.ids = Arc::new(kernel::TimeOrderedIds::new(Arc::new(clock.clone()), parts.rng.clone()));
    let mail = MailBox::default();
    let Identity { service, routes, authenticator } = identity::build(Deps {
        db: parts.db.clone(),
        clock: parts.clock.clone(),
        rng: parts.rng.clone(),
        ids: parts.ids.clone(),
        limiter: parts.limiter.clone(),
        caches,
        mailer: Arc::new(mail.clone()),
        secrets: parts.secrets.clone(),
        settings,
        public_origin: parts.settings.public_origin(),
        origins: parts.settings.origins(),
        transport: parts.settings.transport(),
    })
    .unwrap();
    let server = parts.serve(routes, authenticator, Health::default());
    World { server, service, clock, mail }
}

pub(crate) fn ed_dsa() -> IdentitySettings {
    IdentitySettings { algorithm: Algorithm::EdDsa, ..settings() }
}

impl World {
    pub(crate) async fn user(&self, email: &str, role: Role) {
        let account = NewAccount {
            email: email.parse::<Email>().unwrap(),
            name: "Ann".parse().unwrap(),
            password: Password::new(PASSWORD.to_owned().into()).unwrap(),
            role,
            plan: Plan::Free,
        };
        self.service.create_user(None, account).await.unwrap();
    }

    pub(crate) async fn try_log_in(&self, email: &str, password: &str) -> Answer {
        self.server.post("/api/v1/auth/login").json(&json!({ "email": email, "password": password })).send().await
    }

    /// A session of tokens of somebody who is there.
    pub(crate) async fn log_in(&self, email: &str) -> Held {
        let answer = self.try_log_in(email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        held(&answer)
    }

    /// Somebody new, and a session of theirs.
    pub(crate) async fn newcomer(&self, email: &str, role: Role) -> Held {
        self.user(email, role).await;
        self.log_in(email).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.server.post("/api/v1/auth/refresh").json(&json!({ "refresh_token": token })).send().await
    }

    /// The status of asking who one is.
    pub(crate) async fn me(&self, token: &str) -> u16 {
        self.server.get("/api/v1/users/me").bearer(token).send().await.status.as_u16()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Value {
        let answer = self.server.get(path).bearer(token).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub(crate) fn patch(&self, path: &str) -> Call {
        self.server.call(Method::PATCH, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.server.call(Method::DELETE, path)
    }

    /// The acts in the audit log, oldest first.
    pub(crate) async fn acts(&self, admin: &str) -> Vec<String> {
        let page = self.get("/api/v1/admin/audit?limit=200", admin).await;
        let acts = page["items"].as_array().unwrap().iter().rev();
        acts.map(|entry| entry["act"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn held(answer: &Answer) -> Held {
    let tokens = &answer.json()["tokens"];
    let text = |name: &str| tokens[name].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
    Held { access: text("access_token"), refresh: text("refresh_token") }
}
