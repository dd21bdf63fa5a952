//! Requests that two servers could read differently: each is refused, or reaches the server in one way only.

use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt as _;

use crate::support::{Running, client::say, gateway, settings, upstream::raw};

/// A gateway, and all that its server was sent.
async fn listening() -> (Running, Arc<Mutex<String>>) {
    let heard = Arc::new(Mutex::new(String::new()));
    let all = heard.clone();
    let server = raw(move |mut stream, head| {
        let heard = heard.clone();
        heard.lock().unwrap().extend(["[connection]", &head]);
        async move {
            let mut bytes = [0; 4096];
            while let Ok(Ok(count @ 1..)) =
                tokio::time::timeout(std::time::Duration::from_millis(300), stream.read(&mut bytes)).await
            {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        }
    })
    .await;
    (gateway(settings("[balance]\nretries = 0"), &[server]).await, all)
}

/// What comes of a request that should not be passed on.
async fn refused(text: &str) {
    let (running, heard) = listening().await;
    let answer = say(running.address, text).await;
    let status = answer.get(9..12).unwrap_or("none").to_owned();
    assert!(["400", "405", "501"].contains(&status.as_str()), "{text:?} gave {answer:?}");
    assert_eq!(*heard.lock().unwrap(), "", "{text:?} was passed on");
    running.stop.cancel();
}

#[tokio::test]
async fn two_lengths_are_refused() {
    refused("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd").await;
}

#[tokio::test]
async fn lengths_that_are_no_number_are_refused() {
    for length in ["+3", "-1", "3 4", "0x3", "3,4", "99999999999999999999"] {
        refused(&format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\nabc")).await;
    }
}

#[tokio::test]
async fn encodings_that_do_not_end_in_chunks_are_refused() {
    for encoding in ["gzip", "chunked, gzip", "xchunked", "identity"] {
        refused(&format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: {encoding}\r\n\r\n0\r\n\r\n")).await;
    }
    refused("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn headers_of_odd_form_are_refused() {
    refused("GET / HTTP/1.1\r\nhost: a\r\ncontent-length : 3\r\n\r\nabc").await;
    refused("GET / HTTP/1.1\r\nhost: a\r\n x: folded\r\n\r\n").await;
    refused("GET / HTTP/1.1\r\nhost: a\r\nx-odd: a\rb\r\n\r\n").await;
    refused("GET / HTTP/1.1\r\nhost: a\r\nx\0y: 1\r\n\r\n").await;
}

#[tokio::test]
async fn one_host_is_named_and_it_is_one() {
    refused("GET / HTTP/1.1\r\n\r\n").await;
    refused("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").await;
    refused("GET / HTTP/1.1\r\nhost: a b\r\n\r\n").await;
    refused("GET / HTTP/1.1\r\nhost: a/b\r\n\r\n").await;
}

#[tokio::test]
async fn tunnels_and_traces_are_refused() {
    refused("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n").await;
    refused("TRACE / HTTP/1.1\r\nhost: a\r\n\r\n").await;
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_reach_the_server() {
    for (first, second) in
        [("content-length: 4", "transfer-encoding: chunked"), ("transfer-encoding: chunked", "content-length: 4")]
    {
        let (running, heard) = listening().await;
        let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
        say(running.address, &format!("POST /x HTTP/1.1\r\nhost: a\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n{hidden}"))
            .await;
        let heard = heard.lock().unwrap().clone();
        // Chunks are what counts, so what follows them is a request of its own, with a head that the gateway wrote.
        assert!(heard.starts_with("[connection]POST /x HTTP/1.1\r\n"), "{heard}");
        assert!(!heard.contains("content-length: 4"), "{heard}");
        let second = heard.split("GET /hidden").nth(1).unwrap_or("x-forwarded-for: ");
        assert!(second.contains("x-forwarded-for: "), "{heard}");
    }
}

#[tokio::test]
async fn what_follows_a_body_is_a_request_of_its_own() {
    let (running, heard) = listening().await;
    let text = "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabcGET /second HTTP/1.1\r\nhost: a\r\n\r\n";
    say(running.address, text).await;
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains("\r\n\r\nabc[connection]GET /second"), "{heard}");
}
