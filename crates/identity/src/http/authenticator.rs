//! Tells from a request who asks: a bearer token or API key for programs, a cookie for browsers.

use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderValue, header};
use kernel::Actor;
use platform::server::{Authenticator, Problem, ProblemType};

use super::SessionCookie;
use crate::service::IdentityService;

/// Asks identity who somebody is.
#[derive(Debug, Clone)]
pub(crate) struct SessionAuthenticator {
    pub service: IdentityService,
    pub cookie: SessionCookie,
}

#[async_trait]
impl Authenticator for SessionAuthenticator {
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Actor>, Problem> {
        let shown: Vec<&HeaderValue> = headers.get_all(header::AUTHORIZATION).iter().collect();
        match shown[..] {
            // What is sent on purpose counts, whatever a browser adds by itself.
            [shown] => Ok(Some(self.service.authenticate_bearer(bearer(shown)?).await?)),
            [] => match self.cookie.find(headers) {
                Some(secret) => Ok(Some(self.service.authenticate_cookie(secret).await?)),
                None => Ok(None),
            },
            // Which one counts would depend on who reads them.
            _ => Err(Problem::new(ProblemType::Unauthenticated).detail("send one `Authorization` header")),
        }
    }
}

fn bearer(value: &HeaderValue) -> Result<&str, Problem> {
    let (scheme, token) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(token.trim());
    }
    Err(Problem::new(ProblemType::Unauthenticated).detail("send `Authorization: Bearer …` with a token or an API key"))
}
