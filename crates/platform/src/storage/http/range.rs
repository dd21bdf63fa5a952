//! Which bytes of a file are asked for (RFC 9110, section 14).

use std::ops::Range;

/// More parts than this are asked for by nobody who wants to play a video.
const MAX_PARTS: usize = 16;

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it: nothing else is asked for, or it is asked for in a way that is not understood or not sensible.
    Whole,
    Part(Range<u64>),
    Parts(Vec<Range<u64>>),
    /// Nothing that is asked for is there.
    Nothing,
}

impl Selection {
    /// What the value of a `Range` header selects of a file of `size` bytes.
    pub(super) fn read(header: &str, size: u64) -> Self {
        let Some((unit, list)) = header.split_once('=') else { return Self::Whole };
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return Self::Whole;
        }
        let asked: Vec<&str> = list.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        if asked.is_empty() || asked.len() > MAX_PARTS {
            return Self::Whole;
        }
        let mut parts = Vec::new();
        for part in asked {
            match read_part(part, size) {
                Part::Unreadable => return Self::Whole,
                Part::Outside => {}
                Part::Bytes(range) => parts.push(range),
            }
        }
        // Whoever asks for the same bytes many times gets them once.
        let total = parts.iter().fold(0, |total: u64, range| total.saturating_add(range.end - range.start));
        match parts.len() {
            0 => Self::Nothing,
            1 => parts.pop().map_or(Self::Nothing, Self::Part),
            _ if total > size => Self::Whole,
            _ => Self::Parts(parts),
        }
    }
}

enum Part {
    Unreadable,
    /// Beyond the end.
    Outside,
    Bytes(Range<u64>),
}

fn read_part(text: &str, size: u64) -> Part {
    let Some((first, last)) = text.split_once('-') else { return Part::Unreadable };
    match (number(first), number(last)) {
        // The last so many bytes.
        (None, Some(count)) if first.is_empty() => {
            let start = size.saturating_sub(count);
            if start < size { Part::Bytes(start..size) } else { Part::Outside }
        }
        (Some(start), None) if last.is_empty() => within(start, u64::MAX, size),
        (Some(start), Some(last)) if start <= last => within(start, last, size),
        _ => Part::Unreadable,
    }
}

fn within(start: u64, last: u64, size: u64) -> Part {
    if start >= size { Part::Outside } else { Part::Bytes(start..last.saturating_add(1).min(size)) }
}

/// A number of digits alone; one that is too large for the type is as large as can be.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(header: &str) -> Selection {
        Selection::read(header, 100)
    }

    #[test]
    fn one_part_is_read_from_either_end() {
        for (header, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=10-19", 10..20),
            ("BYTES = 10-19", 10..20),
            ("bytes=90-", 90..100),
            ("bytes=0-", 0..100),
            ("bytes=90-1000", 90..100),
            ("bytes=90-99999999999999999999", 90..100),
            ("bytes=-10", 90..100),
            ("bytes=-1000", 0..100),
            ("bytes=,10-19,", 10..20),
            ("bytes=10-19,200-300", 10..20),
        ] {
            assert_eq!(read(header), Selection::Part(range), "{header}");
        }
    }

    #[test]
    fn many_parts_come_in_the_order_they_were_asked_for() {
        assert_eq!(read("bytes=-10, 0-9"), Selection::Parts(vec![90..100, 0..10]));
    }

    #[test]
    fn beyond_the_end_is_nothing() {
        for header in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(read(header), Selection::Nothing, "{header}");
        }
        assert_eq!(Selection::read("bytes=0-", 0), Selection::Nothing);
        assert_eq!(Selection::read("bytes=-5", 0), Selection::Nothing);
    }

    #[test]
    fn what_is_not_understood_or_greedy_gets_everything() {
        let greedy = format!("bytes={}", "0-99,".repeat(3));
        let many = format!("bytes={}", "0-0,".repeat(17));
        for header in [
            "",
            "bytes",
            "bytes=",
            "lines=0-1",
            "bytes=a-b",
            "bytes=9-1",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=-",
            &greedy,
            &many,
        ] {
            assert_eq!(read(header), Selection::Whole, "{header}");
        }
    }

    proptest! {
        #[test]
        fn nothing_outside_the_file_is_ever_selected(header in "bytes=[0-9,-]{0,30}", size in 0_u64..2000) {
            let parts = match Selection::read(&header, size) {
                Selection::Whole | Selection::Nothing => vec![],
                Selection::Part(range) => vec![range],
                Selection::Parts(parts) => parts,
            };
            for range in parts {
                prop_assert!(range.start < range.end && range.end <= size, "{header}: {range:?}");
            }
        }
    }
}
