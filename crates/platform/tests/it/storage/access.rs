//! Who may do what with files: every route of them, for nobody, for a credential that ran out (which is nobody), for another user and for one
//! who makes nothing. A route without a row fails.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use axum::http::{HeaderMap, Method, header};
use kernel::{Actor, Role};
use platform::{
    db::Backend,
    server::{Authenticator, Problem, ProblemType, health::Health, policy::operations},
    storage,
    testing::{Answer, TestDb, TestServer},
};

use super::{
    desk::{actor, user},
    http::world,
};

/// Method, route, and what is answered to nobody, to another user, and to a viewer, whose thing it is.
const MATRIX: &[(&str, &str, [u16; 3])] = &[
    ("POST", "/api/v1/files", [401, 415, 403]),
    ("GET", "/api/v1/files", [401, 200, 200]),
    ("GET", "/api/v1/files/{file}", [401, 404, 200]),
    ("DELETE", "/api/v1/files/{file}", [401, 404, 403]),
    ("POST", "/api/v1/files/{file}/links", [401, 404, 201]),
    ("GET", "/api/v1/stream/{file}", [401, 404, 200]),
    ("GET", "/api/v1/download/{file}", [401, 404, 200]),
    ("OPTIONS", "/api/v1/uploads", [204, 204, 204]),
    ("POST", "/api/v1/uploads", [401, 201, 403]),
    ("GET", "/api/v1/uploads/{upload}", [401, 404, 403]),
    ("PATCH", "/api/v1/uploads/{upload}", [401, 404, 403]),
    ("DELETE", "/api/v1/uploads/{upload}", [401, 404, 403]),
];

/// Knows a creator, a viewer of the same name, another creator, and nobody else.
#[derive(Debug)]
struct Known;

#[async_trait]
impl Authenticator for Known {
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Actor>, Problem> {
        match headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap()) {
            None => Ok(None),
            Some("Bearer other") => Ok(Some(user(2))),
            Some("Bearer viewer") => Ok(Some(actor(1, Role::Viewer))),
            Some(_) => Err(Problem::new(ProblemType::Unauthenticated)),
        }
    }
}

async fn ask(server: &TestServer, method: &str, path: &str, token: Option<&str>) -> Answer {
    let mut call = server.call(Method::from_bytes(method.as_bytes()).unwrap(), path);
    call = call.header("tus-resumable", "1.0.0").header("upload-length", "5").header("upload-offset", "0");
    if let Some(token) = token {
        call = call.bearer(token);
    }
    let call = match method {
        "PATCH" => call.header("content-type", "application/offset+octet-stream").body("bytes"),
        "POST" => call.json(&serde_json::json!({})),
        _ => call,
    };
    call.send().await
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should() {
    let test = TestDb::open(Backend::Sqlite).await;
    let world = world(&test).await;
    let server = world.parts.serve(storage::http::routes(world.desk.files.clone()), Arc::new(Known), Health::default());
    let file = world.desk.receive(&user(1), "a", b"bytes").await.unwrap();
    let upload = world.desk.begin(&user(1), 5).await.unwrap();
    for (method, route, [nobody, other, viewer]) in MATRIX {
        let path = route.replace("{file}", &file.id.to_string()).replace("{upload}", &upload.id.to_string());
        for (token, expected) in
            [(None, nobody), (Some("expired"), nobody), (Some("other"), other), (Some("viewer"), viewer)]
        {
            let answer = ask(&server, method, &path, token).await;
            assert_eq!(answer.status.as_u16(), *expected, "{method} {route} for {token:?}: {answer:?}");
        }
    }
    let rows: BTreeSet<_> = MATRIX.iter().map(|(method, route, _)| format!("{method} {route}")).collect();
    let routes = operations(&server.document).filter(|(_, path, _)| path.starts_with("/api/"));
    let routes: BTreeSet<_> = routes.map(|(method, path, _)| format!("{method:?} {path}").to_uppercase()).collect();
    let rows: BTreeSet<_> = rows.into_iter().map(|row| row.to_uppercase()).collect();
    assert_eq!(rows, routes);
}
