//! Reads the settings and names every fault at once, with where it stands.

use std::{env, fmt, fs, io, path::PathBuf};

use figment::{
    Error, Figment, Metadata, Profile, Provider, Source,
    error::Kind,
    providers::{Format, Serialized, Toml},
    value::{Dict, Map, Tag, Value},
};
use kernel::ErrorKind;
use serde::{Serialize, de::DeserializeOwned};

use super::{Setting, default_file};

/// What the names of our environment variables begin with.
const PREFIX: &str = "PRESSROOM_";

/// The variable that names the settings file.
const FILE_VARIABLE: &str = "PRESSROOM_CONFIG";

/// A settings file larger than this is not one.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

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

/// Everything that a program can be told, with what it is when nobody says.
pub trait Settings: Default + Serialize + DeserializeOwned {
    /// Every setting, for the environment and the reference.
    const TABLE: &'static [Setting];

    /// What is wrong with the values, by key.
    fn faults(&self) -> Vec<(&'static str, String)>;

    /// Reads settings; every fault of every source is named.
    fn load_from(sources: &Sources) -> Result<Self, ConfigError> {
        let mut faults = Vec::new();
        let file = read_file(sources, &mut faults);
        let (environment, unknown) = environment_values::<Self>(&sources.environment);
        faults.extend(unknown);
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some((path, values)) = file {
            figment = figment.merge(Layer { name: format!("`{}`", path.display()), values });
        }
        figment = figment.merge(Layer { name: "the environment".to_owned(), values: environment });
        let settings = extract::<Self>(figment, &mut faults);
        let of_values = settings.iter().flat_map(Self::faults).map(|(key, reason)| Fault {
            key: key.to_owned(),
            place: "all sources together".to_owned(),
            reason,
        });
        faults.extend(of_values);
        match settings {
            Some(settings) if faults.is_empty() => Ok(settings),
            _ => Err(ConfigError { faults }),
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
fn environment_values<S: Settings>(environment: &[(String, String)]) -> (Dict, Vec<Fault>) {
    let (mut values, mut faults) = (Dict::new(), Vec::new());
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        if name == FILE_VARIABLE || name == crate::telemetry::FILTER_VARIABLE {
            continue;
        }
        let Some(setting) = S::TABLE.iter().find(|setting| setting.variable() == *name) else {
            let known: Vec<_> = S::TABLE.iter().map(Setting::variable).collect();
            let reason = format!("it is not known; known are {}", known.join(", "));
            faults.push(Fault { key: name.clone(), place: "the environment".to_owned(), reason });
            continue;
        };
        insert(&mut values, setting.key, typed::<S>(setting, text));
    }
    (values, faults)
}

/// A number, or `true` or `false`, where the setting takes one; everything else is text as it stands, a path of digits too.
fn typed<S: Settings>(setting: &Setting, text: &str) -> Value {
    let number = text.parse::<u64>().map(Value::from).ok();
    let Some(value) = number.or_else(|| text.parse::<bool>().map(Value::from).ok()) else { return Value::from(text) };
    let mut alone = Dict::new();
    insert(&mut alone, setting.key, value.clone());
    let is_taken = Figment::from(Layer { name: String::new(), values: alone }).extract::<S>().is_ok();
    if is_taken { value } else { Value::from(text) }
}

fn insert(values: &mut Dict, key: &str, value: Value) {
    let Some((table, key)) = key.split_once('.') else {
        values.insert(key.to_owned(), value);
        return;
    };
    let entry = values.entry(table.to_owned()).or_insert_with(|| Value::Dict(Tag::Default, Dict::new()));
    if let Value::Dict(_, table) = entry {
        insert(table, key, value);
    }
}

/// Reads the settings; for as long as a key is at fault, notes it, sets it aside and reads again.
fn extract<S: Settings>(figment: Figment, faults: &mut Vec<Fault>) -> Option<S> {
    let original = figment.clone();
    let mut figment = figment;
    loop {
        let error = match figment.extract::<S>() {
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
