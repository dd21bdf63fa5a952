//! Reads the settings and names every fault at once, with where it stands.

use std::{env, fmt, fs, io, path::PathBuf};

use figment::{
    Error, Figment, Metadata, Profile, Provider, Source,
    error::Kind,
    providers::{Format, Serialized, Toml},
    value::{Dict, Map, Tag, Value},
};
use kernel::ErrorKind;

use super::{SETTINGS, Setting, Settings, default_file};

/// What the names of our environment variables begin with.
const PREFIX: &str = "PRESSROOM_";

/// The variable that names the settings file.
const FILE_VARIABLE: &str = "PRESSROOM_CONFIG";

/// A settings file larger than this is not one.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The least memory that work can do with.
const MIN_MEMORY_BYTES: u64 = 256 * 1024 * 1024;

/// Where settings come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The settings file.
    pub file: Option<PathBuf>,
    /// Whether the user named the file, so that it must exist.
    pub file_must_exist: bool,
    /// The environment: names and values.
    pub environment: Vec<(String, String)>,
}

/// All that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    pub faults: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key or variable, where one is at fault.
    pub key: String,
    /// Where it was set: a file, or the environment.
    pub place: String,
    /// What is wrong and what to do, lower case, no full stop.
    pub reason: String,
}

impl ConfigError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.faults.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "settings of {}: {}", self.place, self.reason)
        } else {
            write!(f, "setting `{}` of {}: {}", self.key, self.place, self.reason)
        }
    }
}

impl Sources {
    /// The user's settings file and the environment of this process.
    pub fn of_process() -> Self {
        let environment: Vec<_> = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        let named = environment.iter().find(|(name, _)| name == FILE_VARIABLE).map(|(_, value)| PathBuf::from(value));
        Self { file_must_exist: named.is_some(), file: named.or_else(default_file), environment }
    }
}

impl Settings {
    /// Reads the settings of this process.
    pub fn load() -> Result<Self, ConfigError> {
        Self::load_from(&Sources::of_process())
    }

    /// Reads settings; every fault of every source is named.
    pub fn load_from(sources: &Sources) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let file = read_file(sources, &mut faults);
        let (environment, unknown) = environment_values(&sources.environment);
        faults.extend(unknown);
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some((path, values)) = file {
            figment = figment.merge(Layer { name: format!("`{}`", path.display()), values });
        }
        figment = figment.merge(Layer { name: "the environment".to_owned(), values: environment });
        let settings = extract(figment, &mut faults);
        if let Some(settings) = &settings {
            settings.check(&mut faults);
        }
        match settings {
            Some(settings) if faults.is_empty() => Ok(settings),
            _ => Err(ConfigError { faults }),
        }
    }

    fn check(&self, faults: &mut Vec<Fault>) {
        let mut fault = |key: &str, reason: String| {
            faults.push(Fault { key: key.to_owned(), place: "all sources together".to_owned(), reason });
        };
        if let Some(jobs) = self.jobs.filter(|jobs| !(1..=512).contains(jobs)) {
            fault("jobs", format!("{jobs} is not between 1 and 512"));
        }
        if let Some(bytes) = self.memory_bytes.filter(|bytes| *bytes < MIN_MEMORY_BYTES) {
            fault("memory_bytes", format!("{bytes} is too little to work with; give at least {MIN_MEMORY_BYTES}"));
        }
        if !(1..=36_500).contains(&self.cache.max_age_days) {
            fault("cache.max_age_days", format!("{} is not between 1 and 36500", self.cache.max_age_days));
        }
        if self.data.as_os_str().is_empty() {
            fault("data", "it is empty; name a folder".to_owned());
        }
        for (key, reason) in self.server.faults() {
            fault(key, reason);
        }
    }
}

/// Values that were read before, under the name of their place.
struct Layer {
    name: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::from(self.name.clone(), Source::Custom(self.name.clone()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn read_file(sources: &Sources, faults: &mut Vec<Fault>) -> Option<(PathBuf, Dict)> {
    let path = sources.file.clone()?;
    let mut fault = |reason: String| {
        faults.push(Fault { key: String::new(), place: format!("`{}`", path.display()), reason });
    };
    let text = match fs::metadata(&path).and_then(|found| {
        if found.len() > MAX_FILE_BYTES { Err(io::ErrorKind::FileTooLarge.into()) } else { fs::read_to_string(&path) }
    }) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !sources.file_must_exist => return None,
        Err(error) => {
            fault(format!("the file cannot be read: {error}"));
            return None;
        }
    };
    match Toml::from_str::<Dict>(&text) {
        Ok(values) => Some((path, values)),
        Err(error) => {
            fault(error.to_string().trim_end().replace('\n', " "));
            None
        }
    }
}

/// The values of our variables by the keys they set, and a fault for each variable that sets nothing.
fn environment_values(environment: &[(String, String)]) -> (Dict, Vec<Fault>) {
    let (mut values, mut faults) = (Dict::new(), Vec::new());
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        if name == FILE_VARIABLE || name == crate::telemetry::FILTER_VARIABLE {
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == *name) else {
            let known: Vec<_> = SETTINGS.iter().map(Setting::variable).collect();
            let reason = format!("it is not known; known are {}", known.join(", "));
            faults.push(Fault { key: name.clone(), place: "the environment".to_owned(), reason });
            continue;
        };
        insert(&mut values, setting.key, typed(setting, text));
    }
    (values, faults)
}

/// A number where the setting takes one; everything else is text as it stands, a path of digits too.
fn typed(setting: &Setting, text: &str) -> Value {
    let Ok(number) = text.parse::<u64>() else { return Value::from(text) };
    let mut alone = Dict::new();
    insert(&mut alone, setting.key, Value::from(number));
    let is_number = Figment::from(Layer { name: String::new(), values: alone }).extract::<Settings>().is_ok();
    if is_number { Value::from(number) } else { Value::from(text) }
}

fn insert(values: &mut Dict, key: &str, value: Value) {
    let Some((table, key)) = key.split_once('.') else {
        values.insert(key.to_owned(), value);
        return;
    };
    let entry = values.entry(table.to_owned()).or_insert_with(|| Value::Dict(Tag::Default, Dict::new()));
    if let Value::Dict(_, table) = entry {
        table.insert(key.to_owned(), value);
    }
}

/// Reads the settings; for as long as a key is at fault, notes it, sets it aside and reads again.
fn extract(figment: Figment, faults: &mut Vec<Fault>) -> Option<Settings> {
    let original = figment.clone();
    let mut figment = figment;
    loop {
        let error = match figment.extract::<Settings>() {
            Ok(settings) => return Some(settings),
            Err(error) => error,
        };
        let mut path = error.path.clone();
        let reason = match &error.kind {
            Kind::UnknownField(name, known) => {
                if path.last() != Some(name) {
                    path.push(name.clone());
                }
                format!("it is not known; known are `{}`", known.join("`, `"))
            }
            kind => kind.to_string(),
        };
        let key = path.join(".");
        let place =
            original.find_metadata(&key).map_or_else(|| "the defaults".to_owned(), |found| found.name.to_string());
        faults.push(Fault { key: key.clone(), place, reason });
        let Ok(Value::Dict(_, mut values)) = figment.find_value("") else { return None };
        if !remove(&mut values, &path) {
            return None;
        }
        figment = Figment::from(Layer { name: "settings".to_owned(), values });
    }
}

fn remove(values: &mut Dict, path: &[String]) -> bool {
    match path {
        [] => false,
        [key] => values.remove(key).is_some(),
        [table, rest @ ..] => match values.get_mut(table) {
            Some(Value::Dict(_, table)) => remove(table, rest),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::LogFormat;

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
        assert_eq!(settings.cache, crate::config::CacheSettings { max_bytes: 5000, max_age_days: 7 });
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
