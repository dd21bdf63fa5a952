//! The settings: defaults, then the settings file, then the environment, each overriding what came before.

mod load;
mod reference;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use load::{ConfigError, Fault, Sources};
pub use reference::{SETTINGS, Setting, reference};

use crate::{server::settings::ServerSettings, telemetry::LogFormat};

/// The directories of this program on this platform.
const PROGRAM: &str = "pressroom";

/// Everything that can be set. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where kept results and unfinished work lie.
    pub data: PathBuf,
    /// How many segments are made at once; absent for as many as there are processors.
    pub jobs: Option<usize>,
    /// Memory that work may use, in bytes; absent for half of what the machine or its control group allows.
    pub memory_bytes: Option<u64>,
    pub cache: CacheSettings,
    pub programs: ProgramSettings,
    pub log: LogSettings,
    pub server: ServerSettings,
}

/// How much of the kept results stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// Bytes of results that stay after a run.
    pub max_bytes: u64,
    /// Days that a result stays after its last use.
    pub max_age_days: u32,
}

/// Programs that are run and a library that is opened, where they are not to be looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProgramSettings {
    /// The FFmpeg to use; absent for the first `ffmpeg` of the search path. `ffprobe` is looked for beside it.
    pub ffmpeg: Option<PathBuf>,
    /// The speech program; absent for `pressroom-speech` beside this program, then of the search path.
    pub speech: Option<PathBuf>,
    /// The library of ONNX Runtime; absent for the first of the usual places.
    pub onnxruntime: Option<PathBuf>,
}

/// What the log looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// For people or for machines.
    pub format: LogFormat,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: default_data_folder(),
            jobs: None,
            memory_bytes: None,
            cache: CacheSettings::default(),
            programs: ProgramSettings::default(),
            log: LogSettings::default(),
            server: ServerSettings::default(),
        }
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { max_bytes: 20_000_000_000, max_age_days: 30 }
    }
}

impl Settings {
    /// How many segments are made at once.
    pub fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(crate::resources::cpu_count)
    }

    /// The memory that work may use.
    pub fn memory(&self) -> crate::resources::MemoryBudget {
        self.memory_bytes.map_or_else(crate::resources::MemoryBudget::of_machine, crate::resources::MemoryBudget::new)
    }
}

/// The platform's folder for a program's data; a folder here where the user has no home.
fn default_data_folder() -> PathBuf {
    directories::ProjectDirs::from("", "", PROGRAM)
        .map_or_else(|| PathBuf::from(".pressroom"), |folders| folders.data_local_dir().to_owned())
}

/// The settings file where the platform keeps such files.
fn default_file() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", PROGRAM).map(|folders| folders.config_dir().join("pressroom.toml"))
}
