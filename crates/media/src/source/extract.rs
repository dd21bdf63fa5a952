//! One audio track of a file as two WAV files: one to mix from, one to listen for speech in.

use std::path::Path;

use super::{AudioTrack, Source};
use crate::audio::SAMPLE_RATE;
use crate::audio::wav::WavReader;
use crate::ffmpeg::{self, Ffmpeg, Progress};
use crate::partial::Partial;
use crate::{MediaError, probe::bad_file};

/// Samples a second of the sound that speech is found and recognised in.
pub const SPEECH_RATE: u32 = 16_000;

/// A disagreement of the time stamps with the samples before them that is put right with silence or a cut, in seconds.
/// Below it lie the rounding of Matroska (1 ms) and the jitter of old containers; lips forgive twice as much.
const LARGEST_DRIFT_S: f64 = 0.02;

/// Channels whose mixing to stereo FFmpeg knows without being told which is which.
const KNOWN_CHANNELS: u32 = 8;

/// Where the two files go.
#[derive(Debug, Clone, Copy)]
pub struct ExtractedSound<'a> {
    /// Becomes 48 kHz, stereo, 16 bits.
    pub programme: &'a Path,
    /// Becomes 16 kHz, mono, 16 bits.
    pub speech: &'a Path,
}

/// Decodes a track once, into both files, each exactly as long as the source ([`Source::duration_samples`]). Every
/// sample lies at its time: before a track that begins late, in gaps, and after a track that ends early there is
/// silence; what the encoder put before the first sample is left out.
pub async fn extract(
    ffmpeg: &Ffmpeg,
    path: &Path,
    (source, track): (&Source, &AudioTrack),
    sound: ExtractedSound<'_>,
    on_progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), MediaError> {
    let samples = source.duration_samples();
    if samples == 0 {
        return Err(bad_file(path, "has no length: nothing in it can be played; export it again"));
    }
    let programme = Partial::beside(sound.programme)?;
    let speech = Partial::beside(sound.speech)?;
    let command = ffmpeg
        .command()
        .args(source.input(path))
        .args(["-filter_complex", &graph(track, samples)])
        .args(["-map", "[programme]", "-c:a", "pcm_s16le", "-f", "wav"])
        .arg(ffmpeg::file(programme.path()))
        .args(["-map", "[speech]", "-c:a", "pcm_s16le", "-f", "wav"])
        .arg(ffmpeg::file(speech.path()))
        .args(source.anchor());
    ffmpeg.run(command, on_progress).await.map_err(|error| programme.explain(error))?;
    for (partial, wanted) in [(&programme, samples), (&speech, samples / u64::from(SAMPLE_RATE / SPEECH_RATE))] {
        let found = WavReader::open(partial.path())?.frames();
        if found != wanted {
            return Err(bad_file(
                path,
                &format!("gave {found} samples of sound, not {wanted}; convert it to WAV first"),
            ));
        }
    }
    programme.finish()?;
    speech.finish()
}

/// Time stamps are obeyed before anything else is done, then both lengths are made exact.
fn graph(track: &AudioTrack, samples: u64) -> String {
    let exact = |samples: u64| format!("apad=whole_len={samples},atrim=end_sample={samples}");
    let stereo = match track.layout {
        None if track.channels > 2 => unnamed_channels(track.channels),
        _ if track.channels > KNOWN_CHANNELS => unnamed_channels(track.channels),
        _ => String::new(),
    };
    format!(
        "[0:{stream}]{stereo}aresample={SAMPLE_RATE}:async=1:min_hard_comp={LARGEST_DRIFT_S}:first_pts=0,\
         aformat=sample_fmts=s16:channel_layouts=stereo,{programme},asplit[programme][both];\
         [both]aresample={SPEECH_RATE},aformat=sample_fmts=s16:channel_layouts=mono,{speech}[speech]",
        stream = track.stream,
        programme = exact(samples),
        speech = exact(samples / u64::from(SAMPLE_RATE / SPEECH_RATE)),
    )
}

/// Channels that nobody named go alternately to the left and to the right, at a level at which they cannot clip.
fn unnamed_channels(channels: u32) -> String {
    let side = |first: u32| {
        let numbers: Vec<_> = (first..channels).step_by(2).collect();
        let level = 1.0 / numbers.len().max(1) as f64;
        numbers.iter().map(|number| format!("{level:.4}*c{number}")).collect::<Vec<_>>().join("+")
    };
    format!("pan=stereo|c0={}|c1={},", side(0), side(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(channels: u32, layout: Option<&str>) -> AudioTrack {
        AudioTrack {
            stream: 1,
            codec: "aac".into(),
            channels,
            layout: layout.map(str::to_owned),
            sample_rate: 48_000,
            language: None,
            title: None,
            is_default: true,
            offset_us: 0,
        }
    }

    #[test]
    fn channels_without_names_are_all_heard() {
        assert!(graph(&track(3, None), 48_000).starts_with("[0:1]pan=stereo|c0=0.5000*c0+0.5000*c2|c1=1.0000*c1,"));
        assert!(!graph(&track(6, Some("5.1")), 48_000).contains("pan"));
        assert!(graph(&track(16, Some("hexadecagonal")), 48_000).contains("c15"));
    }

    #[test]
    fn both_lengths_are_exact() {
        let graph = graph(&track(2, Some("stereo")), 48_003);
        assert!(graph.contains("whole_len=48003,atrim=end_sample=48003"));
        assert!(graph.contains("whole_len=16001,atrim=end_sample=16001"));
    }
}
