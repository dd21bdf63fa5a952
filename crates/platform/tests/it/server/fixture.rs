//! A small API to test the server with.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use kernel::ManualClock;
use platform::{
    db::{DbError, Sql, migrate},
    idempotency::{self, Idempotency, Receipt, Reply},
    server::{
        Claimed, ClientAddress, ETag, IfMatch, Json, List, PageBody, PageQuery, Path, Problem, Query, SignedIn,
        health::Health,
    },
    testing::{Believer, TestDb, TestParts, TestServer},
};
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Notes {
    db: platform::db::Db,
    /// How often a note was written.
    pub(crate) written: Arc<AtomicU32>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    text: String,
    #[serde(default)]
    stars: u8,
}

pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) clock: ManualClock,
    pub(crate) notes: Notes,
    pub(crate) idempotency: Idempotency,
}

pub(crate) async fn world(test: &TestDb) -> World {
    world_with(test, |_| {}).await
}

pub(crate) async fn world_with(test: &TestDb, set: impl FnOnce(&mut TestParts)) -> World {
    migrate::up(test.db(), &[idempotency::migrations()]).await.unwrap();
    let table = "CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)";
    test.db().writer().execute_unprepared(table).await.unwrap();
    let clock = ManualClock::at(1_800_000_000_000);
    let mut parts = TestParts::new(test.db(), Arc::new(clock.clone()));
    set(&mut parts);
    let notes = Notes { db: test.db().clone(), written: Arc::default() };
    let server = parts.serve(api(notes.clone()), Arc::new(Believer), Health::default());
    World { server, clock, notes, idempotency: parts.idempotency() }
}

pub(crate) fn api(notes: Notes) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change))
        .routes(routes!(me))
        .routes(routes!(panic))
        .routes(routes!(sleep))
        .routes(routes!(long))
        .routes(routes!(ping))
        .with_state(notes)
}

impl Notes {
    async fn write(&self, text: &str, receipt: &Receipt<String>) -> Result<String, DbError> {
        let written = text.to_owned();
        let written = &written;
        self.db
            .transaction(|tx| async move {
                // Long enough for a second request to come in between.
                tokio::time::sleep(Duration::from_millis(if written == "slow" { 300 } else { 0 })).await;
                tx.execute_raw(
                    Sql::new("INSERT INTO notes (text) VALUES ($1)").bind(written.as_str()).on(tx.backend()),
                )
                .await?;
                receipt.keep(&tx, written).await
            })
            .await?;
        self.written.fetch_add(1, Ordering::SeqCst);
        Ok(written.clone())
    }

    /// How many notes with this text there are.
    pub(crate) async fn count(&self, text: &str) -> i64 {
        let sql = Sql::new("SELECT COUNT(*) FROM notes WHERE text = $1").bind(text).on(self.db.backend());
        self.db.writer().query_one_raw(sql).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }
}

#[utoipa::path(post, path = "/notes", request_body = Note, extensions(("x-cost" = json!(3))), responses((status = 201)))]
async fn create(State(notes): State<Notes>, claimed: Claimed, Json(note): Json<Note>) -> Result<Response, Problem> {
    let receipt = claimed.receipt(|text: &String| {
        Reply::json(201, &serde_json::json!({ "text": text })).header("location", format!("/notes/{text}"))
    });
    if note.stars > 5 {
        return Err(Problem::field("/stars", "there are five stars at most"));
    }
    let text = notes.write(&note.text, &receipt).await?;
    Ok(receipt.reply(&text).into_response())
}

#[utoipa::path(get, path = "/notes", params(PageQuery), responses((status = 200)))]
async fn list(Query(query): Query<PageQuery>) -> Result<Json<PageBody<u32>>, Problem> {
    let list = List::new("notes", &());
    let page = list.request(query.limit, query.cursor.as_deref())?;
    let after = page
        .after
        .map_or(Ok(0), |cursor| cursor.part::<u32>())
        .map_err(|e| Problem::parameter("cursor", e.to_string()))?;
    let items = (after + 1..=10).take(page.size.items() + 1).collect();
    let page = kernel::Page::of_one_more(items, page.size, |item: &u32| kernel::Cursor::of_parts(&[&item.to_string()]));
    Ok(Json(list.body(page, |item| item)))
}

#[utoipa::path(get, path = "/notes/{id}", responses((status = 200)))]
async fn show(Path(id): Path<u32>, headers: HeaderMap) -> Response {
    ETag::of_version(id.into()).answer(&headers, Json(id))
}

#[utoipa::path(patch, path = "/notes/{id}", responses((status = 200)))]
async fn change(Path(id): Path<u32>, if_match: IfMatch) -> Result<Json<u32>, Problem> {
    if_match.check(&ETag::of_version(id.into()))?;
    Ok(Json(id))
}

#[utoipa::path(get, path = "/me", security(("bearer" = [])), responses((status = 200)))]
async fn me(SignedIn(actor): SignedIn, client: Option<axum::Extension<ClientAddress>>) -> Json<String> {
    Json(format!("{} {}", actor.user_id, client.map(|client| client.0.0.to_string()).unwrap_or_default()))
}

#[utoipa::path(get, path = "/panic", responses((status = 200)))]
async fn panic() -> Json<u32> {
    panic!("the password is hunter2")
}

#[utoipa::path(get, path = "/sleep", extensions(("x-time-limit-s" = json!(1))), responses((status = 200)))]
async fn sleep() -> &'static str {
    tokio::time::sleep(Duration::from_secs(2)).await;
    "late"
}

#[utoipa::path(get, path = "/long", responses((status = 200)))]
async fn long() -> String {
    "long ".repeat(1000)
}

#[utoipa::path(post, path = "/ping", responses((status = 200)))]
async fn ping(State(notes): State<Notes>) -> Json<u32> {
    Json(notes.written.fetch_add(1, Ordering::SeqCst))
}
