//! Which encoder makes the pictures of the result, and with what arguments.
//!
//! All segments of a video are made with one [`Encoder`], so that their packets can be joined: closed groups of pictures,
//! the same parameter sets, BT.709 in stream and container.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ffmpeg::{Ffmpeg, store};
use crate::{FrameRate, MediaError, Size};

/// Seconds between key frames at most: what a player waits for at worst when it seeks.
const KEY_FRAME_SECONDS: f64 = 8.0;
const TRIAL_LIMIT: Duration = Duration::from_secs(20);

/// How the result is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    H264,
    H265,
    Av1,
    Vp9,
}

/// How much time is spent for how good a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    Draft,
    Standard,
    High,
    /// Every value kept, for measuring what compression costs. H.264 only.
    Lossless,
}

/// Whether encoders of graphics processors are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hardware {
    Auto,
    Off,
}

/// What decides how many bits a picture gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateControl {
    /// As many as the quality asks for.
    Constant,
    /// Two passes towards a mean rate; without one, the rate that the quality usually needs at this size.
    TwoPass { kilobits: Option<u32> },
}

/// What a user chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EncoderSettings {
    pub codec: Codec,
    pub quality: Quality,
    pub hardware: Hardware,
    pub rate: RateControl,
}

impl Default for EncoderSettings {
    fn default() -> Self {
        Self { codec: Codec::H264, quality: Quality::Standard, hardware: Hardware::Auto, rate: RateControl::Constant }
    }
}

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    Software,
    Nvenc,
    QuickSync,
    Vaapi,
    VideoToolbox,
}

/// Which of the two passes a run makes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pass<'a> {
    Only,
    First(&'a Path),
    Second(&'a Path),
}

/// A choice that was tried and works. Equal encoders make segments that can be joined.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Encoder {
    engine: Engine,
    settings: EncoderSettings,
    size: Size,
    fps: FrameRate,
}

/// Chooses the encoder for pictures of `size`: the first of this machine's graphics processors that passes a real trial
/// encode, else software. What the trial showed is kept in the cache of `ffmpeg`.
pub async fn choose_encoder(
    ffmpeg: &Ffmpeg,
    settings: EncoderSettings,
    size: Size,
    fps: FrameRate,
) -> Result<Encoder, MediaError> {
    let software = Encoder { engine: Engine::Software, settings, size, fps };
    if settings.quality == Quality::Lossless
        && (settings.codec != Codec::H264 || settings.rate != RateControl::Constant)
    {
        return Err(MediaError::Invalid("only H.264 without a rate can be lossless here; use codec h264".into()));
    }
    if may_be_hardware(settings) && has_graphics() {
        let cache = trial_file(ffmpeg, &software);
        if let Some(engine) = tokio::fs::read(&cache).await.ok().and_then(|text| serde_json::from_slice(&text).ok()) {
            return Ok(Encoder { engine, ..software });
        }
        let engine = try_engines(ffmpeg, &software).await?;
        if let Err(error) = store(&cache, &engine).await {
            tracing::warn!(%error, "which encoder works is not kept");
        }
        if engine != Engine::Software {
            return Ok(Encoder { engine, ..software });
        }
    }
    ffmpeg.require_encoder(software.name())?;
    Ok(software)
}

/// Whether this machine would choose this encoder as well, so that it makes what another made with it.
pub async fn is_chosen_here(ffmpeg: &Ffmpeg, encoder: &Encoder) -> Result<bool, MediaError> {
    let Encoder { settings, size, fps, .. } = *encoder;
    Ok(choose_encoder(ffmpeg, settings, size, fps).await? == *encoder)
}

/// The encoders of graphics processors have no second pass as they are used here, and none is lossless.
fn may_be_hardware(settings: EncoderSettings) -> bool {
    settings.hardware == Hardware::Auto
        && settings.rate == RateControl::Constant
        && settings.quality != Quality::Lossless
}

async fn try_engines(ffmpeg: &Ffmpeg, software: &Encoder) -> Result<Engine, MediaError> {
    for engine in [Engine::Nvenc, Engine::QuickSync, Engine::VideoToolbox, Engine::Vaapi] {
        let encoder = Encoder { engine, ..software.clone() };
        if !ffmpeg.has_encoder(encoder.name()) {
            continue;
        }
        match trial(ffmpeg, &encoder).await {
            Ok(()) => return Ok(engine),
            Err(MediaError::Cancelled) => return Err(MediaError::Cancelled),
            Err(error) => tracing::debug!(encoder = encoder.name(), %error, "this encoder does not work here"),
        }
    }
    Ok(Engine::Software)
}

/// Encodes a few pictures of the real size: drivers that are listed but absent, or too small, show only then.
async fn trial(ffmpeg: &Ffmpeg, encoder: &Encoder) -> Result<(), MediaError> {
    let source = format!("color=gray:s={}x{}:r={}", encoder.size.width, encoder.size.height, encoder.fps);
    let filter = encoder.upload().unwrap_or("null");
    let command = ffmpeg.command().args(encoder.device_arguments()).args(["-f", "lavfi", "-i", &source, "-vf", filter]);
    let command = command.args(["-frames:v", "8"]).args(encoder.arguments(1, Pass::Only)).args(["-f", "null", "-"]);
    command.time_limit(TRIAL_LIMIT).run().await.map(|_| ())
}

/// Remembers that the hardware encoder failed after all, and gives the software encoder to begin again with. `None` if it
/// was software already.
pub async fn fall_back(ffmpeg: &Ffmpeg, failed: &Encoder) -> Option<Encoder> {
    if !failed.is_hardware() {
        return None;
    }
    let software = Encoder { engine: Engine::Software, ..failed.clone() };
    if let Err(error) = store(&trial_file(ffmpeg, &software), &Engine::Software).await {
        tracing::warn!(%error, "that the encoder fails is not kept");
    }
    ffmpeg.has_encoder(software.name()).then_some(software)
}

/// The places where drivers show themselves; without one a trial is not worth its time.
fn devices() -> Vec<&'static str> {
    let places = ["/dev/nvidia0", "/dev/dri/renderD128", "/dev/dri/renderD129"];
    places.into_iter().filter(|place| Path::new(place).exists()).collect()
}

fn has_graphics() -> bool {
    cfg!(not(target_os = "linux")) || !devices().is_empty()
}

fn trial_file(ffmpeg: &Ffmpeg, encoder: &Encoder) -> std::path::PathBuf {
    let key = format!("{} {:?} {:?}", ffmpeg.fingerprint(), encoder, devices());
    ffmpeg.cache().join(format!("encoder-{}.json", &blake3::hash(key.as_bytes()).to_hex()[..16]))
}

impl Encoder {
    pub fn is_hardware(&self) -> bool {
        self.engine != Engine::Software
    }

    pub fn codec(&self) -> Codec {
        self.settings.codec
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    pub(crate) fn is_two_pass(&self) -> bool {
        // This SVT-AV1 has no second pass through FFmpeg; its one pass aims at the rate.
        matches!(self.settings.rate, RateControl::TwoPass { .. }) && self.settings.codec != Codec::Av1
    }

    /// FFmpeg's name for it.
    pub fn name(&self) -> &'static str {
        match (self.engine, self.settings.codec) {
            (Engine::Software, Codec::H264) => "libx264",
            (Engine::Software, Codec::H265) => "libx265",
            (Engine::Software, Codec::Av1) => "libsvtav1",
            (Engine::Software, Codec::Vp9) => "libvpx-vp9",
            (Engine::Nvenc, Codec::H264) => "h264_nvenc",
            (Engine::Nvenc, Codec::H265) => "hevc_nvenc",
            (Engine::Nvenc, Codec::Av1) => "av1_nvenc",
            (Engine::Nvenc, Codec::Vp9) => "vp9_nvenc",
            (Engine::QuickSync, Codec::H264) => "h264_qsv",
            (Engine::QuickSync, Codec::H265) => "hevc_qsv",
            (Engine::QuickSync, Codec::Av1) => "av1_qsv",
            (Engine::QuickSync, Codec::Vp9) => "vp9_qsv",
            (Engine::Vaapi, Codec::H264) => "h264_vaapi",
            (Engine::Vaapi, Codec::H265) => "hevc_vaapi",
            (Engine::Vaapi, Codec::Av1) => "av1_vaapi",
            (Engine::Vaapi, Codec::Vp9) => "vp9_vaapi",
            (Engine::VideoToolbox, Codec::H264) => "h264_videotoolbox",
            (Engine::VideoToolbox, Codec::H265) => "hevc_videotoolbox",
            (Engine::VideoToolbox, Codec::Av1) => "av1_videotoolbox",
            (Engine::VideoToolbox, Codec::Vp9) => "vp9_videotoolbox",
        }
    }

    /// What stands before the inputs.
    pub(crate) fn device_arguments(&self) -> Vec<String> {
        match self.engine {
            Engine::Vaapi => words("-vaapi_device /dev/dri/renderD128"),
            _ => Vec::new(),
        }
    }

    /// The filter that ends the graph, where the encoder wants its pictures elsewhere than in memory.
    pub(crate) fn upload(&self) -> Option<&'static str> {
        match self.engine {
            Engine::Vaapi => Some("format=nv12,hwupload"),
            Engine::QuickSync => Some("format=nv12"),
            _ => None,
        }
    }

    /// The arguments of the encoder, for `threads` threads of it.
    pub(crate) fn arguments(&self, threads: u32, pass: Pass<'_>) -> Vec<String> {
        let mut arguments = words(&format!("-c:v {}", self.name()));
        arguments.extend(match self.engine {
            Engine::Software => self.software_arguments(threads, pass),
            Engine::Nvenc => words(&format!(
                "-preset {} -rc vbr -cq {} -b:v 0 -bf 2",
                self.by_quality("p1", "p4", "p6"),
                self.level()
            )),
            Engine::QuickSync => words(&format!(
                "-preset {} -global_quality {}",
                self.by_quality("veryfast", "faster", "slow"),
                self.level()
            )),
            Engine::Vaapi => words(&format!("-rc_mode CQP -qp {}", self.level())),
            Engine::VideoToolbox => words(&format!("-q:v {} -allow_sw 0", self.by_quality("45", "60", "75"))),
        });
        if self.upload().is_none() {
            arguments.extend(words("-pix_fmt yuv420p"));
        }
        if self.settings.codec == Codec::H265 {
            arguments.extend(words("-tag:v hvc1"));
        }
        let key_frames = (self.fps.as_f64() * KEY_FRAME_SECONDS).round() as u32;
        arguments.extend(words(&format!("-g {key_frames} -flags:v +cgop+bitexact")));
        arguments.extend(words("-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"));
        arguments
    }

    fn software_arguments(&self, threads: u32, pass: Pass<'_>) -> Vec<String> {
        match self.settings.codec {
            Codec::H264 => self.x264_arguments(threads, pass),
            Codec::H265 => self.x265_arguments(threads, pass),
            Codec::Av1 => {
                let preset = self.by_quality("12", "8", "5");
                let mut arguments = words(&format!("-preset {preset} -svtav1-params lp={threads}"));
                arguments.extend(self.rate_arguments("-crf"));
                arguments
            }
            Codec::Vp9 => {
                // The realtime mode writes no statistics for a second pass.
                let draft =
                    if self.is_two_pass() { "-deadline good -cpu-used 5" } else { "-deadline realtime -cpu-used 8" };
                let speed = self.by_quality(draft, "-deadline good -cpu-used 4", "-deadline good -cpu-used 2");
                let mut arguments = words(&format!("{speed} -row-mt 1 -threads {threads}"));
                arguments.extend(self.rate_arguments("-b:v 0 -crf"));
                arguments.extend(pass_arguments(pass));
                arguments
            }
        }
    }

    /// `stitchable` keeps x264 from fitting the parameter sets to the content, so that they are the same in every segment.
    fn x264_arguments(&self, threads: u32, pass: Pass<'_>) -> Vec<String> {
        let preset = self.by_quality("ultrafast", "veryfast", "slow");
        // The preset looks ten pictures ahead. Each costs 7 MB of a vertical HD encode, and the last two hardly count.
        let lookahead = self.by_quality("", ":rc-lookahead=7", "");
        let mut arguments = words(&format!("-preset {preset} -threads {threads} -x264-params stitchable=1{lookahead}"));
        if matches!(self.settings.quality, Quality::Standard | Quality::High) {
            arguments.extend(words("-profile:v high"));
        }
        let constant = if self.settings.quality == Quality::Lossless { "-qp" } else { "-crf" };
        arguments.extend(self.rate_arguments(constant));
        arguments.extend(pass_arguments(pass));
        arguments
    }

    fn x265_arguments(&self, threads: u32, pass: Pass<'_>) -> Vec<String> {
        let preset = self.by_quality("ultrafast", "veryfast", "medium");
        // x265 has its own words for two passes; FFmpeg's do not reach it.
        let pass = match pass {
            Pass::Only => String::new(),
            Pass::First(stats) => format!(":pass=1:stats={}", colons_escaped(stats)),
            Pass::Second(stats) => format!(":pass=2:stats={}", colons_escaped(stats)),
        };
        let parameters = format!("pools={threads}:frame-threads=1:open-gop=0:info=0:log-level=error{pass}");
        let mut arguments = words(&format!("-preset {preset} -x265-params"));
        arguments.push(parameters);
        arguments.extend(self.rate_arguments("-crf"));
        arguments
    }

    fn rate_arguments(&self, constant: &str) -> Vec<String> {
        match self.settings.rate {
            RateControl::Constant => words(&format!("{constant} {}", self.level())),
            RateControl::TwoPass { kilobits } => {
                let kilobits = kilobits.unwrap_or_else(|| self.usual_kilobits());
                words(&format!("-b:v {kilobits}k"))
            }
        }
    }

    /// The rate this quality usually needs, from bits for each pixel measured on filmed footage.
    fn usual_kilobits(&self) -> u32 {
        let bits_per_pixel = match self.settings.quality {
            Quality::Draft => 0.05,
            Quality::Standard => 0.08,
            Quality::High | Quality::Lossless => 0.13,
        };
        let codec = if self.settings.codec == Codec::H264 { 1.0 } else { 0.65 };
        let pixels = f64::from(self.size.width) * f64::from(self.size.height) * self.fps.as_f64();
        (pixels * bits_per_pixel * codec / 1000.0).round().max(50.0) as u32
    }

    /// The constant quality on the encoder's own scale, where lower is better.
    fn level(&self) -> u32 {
        let (draft, standard, high) = match (self.engine, self.settings.codec) {
            (_, Codec::H264) => (28, 21, 18),
            (_, Codec::H265) => (30, 24, 20),
            (Engine::Vaapi, Codec::Av1 | Codec::Vp9) => (140, 110, 80),
            (_, Codec::Av1) => (40, 32, 25),
            (_, Codec::Vp9) => (40, 32, 26),
        };
        match self.settings.quality {
            Quality::Draft => draft,
            Quality::Standard => standard,
            Quality::High => high,
            Quality::Lossless => 0,
        }
    }

    fn by_quality(&self, draft: &'static str, standard: &'static str, high: &'static str) -> &'static str {
        match self.settings.quality {
            Quality::Draft | Quality::Lossless => draft,
            Quality::Standard => standard,
            Quality::High => high,
        }
    }
}

fn pass_arguments(pass: Pass<'_>) -> Vec<String> {
    let (number, stats) = match pass {
        Pass::Only => return Vec::new(),
        Pass::First(stats) => ("1", stats),
        Pass::Second(stats) => ("2", stats),
    };
    vec!["-pass".into(), number.into(), "-passlogfile".into(), stats.to_string_lossy().into_owned()]
}

fn colons_escaped(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "\\\\").replace(':', "\\:")
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoder(codec: Codec, quality: Quality, rate: RateControl) -> Encoder {
        let settings = EncoderSettings { codec, quality, hardware: Hardware::Off, rate };
        Encoder { engine: Engine::Software, settings, size: Size::new(1080, 1920), fps: FrameRate::whole(30) }
    }

    #[test]
    fn standard_h264_is_veryfast_at_21() {
        let arguments =
            encoder(Codec::H264, Quality::Standard, RateControl::Constant).arguments(1, Pass::Only).join(" ");
        assert_eq!(
            arguments,
            "-c:v libx264 -preset veryfast -threads 1 -x264-params stitchable=1:rc-lookahead=7 -profile:v high -crf 21 -pix_fmt yuv420p \
             -g 240 -flags:v +cgop+bitexact -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"
        );
    }

    #[test]
    fn two_passes_aim_at_the_rate_given_or_the_usual_one() {
        let stats = Path::new("/tmp/a:b");
        let given = encoder(Codec::H264, Quality::High, RateControl::TwoPass { kilobits: Some(900) });
        let arguments = given.arguments(2, Pass::Second(stats)).join(" ");
        assert!(
            arguments.contains("-b:v 900k -pass 2 -passlogfile /tmp/a:b") && !arguments.contains("-crf"),
            "{arguments}"
        );
        let usual = encoder(Codec::H265, Quality::Standard, RateControl::TwoPass { kilobits: None });
        let arguments = usual.arguments(2, Pass::First(stats)).join(" ");
        assert!(arguments.contains(r":pass=1:stats=/tmp/a\:b -b:v 3235k"), "{arguments}");
    }
}
