//! The words of tus 1.0, the protocol of uploads that go on (tus.io/protocols/resumable-upload).

use std::time::{Duration, SystemTime};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    server::problem::{Problem, ProblemType},
    storage::{Checksum, FileName},
};

pub(super) const VERSION: &str = "1.0.0";
pub(super) const EXTENSIONS: &str = "creation,creation-with-upload,expiration,termination,checksum";
/// The media type of pieces.
pub(super) const PIECE: &str = "application/offset+octet-stream";

pub(super) const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const VERSIONS: HeaderName = HeaderName::from_static("tus-version");
pub(super) const EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
pub(super) const MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
pub(super) const CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
pub(super) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");

/// What pages of other origins may send.
pub(crate) const REQUEST_HEADERS: [HeaderName; 5] =
    [RESUMABLE, UPLOAD_LENGTH, UPLOAD_OFFSET, UPLOAD_METADATA, UPLOAD_CHECKSUM];
/// What pages of other origins may read.
pub(crate) const RESPONSE_HEADERS: [HeaderName; 8] =
    [RESUMABLE, VERSIONS, EXTENSION, MAX_SIZE, CHECKSUM_ALGORITHM, UPLOAD_LENGTH, UPLOAD_OFFSET, UPLOAD_EXPIRES];

/// Longer descriptions of an upload are none.
const MAX_METADATA_BYTES: usize = 8192;

/// The headers of a client that speaks this version; others are refused, as the protocol wants it.
#[derive(Debug)]
pub(super) struct TusHeaders(pub HeaderMap);

impl<S: Send + Sync> FromRequestParts<S> for TusHeaders {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if parts.headers.get(RESUMABLE).is_some_and(|version| version == VERSION) {
            return Ok(Self(parts.headers.clone()));
        }
        let detail = format!("send the header `Tus-Resumable: {VERSION}`");
        let problem = Problem::new(ProblemType::PreconditionFailed).detail(detail);
        Err(problem.header(VERSIONS, HeaderValue::from_static(VERSION)))
    }
}

impl TusHeaders {
    /// How long the upload will be.
    pub(super) fn length(&self) -> Result<u64, Problem> {
        if self.0.contains_key(UPLOAD_DEFER_LENGTH) {
            return Err(Problem::parameter("Upload-Defer-Length", "say the length when the upload begins"));
        }
        self.number(&UPLOAD_LENGTH, "Upload-Length")
    }

    /// Where the piece belongs.
    pub(super) fn offset(&self) -> Result<u64, Problem> {
        self.number(&UPLOAD_OFFSET, "Upload-Offset")
    }

    fn number(&self, name: &HeaderName, shown: &str) -> Result<u64, Problem> {
        let text = self.0.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_number { text.parse().ok() } else { None };
        number.ok_or_else(|| Problem::parameter(shown, "send the number of bytes"))
    }

    /// What the piece must hash to, where the client says so.
    pub(super) fn checksum(&self) -> Result<Option<Checksum>, Problem> {
        let Some(value) = self.0.get(UPLOAD_CHECKSUM) else { return Ok(None) };
        let checksum = value.to_str().unwrap_or_default().parse();
        checksum
            .map(Some)
            .map_err(|error: crate::storage::ChecksumError| Problem::from(crate::storage::StorageError::from(error)))
    }

    /// What the file is called.
    pub(super) fn name(&self) -> Result<FileName, Problem> {
        let Some(value) = self.0.get(UPLOAD_METADATA) else { return Ok(FileName::new("")) };
        let fault =
            || Problem::parameter("Upload-Metadata", "send pairs of a key and a value in Base64, with commas between");
        let text = value.to_str().ok().filter(|text| text.len() <= MAX_METADATA_BYTES).ok_or_else(fault)?;
        let name = find_metadata(text, &["filename", "name"]).map_err(|_| fault())?;
        Ok(FileName::new(&name.unwrap_or_default()))
    }

    /// Whether a piece comes along.
    pub(super) fn has_piece(&self) -> bool {
        self.0.get(header::CONTENT_TYPE).is_some_and(|value| value == PIECE)
    }
}

/// The text is no list of pairs of a key and a value in Base64.
struct NoMetadata;

/// The value of the first of the keys that is there.
fn find_metadata(text: &str, keys: &[&str]) -> Result<Option<String>, NoMetadata> {
    let mut found = None;
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = STANDARD.decode(value.trim()).map_err(|_| NoMetadata)?;
        if found.is_none() && keys.contains(&key) {
            found = Some(String::from_utf8_lossy(&value).into_owned());
        }
    }
    Ok(found)
}

/// A time as headers have it (RFC 9110, section 5.6.7).
pub(super) fn http_date(at_ms: i64) -> Option<HeaderValue> {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).ok()?);
    HeaderValue::from_str(&httpdate::fmt_http_date(at)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_what_describes_an_upload() {
        let find = |text| find_metadata(text, &["filename", "name"]).ok();
        assert_eq!(find("filename dGFsay5tcDQ=,is_confidential"), Some(Some("talk.mp4".to_owned())));
        assert_eq!(find("is_confidential, name dGFsay5tcDQ="), Some(Some("talk.mp4".to_owned())));
        assert_eq!(find("is_confidential"), Some(None));
        assert_eq!(find(""), Some(None));
        assert_eq!(find("filename talk.mp4"), None);
    }

    #[test]
    fn times_are_those_of_headers() {
        assert_eq!(http_date(784_111_777_000).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(-1), None);
    }
}
