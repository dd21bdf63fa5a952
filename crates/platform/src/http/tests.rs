//! The guard against real servers on this machine, and against names that lead where they should not.

use std::{
    collections::HashMap,
    io::{self, Write},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use flate2::{Compression, write::GzEncoder};
use kernel::ErrorKind;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

use super::*;

#[derive(Debug)]
struct Names(HashMap<&'static str, Vec<IpAddr>>);

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.0.get(host).cloned().ok_or_else(|| io::Error::other("no such name"))
    }
}

fn client_for(server: &MockServer) -> HttpClient {
    HttpClient::new(AddressPolicy::AllowLoopbackForTests { port: server.address().port() }).unwrap()
}

fn names(host: &'static str, addresses: &[&str]) -> Arc<Names> {
    Arc::new(Names([(host, addresses.iter().map(|address| address.parse().unwrap()).collect())].into()))
}

async fn serve(at: &str, response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).and(path(at)).respond_with(response).mount(&server).await;
    server
}

fn page(body: &[u8]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "text/html; charset=utf-8")
}

const SMALL: FetchLimits = FetchLimits { max_bytes: 1000, timeout: Duration::from_secs(20), ..FetchLimits::PAGE };

#[tokio::test]
async fn a_page_is_fetched_through_a_redirect() {
    let server = serve("/new", page("<p>Grüße</p>".as_bytes())).await;
    let redirect = ResponseTemplate::new(302).insert_header("location", "/new");
    Mock::given(path("/old")).respond_with(redirect).mount(&server).await;
    let fetched = client_for(&server).fetch_text(&format!("{}/old", server.uri()), &SMALL).await.unwrap();
    assert_eq!(fetched.final_url.path(), "/new");
    assert_eq!((fetched.content_type.as_str(), fetched.body.as_str()), ("text/html", "<p>Grüße</p>"));
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_in_any_spelling() {
    let client = HttpClient::new(AddressPolicy::PublicOnly).unwrap();
    let urls = [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0/",
        "http://10.0.0.1/",
        "http://[fd00:ec2::254]/",
        "https://192.168.1.1:8443/",
        "http://①②⑦.0.0.1/",
    ];
    for url in urls {
        let error = client.fetch_text(url, &SMALL).await.unwrap_err();
        assert!(matches!(error, HttpError::NotPublic { .. }), "{url}: {error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn redirects_to_addresses_that_are_not_public_are_refused() {
    for target in
        ["http://127.0.0.1:1/", "http://169.254.169.254/", "http://[::1]/", "http://0x7f000001/", "//10.0.0.1/"]
    {
        let server = serve("/", ResponseTemplate::new(301).insert_header("location", target)).await;
        let error = client_for(&server).fetch_text(&server.uri(), &SMALL).await.unwrap_err();
        assert!(matches!(error, HttpError::NotPublic { .. }), "{target}: {error}");
    }
}

#[tokio::test]
async fn redirects_to_other_schemes_are_refused() {
    for target in ["file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "data:text/html,x"] {
        let server = serve("/", ResponseTemplate::new(301).insert_header("location", target)).await;
        let error = client_for(&server).fetch_text(&server.uri(), &SMALL).await.unwrap_err();
        assert!(matches!(error, HttpError::BadUrl { .. }), "{target}: {error}");
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused() {
    for inside in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:192.168.0.1", "fd00::1"] {
        let client = HttpClient::with_lookup(AddressPolicy::PublicOnly, names("site.example", &[inside])).unwrap();
        let error = client.fetch_text("http://site.example/", &SMALL).await.unwrap_err();
        assert!(matches!(error, HttpError::NotPublic { .. }), "{inside}: {error}");
    }
}

#[tokio::test]
async fn of_several_addresses_only_the_allowed_are_tried() {
    let server = serve("/", page(b"here")).await;
    let policy = AddressPolicy::AllowLoopbackForTests { port: 0 };
    let client = HttpClient::with_lookup(policy, names("site.example", &["10.255.255.1", "127.0.0.1"])).unwrap();
    let url = format!("http://site.example:{}/", server.address().port());
    assert_eq!(client.fetch_text(&url, &SMALL).await.unwrap().body, "here");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_not_found() {
    let client = HttpClient::with_lookup(AddressPolicy::PublicOnly, names("a.example", &[])).unwrap();
    for url in ["http://b.example/", "http://a.example/"] {
        let error = client.fetch_text(url, &SMALL).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

#[tokio::test]
async fn redirects_without_end_are_left() {
    let server = serve("/", ResponseTemplate::new(307).insert_header("location", "/")).await;
    let error = client_for(&server).fetch_text(&server.uri(), &SMALL).await.unwrap_err();
    assert!(matches!(error, HttpError::TooManyRedirects { .. }), "{error}");
    assert_eq!(server.received_requests().await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_body_larger_than_allowed_is_left() {
    let server = serve("/", page(&[b'x'; 1001])).await;
    let error = client_for(&server).fetch_text(&server.uri(), &SMALL).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error}");
    let server = serve("/", page(&[b'x'; 1000])).await;
    assert_eq!(client_for(&server).fetch_text(&server.uri(), &SMALL).await.unwrap().body.len(), 1000);
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_a_huge_one_is_left() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&vec![0; 20_000_000]).unwrap();
    let packed = gzip.finish().unwrap();
    assert!(packed.len() < 50_000);
    let server = serve("/", page(&packed).insert_header("content-encoding", "gzip")).await;
    let limits = FetchLimits { max_bytes: 50_000, ..SMALL };
    let error = client_for(&server).fetch_text(&server.uri(), &limits).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_never_ends_is_left_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = socket.read(&mut request).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n").await;
        while socket.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let client = HttpClient::new(AddressPolicy::AllowLoopbackForTests { port }).unwrap();
    let limits = FetchLimits { timeout: Duration::from_millis(400), ..SMALL };
    let error = client.fetch_text(&format!("http://127.0.0.1:{port}/"), &limits).await.unwrap_err();
    assert!(matches!(error, HttpError::TimedOut { .. }), "{error}");
    serving.abort();
}

#[tokio::test]
async fn what_is_no_text_is_refused_by_its_type() {
    for content_type in ["image/png", "application/octet-stream", "text/html-not"] {
        let server = serve("/", ResponseTemplate::new(200).set_body_raw("x", content_type)).await;
        let error = client_for(&server).fetch_text(&server.uri(), &SMALL).await.unwrap_err();
        assert!(matches!(error, HttpError::ContentType { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_server_is_told() {
    for (status, kind) in [(404, ErrorKind::NotFound), (403, ErrorKind::Invalid), (503, ErrorKind::Unavailable)] {
        let server = serve("/", ResponseTemplate::new(status)).await;
        let error = client_for(&server).fetch_text(&server.uri(), &SMALL).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test]
async fn passwords_are_not_told() {
    let client = HttpClient::new(AddressPolicy::PublicOnly).unwrap();
    for url in ["http://me:secret@127.0.0.1/", "me:secret@nowhere", "http://me:secret@[bad/"] {
        let error = client.fetch_text(url, &SMALL).await.unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

const LARGE: DownloadLimits = DownloadLimits { max_bytes: 10_000_000, stall: Duration::from_secs(5) };

/// Serves `body` once for each of `sent`: so many bytes of what was asked for, then nothing more. Gives the requests.
async fn serve_cut(body: Vec<u8>, etag: &'static str, sent: Vec<usize>) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let mut requests = Vec::new();
        for count in sent {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap().to_ascii_lowercase();
            let range = request.split_once("range: bytes=").and_then(|(_, rest)| rest.split('-').next()?.parse().ok());
            let same = request.contains(&format!("if-range: {etag}"));
            let from: usize = range.filter(|_| same).unwrap_or(0);
            let rest = &body[from..];
            let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
            let (length, last, whole) = (rest.len(), body.len() - 1, body.len());
            let head = format!(
                "HTTP/1.1 {status}\r\netag: {etag}\r\ncontent-length: {length}\r\ncontent-range: bytes {from}-{last}/{whole}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&rest[..count.min(rest.len())]).await.unwrap();
            requests.push(request);
        }
        requests
    });
    (port, serving)
}

async fn download(port: u16, target: &std::path::Path) -> Result<String, HttpError> {
    let client = HttpClient::new(AddressPolicy::AllowLoopbackForTests { port }).unwrap();
    client.download(&format!("http://127.0.0.1:{port}/model.bin"), target, LARGE, &|_| {}).await
}

fn body() -> Vec<u8> {
    (0..300_000u32).flat_map(u32::to_le_bytes).collect()
}

#[tokio::test]
async fn a_download_that_was_cut_off_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("model.bin");
    let (port, serving) = serve_cut(body(), "\"one\"", vec![500_000, usize::MAX]).await;
    download(port, &target).await.unwrap_err();
    assert!(!target.exists());
    let sum = download(port, &target).await.unwrap();
    assert!(std::fs::read(&target).unwrap() == body(), "the file is another");
    assert_eq!(sum, "552a438886f75fd5e70ff6ad0671698758af0a126388ab130f4eb85c0cf6c725");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let requests = serving.await.unwrap();
    assert!(!requests[0].contains("range:"), "{}", requests[0]);
    assert!(requests[1].contains("range: bytes=") && requests[1].contains("accept-encoding: identity"));
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_downloaded_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("model.bin");
    let (port, serving) = serve_cut(vec![7; 400_000], "\"old\"", vec![100_000]).await;
    download(port, &target).await.unwrap_err();
    serving.await.unwrap();
    let (port, serving) = serve_cut(body(), "\"new\"", vec![usize::MAX]).await;
    download(port, &target).await.unwrap();
    assert!(std::fs::read(&target).unwrap() == body(), "old and new are mixed");
    assert!(serving.await.unwrap()[0].contains("if-range: \"old\""));
}

#[tokio::test]
async fn a_download_over_the_limit_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (port, _serving) = serve_cut(vec![0; 20_000_000], "\"big\"", vec![usize::MAX]).await;
    let error = download(port, &folder.path().join("model.bin")).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { limit_bytes: 10_000_000, .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
