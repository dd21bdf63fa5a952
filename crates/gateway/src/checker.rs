//! Asks every upstream again and again whether it is well.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http_body_util::Empty;
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1,
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::note_upstreams,
    pool::Pool,
    upstream::{Health, Role, Upstream, UpstreamId},
};

/// How soon one is asked again that was never found well: it is starting, and somebody waits for it.
const FIRST_INTERVAL: Duration = Duration::from_millis(100);
/// How often the numbers are written, and connections that nobody uses closed.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Checks the upstreams of a pool for as long as it is not dropped.
pub(crate) async fn run(pool: Pool, idle_connection: Duration) {
    let mut changes = pool.subscribe();
    let mut checks: HashMap<UpstreamId, CancellationToken> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut upkeep = interval(UPKEEP_INTERVAL);
    upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let upstreams = pool.upstreams();
        checks.retain(|id, stop| {
            let is_there = upstreams.iter().any(|upstream| upstream.id() == *id);
            if !is_there {
                stop.cancel();
            }
            is_there
        });
        for upstream in upstreams.iter() {
            checks.entry(upstream.id()).or_insert_with(|| {
                let stop = CancellationToken::new();
                tasks.spawn(stop.clone().run_until_cancelled_owned(check_forever(upstream.clone())));
                stop
            });
        }
        drop(upstreams);
        tokio::select! {
            _ = changes.changed() => {}
            _ = upkeep.tick() => {
                note_upstreams(&pool);
                pool.upstreams().iter().for_each(|upstream| upstream.idle_connections().close_older(idle_connection));
                while tasks.try_join_next().is_some() {}
            }
        }
    }
}

async fn check_forever(upstream: Arc<Upstream>) {
    loop {
        match check(&upstream).await {
            Ok(()) => upstream.pass_check(),
            Err(reason) => {
                if upstream.health() == Health::Healthy && upstream.role() == Role::Serving {
                    tracing::warn!(upstream = %upstream.address(), reason, "a check failed");
                }
                upstream.fail_check();
            }
        }
        let rules = upstream.rules();
        let is_starting = upstream.health() == Health::Unchecked;
        sleep(if is_starting { FIRST_INTERVAL.min(rules.interval()) } else { rules.interval() }).await;
    }
}

/// Asks one upstream, over a connection of its own: that it takes connections is part of being well.
async fn check(upstream: &Upstream) -> Result<(), String> {
    let limit = upstream.rules().timeout();
    match timeout(limit, ask(upstream)).await {
        Ok(Ok(status)) if status.is_success() => Ok(()),
        Ok(Ok(status)) => Err(format!("it answered {status}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} ms", limit.as_millis())),
    }
}

#[derive(Debug, thiserror::Error)]
enum CheckFault {
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("the address is no header: {0}")]
    Address(#[from] hyper::http::Error),
}

async fn ask(upstream: &Upstream) -> Result<hyper::StatusCode, CheckFault> {
    let address = upstream.address();
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::Builder::new().handshake(TokioIo::new(stream)).await?;
    let request = Request::get(upstream.rules().path.as_str())
        .header(header::HOST, address.to_string())
        .header(header::USER_AGENT, HeaderValue::from_static("pressroom-gateway"))
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .body(Empty::<Bytes>::new())?;
    // Both are dropped together: no connection outlives its check.
    let mut answer = std::pin::pin!(sender.send_request(request));
    tokio::select! {
        answer = answer.as_mut() => return Ok(answer?.status()),
        ended = connection => ended?,
    }
    // The upstream closed it after its answer, or without one, which is said here.
    Ok(answer.await?.status())
}
