//! Secrets, which are no settings: they come from the environment, or from files that it names.

use std::{env, fs, io};

use kernel::ErrorKind;
use secrecy::SecretString;

/// A secret that is named cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the file `{file}` that `{variable}` names cannot be read: {source}")]
pub struct SecretError {
    variable: String,
    file: String,
    #[source]
    source: io::Error,
}

impl SecretError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Missing
    }
}

/// The secret in the variable `name`, or in the file that `NAME_FILE` names, without the end of its last line.
pub fn secret(name: &str) -> Result<Option<SecretString>, SecretError> {
    if let Some(value) = env::var(name).ok().filter(|value| !value.is_empty()) {
        return Ok(Some(value.into()));
    }
    let variable = format!("{name}_FILE");
    let Ok(file) = env::var(&variable) else { return Ok(None) };
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned().into())),
        Err(source) => Err(SecretError { variable, file, source }),
    }
}
