//! The head of a CTranslate2 file, which says what sort of model it is.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The versions of the file that CTranslate2 4 reads and that name their model.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=6;

/// What stands at the beginning of `model.bin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub version: u32,
    /// The architecture, such as `WhisperSpec`.
    pub specification: String,
    pub revision: u32,
}

impl Header {
    /// Reads the head of a file; `InvalidData` where it is of another format.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let version = u32::from_le_bytes(array(&mut file)?);
        if !VERSIONS.contains(&version) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("no CTranslate2 of version {VERSIONS:?}")));
        }
        // The length counts the zero at the end.
        let length = u16::from_le_bytes(array(&mut file)?);
        let mut name = vec![0; usize::from(length)];
        file.read_exact(&mut name)?;
        let name = name.strip_suffix(&[0]).and_then(|name| std::str::from_utf8(name).ok());
        let specification = name.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()));
        let specification = specification.ok_or(io::ErrorKind::InvalidData)?.to_owned();
        Ok(Self { version, specification, revision: u32::from_le_bytes(array(&mut file)?) })
    }
}

fn array<const N: usize>(file: &mut File) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_model_is_told_from_anything_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let head = [&6_u32.to_le_bytes()[..], &12_u16.to_le_bytes(), b"WhisperSpec\0", &3_u32.to_le_bytes()].concat();
        std::fs::write(file.path(), &head).unwrap();
        let expected = Header { version: 6, specification: "WhisperSpec".to_owned(), revision: 3 };
        assert_eq!(Header::read(file.path()).unwrap(), expected);
        for other in [&head[..head.len() - 1], b"", b"PK\x03\x04 and more of the same", &[6, 0, 0, 0, 255, 255]] {
            std::fs::write(file.path(), other).unwrap();
            assert!(Header::read(file.path()).is_err());
        }
    }
}
