//! Passwords as people choose them: long enough, and nothing else asked of them (NIST SP 800-63B).

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};

const MIN_CHARACTERS: usize = 10;
/// Hashing must not become work that strangers choose the size of.
const MAX_BYTES: usize = 512;

/// A password that may be chosen. Neither `Debug` nor anything else shows it.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

/// Why a password may not be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("a password has at least {MIN_CHARACTERS} characters; four words do well")]
    TooShort,
    #[error("a password has at most {MAX_BYTES} bytes")]
    TooLong,
    #[error("a password is not one character again and again")]
    Monotonous,
}

impl Password {
    pub fn new(secret: SecretString) -> Result<Self, PasswordError> {
        let text = secret.expose_secret();
        if text.chars().count() < MIN_CHARACTERS {
            return Err(PasswordError::TooShort);
        }
        if text.len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        let first = text.chars().next();
        if text.chars().all(|character| Some(character) == first) {
            return Err(PasswordError::Monotonous);
        }
        Ok(Self(secret))
    }

    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?.into()).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_what_is_asked_for() {
        let check = |text: &str| Password::new(text.to_owned().into()).map(drop);
        assert_eq!(check("correct horse"), Ok(()));
        assert_eq!(check("пароль из слов"), Ok(()));
        assert_eq!(check("short"), Err(PasswordError::TooShort));
        assert_eq!(check(&"ab".repeat(300)), Err(PasswordError::TooLong));
        assert_eq!(check("aaaaaaaaaaaa"), Err(PasswordError::Monotonous));
    }

    #[test]
    fn a_password_is_never_shown() {
        let password = Password::new("correct horse".to_owned().into()).unwrap();
        assert!(!format!("{password:?}").contains("horse"));
    }
}
