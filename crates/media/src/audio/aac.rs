//! AAC, encoded apart from the file it becomes a track of; whole, or in parts.
//!
//! Of parts each is encoded by itself with some of its neighbours' sound around it, and their packets follow each other
//! as if one encoder had made them all.
//!
//! A frame of AAC is decoded together with the one before it, and an encoder chooses how to code one by those around it.
//! So an encoder begins some frames before its part and ends some after it, what it made of those is dropped, and neighbours
//! have come to the same choices where they meet.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::dub::Part;
use super::wav::WavWriter;
use super::{BLOCK, SAMPLE_RATE};
use crate::MediaError;
use crate::ffmpeg::{self, Ffmpeg};
use crate::partial::Partial;

/// Samples of a frame.
pub(crate) const FRAME: u64 = 1024;

/// FFmpeg's encoder and its settings. At such a rate the coder called fast is the better one as well (ffmpeg-codecs(1),
/// `aac_coder`).
pub(crate) const ENCODER: &str = "aac";
pub(crate) const SETTINGS: &[[&str; 2]] = &[["-b", "192k"], ["-aac_coder", "fast"]];

/// The least that comes before a packet in an ADTS stream (ISO/IEC 13818-7, 6.2): without and with a checksum.
const HEADER: usize = 7;

/// The largest file of a part that is read: a minute at the highest rate that AAC has.
const MAX_BYTES: u64 = 1 << 23;

/// What a track of a file is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SoundFile {
    /// A WAV file, to be encoded.
    Wav(PathBuf),
    /// An ADTS stream of AAC at [`SAMPLE_RATE`], whose packets are copied, and how many samples it was made of.
    Aac { path: PathBuf, samples: u64 },
}

impl SoundFile {
    /// The arguments that open it as an input, its first sample at 0.
    pub(crate) fn input(&self) -> Vec<OsString> {
        match self {
            Self::Wav(path) => ffmpeg::opened_as(path, "wav"),
            // The first packet gives no sound: it comes before the beginning.
            Self::Aac { path, .. } => {
                let first_us = FRAME * 1_000_000 / u64::from(SAMPLE_RATE);
                let mut arguments: Vec<OsString> = vec!["-itsoffset".into(), format!("-{first_us}us").into()];
                arguments.extend(ffmpeg::opened_as(path, "aac"));
                arguments
            }
        }
    }
}

/// The bitstream filter that makes the last packet of a stream as long as what is left for it of `samples`.
pub(crate) fn ending(samples: u64) -> String {
    // The packet that comes before the beginning has the number 0.
    let (last, rest) = (samples.div_ceil(FRAME), (samples + FRAME - 1) % FRAME + 1);
    format!("setts=duration=if(eq(N\\,{last})\\,{rest}\\,DURATION)")
}

/// Encodes a WAV file at [`SAMPLE_RATE`] to an ADTS stream of AAC.
pub async fn encode_aac(ffmpeg: &Ffmpeg, wav: &Path, output: &Path) -> Result<(), MediaError> {
    let encoded = Partial::beside(output)?;
    encode(ffmpeg, wav, &encoded).await?;
    encoded.finish()
}

async fn encode(ffmpeg: &Ffmpeg, wav: &Path, encoded: &Partial) -> Result<(), MediaError> {
    ffmpeg.require_encoder(ENCODER)?;
    let mut command = ffmpeg.command().args(ffmpeg::opened_as(wav, "wav")).args(["-map", "0:a:0", "-c:a", ENCODER]);
    for [option, value] in SETTINGS {
        command = command.args([&format!("{option}:a"), *value]);
    }
    let command = command
        .args(["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", "adts"])
        .arg(ffmpeg::file(encoded.path()));
    ffmpeg.run(command, &|_| ()).await.map(drop).map_err(|error| encoded.explain(error))
}

/// Encodes the file of a part ([`super::mix_dub_part`]) to the packets of the part itself, as an ADTS stream.
pub async fn encode_dub_part(ffmpeg: &Ffmpeg, wav: &Path, part: Part, output: &Path) -> Result<(), MediaError> {
    let encoded = Partial::beside(output)?;
    encode(ffmpeg, wav, &encoded).await?;
    let size = tokio::fs::metadata(encoded.path()).await.map_err(|error| MediaError::io(encoded.path(), error))?.len();
    if size > MAX_BYTES {
        return Err(unexpected(wav));
    }
    let bytes = tokio::fs::read(encoded.path()).await.map_err(|error| MediaError::io(encoded.path(), error))?;
    let own = own_packets(&bytes, part).ok_or_else(|| unexpected(wav))?;
    tokio::fs::write(encoded.path(), own).await.map_err(|error| MediaError::io(encoded.path(), error))?;
    encoded.finish()
}

fn unexpected(wav: &Path) -> MediaError {
    let reason = "was not encoded to the packets that it should give; update FFmpeg, or end the name in .webm or .opus";
    MediaError::BadFile { path: wav.into(), reason: reason.to_owned() }
}

/// Packets of a part among those that its file was encoded to. The first packet of a stream gives no sound: it is what the
/// second is decoded with. So a packet gives the frame whose number is one less.
fn own_packets(stream: &[u8], part: Part) -> Option<&[u8]> {
    let written = part.written();
    let frames = |samples: u64| samples.div_ceil(FRAME) as usize;
    let before = frames(part.span.start_sample - written.start_sample);
    let own = frames(part.span.end_sample - part.span.start_sample);
    let first = if part.span.start_sample == 0 { 0 } else { before + 1 };
    let starts = packets(stream)?;
    let start = *starts.get(first)?;
    let end = *starts.get(before + own + 1)?;
    Some(&stream[start..end])
}

/// Where each packet of an ADTS stream begins, and the stream's end.
fn packets(stream: &[u8]) -> Option<Vec<usize>> {
    let mut starts = vec![0];
    let mut at = 0;
    while at < stream.len() {
        let &[0xFF, sync, _, high, middle, low, _] = stream.get(at..at + HEADER)? else { return None };
        let length = usize::from(high & 3) << 11 | usize::from(middle) << 3 | usize::from(low) >> 5;
        if sync & 0xF6 != 0xF0 || length < HEADER {
            return None;
        }
        at += length;
        starts.push(at);
    }
    (at == stream.len()).then_some(starts)
}

/// Puts encoded parts one after the other: the packets of the whole.
pub fn join_encoded(parts: &[PathBuf], output: &Path) -> Result<(), MediaError> {
    let failed = |error| MediaError::io(output, error);
    let mut joined = BufWriter::new(File::create(output).map_err(failed)?);
    for path in parts {
        let mut part = File::open(path).map_err(|error| MediaError::io(path, error))?;
        std::io::copy(&mut part, &mut joined).map_err(failed)?;
    }
    joined.flush().map_err(failed)
}

/// Puts the files of parts one after the other, each without what it holds of its neighbours: a WAV file of the whole.
pub fn join_mixed(parts: &[(Part, PathBuf)], output: &Path) -> Result<(), MediaError> {
    let mut joined = WavWriter::create(output, SAMPLE_RATE, 2)?;
    let mut block = vec![[0.0_f32; 2]; BLOCK];
    let mut samples = Vec::with_capacity(BLOCK * 2);
    for (part, path) in parts {
        let mut wav = super::wav::WavReader::open(path)?;
        wav.seek(part.span.start_sample - part.written().start_sample)?;
        let mut left = part.span.end_sample - part.span.start_sample;
        while left > 0 {
            let count = wav.read(&mut block[..left.min(BLOCK as u64) as usize])?;
            if count == 0 {
                let reason = "is shorter than the part that it holds; remove it from the data folder".to_owned();
                return Err(MediaError::BadFile { path: path.clone(), reason });
            }
            samples.clear();
            samples.extend(block[..count].as_flattened().iter().map(|sample| (sample * 32_768.0) as i16));
            joined.write(&samples)?;
            left -= count as u64;
        }
    }
    joined.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of a length, told from others by its last byte.
    fn packet(length: usize, number: u8) -> Vec<u8> {
        let mut packet =
            vec![0xFF, 0xF1, 0x4C, 0x80 | (length >> 11) as u8, (length >> 3) as u8, (length << 5) as u8, 0xFC];
        packet.resize(length - 1, 0);
        packet.push(number);
        packet
    }

    #[test]
    fn a_part_keeps_the_packets_that_give_its_frames() {
        let parts = Part::all(2 * 450 * FRAME + 1);
        let stream =
            |count: usize| -> Vec<u8> { (0..count).flat_map(|n| packet(20 + n % 300, (n % 251) as u8)).collect() };
        let numbers = |part: Part, count: usize| {
            let stream = stream(count);
            let own = own_packets(&stream, part).unwrap();
            let starts = packets(own).unwrap();
            (starts.len() - 1, own[starts[1] - 1])
        };
        assert_eq!(numbers(parts[0], 455), (451, 0));
        assert_eq!(numbers(parts[1], 468), (450, 17));
        assert_eq!(numbers(parts[2], 18), (1, 17));
        assert_eq!(own_packets(&stream(400), parts[0]), None, "too few");
    }

    #[test]
    fn what_is_no_stream_of_packets_is_refused() {
        assert_eq!(packets(b""), Some(vec![0]));
        let mut stream = [packet(30, 1), packet(40, 2)].concat();
        assert_eq!(packets(&stream), Some(vec![0, 30, 70]));
        stream.pop();
        assert_eq!(packets(&stream), None);
        assert_eq!(packets(b"no packets at all"), None);
        assert_eq!(packets(&[0xFF, 0xF1, 0, 0, 0, 0, 0]), None, "a length below that of the header");
    }
}
