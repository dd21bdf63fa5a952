//! What every answer has, whatever was asked.

use axum::http::{Method, StatusCode};
use platform::{both_databases, testing::TestDb};

use super::fixture::{world, world_with};

both_databases! {
    async fn every_error_is_a_problem(test: &TestDb) {
        let server = world(test).await.server;
        let long = "x".repeat(2 << 20);
        let cases = [
            (server.get("/nowhere"), 404, "/problems/not-found"),
            (server.get("/notes/none"), 404, "/problems/not-found"),
            (server.get("/notes/%ff"), 404, "/problems/not-found"),
            (server.get("/notes?limit=many"), 422, "/problems/validation"),
            (server.get("/notes?limit=0"), 422, "/problems/validation"),
            (server.get("/notes?cursor=x"), 422, "/problems/validation"),
            (server.get("/notes?colour=red"), 422, "/problems/validation"),
            (server.call(Method::DELETE, "/notes"), 405, "/problems/method-not-allowed"),
            (server.post("/notes").body("{}"), 415, "/problems/unsupported-media-type"),
            (server.post("/notes").header("content-type", "application/json").body("{"), 400, "/problems/malformed"),
            (server.post("/notes").json(&serde_json::json!({ "text": 7 })), 422, "/problems/validation"),
            (server.post("/notes").json(&serde_json::json!({ "text": "a", "stars": 6 })), 422, "/problems/validation"),
            (server.post("/notes").json(&serde_json::json!({ "text": "a", "is_admin": true })), 422, "/problems/validation"),
            (server.post("/notes").json(&long), 413, "/problems/payload-too-large"),
            (server.get("/me"), 401, "/problems/unauthenticated"),
            (server.get("/me").bearer("expired"), 401, "/problems/unauthenticated"),
            (server.call(Method::PATCH, "/notes/3"), 428, "/problems/precondition-required"),
            (server.call(Method::PATCH, "/notes/3").header("if-match", "\"v2\""), 412, "/problems/precondition-failed"),
            (server.get("/panic"), 500, "/problems/internal"),
            (server.get("/sleep"), 503, "/problems/unavailable"),
        ];
        for (call, status, problem) in cases {
            let asked = format!("{call:?}");
            let answer = call.send().await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (status, problem), "{asked}");
        }
    }

    async fn a_problem_names_the_value_at_fault_and_nothing_inside(test: &TestDb) {
        let server = world(test).await.server;
        let answer = server.post("/notes").json(&serde_json::json!({ "text": "a", "stars": 256 })).send().await;
        assert_eq!(answer.json()["errors"][0]["pointer"], "/stars");
        let answer = server.get("/panic").send().await;
        assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
        let answer = server.call(Method::DELETE, "/notes").send().await;
        let allowed: std::collections::BTreeSet<_> = answer.header("allow").split(',').map(str::trim).collect();
        assert_eq!(allowed.into_iter().collect::<Vec<_>>(), ["GET", "HEAD", "POST"]);
        assert_eq!(server.get("/me").send().await.header("www-authenticate"), "Bearer");
    }

    async fn every_answer_keeps_browsers_in_bounds(test: &TestDb) {
        let server = world(test).await.server;
        for path in ["/notes", "/nowhere", "/panic", "/docs", "/openapi.json", "/livez"] {
            let answer = server.get(path).send().await;
            let policy = answer.header("content-security-policy");
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
            assert!(!policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
            assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
            assert_eq!(answer.header("strict-transport-security"), "", "{path}: the test is not encrypted");
        }
        let encrypted = world_with(test, |parts| parts.settings.public_url = Some("https://a.example".parse().unwrap())).await;
        let answer = encrypted.server.get("/livez").send().await;
        assert!(answer.header("strict-transport-security").starts_with("max-age="));
    }

    async fn a_request_keeps_a_harmless_name_and_gets_another_for_a_harmful_one(test: &TestDb) {
        let server = world(test).await.server;
        let answer = server.get("/notes").header("x-request-id", "build-7").send().await;
        assert_eq!(answer.header("x-request-id"), "build-7");
        let answer = server.get("/nowhere").header("x-request-id", "a b=\"c\" level=ERROR").send().await;
        assert_eq!(answer.header("x-request-id").len(), 36);
        assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
    }

    async fn a_page_leads_to_the_next(test: &TestDb) {
        let server = world(test).await.server;
        let (mut seen, mut path) = (Vec::new(), "/notes?limit=4".to_owned());
        loop {
            let body = server.get(&path).send().await.json();
            seen.extend(body["items"].as_array().unwrap().iter().map(|item| item.as_u64().unwrap()));
            let Some(cursor) = body["next_cursor"].as_str() else { break };
            path = format!("/notes?limit=4&cursor={cursor}");
        }
        assert_eq!(seen, (1..=10).collect::<Vec<_>>());
    }

    async fn what_a_client_has_is_not_sent_again(test: &TestDb) {
        let server = world(test).await.server;
        let tag = server.get("/notes/3").send().await.header("etag").to_owned();
        let answer = server.get("/notes/3").header("if-none-match", &tag).send().await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0));
        let answer = server.call(Method::PATCH, "/notes/3").header("if-match", &tag).send().await;
        assert_eq!(answer.status, StatusCode::OK);
    }

    async fn long_answers_are_compressed(test: &TestDb) {
        let server = world(test).await.server;
        let answer = server.get("/long").header("accept-encoding", "gzip").send().await;
        assert_eq!(answer.header("content-encoding"), "gzip");
        assert!(answer.body.len() < 500, "{}", answer.body.len());
        assert_eq!(server.get("/notes/3").header("accept-encoding", "gzip").send().await.header("content-encoding"), "");
    }

    async fn only_pages_of_known_origins_may_read_answers(test: &TestDb) {
        let server = world_with(test, |parts| parts.settings.cors_origins = vec!["https://a.example".to_owned()]).await.server;
        let ask = |origin: &'static str| {
            let call = server.call(Method::OPTIONS, "/notes").header("origin", origin);
            call.header("access-control-request-method", "POST").send()
        };
        let known = ask("https://a.example").await;
        assert_eq!(known.header("access-control-allow-origin"), "https://a.example");
        assert_eq!(known.header("access-control-allow-credentials"), "true");
        assert_eq!(ask("https://b.example").await.header("access-control-allow-origin"), "");
    }

    async fn the_document_is_valid_and_names_what_holds_for_all(test: &TestDb) {
        let server = world(test).await.server;
        let document = server.get("/openapi.json").send().await.json();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
        let post = &document["paths"]["/notes"]["post"];
        assert_eq!(post["parameters"][0]["name"], "Idempotency-Key");
        let problem = &post["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(problem, "#/components/schemas/Problem");
        assert!(document["components"]["schemas"]["Problem"]["properties"]["type"].is_object());
    }

    async fn the_documentation_page_needs_nothing_from_elsewhere(test: &TestDb) {
        let server = world(test).await.server;
        for path in ["/docs", "/docs/page.js", "/docs/page.css"] {
            let answer = server.get(path).send().await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!text.contains("http://") && !text.contains("https://"), "{path} loads something");
            assert!(!text.contains("style=") && !text.contains("<script>"), "{path} has something inline");
        }
    }

    async fn numbers_are_for_those_who_may_see_them_and_name_routes_not_addresses(test: &TestDb) {
        let server = world(test).await.server;
        server.get("/notes/3").send().await;
        server.get("/secret-token-in-a-path").send().await;
        assert_eq!(server.get("/metrics").send().await.problem(), "/problems/not-found");
        let answer = server.get("/metrics").from("127.0.0.1").send().await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains(r#"http_requests_total{method="GET",route="/notes/{id}",status="200"}"#), "{text}");
        assert!(text.contains(r#"http_request_duration_seconds_bucket{method="GET",route="/notes/{id}","#), "{text}");
        assert!(!text.contains("secret-token"), "{text}");
    }
}
