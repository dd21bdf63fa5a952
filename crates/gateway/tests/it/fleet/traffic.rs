//! Clients in front of a fleet whose instances come, go and are replaced: nobody notices.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use gateway::{
    Gateway, Surroundings,
    fleet::{Outcome, Phase, Scale, Seconds},
    settings::GatewaySettings,
};
use kernel::{SeededRng, SystemClock, TimeOrderedIds};
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tungstenite::Message;

use super::yard::{Running, Yard, client, signal};

/// A gateway in front of a fleet.
async fn front(running: &Running) -> SocketAddr {
    let mut settings = GatewaySettings::default();
    settings.listen.address = SocketAddr::from(([127, 0, 0, 1], 0));
    let clock = Arc::new(SystemClock);
    let ids = Arc::new(TimeOrderedIds::new(clock.clone(), Arc::new(SeededRng::new(1))));
    let gateway = Gateway::bind(settings, running.pool.clone(), Surroundings { clock, ids }).await.unwrap();
    let address = gateway.address().unwrap();
    tokio::spawn(gateway.run(CancellationToken::new()));
    address
}

/// Clients that ask without a pause until they are told to stop.
struct Crowd {
    enough: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: JoinSet<Vec<String>>,
}

impl Crowd {
    fn gather(count: usize, url: &str) -> Self {
        let mut crowd = Self { enough: Arc::default(), answered: Arc::default(), clients: JoinSet::new() };
        let client = client();
        for _ in 0..count {
            let (enough, answered) = (crowd.enough.clone(), crowd.answered.clone());
            let (client, url) = (client.clone(), url.to_owned());
            crowd.clients.spawn(async move {
                let mut failures = Vec::new();
                while !enough.load(Ordering::Relaxed) {
                    match client.get(&url).send().await.and_then(reqwest::Response::error_for_status) {
                        Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => failures.push(format!("{error:?}")),
                    }
                }
                failures
            });
        }
        crowd
    }

    /// How many were answered, all of them well.
    async fn disperse(self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        let failures = self.clients.join_all().await.concat();
        assert_eq!(failures, Vec::<String>::new());
        self.answered.load(Ordering::Relaxed)
    }
}

/// A body that is sent piece by piece.
struct Upload(TcpStream);

impl Upload {
    async fn begin(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /upload HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut upload = Self(stream);
        upload.piece().await;
        upload
    }

    async fn piece(&mut self) {
        let piece = format!("3e8\r\n{}\r\n", "x".repeat(1000));
        self.0.write_all(piece.as_bytes()).await.unwrap();
    }

    async fn end(mut self) -> String {
        self.0.write_all(b"0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

/// A web socket, and what it is greeted with.
fn greet(address: SocketAddr) -> (tungstenite::WebSocket<std::net::TcpStream>, String) {
    let stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut socket, _) = tungstenite::client(format!("ws://{address}/echo"), stream).unwrap();
    let greeting = socket.read().unwrap().into_text().unwrap().to_string();
    (socket, greeting)
}

fn echo(socket: &mut tungstenite::WebSocket<std::net::TcpStream>) {
    socket.send(Message::text("still there?")).unwrap();
    assert_eq!(socket.read().unwrap().into_text().unwrap().as_str(), "still there?");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deploy_under_requests_with_a_socket_and_an_upload_open_loses_nothing() {
    let yard = Yard::new();
    let running = yard.start();
    running.settled(2).await;
    let address = front(&running).await;
    let (mut socket, greeting) = tokio::task::spawn_blocking(move || greet(address)).await.unwrap();
    assert_eq!(greeting, "blue");
    let mut upload = Upload::begin(address).await;
    let crowd = Crowd::gather(4, &format!("http://{address}/"));
    running.fleet.deploy(&yard.program("green", "")).unwrap();
    running
        .wait("the old ones to drain", |status| {
            let told =
                status.deployment.as_ref()?.events.iter().any(|event| event.message.contains("finishes what it has"));
            let drains = status.instances.iter().any(|each| each.state == Phase::Draining && each.in_flight > 0);
            (told && drains).then_some(())
        })
        .await;
    upload.piece().await;
    let (socket, greeting) = tokio::task::spawn_blocking(move || {
        echo(&mut socket);
        (socket, greet(address).1)
    })
    .await
    .unwrap();
    assert_eq!(greeting, "green", "a new socket meets the new program");
    assert_eq!(running.fleet.deployment().unwrap().outcome, Outcome::Running, "the old one waits for the upload");
    let answer = upload.end().await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("blue 2000"), "{answer}");
    drop(socket);
    let report =
        running.wait("the end", |status| status.deployment.clone().filter(|it| it.outcome != Outcome::Running)).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    let answered = crowd.disperse().await;
    assert!(answered > 200, "{answered}");
    assert_eq!(running.names().await, ["green", "green"]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_program_that_fails_requests_after_the_switch_is_taken_back() {
    let mut yard = Yard::new();
    yard.settings.deploy.watch_s = Seconds::whole(30);
    let running = yard.start();
    running.settled(2).await;
    let url = format!("http://{}/", front(&running).await);
    let asking = tokio::spawn({
        let url = url.clone();
        async move {
            let client = client();
            loop {
                let _ = client.get(&url).send().await;
            }
        }
    });
    running.fleet.deploy(&yard.program("green", "--sick-after-requests 20")).unwrap();
    let report =
        running.wait("the end", |status| status.deployment.clone().filter(|it| it.outcome != Outcome::Running)).await;
    asking.abort();
    assert_eq!(report.outcome, Outcome::Failed);
    let reason = report.reason.unwrap();
    assert!(reason.contains("% of its requests fail"), "{reason}");
    running.settled(2).await;
    let crowd = Crowd::gather(2, &url);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(crowd.disperse().await > 0);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn half_the_instances_die_and_come_back_and_nobody_hears_of_it() {
    let yard = Yard::new();
    let running = yard.start();
    let victim = running.settled(2).await.remove(0);
    let crowd = Crowd::gather(4, &format!("http://{}/", front(&running).await));
    signal(victim.pid.unwrap(), Signal::KILL);
    running
        .wait("it to be gone", |status| status.instances.iter().all(|each| each.name != victim.name).then_some(()))
        .await;
    running.settled(2).await;
    assert!(crowd.disperse().await > 0);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn more_requests_bring_more_instances_and_their_end_takes_them_away() {
    let mut yard = Yard::new();
    (yard.settings.instances.min, yard.settings.instances.max) = (1, 3);
    let second = Seconds::whole(1);
    let scaling = &mut yard.settings.scaling;
    (scaling.window_s, scaling.hold_s, scaling.cooldown_s, scaling.target_in_flight) = (second, second, second, 2);
    let running = yard.start();
    running.settled(1).await;
    let crowd = Crowd::gather(5, &format!("http://{}/slow?ms=100", front(&running).await));
    running.settled(3).await;
    assert!(crowd.disperse().await > 0);
    running.settled(1).await;
    assert_eq!(running.fleet.status().scale, Scale::Auto);
    running.end().await;
}
