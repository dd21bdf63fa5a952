//! Stores that are slow, away, full, or let nobody in.

use std::time::{Duration, Instant};

use axum::{Router, http::StatusCode};
use kernel::ErrorKind;
use object_store::memory::InMemory;

use super::*;
use crate::{
    storage::{StoreOptions, StoreUrl},
    testing::{Fault, FaultyStore, S3Server},
};

fn faulty(fault: Fault) -> Objects {
    Objects::of_store(Arc::new(FaultyStore::new(Arc::new(InMemory::new()), fault)), ids())
}

/// A store of the S3 kind at this address, which has a second to answer.
fn s3_at(endpoint: &str) -> Objects {
    let url: StoreUrl = "s3://bucket".parse().unwrap();
    let endpoint = endpoint.to_owned();
    let variables = move |name: &str| {
        let value = match name {
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("of-a-test".to_owned()),
            "AWS_ENDPOINT_URL" => Some(endpoint.clone()),
            _ => None,
        };
        Ok(value.map(SecretString::from))
    };
    let options = StoreOptions { url, ca_file: None, timeout: Duration::from_secs(1) };
    plain(Store::open(&options, &variables).unwrap())
}

/// A server that answers everything with this.
async fn answering(status: StatusCode, text: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(move || std::future::ready((status, text)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_store_that_fails_every_third_call_fails_some_writes_and_harms_none() {
    let objects = faulty(Fault::EveryNth(3));
    let bytes = noise(11 * 1024 * 1024);
    let (mut written, mut failed) = (Vec::new(), 0);
    for round in 0..12 {
        let size = if round % 2 == 0 { bytes.len() } else { 1000 };
        match objects.put(bytes[..size].to_vec()).await {
            Ok(located) => written.push(located),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                assert!(error.retry_after().is_some());
                failed += 1;
            }
        }
    }
    assert!(failed > 0 && !written.is_empty(), "{failed} failed, {} written", written.len());
    let mut expected: Vec<_> = written.iter().map(|located| located.object).collect();
    expected.sort_unstable();
    assert_eq!(listed(&objects).await, expected, "nothing half");
    for located in written {
        let size = usize::try_from(located.size_bytes).unwrap();
        let mut tried = read(&objects, located, 0..located.size_bytes).await;
        if tried.is_err() {
            tried = read(&objects, located, 0..located.size_bytes).await;
        }
        assert!(tried.unwrap() == bytes[..size]);
    }
}

#[tokio::test]
async fn a_slow_store_only_takes_its_time() {
    conforms(&faulty(Fault::Slow(Duration::from_millis(5))), Conditions::Kept).await;
}

#[tokio::test]
async fn a_full_store_says_so_whatever_is_written() {
    let objects = faulty(Fault::Full);
    for size in [10, 11 * 1024 * 1024] {
        let full = objects.put(noise(size)).await.unwrap_err();
        assert!(matches!(full, StorageError::DiskFull), "{full}");
    }
    for (status, text) in [(507, ""), (403, "<Error><Code>QuotaExceeded</Code></Error>")] {
        let objects = s3_at(&answering(StatusCode::from_u16(status).unwrap(), text).await);
        let full = objects.put(b"some".to_vec()).await.unwrap_err();
        assert!(matches!(full, StorageError::DiskFull), "{}", full.explain());
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_tried_again_and_then_told() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [format!("http://{free}"), answering(StatusCode::SERVICE_UNAVAILABLE, "SlowDown").await] {
        let objects = s3_at(&endpoint);
        for away in [objects.ping().await.unwrap_err(), objects.put(b"some".to_vec()).await.unwrap_err()] {
            assert_eq!(away.kind(), ErrorKind::Unavailable, "{}", away.explain());
        }
    }
}

#[tokio::test]
async fn a_store_that_never_answers_makes_an_error_and_no_hang() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    let (objects, begun) = (s3_at(&endpoint), Instant::now());
    let (ping, put) = tokio::join!(objects.ping(), objects.put(b"some".to_vec()));
    assert_eq!(ping.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    silent.abort();
}

#[tokio::test]
async fn a_store_that_knows_no_conditions_is_written_to_without() {
    let objects = s3_at(&answering(StatusCode::NOT_IMPLEMENTED, "").await);
    let refused = objects.put(b"some".to_vec()).await.unwrap_err();
    // Asked with the condition, then without: the second answer counts.
    assert!(matches!(refused, StorageError::Store(_)), "{}", refused.explain());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_hears_so_and_a_server_that_comes_back_is_used_again() {
    let server = S3Server::start();
    let objects = plain(server.store());
    let stored = objects.put(b"some bytes".to_vec()).await.unwrap();
    let wrong = |name: &str| {
        let value = if name == "AWS_SECRET_ACCESS_KEY" { Some("wrong".to_owned()) } else { server.variable(name) };
        Ok(value.map(SecretString::from))
    };
    let stranger = plain(Store::open(&server.options(""), &wrong).unwrap());
    for denied in [stranger.ping().await.unwrap_err(), stranger.put(b"some".to_vec()).await.unwrap_err()] {
        assert!(matches!(denied, StorageError::Denied(_)), "{}", denied.explain());
        assert_eq!(denied.kind(), ErrorKind::Missing);
        assert!(!denied.to_string().contains("localhost"), "where the store is, is for the log: {denied}");
    }
    server.stop();
    let options = StoreOptions { timeout: Duration::from_secs(1), ..server.options("") };
    let hasty = plain(Store::open(&options, &server.variables()).unwrap());
    assert_eq!(hasty.ping().await.unwrap_err().kind(), ErrorKind::Unavailable);
    server.restart();
    assert_eq!(read(&objects, stored, 0..10).await.unwrap(), b"some bytes");
}
