//! Fetches a large file to disk, and goes on where an earlier attempt was cut off.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{
    Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE},
};
use ring::digest;
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt, AsyncWriteExt},
};
use url::Url;

use super::{
    HttpClient, HttpError,
    error::shown,
    fetch::{Followed, explain, parse},
};
use crate::{hex::hex, resources::free_disk_bytes};

/// Space that stays free beside a download.
const SPARE_BYTES: u64 = 100_000_000;

/// What is downloaded at most.
#[derive(Debug, Clone, Copy)]
pub struct DownloadLimits {
    pub max_bytes: u64,
    /// The longest wait for the next bytes; the whole may take as long as it takes.
    pub stall: Duration,
}

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Downloaded {
    pub bytes: u64,
    /// Where the server says it.
    pub total_bytes: Option<u64>,
}

impl HttpClient {
    /// Downloads `url` to `target`, which appears only when it is whole, and gives its SHA-256 in hexadecimal digits.
    ///
    /// What an interrupted download left beside `target` is gone on with where the server still has the same file, which its
    /// entity tag or date tells (RFC 9110, `If-Range`).
    pub async fn download(
        &self,
        url: &str,
        target: &Path,
        limits: DownloadLimits,
        on_progress: &(dyn Fn(Downloaded) + Send + Sync),
    ) -> Result<String, HttpError> {
        let url = parse(url)?;
        let partial = Partial::beside(target);
        let mut begun = partial.begun().await;
        let mut followed = self.request_rest(&url, begun.as_ref(), limits).await?;
        if begun.is_some() && followed.response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            begun = None;
            followed = self.request_rest(&url, None, limits).await?;
        }
        let Followed { url, response } = followed;
        let at = match (response.status(), begun) {
            (StatusCode::PARTIAL_CONTENT, Some(Begun { bytes, .. })) if range_start(&response) == Some(bytes) => bytes,
            // The whole file, since it is another than before, or the server knows no ranges.
            (StatusCode::OK, _) => 0,
            (status, _) => return Err(HttpError::Status { url: shown(&url), status }),
        };
        let total_bytes = response.content_length().map(|rest| at + rest);
        check_size(&url, total_bytes, limits)?;
        check_space(&url, target, total_bytes.unwrap_or(at).saturating_sub(at))?;
        let transfer = Transfer { url: &url, at, total_bytes, limits };
        let sum = partial.fill(response, &transfer, on_progress).await?;
        partial.finish(target).await.map_err(|error| HttpError::Disk { path: target.to_owned(), source: error })?;
        Ok(sum)
    }

    /// Asks for what is not there yet, as it is: a range of a compressed answer would be of no use.
    async fn request_rest(
        &self,
        url: &Url,
        begun: Option<&Begun>,
        limits: DownloadLimits,
    ) -> Result<Followed, HttpError> {
        let request = |to: Url| {
            let request = self.client.get(to).header(ACCEPT_ENCODING, "identity");
            match begun {
                Some(Begun { bytes, version }) => {
                    request.header(RANGE, format!("bytes={bytes}-")).header(IF_RANGE, version)
                }
                None => request,
            }
        };
        tokio::time::timeout(limits.stall, self.follow(url.clone(), request, limits.stall))
            .await
            .unwrap_or_else(|_| Err(HttpError::TimedOut { url: shown(url), limit: limits.stall }))
    }
}

/// What an earlier attempt left.
struct Begun {
    bytes: u64,
    /// What the server called the version they are of.
    version: String,
}

fn range_start(response: &Response) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

fn check_size(url: &Url, total_bytes: Option<u64>, limits: DownloadLimits) -> Result<(), HttpError> {
    match total_bytes {
        Some(bytes) if bytes > limits.max_bytes => {
            Err(HttpError::TooLarge { url: shown(url), limit_bytes: limits.max_bytes })
        }
        _ => Ok(()),
    }
}

fn check_space(url: &Url, target: &Path, needed_bytes: u64) -> Result<(), HttpError> {
    let folder = target.parent().unwrap_or(Path::new("."));
    let free_bytes = free_disk_bytes(folder).map_err(|source| HttpError::Disk { path: folder.to_owned(), source })?;
    if needed_bytes.saturating_add(SPARE_BYTES) > free_bytes {
        return Err(HttpError::NoSpace { url: shown(url), needed_bytes, free_bytes });
    }
    Ok(())
}

/// A response on its way to disk.
struct Transfer<'a> {
    url: &'a Url,
    /// Bytes that were there already.
    at: u64,
    total_bytes: Option<u64>,
    limits: DownloadLimits,
}

/// The unfinished file beside its target, and beside that what tells its version.
struct Partial {
    file: PathBuf,
    version: PathBuf,
}

impl Partial {
    fn beside(target: &Path) -> Self {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        Self {
            file: target.with_file_name(format!(".{name}.partial")),
            version: target.with_file_name(format!(".{name}.version")),
        }
    }

    async fn begun(&self) -> Option<Begun> {
        let version = tokio::fs::read_to_string(&self.version).await.ok()?;
        let bytes = tokio::fs::metadata(&self.file).await.ok()?.len();
        (bytes > 0 && !version.is_empty()).then_some(Begun { bytes, version })
    }

    async fn fill(
        &self,
        mut response: Response,
        transfer: &Transfer<'_>,
        on_progress: &(dyn Fn(Downloaded) + Send + Sync),
    ) -> Result<String, HttpError> {
        let Transfer { url, at, total_bytes, limits } = *transfer;
        let disk = |source| HttpError::Disk { path: self.file.clone(), source };
        let mut sum = digest::Context::new(&digest::SHA256);
        let mut file = self.open(at, &mut sum).await.map_err(disk)?;
        if at == 0 {
            tokio::fs::write(&self.version, version(&response)).await.map_err(disk)?;
        }
        let mut bytes = at;
        loop {
            let chunk = tokio::time::timeout(limits.stall, response.chunk())
                .await
                .map_err(|_| HttpError::TimedOut { url: shown(url), limit: limits.stall })?;
            let Some(chunk) = chunk.map_err(|error| explain(url, &error, limits.stall))? else { break };
            bytes += chunk.len() as u64;
            if bytes > limits.max_bytes {
                self.remove().await;
                return Err(HttpError::TooLarge { url: shown(url), limit_bytes: limits.max_bytes });
            }
            sum.update(&chunk);
            file.write_all(&chunk).await.map_err(disk)?;
            on_progress(Downloaded { bytes, total_bytes });
        }
        file.sync_all().await.map_err(disk)?;
        if total_bytes.is_some_and(|total| total != bytes) {
            let reason = format!("ended after {bytes} bytes");
            return Err(HttpError::Unreachable { url: shown(url), reason });
        }
        Ok(hex(sum.finish().as_ref()))
    }

    /// The file, ready for what follows its first `at` bytes, which are taken into the sum.
    async fn open(&self, at: u64, sum: &mut digest::Context) -> io::Result<File> {
        let mut file =
            OpenOptions::new().create(true).truncate(at == 0).read(true).write(true).open(&self.file).await?;
        let mut block = vec![0; 1 << 20];
        let mut left = at;
        while left > 0 {
            let part = &mut block[..left.min(1 << 20) as usize];
            file.read_exact(part).await?;
            sum.update(part);
            left -= part.len() as u64;
        }
        file.set_len(at).await?;
        Ok(file)
    }

    async fn finish(self, target: &Path) -> io::Result<()> {
        tokio::fs::rename(&self.file, target).await?;
        // Of no use without the file; one that stays is overwritten by the next download.
        let _ = tokio::fs::remove_file(&self.version).await;
        Ok(())
    }

    async fn remove(&self) {
        // What cannot be removed is begun anew by the next attempt.
        let _ = tokio::fs::remove_file(&self.file).await;
        let _ = tokio::fs::remove_file(&self.version).await;
    }
}

/// What tells one version of the file from another: a strong entity tag, else the date of change; empty for neither.
fn version(response: &Response) -> String {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let tag = header(ETAG).filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| header(LAST_MODIFIED)).unwrap_or_default().to_owned()
}
