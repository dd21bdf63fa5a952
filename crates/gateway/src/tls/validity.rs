//! When a certificate is good, read from its DER (RFC 5280, section 4.1): nothing else of it is needed here.

/// From when to when a certificate is good, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before_ms: i64,
    pub(crate) not_after_ms: i64,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// That of a certificate; nothing where it is none.
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate, _) = element(certificate, &[SEQUENCE])?;
        let (_, mut fields, _) = element(certificate, &[SEQUENCE])?;
        if let Some((_, _, rest)) = element(fields, &[VERSION]) {
            fields = rest;
        }
        // The serial number, the algorithm, the issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            (_, _, fields) = element(fields, &[tag])?;
        }
        let (_, validity, _) = element(fields, &[SEQUENCE])?;
        let (tag, not_before, rest) = element(validity, &[UTC_TIME, GENERALIZED_TIME])?;
        let not_before_ms = time_ms(tag, not_before)?;
        let (tag, not_after, _) = element(rest, &[UTC_TIME, GENERALIZED_TIME])?;
        Some(Self { not_before_ms, not_after_ms: time_ms(tag, not_after)? })
    }

    /// When two thirds of its time are over.
    pub(crate) fn two_thirds_ms(&self) -> i64 {
        self.not_before_ms + self.not_after_ms.saturating_sub(self.not_before_ms) / 3 * 2
    }
}

/// The first element, where it has one of these tags: its tag, what is in it, and what follows.
fn element<'a>(bytes: &'a [u8], tags: &[u8]) -> Option<(u8, &'a [u8], &'a [u8])> {
    let (&tag, rest) = bytes.split_first()?;
    if !tags.contains(&tag) {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
        if length.is_empty() || length.len() > 4 {
            return None;
        }
        (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// A time as certificates write it: `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (section 4.1.2.5).
fn time_ms(tag: u8, text: &[u8]) -> Option<i64> {
    let digits = text.strip_suffix(b"Z")?;
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        digits
            .get(range)?
            .iter()
            .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let (year, at) = match (tag, digits.len()) {
        // Two digits mean 1950 to 2049.
        (UTC_TIME, 12) => (number(0..2).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2),
        (GENERALIZED_TIME, 14) => (number(0..4)?, 4),
        _ => return None,
    };
    let field = |place: usize| number(at + 2 * place..at + 2 * place + 2);
    let days = days_since_epoch(year, field(0)?, field(1)?)?;
    let seconds = ((days * 24 + field(2)?) * 60 + field(3)?) * 60 + field(4)?;
    Some(seconds * 1000)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the leap day is their last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        assert_eq!(time_ms(UTC_TIME, b"700101000000Z"), Some(0));
        assert_eq!(time_ms(UTC_TIME, b"490101000000Z"), Some(2_493_072_000_000));
        assert_eq!(time_ms(GENERALIZED_TIME, b"20240229123456Z"), Some(1_709_210_096_000));
        assert_eq!(time_ms(GENERALIZED_TIME, b"99991231235959Z"), Some(253_402_300_799_000));
        for odd in [&b"7001010000Z"[..], b"701301000000Z", b"70010100000xZ", b"700101000000", b""] {
            assert_eq!(time_ms(UTC_TIME, odd), None, "{odd:?}");
        }
    }

    #[test]
    fn a_certificate_says_when_it_is_good() {
        let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2050, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let validity = Validity::of(params.self_signed(&key).unwrap().der()).unwrap();
        assert_eq!(validity, Validity { not_before_ms: 1_577_836_800_000, not_after_ms: 2_524_608_000_000 });
        assert!((2.0 / 3.0 - (validity.two_thirds_ms() - 1_577_836_800_000) as f64 / 946_771_200_000.0).abs() < 1e-6);
    }

    #[test]
    fn bytes_that_are_no_certificate_are_none() {
        let mut bytes = vec![SEQUENCE, 0x84, 0xFF, 0xFF, 0xFF, 0xFF];
        for _ in 0..20 {
            assert_eq!(Validity::of(&bytes), None);
            bytes.insert(0, SEQUENCE);
        }
        assert_eq!(Validity::of(&[]), None);
    }
}
