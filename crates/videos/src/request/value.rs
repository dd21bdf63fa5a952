//! A setting's value as it stands in YAML, TOML or CSV, before anyone knows what it is for.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor},
};

use super::choice::Choice;

/// The most values a list may have; more is a mistake, not a wish.
const MAX_LIST: usize = 1000;

/// A value, kept as text: the setting it is given to decides how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing was written behind the key.
    Nothing,
    One(String),
    Many(Vec<String>),
    Table(Vec<(String, Value)>),
}

/// A value as a program sends it, in the types of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    Flag(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<String>),
}

impl Wanted {
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Flag(flag) => Value::One(flag.to_string()),
            Self::Number(number) => Value::One(number.to_string()),
            Self::Text(text) => Value::One(text.clone()),
            Self::List(texts) => Value::Many(texts.clone()),
        }
    }
}

impl Value {
    /// The text of a single value.
    pub(crate) fn text(&self) -> Result<&str, String> {
        match self {
            Self::One(text) => Ok(text.trim()),
            Self::Nothing => Err("is empty; write a value or leave the key out".to_owned()),
            Self::Many(_) => Err("takes one value, not a list".to_owned()),
            Self::Table(_) => Err("takes one value, not a table".to_owned()),
        }
    }

    /// Several values: a list, or one text with commas between them.
    pub(crate) fn list(&self) -> Result<Vec<String>, String> {
        let items: Vec<String> = match self {
            Self::Many(items) => items.clone(),
            _ => self.text()?.split(',').map(str::to_owned).collect(),
        };
        Ok(items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
    }

    /// Several lines: a list, or one text with `;` or line ends between them, because a line may have commas.
    pub(crate) fn lines(&self) -> Result<Vec<String>, String> {
        let items: Vec<String> = match self {
            Self::Many(items) => items.clone(),
            _ => self.text()?.split([';', '\n']).map(str::to_owned).collect(),
        };
        Ok(items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
    }

    /// A number; `what` names what is expected, such as `a whole number`.
    pub(crate) fn number<T: std::str::FromStr>(&self, what: &str) -> Result<T, String> {
        let text = self.text()?;
        text.parse().map_err(|_| format!("is `{text}`, but must be {what}"))
    }

    pub(crate) fn flag(&self) -> Result<bool, String> {
        match self.text()?.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            other => Err(format!("is `{other}`, but must be true or false")),
        }
    }

    pub(crate) fn choice<T: Choice>(&self) -> Result<T, String> {
        T::from_name(self.text()?).map_err(|error| format!("is wrong: {error}"))
    }

    pub(crate) fn duration_ms(&self) -> Result<u64, String> {
        parse_duration_ms(self.text()?)
    }

    /// A path, relative to the folder of the file that names it.
    pub(crate) fn path(&self, base: &Path) -> Result<PathBuf, String> {
        let text = self.text()?;
        if text.is_empty() {
            Err("is empty; write a path or leave the key out".to_owned())
        } else {
            Ok(base.join(text))
        }
    }

    pub(crate) fn paths(&self, base: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(self.list()?.iter().map(|path| base.join(path)).collect())
    }
}

/// Reads a length of time: `90s`, `1m30s`, `1h 2m`, `400ms`, `1:30`, or a number of seconds. The result is in
/// milliseconds.
pub fn parse_duration_ms(text: &str) -> Result<u64, String> {
    let fault =
        || format!("is `{text}`, but must be a length of time such as 90s, 1m30s, 400ms or a number of seconds");
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    let seconds = if let Some((minutes, seconds)) = compact.split_once(':') {
        let minutes: u32 = minutes.parse().map_err(|_| fault())?;
        let seconds: f64 = seconds.parse().ok().filter(|s| (0.0..60.0).contains(s)).ok_or_else(fault)?;
        f64::from(minutes) * 60.0 + seconds
    } else if let Ok(seconds) = compact.parse::<f64>() {
        seconds
    } else {
        sum_of_units(&compact).ok_or_else(fault)?
    };
    // A week is longer than any video and keeps the arithmetic far from overflow.
    if (0.0..=604_800.0).contains(&seconds) { Ok((seconds * 1000.0).round() as u64) } else { Err(fault()) }
}

/// Seconds of `1h2m3.5s`; `None` unless the whole text is numbers with units.
fn sum_of_units(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..unit] {
                "h" => 3600.0,
                "m" | "min" => 60.0,
                "s" | "sec" => 1.0,
                "ms" => 0.001,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Some(seconds)
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("text, a number, true or false, or a list of these")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::One(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::One(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::One(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::One(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::One(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element::<Value>()? {
            match item {
                Value::One(text) => items.push(text),
                Value::Nothing => {}
                Value::Many(_) | Value::Table(_) => {
                    return Err(serde::de::Error::custom("a list may hold only text and numbers"));
                }
            }
            if items.len() > MAX_LIST {
                return Err(serde::de::Error::custom(format!("a list may have at most {MAX_LIST} values")));
            }
        }
        Ok(Value::Many(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry::<String, Value>()? {
            entries.push(entry);
        }
        Ok(Value::Table(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_in_every_common_spelling() {
        let read = |text: &str| parse_duration_ms(text).unwrap();
        assert_eq!(read("90s"), 90_000);
        assert_eq!(read("1m30s"), 90_000);
        assert_eq!(read("1m 30s"), 90_000);
        assert_eq!(read("1:30"), 90_000);
        assert_eq!(read("90"), 90_000);
        assert_eq!(read("1.5"), 1500);
        assert_eq!(read("400ms"), 400);
        assert_eq!(read("1h"), 3_600_000);
    }

    #[test]
    fn what_is_no_length_of_time_is_refused_with_its_value() {
        for bad in ["", "s", "-3", "1:75", "ten seconds", "NaN", "inf", "1e300", "5 parsecs", "99999h"] {
            let error = parse_duration_ms(bad).unwrap_err();
            assert!(error.contains(&format!("`{bad}`")), "{bad}: {error}");
        }
    }

    #[test]
    fn a_list_may_be_written_as_one_text() {
        assert_eq!(Value::One("a, b,,c ".to_owned()).list().unwrap(), ["a", "b", "c"]);
        assert_eq!(Value::One("Music by Ann, Bob; Footage: me".to_owned()).lines().unwrap().len(), 2);
    }
}
