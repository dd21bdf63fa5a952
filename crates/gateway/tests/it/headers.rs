//! The headers that a server sees, and those that a client sees.

use hyper::{Request, header::HOST};

use crate::support::{
    client::{Answer, ask, get, say, whole},
    gateway, settings,
    upstream::Server,
};

async fn asked(text: &str, headers: &[(&str, &str)]) -> Answer {
    let server = Server::start("a").await;
    let running = gateway(settings(text), &[server.address]).await;
    let builder = Request::get("/echo?q=1").header(HOST, "press.example");
    let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
    ask(running.address, builder.body(whole("")).unwrap()).await
}

#[tokio::test]
async fn what_a_stranger_says_of_its_origin_is_not_believed() {
    let lies = [
        ("x-forwarded-for", "10.1.2.3"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "bank.example"),
        ("forwarded", "for=10.1.2.3"),
        ("x-real-ip", "10.1.2.3"),
    ];
    let answer = asked("", &lies).await;
    assert_eq!(answer.seen("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(answer.seen("x-forwarded-proto"), ["http"]);
    assert_eq!(answer.seen("x-forwarded-host"), ["press.example"]);
    assert_eq!(answer.seen("host"), ["press.example"]);
    assert!(answer.seen("forwarded").is_empty() && answer.seen("x-real-ip").is_empty());
    assert_eq!(answer.json()["uri"], "/echo?q=1");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_named_after_what_it_says() {
    let said = [("x-forwarded-for", "203.0.113.5"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "p.example")];
    let answer = asked("[listen]\ntrusted_proxies = ['127.0.0.0/8']", &said).await;
    assert_eq!(answer.seen("x-forwarded-for"), ["203.0.113.5", "127.0.0.1"]);
    assert_eq!(answer.seen("x-forwarded-proto"), ["https"]);
    assert_eq!(answer.seen("x-forwarded-host"), ["p.example"]);
}

#[tokio::test]
async fn headers_of_one_connection_go_no_further() {
    let given = [("connection", "close, x-mine"), ("x-mine", "1"), ("keep-alive", "timeout=5"), ("x-other", "2")];
    let answer = asked("", &given).await;
    for name in ["connection", "x-mine", "keep-alive"] {
        assert!(answer.seen(name).is_empty(), "{name}");
    }
    assert_eq!(answer.seen("x-other"), ["2"]);
    assert!(!answer.headers.contains_key("keep-alive"));
    assert_eq!(answer.headers["x-answer"], "kept");
}

#[tokio::test]
async fn every_request_has_a_name_and_keeps_a_harmless_one() {
    let answer = asked(
        "",
        &[("x-request-id", "build-7"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")],
    )
    .await;
    assert_eq!(
        (answer.seen("x-request-id"), &answer.headers["x-request-id"]),
        (vec!["build-7".to_owned()], &"build-7".parse().unwrap())
    );
    assert_eq!(answer.seen("traceparent"), ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]);
    let answer = asked("", &[("x-request-id", "\"odd\" one")]).await;
    let named = answer.seen("x-request-id");
    assert_eq!((named.len(), named[0].len()), (1, 36));
    assert_eq!(answer.headers["x-request-id"].to_str().unwrap(), named[0]);
}

#[tokio::test]
async fn an_address_in_full_is_asked_for_by_its_host() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let text = "GET http://press.example/echo?q=1 HTTP/1.1\r\nhost: other.example\r\nconnection: close\r\n\r\n";
    let heard = say(running.address, text).await;
    assert!(heard.contains(r#"["host","press.example"]"#) && heard.contains(r#""uri":"/echo?q=1""#), "{heard}");
}

#[tokio::test]
async fn an_old_client_is_answered_and_its_connection_closed() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    let heard = say(running.address, "GET /echo HTTP/1.0\r\nhost: a\r\n\r\n").await;
    assert!(heard.starts_with("HTTP/1.0 200 OK\r\n"), "{heard}");
    assert!(ask(running.address, get("/echo")).await.status.is_success());
}
