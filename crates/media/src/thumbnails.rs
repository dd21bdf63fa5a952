//! Small pictures of a video file, for judging and showing it.

use std::path::Path;

use image::RgbImage;

use crate::{
    MediaError,
    ffmpeg::{self, Ffmpeg},
};

/// Files opened by one run; each holds a decoder.
const AT_ONCE: usize = 4;
/// Room for the pictures of one run: four of 4096 × 4096.
const MOST_BYTES: usize = 4 * 4096 * 4096 * 3 + 1024;

/// How near to the time asked for a picture must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// The key frame before it, which costs one decoded frame.
    KeyFrame,
    /// The very frame, which costs all frames from the key frame on.
    Exact,
}

/// The pictures at `times_ms`, in their order, no side longer than `max_side`. A time at which nothing is left gives no
/// picture.
pub async fn thumbnails(
    ffmpeg: &Ffmpeg,
    path: &Path,
    times_ms: &[u64],
    max_side: u32,
    precision: Precision,
) -> Result<Vec<RgbImage>, MediaError> {
    let mut pictures = Vec::with_capacity(times_ms.len());
    for times in times_ms.chunks(AT_ONCE) {
        let _open = ffmpeg.decoders(times.len() as u32).await?;
        let mut command = ffmpeg.command().stdout_limit(MOST_BYTES);
        for time_ms in times {
            command = match precision {
                Precision::KeyFrame => command.args(["-noaccurate_seek", "-skip_frame", "nokey"]),
                Precision::Exact => command,
            };
            let seconds = format!("{:.3}", *time_ms as f64 / 1000.0);
            command = command.args(["-threads", "1", "-ss", &seconds, "-an", "-sn", "-dn"]).args(ffmpeg::input(path));
        }
        let command = command.args(["-filter_complex", &graph(times.len(), max_side)]);
        let command =
            command.args(["-map", "[out]", "-fps_mode", "passthrough", "-c:v", "ppm", "-f", "image2pipe", "-"]);
        let output = command.run().await?;
        pictures.extend(parse(&output.stdout).ok_or_else(|| MediaError::BadFile {
            path: path.to_owned(),
            reason: "gave pictures that cannot be read; convert it to H.264 first".to_owned(),
        })?);
    }
    Ok(pictures)
}

/// One frame of each input, all scaled alike, one after another.
fn graph(inputs: usize, max_side: u32) -> String {
    let numbers = 0..inputs;
    let chains = numbers.clone().map(|input| {
        format!(
            "[{input}:v:0]trim=end_frame=1,setpts=0,scale='min({max_side},iw)':'min({max_side},ih)':\
             force_original_aspect_ratio=decrease:flags=area,setsar=1,format=rgb24[v{input}]"
        )
    });
    let labels: Vec<String> = numbers.map(|input| format!("[v{input}]")).collect();
    let last = format!("{}concat=n={inputs}[out]", labels.concat());
    chains.chain([last]).collect::<Vec<_>>().join(";")
}

/// Reads pictures in the form `P6 width height 255` and pixels (netpbm's `ppm(5)`), as FFmpeg writes them.
fn parse(mut bytes: &[u8]) -> Option<Vec<RgbImage>> {
    let mut pictures = Vec::new();
    while !bytes.is_empty() {
        let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
        let (magic, size, depth, rest) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
        let (width, height) = std::str::from_utf8(size).ok()?.split_once(' ')?;
        let (width, height): (u32, u32) = (width.parse().ok()?, height.parse().ok()?);
        let length = width as usize * height as usize * 3;
        if magic != b"P6" || depth != b"255" || rest.len() < length {
            return None;
        }
        pictures.push(RgbImage::from_raw(width, height, rest[..length].to_vec())?);
        bytes = &rest[length..];
    }
    Some(pictures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_apart_even_where_pixels_look_like_line_ends() {
        let bytes = [b"P6\n2 1\n255\n".as_slice(), &[10; 6], b"P6\n1 1\n255\n", &[1, 2, 3]].concat();
        let pictures = parse(&bytes).unwrap();
        assert_eq!(pictures.len(), 2);
        assert_eq!(pictures[1].get_pixel(0, 0).0, [1, 2, 3]);
    }

    #[test]
    fn a_picture_cut_short_is_none() {
        assert_eq!(parse(b"P6\n2 2\n255\nabc"), None);
        assert_eq!(parse(b"nonsense"), None);
    }
}
