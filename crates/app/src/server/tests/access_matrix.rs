//! Who may do what: a row for each route of the document. A route without a row fails, and so does one that shows a thing of one
//! user to another.

use kernel::Role;
use platform::{
    both_databases,
    server::policy::operations,
    testing::{Answer, Call, TestDb},
};
use serde_json::{Value, json};
use utoipa::openapi::security::SecurityRequirement;

use super::{MINUTE_MS, PASSWORD, World, world};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    /// With a token that has run out.
    Expired,
    Viewer,
    Creator,
    Admin,
    /// An API key of an admin with all scopes.
    Key,
}

const ALL: [Who; 6] = [Who::Nobody, Who::Expired, Who::Viewer, Who::Creator, Who::Admin, Who::Key];

/// Who is let in by a route; whoever is not gets 401 as a stranger and 403 as somebody known.
#[derive(Debug, Clone, Copy)]
enum Open {
    /// To everybody.
    Everybody,
    /// To whoever is known.
    SignedIn,
    /// To whoever signed in; an API key does not do.
    Login,
    /// To who may have things made: creators and admins.
    Makers,
    /// To admins, and keys of theirs.
    Admins,
    /// To whoever has a link, and to the owner.
    Link,
}

struct Row {
    method: &'static str,
    path: &'static str,
    open: Open,
    body: fn() -> Value,
}

const fn row(method: &'static str, path: &'static str, open: Open, body: fn() -> Value) -> Row {
    Row { method, path, open, body }
}

fn none() -> Value {
    Value::Null
}

const MATRIX: &[Row] = &[
    row("GET", "/livez", Open::Everybody, none),
    row("GET", "/readyz", Open::Everybody, none),
    row("GET", "/health", Open::Everybody, none),
    row("GET", "/health/{component}", Open::Everybody, none),
    row("GET", "/.well-known/jwks.json", Open::Everybody, none),
    row(
        "POST",
        "/api/v1/auth/sign-up",
        Open::Everybody,
        || json!({ "email": "new@example.org", "name": "New", "password": PASSWORD }),
    ),
    row(
        "POST",
        "/api/v1/auth/login",
        Open::Everybody,
        || json!({ "email": "viewer@example.org", "password": PASSWORD }),
    ),
    row("POST", "/api/v1/auth/refresh", Open::Everybody, || json!({ "refresh_token": "prr_x" })),
    row("POST", "/api/v1/auth/password-reset", Open::Everybody, || json!({ "email": "new@example.org" })),
    row(
        "POST",
        "/api/v1/auth/password-reset/confirm",
        Open::Everybody,
        || json!({ "token": "prp_x", "password": PASSWORD }),
    ),
    row("GET", "/api/v1/auth/sessions", Open::Login, none),
    row("DELETE", "/api/v1/auth/sessions/{id}", Open::Login, none),
    row("GET", "/api/v1/users/me", Open::SignedIn, none),
    row("PATCH", "/api/v1/users/me", Open::Login, || json!({ "name": "Ann" })),
    row(
        "PUT",
        "/api/v1/users/me/password",
        Open::Login,
        || json!({ "current_password": "wrong password", "new_password": "another good password" }),
    ),
    row("GET", "/api/v1/api-keys", Open::Login, none),
    row("POST", "/api/v1/api-keys", Open::Login, || json!({ "name": "key", "scopes": ["read:articles"] })),
    row("DELETE", "/api/v1/api-keys/{id}", Open::Login, none),
    row("GET", "/api/v1/admin/users", Open::Admins, none),
    row("GET", "/api/v1/admin/users/{id}", Open::Admins, none),
    row("PATCH", "/api/v1/admin/users/{id}", Open::Admins, || json!({ "plan": "pro" })),
    row("GET", "/api/v1/admin/audit", Open::Admins, none),
    row("POST", "/api/v1/auth/logout", Open::Login, none),
    row("POST", "/api/v1/auth/logout-all", Open::Login, none),
    row("GET", "/api/v1/tasks", Open::SignedIn, none),
    row("GET", "/api/v1/tasks/{task}", Open::SignedIn, none),
    row("DELETE", "/api/v1/tasks/{task}", Open::SignedIn, none),
    row("POST", "/api/v1/tasks/{task}/cancel", Open::SignedIn, none),
    row("POST", "/api/v1/tasks/{task}/retry", Open::SignedIn, none),
    row("GET", "/api/v1/tasks/{task}/events", Open::SignedIn, none),
    row("GET", "/ws", Open::SignedIn, none),
    row("GET", "/api/v1/admin/queues", Open::Admins, none),
    row("GET", "/api/v1/files", Open::SignedIn, none),
    row("POST", "/api/v1/files", Open::Makers, none),
    row("GET", "/api/v1/files/{file}", Open::SignedIn, none),
    row("DELETE", "/api/v1/files/{file}", Open::Makers, none),
    row("POST", "/api/v1/files/{file}/links", Open::SignedIn, || json!({})),
    row("GET", "/api/v1/stream/{file}", Open::Link, none),
    row("GET", "/api/v1/download/{file}", Open::Link, none),
    row("POST", "/api/v1/uploads", Open::Makers, none),
    row("OPTIONS", "/api/v1/uploads", Open::Everybody, none),
    row("GET", "/api/v1/uploads/{upload}", Open::Makers, none),
    row("PATCH", "/api/v1/uploads/{upload}", Open::Makers, none),
    row("DELETE", "/api/v1/uploads/{upload}", Open::Makers, none),
    row("GET", "/api/v1/videos", Open::Makers, none),
    row("POST", "/api/v1/videos", Open::Makers, || json!({ "script": "Hello." })),
    row("GET", "/api/v1/videos/{video}", Open::Makers, none),
    row("PATCH", "/api/v1/videos/{video}", Open::Makers, || json!({ "script": "Hello again." })),
    row("DELETE", "/api/v1/videos/{video}", Open::Makers, none),
    row("POST", "/api/v1/videos/{video}/renders", Open::Makers, || json!({})),
    row("POST", "/api/v1/videos/{video}/storyboards", Open::Makers, || json!({})),
    row("POST", "/api/v1/audios", Open::Makers, || json!({ "script": "Hello." })),
    row("POST", "/api/v1/subtitles", Open::Makers, || json!({ "script": "Hello." })),
    row("GET", "/api/v1/dubs", Open::Makers, none),
    row("POST", "/api/v1/dubs", Open::Makers, || json!({ "url": "https://example.org/a.mp4", "to": ["es"] })),
    row("GET", "/api/v1/dubs/{dub}", Open::Makers, none),
    row("PATCH", "/api/v1/dubs/{dub}", Open::Makers, || json!({ "delete": [1] })),
    row("DELETE", "/api/v1/dubs/{dub}", Open::Makers, none),
    row("POST", "/api/v1/dubs/{dub}/renders", Open::Makers, || json!({})),
    row("GET", "/api/v1/dubs/{dub}/report", Open::Makers, none),
    row("POST", "/api/v1/transcripts", Open::Makers, || json!({ "url": "https://example.org/a.mp4" })),
];

/// What refuses `who` at a route; nothing where they are let in.
fn refusal(open: Open, who: Who) -> Option<u16> {
    let is_stranger = matches!(who, Who::Nobody | Who::Expired);
    match open {
        Open::Everybody | Open::Link => None,
        _ if is_stranger => Some(401),
        Open::SignedIn => None,
        Open::Makers => (who == Who::Viewer).then_some(403),
        Open::Login => (who == Who::Key).then_some(403),
        Open::Admins => (!matches!(who, Who::Admin | Who::Key)).then_some(403),
    }
}

async fn token_of(world: &World, who: Who) -> Option<String> {
    let email = match who {
        Who::Nobody => return None,
        Who::Viewer => "viewer@example.org",
        Who::Creator => "creator@example.org",
        Who::Expired | Who::Admin | Who::Key => "admin@example.org",
    };
    let token = world.log_in(email).await;
    match who {
        Who::Expired => world.clock.jump(16 * MINUTE_MS),
        Who::Key => {
            let scopes: Vec<_> = kernel::Permission::ALL.iter().map(|scope| scope.name()).collect();
            let call = world.server.post("/api/v1/api-keys").bearer(&token);
            let made = call.json(&json!({ "name": "key", "scopes": scopes })).send().await;
            return Some(made.json()["key"].as_str().unwrap().to_owned());
        }
        _ => {}
    }
    Some(token)
}

/// The id of nothing.
const NOTHING: &str = "0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55";

/// A path whose parameters are this id.
fn filled(path: &str, id: &str) -> String {
    let named = ["{id}", "{task}", "{file}", "{upload}", "{video}", "{dub}"];
    named.iter().fold(path.replace("{component}", "db"), |path, name| path.replace(name, id))
}

async fn ask(world: &World, row: &Row, who: Who) -> Answer {
    let token = token_of(world, who).await;
    send(world, row, &filled(row.path, NOTHING), token).await
}

async fn send(world: &World, row: &Row, path: &str, token: Option<String>) -> Answer {
    let method: axum::http::Method = row.method.parse().unwrap();
    let body = (row.body)();
    let mut call: Call = world.server.call(method, path).header("if-match", "*").header("tus-resumable", "1.0.0");
    if let Some(token) = token {
        call = call.bearer(&token);
    }
    // What the protocol of uploads wants to see first.
    call = call.header("upload-offset", "0").header("upload-length", "5");
    if !body.is_null() {
        call = call.json(&body);
    } else if row.method == "PATCH" {
        call = call.header("content-type", "application/offset+octet-stream");
    }
    call.send().await
}

pub(super) async fn check_every_route(world: &World) {
    for (email, role) in [
        ("viewer@example.org", Role::Viewer),
        ("creator@example.org", Role::Creator),
        ("admin@example.org", Role::Admin),
    ] {
        world.user(email, role).await;
    }
    for row in MATRIX {
        for who in ALL {
            // Guesses of one row are not to be counted with those of another.
            world.clock.jump(60 * MINUTE_MS);
            let answer = ask(world, row, who).await;
            let status = answer.status.as_u16();
            if let Some(refused) = refusal(row.open, who) {
                assert_eq!(status, refused, "{} {} by {who:?}: {answer:?}", row.method, row.path);
            } else {
                // A login that fails is no door that is shut.
                let is_shut = status == 403 || (status == 401 && !matches!(row.open, Open::Everybody | Open::Link));
                // Nobody works here, which `/health` says.
                let is_answer = status < 500 || row.path == "/health";
                assert!(!is_shut && is_answer, "{} {} by {who:?}: {answer:?}", row.method, row.path);
            }
        }
    }
}

pub(super) async fn check_what_is_ones_own(world: &World) {
    for email in ["ann@example.org", "bob@example.org"] {
        world.user(email, Role::Creator).await;
    }
    let (ann, bob) = (world.log_in("ann@example.org").await, world.log_in("bob@example.org").await);
    let make = async |path: &str, body: Value| world.server.post(path).bearer(&ann).json(&body).send().await.json();
    let video = make("/api/v1/videos", json!({ "script": "Hello." })).await;
    let dub = make("/api/v1/dubs", json!({ "url": "https://example.org/a.mp4", "to": ["es"] })).await;
    let upload = world.server.post("/api/v1/uploads").bearer(&ann).header("tus-resumable", "1.0.0");
    let upload = upload.header("upload-length", "5").header("content-length", "0").send().await;
    let form = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nHello.\r\n--b--\r\n";
    let file =
        world.server.post("/api/v1/files").bearer(&ann).header("content-type", "multipart/form-data; boundary=b");
    let file = file.body(form).send().await.json();
    let last = upload.header("location").rsplit('/').next().unwrap_or_default().to_owned();
    let of = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
    let own = [
        ("{video}", of(&video["video"]["id"])),
        ("{task}", of(&video["task"]["id"])),
        ("{dub}", of(&dub["dub"]["id"])),
        ("{upload}", last),
        ("{file}", of(&file["id"])),
    ];
    let mut asked = 0;
    for row in MATRIX {
        let Some((_, id)) = own.iter().find(|(name, _)| row.path.contains(name)) else { continue };
        let answer = send(world, row, &filled(row.path, id), Some(bob.clone())).await;
        assert_eq!(answer.status.as_u16(), 404, "{} {}: {answer:?}", row.method, row.path);
        asked += 1;
    }
    assert!(asked >= 22, "{asked}");
    for path in ["/api/v1/videos", "/api/v1/dubs", "/api/v1/tasks", "/api/v1/files"] {
        let answer = world.server.get(path).bearer(&bob).send().await;
        assert_eq!(answer.json()["items"], json!([]), "{path}");
    }
    let shown = world.server.get(&format!("/api/v1/videos/{}", of(&video["video"]["id"]))).bearer(&ann).send().await;
    assert_eq!(shown.status, 200, "nothing was changed or removed");
}

both_databases! {
    async fn every_route_lets_in_whom_its_row_says(test: &TestDb) {
        check_every_route(&world(test).await).await;
    }

    async fn every_route_of_the_document_has_a_row_and_says_whether_it_is_open(test: &TestDb) {
        let world = world(test).await;
        let mut names = std::collections::BTreeSet::new();
        for (method, path, operation) in operations(&world.server.document) {
            let method = serde_json::to_value(&method).unwrap().as_str().unwrap().to_uppercase();
            let row = MATRIX.iter().find(|row| (row.method, row.path) == (method.as_str(), path));
            let row = row.unwrap_or_else(|| panic!("{method} {path} has no row in the access matrix; add it"));
            let is_open = operation.security.as_ref().is_none_or(|needed| needed.is_empty() || needed.contains(&SecurityRequirement::default()));
            assert_eq!(is_open, matches!(row.open, Open::Everybody | Open::Link), "{method} {path}: the document says otherwise");
            assert!(names.insert(operation.operation_id.clone().unwrap()), "{method} {path}: another has its name");
        }
        assert_eq!(names.len(), MATRIX.len(), "a row has no route");
    }

    async fn what_is_ones_own_is_not_there_for_others(test: &TestDb) {
        check_what_is_ones_own(&world(test).await).await;
    }
}
