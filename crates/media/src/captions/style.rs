//! How captions look: a documented file format and the styles that come with it.

use serde::{Deserialize, Serialize};

use super::Color;
use crate::{MediaError, Size, fonts};

/// The styles that come with Pressroom: name and file.
const BUILT_IN: [(&str, &str); 5] = [
    ("clean", include_str!("styles/clean.toml")),
    ("bold", include_str!("styles/bold.toml")),
    ("boxed", include_str!("styles/boxed.toml")),
    ("karaoke", include_str!("styles/karaoke.toml")),
    ("subtle", include_str!("styles/subtle.toml")),
];

/// A style file larger than this is no style file.
const MAX_FILE_BYTES: usize = 64 * 1024;

/// The look of burned captions. Every field may be left out of a file; what is missing is that of `clean`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Style {
    /// An installed font family; other fonts stand in for characters it lacks.
    pub font: String,
    /// From 100 (thin) to 900 (black); 700 is bold.
    pub weight: u16,
    /// The em, as a fraction of the mean of the frame's height and its shorter side: portrait frames, watched on
    /// phones, get larger letters than landscape ones. 0.054 is 81 pixels at 1080×1920 and 58 at 1920×1080.
    pub size: f32,
    /// From baseline to baseline, in ems.
    pub line_height: f32,
    /// Lines shown at once, 1 or 2.
    pub lines: u8,
    /// Whether all letters are capitals. Files beside the video keep the letters as written.
    pub uppercase: bool,
    pub color: Color,
    /// The colour of the spoken word.
    pub highlight: Color,
    pub outline: Outline,
    pub shadow: Shadow,
    /// Drawn behind each line.
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    pub line_box: Option<Backdrop>,
    /// Drawn behind the spoken word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_box: Option<Backdrop>,
    pub position: Position,
    /// Free space left and right, as a fraction of the frame's width.
    pub margin_x: f32,
    /// Free space below (or above), as a fraction of the frame's height.
    pub margin_y: f32,
    /// The same in frames clearly taller than wide, where phones lay their buttons over the lower part.
    pub margin_y_tall: f32,
}

/// A line around each letter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outline {
    /// In ems; 0 is none.
    pub width: f32,
    pub color: Color,
}

/// A hard copy of the letters, down and to the right. (A soft one costs more time than all the rest together.)
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shadow {
    /// In ems; 0 is none.
    pub offset: f32,
    pub color: Color,
}

/// A rounded box behind text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backdrop {
    pub color: Color,
    /// Free space between text and edge, in ems.
    pub padding: f32,
    /// Of the corners, in ems.
    pub radius: f32,
}

/// Where captions stand in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    Bottom,
    Middle,
    Top,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            font: fonts::DEFAULT_FAMILY.to_owned(),
            weight: 700,
            size: 0.054,
            line_height: 1.25,
            lines: 2,
            uppercase: false,
            color: Color::WHITE,
            highlight: Color { red: 255, green: 213, blue: 74, opacity: 255 },
            outline: Outline::default(),
            shadow: Shadow::default(),
            line_box: None,
            word_box: None,
            position: Position::Bottom,
            margin_x: 0.08,
            margin_y: 0.08,
            margin_y_tall: 0.22,
        }
    }
}

impl Default for Outline {
    fn default() -> Self {
        Self { width: 0.06, color: Color::BLACK }
    }
}

impl Default for Shadow {
    fn default() -> Self {
        Self { offset: 0.0, color: Color { opacity: 160, ..Color::BLACK } }
    }
}

impl Default for Backdrop {
    fn default() -> Self {
        Self { color: Color { opacity: 176, ..Color::BLACK }, padding: 0.22, radius: 0.2 }
    }
}

impl Style {
    /// The names of the styles that come with Pressroom.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A style that comes with Pressroom; an unknown name is refused with the list.
    pub fn named(name: &str) -> Result<Self, MediaError> {
        let Some((_, file)) = BUILT_IN.iter().find(|(known, _)| *known == name) else {
            let known = Self::names().collect::<Vec<_>>().join("`, `");
            return Err(MediaError::Invalid(format!("caption style `{name}` is unknown; there are `{known}`")));
        };
        Self::from_toml(file)
    }

    /// Reads a style file and checks it, its font included.
    pub fn from_toml(text: &str) -> Result<Self, MediaError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(MediaError::Invalid(format!(
                "a caption style of {} bytes is too large; {MAX_FILE_BYTES} are enough",
                text.len()
            )));
        }
        let style: Self = toml::from_str(text)
            .map_err(|e| MediaError::Invalid(format!("caption style: {}", e.to_string().trim())))?;
        style.check()?;
        Ok(style)
    }

    /// Fails when a value is out of its range or the font is not installed.
    pub fn check(&self) -> Result<(), MediaError> {
        let ranges = [
            ("weight", f32::from(self.weight), 100.0, 900.0),
            ("size", self.size, 0.01, 0.2),
            ("line_height", self.line_height, 1.0, 3.0),
            ("lines", f32::from(self.lines), 1.0, 2.0),
            ("outline.width", self.outline.width, 0.0, 0.3),
            ("shadow.offset", self.shadow.offset, 0.0, 0.3),
            ("margin_x", self.margin_x, 0.0, 0.35),
            ("margin_y", self.margin_y, 0.0, 0.45),
            ("margin_y_tall", self.margin_y_tall, 0.0, 0.45),
        ];
        let boxes = self.line_box.iter().chain(&self.word_box);
        let boxes = boxes.flat_map(|b| [("box padding", b.padding, 0.0, 1.0), ("box radius", b.radius, 0.0, 1.0)]);
        for (name, value, least, most) in ranges.into_iter().chain(boxes) {
            if !(least..=most).contains(&value) {
                return Err(MediaError::Invalid(format!(
                    "caption style: {name} is {value}; it must be from {least} to {most}"
                )));
            }
        }
        if self.font.contains(|c: char| c.is_control() || matches!(c, ',' | '\\' | '{' | '}')) {
            return Err(MediaError::Invalid(format!(
                "caption style: font `{}` has characters no font name may have",
                self.font.escape_debug()
            )));
        }
        fonts::require_family(&self.font)
    }

    /// The em in pixels in a frame.
    pub fn size_px(&self, frame: Size) -> f32 {
        let (width, height) = (frame.width as f32, frame.height as f32);
        self.size * f32::midpoint(height, height.min(width))
    }

    /// The widest a line may be in a frame, in pixels.
    pub fn line_width_px(&self, frame: Size) -> f32 {
        let padding = self.line_box.iter().chain(&self.word_box).map(|b| b.padding).fold(self.outline.width, f32::max);
        let free = frame.width as f32 * (1.0 - 2.0 * self.margin_x);
        (free - 2.0 * padding * self.size_px(frame)).max(2.0 * self.size_px(frame))
    }

    /// The free space below or above, in pixels.
    pub fn margin_y_px(&self, frame: Size) -> f32 {
        let share = if frame.ratio() < 0.7 { self.margin_y_tall } else { self.margin_y };
        frame.height as f32 * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Style::from_toml(text).unwrap_err().to_string()
    }

    #[test]
    fn every_built_in_style_is_sound_and_reads_back_from_what_it_writes() {
        for name in Style::names() {
            let style = Style::named(name).unwrap();
            assert_eq!(Style::from_toml(&toml::to_string(&style).unwrap()).unwrap(), style, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_list() {
        let message = Style::named("neon").unwrap_err().to_string();
        assert_eq!(message, "caption style `neon` is unknown; there are `clean`, `bold`, `boxed`, `karaoke`, `subtle`");
    }

    #[test]
    fn what_a_file_says_wrong_is_named() {
        assert!(refusal("colour = '#FFFFFF'").contains("unknown field `colour`"));
        assert!(refusal("color = 'red'").contains("`red` is not a colour"));
        assert!(refusal("size = 2.0").contains("size is 2; it must be from 0.01 to 0.2"));
        assert!(refusal("size = nan").contains("size is NaN"));
        assert!(refusal("box = { padding = 9.0 }").contains("box padding is 9"));
        assert!(refusal("font = 'Nowhere Grotesk'").contains("font `Nowhere Grotesk` is not installed"));
        assert!(refusal("font = 'Evil}{,'").contains("has characters no font name may have"));
        assert!(refusal(&"#".repeat(70_000)).contains("too large"));
    }

    #[test]
    fn letters_are_larger_on_a_phone_than_on_a_television() {
        let style = Style::default();
        assert!((style.size_px(Size::new(1080, 1920)) - 81.0).abs() < 0.1);
        assert!((style.size_px(Size::new(1920, 1080)) - 58.3).abs() < 0.1);
        assert!(style.margin_y_px(Size::new(1080, 1920)) > 400.0);
    }
}
