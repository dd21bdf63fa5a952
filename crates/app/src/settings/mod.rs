//! The settings: everything that can be told to Pressroom, in one place. Each section's type stands beside its owner.

mod table;

use std::{net::SocketAddr, path::PathBuf};

use identity::{IdentitySettings, MailSettings};
use platform::{
    cache::LookupSettings,
    config::{self, Setting, default_data_folder},
    db::DatabaseSettings,
    resources::{self, MemoryBudget},
    server::settings::ServerSettings,
    storage::StorageSettings,
    telemetry::LogFormat,
};
use serde::{Deserialize, Serialize};

/// The least memory that work can do with.
const MIN_MEMORY_BYTES: u64 = 256 * 1024 * 1024;

/// Everything that can be set. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where kept results and unfinished work lie.
    pub(crate) data: PathBuf,
    /// How many segments are made at once; absent for as many as there are processors.
    pub(crate) jobs: Option<usize>,
    /// Memory that work may use, in bytes; absent for half of what the machine or its control group allows.
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) cache: CacheSettings,
    pub(crate) programs: ProgramSettings,
    pub(crate) log: LogSettings,
    pub(crate) database: DatabaseSettings,
    pub(crate) server: ServerSettings,
    pub(crate) storage: StorageSettings,
    pub(crate) identity: IdentitySettings,
    pub(crate) mail: MailSettings,
    pub(crate) lookups: LookupSettings,
    pub(crate) worker: WorkerSettings,
}

/// How much of the kept results stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CacheSettings {
    /// Bytes of results that stay after a run.
    pub(crate) max_bytes: u64,
    /// Days that a result stays after its last use.
    pub(crate) max_age_days: u32,
    /// Bytes of results that workers share through the store of files.
    pub(crate) shared_max_bytes: u64,
    /// Days that a shared result stays after its last use.
    pub(crate) shared_max_age_days: u32,
}

/// Programs that are run and a library that is opened, where they are not to be looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ProgramSettings {
    /// The FFmpeg to use; absent for the first `ffmpeg` of the search path. `ffprobe` is looked for beside it.
    pub(crate) ffmpeg: Option<PathBuf>,
    /// The speech program; absent for `pressroom-speech` beside this program, then of the search path.
    pub(crate) speech: Option<PathBuf>,
    /// The library of ONNX Runtime; absent for the first of the usual places.
    pub(crate) onnxruntime: Option<PathBuf>,
}

/// What the log looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSettings {
    /// For people or for machines.
    pub(crate) format: LogFormat,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { max_bytes: 20_000_000_000, max_age_days: 30, shared_max_bytes: 50_000_000_000, shared_max_age_days: 7 }
    }
}

/// What a worker takes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WorkerSettings {
    /// Jobs at a time, of all kinds together; absent for as many as there are processors.
    pub(crate) concurrency: Option<usize>,
    /// Where it answers how it is; absent for nowhere.
    pub(crate) listen: Option<SocketAddr>,
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
            database: DatabaseSettings::default(),
            server: ServerSettings::default(),
            storage: StorageSettings::default(),
            identity: IdentitySettings::default(),
            mail: MailSettings::default(),
            lookups: LookupSettings::default(),
            worker: WorkerSettings::default(),
        }
    }
}

impl Settings {
    /// How many segments are made at once.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(resources::cpu_count)
    }

    /// The memory that work may use.
    pub(crate) fn memory(&self) -> MemoryBudget {
        self.memory_bytes.map_or_else(MemoryBudget::of_machine, MemoryBudget::new)
    }
}

impl config::Settings for Settings {
    const TABLE: &'static [Setting] = table::SETTINGS;

    fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Some(jobs) = self.jobs.filter(|jobs| !(1..=512).contains(jobs)) {
            faults.push(("jobs", format!("{jobs} is not between 1 and 512")));
        }
        if let Some(jobs) = self.worker.concurrency.filter(|jobs| !(1..=512).contains(jobs)) {
            faults.push(("worker.concurrency", format!("{jobs} is not between 1 and 512")));
        }
        if let Some(bytes) = self.memory_bytes.filter(|bytes| *bytes < MIN_MEMORY_BYTES) {
            let reason = format!("{bytes} is too little to work with; give at least {MIN_MEMORY_BYTES}");
            faults.push(("memory_bytes", reason));
        }
        if !(1..=36_500).contains(&self.cache.max_age_days) {
            faults.push(("cache.max_age_days", format!("{} is not between 1 and 36500", self.cache.max_age_days)));
        }
        if !(1..=36_500).contains(&self.cache.shared_max_age_days) {
            let reason = format!("{} is not between 1 and 36500", self.cache.shared_max_age_days);
            faults.push(("cache.shared_max_age_days", reason));
        }
        if self.data.as_os_str().is_empty() {
            faults.push(("data", "it is empty; name a folder".to_owned()));
        }
        let of_sections = [
            self.database.faults(),
            self.server.faults(),
            self.storage.faults(),
            self.identity.faults(),
            self.mail.faults(),
        ];
        faults.extend(of_sections.into_iter().flatten());
        faults
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use platform::config::{ConfigError, Settings as _, Sources};

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn load(toml: &str, variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pressroom.toml");
        fs::write(&file, toml).unwrap();
        Settings::load_from(&Sources { file: Some(file), file_must_exist: true, environment: environment(variables) })
    }

    #[test]
    fn nothing_needs_to_be_set() {
        assert_eq!(Settings::load_from(&Sources::default()), Ok(Settings::default()));
        assert_eq!(load("", &[]), Ok(Settings::default()));
    }

    #[test]
    fn the_environment_overrides_the_file_and_the_file_the_defaults() {
        let toml = "jobs = 3\ndata = \"/a\"\n[cache]\nmax_bytes = 5_000\n[log]\nformat = \"json\"\n";
        let settings = load(toml, &[("PRESSROOM_DATA", "/b c"), ("PRESSROOM_CACHE_MAX_AGE_DAYS", "7")]).unwrap();
        assert_eq!((settings.data, settings.jobs), (PathBuf::from("/b c"), Some(3)));
        assert_eq!(settings.cache, CacheSettings { max_bytes: 5000, max_age_days: 7, ..CacheSettings::default() });
        assert_eq!(settings.log.format, LogFormat::Json);
    }

    #[test]
    fn a_path_of_digits_stays_a_path() {
        assert_eq!(load("", &[("PRESSROOM_DATA", "2026")]).unwrap().data, PathBuf::from("2026"));
    }

    #[test]
    fn all_faults_are_named_at_once_with_their_places() {
        let toml = "jobs = \"many\"\ncolour = 1\n[cache]\nmax_byte = 1\nmax_age_days = 0\n";
        let error = load(toml, &[("PRESSROOM_LOG_FORMAT", "xml"), ("PRESSROOM_SPEED", "1")]).unwrap_err();
        let mut keys: Vec<_> = error.faults.iter().map(|fault| fault.key.as_str()).collect();
        keys.sort_unstable();
        let expected = ["PRESSROOM_SPEED", "cache.max_age_days", "cache.max_byte", "colour", "jobs", "log.format"];
        assert_eq!(keys, expected, "{error}");
        let place = |key: &str| error.faults.iter().find(|fault| fault.key == key).unwrap().place.clone();
        assert!(place("jobs").contains("pressroom.toml"), "{error}");
        assert_eq!(place("log.format"), "the environment");
    }

    #[test]
    fn a_file_that_is_no_toml_is_named() {
        let error = load("jobs = = 3", &[]).unwrap_err();
        assert!(error.to_string().contains("pressroom.toml"), "{error}");
    }

    #[test]
    fn a_file_that_the_user_named_must_exist() {
        let sources = Sources { file: Some("/nowhere/pressroom.toml".into()), ..Sources::default() };
        assert!(Settings::load_from(&sources).is_ok());
        let error = Settings::load_from(&Sources { file_must_exist: true, ..sources }).unwrap_err();
        assert!(error.to_string().contains("/nowhere/pressroom.toml"), "{error}");
    }
}
