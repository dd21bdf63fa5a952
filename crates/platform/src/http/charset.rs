//! The text of a body: which encoding it is in, by its mark, its header, its own words, or its form.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How far into a page its own word for its encoding is looked for (HTML says within the first 1024 bytes).
const SNIFFED_BYTES: usize = 1024;

/// Decodes a body. What cannot be decoded becomes U+FFFD.
pub(super) fn decode(body: &[u8], content_type: &str) -> String {
    let encoding = charset_of(content_type)
        .or_else(|| is_html(content_type).then(|| sniff(body)).flatten())
        .unwrap_or_else(|| if std::str::from_utf8(body).is_ok() { UTF_8 } else { WINDOWS_1252 });
    // A byte order mark outweighs all of them.
    encoding.decode(body).0.into_owned()
}

/// The media type of a `Content-Type` header, without its parameters, in lower case.
pub(super) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_html(content_type: &str) -> bool {
    matches!(essence(content_type).as_str(), "text/html" | "application/xhtml+xml")
}

fn charset_of(content_type: &str) -> Option<&'static Encoding> {
    label_after(content_type.as_bytes(), b"charset=").and_then(Encoding::for_label)
}

fn sniff(body: &[u8]) -> Option<&'static Encoding> {
    let head = &body[..body.len().min(SNIFFED_BYTES)];
    let label = label_after(head, b"charset=").or_else(|| label_after(head, b"encoding="));
    let encoding = label.and_then(Encoding::for_label)?;
    // A page whose head was read as ASCII cannot be in UTF-16, whatever it says of itself.
    Some(if encoding.is_ascii_compatible() { encoding } else { UTF_8 })
}

fn label_after<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(mark.len()).position(|window| window.eq_ignore_ascii_case(mark))? + mark.len();
    let rest = text[at..].trim_ascii_start();
    let rest = rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest);
    let is_label = |b: &u8| b.is_ascii_alphanumeric() || b"-_:.+".contains(b);
    let end = rest.iter().position(|b| !is_label(b)).unwrap_or(rest.len());
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_names_the_encoding() {
        assert_eq!(decode(b"caf\xe9", "text/html; charset=ISO-8859-1"), "café");
        assert_eq!(decode(b"\x93\xfa", "text/plain;charset=\"shift_jis\""), "日");
    }

    #[test]
    fn the_page_names_it_where_the_header_does_not() {
        assert_eq!(decode(b"<meta charset='windows-1251'>\xcc", "text/html"), "<meta charset='windows-1251'>М");
        assert_eq!(decode(b"<meta charset=utf-16>caf\xc3\xa9", "text/html"), "<meta charset=utf-16>café");
    }

    #[test]
    fn a_mark_outweighs_the_header() {
        assert_eq!(decode(b"\xef\xbb\xbfcaf\xc3\xa9", "text/plain; charset=latin1"), "café");
    }

    #[test]
    fn where_nothing_is_said_the_bytes_decide() {
        assert_eq!(decode("café".as_bytes(), "text/plain"), "café");
        assert_eq!(decode(b"caf\xe9", "text/plain"), "café");
    }
}
