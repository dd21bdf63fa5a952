//! Files over HTTP: sent, played in parts, saved under their names, by owners and by links.

use std::sync::Arc;

use axum::http::Method;
use kernel::Clock as _;
use platform::{
    both_databases,
    db::Backend,
    server::health::Health,
    storage::{self, File, StorageSettings},
    testing::{Answer, Believer, Call, TestDb, TestParts, TestServer},
};
use serde_json::json;

use super::desk::{Desk, HOUR_MS, settings, user};

const ANN: &str = "user-1";
const BOB: &str = "user-2";

pub(crate) struct World {
    pub(crate) desk: Desk,
    pub(crate) server: TestServer,
    pub(crate) parts: TestParts,
}

pub(crate) async fn world(test: &TestDb) -> World {
    world_with(test, settings()).await
}

pub(crate) async fn world_with(test: &TestDb, settings: StorageSettings) -> World {
    world_of(test, Desk::with(test, settings).await)
}

pub(crate) fn world_of(test: &TestDb, desk: Desk) -> World {
    let mut parts = TestParts::new(test.db(), Arc::new(desk.clock.clone()));
    parts.settings.user_units_per_minute = 1_000_000;
    parts.settings.address_units_per_minute = 1_000_000;
    let server = parts.serve(storage::http::routes(desk.files.clone()), Arc::new(Believer), Health::default());
    World { desk, server, parts }
}

fn form(call: Call, name: &str, bytes: &[u8]) -> Call {
    let head = format!("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    let body = [head.as_bytes(), bytes, b"\r\n--b--\r\n"].concat();
    call.header("content-type", "multipart/form-data; boundary=b").body(body)
}

fn tus(server: &TestServer, method: Method, path: &str) -> Call {
    server.call(method, path).bearer(ANN).header("tus-resumable", "1.0.0")
}

const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

async fn alphabet(world: &World) -> File {
    world.desk.receive(&user(1), "letters.mp4", ALPHABET).await.unwrap()
}

async fn range(world: &World, file: &File, range: &str) -> Answer {
    world.server.get(&format!("/api/v1/stream/{}", file.id)).bearer(ANN).header("range", range).send().await
}

both_databases! {
    async fn a_file_is_sent_in_a_form_once_however_often_it_is_asked_for(test: &TestDb) {
        let world = world(test).await;
        let send = || form(world.server.post("/api/v1/files").bearer(ANN), "клип.mp4", ALPHABET).header("idempotency-key", "k");
        let first = send().send().await;
        assert_eq!(first.status, 201, "{first:?}");
        let again = send().send().await;
        assert_eq!((again.status.as_u16(), again.json()), (201, first.json()));
        let file = first.json();
        assert_eq!((&file["name"], &file["size_bytes"], &file["media_type"]), (&json!("клип.mp4"), &json!(26), &json!("video/mp4")));
        let shown = world.server.get(first.header("location")).bearer(ANN).send().await;
        assert_eq!(shown.json(), file);
        let list = world.server.get("/api/v1/files").bearer(ANN).send().await.json();
        assert_eq!(list["items"], json!([file]));
        assert_eq!(world.server.get(first.header("location")).bearer(BOB).send().await.problem(), "/problems/not-found");
        let gone = world.server.call(Method::DELETE, first.header("location")).bearer(ANN).send().await;
        assert_eq!(gone.status, 204);
        assert_eq!(world.server.get(first.header("location")).bearer(ANN).send().await.status, 404);
        assert_eq!(world.desk.count_objects(), 0);
    }

    async fn an_upload_is_begun_once_under_a_key_and_another_takes_another(test: &TestDb) {
        let world = world(test).await;
        let begin = |length: &str, name: &str| {
            let call = tus(&world.server, Method::POST, "/api/v1/uploads").header("idempotency-key", "k");
            call.header("upload-length", length).header("upload-metadata", &format!("filename {name}")).send()
        };
        let first = begin("26", "YQ==").await;
        let again = begin("26", "YQ==").await;
        assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201), "{first:?} {again:?}");
        assert_eq!(first.header("location"), again.header("location"));
        for other in [begin("27", "YQ=="), begin("26", "Yg==")] {
            assert_eq!(other.await.problem(), "/problems/idempotency-key-reused");
        }
    }

    async fn an_upload_by_tus_becomes_a_file(test: &TestDb) {
        let world = world(test).await;
        let begun = tus(&world.server, Method::POST, "/api/v1/uploads")
            .header("upload-length", "26")
            .header("upload-metadata", "filename bGV0dGVycy5tcDQ=,filetype")
            .send()
            .await;
        assert_eq!((begun.status.as_u16(), begun.header("tus-resumable")), (201, "1.0.0"), "{begun:?}");
        let place = begun.header("location").to_owned();
        let piece = |offset: usize, bytes: &'static [u8]| {
            tus(&world.server, Method::PATCH, &place)
                .header("content-type", "application/offset+octet-stream")
                .header("upload-offset", &offset.to_string())
                .body(bytes)
        };
        let first = piece(0, &ALPHABET[..10]).send().await;
        assert_eq!((first.status.as_u16(), first.header("upload-offset")), (204, "10"), "{first:?}");
        assert!(first.header("upload-expires").ends_with(" GMT"));
        let wrong = piece(9, &ALPHABET[9..]).send().await;
        assert_eq!((wrong.problem().as_str(), wrong.header("upload-offset")), ("/problems/conflict", "10"));
        let head = tus(&world.server, Method::HEAD, &place).send().await;
        assert_eq!((head.header("upload-offset"), head.header("upload-length")), ("10", "26"));
        assert_eq!((head.header("cache-control"), head.body.len()), ("no-store", 0));
        let mismatch = piece(10, &ALPHABET[10..]).header("upload-checksum", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").send().await;
        assert_eq!((mismatch.status.as_u16(), mismatch.problem().as_str()), (460, "/problems/checksum-mismatch"));
        let last = piece(10, &ALPHABET[10..]).send().await;
        assert_eq!((last.status.as_u16(), last.header("upload-offset")), (204, "26"), "{last:?}");
        let file = world.server.get(last.header("content-location")).bearer(ANN).send().await.json();
        assert_eq!((&file["name"], &file["size_bytes"]), (&json!("letters.mp4"), &json!(26)));
        let upload = world.server.get(&place).bearer(ANN).send().await.json();
        assert_eq!((&upload["state"], &upload["file_id"]), (&json!("complete"), &file["id"]));
        assert_eq!(tus(&world.server, Method::DELETE, &place).send().await.status, 204);
        assert_eq!(world.server.get(&place).bearer(ANN).send().await.status, 404);
    }
}

async fn sqlite() -> (TestDb, World) {
    let test = TestDb::open(Backend::Sqlite).await;
    let world = world(&test).await;
    (test, world)
}

#[tokio::test]
async fn a_first_piece_may_come_with_the_beginning_of_an_upload() {
    let (_test, world) = sqlite().await;
    let begun = tus(&world.server, Method::POST, "/api/v1/uploads")
        .header("upload-length", "26")
        .header("content-type", "application/offset+octet-stream")
        .body(ALPHABET)
        .send()
        .await;
    assert_eq!((begun.status.as_u16(), begun.header("upload-offset")), (201, "26"), "{begun:?}");
    assert!(begun.header("content-location").starts_with("/api/v1/files/"));
}

#[tokio::test]
async fn what_is_not_the_protocol_is_refused_with_what_is_wrong() {
    let (_test, world) = sqlite().await;
    let begin = |length: &str| tus(&world.server, Method::POST, "/api/v1/uploads").header("upload-length", length);
    let place = begin("5").send().await.header("location").to_owned();
    let piece = || tus(&world.server, Method::PATCH, &place).body("bytes");
    let typed = || piece().header("content-type", "application/offset+octet-stream");
    let other = world.server.call(Method::PATCH, &place).bearer(ANN).header("tus-resumable", "0.2.2").send().await;
    assert_eq!((other.status.as_u16(), other.header("tus-version")), (412, "1.0.0"));
    for (call, problem) in [
        (begin("many"), "/problems/validation"),
        (begin("-1"), "/problems/validation"),
        (begin("0"), "/problems/validation"),
        (begin("99999999999999"), "/problems/payload-too-large"),
        (begin("5").header("upload-metadata", "filename ???"), "/problems/validation"),
        (begin("5").header("upload-defer-length", "1"), "/problems/validation"),
        (piece(), "/problems/unsupported-media-type"),
        (typed(), "/problems/validation"),
        (typed().header("upload-offset", "0").header("upload-checksum", "md5 aaaa"), "/problems/malformed"),
        (typed().header("upload-offset", "0").body("bytes and more"), "/problems/payload-too-large"),
    ] {
        assert_eq!(call.send().await.problem(), problem);
    }
    let stranger = world.server.call(Method::HEAD, &place).bearer(BOB).header("tus-resumable", "1.0.0").send().await;
    assert_eq!(stranger.status, 404);
}

#[tokio::test]
async fn uploads_say_what_they_can_do() {
    let (_test, world) = sqlite().await;
    let told = world.server.call(Method::OPTIONS, "/api/v1/uploads").send().await;
    assert_eq!((told.status.as_u16(), told.header("tus-version")), (204, "1.0.0"), "{told:?}");
    assert!(told.header("tus-extension").contains("creation-with-upload"));
    assert_eq!((told.header("tus-max-size"), told.header("tus-checksum-algorithm")), ("10000000000", "sha1,sha256"));
}

#[tokio::test]
async fn a_form_without_its_file_or_too_large_or_refused_is_told_what_is_wrong() {
    let test = TestDb::open(Backend::Sqlite).await;
    let world = world_with(&test, StorageSettings { max_file_bytes: 10, ..settings() }).await;
    let post = || world.server.post("/api/v1/files").bearer(ANN);
    let other = "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--b--\r\n";
    let other = post().header("content-type", "multipart/form-data; boundary=b").body(other).send().await;
    assert_eq!(
        (other.problem().as_str(), &other.json()["errors"][0]["pointer"]),
        ("/problems/validation", &json!("/file"))
    );
    assert_eq!(post().json(&json!({})).send().await.problem(), "/problems/unsupported-media-type");
    assert_eq!(form(post(), "a", b"eleven byte").send().await.problem(), "/problems/payload-too-large");
    let broken = post().header("content-type", "multipart/form-data; boundary=b");
    let broken = broken.body("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhalf").send().await;
    assert_eq!(broken.problem(), "/problems/malformed");
    // The head of a form is held in memory, so it ends soon or the rest is not read.
    let endless =
        post().header("content-type", "multipart/form-data; boundary=b").body(vec![b'x'; 1 << 20]).send().await;
    assert_eq!(endless.json()["errors"][0]["pointer"], "/file", "{endless:?}");
    world.desk.content.next(Err(storage::CheckError::Refused("is a program".to_owned())));
    let refused = form(post(), "a", b"bytes").send().await;
    assert_eq!(refused.problem(), "/problems/content-refused");
    assert_eq!(refused.json()["detail"], "the file was refused: it is a program");
    assert_eq!(
        form(world.server.post("/api/v1/files"), "a", b"bytes").send().await.problem(),
        "/problems/unauthenticated"
    );
    assert_eq!(world.desk.count_objects(), 0);
}

#[tokio::test]
async fn a_file_is_played_in_parts() {
    let (_test, world) = sqlite().await;
    let file = alphabet(&world).await;
    let whole = world.server.get(&format!("/api/v1/stream/{}", file.id)).bearer(ANN).send().await;
    assert_eq!((whole.status.as_u16(), &whole.body[..]), (200, ALPHABET));
    let headers = ["content-type", "content-length", "accept-ranges", "x-content-type-options", "cache-control"];
    let values = headers.map(|name| whole.header(name));
    assert_eq!(values, ["video/mp4", "26", "bytes", "nosniff", "private, no-cache"]);
    assert_eq!(whole.header("content-disposition"), "inline; filename=\"letters.mp4\"; filename*=UTF-8''letters.mp4");
    assert_eq!(whole.header("etag"), format!("\"{}\"", file.hash.to_hex()));
    for (asked, place, bytes) in [
        ("bytes=0-0", "bytes 0-0/26", "a"),
        ("bytes=2-4", "bytes 2-4/26", "cde"),
        ("bytes=23-", "bytes 23-25/26", "xyz"),
        ("bytes=-2", "bytes 24-25/26", "yz"),
        ("bytes=20-99", "bytes 20-25/26", "uvwxyz"),
    ] {
        let part = range(&world, &file, asked).await;
        assert_eq!((part.status.as_u16(), part.header("content-range")), (206, place), "{asked}");
        assert_eq!(
            (&part.body[..], part.header("content-length")),
            (bytes.as_bytes(), bytes.len().to_string().as_str())
        );
    }
    let beyond = range(&world, &file, "bytes=26-").await;
    assert_eq!(
        (beyond.problem().as_str(), beyond.header("content-range")),
        ("/problems/range-not-satisfiable", "bytes */26")
    );
    assert_eq!(range(&world, &file, "lines=1-2").await.status, 200);
}

#[tokio::test]
async fn many_parts_come_in_one_body() {
    let (_test, world) = sqlite().await;
    let file = alphabet(&world).await;
    let parts = range(&world, &file, "bytes=-2,0-2").await;
    assert_eq!(parts.status, 206);
    let kind = parts.header("content-type");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let expected = format!(
        "\r\n--{boundary}\r\nContent-Type: video/mp4\r\nContent-Range: bytes 24-25/26\r\n\r\nyz\
         \r\n--{boundary}\r\nContent-Type: video/mp4\r\nContent-Range: bytes 0-2/26\r\n\r\nabc\r\n--{boundary}--\r\n"
    );
    assert_eq!(String::from_utf8_lossy(&parts.body), expected);
    assert_eq!(parts.header("content-length"), expected.len().to_string());
}

#[tokio::test]
async fn what_the_asker_has_decides_what_is_sent() {
    let (_test, world) = sqlite().await;
    let file = alphabet(&world).await;
    let path = format!("/api/v1/stream/{}", file.id);
    let tag = format!("\"{}\"", file.hash.to_hex());
    let ask = |name: &'static str, value: &str| world.server.get(&path).bearer(ANN).header(name, value);
    for (if_range, status) in
        [(tag.as_str(), 206), ("\"other\"", 200), (&format!("W/{tag}"), 200), ("Sun, 06 Nov 1994 08:49:37 GMT", 200)]
    {
        let answer = ask("if-range", if_range).header("range", "bytes=0-1").send().await;
        assert_eq!(answer.status, status, "{if_range}");
    }
    for (known, status) in [(tag.as_str(), 304), (&format!("\"x\", W/{tag}"), 304), ("*", 304), ("\"x\"", 200)] {
        assert_eq!(ask("if-none-match", known).send().await.status, status, "{known}");
    }
    for (known, status) in [(tag.as_str(), 200), ("\"x\"", 412), (&format!("W/{tag}"), 412)] {
        assert_eq!(ask("if-match", known).send().await.status, status, "{known}");
    }
    for asked in [None, Some("bytes=2-4"), Some("bytes=0-1,4-5")] {
        let with = |call: Call| if let Some(asked) = asked { call.header("range", asked) } else { call };
        let got = with(world.server.get(&path).bearer(ANN)).send().await;
        let head = with(world.server.call(Method::HEAD, &path).bearer(ANN)).send().await;
        assert_eq!((head.status, head.body.len()), (got.status, 0));
        for name in ["content-length", "content-type", "content-range", "etag", "accept-ranges"] {
            assert_eq!(head.header(name), got.header(name), "{name} of {asked:?}");
        }
    }
}

#[tokio::test]
async fn a_link_saves_and_plays_one_file_without_signing_in() {
    let (_test, world) = sqlite().await;
    let (file, other) = (alphabet(&world).await, alphabet(&world).await);
    let links = format!("/api/v1/files/{}/links", file.id);
    let made = world.server.post(&links).bearer(ANN).json(&json!({ "expires_in_s": 3600 })).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let (save, play) = (made["download_url"].as_str().unwrap(), made["stream_url"].as_str().unwrap());
    let saved = world.server.get(save).send().await;
    assert_eq!((saved.status.as_u16(), &saved.body[..]), (200, ALPHABET));
    assert_eq!(
        saved.header("content-disposition"),
        "attachment; filename=\"letters.mp4\"; filename*=UTF-8''letters.mp4"
    );
    assert_eq!(world.server.get(play).header("range", "bytes=0-1").send().await.status, 206);
    assert_eq!(world.server.get(save).bearer(BOB).send().await.status, 200, "whoever has it");
    let elsewhere = save.replace(&file.id.to_string(), &other.id.to_string());
    assert_eq!(world.server.get(&elsewhere).send().await.problem(), "/problems/forbidden");
    assert_eq!(world.server.post(&links).bearer(BOB).json(&json!({})).send().await.problem(), "/problems/not-found");
    assert_eq!(
        world.server.post(&links).bearer(ANN).json(&json!({ "expires_in_s": 0 })).send().await.problem(),
        "/problems/validation"
    );
    world.desk.clock.jump(HOUR_MS);
    assert_eq!(world.server.get(save).send().await.problem(), "/problems/forbidden");
    assert_eq!(world.desk.clock.now_ms() % 1000, 0);
}

#[tokio::test]
async fn others_and_strangers_get_no_byte() {
    let (_test, world) = sqlite().await;
    let file = alphabet(&world).await;
    for way in ["stream", "download"] {
        let path = format!("/api/v1/{way}/{}", file.id);
        assert_eq!(world.server.get(&path).send().await.problem(), "/problems/unauthenticated");
        assert_eq!(world.server.get(&path).bearer(BOB).send().await.problem(), "/problems/not-found");
        assert_eq!(world.server.get(&path).bearer("expired").send().await.problem(), "/problems/unauthenticated");
        for token in ["", "x", "9999999999.00000000.AAAA"] {
            let answer = world.server.get(&format!("{path}?token={token}")).send().await;
            assert_eq!(answer.problem(), "/problems/forbidden", "{token}");
        }
        for path in ["..%2f..%2fetc%2fpasswd", "0193", "%00", "objects"] {
            let answer = world.server.get(&format!("/api/v1/{way}/{path}")).bearer(ANN).send().await;
            assert_eq!(answer.problem(), "/problems/not-found", "{path}");
        }
    }
}

#[tokio::test]
async fn every_route_is_in_the_document_with_its_bounds() {
    let (_test, world) = sqlite().await;
    let document = serde_json::to_value(&*world.server.document).unwrap();
    let paths = &document["paths"];
    for (path, methods) in [
        ("/api/v1/files", &["get", "post"][..]),
        ("/api/v1/files/{file}", &["get", "delete"]),
        ("/api/v1/files/{file}/links", &["post"]),
        ("/api/v1/stream/{file}", &["get"]),
        ("/api/v1/download/{file}", &["get"]),
        ("/api/v1/uploads", &["post", "options"]),
        ("/api/v1/uploads/{upload}", &["get", "patch", "delete"]),
    ] {
        for method in methods {
            assert!(paths[path][method].is_object(), "{method} {path}");
        }
    }
    for (path, method) in
        [("/api/v1/files", "post"), ("/api/v1/uploads", "post"), ("/api/v1/uploads/{upload}", "patch")]
    {
        assert_eq!(paths[path][method]["x-time-limit-s"], 0, "{method} {path}");
        assert!(paths[path][method]["x-max-body-bytes"].as_u64().unwrap() > 10_000_000_000);
    }
    assert!(world.parts.settings.max_body_bytes < 10_000_000_000);
}
