//! Names that people choose, for themselves and for their things.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

const MAX_CHARACTERS: usize = 100;

/// A name: one line of 1 to 100 characters that can be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is one line of 1 to {MAX_CHARACTERS} characters")]
pub struct NameError;

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let is_valid = (1..=MAX_CHARACTERS).contains(&text.chars().count()) && !text.chars().any(is_unseen);
        if is_valid { Ok(Self(text.to_owned())) } else { Err(NameError) }
    }
}

/// Control characters, and marks that turn the direction of what follows.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_can_be_seen() {
        assert_eq!(" Ann O'Neill ".parse::<Name>().unwrap().as_str(), "Ann O'Neill");
        assert!("王小明".parse::<Name>().is_ok());
        for odd in ["", "  ", "a\nb", "a\u{202e}b", "\u{200b}", &"x".repeat(101)] {
            assert_eq!(odd.parse::<Name>(), Err(NameError), "{odd:?}");
        }
    }
}
