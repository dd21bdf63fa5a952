//! Encrypted connections, and the certificate that is shown.

use std::sync::Arc;

use hyper::Request;
use kernel::{Clock as _, ManualClock, SystemClock};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{
    PATIENCE,
    certificates::{Authority, shown},
    client::{connect_http2, connect_over, get, hear, read, say, until_closed, whole},
    gateway, gateway_at, settings,
    upstream::Server,
};

/// 2040-01-01.
const END_MS: i64 = 2_208_988_800_000;
const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn both_forms_of_http_are_spoken_encrypted() {
    let (authority, server) = (Authority::new(), Server::start("a").await);
    authority.issue(2020, 2090);
    let text = format!("{}[balance]\nsticky_cookie = 'press_at'", authority.section());
    let running = gateway(settings(&text), &[server.address]).await;
    let stream = authority.connect(running.address, &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut sender = connect_http2(stream).await;
    let request = Request::get("https://press.example/echo").body(whole("")).unwrap();
    let answer = read(sender.send_request(request).await.unwrap()).await.unwrap();
    assert_eq!(answer.seen("x-forwarded-proto"), ["https"]);
    assert!(answer.headers["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    let mut sender = connect_over(authority.connect(running.address, &["http/1.1"]).await).await;
    assert_eq!(read(sender.send_request(get("/echo")).await.unwrap()).await.unwrap().status, 200);
    assert!(running.components[1].check().await.is_ok());
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let (authority, server) = (Authority::new(), Server::start("a").await);
    let first = authority.issue(2020, 2090);
    let running = gateway(settings(&authority.section()), &[server.address]).await;
    let stream = authority.connect(running.address, &["http/1.1"]).await;
    assert_eq!(shown(&stream), first);
    let mut old = connect_over(stream).await;
    let key = std::fs::read(authority.key()).unwrap();
    let second = authority.issue(2020, 2091);
    let until_shown = async {
        while shown(&authority.connect(running.address, &["http/1.1"]).await) != second {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, until_shown).await.expect("the old one is still shown");
    assert_eq!(read(old.send_request(get("/echo")).await.unwrap()).await.unwrap().status, 200);
    // A key that does not fit: what was shown goes on being shown.
    std::fs::write(authority.key(), key).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(shown(&authority.connect(running.address, &["http/1.1"]).await), second);
}

#[tokio::test]
async fn a_certificate_that_ends_soon_or_has_ended_is_told() {
    let (authority, server) = (Authority::new(), Server::start("a").await);
    authority.issue(2020, 2040);
    let clock = ManualClock::at(SystemClock.now_ms());
    let running = gateway_at(settings(&authority.section()), &[server.address], Arc::new(clock.clone())).await;
    let certificate = &running.components[1];
    assert_eq!((certificate.name(), certificate.check().await), ("certificate", Ok(())));
    clock.jump(END_MS - 3 * DAY_MS - clock.now_ms());
    assert!(certificate.check().await.unwrap_err().contains("expires within"));
    clock.jump(4 * DAY_MS);
    assert!(certificate.check().await.unwrap_err().contains("has expired"));
}

#[tokio::test]
async fn plain_http_is_led_to_https() {
    let (authority, server) = (Authority::new(), Server::start("a").await);
    authority.issue(2020, 2090);
    let text = format!("[listen]\nredirect = '127.0.0.1:0'\npublic_port = 443\n{}", authority.section());
    let running = gateway(settings(&text), &[server.address]).await;
    let redirect = running.redirect.unwrap();
    let heard = say(redirect, "GET /a?b=c HTTP/1.1\r\nhost: press.example\r\nconnection: close\r\n\r\n").await;
    assert!(
        heard.starts_with("HTTP/1.1 308 ") && heard.contains("location: https://press.example/a?b=c\r\n"),
        "{heard}"
    );
    let heard = say(redirect, "GET / HTTP/1.1\r\nhost: evil\"host\r\nconnection: close\r\n\r\n").await;
    assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
    let text = "GET /.well-known/acme-challenge/unknown HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(say(redirect, text).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn who_does_not_agree_on_encryption_is_let_go() {
    let (authority, server) = (Authority::new(), Server::start("a").await);
    authority.issue(2020, 2090);
    let text = format!("[limits]\nhead_timeout_s = 1\n{}", authority.section());
    let running = gateway(settings(&text), &[server.address]).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    until_closed(&mut silent).await;
    let mut plain = TcpStream::connect(running.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let heard = hear(&mut plain, PATIENCE).await;
    assert!(!heard.contains("HTTP/1.1 200"), "{heard}");
}
