//! The name of an artifact: a hash of everything its content depends on.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Separates these hashes from every other use of BLAKE3; a new number makes every artifact anew.
const KEY_CONTEXT: &str = "pressroom pipeline 2026-11-20 artifact key 1";

/// The hash of a stage's name, version and input, written as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key([u8; 32]);

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an artifact key; a key has 64 hexadecimal digits")]
pub struct KeyError(String);

impl Key {
    /// The key of what stage `name` at `version` makes of `input`.
    ///
    /// Maps hash alike in whatever order they list their entries. Floating-point numbers that are not finite hash
    /// alike, as JSON has none. Fails where `input` cannot be written as JSON, such as a map with keys that are no text.
    pub fn new<I: Serialize>(name: &str, version: u32, input: &I) -> Result<Self, serde_json::Error> {
        let mut hasher = blake3::Hasher::new_derive_key(KEY_CONTEXT);
        hash_text(&mut hasher, name);
        hasher.update(&version.to_le_bytes());
        hash_value(&mut hasher, &serde_json::to_value(input)?);
        Ok(Self(*hasher.finalize().as_bytes()))
    }
}

/// Feeds a value so that no two different values feed the same bytes: a tag each, and lengths before contents.
fn hash_value(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Null => {
            hasher.update(b"z");
        }
        Value::Bool(value) => {
            hasher.update(if *value { b"t" } else { b"f" });
        }
        Value::Number(number) => {
            hasher.update(b"n");
            hash_text(hasher, &number.to_string());
        }
        Value::String(text) => {
            hasher.update(b"s");
            hash_text(hasher, text);
        }
        Value::Array(values) => {
            hasher.update(b"a");
            hash_length(hasher, values.len());
            for value in values {
                hash_value(hasher, value);
            }
        }
        Value::Object(map) => {
            hasher.update(b"o");
            hash_length(hasher, map.len());
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in entries {
                hash_text(hasher, name);
                hash_value(hasher, value);
            }
        }
    }
}

fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hash_length(hasher, text.len());
    hasher.update(text.as_bytes());
}

fn hash_length(hasher: &mut blake3::Hasher, length: usize) {
    hasher.update(&(length as u64).to_le_bytes());
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        blake3::Hash::from_hex(text).map(|hash| Self(*hash.as_bytes())).map_err(|_| KeyError(text.to_owned()))
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn name_version_and_every_part_of_the_input_change_the_key() {
        let key = |name, version, input: Value| Key::new(name, version, &input).unwrap();
        let keys = [
            key("voice", 1, json!({"text": "a", "rate": 1})),
            key("mix", 1, json!({"text": "a", "rate": 1})),
            key("voice", 2, json!({"text": "a", "rate": 1})),
            key("voice", 1, json!({"text": "b", "rate": 1})),
            key("voice", 1, json!({"text": "a", "rate": 1.5})),
            key("voice", 1, json!({"text": "a"})),
            key("voice", 1, json!(["text", "a", "rate", 1])),
            key("voice", 1, json!([["text", "a"], ["rate", 1]])),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[i + 1..].iter().all(|b| a != b), "{i} is not alone");
        }
    }

    #[test]
    fn keys_stay_the_same_from_one_build_to_the_next() {
        let key = Key::new("voice", 1, &json!({"text": "Hello", "rate": 1.25})).unwrap();
        assert_eq!(key.to_string(), "ae4c586a1aac967a9b1dc55b035ab218af6f3e2bcd5af8425992b61bf04f5448");
        assert_eq!(key.to_string().parse::<Key>(), Ok(key));
    }

    proptest! {
        #[test]
        fn the_order_of_a_map_does_not_matter(entries in proptest::collection::vec((".{0,8}", any::<i32>()), 0..20)) {
            let forward: HashMap<_, _> = entries.iter().cloned().collect();
            let sorted: std::collections::BTreeMap<_, _> = forward.clone().into_iter().collect();
            prop_assert_eq!(Key::new("s", 1, &forward).unwrap(), Key::new("s", 1, &sorted).unwrap());
        }

        #[test]
        fn texts_split_elsewhere_are_other_inputs(text in "[a-z]{2,12}", at in 1usize..11) {
            prop_assume!(at < text.len());
            let (head, tail) = text.split_at(at);
            prop_assert_ne!(Key::new("s", 1, &[head, tail]).unwrap(), Key::new("s", 1, &[text.as_str(), ""]).unwrap());
        }
    }
}
