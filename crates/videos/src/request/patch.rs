//! What one source of settings says; every field may be missing.

use std::path::{Path, PathBuf};

use kernel::Lang;

use super::{
    Aspect, CaptionMode, Codec, Corner, Framing, Hardware, Order, Quality, Transition,
    value::{Value, Wanted},
};

/// Settings as a user writes them; `None` is what was not written.
///
/// Paths are already relative to nothing but the working folder: whoever reads a file joins them to its folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestPatch {
    pub title: Option<String>,
    pub description: Option<String>,
    pub lang: Option<Lang>,
    pub hashtags: Option<Vec<String>>,
    pub credits: Option<Vec<String>>,
    pub max_duration_ms: Option<u64>,
    pub seed: Option<u64>,

    pub voice: Option<String>,
    pub rate: Option<f32>,
    pub pitch: Option<f32>,
    pub sentence_pause_ms: Option<u64>,
    pub paragraph_pause_ms: Option<u64>,
    pub section_pause_ms: Option<u64>,

    pub aspect: Option<Aspect>,
    pub fps: Option<u32>,
    pub theme: Option<String>,
    pub transition: Option<Transition>,
    pub transition_ms: Option<u64>,
    pub framing: Option<Framing>,
    pub watermark: Option<PathBuf>,
    pub watermark_corner: Option<Corner>,
    pub watermark_opacity: Option<f32>,
    pub intro: Option<PathBuf>,
    pub outro: Option<PathBuf>,

    pub captions: Option<CaptionMode>,
    pub caption_style: Option<String>,

    pub media: Option<Vec<PathBuf>>,
    pub order: Option<Order>,

    pub music: Option<PathBuf>,
    pub music_below_voice_lu: Option<f64>,
    pub duck_db: Option<f64>,
    pub noise_reduction: Option<bool>,

    pub quality: Option<Quality>,
    pub codec: Option<Codec>,
    pub hardware: Option<Hardware>,
    pub two_pass: Option<bool>,
    pub denoise: Option<bool>,
    pub upscale: Option<u32>,
}

impl RequestPatch {
    /// Sets a setting, named as in front matter, from text; paths are relative to `base`.
    pub(crate) fn set_text(&mut self, name: &str, text: &str, base: &Path) -> Result<(), String> {
        self.set(name, &Value::One(text.to_owned()), base)
    }

    /// Sets a setting, named as in front matter, from what a program sent.
    pub fn set_wanted(&mut self, name: &str, wanted: &Wanted, base: &Path) -> Result<(), String> {
        self.set(name, &wanted.to_value(), base)
    }

    /// The files and folders that the settings name.
    pub fn paths(&self) -> Vec<PathBuf> {
        let files = [&self.watermark, &self.intro, &self.outro, &self.music].into_iter().flatten().cloned();
        // A style that is no built-in one is a file.
        let style = self.caption_style.as_deref().filter(|style| style.contains(['/', '\\', '.'])).map(PathBuf::from);
        files.chain(self.media.iter().flatten().cloned()).chain(style).collect()
    }

    /// This patch laid over a weaker one: what this one says counts, what it leaves out the other may say.
    #[must_use]
    pub fn over(self, weaker: Self) -> Self {
        Self {
            title: self.title.or(weaker.title),
            description: self.description.or(weaker.description),
            lang: self.lang.or(weaker.lang),
            hashtags: self.hashtags.or(weaker.hashtags),
            credits: self.credits.or(weaker.credits),
            max_duration_ms: self.max_duration_ms.or(weaker.max_duration_ms),
            seed: self.seed.or(weaker.seed),
            voice: self.voice.or(weaker.voice),
            rate: self.rate.or(weaker.rate),
            pitch: self.pitch.or(weaker.pitch),
            sentence_pause_ms: self.sentence_pause_ms.or(weaker.sentence_pause_ms),
            paragraph_pause_ms: self.paragraph_pause_ms.or(weaker.paragraph_pause_ms),
            section_pause_ms: self.section_pause_ms.or(weaker.section_pause_ms),
            aspect: self.aspect.or(weaker.aspect),
            fps: self.fps.or(weaker.fps),
            theme: self.theme.or(weaker.theme),
            transition: self.transition.or(weaker.transition),
            transition_ms: self.transition_ms.or(weaker.transition_ms),
            framing: self.framing.or(weaker.framing),
            watermark: self.watermark.or(weaker.watermark),
            watermark_corner: self.watermark_corner.or(weaker.watermark_corner),
            watermark_opacity: self.watermark_opacity.or(weaker.watermark_opacity),
            intro: self.intro.or(weaker.intro),
            outro: self.outro.or(weaker.outro),
            captions: self.captions.or(weaker.captions),
            caption_style: self.caption_style.or(weaker.caption_style),
            media: self.media.or(weaker.media),
            order: self.order.or(weaker.order),
            music: self.music.or(weaker.music),
            music_below_voice_lu: self.music_below_voice_lu.or(weaker.music_below_voice_lu),
            duck_db: self.duck_db.or(weaker.duck_db),
            noise_reduction: self.noise_reduction.or(weaker.noise_reduction),
            quality: self.quality.or(weaker.quality),
            codec: self.codec.or(weaker.codec),
            hardware: self.hardware.or(weaker.hardware),
            two_pass: self.two_pass.or(weaker.two_pass),
            denoise: self.denoise.or(weaker.denoise),
            upscale: self.upscale.or(weaker.upscale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stronger_patch_wins_and_the_weaker_fills_the_rest() {
        let flags = RequestPatch { theme: Some("paper".to_owned()), ..RequestPatch::default() };
        let file = RequestPatch { theme: Some("ink".to_owned()), seed: Some(7), ..RequestPatch::default() };
        let both = flags.over(file);
        assert_eq!(both.theme.as_deref(), Some("paper"));
        assert_eq!(both.seed, Some(7));
    }
}
