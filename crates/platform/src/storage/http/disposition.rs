//! What a browser does with a file, and what it calls it (RFC 6266, RFC 8187).

use axum::http::HeaderValue;

use crate::storage::FileName;

/// What a browser does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Shows it.
    Inline,
    /// Saves it.
    Attachment,
}

impl Disposition {
    /// The header for a file of this name: the name in ASCII for old readers, and as it is for all others.
    pub(super) fn header(self, name: &FileName) -> HeaderValue {
        let kind = match self {
            Self::Inline => "inline",
            Self::Attachment => "attachment",
        };
        let name = as_file_name(name.as_str());
        let text = format!("{kind}; filename=\"{}\"; filename*=UTF-8''{}", in_ascii(&name), encode(&name));
        // Only visible ASCII is left, so it never fails; without a name the file is called like its address.
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
    }
}

/// A name that no system takes for a path, a device or a hidden file, and no reader for the end of the header.
fn as_file_name(name: &str) -> String {
    let is_kept = |character: char| {
        // Marks that turn the direction of writing make an `exe` look like an `mp4`.
        let turns = matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        !character.is_control() && !turns
    };
    let replaced: String = name
        .chars()
        .filter(|character| is_kept(*character))
        .map(|character| if r#"/\:*?"<>|%;"#.contains(character) { '_' } else { character })
        .collect();
    let name = replaced.trim_matches(|character: char| character == '.' || character.is_whitespace());
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}

fn in_ascii(name: &str) -> String {
    name.chars().map(|character| if character.is_ascii() { character } else { '_' }).collect()
}

fn hex_digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

/// Percent-encodes all but the characters of an `attr-char` (RFC 8187, section 3.2.1).
fn encode(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str) -> String {
        Disposition::Attachment.header(&FileName::new(name)).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_name_is_sent_in_both_ways() {
        assert_eq!(header("talk 1.mp4"), "attachment; filename=\"talk 1.mp4\"; filename*=UTF-8''talk%201.mp4");
        let cyrillic = "attachment; filename=\"____.mp4\"; filename*=UTF-8''%D0%BA%D0%BB%D0%B8%D0%BF.mp4";
        assert_eq!(header("клип.mp4"), cyrillic);
        assert!(Disposition::Inline.header(&FileName::new("a")).to_str().unwrap().starts_with("inline; "));
    }

    #[test]
    fn no_name_leads_anywhere_or_ends_the_header() {
        for (given, sent) in [
            ("../../etc/passwd", "_.._etc_passwd"),
            ("C:\\x\\y.mp4", "C__x_y.mp4"),
            ("a\"; filename=\"b.exe", "a__ filename=_b.exe"),
            (".bashrc", "bashrc"),
            ("...", "file"),
            ("a\r\nSet-Cookie: b=c", "aSet-Cookie_ b=c"),
            ("gnp\u{202E}exe.", "gnpexe"),
            ("100%", "100_"),
        ] {
            let sent = format!("filename=\"{sent}\"");
            assert!(header(given).contains(&sent), "{given:?}: {}", header(given));
        }
    }
}
