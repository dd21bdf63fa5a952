//! The operator's address: who is let in, what is told, and how mistakes are answered.

use gateway::{
    admin::{Access, AdminAddress, AdminClient, AdminError, AdminParts, AdminServer, GatewayStatus},
    fleet::{DeploymentReport, Scale},
};
use kernel::ErrorKind;
use platform::server::metrics::Metrics;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::yard::{Running, Yard, client};

const TOKEN: &str = "a token for tests, long enough";

async fn listen(running: &Running, address: &str, access: Access) -> AdminAddress {
    let server = AdminServer::bind(&address.parse().unwrap()).await.unwrap();
    let address = server.address().unwrap();
    let parts = AdminParts {
        access,
        pool: running.pool.clone(),
        fleet: Some(running.fleet.clone()),
        metrics: Metrics::of_process(),
        components: Vec::new(),
    };
    tokio::spawn(server.run(parts, CancellationToken::new()));
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_has_the_token_is_told_anything_and_obeyed() {
    let yard = Yard::new();
    let running = yard.start();
    running.settled(2).await;
    let address = listen(&running, "127.0.0.1:0", Access::Token(TOKEN.to_owned().into())).await;
    for token in [None, Some("another token of some length".to_owned().into())] {
        let stranger = AdminClient::new(address.clone(), token);
        let refused = stranger.get::<Value>("/status").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unauthenticated, "{refused}");
        let program = json!({ "program": yard.program("green", "") });
        assert_eq!(stranger.post::<Value>("/deploy", &program).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
        assert_eq!(
            stranger.post::<Value>("/scale", &json!({"instances": 3})).await.unwrap_err().kind(),
            ErrorKind::Unauthenticated
        );
        let health: Value = stranger.get("/health").await.unwrap();
        assert_eq!(health["state"], "healthy", "{health}");
    }
    assert_eq!(running.fleet.deployment(), None);
    let operator = AdminClient::new(address, Some(TOKEN.to_owned().into()));
    let status: GatewayStatus = operator.get("/status").await.unwrap();
    assert_eq!((status.upstreams.len(), status.faults), (2, Vec::new()));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_scales_deploys_and_reads_numbers_over_a_socket_file() {
    let yard = Yard::new();
    let running = yard.start();
    running.settled(2).await;
    let path = yard.settings.state.join("admin.sock");
    let address = listen(&running, &format!("unix:{}", path.display()), Access::Socket).await;
    let operator = AdminClient::new(address, None);
    let status: GatewayStatus = operator.post("/scale", &json!({ "instances": 3 })).await.unwrap();
    assert_eq!(status.fleet.unwrap().scale, Scale::Fixed(3));
    running.settled(3).await;
    let status: GatewayStatus = operator.post("/scale", &json!({ "instances": "auto" })).await.unwrap();
    assert_eq!(status.fleet.unwrap().scale, Scale::Auto);
    let report: DeploymentReport =
        operator.post("/deploy", &json!({ "program": yard.program("green", "") })).await.unwrap();
    assert_eq!(report.generation, 2);
    let busy = operator.post::<Value>("/scale", &json!({ "instances": 2 })).await.unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Conflict, "{busy}");
    let report: DeploymentReport = operator.post("/rollback", &json!({})).await.unwrap();
    assert_eq!(report.generation, 2);
    running
        .wait("it to be called off", |status| {
            status.deployment.as_ref()?.reason.as_ref().filter(|reason| reason.contains("called off")).map(drop)
        })
        .await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_answered_with_problems() {
    let yard = Yard::new();
    let running = yard.start();
    running.settled(2).await;
    let address = listen(&running, "127.0.0.1:0", Access::Token(TOKEN.to_owned().into())).await;
    let operator = AdminClient::new(address.clone(), Some(TOKEN.to_owned().into()));
    for (path, body, kind) in [
        ("/scale", json!({ "instances": 9 }), ErrorKind::Invalid),
        ("/scale", json!({ "instances": "many" }), ErrorKind::Invalid),
        ("/scale", json!({ "instances": 2, "now": true }), ErrorKind::Invalid),
        ("/deploy", json!({ "program": "relative/path" }), ErrorKind::Invalid),
        ("/deploy", json!({ "program": yard.settings.state }), ErrorKind::Invalid),
        ("/rollback", json!({}), ErrorKind::NotFound),
        ("/nothing", json!({}), ErrorKind::NotFound),
        ("/status", json!({}), ErrorKind::Invalid),
    ] {
        let error = operator.post::<Value>(path, &body).await.unwrap_err();
        assert!(matches!(error, AdminError::Refused { .. }), "{path} {body}: {error}");
        assert_eq!(error.kind(), kind, "{path} {body}: {error}");
    }
    assert_eq!(operator.get::<Value>("/deploy").await.unwrap_err().kind(), ErrorKind::NotFound);
    let answer = client().post(format!("{address}/scale")).bearer_auth(TOKEN).body("x".repeat(100_000));
    let answer = answer.header("content-type", "application/json").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
        (413, "application/problem+json")
    );
    let numbers =
        client().get(format!("{address}/metrics")).bearer_auth(TOKEN).send().await.unwrap().text().await.unwrap();
    for expected in [
        "gateway_upstream_healthy{upstream=",
        "gateway_instances_wanted{} 2",
        "gateway_instance_load{instance=\"g1-1\",generation=\"1\"}",
    ] {
        assert!(numbers.contains(expected), "{numbers}");
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_away_is_told_of_with_what_to_do() {
    let nobody = AdminClient::new("unix:/nowhere/admin.sock".parse().unwrap(), None);
    let error = nobody.get::<Value>("/status").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("--admin"), "{error}");
}
