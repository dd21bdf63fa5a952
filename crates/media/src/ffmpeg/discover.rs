//! Finds FFmpeg and learns, once per binary, what it was built with.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Build, DECODERS, Ffmpeg, Installation, PATIENCE};
use crate::MediaError;
use crate::process::Command;

/// `-fps_mode` and `-format_whitelist` as they are used here came with 5.1.
const OLDEST: (u32, u32) = (5, 1);

pub(super) async fn discover(
    cache: &Path,
    chosen: Option<OsString>,
    search_path: Option<OsString>,
) -> Result<Ffmpeg, MediaError> {
    let ffmpeg = find("ffmpeg", chosen.as_deref().map(Path::new), search_path.as_ref())?;
    // The ffprobe beside a chosen ffmpeg fits it best.
    let ffprobe = find("ffprobe", chosen.as_ref().and(ffmpeg.parent()), search_path.as_ref())?;
    let build = match cached(cache, &fingerprint(&ffmpeg).await?).await {
        Some(build) => build,
        None => inspect(cache, &ffmpeg).await?,
    };
    let installation =
        Installation { ffmpeg, ffprobe, build, cache: cache.to_owned(), decoders: Semaphore::new(DECODERS as usize) };
    Ok(Ffmpeg { installation: Arc::new(installation), cancel: CancellationToken::new(), patience: PATIENCE })
}

/// How to get a whole FFmpeg on this system.
pub(super) fn remedy() -> &'static str {
    if cfg!(target_os = "macos") {
        "install FFmpeg 5.1 or newer with `brew install ffmpeg`, or set PRESSROOM_FFMPEG to one"
    } else if cfg!(windows) {
        "install FFmpeg 5.1 or newer with `winget install Gyan.FFmpeg`, or set PRESSROOM_FFMPEG to one"
    } else {
        "install FFmpeg 5.1 or newer with your package manager (Debian, Ubuntu: `apt-get install ffmpeg`; Fedora: \
         `dnf install ffmpeg` from RPM Fusion; Arch: `pacman -S ffmpeg`), or set PRESSROOM_FFMPEG to one"
    }
}

fn find(program: &str, chosen: Option<&Path>, search_path: Option<&OsString>) -> Result<PathBuf, MediaError> {
    let file_name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    if let Some(chosen) = chosen {
        let candidate = if chosen.is_dir() { chosen.join(&file_name) } else { chosen.to_owned() };
        if candidate.is_file() {
            return Ok(candidate);
        }
        if program == "ffmpeg" {
            let remedy = format!("the settings or PRESSROOM_FFMPEG name it, but there is no such file; {}", remedy());
            return Err(MediaError::MissingProgram { program: chosen.display().to_string(), remedy });
        }
    }
    let folders = search_path.map(std::env::split_paths).into_iter().flatten();
    folders
        .map(|folder| folder.join(&file_name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| MediaError::MissingProgram { program: program.to_owned(), remedy: remedy().to_owned() })
}

async fn fingerprint(ffmpeg: &Path) -> Result<String, MediaError> {
    let metadata = tokio::fs::metadata(ffmpeg).await.map_err(|error| MediaError::io(ffmpeg, error))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(ffmpeg.as_os_str().as_encoded_bytes());
    hasher.update(&metadata.len().to_le_bytes());
    hasher.update(format!("{:?}", metadata.modified().ok()).as_bytes());
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

fn cache_file(cache: &Path, fingerprint: &str) -> PathBuf {
    cache.join(format!("ffmpeg-{fingerprint}.json"))
}

async fn cached(cache: &Path, fingerprint: &str) -> Option<Build> {
    let text = tokio::fs::read(cache_file(cache, fingerprint)).await.ok()?;
    serde_json::from_slice(&text).ok().filter(|build: &Build| build.fingerprint == fingerprint)
}

/// Asks the binary, and keeps the answer. A cache that cannot be written costs time, not the run.
async fn inspect(cache: &Path, ffmpeg: &Path) -> Result<Build, MediaError> {
    let (version, filters, encoders) =
        tokio::try_join!(ask(ffmpeg, "-version"), ask(ffmpeg, "-filters"), ask(ffmpeg, "-encoders"))?;
    let version = parse_version(&version)
        .ok_or_else(|| MediaError::MissingProgram { program: ffmpeg.display().to_string(), remedy: remedy().into() })?;
    if parse_numbers(&version).is_some_and(|numbers| numbers < OLDEST) {
        let what = format!("support for what Pressroom needs (it is version {version})");
        return Err(MediaError::MissingFeature { what, remedy: remedy().to_owned() });
    }
    let build = Build {
        version,
        filters: parse_table(&filters),
        encoders: parse_table(&encoders),
        fingerprint: fingerprint(ffmpeg).await?,
    };
    if let Err(error) = store(&cache_file(cache, &build.fingerprint), &build).await {
        tracing::warn!(%error, "what FFmpeg can do is not kept");
    }
    Ok(build)
}

/// Writes a small file whole or not at all.
pub(crate) async fn store(path: &Path, value: &impl serde::Serialize) -> Result<(), MediaError> {
    let text = serde_json::to_vec(value).map_err(|error| MediaError::io(path, error.into()))?;
    let path = path.to_owned();
    let write = move || {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|error| MediaError::io(folder, error))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| MediaError::io(folder, error))?;
        std::io::Write::write_all(&mut file, &text).map_err(|error| MediaError::io(file.path(), error))?;
        file.persist(&path).map_err(|error| MediaError::io(&path, error.error))?;
        Ok(())
    };
    tokio::task::spawn_blocking(write).await.map_err(|_| MediaError::Cancelled)?
}

async fn ask(ffmpeg: &Path, question: &str) -> Result<String, MediaError> {
    let command =
        Command::new(ffmpeg).args(["-hide_banner", "-v", "quiet", question]).time_limit(Duration::from_secs(20));
    Ok(String::from_utf8_lossy(&command.run().await?.stdout).into_owned())
}

fn parse_version(text: &str) -> Option<String> {
    let rest = text.lines().next()?.strip_prefix("ffmpeg version ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// Major and minor number; `None` for a build from the repository (`N-109...`), which is taken to be new.
fn parse_numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('n').split(|character: char| !character.is_ascii_digit());
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0)))
}

/// The second column of FFmpeg's tables, whose legend lines have `=` there.
fn parse_table(text: &str) -> BTreeSet<String> {
    let name = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    text.lines().filter_map(name).filter(|name| name != "=").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_without_their_legend() {
        let text =
            "Filters:\n  T.. = Timeline support\n ... acopy             A->A       Copy\n .S. xfade  VV->V  Fade\n";
        assert_eq!(parse_table(text).into_iter().collect::<Vec<_>>(), ["acopy", "xfade"]);
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(parse_version("ffmpeg version 5.1.9-0+deb12u1 Copyright (c)").as_deref(), Some("5.1.9-0+deb12u1"));
        assert_eq!(parse_numbers("5.1.9-0+deb12u1"), Some((5, 1)));
        assert_eq!(parse_numbers("n7.0"), Some((7, 0)));
        assert_eq!(parse_numbers("N-109542-g1bf1b5d3"), None);
    }

    #[tokio::test]
    async fn a_chosen_program_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = discover(folder.path(), Some("/nowhere/ffmpeg".into()), None).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains("/nowhere/ffmpeg") && message.contains("PRESSROOM_FFMPEG"), "{message}");
    }

    #[tokio::test]
    async fn without_ffmpeg_the_error_says_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = discover(folder.path(), None, Some(folder.path().into())).await.unwrap_err();
        assert!(error.to_string().starts_with("`ffmpeg` not found; install FFmpeg 5.1"), "{error}");
    }

    #[tokio::test]
    async fn what_it_can_do_is_read_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let first = Ffmpeg::discover(None, folder.path()).await.unwrap();
        assert!(first.has_filter("xfade") && first.has_encoder("libx264") && !first.has_filter("="));
        let file = cache_file(folder.path(), first.fingerprint());
        let kept: Build = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let changed = Build { version: "kept".into(), ..kept };
        std::fs::write(&file, serde_json::to_vec(&changed).unwrap()).unwrap();
        assert_eq!(Ffmpeg::discover(None, folder.path()).await.unwrap().version(), "kept");
    }
}
