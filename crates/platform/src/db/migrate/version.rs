//! Versions of the program, compared.

use std::{fmt, str::FromStr};

/// The version of a release. What follows its three numbers, as in `1.2.0-rc.1`, does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version; write three numbers such as `1.2.0`")]
pub struct VersionError(String);

impl Version {
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// That of this program.
    pub fn of_program() -> Self {
        // What Cargo lets pass is a version.
        env!("CARGO_PKG_VERSION").parse().unwrap_or(Self::new(0, 0, 0))
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let parsed: Result<Vec<u32>, _> = numbers.split('.').map(str::parse).collect();
        match parsed.as_deref() {
            Ok(&[major, minor, patch]) => Ok(Self { major, minor, patch }),
            _ => Err(VersionError(text.chars().take(64).collect())),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_by_their_numbers() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("0.10.0").unwrap() > version("0.9.12").unwrap());
        assert_eq!(version("1.2.3-rc.1+x"), Ok(Version::new(1, 2, 3)));
        assert!(version("1.2").is_err() && version("one.2.3").is_err());
        assert!(Version::of_program() > Version::new(0, 0, 0));
    }
}
