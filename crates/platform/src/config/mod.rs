//! How settings are read: defaults, then the settings file, then the environment, each overriding what came before.

mod load;
mod reference;
mod secret;

use std::path::PathBuf;

pub use load::{ConfigError, Fault, Settings, Sources};
pub use reference::{Setting, reference};
pub use secret::{SecretError, secret};

/// The directories of this program on this platform.
const PROGRAM: &str = "pressroom";

/// The platform's folder for a program's data; a folder here where the user has no home.
pub fn default_data_folder() -> PathBuf {
    directories::ProjectDirs::from("", "", PROGRAM)
        .map_or_else(|| PathBuf::from(".pressroom"), |folders| folders.data_local_dir().to_owned())
}

/// The settings file where the platform keeps such files.
fn default_file() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", PROGRAM).map(|folders| folders.config_dir().join("pressroom.toml"))
}
