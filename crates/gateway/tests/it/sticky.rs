//! A client stays with its server, while that one takes requests.

use hyper::{Request, header::HOST};

use crate::support::{
    Running,
    client::{Answer, ask, get, whole},
    gateway, settings,
    upstream::Server,
};

async fn running() -> (Running, [Server; 2]) {
    let servers = [Server::start("a").await, Server::start("b").await];
    let settings = settings("[balance]\nstrategy = 'round_robin'\nsticky_cookie = 'press_at'");
    (gateway(settings, &servers.each_ref().map(|server| server.address)).await, servers)
}

async fn with_cookie(running: &Running, cookie: &str) -> Answer {
    let request = Request::get("/echo").header(HOST, "a").header("cookie", format!("theme=dark; {cookie}; x=1"));
    ask(running.address, request.body(whole("")).unwrap()).await
}

fn cookie(answer: &Answer) -> String {
    let header = answer.headers["set-cookie"].to_str().unwrap();
    assert!(header.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{header}");
    header.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_cookie_leads_to_the_same_server() {
    let (running, _servers) = running().await;
    let first = ask(running.address, get("/echo")).await;
    let cookie = cookie(&first);
    for _ in 0..6 {
        let answer = with_cookie(&running, &cookie).await;
        assert_eq!(answer.name(), first.name());
        assert!(!answer.headers.contains_key("set-cookie"), "the client has it");
    }
}

#[tokio::test]
async fn who_is_drained_or_ill_loses_its_clients_to_another() {
    let (running, _servers) = running().await;
    let first = ask(running.address, get("/echo")).await;
    let old = cookie(&first);
    let place = usize::from(first.name() == "b");
    running.pool.drain(&running.upstream(place));
    let moved = with_cookie(&running, &old).await;
    assert_ne!(moved.name(), first.name());
    assert_ne!(cookie(&moved), old, "from now on it leads to the other");
}

#[tokio::test]
async fn a_cookie_that_was_made_up_leads_nowhere() {
    let (running, _servers) = running().await;
    for made_up in ["press_at=1", "press_at=", "press_at=00000000000000000000000000000000"] {
        let answer = with_cookie(&running, made_up).await;
        assert_eq!(answer.status, 200);
        assert!(answer.headers.contains_key("set-cookie"));
    }
}
