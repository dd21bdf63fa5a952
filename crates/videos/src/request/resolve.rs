//! From what was said to a whole request: defaults for the rest, and every value checked.

use std::path::Path;

use media::{captions::Style, cards::Theme};

use super::{
    Aspect, CaptionMode, CaptionRequest, Codec, Corner, Encoding, Framing, Hardware, Materials, Order, Pauses, Picture,
    Quality, RequestPatch, Sound, Source, Transition, VideoRequest, Voicing, Watermark,
};
use crate::VideosError;

/// Frame rates that cameras and players know.
const FRAME_RATES: [u32; 5] = [24, 25, 30, 50, 60];

impl RequestPatch {
    /// Fills what nobody said and checks the rest; every fault is named at once.
    pub fn resolve(self, source: Source) -> Result<VideoRequest, VideosError> {
        let mut faults = Vec::new();
        self.check(&mut faults);
        if !faults.is_empty() {
            return Err(VideosError::Settings { place: "settings".to_owned(), faults });
        }
        Ok(VideoRequest {
            source,
            voice: self.voicing(),
            picture: self.picture(),
            captions: CaptionRequest {
                mode: self.captions.unwrap_or(CaptionMode::Word),
                style: self.caption_style.clone().unwrap_or_else(|| "bold".to_owned()),
            },
            sound: self.sound(),
            encoding: self.encoding(),
            title: self.title.filter(|title| !title.is_empty()),
            description: self.description.filter(|description| !description.is_empty()),
            lang: self.lang,
            hashtags: self.hashtags.unwrap_or_default(),
            credits: self.credits.unwrap_or_default(),
            materials: Materials {
                folders: self.media.unwrap_or_default(),
                order: self.order.unwrap_or(Order::Sequential),
            },
            max_duration_ms: self.max_duration_ms,
            seed: self.seed.unwrap_or(0),
        })
    }

    fn voicing(&self) -> Voicing {
        Voicing {
            voice: self.voice.clone().filter(|voice| !voice.is_empty()),
            rate: self.rate.unwrap_or(1.0),
            pitch: self.pitch.unwrap_or(1.0),
            pauses: Pauses {
                sentence_ms: self.sentence_pause_ms.unwrap_or(250),
                paragraph_ms: self.paragraph_pause_ms.unwrap_or(450),
                section_ms: self.section_pause_ms.unwrap_or(800),
            },
        }
    }

    fn picture(&self) -> Picture {
        let watermark = self.watermark.clone().map(|file| Watermark {
            file,
            corner: self.watermark_corner.unwrap_or(Corner::TopRight),
            opacity: self.watermark_opacity.unwrap_or(0.8),
        });
        Picture {
            aspect: self.aspect.unwrap_or(Aspect::Portrait),
            fps: self.fps.unwrap_or(30),
            theme: self.theme.clone().unwrap_or_else(|| "ink".to_owned()),
            transition: self.transition.unwrap_or(Transition::Fade),
            transition_ms: self.transition_ms.unwrap_or(400),
            framing: self.framing.unwrap_or(Framing::Auto),
            watermark,
            intro: self.intro.clone(),
            outro: self.outro.clone(),
        }
    }

    fn sound(&self) -> Sound {
        Sound {
            music: self.music.clone(),
            music_below_voice_lu: self.music_below_voice_lu.unwrap_or(8.0),
            duck_db: self.duck_db.unwrap_or(9.0),
            noise_reduction: self.noise_reduction.unwrap_or(false),
        }
    }

    fn encoding(&self) -> Encoding {
        Encoding {
            quality: self.quality.unwrap_or(Quality::Standard),
            codec: self.codec.unwrap_or(Codec::H264),
            hardware: self.hardware.unwrap_or(Hardware::Off),
            two_pass: self.two_pass.unwrap_or(false),
            denoise: self.denoise.unwrap_or(false),
            upscale: self.upscale,
        }
    }

    /// What is wrong with the values, whether or not the files are there.
    pub fn values_at_fault(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.check_values(&mut faults);
        faults
    }

    fn check(&self, faults: &mut Vec<String>) {
        self.check_values(faults);
        self.check_files(faults);
    }

    fn check_values(&self, faults: &mut Vec<String>) {
        let mut within = |name: &str, value: Option<f64>, low: f64, high: f64| {
            if let Some(value) = value.filter(|value| !(low..=high).contains(value)) {
                faults.push(format!("`{name}` is {value}, but must be from {low} to {high}"));
            }
        };
        within("rate", self.rate.map(f64::from), 0.5, 2.0);
        within("pitch", self.pitch.map(f64::from), 0.5, 2.0);
        within("watermark-opacity", self.watermark_opacity.map(f64::from), 0.0, 1.0);
        within("music-below-voice", self.music_below_voice_lu, 0.0, 40.0);
        within("duck", self.duck_db, 0.0, 40.0);
        let seconds = |ms: Option<u64>| ms.map(|ms| ms as f64 / 1000.0);
        within("transition-time (in seconds)", seconds(self.transition_ms), 0.0, 2.0);
        within("sentence-pause (in seconds)", seconds(self.sentence_pause_ms), 0.0, 10.0);
        within("paragraph-pause (in seconds)", seconds(self.paragraph_pause_ms), 0.0, 10.0);
        within("section-pause (in seconds)", seconds(self.section_pause_ms), 0.0, 10.0);
        within("max-duration (in seconds)", seconds(self.max_duration_ms), 3.0, 86_400.0);
        if let Some(fps) = self.fps.filter(|fps| !FRAME_RATES.contains(fps)) {
            faults.push(format!("`fps` is {fps}, but must be 24, 25, 30, 50 or 60"));
        }
        if let Some(times) = self.upscale.filter(|times| ![2, 4, 8].contains(times)) {
            faults.push(format!("`upscale` is {times}, but must be 2, 4 or 8"));
        }
        if self.watermark.is_none() && (self.watermark_corner.is_some() || self.watermark_opacity.is_some()) {
            faults.push("`watermark-corner` and `watermark-opacity` need a `watermark`".to_owned());
        }
        self.check_looks(faults);
    }

    fn check_looks(&self, faults: &mut Vec<String>) {
        if let Some(Err(error)) = self.theme.as_deref().map(Theme::named) {
            faults.push(error.to_string());
        }
        // A style with a dot or a slash in it is a file, which is checked when it is read.
        let built_in = self.caption_style.as_deref().filter(|style| !style.contains(['/', '\\', '.']));
        if let Some(Err(error)) = built_in.map(Style::named) {
            faults.push(error.to_string());
        }
    }

    fn check_files(&self, faults: &mut Vec<String>) {
        let files =
            [("watermark", &self.watermark), ("intro", &self.intro), ("outro", &self.outro), ("music", &self.music)];
        for (name, path) in files {
            if let Some(path) = path.as_deref().filter(|path| !path.is_file()) {
                faults.push(format!("`{name}` {}", absent(path, "file")));
            }
        }
        for folder in self.media.iter().flatten().filter(|folder| !folder.exists()) {
            faults.push(format!("`media` {}", absent(folder, "folder")));
        }
    }
}

/// Why a path cannot be used.
fn absent(path: &Path, wanted: &str) -> String {
    if path.exists() {
        format!("is `{}`, which is no {wanted}", path.display())
    } else {
        format!("is `{}`, which does not exist; paths in a file are relative to that file", path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Source {
        Source::Text { text: "Hello.".to_owned(), base: ".".into() }
    }

    #[test]
    fn an_empty_patch_gives_the_documented_defaults() {
        let request = RequestPatch::default().resolve(text()).unwrap();
        assert_eq!(request.picture.aspect, Aspect::Portrait);
        assert_eq!((request.picture.fps, request.picture.transition_ms), (30, 400));
        assert_eq!(request.captions.mode, CaptionMode::Word);
        assert_eq!(request.encoding.quality, Quality::Standard);
        assert_eq!((request.seed, request.max_duration_ms), (0, None));
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let patch = RequestPatch {
            rate: Some(3.0),
            fps: Some(31),
            theme: Some("neon".to_owned()),
            caption_style: Some("huge".to_owned()),
            upscale: Some(3),
            music: Some("/nowhere/bed.mp3".into()),
            watermark_opacity: Some(f32::NAN),
            ..RequestPatch::default()
        };
        let error = patch.resolve(text()).unwrap_err().to_string();
        for part in [
            "`rate` is 3",
            "`fps` is 31",
            "theme `neon` not found",
            "caption style `huge`",
            "`upscale` is 3",
            "/nowhere/bed.mp3",
            "`watermark-opacity`",
        ] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }
}
