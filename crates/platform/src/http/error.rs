//! Why something could not be fetched. URLs are named without the passwords they may hold.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use kernel::ErrorKind;
use reqwest::StatusCode;
use url::Url;

/// A failure to fetch. Messages name the URL and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("`{text}` is not a web address: {reason}")]
    BadUrl { text: String, reason: String },
    #[error("`{url}` is at {address}, which is not a public address; save the page as a file and give that instead")]
    NotPublic { url: String, address: IpAddr },
    #[error("host of `{url}` was not found ({reason}); check the address and the connection")]
    NotResolved { url: String, reason: String },
    #[error("`{url}` cannot be reached ({reason}); check the address and the connection")]
    Unreachable { url: String, reason: String },
    #[error("`{url}` took longer than {} s; try again, or save the page as a file and give that instead", limit.as_secs_f64())]
    TimedOut { url: String, limit: Duration },
    #[error("`{url}` was redirected more than {limit} times; open it in a browser and give the address it ends at")]
    TooManyRedirects { url: String, limit: usize },
    #[error("`{url}` answered {status}; open it in a browser to see why")]
    Status { url: String, status: StatusCode },
    #[error("`{url}` is {found}, and only {} can be read", allowed.join(", "))]
    ContentType { url: String, found: String, allowed: &'static [&'static str] },
    #[error("`{url}` is larger than {limit_bytes} bytes; save the part you need as a file and give that instead")]
    TooLarge { url: String, limit_bytes: u64 },
    #[error(
        "`{url}` needs {needed_bytes} bytes and the disk has {free_bytes} free; make room, or choose another data folder"
    )]
    NoSpace { url: String, needed_bytes: u64, free_bytes: u64 },
    #[error("`{}` cannot be written ({source})", path.display())]
    Disk { path: PathBuf, source: std::io::Error },
    #[error("no HTTP client can be made: {0}; install the system's root certificates (`ca-certificates`)")]
    Client(#[source] reqwest::Error),
}

impl HttpError {
    /// The sort of the failure; what is `Unavailable` may be tried again.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSpace { .. } => ErrorKind::Exhausted,
            Self::Disk { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => ErrorKind::Exhausted,
            Self::BadUrl { .. }
            | Self::Disk { .. }
            | Self::NotPublic { .. }
            | Self::TooManyRedirects { .. }
            | Self::ContentType { .. }
            | Self::TooLarge { .. } => ErrorKind::Invalid,
            Self::NotResolved { .. } => ErrorKind::NotFound,
            Self::Unreachable { .. } | Self::TimedOut { .. } => ErrorKind::Unavailable,
            Self::Status { status, .. } => match status.as_u16() {
                404 | 410 => ErrorKind::NotFound,
                408 | 425 | 429 | 500..=599 => ErrorKind::Unavailable,
                _ => ErrorKind::Invalid,
            },
            Self::Client(_) => ErrorKind::Missing,
        }
    }
}

/// A URL as it may be shown: without user, password and fragment.
pub(super) fn shown(url: &Url) -> String {
    if url.cannot_be_a_base() {
        return without_password(url.as_str());
    }
    let mut url = url.clone();
    // A URL that can hold no user holds no password either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url.into()
}

/// What can be shown of a text that is no whole URL: whatever stands before an @ may be a password.
pub(super) fn without_password(text: &str) -> String {
    text.rsplit('@').next().unwrap_or_default().chars().take(100).collect()
}
