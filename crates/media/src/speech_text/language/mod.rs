//! The words each language has for signs, units and abbreviations.

mod abbreviations;
mod signs;
mod units;

use kernel::Lang;

pub(super) use self::{abbreviations::When, units::Unit};

/// What reading needs of a language.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "facts of a language that do not exclude each other")]
pub(super) struct Language {
    primary: &'static str,
    /// Whether `3,5` is three and a half.
    pub(super) decimal_comma: bool,
    /// Whether `3.` is the third.
    pub(super) ordinal_dot: bool,
    /// Whether words stand without spaces in the text for the engine.
    pub(super) runs_together: bool,
    /// Signs in words; empty where the word is not known, and the sign is not said.
    pub(super) dot: &'static str,
    pub(super) at: &'static str,
    pub(super) and: &'static str,
    pub(super) plus: &'static str,
    pub(super) minus: &'static str,
    pub(super) equals: &'static str,
    pub(super) times: &'static str,
    pub(super) to: &'static str,
    pub(super) about: &'static str,
    pub(super) percent: &'static str,
    /// Whether the word for percent stands before the number.
    pub(super) percent_first: bool,
    /// What `#` is beside a number.
    pub(super) number: &'static str,
    /// Between hours and minutes.
    pub(super) clock: &'static str,
    /// After a full hour.
    pub(super) full_hour: &'static str,
    /// Between `5 million` and a currency.
    pub(super) of: &'static str,
    /// Words for large numbers, between an amount and its currency.
    pub(super) scales: &'static [&'static str],
    /// One half, one quarter, three quarters.
    pub(super) fractions: [&'static str; 3],
    pub(super) currencies: &'static [Unit],
    units: &'static [Unit],
    abbreviations: &'static [abbreviations::Abbreviation],
}

/// Languages without words here that write `3,5` (CLDR).
const DECIMAL_COMMA: [&str; 33] = [
    "az", "be", "bg", "bs", "ca", "cs", "da", "el", "et", "eu", "fi", "gl", "hr", "hu", "hy", "id", "is", "ka", "kk",
    "lt", "lv", "mk", "nb", "nl", "pl", "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk",
];

impl Language {
    /// The entry of `lang`, or one without words for a language that has none.
    pub(super) fn of(lang: &Lang) -> &'static Self {
        let primary = match lang.primary() {
            "cmn" | "yue" => "zh",
            "iw" => "he",
            other => other,
        };
        let other = if DECIMAL_COMMA.contains(&primary) { &signs::UNKNOWN_WITH_COMMA } else { &signs::UNKNOWN };
        signs::LANGUAGES.iter().find(|language| language.primary == primary).unwrap_or(other)
    }

    /// What `written`, without its last stop, is short for.
    pub(super) fn expand(&self, written: &str) -> impl Iterator<Item = (&'static str, When)> {
        let key = written.to_lowercase();
        self.abbreviations.iter().filter(move |a| a.written == key).map(|a| (a.said, a.when))
    }

    /// Whether no sentence ends with this abbreviation.
    pub(super) fn is_never_final(&self, written: &str) -> bool {
        let key = written.to_lowercase();
        self.abbreviations.iter().any(|a| a.written == key && a.opens)
            || matches!(key.as_str(), "z" | "d" | "p") && self.ordinal_dot
    }

    /// The unit of this sign.
    pub(super) fn unit(&self, sign: &str) -> Option<&'static Unit> {
        self.units.iter().find(|unit| unit.sign == sign)
    }
}
