//! A catalogue of models that are run by CTranslate2.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use kernel::FixedClock;
use platform::http::{AddressPolicy, HttpClient};
use providers::models::{Addition, Catalogue, Model, ModelError};
use tempfile::TempDir;

use crate::ct2_file::Ct2File;

pub(crate) struct Shelf {
    folder: TempDir,
    pub(crate) catalogue: Catalogue,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { catalogue: Catalogue::new(&folder.path().join("data"), Arc::new(FixedClock(1_000))), folder }
    }

    /// Adds a model as a user does.
    pub(crate) async fn add(&self, name: &str, file: &Ct2File, options: &[(&str, &str)]) -> Result<Model, ModelError> {
        file.write(&self.path(name));
        self.add_folder(name, options).await
    }

    /// Adds what lies in the folder of this name.
    pub(crate) async fn add_folder(&self, name: &str, options: &[(&str, &str)]) -> Result<Model, ModelError> {
        let options: BTreeMap<String, String> =
            options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let source = self.path(name).to_str().unwrap().to_owned();
        let addition = Addition { source, options, ..Addition::default() };
        let client = HttpClient::new(AddressPolicy::PublicOnly).unwrap();
        self.catalogue.add(addition, &client, Arc::new(|_| {})).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
