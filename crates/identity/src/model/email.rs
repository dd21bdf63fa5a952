//! Mail addresses, in one spelling for each mailbox that we can tell.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// The longest address that mail servers must take (RFC 5321, less the brackets).
const MAX_LENGTH: usize = 254;
/// The longest part before the `@`.
const MAX_LOCAL_LENGTH: usize = 64;

/// A mail address in lower case. `Debug` does not show it, so that it does not get into logs.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Email(String);

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no mail address that we can write to; write it like `me@example.org`")]
pub struct EmailError;

impl Email {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError)?;
        let is_valid = text.len() <= MAX_LENGTH && is_local(local) && is_domain(domain);
        // Mailboxes that differ in case alone exist in theory; two accounts of one mailbox exist in practice.
        if is_valid { Ok(Self(text.to_lowercase())) } else { Err(EmailError) }
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A dot-atom (RFC 5322) or letters beyond ASCII (RFC 6531). Quoted parts are not taken: nobody has one.
fn is_local(local: &str) -> bool {
    let is_atom = |character: char| character.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character);
    (1..=MAX_LOCAL_LENGTH).contains(&local.len())
        && local.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let is_inside = |character: char| character.is_alphanumeric() || character == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(is_inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain == "localhost" || (domain.contains('.') && domain.split('.').all(is_label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_has_one_spelling() {
        assert_eq!(" Me.Too+press@Example.ORG ".parse::<Email>().unwrap().as_str(), "me.too+press@example.org");
        assert_eq!("Jürgen@Müller.de".parse::<Email>(), "jürgen@müller.de".parse());
    }

    #[test]
    fn what_could_carry_a_second_header_or_recipient_is_no_address() {
        let long = format!("{}@example.org", "a".repeat(65));
        for odd in [
            "",
            "me",
            "@example.org",
            "me@",
            "me@example",
            "me@@example.org",
            "me you@example.org",
            "me@example.org\r\nBcc: you@example.org",
            "me@example.org,you@example.org",
            "<me@example.org>",
            "\"me\"@example.org",
            "me..too@example.org",
            ".me@example.org",
            "me@-example.org",
            "me@example..org",
            "me\u{0}@example.org",
            &long,
        ] {
            assert_eq!(odd.parse::<Email>(), Err(EmailError), "{odd:?}");
        }
    }

    #[test]
    fn an_address_is_not_shown_in_logs() {
        assert_eq!(format!("{:?}", "me@example.org".parse::<Email>().unwrap()), "Email(..)");
    }
}
