//! Versions of things: a client that changes one says which version it saw, and gets no version twice.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use super::problem::{Problem, ProblemType};
use crate::hex::hex;

/// The version of a thing as clients see it: a strong entity tag (RFC 9110).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The tag of the version `version` of whatever the address names.
    pub fn of_version(version: i64) -> Self {
        Self(format!("\"v{version}\""))
    }

    /// The tag of these bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        Self(format!("\"{}\"", hex(&digest.as_ref()[..16])))
    }

    /// `body` under this tag, or only the news that the client has it already.
    pub fn answer(&self, request: &HeaderMap, body: impl IntoResponse) -> Response {
        let tag = HeaderValue::from_str(&self.0).ok();
        let known = list(request, &header::IF_NONE_MATCH);
        let is_known = known.iter().any(|known| *known == "*" || known.trim_start_matches("W/") == self.0);
        let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { body.into_response() };
        if let Some(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// Which version a client means to change, by `If-Match`. Absent, the request is refused with 428.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfMatch(Vec<String>);

impl IfMatch {
    /// Fails where the thing has another version now.
    pub fn check(&self, current: &ETag) -> Result<(), Problem> {
        if self.0.iter().any(|tag| tag == "*" || *tag == current.0) {
            return Ok(());
        }
        Err(Problem::new(ProblemType::PreconditionFailed).detail("read it again, then change what is there now"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let tags = list(&parts.headers, &header::IF_MATCH);
        if tags.is_empty() {
            let detail = "send the `ETag` of what you read in the header `If-Match`";
            return Err(Problem::new(ProblemType::PreconditionRequired).detail(detail));
        }
        Ok(Self(tags.into_iter().map(str::to_owned).collect()))
    }
}

/// The entries of a header. A tag of ours has no comma in it.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|tag| !tag.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn if_match(value: Option<&'static str>) -> Result<IfMatch, Problem> {
        let mut request = axum::http::Request::new(());
        if let Some(value) = value {
            request.headers_mut().insert(header::IF_MATCH, HeaderValue::from_static(value));
        }
        IfMatch::from_request_parts(&mut request.into_parts().0, &()).await
    }

    #[tokio::test]
    async fn only_the_version_that_was_seen_is_changed() {
        let current = ETag::of_version(3);
        assert_eq!(if_match(Some("\"v3\"")).await.unwrap().check(&current), Ok(()));
        assert_eq!(if_match(Some("\"v1\", \"v3\"")).await.unwrap().check(&current), Ok(()));
        assert_eq!(if_match(Some("*")).await.unwrap().check(&current), Ok(()));
        for other in ["\"v2\"", "W/\"v3\"", "v3"] {
            let refused = if_match(Some(other)).await.unwrap().check(&current).unwrap_err();
            assert_eq!(refused.kind(), ProblemType::PreconditionFailed, "{other}");
        }
        assert_eq!(if_match(None).await.unwrap_err().kind(), ProblemType::PreconditionRequired);
    }

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let tag = ETag::of_bytes(b"text");
        let ask = |known: &str| [(header::IF_NONE_MATCH, HeaderValue::from_str(known).unwrap())].into_iter().collect();
        assert_eq!(tag.answer(&HeaderMap::new(), "text").status(), StatusCode::OK);
        assert_eq!(tag.answer(&ask("\"other\""), "text").status(), StatusCode::OK);
        for known in [tag.0.clone(), format!("W/{}", tag.0), "*".to_owned()] {
            let response = tag.answer(&ask(&known), "text");
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(response.headers()[header::ETAG], tag.0.as_str());
        }
    }
}
