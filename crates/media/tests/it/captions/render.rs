//! Captions drawn by the real FFmpeg.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use image::RgbImage;
use media::{
    Size,
    captions::{Cue, Mode, Rules, Setting, Style, ass_window, break_into_cues, burn_filter},
};

use super::sentences::sentence;

pub(crate) const TALL: Size = Size::new(1080, 1920);
pub(crate) const WIDE: Size = Size::new(1920, 1080);

/// Runs FFmpeg and gives back what it wrote to standard output; what it complains of fails the test.
#[expect(clippy::disallowed_methods, reason = "a test may wait for a child of its own")]
pub(crate) fn ffmpeg(args: &[&str]) -> Vec<u8> {
    let child = Command::new("ffmpeg").args(["-nostdin", "-v", "warning"]).args(args).stdin(Stdio::null()).output();
    let output = child.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let complaints = String::from_utf8_lossy(&output.stderr);
    // The filter names the fonts it opens at this level; what it cannot find it says otherwise.
    assert!(!complaints.contains("failed to find") && !complaints.contains("not found"), "{complaints}");
    output.stdout
}

/// One frame of an ASS file over a plain colour, `at_ms` into it.
pub(crate) fn frame(ass: &str, size: Size, at_ms: u64, background: &str) -> RgbImage {
    let mut file = tempfile::Builder::new().suffix(".ass").tempfile().unwrap();
    file.write_all(ass.as_bytes()).unwrap();
    frame_of(file.path(), size, at_ms, background)
}

pub(crate) fn frame_of(file: &Path, size: Size, at_ms: u64, background: &str) -> RgbImage {
    let source = format!("color=c={background}:s={}x{}:r=100:d=600", size.width, size.height);
    // The picture's clock is set instead of drawing all frames before the one that is looked at.
    let filter = format!("setpts=PTS+{at_ms}/1000/TB,{}", burn_filter(file).unwrap());
    let args =
        ["-f", "lavfi", "-i", &source, "-vf", &filter, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"];
    RgbImage::from_raw(size.width, size.height, ffmpeg(&args)).unwrap()
}

/// A sentence as cues for a style and frame.
pub(crate) fn cues(lang: &str, text: &str, style: &Style, size: Size) -> Vec<Cue> {
    break_into_cues(&[sentence(lang, text, 0)], &Rules::for_frame(style, size)).unwrap()
}

/// One frame of a sentence's captions, while word `word` of cue `cue` is spoken.
pub(crate) fn sentence_frame(cues: &[Cue], (cue, word): (usize, usize), style: &Style, size: Size) -> RgbImage {
    let setting = Setting { style, mode: Mode::Word, frame: size };
    let ass = ass_window(cues, &setting, 0..60_000).unwrap().unwrap();
    let at_ms = cues[cue].words().nth(word).unwrap().start_ms + 100;
    frame(&ass, size, at_ms, "0x405060")
}
