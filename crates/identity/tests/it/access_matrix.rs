//! Who may do what: a row for each route of the document. A route without a row fails.

use axum::http::Method;
use kernel::Role;
use platform::{
    both_databases,
    server::policy::operations,
    testing::{Answer, Call, TestDb},
};
use serde_json::{Value, json};

use super::fixture::{MINUTE_MS, PASSWORD, World, world};

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
    /// To admins, and keys of theirs.
    Admins,
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
];

/// What refuses `who` at a route; nothing where they are let in.
fn refusal(open: Open, who: Who) -> Option<u16> {
    let is_stranger = matches!(who, Who::Nobody | Who::Expired);
    match open {
        Open::Everybody => None,
        _ if is_stranger => Some(401),
        Open::SignedIn => None,
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
    let held = world.log_in(email).await;
    match who {
        Who::Expired => world.clock.jump(16 * MINUTE_MS),
        Who::Key => {
            let scopes: Vec<_> = kernel::Permission::ALL.iter().map(|scope| scope.name()).collect();
            let call = world.server.post("/api/v1/api-keys").bearer(&held.access);
            let made = call.json(&json!({ "name": "key", "scopes": scopes })).send().await;
            return Some(made.json()["key"].as_str().unwrap().to_owned());
        }
        _ => {}
    }
    Some(held.access)
}

async fn ask(world: &World, row: &Row, who: Who) -> Answer {
    let token = token_of(world, who).await;
    let path = row.path.replace("{id}", "0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55").replace("{component}", "db");
    let method: Method = row.method.parse().unwrap();
    let body = (row.body)();
    let mut call: Call = world.server.call(method, &path).header("if-match", "*");
    if let Some(token) = token {
        call = call.bearer(&token);
    }
    if !body.is_null() {
        call = call.json(&body);
    }
    call.send().await
}

both_databases! {
    async fn every_route_lets_in_whom_its_row_says(test: &TestDb) {
        let world = world(test).await;
        for (email, role) in [
            ("viewer@example.org", Role::Viewer), ("creator@example.org", Role::Creator), ("admin@example.org", Role::Admin),
        ] {
            world.user(email, role).await;
        }
        for row in MATRIX {
            for who in ALL {
                // Guesses of one row are not to be counted with those of another.
                world.clock.jump(60 * MINUTE_MS);
                let answer = ask(&world, row, who).await;
                let status = answer.status.as_u16();
                match refusal(row.open, who) {
                    Some(refused) => assert_eq!(status, refused, "{} {} by {who:?}: {answer:?}", row.method, row.path),
                    None => {
                        // A login that fails is no door that is shut.
                        let is_shut = status == 403 || (status == 401 && !matches!(row.open, Open::Everybody));
                        assert!(!is_shut && status < 500, "{} {} by {who:?}: {answer:?}", row.method, row.path);
                    }
                }
            }
        }
    }

    async fn every_route_of_the_document_has_a_row_and_says_whether_it_is_open(test: &TestDb) {
        let world = world(test).await;
        let mut names = std::collections::BTreeSet::new();
        for (method, path, operation) in operations(&world.server.document) {
            let method = serde_json::to_value(&method).unwrap().as_str().unwrap().to_uppercase();
            let row = MATRIX.iter().find(|row| (row.method, row.path) == (method.as_str(), path));
            let row = row.unwrap_or_else(|| panic!("{method} {path} has no row in the access matrix; add it"));
            let is_open = operation.security.as_ref().is_none_or(Vec::is_empty);
            assert_eq!(is_open, matches!(row.open, Open::Everybody), "{method} {path}: the document says otherwise");
            assert!(names.insert(operation.operation_id.clone().unwrap()), "{method} {path}: another has its name");
        }
        assert_eq!(names.len(), MATRIX.len(), "a row has no route");
    }
}
