//! What handlers take from a request, with every failure as a problem that names the value at fault.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_path_to_error::Segment;

use super::{
    body::read_failure,
    problem::{Problem, ProblemType},
};

/// A JSON body, in and out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// The parameters of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

/// The parameters of the path. A path that names nothing possible names nothing there is: 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<T>(pub T);

/// Fails where a parameter of the query is longer than its document says.
pub fn check_length(parameter: &'static str, text: Option<&str>, max_characters: usize) -> Result<(), Problem> {
    match text.map(|text| text.chars().count()) {
        Some(count) if count > max_characters => {
            Err(Problem::parameter(parameter, format!("it has {count} characters; at most {max_characters} are read")))
        }
        _ => Ok(()),
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_json(request.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default()))?;
        let bytes = Bytes::from_request(request, state).await.map_err(|error| read_failure(&error))?;
        parse_json(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|found| Self(found.0)).map_err(|_| Problem::not_found())
    }
}

fn require_json(content_type: Option<&str>) -> Result<(), Problem> {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json {
        return Ok(());
    }
    Err(Problem::new(ProblemType::UnsupportedMediaType).detail("send the body as `application/json`"))
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let inner = error.inner();
        if inner.is_data() {
            Problem::field(pointer(error.path()), without_place(&inner.to_string()))
        } else {
            Problem::new(ProblemType::Malformed).detail(format!("the body is no JSON: {inner}"))
        }
    })?;
    let end = deserializer.end();
    end.map_err(|error| Problem::new(ProblemType::Malformed).detail(format!("the body is no JSON: {error}")))?;
    Ok(value)
}

fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let deserializer = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let name = error.path().to_string();
        let detail = error.inner().to_string();
        Problem::parameter(if name == "." { String::new() } else { name }, detail)
    })
}

/// A path of serde as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

/// The pointer says where it is; line and column of a body that a program wrote say nothing to its author.
fn without_place(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(text, _)| text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[serde(rename = "a/b")]
        count: u8,
    }

    fn fault_of(body: &str) -> (ProblemType, Option<String>) {
        let problem = parse_json::<Order>(body.as_bytes()).unwrap_err();
        (problem.kind(), problem.faults().first().and_then(|fault| fault.pointer.clone()))
    }

    #[test]
    fn a_value_at_fault_is_named_by_its_pointer() {
        let pointer = |body| fault_of(body).1.unwrap();
        assert_eq!(pointer(r#"{"items": [{"a/b": 1}, {"a/b": 256}]}"#), "/items/1/a~1b");
        assert_eq!(pointer(r#"{"items": [{"a/b": 1, "role": "admin"}]}"#), "/items/0/role");
        assert_eq!(pointer(r#"{"items": 7}"#), "/items");
        assert_eq!(pointer("{}"), "");
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in ["", "{", "{\"items\": []} x", "\u{0}", "{\"items\": [}"] {
            assert_eq!(fault_of(body).0, ProblemType::Malformed, "{body:?}");
        }
        let deep = format!("{}{}", "{\"items\":".repeat(1000), "1");
        parse_json::<serde_json::Value>(deep.as_bytes()).unwrap_err();
    }

    #[test]
    fn only_json_is_read_as_json() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert_eq!(require_json(Some(json)), Ok(()), "{json}");
        }
        for other in [None, Some("text/plain"), Some("text/json"), Some("application/x-www-form-urlencoded")] {
            assert_eq!(require_json(other).unwrap_err().kind(), ProblemType::UnsupportedMediaType, "{other:?}");
        }
    }

    #[test]
    fn a_parameter_at_fault_is_named() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct List {
            #[expect(dead_code, reason = "only its reading is tested")]
            limit: Option<u8>,
        }
        let problem = parse_query::<List>("limit=many").unwrap_err();
        assert_eq!(problem.faults()[0].parameter.as_deref(), Some("limit"));
        let problem = parse_query::<List>("colour=red").unwrap_err();
        assert!(problem.faults()[0].detail.contains("colour"), "{problem:?}");
    }
}
