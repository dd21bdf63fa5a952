//! Web sockets pass through, and count as under way.

use std::{net::TcpStream, time::Duration};

use tungstenite::{Message, WebSocket, client, client::IntoClientRequest as _};

use crate::support::{
    PATIENCE, Running,
    client::{ask, get, say},
    gateway, settings, until,
    upstream::Server,
};

async fn running(text: &str) -> (Running, Server) {
    let server = Server::start("a").await;
    (gateway(settings(text), &[server.address]).await, server)
}

/// A web socket, in a thread that may wait.
async fn open(running: &Running) -> WebSocket<TcpStream> {
    let address = running.address;
    let opening = tokio::task::spawn_blocking(move || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("ws://{address}/socket").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "press".parse().unwrap());
        let (socket, response) = client(request, stream).unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "press");
        socket
    });
    opening.await.unwrap()
}

async fn echo(mut socket: WebSocket<TcpStream>, message: Message) -> WebSocket<TcpStream> {
    let echoing = tokio::task::spawn_blocking(move || {
        socket.send(message.clone()).unwrap();
        assert_eq!(socket.read().unwrap(), message);
        socket
    });
    echoing.await.unwrap()
}

#[tokio::test]
async fn messages_pass_in_both_directions_and_the_socket_is_counted() {
    let (running, _server) = running("").await;
    let socket = echo(open(&running).await, Message::text("hello")).await;
    let mut socket = echo(socket, Message::binary(vec![7; 1 << 20])).await;
    assert_eq!(running.upstream(0).in_flight(), 1);
    tokio::task::spawn_blocking(move || socket.close(None).unwrap()).await.unwrap();
    running.until_quiet().await;
}

#[tokio::test]
async fn a_drained_server_keeps_its_sockets_until_they_end() {
    let (running, _server) = running("").await;
    let socket = open(&running).await;
    let upstream = running.upstream(0);
    running.pool.drain(&upstream);
    assert_eq!(upstream.drained(Duration::from_millis(50)).await, 1);
    let socket = echo(socket, Message::text("still here")).await;
    drop(socket);
    assert_eq!(upstream.drained(PATIENCE).await, 0);
}

#[tokio::test]
async fn a_socket_that_is_silent_for_too_long_is_closed() {
    let (running, _server) = running("[limits]\nstream_idle_s = 1").await;
    let socket = echo(open(&running).await, Message::text("hello")).await;
    until(|| running.upstream(0).in_flight() == 0).await;
    drop(socket);
}

#[tokio::test]
async fn a_server_that_wants_no_socket_answers_as_usual() {
    let (running, _server) = running("").await;
    let text = "GET /echo HTTP/1.1\r\nhost: a\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n";
    let heard = say(running.address, text).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n"), "{heard}");
    // Any other protocol is not asked for at all.
    let heard = say(running.address, &text.replace("websocket", "h2c")).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n") && !heard.contains("[\"upgrade\""), "{heard}");
    assert_eq!(ask(running.address, get("/echo")).await.status, 200);
}
