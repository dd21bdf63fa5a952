//! CTranslate2, which runs models that listen and that translate. It is built from its source and linked, only where the
//! feature `local-models` asks for it.
//!
//! What it throws becomes an error here. What it does not look at would end the process, or read memory that is nobody's:
//! arrays of other shapes than its code expects, tokens beyond the end of an array, settings that are not there. All of
//! that is checked before a model is given to it ([`Weights`], [`layers`], [`Vocabulary`]).

pub(crate) mod layers;
pub(crate) mod repeats;
mod vocabulary;
mod weights;

use std::{collections::BTreeMap, fmt::Display, fs::File, io::Read, path::Path, sync::Once};

use ct2rs::sys::{ComputeType, Config, LogLevel, set_log_level};
use platform::resources;
use serde::de::DeserializeOwned;

pub(crate) use self::{vocabulary::Vocabulary, weights::Weights};

/// More than any file of settings or tokens has.
const MAX_TEXT_BYTES: u64 = 64 << 20;
/// Less than the smallest of the models that people share.
const LITTLE_BYTES: u64 = 10 << 20;

/// What a user may say of any model that CTranslate2 runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Options {
    /// How many ways of going on are kept in sight.
    pub(crate) beam: usize,
    compute: ComputeType,
}

impl Options {
    /// The options that a user said, with the `usual` beam where it is none of them.
    pub(crate) fn of(said: &BTreeMap<String, String>, usual: usize) -> Result<Self, String> {
        let beam = match said.get("beam").map(|text| text.parse()) {
            None => usual,
            Some(Ok(beam)) if (1..=16).contains(&beam) => beam,
            Some(_) => return Err("its option `beam` is no whole number from 1 to 16".to_owned()),
        };
        let compute = match said.get("compute").map(String::as_str) {
            None | Some("stored") => ComputeType::DEFAULT,
            Some("int8") => ComputeType::INT8_FLOAT32,
            Some("float32") => ComputeType::FLOAT32,
            Some(other) => {
                return Err(format!("its option `compute` is `{other}`; give `stored`, `int8` or `float32`"));
            }
        };
        Ok(Self { beam, compute })
    }

    /// How CTranslate2 is to run a model of so many bytes: one piece of work at a time, with every processor unless it is so
    /// small that their waiting for each other would take longer than the work.
    pub(crate) fn config(self, size_bytes: u64) -> Config {
        static QUIET: Once = Once::new();
        // What it has to say comes back as an error; the rest would stand between what Pressroom says.
        QUIET.call_once(|| set_log_level(LogLevel::Off));
        let threads = if size_bytes < LITTLE_BYTES { 1 } else { resources::cpu_count() };
        Config { compute_type: self.compute, num_threads_per_replica: threads, ..Config::default() }
    }
}

/// The settings of a model, in its `config.json`.
pub(crate) fn settings<T: DeserializeOwned>(folder: &Path) -> Result<T, String> {
    let text = text(&folder.join("config.json"))?;
    serde_json::from_str(&text).map_err(|error| format!("its `config.json` cannot be read ({error})"))
}

/// A text of a model.
fn text(path: &Path) -> Result<String, String> {
    let failed = |error: &dyn Display| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!("its `{name}` cannot be read ({error})")
    };
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut text = String::new();
    file.take(MAX_TEXT_BYTES).read_to_string(&mut text).map_err(|error| failed(&error))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(said: &[(&str, &str)]) -> Result<Options, String> {
        let said = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Options::of(&said, 5)
    }

    #[test]
    fn options_are_what_the_user_says_or_the_usual() {
        assert_eq!(options(&[]).unwrap(), Options { beam: 5, compute: ComputeType::DEFAULT });
        let said = options(&[("beam", "1"), ("compute", "int8")]).unwrap();
        assert_eq!(said, Options { beam: 1, compute: ComputeType::INT8_FLOAT32 });
        for (name, value) in [("beam", "0"), ("beam", "many"), ("beam", "17"), ("compute", "float16")] {
            let message = options(&[(name, value)]).unwrap_err();
            assert!(message.contains(name), "{message}");
        }
    }
}
