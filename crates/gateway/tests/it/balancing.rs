//! Who gets requests, and who does not.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gateway::{Health, Role};

use crate::support::{
    PATIENCE,
    client::{ask, connect, get, read, request},
    gateway, settings, until,
    upstream::{Server, raw},
};

#[tokio::test]
async fn requests_are_shared_out_in_turn() {
    let (a, b) = (Server::start("a").await, Server::start("b").await);
    let running = gateway(settings("[balance]\nstrategy = 'round_robin'"), &[a.address, b.address]).await;
    let mut sender = connect(running.address).await;
    let mut shares = BTreeMap::new();
    for _ in 0..10 {
        let answer = read(sender.send_request(get("/echo")).await.unwrap()).await.unwrap();
        *shares.entry(answer.name()).or_insert(0) += 1;
    }
    assert_eq!(shares.into_values().collect::<Vec<_>>(), [5, 5]);
}

#[tokio::test]
async fn the_one_with_less_to_do_gets_more() {
    let (slow, quick) = (Server::start("slow").await, Server::start("quick").await);
    let running = gateway(settings(""), &[slow.address, quick.address]).await;
    let held = running.upstream(0);
    let waiting = tokio::spawn({
        let address = running.address;
        async move { futures::future::join_all((0..2).map(|_| ask(address, get("/wait/1500")))).await }
    });
    // Each holds one; the next go to whoever has fewer.
    until(|| running.pool.upstreams().iter().all(|upstream| upstream.in_flight() == 1)).await;
    running.pool.drain(&running.upstream(1));
    assert_eq!(ask(running.address, get("/echo")).await.name(), "slow");
    assert_eq!(held.role(), Role::Serving);
    waiting.await.unwrap();
}

#[tokio::test]
async fn one_whose_checks_fail_gets_nothing_until_they_pass() {
    let (a, b) = (Server::start("a").await, Server::start("b").await);
    let running = gateway(settings(""), &[a.address, b.address]).await;
    a.set_readiness(503);
    running.until_health(0, Health::Unhealthy).await;
    let before = a.requests();
    for _ in 0..6 {
        assert_eq!(ask(running.address, get("/echo")).await.name(), "b");
    }
    assert_eq!(a.requests(), before);
    a.set_readiness(200);
    running.until_health(0, Health::Healthy).await;
    for _ in 0..6 {
        ask(running.address, get("/echo")).await;
    }
    assert!(a.requests() > before);
}

#[tokio::test]
async fn one_that_breaks_off_is_taken_out_and_tried_again_later() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let sick = raw({
        let is_broken = is_broken.clone();
        move |mut stream, _| {
            let is_broken = is_broken.load(Ordering::SeqCst);
            async move {
                use tokio::io::AsyncWriteExt as _;
                if !is_broken {
                    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        }
    })
    .await;
    let well = Server::start("well").await;
    let mut settings = settings("[health]\nfailed_requests = 2\neject_s = 1");
    settings.health.failures = 100;
    let running = gateway(settings, &[sick, well.address]).await;
    for _ in 0..10 {
        assert_eq!(ask(running.address, get("/echo")).await.status, 200, "another one answers");
    }
    assert_eq!(running.upstream(0).health(), Health::Ejected);
    assert!(running.upstream(0).counts().failures >= 2);
    is_broken.store(false, Ordering::SeqCst);
    let recovered = async {
        while running.upstream(0).health() != Health::Healthy {
            ask(running.address, get("/echo")).await;
        }
    };
    tokio::time::timeout(PATIENCE, recovered).await.expect("it stays out");
}

#[tokio::test]
async fn where_nobody_is_well_the_answer_comes_at_once() {
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    server.set_readiness(500);
    running.until_health(0, Health::Unhealthy).await;
    let answer = ask(running.address, get("/echo")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["content-type"]),
        (503, &"application/problem+json".parse().unwrap())
    );
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.json()["type"], "/problems/unavailable");
    assert_eq!(answer.json()["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    let fault = running.components[0].check().await.unwrap_err();
    assert!(fault.contains(&server.address.to_string()), "{fault}");
}

#[tokio::test]
async fn no_request_fails_while_servers_are_replaced() {
    let (blue, green) = (Server::start("blue").await, Server::start("green").await);
    let running = gateway(settings(""), &[blue.address]).await;
    let standby = running.pool.add_standby(green.address);
    assert!(standby.became_healthy(PATIENCE).await);
    let address = running.address;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let stop = stop.clone();
            tokio::spawn(async move {
                let mut sender = connect(address).await;
                let mut names = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    // Not one that may be repeated.
                    let answer = sender.send_request(request("POST", "/echo", "body")).await.unwrap();
                    names.push(read(answer).await.unwrap().name());
                }
                names
            })
        })
        .collect();
    until(|| blue.requests() > 50).await;
    let (old, new) = ([running.upstream(0)], [standby]);
    running.pool.replace(&old, &new);
    assert_eq!(old[0].drained(PATIENCE).await, 0);
    let last = blue.requests();
    until(|| green.requests() > 50).await;
    running.pool.replace(&new, &old);
    until(|| blue.requests() > last + 50).await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        let names = client.await.unwrap();
        assert!(names.iter().any(|name| name == "blue") && names.iter().any(|name| name == "green"));
    }
}

#[tokio::test]
async fn nothing_that_may_be_repeated_fails_when_a_server_dies() {
    let (a, b) = (Server::start("a").await, Server::start("b").await);
    let running = gateway(settings(""), &[a.address, b.address]).await;
    let address = running.address;
    let asking: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn(async move {
                let mut sender = connect(address).await;
                for _ in 0..60 {
                    let answer = read(sender.send_request(get("/wait/5")).await.unwrap()).await.unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            })
        })
        .collect();
    until(|| a.requests() > 60).await;
    a.kill();
    for client in asking {
        client.await.unwrap();
    }
    assert!(running.upstream(0).counts().failures > 0, "some were under way");
    assert!(b.requests() > 300, "{}", b.requests());
}

#[tokio::test]
async fn numbers_tell_what_was_passed_on() {
    let metrics = platform::server::metrics::Metrics::of_process();
    let server = Server::start("a").await;
    let running = gateway(settings(""), &[server.address]).await;
    ask(running.address, get("/echo")).await;
    server.set_status(500);
    ask(running.address, request("POST", "/echo", "")).await;
    let is_told = |line: &str| metrics.render().lines().any(|told| told.starts_with(line));
    until(|| is_told("gateway_upstreams{state=\"healthy\"} 1")).await;
    for line in [
        "gateway_requests_total{method=\"GET\",status=\"200\"} 1",
        "gateway_requests_total{method=\"POST\",status=\"500\"} 1",
        "gateway_request_duration_seconds_count{method=\"GET\"} 1",
        "gateway_retries_total 0",
        "gateway_in_flight 0",
    ] {
        assert!(is_told(line), "{line}\n{}", metrics.render());
    }
}
