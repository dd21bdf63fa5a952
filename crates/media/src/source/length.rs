//! How long a file is that was just written: what it states, read without a program where its header is ours to read.

use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::{Report, microseconds, probe_source};
use crate::MediaError;
use crate::ffmpeg::Ffmpeg;
use crate::probe::ask;

/// The most boxes that are looked through for the header of a movie. FFmpeg writes it as the second or the last of a few.
const MOST_BOXES: usize = 64;
/// Enough of a movie's header: its version, and two times before its time scale and length.
const HEADER: usize = 32;

/// The length of a file that is known to be whole, in microseconds: what it states, where it does.
///
/// MP4 and `QuickTime` files state it in one place and are read here: to start ffprobe for it takes a tenth of the processor
/// time in which a dub with one edited line is made again.
pub async fn length_us(ffmpeg: &Ffmpeg, path: &Path) -> Result<u64, MediaError> {
    if let Some(length_us) = movie_length_us(path).await {
        return Ok(length_us);
    }
    let report: Report = ask(ffmpeg, path, "format=duration").await?;
    match microseconds(&report.format.duration).and_then(|length_us| u64::try_from(length_us).ok()) {
        Some(length_us) if length_us > 0 => Ok(length_us),
        _ => Ok(probe_source(ffmpeg, path).await?.duration_us),
    }
}

/// What the header of a movie states (ISO/IEC 14496-12, 8.2.2); none for other files, and for movies that state nothing.
async fn movie_length_us(path: &Path) -> Option<u64> {
    let mut file = File::open(path).await.ok()?;
    if find_box(&mut file, *b"moov").await? < HEADER as u64 || next_box(&mut file).await?.kind != *b"mvhd" {
        return None;
    }
    let mut header = [0; HEADER];
    file.read_exact(&mut header).await.ok()?;
    stated_us(&header)
}

/// A box of a movie; what follows is its content.
struct Found {
    kind: [u8; 4],
    content_bytes: u64,
}

/// Reads to the content of the first box of a kind that the file holds, and says how many bytes that has.
async fn find_box(file: &mut File, kind: [u8; 4]) -> Option<u64> {
    for _ in 0..MOST_BOXES {
        let found = next_box(file).await?;
        if found.kind == kind {
            return Some(found.content_bytes);
        }
        file.seek(std::io::SeekFrom::Current(i64::try_from(found.content_bytes).ok()?)).await.ok()?;
    }
    None
}

async fn next_box(file: &mut File) -> Option<Found> {
    let short_bytes = u64::from(file.read_u32().await.ok()?);
    let mut kind = [0; 4];
    file.read_exact(&mut kind).await.ok()?;
    // A size of 1 is followed by a longer one; one of 0, to the end of the file, is never what comes before a header.
    let content_bytes = match short_bytes {
        1 => file.read_u64().await.ok()?.checked_sub(16)?,
        size => size.checked_sub(8)?,
    };
    Some(Found { kind, content_bytes })
}

/// The length in a movie's header.
fn stated_us(header: &[u8; HEADER]) -> Option<u64> {
    let number = |at: usize, bytes: usize| {
        header[at..at + bytes].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let (scale, length, unknown) = match header[0] {
        0 => (number(12, 4), number(16, 4), u64::from(u32::MAX)),
        1 => (number(20, 4), number(24, 8), u64::MAX),
        _ => return None,
    };
    let is_stated = scale > 0 && length > 0 && length != unknown;
    is_stated.then(|| u64::try_from(u128::from(length) * 1_000_000 / u128::from(scale)).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: u8, numbers: &[u8]) -> Option<u64> {
        let mut header = [0; HEADER];
        header[0] = version;
        let at = if version == 0 { 12 } else { 20 };
        header[at..at + numbers.len()].copy_from_slice(numbers);
        stated_us(&header)
    }

    #[test]
    fn a_movie_states_its_length_in_one_of_two_widths() {
        assert_eq!(of(0, &[0, 0, 3, 0xE8, 0, 0, 0x0B, 0xB9]), Some(3_001_000));
        assert_eq!(of(1, &[0, 0, 3, 0xE8, 0, 0, 0, 1, 0, 0, 0, 0]), Some(4_294_967_296_000));
    }

    #[test]
    fn a_length_that_is_not_stated_is_none() {
        assert_eq!(of(0, &[0, 0, 3, 0xE8, 0xFF, 0xFF, 0xFF, 0xFF]), None);
        assert_eq!(of(0, &[0, 0, 3, 0xE8, 0, 0, 0, 0]), None);
        assert_eq!(of(0, &[0, 0, 0, 0, 0, 0, 0, 5]), None);
        assert_eq!(of(2, &[0, 0, 3, 0xE8, 0, 0, 0, 5]), None);
    }

    async fn in_file(bytes: &[u8]) -> Option<u64> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        movie_length_us(file.path()).await
    }

    #[tokio::test]
    async fn the_header_is_found_behind_other_boxes() {
        let header = [&[0; 12][..], &[0, 0, 3, 0xE8, 0, 0, 7, 0xD0], &[0; 80]].concat();
        let movie = [b"\0\0\0\x74moov\0\0\0\x6Cmvhd", &header[..]].concat();
        let before = b"\0\0\0\x0Cftypmp42\0\0\0\x01mdat\0\0\0\0\0\0\0\x12ab";
        assert_eq!(in_file(&[before, &movie[..]].concat()).await, Some(2_000_000));
        assert_eq!(in_file(&movie).await, Some(2_000_000));
        assert_eq!(in_file(&movie[..30]).await, None);
        assert_eq!(in_file(b"\x1A\x45\xDF\xA3 not a movie, but Matroska").await, None);
        assert_eq!(in_file(b"\0\0\0\0moov").await, None);
        assert_eq!(in_file(b"").await, None);
    }
}
