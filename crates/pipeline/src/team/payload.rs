//! What a piece of shared work holds: the input of its item as text that is read back exactly.
//!
//! An input is known by the hash of its values, so a number that changes in its last digit on the way would make another item
//! of it, and reading decimal fractions as JSON may do that. They travel as their bits.

use serde::Serialize;
use serde_json::{Map, Number, Value, json};

/// Stands for a fraction in the text of a payload.
const BITS_FIELD: &str = "$bits";

/// The text of a value.
pub(super) fn write(input: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(hide_fractions(serde_json::to_value(input)?).to_string())
}

/// The value of a text.
pub(super) fn read(text: &str) -> Result<Value, serde_json::Error> {
    Ok(show_fractions(serde_json::from_str(text)?))
}

fn hide_fractions(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(fraction) => json!({ BITS_FIELD: fraction.to_bits() }),
            None => Value::Number(number),
        },
        other => map(other, hide_fractions),
    }
}

fn show_fractions(value: Value) -> Value {
    let bits = value.get(BITS_FIELD).and_then(Value::as_u64);
    match bits.and_then(|bits| Number::from_f64(f64::from_bits(bits))) {
        Some(fraction) => Value::Number(fraction),
        None => map(value, show_fractions),
    }
}

fn map(value: Value, change: fn(Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(change).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, change(value))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Key;

    proptest! {
        #[test]
        fn an_input_is_read_back_to_the_last_bit(numbers in proptest::collection::vec(any::<f64>(), 0..20), whole in any::<i64>()) {
            let input = json!({ "numbers": numbers, "whole": whole, "text": ["a", null, true, { "b": 0.1 }] });
            let read = read(&write(&input).unwrap()).unwrap();
            prop_assert_eq!(Key::new("stage", 1, &read).unwrap(), Key::new("stage", 1, &input).unwrap());
        }
    }
}
