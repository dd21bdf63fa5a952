//! What a CTranslate2 file holds: the names and shapes of its arrays, and its few single numbers.
//!
//! The format is that of version 6, as CTranslate2's own `python/ctranslate2/specs/model_spec.py` writes it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Seek},
    path::Path,
};

use crate::models::Header;

/// The version that names its settings in a file beside it.
const VERSION: u32 = 6;
/// More than any model has.
const MAX_ARRAYS: u32 = 100_000;

/// The arrays of a model, by their names.
#[derive(Debug)]
pub(crate) struct Weights {
    pub(crate) header: Header,
    arrays: BTreeMap<String, Array>,
}

/// An array: its lengths, and what it holds where it is a single whole number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) number: Option<i64>,
}

impl Weights {
    /// Reads what stands in `model.bin` of a folder, but none of its weights.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("model.bin");
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "its `model.bin` ends too early; fetch it again".to_owned(),
            io::ErrorKind::InvalidData => format!("its `model.bin` is damaged or no CTranslate2 model ({error})"),
            _ => format!("its `model.bin` cannot be read ({error})"),
        };
        let header = Header::read(&path).map_err(failed)?;
        if header.version != VERSION {
            return Err(format!(
                "its `model.bin` is of version {} of CTranslate2's format, not {VERSION}; convert it anew with a \
                 CTranslate2 of today",
                header.version
            ));
        }
        let arrays = File::open(&path).and_then(|file| read_arrays(file, &header)).map_err(failed)?;
        Ok(Self { header, arrays })
    }

    /// The lengths of an array's axes.
    pub(crate) fn find(&self, name: &str) -> Option<&[usize]> {
        self.arrays.get(name).map(|array| array.shape.as_slice())
    }

    /// The lengths of an array with `N` axes, which a model has to have.
    pub(crate) fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N], String> {
        let shape = self.find(name).ok_or_else(|| format!("it has no array `{name}`"))?;
        shape.try_into().map_err(|_| format!("its array `{name}` has the lengths {shape:?}, and not {N} of them"))
    }

    /// A single whole number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.arrays.get(name)?.number
    }

    pub(crate) fn arrays(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.arrays.iter().map(|(name, array)| (name.as_str(), array))
    }
}

fn read_arrays(file: File, header: &Header) -> io::Result<BTreeMap<String, Array>> {
    let length = file.metadata()?.len();
    let mut input = BufReader::new(file);
    // Version, length of the name, the name with the zero at its end, revision.
    skip(&mut input, 4 + 2 + header.specification.len() as u64 + 1 + 4)?;
    let mut arrays = BTreeMap::new();
    for _ in 0..count(&mut input)? {
        let name = string(&mut input)?;
        let [rank] = bytes(&mut input)?;
        let shape = (0..rank)
            .map(|_| Ok(u32::from_le_bytes(bytes(&mut input)?) as usize))
            .collect::<io::Result<Vec<usize>>>()?;
        let [kind] = bytes(&mut input)?;
        let size = u64::from(u32::from_le_bytes(bytes(&mut input)?));
        if !fits(&shape, kind, size) {
            return Err(damaged(&format!("the size of `{name}`, whose lengths are {shape:?},")));
        }
        if input.stream_position()?.checked_add(size).is_none_or(|end| end > length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let number = if shape.is_empty() { whole_number(&mut input, kind)? } else { None };
        if !shape.is_empty() {
            skip(&mut input, size)?;
        }
        // Of arrays of one name CTranslate2 takes the first.
        arrays.entry(name).or_insert(Array { shape, number });
    }
    for _ in 0..count(&mut input)? {
        let (alias, name) = (string(&mut input)?, string(&mut input)?);
        let array = arrays.get(&name).cloned();
        let array = array.ok_or_else(|| damaged(&format!("`{alias}`, which is to be `{name}`,")))?;
        arrays.entry(alias).or_insert(array);
    }
    Ok(arrays)
}

/// Whether an array of these lengths and this kind of number has so many bytes.
fn fits(shape: &[usize], kind: u8, size: u64) -> bool {
    let product = shape.iter().try_fold(1_u64, |product, &axis| product.checked_mul(axis as u64));
    let bytes = item_bytes(kind).and_then(|bytes| product?.checked_mul(bytes));
    bytes == Some(size) && size > 0
}

/// The bytes of a number: single precision, 8, 16 and 32 bits, half precision, brain floating point.
fn item_bytes(kind: u8) -> Option<u64> {
    match kind {
        0 | 3 => Some(4),
        1 => Some(1),
        2 | 4 | 5 => Some(2),
        _ => None,
    }
}

/// A single number; `None` where it is no whole one.
fn whole_number(input: &mut impl Read, kind: u8) -> io::Result<Option<i64>> {
    Ok(match kind {
        1 => Some(i64::from(i8::from_le_bytes(bytes(input)?))),
        2 => Some(i64::from(i16::from_le_bytes(bytes(input)?))),
        3 => Some(i64::from(i32::from_le_bytes(bytes(input)?))),
        0 => bytes::<4>(input).map(|_| None)?,
        _ => bytes::<2>(input).map(|_| None)?,
    })
}

fn skip(input: &mut BufReader<File>, bytes: u64) -> io::Result<()> {
    input.seek_relative(i64::try_from(bytes).map_err(|_| damaged("a size"))?)
}

fn count(input: &mut impl Read) -> io::Result<u32> {
    let count = u32::from_le_bytes(bytes(input)?);
    if count > MAX_ARRAYS { Err(damaged("a count")) } else { Ok(count) }
}

/// A length that counts the zero at the end, then as many bytes.
fn string(input: &mut impl Read) -> io::Result<String> {
    let mut text = vec![0; usize::from(u16::from_le_bytes(bytes(input)?))];
    input.read_exact(&mut text)?;
    let text = text.strip_suffix(&[0]).ok_or_else(|| damaged("a name"))?;
    String::from_utf8(text.to_vec()).map_err(|_| damaged("a name"))
}

fn bytes<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is wrong"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A file with a scalar, an array of 2 × 3 single precision numbers and another name for it.
    fn file() -> Vec<u8> {
        let string = |text: &str| [&(text.len() as u16 + 1).to_le_bytes()[..], text.as_bytes(), &[0]].concat();
        let numbers = |all: &[u32]| all.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        [
            numbers(&[6]),
            string("WhisperSpec"),
            numbers(&[3, 2]),
            string("encoder/num_heads"),
            vec![0, 2],
            numbers(&[2]),
            (-4_i16).to_le_bytes().to_vec(),
            string("a/weight"),
            vec![2],
            numbers(&[2, 3]),
            vec![0],
            numbers(&[24]),
            vec![0; 24],
            numbers(&[1]),
            string("b/weight"),
            string("a/weight"),
        ]
        .concat()
    }

    fn read(bytes: &[u8]) -> Result<Weights, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("model.bin"), bytes).unwrap();
        Weights::read(folder.path())
    }

    #[test]
    fn names_shapes_numbers_and_other_names_are_read() {
        let weights = read(&file()).unwrap();
        assert_eq!(weights.header.specification, "WhisperSpec");
        assert_eq!(weights.number("encoder/num_heads"), Some(-4));
        assert_eq!(weights.shape("a/weight"), Ok([2, 3]));
        assert_eq!(weights.find("b/weight"), Some(&[2, 3][..]));
        assert!(weights.shape::<3>("a/weight").unwrap_err().contains("[2, 3]"));
        assert!(weights.shape::<1>("c").unwrap_err().contains("no array `c`"));
        assert_eq!(weights.arrays().count(), 3);
    }

    #[test]
    fn a_file_that_ends_early_or_contradicts_itself_is_refused_wherever_it_does() {
        let whole = file();
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
        // The size of the array is not that of its lengths.
        let place = whole.windows(4).rposition(|bytes| bytes == 24_u32.to_le_bytes()).unwrap();
        let mut wrong = whole.clone();
        wrong[place] = 20;
        assert!(read(&wrong).unwrap_err().contains("`a/weight`"), "{:?}", read(&wrong));
        let mut older = whole;
        older[0] = 5;
        assert!(read(&older).unwrap_err().contains("convert it anew"));
    }
}
