//! Reads the fields of a protocol buffer one after the other, and skips those nobody asks for: files of weights are large.
//!
//! The format: <https://protobuf.dev/programming-guides/encoding>.

use std::io::{self, Read, Seek};

/// The most bytes of a field that is wanted as a whole.
const MAX_BYTES: u64 = 64 << 20;

/// A field's number and what it holds. The reader stands at the beginning of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) number: u64,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// A whole number; fixed ones as their bits.
    Number(u64),
    /// So many bytes: a text, or a message in itself.
    Bytes(u64),
}

/// Shows `visit` each field of the message in the next `length` bytes of `input`. It may read the bytes of a field or leave
/// them.
pub(crate) fn fields<R: Read + Seek>(
    input: &mut R,
    length: u64,
    visit: &mut dyn FnMut(&mut R, Field) -> io::Result<()>,
) -> io::Result<()> {
    let end = input.stream_position()?.checked_add(length).ok_or_else(|| damaged("a length"))?;
    loop {
        let here = input.stream_position()?;
        if here == end {
            return Ok(());
        }
        if here > end {
            return Err(damaged("the end of a message"));
        }
        let key = varint(input)?;
        let value = match key & 7 {
            0 => Value::Number(varint(input)?),
            1 => Value::Number(u64::from_le_bytes(array(input)?)),
            2 => Value::Bytes(varint(input)?),
            5 => Value::Number(u64::from(u32::from_le_bytes(array(input)?))),
            _ => return Err(damaged("a wire type")),
        };
        let begin = input.stream_position()?;
        let after = match value {
            Value::Bytes(length) => begin.checked_add(length).filter(|after| *after <= end),
            Value::Number(_) => Some(begin),
        };
        let after = after.ok_or_else(|| damaged("a length"))?;
        visit(input, Field { number: key >> 3, value })?;
        let here = input.stream_position()?;
        let rest = i64::try_from(after).ok().zip(i64::try_from(here).ok()).map(|(after, here)| after - here);
        input.seek_relative(rest.ok_or_else(|| damaged("a length"))?)?;
    }
}

/// The bytes of a field.
pub(crate) fn bytes<R: Read>(input: &mut R, length: u64) -> io::Result<Vec<u8>> {
    if length > MAX_BYTES {
        return Err(damaged("a length"));
    }
    let mut bytes = Vec::new();
    if input.take(length).read_to_end(&mut bytes)? as u64 == length { Ok(bytes) } else { Err(damaged("the end")) }
}

/// The text of a field; what is no UTF-8 in it is replaced.
pub(crate) fn text<R: Read>(input: &mut R, length: u64) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&bytes(input, length)?).into_owned())
}

fn varint<R: Read>(input: &mut R) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = array(input)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(damaged("a number"))
}

fn array<const N: usize, R: Read>(input: &mut R) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is wrong"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(message: &[u8]) -> io::Result<Vec<Field>> {
        let mut found = Vec::new();
        fields(&mut Cursor::new(message), message.len() as u64, &mut |_, field| {
            found.push(field);
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn fields_of_every_form_are_read_and_bytes_skipped() {
        let message = [0x08, 0x96, 0x01, 0x12, 0x02, 0xff, 0xff, 0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0];
        let expected = [(1, Value::Number(150)), (2, Value::Bytes(2)), (3, Value::Number(1)), (4, Value::Number(2))];
        assert_eq!(read(&message).unwrap(), expected.map(|(number, value)| Field { number, value }));
    }

    #[test]
    fn what_is_damaged_is_an_error_and_no_endless_loop() {
        let messages: [&[u8]; 5] = [
            &[0x12, 0x05, 1],
            &[0x08],
            &[0x0b],
            &[0xff; 12],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ];
        for message in messages {
            assert!(read(message).is_err(), "{message:?}");
        }
    }
}
