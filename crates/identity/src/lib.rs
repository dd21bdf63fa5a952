#![doc = include_str!("../README.md")]

mod config;
pub mod error;
mod http;
mod mail;
mod migrations;
pub mod model;
pub mod passwords;
pub mod ports;
pub mod service;
mod store;
pub mod tokens;

use std::sync::Arc;

use kernel::{Clock, IdSource, Rng};
use platform::{
    cache::Caches,
    db::Db,
    secrets::SecretKeys,
    server::{Authenticator, headers::Transport, rate_limit::RateLimiter},
};
use utoipa_axum::router::OpenApiRouter;

pub use config::{IdentitySettings, SignUp};
pub use error::IdentityError;
pub use mail::{Encryption, MailSettings, NoMailer, SmtpMailer};
pub use migrations::migrations;
pub use model::{
    Act, ApiKey, AuditEntry, Email, EmailError, Name, NameError, NewApiKey, Origin, Password, PasswordError, Session,
    SessionKind, Status, User, UserChange, UserFilter,
};
pub use passwords::{HashingCost, HashingError};
pub use ports::{AuditFilter, Letter, MailError, Mailer};
pub use service::{
    BreakReason, Credentials, IdentityService, MadeApiKey, NewAccount, Opened, SignUp as NewSignUp, Tokens,
    Verification,
};
pub use tokens::{Algorithm, TokenError};

/// What identity needs to work.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Migrated with [`migrations`].
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub ids: Arc<dyn IdSource>,
    pub limiter: Arc<dyn RateLimiter>,
    pub caches: Caches,
    pub mailer: Arc<dyn Mailer>,
    pub secrets: SecretKeys,
    pub settings: IdentitySettings,
    /// The origin under which users reach the server, such as `https://press.example.org`.
    pub public_origin: String,
    /// All origins whose pages may act with the cookie.
    pub origins: Vec<String>,
    pub transport: Transport,
}

/// Identity, put together.
#[derive(Debug)]
pub struct Identity {
    /// What can be done with users, sessions and keys.
    pub service: IdentityService,
    /// The same over HTTP.
    pub routes: OpenApiRouter,
    /// Tells from a request who asks.
    pub authenticator: Arc<dyn Authenticator>,
}

/// Puts identity together.
pub fn build(deps: Deps) -> Result<Identity, IdentityError> {
    let Deps { db, clock, rng, ids, limiter, caches, mailer, secrets, settings, public_origin, origins, transport } =
        deps;
    let store = Arc::new(store::Store::new(db.clone()));
    let stores = service::Stores {
        users: store.clone(),
        sessions: store.clone(),
        refresh: store.clone(),
        resets: store.clone(),
        api_keys: store.clone(),
        audit: store.clone(),
        signing_keys: store,
    };
    let service = IdentityService::new(service::Deps {
        db,
        stores,
        clock,
        rng,
        ids,
        limiter,
        caches,
        mailer,
        secrets,
        settings,
        public_origin,
    })?;
    let http = http::Http::new(service.clone(), transport, origins);
    let authenticator = http::SessionAuthenticator { service: service.clone(), cookie: http.cookie };
    Ok(Identity { service, routes: http::routes(http), authenticator: Arc::new(authenticator) })
}
