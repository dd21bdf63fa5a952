//! The whole of `gateway.toml`: the sections of the proxy, and those of its instances and its operator.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use kernel::ErrorKind;
use serde::Deserialize;

use crate::{
    admin::AdminSettings,
    fleet::{DeploySettings, InstanceSettings, ScalingSettings},
    settings::{Fault, GatewaySettings},
};

/// A file larger than this is none of ours.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The sections that are read here; all others are the proxy's.
const SECTIONS: &[&str] = &["instances", "scaling", "deploy", "admin"];

/// What stands in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GatewayFile {
    pub proxy: GatewaySettings,
    pub control: ControlSettings,
}

/// How the gateway is controlled, and what it starts itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControlSettings {
    /// Servers that the gateway starts itself; absent where it starts none.
    pub instances: Option<InstanceSettings>,
    pub scaling: ScalingSettings,
    pub deploy: DeploySettings,
    pub admin: AdminSettings,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("`{path}` cannot be read: {source}; name the settings of the gateway with `--config`")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("`{path}` is no settings of a gateway: {source}")]
    Syntax { path: PathBuf, source: toml::de::Error },
    #[error("`{path}` cannot be used: {}", lines(.faults))]
    Faults { path: PathBuf, faults: Vec<Fault> },
}

impl FileError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|(key, reason)| format!("`{key}`: {reason}")).collect::<Vec<_>>().join("; ")
}

impl GatewayFile {
    /// What stands in the file at `path`, if nothing is wrong with it; else all that is.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
        let found = fs::metadata(path).map_err(unreadable)?;
        if found.len() > MAX_FILE_BYTES {
            return Err(unreadable(io::ErrorKind::FileTooLarge.into()));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let file = Self::parse(&text).map_err(|source| FileError::Syntax { path: path.to_owned(), source })?;
        let faults = file.faults();
        if faults.is_empty() { Ok(file) } else { Err(FileError::Faults { path: path.to_owned(), faults }) }
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let mut proxy: toml::Table = toml::from_str(text)?;
        let ours = SECTIONS.iter().filter_map(|section| Some(((*section).to_owned(), proxy.remove(*section)?)));
        let control = ours.collect::<toml::Table>();
        Ok(Self { control: control.try_into()?, proxy: proxy.try_into()? })
    }

    /// All that is wrong.
    fn faults(&self) -> Vec<Fault> {
        let control = &self.control;
        let mut faults = self.proxy.faults();
        faults.extend(control.instances.iter().flat_map(InstanceSettings::faults));
        faults.extend(control.scaling.faults());
        faults.extend(control.deploy.faults());
        if control.instances.is_none() && self.proxy.upstreams.is_empty() {
            let reason = "there is nothing to share requests among; add `[[upstreams]]`, or `[instances]` to start";
            faults.push(("upstreams", reason.to_owned()));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<GatewayFile, FileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        fs::write(&path, text).unwrap();
        GatewayFile::read(&path)
    }

    #[test]
    fn both_halves_are_read_from_one_file() {
        let text = "[listen]\naddress = \"127.0.0.1:8080\"\n[instances]\nmin = 1\nmax = 3\n[scaling]\ncores = 2\n\
                    [deploy]\ncheck_s = 0.5\n[admin]\nlisten = \"unix:/run/gateway.sock\"\n";
        let file = read(text).unwrap();
        let instances = file.control.instances.unwrap();
        assert_eq!((instances.min, instances.max), (1, 3));
        assert_eq!(file.control.admin.listen.to_string(), "unix:/run/gateway.sock");
        assert_eq!(file.proxy.listen.address.port(), 8080);
        assert_eq!(read("[instances]").unwrap().control.instances, Some(InstanceSettings::default()));
    }

    #[test]
    fn all_that_is_wrong_in_both_is_named_at_once() {
        let text = "[health]\nfailures = 0\n[instances]\nmin = 9\n[scaling]\ntarget_in_flight = 0\n[deploy]\nworse_failures = 7";
        let error = read(text).unwrap_err().to_string();
        for key in ["health.failures", "instances.min", "scaling.target_in_flight", "deploy.worse_failures"] {
            assert!(error.contains(key), "{key}: {error}");
        }
    }

    #[test]
    fn what_is_unknown_or_missing_is_named() {
        for (text, expected) in [
            ("[instances]\nnumber = 3", "number"),
            ("[colours]", "colours"),
            ("[admin]\nlisten = \"everywhere\"", "`everywhere` is no address"),
            ("= 3", "no settings of a gateway"),
            ("", "nothing to share requests among"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = GatewayFile::read(Path::new("/nowhere/gateway.toml")).unwrap_err().to_string();
        assert!(error.contains("--config"), "{error}");
    }
}
