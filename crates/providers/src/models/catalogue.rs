//! The models that the user gave, each in a folder of its own below the data folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use kernel::{Clock, ErrorKind};

use super::{
    FAMILIES, Family, Kind, Loaded, Manifest, Model, ModelError, ModelName, pool, staging,
    work::{Phase, Progress, Watch, Work},
};

/// The catalogue of models. Any number of processes may use one.
#[derive(Debug, Clone)]
pub struct Catalogue {
    pub(super) folder: PathBuf,
    pub(super) families: &'static [Family],
    pub(super) clock: Arc<dyn Clock>,
    pub(super) max_bytes: u64,
}

/// A model, or what is wrong with it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub name: String,
    pub model: Result<Model, String>,
}

/// More than any model has that runs on one machine.
const MAX_MODEL_BYTES: u64 = 30_000_000_000;

impl Catalogue {
    /// The catalogue of a data folder.
    pub fn new(data: &Path, clock: Arc<dyn Clock>) -> Self {
        Self::with_families(data, clock, FAMILIES)
    }

    /// A catalogue that knows other families.
    pub fn with_families(data: &Path, clock: Arc<dyn Clock>, families: &'static [Family]) -> Self {
        Self { folder: data.join("models"), families, clock, max_bytes: MAX_MODEL_BYTES }
    }

    /// The same catalogue, which takes no models larger than this.
    #[must_use]
    pub fn limited_to(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// Every model, in the order of names; a damaged one too.
    pub fn list(&self) -> Result<Vec<Listed>, ModelError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ModelError::disk(&self.folder)(error)),
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.map_err(ModelError::disk(&self.folder))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(name) = name.parse::<ModelName>() else { continue };
            if entry.path().is_dir() {
                listed.push(Listed { model: self.read(&name), name: name.into() });
            }
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// The models of a kind that are whole and that this build can load, in the order of names.
    pub fn usable(&self, kind: Kind) -> Result<Vec<Model>, ModelError> {
        let whole = self.list()?.into_iter().filter_map(|listed| listed.model.ok());
        let fits = |model: &Model| model.manifest.kind == kind && self.can_load(&model.manifest);
        Ok(whole.filter(fits).collect())
    }

    /// Whether this build has the engine of a model.
    pub fn can_load(&self, manifest: &Manifest) -> bool {
        self.families.iter().any(|family| family.name == manifest.family && family.loader.is_some())
    }

    /// A model by its name.
    pub fn get(&self, name: &ModelName) -> Result<Model, ModelError> {
        if !self.folder.join(name.as_str()).is_dir() {
            return Err(self.not_found(name)?);
        }
        self.read(name).map_err(|reason| ModelError::Damaged { name: name.to_string(), reason })
    }

    /// Removes a model, a damaged one too.
    pub fn remove(&self, name: &ModelName) -> Result<(), ModelError> {
        if !self.folder.join(name.as_str()).is_dir() {
            return Err(self.not_found(name)?);
        }
        staging::remove(&self.folder, name.as_str()).map_err(ModelError::disk(&self.folder.join(name.as_str())))
    }

    /// Takes the sums of a model's files, and loads it.
    pub async fn verify(&self, name: &ModelName, watch: Watch) -> Result<Model, ModelError> {
        let (catalogue, name) = (self.clone(), name.clone());
        let (work, _stop) = Work::new(&watch);
        on_thread(move || catalogue.verify_on_thread(&name, &work)).await
    }

    fn verify_on_thread(&self, name: &ModelName, work: &Work) -> Result<Model, ModelError> {
        let mut model = self.get(name)?;
        let mut progress =
            Progress { phase: Phase::Checking, bytes: 0, total_bytes: Some(model.manifest.size_bytes()) };
        for file in &model.manifest.files {
            let (hash, size_bytes) = work.hash(&model.folder.join(&file.name), progress)?;
            progress.bytes += size_bytes;
            if (hash.as_str(), size_bytes) != (file.blake3.as_str(), file.size_bytes) {
                let reason = format!("its file `{}` is not what it was when it was added", file.name);
                return Err(ModelError::Damaged { name: name.to_string(), reason });
            }
        }
        self.load(&model, work)?;
        model.manifest.verified_ms = self.clock.now_ms();
        model.manifest.write(&model.folder).map_err(ModelError::disk(&model.folder))?;
        Ok(model)
    }

    pub(super) fn load(&self, model: &Model, work: &Work) -> Result<Loaded, ModelError> {
        let bytes = model.manifest.size_bytes();
        work.tell(Progress { phase: Phase::Loading, bytes: 0, total_bytes: Some(bytes) })?;
        let loaded = pool::load(self.families, model)?;
        work.tell(Progress { phase: Phase::Loading, bytes, total_bytes: Some(bytes) })?;
        Ok(loaded)
    }

    /// Reads a model's manifest, and looks whether its files have their sizes.
    fn read(&self, name: &ModelName) -> Result<Model, String> {
        let folder = self.folder.join(name.as_str());
        let manifest = Manifest::read(&folder).map_err(|error| format!("its manifest cannot be read ({error})"))?;
        if manifest.name != *name {
            return Err(format!("its manifest is that of `{}`", manifest.name));
        }
        for file in &manifest.files {
            if !fs::metadata(folder.join(&file.name)).is_ok_and(|found| found.len() == file.size_bytes) {
                return Err(format!("its file `{}` is missing or was changed", file.name));
            }
        }
        Ok(Model { manifest, folder })
    }

    fn not_found(&self, name: &ModelName) -> Result<ModelError, ModelError> {
        let names = self.list()?.into_iter().map(|listed| listed.name).collect();
        Ok(ModelError::NotFound { name: name.to_string(), names })
    }
}

/// Runs blocking work on a thread of its own.
pub(super) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ModelError> + Send + 'static,
) -> Result<T, ModelError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(ModelError::Stopped(error.to_string())))
}

impl From<ModelError> for ai::ProviderError {
    fn from(error: ModelError) -> Self {
        let kind = match error.kind() {
            // A damaged or vanished model is none of the request's faults.
            ErrorKind::Invalid | ErrorKind::NotFound => ErrorKind::Missing,
            kind => kind,
        };
        Self::new("models", kind, error.to_string()).with_source(error)
    }
}
