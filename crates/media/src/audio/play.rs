//! A sound, heard on this machine's speakers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::Command;
use crate::{Ffmpeg, MediaError, ffmpeg};

/// The longest that is listened to.
const LONGEST: Duration = Duration::from_mins(10);

/// Plays `sound` to its end by `ffplay`, which comes with most builds of FFmpeg.
pub async fn play(ffmpeg: &Ffmpeg, sound: &Path) -> Result<(), MediaError> {
    let command = Command::new(player(ffmpeg))
        .cancelled_by(ffmpeg.token().clone())
        .env("AV_LOG_FORCE_NOCOLOR", "1")
        .args(["-hide_banner", "-nodisp", "-autoexit", "-v", "level+error"])
        .args(ffmpeg::input(sound))
        .time_limit(LONGEST);
    let said = match command.run().await {
        // It ends well even where the device that it found could not be opened.
        Ok(output) => output.stderr,
        Err(MediaError::Process { detail, .. }) if detail.contains("SDL") => detail,
        Err(MediaError::MissingProgram { program, .. }) => {
            let remedy =
                "install it (on Debian it comes with `ffmpeg`), or write the sound to a file with -o".to_owned();
            return Err(MediaError::MissingProgram { program, remedy });
        }
        Err(error) => return Err(error),
    };
    if said.contains("[fatal]") {
        return Err(MediaError::Process {
            program: "ffplay".to_owned(),
            status: "no sound device".to_owned(),
            detail: "connect one, or write the sound to a file with -o".to_owned(),
        });
    }
    Ok(())
}

/// Beside FFmpeg where it is there, else what `PATH` finds.
fn player(ffmpeg: &Ffmpeg) -> PathBuf {
    let beside = ffmpeg.path().with_file_name("ffplay");
    if beside.is_file() { beside } else { "ffplay".into() }
}
