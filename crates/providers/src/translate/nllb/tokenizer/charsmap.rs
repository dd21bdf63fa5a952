//! What SentencePiece makes of characters before it cuts a text: a table of strings and what stands for them, kept as a
//! double-array trie (`normalizer.cc` of its code, `darts.h` of Darts-clone).

use serde_json::Value;

/// A table of what is replaced by what.
#[derive(Debug, Clone)]
pub(super) struct CharsMap {
    units: Vec<u32>,
    /// The replacements, each ended by a zero.
    strings: Vec<u8>,
}

impl CharsMap {
    /// The table among the normalisers of a `tokenizer.json`; what they do besides, which is to strip and to make one space of
    /// several, is done to every text. Others are refused.
    pub(super) fn find(normalizer: &Value) -> Result<Option<Self>, String> {
        if normalizer.is_null() {
            return Ok(None);
        }
        match normalizer["type"].as_str() {
            Some("Sequence") => {
                let all = normalizer["normalizers"].as_array().ok_or("its list of normalisers is none")?;
                let found = all.iter().map(Self::find).collect::<Result<Vec<_>, _>>()?;
                Ok(found.into_iter().flatten().next())
            }
            Some("Precompiled") => {
                let table = normalizer["precompiled_charsmap"].as_str().and_then(base64);
                table
                    .and_then(|bytes| Self::of(&bytes))
                    .map(Some)
                    .ok_or_else(|| "its table of characters is none".to_owned())
            }
            Some("Replace" | "Strip") => Ok(None),
            other => Err(format!("its normaliser {} is none of NLLB's", other.unwrap_or("without a name"))),
        }
    }

    /// The length of the trie in bytes, the trie, and the strings.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (trie, strings) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let units = trie.chunks_exact(4).map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]])).collect();
        Some(Self { units, strings: strings.to_vec() })
    }

    /// A text with the longest strings of the table replaced, from left to right.
    pub(super) fn normalise(&self, text: &str) -> String {
        let mut made = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match self.longest(rest.as_bytes()) {
                Some((length, replacement)) if rest.is_char_boundary(length) => {
                    made.push_str(&String::from_utf8_lossy(replacement));
                    length
                }
                _ => {
                    made.push(first);
                    first.len_utf8()
                }
            };
            rest = &rest[length..];
        }
        made
    }

    /// The length of the longest string of the table at the beginning of `bytes`, and what stands for it.
    fn longest(&self, bytes: &[u8]) -> Option<(usize, &[u8])> {
        let mut found = None;
        let mut place = offset(*self.units.first()?);
        for (index, &byte) in bytes.iter().enumerate() {
            place ^= usize::from(byte);
            let Some(&unit) = self.units.get(place) else { break };
            // A byte of zero would be taken for the end of every string.
            if byte == 0 || unit & 0x8000_00ff != u32::from(byte) {
                break;
            }
            place ^= offset(unit);
            if unit >> 8 & 1 == 1 {
                found = self.units.get(place).map(|leaf| (index + 1, (leaf & 0x7fff_ffff) as usize)).or(found);
            }
        }
        let (length, begin) = found?;
        let string = self.strings.get(begin..)?;
        Some((length, string.split(|&byte| byte == 0).next().unwrap_or_default()))
    }
}

/// Where the children of a unit are, against its own place.
fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
}

/// The bytes of RFC 4648's base 64.
fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What SentencePiece 0.2 makes of seven rules: A becomes a, the ligature fi two letters, e with an accent one letter, an
    /// accent alone nothing, two sorts of space a space, and three dots three.
    pub(in super::super) const RULES: &str = "\
        AAQAAAAAAQBBDQAABwAAgMwYAgCBBQAADAAAgKAFAAABAACAgQUAAAAAAICAnAIAph0AAAMAAICADAIAgCUAAKx4AgCBBQAACQAAgBMA\
        AAASAAAAFQAAABQAAAAXAAAAFgAAABkAAAAYAAAAGwAAABoAAAAdAAAAHAAAAB8AAAAeAAAAIQAAACAAAAAjAAAAIgAAACUAAABlqAMA\
        JwAAACYAAAApAAAAKAAAACsAAAAqAAAALQAAACwAAAAvAAAALgAAADEAAAAwAAAAMwAAADIAAAA1AAAANAAAADcAAAA2AAAAOQAAADgA\
        AAA7AAAAOgAAAD0AAAA8AAAAPwAAAD4AAABBAAAAQAAAAEMAAABCAAAARQAAAEQAAABHAAAARgAAAEkAAABIAAAASwAAAEoAAABNAAAA\
        TAAAAE8AAABOAAAAUQAAAFAAAABTAAAAUgAAAFUAAABUAAAAVwAAAFYAAABZAAAAWAAAAFsAAABaAAAAXQAAAFwAAABfAAAAXgAAAGEA\
        AABgAAAAYwAAAGIAAABlAAAAZAAAAGcAAABmAAAAaQAAAGgAAABrAAAAagAAAG0AAABsAAAAbwAAAG4AAABxAAAAcAAAAHMAAAByAAAA\
        dQAAAHQAAAB3AAAAdgAAAHkAAAB4AAAAewAAAHoAAAB9AAAAfAAAAH8AAAB+AAAAgQAAAIAAAADCkAAAggAAAIUAAACEAAAAhwAAAIYA\
        AACJAAAAiAAAAIsAAACKAAAAzBQAAIwAAACPAAAAjgAAAJEAAACQAAAAkwAAAJIAAACVAAAAlAAAAJcAAACWAAAAmQAAAJgAAACbAAAA\
        mgAAAJ0AAACcAAAAnwAAAJ4AAAChAAAAoAAAAOKgAADjuAAApQAAAKQAAACnAAAApgAAAKkAAACoAAAAqwAAAKoAAACtAAAArAAAAK8A\
        AADvMAAAsQAAALAAAACzAAAAsgAAALUAAAC0AAAAtwAAALYAAAC5AAAAuAAAALsAAAC6AAAAvQAAALwAAAC/AAAAvgAAAMEAAADAAAAA\
        wwAAAMIAAADFAAAAxAAAAMcAAADGAAAAyQAAAMgAAADLAAAAygAAAM0AAADMAAAAzwAAAM4AAADRAAAA0AAAANMAAADSAAAA1QAAANQA\
        AADXAAAA1gAAANkAAADYAAAA2wAAANoAAADdAAAA3AAAAN8AAADeAAAA4QAAAOAAAADjAAAA4gAAAOUAAADkAAAA5wAAAOYAAADpAAAA\
        6AAAAOsAAADqAAAA7QAAAOwAAADvAAAA7gAAAPEAAADwAAAA8wAAAPIAAAD1AAAA9AAAAPcAAAD2AAAA+QAAAPgAAAD7AAAA+gAAAP0A\
        AAD8AAAA/wAAAP4AAAAAIAAuLi4AYQBmaQDDqQA=";

    #[test]
    fn the_longest_string_is_replaced_and_others_stay() {
        let map = CharsMap::of(&base64(RULES).unwrap()).unwrap();
        for (text, made) in [
            ("ABC", "aBC"),
            ("ﬁn", "fin"),
            ("e\u{301} e x\u{301}", "é e x"),
            ("a\u{3000}b\u{a0}c…", "a b c..."),
            ("\u{0}日本🙂", "\u{0}日本🙂"),
            ("", ""),
        ] {
            assert_eq!(map.normalise(text), made, "{text}");
        }
    }

    #[test]
    fn damaged_tables_do_no_harm() {
        let whole = base64(RULES).unwrap();
        for length in 0..whole.len() {
            if let Some(map) = CharsMap::of(&whole[..length]) {
                map.normalise("Ae\u{301}ﬁ\u{3000}…");
            }
        }
        let wild = CharsMap { units: vec![u32::MAX; 300], strings: vec![255; 10] };
        assert!(!wild.normalise("anything…").is_empty());
        assert!(base64("a b").is_none());
    }
}
