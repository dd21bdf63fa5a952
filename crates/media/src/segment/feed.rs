//! Frames drawn by Pressroom on their way into FFmpeg's pipe.

use std::io::{self, PipeWriter, Write};

use crate::{Frame, FrameSource, MediaError};

/// What is written into a pipe.
pub(super) enum Content {
    /// Frames one after the other.
    Moving { source: Box<dyn FrameSource>, first_frame: u32, frames: u32 },
    /// One picture, red, green, blue and alpha for each pixel.
    Still(Vec<u8>),
}

impl Content {
    /// Writes everything; blocks while FFmpeg is busy, by which the next frame is always drawn already. A reader that has
    /// gone is no failure: FFmpeg itself says what happened.
    pub(super) fn write_to(mut self, mut pipe: PipeWriter) -> Result<Self, MediaError> {
        widen(&pipe);
        match self.write_all(&mut pipe) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(MediaError::io("pipe", error)),
            _ => Ok(self),
        }
    }

    fn write_all(&mut self, pipe: &mut PipeWriter) -> io::Result<()> {
        match self {
            Self::Still(rgba) => pipe.write_all(rgba),
            Self::Moving { source, first_frame, frames } => {
                let mut frame = Frame::black(source.size());
                for index in *first_frame..first_frame.saturating_add(*frames) {
                    source.draw(index, &mut frame);
                    pipe.write_all(frame.as_bytes())?;
                }
                Ok(())
            }
        }
    }
}

/// A frame is megabytes, a pipe 64 KB: a wider one saves dozens of switches between both sides for each frame.
fn widen(pipe: &PipeWriter) {
    #[cfg(target_os = "linux")]
    // Refused when the user's pipes hold much already; then the pipe stays as it is.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 1 << 20);
    #[cfg(not(target_os = "linux"))]
    let _ = pipe;
}
