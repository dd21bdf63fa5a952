//! The name of a data folder, by which workers tell whether they share one.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use crate::{StoreError, error::blocking};

/// Where the name stands.
const FILE: &str = "place";

/// The name of the data folder at `root`, which is given one when it has none; folder and name are made where they are missing.
pub async fn place_of(root: &Path, ids: &dyn kernel::IdSource) -> Result<String, StoreError> {
    let (root, new) = (root.to_owned(), ids.next_id().to_string());
    blocking(move || find_or_give(&root, &new).map_err(|error| StoreError::io(&root.join(FILE), error))).await
}

fn find_or_give(root: &Path, new: &str) -> io::Result<String> {
    fs::create_dir_all(root)?;
    let path = root.join(FILE);
    match fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => return Ok(name.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = tempfile::NamedTempFile::new_in(root)?;
    file.write_all(new.as_bytes())?;
    file.as_file().sync_all()?;
    // Of two processes that begin at once one is first, and the other takes its name.
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(new.to_owned()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            let name = fs::read_to_string(&path)?;
            Ok(name.trim().to_owned())
        }
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_name_and_no_other_has_it() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let given = find_or_give(&one.path().join("data"), "first").unwrap();
        assert_eq!(given, "first");
        assert_eq!(find_or_give(&one.path().join("data"), "second").unwrap(), "first");
        assert_eq!(find_or_give(other.path(), "third").unwrap(), "third");
    }
}
