//! Identity over HTTP, a file for each resource.

mod admin;
mod api_keys;
mod auth;
mod authenticator;
mod cookie;
mod jwks;
mod me;
mod origin;
mod problem;
mod shapes;

use std::sync::Arc;

use platform::server::{auth::SameSite, headers::Transport};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use authenticator::SessionAuthenticator;
pub(crate) use cookie::SessionCookie;

use crate::service::IdentityService;

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    pub service: IdentityService,
    pub cookie: SessionCookie,
    pub same_site: Arc<SameSite>,
}

impl Http {
    pub(crate) fn new(service: IdentityService, transport: Transport, origins: Vec<String>) -> Self {
        Self { service, cookie: SessionCookie::new(transport), same_site: Arc::new(SameSite { origins }) }
    }
}

/// The routes of identity.
pub(crate) fn routes(http: Http) -> OpenApiRouter {
    let api = OpenApiRouter::new()
        .routes(routes!(auth::sign_up))
        .routes(routes!(auth::log_in))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::log_out))
        .routes(routes!(auth::log_out_everywhere))
        .routes(routes!(auth::list_sessions))
        .routes(routes!(auth::revoke_session))
        .routes(routes!(auth::ask_for_reset))
        .routes(routes!(auth::reset_password))
        .routes(routes!(me::show, me::update))
        .routes(routes!(me::change_password))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(admin::list))
        .routes(routes!(admin::show, admin::update))
        .routes(routes!(admin::list_audit));
    OpenApiRouter::new().nest("/api/v1", api).routes(routes!(jwks::show)).with_state(http)
}
