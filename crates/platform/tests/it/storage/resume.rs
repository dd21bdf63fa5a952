//! Uploads over real connections that are cut at any byte, and what a stream of any size takes of memory.

use std::net::SocketAddr;

use kernel::{Rng as _, SeededRng};
use platform::{
    both_databases,
    server::{health::Health, listen::Server, settings::ServerSettings},
    storage::UploadState,
    testing::TestDb,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    desk::{noise, user},
    http::{World, world},
};

/// A server on a socket, which ends with this value.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    _stop: DropGuard,
}

pub(crate) async fn serve(world: &World) -> Running {
    let settings = ServerSettings { listen: "127.0.0.1:0".parse().unwrap(), ..world.parts.settings.clone() };
    let server = Server::bind(&settings).await.unwrap();
    let (address, stop) = (server.address().unwrap(), CancellationToken::new());
    tokio::spawn(server.run(world.server.router.clone(), Health::default(), stop.clone()));
    Running { address, _stop: stop.drop_guard() }
}

fn head(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer user-1\r\ntus-resumable: 1.0.0\r\n{more}\r\n")
}

/// The status and the headers of an answer without a body.
async fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        read.push(byte[0]);
    }
    let text = String::from_utf8(read).unwrap().to_lowercase();
    (text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), text)
}

fn header<'a>(headers: &'a str, name: &str) -> &'a str {
    let line = headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("{name} is not in {headers}"))
}

async fn ask(address: SocketAddr, request: String) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    answer(&mut stream).await
}

/// How many bytes of the upload are here.
async fn offset(address: SocketAddr, place: &str) -> usize {
    let (status, headers) = ask(address, head("HEAD", place, "")).await;
    assert_eq!(status, 200, "{headers}");
    header(&headers, "upload-offset").parse().unwrap()
}

/// Sends all that is missing.
async fn send_rest(address: SocketAddr, place: &str, missing: &[u8], from: usize) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head("PATCH", place, &piece(missing.len(), from)).as_bytes()).await.unwrap();
    // Whoever is refused before the end need not be listened to.
    let _ = stream.write_all(missing).await;
    answer(&mut stream).await
}

fn piece(length: usize, from: usize) -> String {
    format!("content-type: application/offset+octet-stream\r\nupload-offset: {from}\r\ncontent-length: {length}\r\n")
}

/// Sends `sent` bytes of what is missing, all of it announced, and cuts the connection.
async fn send_and_cut(address: SocketAddr, place: &str, missing: &[u8], sent: usize, from: usize) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head("PATCH", place, &piece(missing.len(), from)).as_bytes()).await.unwrap();
    stream.write_all(&missing[..sent]).await.unwrap();
    stream.flush().await.unwrap();
}

both_databases! {
    async fn two_hundred_uploads_cut_anywhere_go_on_and_are_whole(test: &TestDb) {
        let world = world(test).await;
        let running = serve(&world).await;
        let rng = SeededRng::new(42);
        for number in 0..200_u64 {
            let length = 1 + usize::try_from(rng.below(200_000)).unwrap();
            let bytes = noise(number, length);
            let (status, headers) =
                ask(running.address, head("POST", "/api/v1/uploads", &format!("upload-length: {length}\r\ncontent-length: 0\r\n"))).await;
            assert_eq!(status, 201, "{headers}");
            let place = header(&headers, "location").to_owned();
            let (mut here, mut most) = (0, 0);
            // Two cuts, then to the end.
            for _ in 0..2 {
                let sent = usize::try_from(rng.below((length - here) as u64)).unwrap();
                send_and_cut(running.address, &place, &bytes[here..], sent, here).await;
                most = most.max(here + sent);
                let now = offset(running.address, &place).await;
                assert!((here..=most).contains(&now), "{now} of {most} from {here}");
                here = now;
            }
            let mut refused = 0;
            loop {
                let (status, headers) = send_rest(running.address, &place, &bytes[here..], here).await;
                if status == 204 {
                    break;
                }
                // A connection that was cut before the server had looked at it was looked at later.
                assert!(status == 409 && refused < 5, "upload {number}: {headers}");
                refused += 1;
                here = offset(running.address, &place).await;
            }
            let id = place.rsplit('/').next().unwrap().parse().unwrap();
            let upload = world.desk.files.get_upload(&user(1), id).await.unwrap();
            assert_eq!(upload.state, UploadState::Complete);
            let file = world.desk.files.get(&user(1), upload.file_id()).await.unwrap();
            assert_eq!((file.size_bytes, file.hash), (length as u64, blake3::hash(&bytes)), "upload {number}");
        }
        assert_eq!(world.desk.count_objects(), 200, "nothing is left of the pieces");
        drop(running);
    }
}
