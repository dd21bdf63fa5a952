//! What can be set of files and uploads.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{ClamdAddress, NewObjects, StoreOptions, StoreUrl};

const SECONDS_OF_AN_HOUR: u64 = 3600;

/// Where files lie, how large they may be, and what looks into them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageSettings {
    /// The folder of files; absent for `files` in the data folder.
    pub folder: Option<PathBuf>,
    /// The store of files, `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///folder`; absent for the folder.
    pub url: Option<StoreUrl>,
    /// Certificates, in PEM, that may vouch for the store beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Seconds that the store may take to answer, and to send or take the next bytes.
    pub timeout_s: u32,
    /// Whether downloads by a link lead to the store itself, where it can sign addresses.
    pub direct_links: bool,
    /// Whether objects are encrypted from now on.
    pub encrypt: bool,
    /// Bytes that one file may have.
    pub max_file_bytes: u64,
    /// Bytes that the files and uploads of one user may have together.
    pub user_quota_bytes: u64,
    /// Bytes of the disk that stay free whatever users store.
    pub min_free_bytes: u64,
    /// Hours that an upload may pause before it is given up.
    pub upload_expires_hours: u32,
    /// Hours that a link holds at most.
    pub max_link_hours: u32,
    /// Where the virus scanner listens, `tcp://host:3310` or `unix:///run/clamav/clamd.ctl`; absent for no scan.
    pub clamd: Option<ClamdAddress>,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            folder: None,
            url: None,
            ca_file: None,
            timeout_s: 60,
            direct_links: false,
            encrypt: false,
            max_file_bytes: 10_000_000_000,
            user_quota_bytes: 50_000_000_000,
            min_free_bytes: 1_000_000_000,
            upload_expires_hours: 24,
            max_link_hours: 7 * 24,
            clamd: None,
        }
    }
}

impl StorageSettings {
    /// The store of files, for a data folder.
    pub fn store_in(&self, data: &Path) -> StoreOptions {
        let folder = || StoreUrl::Folder(self.folder.clone().unwrap_or_else(|| data.join("files")));
        let url = self.url.clone().unwrap_or_else(folder);
        StoreOptions { url, ca_file: self.ca_file.clone(), timeout: Duration::from_secs(self.timeout_s.into()) }
    }

    /// How objects are stored from now on.
    pub fn new_objects(&self) -> NewObjects {
        if self.encrypt { NewObjects::Encrypted } else { NewObjects::Plain }
    }

    /// How long an upload may pause.
    pub fn upload_patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.upload_expires_hours) * SECONDS_OF_AN_HOUR)
    }

    /// How long a link may hold.
    pub fn max_link_age(&self) -> Duration {
        Duration::from_secs(u64::from(self.max_link_hours) * SECONDS_OF_AN_HOUR)
    }

    /// What is wrong with them, by key.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let ranges = [
            ("storage.timeout_s", self.timeout_s.into(), 1..=3600),
            ("storage.max_file_bytes", self.max_file_bytes, 1..=super::writer::MAX_OBJECT_BYTES),
            ("storage.user_quota_bytes", self.user_quota_bytes, 1..=i64::MAX.unsigned_abs()),
            ("storage.min_free_bytes", self.min_free_bytes, 0..=i64::MAX.unsigned_abs()),
            ("storage.upload_expires_hours", self.upload_expires_hours.into(), 1..=8760),
            ("storage.max_link_hours", self.max_link_hours.into(), 1..=8760),
        ];
        let is_outside = |(_, value, range): &(_, u64, std::ops::RangeInclusive<u64>)| !range.contains(value);
        let fault = |(key, value, range): (_, u64, std::ops::RangeInclusive<u64>)| {
            (key, format!("{value} is not between {} and {}", range.start(), range.end()))
        };
        let of_ranges = ranges.into_iter().filter(is_outside).map(fault);
        let twice = self.folder.is_some() && self.url.is_some();
        let twice =
            twice.then(|| ("storage.folder", "`storage.url` says where files lie; leave one of them out".to_owned()));
        of_ranges.chain(twice).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_fault_and_impossible_values_all_have_one() {
        assert_eq!(StorageSettings::default().faults(), []);
        let wrong = StorageSettings { max_file_bytes: 0, max_link_hours: 0, ..StorageSettings::default() };
        let keys: Vec<_> = wrong.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["storage.max_file_bytes", "storage.max_link_hours"]);
    }

    #[test]
    fn files_lie_in_the_data_folder_unless_another_place_is_named() {
        let url = |settings: &StorageSettings| settings.store_in(Path::new("/data")).url.to_string();
        let settings = StorageSettings::default();
        assert_eq!(url(&settings), "file:///data/files");
        let elsewhere = StorageSettings { folder: Some("/mnt/files".into()), ..settings.clone() };
        assert_eq!(url(&elsewhere), "file:///mnt/files");
        let bucket = StorageSettings { url: Some("s3://bucket".parse().unwrap()), ..settings };
        assert_eq!(url(&bucket), "s3://bucket");
        let both = StorageSettings { url: bucket.url, ..elsewhere };
        assert_eq!(both.faults()[0].0, "storage.folder");
    }
}
