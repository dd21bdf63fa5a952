//! What a theme is: colours, letters, background art and the character of its motion. The themes themselves are data, a
//! file each under `themes/`.

use super::themes::THEMES;
use crate::MediaError;

/// A colour, red, green and blue.
pub type Rgb = [u8; 3];

/// The look of everything Pressroom draws. Lengths are in hundredths of the frame's shorter side unless said otherwise.
#[derive(Debug)]
pub struct Theme {
    /// The name users give.
    pub name: &'static str,
    /// One line on its character.
    pub description: &'static str,
    pub palette: Palette,
    pub heading: Face,
    pub body: Face,
    pub backdrop: Backdrop,
    pub details: Details,
    pub motion: Motion,
}

/// Colours by their part. Text colours keep WCAG AA contrast on every place of the backdrop; a test holds them to it.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    /// Headings, quotes, numbers.
    pub text: Rgb,
    /// Subtitles, labels, names.
    pub muted: Rgb,
    /// Rules, markers, kickers; also text in large sizes.
    pub accent: Rgb,
    /// The colour of the backdrop behind text, for covers and mattes.
    pub ground: Rgb,
}

/// Letters of a role.
#[derive(Debug, Clone, Copy)]
pub struct Face {
    /// Family for Latin, Greek and Cyrillic; other scripts take the sister of the same style.
    pub family: &'static str,
    pub style: FaceStyle,
    /// Weight as in CSS: 400 regular, 700 bold.
    pub weight: u16,
    /// Space added between letters, in ems; only where the script allows it.
    pub tracking: f32,
    /// Distance of baselines, in ems.
    pub leading: f32,
}

/// Which sister family other scripts take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaceStyle {
    Sans,
    Serif,
}

/// Light and shapes behind the text.
#[derive(Debug)]
pub struct Backdrop {
    pub top: Rgb,
    pub bottom: Rgb,
    pub glows: &'static [Glow],
    pub shapes: &'static [Shape],
}

/// A soft light on a slow round. Places are fractions of the frame.
#[derive(Debug, Clone, Copy)]
pub struct Glow {
    pub colour: Rgb,
    pub x: f32,
    pub y: f32,
    /// Where it fades out, in fractions of the frame's longer side.
    pub radius: f32,
    /// How much of its colour the middle has, 0 to 1.
    pub strength: f32,
    /// How far it goes from its place.
    pub orbit: (f32, f32),
    /// Seconds of a round.
    pub period_s: f32,
    /// Where on the round it starts, 0 to 1.
    pub phase: f32,
}

/// A drawn shape that drifts. The place is that of its middle, in fractions of the frame.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub kind: ShapeKind,
    pub colour: Rgb,
    pub opacity: f32,
    pub x: f32,
    pub y: f32,
    /// Width in hundredths of the shorter side.
    pub size: f32,
    /// Degrees, clockwise.
    pub turn: f32,
    /// How far it drifts from its place, in hundredths of the shorter side.
    pub drift: (f32, f32),
    /// Seconds of a round.
    pub period_s: f32,
}

/// What a shape is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ShapeKind {
    Disc,
    /// A circle of a line, `width` hundredths of its size thick.
    Ring {
        width: f32,
    },
    /// Circles in circles.
    Ripples {
        count: u8,
    },
    HalfDisc,
    QuarterDisc,
    /// A square of dots.
    Dots {
        side: u8,
    },
    /// A bar, `height` hundredths of its size high, with round ends.
    Pill {
        height: f32,
    },
    /// A bar with square ends.
    Bar {
        height: f32,
    },
    /// Parallel slanted bars.
    Stripes {
        count: u8,
    },
    /// A plus.
    Cross,
    /// The silhouette of a hill, wider than high, filled to below.
    Hill {
        seed: u8,
    },
    /// Long thin fibres of paper.
    Fibres {
        count: u8,
    },
    /// A grid of hair lines.
    Grid {
        cells: u8,
    },
}

/// How rules, markers and numbers are drawn, and where text stands.
#[derive(Debug, Clone, Copy)]
pub struct Details {
    pub align: TextAlign,
    pub rule: Rule,
    pub marker: Marker,
    /// Section numbers with a leading zero.
    pub padded_numbers: bool,
    /// Size of headings against what is usual.
    pub heading_scale: f32,
}

/// Where lines start: at the side where reading starts, or in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextAlign {
    Start,
    Centre,
}

/// The line that draws itself.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub length: f32,
    pub thickness: f32,
}

/// What stands before an item of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    Disc,
    Square,
    Dash,
    Number,
}

/// The character of entrances.
#[derive(Debug, Clone, Copy)]
pub struct Motion {
    pub entrance: Entrance,
    /// How far parts travel.
    pub distance: f32,
    /// Seconds of one part's entrance.
    pub seconds: f32,
    /// Seconds from the start of one part to the start of the next.
    pub stagger_s: f32,
}

/// How text arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// Rises and fades in.
    Rise,
    /// Rises line by line from behind its own baseline.
    Unveil,
    /// Comes in from the side where reading starts.
    Slide,
    /// Uncovered in reading direction.
    Wipe,
}

impl Theme {
    /// All themes, in the order they are offered.
    pub fn all() -> &'static [&'static Theme] {
        THEMES
    }

    /// The theme of a name.
    ///
    /// # Errors
    /// [`MediaError::Invalid`] with the names there are.
    pub fn named(name: &str) -> Result<&'static Self, MediaError> {
        let found = THEMES.iter().find(|theme| theme.name.eq_ignore_ascii_case(name.trim()));
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = THEMES.iter().map(|theme| theme.name).collect();
            MediaError::Invalid(format!("theme `{name}` not found; choose one of `{}`", names.join("`, `")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_is_found_in_any_case_and_an_unknown_one_lists_what_exists() {
        assert_eq!(Theme::named(" Ink ").unwrap().name, "ink");
        let message = Theme::named("neon").unwrap_err().to_string();
        assert!(message.starts_with("theme `neon` not found; choose one of `ink`, `"), "{message}");
        for theme in Theme::all() {
            assert!(message.contains(theme.name));
        }
    }

    #[test]
    fn names_are_lower_case_and_unique() {
        let mut names: Vec<&str> = Theme::all().iter().map(|theme| theme.name).collect();
        assert!(names.len() >= 5);
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase())));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Theme::all().len());
    }
}
