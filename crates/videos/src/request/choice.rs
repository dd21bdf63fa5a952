//! Settings that are one of a few named values, and how such a name is read.

use super::{Aspect, CaptionMode, Codec, Corner, Framing, Hardware, Order, Quality, Transition};

/// A setting with a fixed list of names.
pub trait Choice: Copy + PartialEq + Sized + 'static {
    /// What is chosen, as a message names it.
    const WHAT: &'static str;
    /// Every value with the name a user writes.
    const NAMES: &'static [(&'static str, Self)];

    /// The value of a name, in any case, with `-` or `_` between words.
    fn from_name(name: &str) -> Result<Self, UnknownName> {
        let wanted = name.trim().to_lowercase().replace('_', "-");
        let found = Self::NAMES.iter().find(|(known, _)| *known == wanted);
        found.map(|(_, value)| *value).ok_or_else(|| UnknownName {
            what: Self::WHAT,
            name: name.to_owned(),
            known: Self::NAMES.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
        })
    }

    /// The name a user writes for this value.
    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, value)| *value == self).map_or("", |(name, _)| name)
    }
}

/// A name that none of a setting's values has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {what} is called `{name}`; choose one of {known}")]
pub struct UnknownName {
    what: &'static str,
    name: String,
    known: String,
}

macro_rules! choices {
    ($($type:ident, $what:literal: $($name:literal = $value:ident),+;)+) => {
        $(
            impl Choice for $type {
                const WHAT: &'static str = $what;
                const NAMES: &'static [(&'static str, Self)] = &[$(($name, Self::$value)),+];
            }
        )+
    };
}

choices! {
    Aspect, "aspect ratio": "9:16" = Portrait, "16:9" = Landscape, "1:1" = Square, "4:5" = FourFive;
    Transition, "transition": "none" = None, "fade" = Fade, "slide" = Slide, "wipe" = Wipe, "zoom" = Zoom, "shuffle" = Shuffle;
    Framing, "framing": "auto" = Auto, "crop" = Crop, "blur" = Blur, "fit" = Fit;
    Corner, "corner": "top-left" = TopLeft, "top-right" = TopRight, "bottom-left" = BottomLeft, "bottom-right" = BottomRight;
    CaptionMode, "caption mode": "none" = None, "line" = Line, "word" = Word;
    Order, "order": "sequential" = Sequential, "random" = Random;
    Quality, "quality": "draft" = Draft, "standard" = Standard, "high" = High, "lossless" = Lossless;
    Codec, "codec": "h264" = H264, "h265" = H265, "av1" = Av1, "vp9" = Vp9;
    Hardware, "hardware setting": "auto" = Auto, "off" = Off;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_its_value() {
        for (name, value) in Transition::NAMES {
            assert_eq!(Transition::from_name(name), Ok(*value));
            assert_eq!(value.name(), *name);
        }
    }

    #[test]
    fn case_and_separator_do_not_matter() {
        assert_eq!(Corner::from_name("Top_Left"), Ok(Corner::TopLeft));
    }

    #[test]
    fn an_unknown_name_is_answered_with_what_exists() {
        let error = Aspect::from_name("2:3").unwrap_err().to_string();
        assert_eq!(error, "no aspect ratio is called `2:3`; choose one of 9:16, 16:9, 1:1, 4:5");
    }
}
