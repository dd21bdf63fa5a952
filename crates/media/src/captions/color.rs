//! Colours as style files write them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::MediaError;

/// A colour with opacity, written `#RRGGBB` or `#RRGGBBAA` (`00` is clear, `FF` is solid).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Color {
    pub red: u8,
    pub green: u8,
    pub blue: u8,
    pub opacity: u8,
}

impl Color {
    pub const WHITE: Self = Self { red: 255, green: 255, blue: 255, opacity: 255 };
    pub const BLACK: Self = Self { red: 0, green: 0, blue: 0, opacity: 255 };

    /// As an override tag of ASS takes it: `&HBBGGRR&`.
    pub(super) fn ass(self) -> String {
        format!("&H{:02X}{:02X}{:02X}&", self.blue, self.green, self.red)
    }

    /// Its transparency as an alpha tag of ASS takes it, where 00 is solid.
    pub(super) fn ass_alpha(self) -> String {
        format!("&H{:02X}&", 255 - self.opacity)
    }

    /// As a style line of ASS takes it: `&HAABBGGRR`.
    pub(super) fn ass_style(self) -> String {
        format!("&H{:02X}{:02X}{:02X}{:02X}", 255 - self.opacity, self.blue, self.green, self.red)
    }
}

impl FromStr for Color {
    type Err = MediaError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || MediaError::Invalid(format!("`{text}` is not a colour; write #RRGGBB or #RRGGBBAA"));
        let digits = text.trim().strip_prefix('#').ok_or_else(bad)?;
        if !matches!(digits.len(), 6 | 8) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let value = u32::from_str_radix(digits, 16).map_err(|_| bad())?;
        let [red, green, blue, opacity] = if digits.len() == 8 { value } else { value << 8 | 0xFF }.to_be_bytes();
        Ok(Self { red, green, blue, opacity })
    }
}

impl TryFrom<String> for Color {
    type Error = MediaError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Color> for String {
    fn from(color: Color) -> Self {
        color.to_string()
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02X}{:02X}{:02X}", self.red, self.green, self.blue)?;
        if self.opacity == 255 { Ok(()) } else { write!(f, "{:02X}", self.opacity) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_reads_back_as_it_was_written() {
        for text in ["#FFD54A", "#00000080"] {
            assert_eq!(text.parse::<Color>().unwrap().to_string(), text);
        }
        assert_eq!("#ff0000".parse::<Color>().unwrap().ass(), "&H0000FF&");
        assert_eq!("#ff000040".parse::<Color>().unwrap().ass_style(), "&HBF0000FF");
    }

    #[test]
    fn what_is_no_colour_is_refused_with_its_value() {
        for bad in ["red", "#12345", "#1234567", "#GG0000", "", "#+12345"] {
            assert!(bad.parse::<Color>().unwrap_err().to_string().contains(&format!("`{bad}`")), "{bad}");
        }
    }
}
