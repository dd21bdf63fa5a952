//! Everything a user can ask of a video: one type, read from front matter, a project file, a CSV row, or flags.
//!
//! Each of these is a [`RequestPatch`], where every field is optional; patches are laid over each other, the later the
//! stronger (front matter, project file, flags), and [`RequestPatch::resolve`] fills what nobody said and checks the rest.

mod choice;
pub mod front_matter;
mod keys;
mod patch;
mod project;
mod resolve;
mod value;

use std::path::PathBuf;

use kernel::Lang;
use media::Size;
pub use media::{
    encoder::{Codec, Hardware, Quality},
    segment::Corner,
};
use serde::{Deserialize, Serialize};

pub use choice::{Choice, UnknownName};
pub(crate) use keys::unknown as unknown_name;
pub use keys::{Form, KEYS, Key};
pub use patch::RequestPatch;
pub use project::{Project, ScriptPlace, parse_url};
pub use value::{Wanted, parse_duration_ms};

/// Where the words come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Markdown or plain text, with the folder its references are relative to.
    Text { text: String, base: PathBuf },
    /// A web page, fetched and reduced to its article.
    Url(url::Url),
}

/// A checked request for one video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoRequest {
    pub source: Source,
    pub title: Option<String>,
    pub description: Option<String>,
    /// `None`: found from the text.
    pub lang: Option<Lang>,
    pub hashtags: Vec<String>,
    /// Lines of the end card.
    pub credits: Vec<String>,
    pub voice: Voicing,
    pub picture: Picture,
    pub captions: CaptionRequest,
    pub materials: Materials,
    pub sound: Sound,
    pub encoding: Encoding,
    /// A longer script is shortened by extractive summary.
    pub max_duration_ms: Option<u64>,
    /// Decides every choice that is left to chance; the same seed gives the same video.
    pub seed: u64,
}

/// The narrator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Voicing {
    /// `None`: the default voice of the language.
    pub voice: Option<String>,
    /// 1.0 is the voice's own speed; 0.5 to 2.0.
    pub rate: f32,
    /// 1.0 is the voice's own pitch; 0.5 to 2.0.
    pub pitch: f32,
    pub pauses: Pauses,
}

/// Silence between spoken parts, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    pub sentence_ms: u64,
    pub paragraph_ms: u64,
    pub section_ms: u64,
}

/// How the video looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    pub aspect: Aspect,
    pub fps: u32,
    pub theme: String,
    pub transition: Transition,
    /// Length of a transition in milliseconds.
    pub transition_ms: u64,
    pub framing: Framing,
    pub watermark: Option<Watermark>,
    /// A clip or still shown before the first scene.
    pub intro: Option<PathBuf>,
    /// A clip or still shown after the last scene.
    pub outro: Option<PathBuf>,
}

/// The shape of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Aspect {
    #[serde(rename = "9:16")]
    Portrait,
    #[serde(rename = "16:9")]
    Landscape,
    #[serde(rename = "1:1")]
    Square,
    #[serde(rename = "4:5")]
    FourFive,
}

impl Aspect {
    /// Every aspect and its name.
    pub const ALL: [(&'static str, Self); 4] =
        [("9:16", Self::Portrait), ("16:9", Self::Landscape), ("1:1", Self::Square), ("4:5", Self::FourFive)];

    /// The frame at full quality.
    pub const fn size(self) -> Size {
        match self {
            Self::Portrait => Size::new(1080, 1920),
            Self::Landscape => Size::new(1920, 1080),
            Self::Square => Size::new(1080, 1080),
            Self::FourFive => Size::new(1080, 1350),
        }
    }

    /// The frame of a draft: a quarter of each side, even.
    pub const fn draft_size(self) -> Size {
        match self {
            Self::Portrait => Size::new(270, 480),
            Self::Landscape => Size::new(480, 270),
            Self::Square => Size::new(270, 270),
            Self::FourFive => Size::new(270, 338),
        }
    }
}

/// How one scene gives way to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    None,
    Fade,
    Slide,
    Wipe,
    Zoom,
    /// One of the others at each cut, chosen by the seed.
    Shuffle,
}

/// How footage of another shape fills the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// A crop around the subject; blurred fill where too little of the picture would remain.
    Auto,
    Crop,
    /// The whole picture over a blurred copy of itself.
    Blur,
    /// The whole picture over the theme's colour.
    Fit,
}

/// A picture laid over the whole video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watermark {
    pub file: PathBuf,
    pub corner: Corner,
    /// 0 to 1.
    pub opacity: f32,
}

/// What is burnt into the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaptionRequest {
    pub mode: CaptionMode,
    /// A built-in style's name, or a style file.
    pub style: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptionMode {
    None,
    Line,
    /// The spoken word is lit.
    Word,
}

/// Footage to choose from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Materials {
    /// Folders of clips and stills, each searched with its sub-folders.
    pub folders: Vec<PathBuf>,
    pub order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The best match for each scene; equal ones in the order of their names.
    Sequential,
    /// Equal matches in an order given by the seed.
    Random,
}

/// What is heard beside the voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sound {
    pub music: Option<PathBuf>,
    /// Level of the music in pauses, in LU below the voice.
    pub music_below_voice_lu: f64,
    /// How much further the music goes down under speech, in dB.
    pub duck_db: f64,
    pub noise_reduction: bool,
}

/// How the result is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoding {
    pub quality: Quality,
    pub codec: Codec,
    pub hardware: Hardware,
    /// Two passes at the bitrate the quality gives.
    pub two_pass: bool,
    /// Removes noise of the footage.
    pub denoise: bool,
    /// Enlarges the frame by 2, 4 or 8 with Lanczos.
    pub upscale: Option<u32>,
}
