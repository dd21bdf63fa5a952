//! Sources given by their web address: downloaded into the data folder once, and gone on with when cut off.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use platform::http::{AddressPolicy, DownloadLimits, Downloaded, HttpClient};
use tokio_util::sync::CancellationToken;

use crate::{cli::console::Console, settings::Settings};

/// A day of video, or two hours of the finest.
const LIMITS: DownloadLimits = DownloadLimits { max_bytes: 50_000_000_000, stall: Duration::from_mins(1) };
/// How often news of a download is told where there is no terminal: each time so many more bytes are there.
const NEWS_BYTES: u64 = 64 << 20;
/// Names of files are cut to this; file systems take 255 bytes, and results add endings to it.
const MAX_NAME_CHARS: usize = 60;

/// A source on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalSource {
    pub(crate) path: PathBuf,
    /// Where results go if the user does not say: beside a file of theirs, here for a downloaded one.
    pub(crate) results: Option<PathBuf>,
}

/// The file that `source` names; one at a web address is downloaded unless it was before.
pub(crate) async fn local(
    source: &str,
    settings: &Settings,
    console: &Console,
    cancel: &CancellationToken,
) -> anyhow::Result<LocalSource> {
    if !is_web_address(source) {
        return Ok(LocalSource { path: source.into(), results: None });
    }
    let path = downloaded_path(&settings.data, source);
    if !tokio::fs::try_exists(&path).await? {
        let folder = path.parent().unwrap_or(Path::new("."));
        tokio::fs::create_dir_all(folder).await?;
        console.say(&format!("downloading {}", path.file_name().unwrap_or_default().display()));
        let told = AtomicU64::new(0);
        let bar = console.bytes_bar();
        bar.set_prefix("downloading");
        let tell = |done: Downloaded| {
            bar.set_length(done.total_bytes.unwrap_or(done.bytes));
            bar.set_position(done.bytes);
            if bar.is_hidden() {
                tell(console, &told, done);
            }
        };
        let client = HttpClient::new(AddressPolicy::PublicOnly)?;
        tokio::select! {
            () = cancel.cancelled() => anyhow::bail!(media::MediaError::Cancelled),
            done = client.download(source, &path, LIMITS, &tell) => drop(done?),
        }
        bar.finish_and_clear();
    }
    Ok(LocalSource { path, results: Some(".".into()) })
}

fn is_web_address(source: &str) -> bool {
    let begins = |scheme: &str| source.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    begins("http://") || begins("https://")
}

/// In a folder of its own for each address, under the name the address ends in.
fn downloaded_path(data: &Path, source: &str) -> PathBuf {
    let path = source.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = last.trim_start_matches('.').chars().map(plain).collect();
    // The ending is kept: it names the container of the results.
    let skipped = name.chars().count().saturating_sub(MAX_NAME_CHARS);
    let name: String = name.chars().skip(skipped).collect();
    let name = if name.is_empty() { "video.mp4".to_owned() } else { name };
    data.join("downloads").join(dubbing::document::text_hash(source)).join(name)
}

fn tell(console: &Console, told: &AtomicU64, done: Downloaded) {
    if done.bytes < told.load(Ordering::Relaxed) + NEWS_BYTES {
        return;
    }
    told.store(done.bytes, Ordering::Relaxed);
    let megabytes = done.bytes / 1_000_000;
    match done.total_bytes {
        Some(total) => console.say(&format!("downloaded {megabytes} of {} MB", total / 1_000_000)),
        None => console.say(&format!("downloaded {megabytes} MB")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_files() {
        assert!(is_web_address("https://example.org/talk.mp4") && is_web_address("HTTP://example.org"));
        assert!(!is_web_address("talk.mp4") && !is_web_address("http") && !is_web_address("./https://talk.mp4"));
    }

    #[test]
    fn a_download_keeps_its_name_and_stays_in_its_folder() {
        let name = |source: &str| {
            let path = downloaded_path(Path::new("data"), source);
            assert_eq!(path.parent().unwrap().parent().unwrap(), Path::new("data/downloads"));
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(name("https://example.org/a/talk%20one.mkv?token=../x#t=3"), "talk_20one.mkv");
        assert_eq!(name("https://example.org/.."), "video.mp4");
        assert_eq!(name("https://example.org/"), "video.mp4");
        assert_eq!(name(&format!("https://example.org/{}.webm", "long".repeat(90))).len(), MAX_NAME_CHARS);
        let other = downloaded_path(Path::new("data"), "https://example.org/b/talk.mkv");
        assert_ne!(other, downloaded_path(Path::new("data"), "https://example.org/a/talk.mkv"));
    }
}
