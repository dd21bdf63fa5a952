//! Uploads in parts that nobody goes on with, which a store of the S3 kind keeps, and lets be paid for, until somebody ends them.
//!
//! The crate has no call that lists them, but signs any request: the list is asked for with an address that it signed.

use std::{fmt, sync::Arc, time::Duration};

use axum::http::{Method, Request, StatusCode};
use chrono::DateTime;
use futures::TryStreamExt as _;
use object_store::{
    client::{HttpClient, HttpRequestBody},
    multipart::MultipartStore,
    path::Path as Key,
    signer::{SignedUrlOptions, Signer},
};
use serde::Deserialize;

/// How long a request for a page of the list may be underway.
const EXPIRY: Duration = Duration::from_mins(5);
/// The most pages of a list that are read in one go, a thousand uploads each.
const MAX_PAGES: usize = 100;
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

const STORE: &str = "part uploads";

/// What finds them, and ends them.
#[derive(Clone)]
pub(in crate::storage) struct PartUploads {
    signer: Arc<dyn Signer>,
    store: Arc<dyn MultipartStore>,
    client: HttpClient,
}

impl fmt::Debug for PartUploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartUploads").finish_non_exhaustive()
    }
}

/// An upload in parts that was begun and neither completed nor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::storage) struct PartUpload {
    pub key: Key,
    id: String,
    /// Milliseconds since the Unix epoch, by the clock of the store.
    pub begun_at_ms: i64,
}

/// A page of the list (`ListMultipartUploads`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    #[serde(default)]
    upload: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    key: String,
    upload_id: String,
    initiated: String,
}

impl PartUploads {
    pub(super) fn new(signer: Arc<dyn Signer>, store: Arc<dyn MultipartStore>, client: HttpClient) -> Self {
        Self { signer, store, client }
    }

    /// Uploads whose keys begin with `prefix` and a slash.
    pub(in crate::storage) async fn list(&self, prefix: &Key) -> object_store::Result<Vec<PartUpload>> {
        let mut found = Vec::new();
        let mut after: Option<(String, String)> = None;
        for _ in 0..MAX_PAGES {
            let page = self.page(prefix, after.as_ref()).await?;
            found.extend(page.upload.into_iter().filter_map(read));
            after = page.next_key_marker.map(|key| (key, page.next_upload_id_marker.unwrap_or_default()));
            if !page.is_truncated || after.is_none() {
                break;
            }
        }
        Ok(found)
    }

    pub(in crate::storage) async fn end(&self, upload: &PartUpload) -> object_store::Result<()> {
        match self.store.abort_multipart(&upload.key, &upload.id).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            ended => ended,
        }
    }

    async fn page(&self, prefix: &Key, after: Option<&(String, String)>) -> object_store::Result<Page> {
        let prefix = format!("{prefix}/");
        let mut query = vec![("uploads", String::new()), ("prefix", prefix)];
        if let Some((key, id)) = after {
            query.extend([("key-marker", key.clone()), ("upload-id-marker", id.clone())]);
        }
        let options = SignedUrlOptions::default().with_query(query);
        let url = self.signer.signed_url_opts(Method::GET, &Key::default(), EXPIRY, &options).await?;
        let request = Request::get(url.as_str()).body(HttpRequestBody::empty()).map_err(|error| fault(error.into()))?;
        let response = self.client.execute(request).await.map_err(|error| fault(error.into()))?;
        let status = response.status();
        let mut text = Vec::new();
        let mut body = response.into_body().bytes_stream();
        while let Some(bytes) = body.try_next().await.map_err(|error| fault(error.into()))? {
            if text.len() + bytes.len() > MAX_PAGE_BYTES {
                return Err(fault(format!("a list of more than {MAX_PAGE_BYTES} bytes").into()));
            }
            text.extend_from_slice(&bytes);
        }
        let text = String::from_utf8_lossy(&text);
        // Servers built on gofakes3 say so where there is none at all.
        if status == StatusCode::NOT_FOUND && text.contains("NoSuchUpload") {
            return Ok(Page::default());
        }
        if !status.is_success() {
            let said: String = text.chars().take(500).collect();
            return Err(fault(format!("the list of uploads was answered with {status}: {said}").into()));
        }
        quick_xml::de::from_str(&text).map_err(|error| fault(error.into()))
    }
}

fn fault(source: Box<dyn std::error::Error + Send + Sync>) -> object_store::Error {
    object_store::Error::Generic { store: STORE, source }
}

/// One that cannot be read is nothing of ours.
fn read(entry: Entry) -> Option<PartUpload> {
    let begun_at_ms = DateTime::parse_from_rfc3339(&entry.initiated).ok()?.timestamp_millis();
    Some(PartUpload { key: Key::parse(entry.key).ok()?, id: entry.upload_id, begun_at_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_as_stores_write_it() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
            <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Bucket>bucket</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker>
              <NextKeyMarker>objects/aa/x</NextKeyMarker><NextUploadIdMarker>two</NextUploadIdMarker>
              <MaxUploads>2</MaxUploads><IsTruncated>true</IsTruncated>
              <Upload><Key>objects/aa/w</Key><UploadId>one</UploadId><Initiator><ID>me</ID></Initiator>
                <StorageClass>STANDARD</StorageClass><Initiated>1970-01-01T00:00:01.000Z</Initiated></Upload>
              <Upload><Key>objects/aa/x</Key><UploadId>two</UploadId><Initiated>whenever</Initiated></Upload>
            </ListMultipartUploadsResult>"#;
        let page: Page = quick_xml::de::from_str(text).unwrap();
        assert!(page.is_truncated);
        assert_eq!(page.next_upload_id_marker.as_deref(), Some("two"));
        let read: Vec<_> = page.upload.into_iter().filter_map(read).collect();
        assert_eq!(read, [PartUpload { key: Key::from("objects/aa/w"), id: "one".to_owned(), begun_at_ms: 1000 }]);
        let none: Page = quick_xml::de::from_str("<ListMultipartUploadsResult/>").unwrap();
        assert!(none.upload.is_empty() && !none.is_truncated);
    }
}
