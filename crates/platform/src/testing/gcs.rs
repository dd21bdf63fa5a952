//! A stand-in for Google Cloud Storage, in memory: the requests of its XML API that a store of objects makes, answered as Google
//! documents them. No server of Google's can be had for tests; signatures are not looked at.
#![expect(clippy::missing_panics_doc, reason = "a test whose server does not start fails")]

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Query, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};

use crate::storage::{Store, StoreOptions};

const BUCKET: &str = "bucket";

/// A time as good as any, in the two forms that answers have.
const MODIFIED: &str = "Sat, 01 Jan 2000 00:00:00 GMT";
const MODIFIED_ISO: &str = "2000-01-01T00:00:00.000Z";

/// A server with one bucket, for as long as the runtime of the test lives.
#[derive(Debug, Clone)]
pub struct GcsServer {
    address: SocketAddr,
}

#[derive(Debug, Default)]
struct Bucket {
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, Upload>,
}

#[derive(Debug, Default)]
struct Upload {
    key: String,
    parts: BTreeMap<u32, Bytes>,
}

type Shared = Arc<Mutex<Bucket>>;

impl GcsServer {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.unwrap_or_else(|error| panic!("no port for a server: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("no address: {error}"));
        let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable());
        let router = router.with_state(Shared::default());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address }
    }

    /// Its bucket, where keys begin with `/prefix`.
    pub fn store_at(&self, path: &str) -> Store {
        let url = format!("gs://{BUCKET}{path}").parse().unwrap_or_else(|error| panic!("{error}"));
        let options = StoreOptions { url, ca_file: None, timeout: Duration::from_secs(20) };
        let address = format!("http://{}", self.address);
        // An account of the crate's own kind, which asks for no token.
        let account = serde_json::json!({
            "gcs_base_url": address, "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""
        });
        let variables = |name: &str| {
            Ok(match name {
                "GOOGLE_BASE_URL" => Some(address.clone().into()),
                "GOOGLE_SERVICE_ACCOUNT_KEY" => Some(account.to_string().into()),
                _ => None,
            })
        };
        Store::open(&options, &variables).unwrap_or_else(|error| panic!("{error}"))
    }
}

async fn answer(
    State(bucket): State<Shared>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    (headers, body): (HeaderMap, Bytes),
) -> Response {
    let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(key) = uri.path().strip_prefix(&format!("/{BUCKET}")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Keys come as one word of the path; those of objects have nothing else to be encoded.
    let key = key.trim_start_matches('/').replace("%2F", "/");
    match (method.as_str(), query.get("uploadId"), query.get("partNumber")) {
        ("GET", None, None) if query.contains_key("uploads") => bucket.list_uploads(),
        ("GET", None, None) if key.is_empty() => bucket.list(query.get("prefix").map_or("", String::as_str)),
        ("POST", None, None) if query.contains_key("uploads") => bucket.begin(key),
        ("PUT", Some(id), Some(number)) => bucket.put_part(id, number, body),
        ("POST", Some(id), None) => bucket.complete(id),
        ("DELETE", Some(id), None) => {
            let is_there = bucket.uploads.remove(id).is_some();
            if is_there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }.into_response()
        }
        ("PUT", None, None) => bucket.put(key, &headers, body),
        ("GET" | "HEAD", None, None) => bucket.get(&key, &headers),
        ("DELETE", None, None) => {
            let is_there = bucket.objects.remove(&key).is_some();
            if is_there { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }.into_response()
        }
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", blake3::hash(bytes).to_hex())
}

impl Bucket {
    fn put(&mut self, key: String, headers: &HeaderMap, body: Bytes) -> Response {
        let is_new_only = headers.get("x-goog-if-generation-match").is_some_and(|generation| generation == "0");
        if is_new_only && self.objects.contains_key(&key) {
            return StatusCode::PRECONDITION_FAILED.into_response();
        }
        let tag = tag(&body);
        self.objects.insert(key, body);
        ([(header::ETAG.as_str(), tag), ("x-goog-generation", "1".to_owned())], "").into_response()
    }

    fn get(&self, key: &str, headers: &HeaderMap) -> Response {
        let Some(bytes) = self.objects.get(key) else { return StatusCode::NOT_FOUND.into_response() };
        let about = [(header::ETAG, tag(bytes)), (header::LAST_MODIFIED, MODIFIED.to_owned())];
        let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
        let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
            return (about, bytes.clone()).into_response();
        };
        let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        if first >= bytes.len() || last < first {
            return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
        }
        let last = last.min(bytes.len() - 1);
        let place = format!("bytes {first}-{last}/{}", bytes.len());
        let part = bytes.slice(first..=last);
        (StatusCode::PARTIAL_CONTENT, about, [(header::CONTENT_RANGE, place)], part).into_response()
    }

    fn list(&self, prefix: &str) -> Response {
        let mut text = String::from("<ListBucketResult>");
        for (key, bytes) in self.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let size = bytes.len();
            let _ = write!(
                text,
                "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{MODIFIED_ISO}</LastModified></Contents>"
            );
        }
        (text + "</ListBucketResult>").into_response()
    }

    fn list_uploads(&self) -> Response {
        let mut text = String::from("<ListMultipartUploadsResult>");
        for (id, Upload { key, .. }) in &self.uploads {
            let _ = write!(
                text,
                "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{MODIFIED_ISO}</Initiated></Upload>"
            );
        }
        (text + "</ListMultipartUploadsResult>").into_response()
    }

    fn begin(&mut self, key: String) -> Response {
        let id = format!("upload-{}-{}", self.uploads.len(), blake3::hash(key.as_bytes()).to_hex());
        let text = format!(
            "<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>\
             </InitiateMultipartUploadResult>"
        );
        self.uploads.insert(id, Upload { key, ..Upload::default() });
        text.into_response()
    }

    fn put_part(&mut self, id: &str, number: &str, body: Bytes) -> Response {
        let (Some(upload), Ok(number)) = (self.uploads.get_mut(id), number.parse()) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let tag = tag(&body);
        upload.parts.insert(number, body);
        ([(header::ETAG, tag)], "").into_response()
    }

    fn complete(&mut self, id: &str) -> Response {
        let Some(Upload { key, parts }) = self.uploads.remove(id) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let whole = Bytes::from(parts.into_values().collect::<Vec<_>>().concat());
        let text = format!(
            "<CompleteMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{key}</Key><ETag>{}</ETag>\
             </CompleteMultipartUploadResult>",
            blake3::hash(&whole).to_hex()
        );
        self.objects.insert(key, whole);
        ([("x-goog-generation", "1")], text).into_response()
    }
}
