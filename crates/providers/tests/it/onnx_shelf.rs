//! A catalogue of models that are run by ONNX Runtime.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

use kernel::FixedClock;
use platform::http::{AddressPolicy, HttpClient};
use providers::{
    models::{Addition, Catalogue, Model, ModelError},
    onnx,
};
use tempfile::TempDir;

use crate::onnx_file::OnnxFile;

pub(crate) struct Shelf {
    folder: TempDir,
    catalogue: Catalogue,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        onnx::use_library(&library());
        let folder = tempfile::tempdir().unwrap();
        Self { catalogue: Catalogue::new(&folder.path().join("data"), Arc::new(FixedClock(1_000))), folder }
    }

    /// Adds a model as a user does.
    pub(crate) async fn add(&self, name: &str, file: &OnnxFile, options: &[(&str, &str)]) -> Result<Model, ModelError> {
        let path = file.write(&self.folder.path().join(name).join("model.onnx"));
        self.add_file(name, &path, None, options).await
    }

    pub(crate) async fn add_file(
        &self,
        name: &str,
        path: &Path,
        family: Option<&str>,
        options: &[(&str, &str)],
    ) -> Result<Model, ModelError> {
        let options: BTreeMap<String, String> =
            options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let addition = Addition {
            source: path.to_str().unwrap().to_owned(),
            name: Some(name.parse().unwrap()),
            family: family.map(str::to_owned),
            options,
            ..Addition::default()
        };
        let client = HttpClient::new(AddressPolicy::PublicOnly).unwrap();
        self.catalogue.add(addition, &client, Arc::new(|_| {})).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The library that `scripts/setup test` fetched, or another that is named as users name it.
fn library() -> PathBuf {
    let named = env::var_os("PRESSROOM_PROGRAMS_ONNXRUNTIME").map(PathBuf::from);
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let path = named.or_else(|| Some(cache?.join("pressroom-tests/onnxruntime/libonnxruntime.so"))).unwrap();
    assert!(path.is_file(), "{} is missing; run scripts/setup test", path.display());
    path
}
