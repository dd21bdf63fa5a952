//! Who asks: told once for each request by whoever knows users, and taken by handlers as an argument.

use async_trait::async_trait;
use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, Method, header, request::Parts},
};
use kernel::{Actor, Credential};

use super::{
    policy::RoutePolicy,
    problem::{Problem, ProblemType},
    router::Edge,
};

/// Tells from a request who asks.
#[async_trait]
pub trait Authenticator: std::fmt::Debug + Send + Sync {
    /// Who asks; nobody where nothing was shown. What was shown and does not hold is a problem of its own, so that a client
    /// learns of it instead of being treated as a stranger.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Actor>, Problem>;
}

/// Handlers take it as an argument where only somebody signed in may ask.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let actor = parts.extensions.get::<Actor>().cloned();
        actor.map(Self).ok_or_else(|| Problem::new(ProblemType::Unauthenticated))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Ok(parts.extensions.get::<Actor>().cloned().map(Self))
    }
}

/// Finds out who asks, and refuses what another site had a browser send with its cookies.
pub(super) async fn authenticate(
    edge: &Edge,
    policy: &RoutePolicy,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Actor>, Problem> {
    let actor = match edge.authenticator.authenticate(headers).await {
        Ok(Some(actor)) => actor,
        Ok(None) => return Ok(None),
        // Whoever signs in anew still sends the token that has run out.
        Err(problem) if policy.is_open && problem.kind() == ProblemType::Unauthenticated => return Ok(None),
        Err(problem) => return Err(problem),
    };
    if matches!(actor.credential, Credential::Cookie(_)) {
        edge.same_site.check(method, headers)?;
    }
    // A field of the request's span, so that every line of the log about it says whose it was.
    tracing::Span::current().record("user_id", tracing::field::display(actor.user_id));
    Ok(Some(actor))
}

/// Which pages may have browsers send cookies along with what changes something.
#[derive(Debug, Clone, Default)]
pub struct SameSite {
    /// Origins such as `https://press.example.org`.
    pub origins: Vec<String>,
}

impl SameSite {
    /// Fails where a browser sent it for a page of another site (CSRF).
    ///
    /// Browsers add `Origin` to whatever changes something, and `Sec-Fetch-Site`, and let no page change either. What has
    /// neither comes from no browser of these years, and has no business with a cookie.
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        // A web socket begins with a GET, is not bound to its site by browsers, and may do anything from then on.
        if method.is_safe() && !headers.contains_key(header::UPGRADE) {
            return Ok(());
        }
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
        let is_ours = match text(header::ORIGIN) {
            Some(origin) => self.origins.iter().any(|known| known == origin),
            None => text(header::HeaderName::from_static("sec-fetch-site")) == Some("same-origin"),
        };
        if is_ours {
            return Ok(());
        }
        Err(Problem::new(ProblemType::CrossSite).detail("send it from a page of this server, or with a bearer token"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn check(method: &Method, headers: &[(&'static str, &'static str)]) -> Result<(), ProblemType> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let same_site = SameSite { origins: vec!["https://press.example.org".to_owned()] };
        same_site.check(method, &headers).map_err(|problem| problem.kind())
    }

    #[test]
    fn our_own_pages_may_change_things_and_others_may_not() {
        assert_eq!(check(&Method::POST, &[("origin", "https://press.example.org")]), Ok(()));
        assert_eq!(check(&Method::POST, &[("sec-fetch-site", "same-origin")]), Ok(()));
        for foreign in
            ["https://evil.example", "https://press.example.org.evil.example", "null", "https://press.example.org:444"]
        {
            assert_eq!(check(&Method::DELETE, &[("origin", foreign)]), Err(ProblemType::CrossSite), "{foreign}");
        }
        for site in ["cross-site", "same-site", "none"] {
            assert_eq!(check(&Method::POST, &[("sec-fetch-site", site)]), Err(ProblemType::CrossSite), "{site}");
        }
        assert_eq!(check(&Method::POST, &[]), Err(ProblemType::CrossSite));
        let both = [("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")];
        assert_eq!(check(&Method::POST, &both), Err(ProblemType::CrossSite));
    }

    #[test]
    fn a_web_socket_of_another_site_is_refused() {
        let of = |origin| check(&Method::GET, &[("upgrade", "websocket"), ("origin", origin)]);
        assert_eq!(of("https://evil.example"), Err(ProblemType::CrossSite));
        assert_eq!(of("https://press.example.org"), Ok(()));
    }

    #[test]
    fn reading_is_not_asked_for_its_site() {
        assert_eq!(check(&Method::GET, &[("origin", "https://evil.example")]), Ok(()));
    }
}
