//! Adds a model to the catalogue: fetched, told by its files, put aside, checked by loading, and only then given its name.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use platform::{
    http::{DownloadLimits, Downloaded, HttpClient},
    resources::free_disk_bytes,
};
use ring::digest;

use super::{
    Catalogue, Contents, Family, Kind, Manifest, Model, ModelError, ModelFile, ModelName, Schema,
    archive::{Form, Unpacking},
    catalogue::on_thread,
    family::{self, Said},
    staging::{self, Staging},
    work::{Phase, Progress, Watch, Work},
};

/// Space that stays free beside a model.
const SPARE_BYTES: u64 = 100_000_000;
/// The longest wait for the next bytes of a download.
const STALL: Duration = Duration::from_mins(1);
/// Unfinished downloads that nobody went on with for so long are removed.
const STALE: Duration = Duration::from_hours(7 * 24);
/// Folders within folders of an archive in which the model is looked for.
const MAX_FOLDERS: usize = 1000;

/// What a user says of a model to add.
#[derive(Debug, Clone, Default)]
pub struct Addition {
    /// A folder, a file, an archive, or the web address of a file or an archive.
    pub source: String,
    /// That of the source where absent.
    pub name: Option<ModelName>,
    /// Told from the files where absent.
    pub kind: Option<Kind>,
    /// Told from the files where absent.
    pub family: Option<String>,
    /// The sum that the file or archive has to have, in hexadecimal digits.
    pub sha256: Option<String>,
    /// That of the model's card where absent.
    pub licence: Option<String>,
    /// What the family cannot tell from the files.
    pub options: BTreeMap<String, String>,
}

/// A source on this machine.
struct Local {
    path: PathBuf,
    /// What the user calls it.
    place: String,
    /// A download: it may be moved, and goes when the addition ends.
    download: Option<Download>,
}

/// A folder for what one address gives, gone with this unless it is to be gone on with.
struct Download {
    folder: PathBuf,
    // Held for its lock.
    _lock: File,
}

impl Catalogue {
    /// Adds a model and returns it. What fails, or is dropped, leaves nothing but what a download has fetched so far.
    pub async fn add(&self, addition: Addition, http: &HttpClient, watch: Watch) -> Result<Model, ModelError> {
        if let Some(name) = &addition.name
            && self.folder.join(name.as_str()).exists()
        {
            return Err(ModelError::AlreadyThere { name: name.to_string() });
        }
        let local = if is_web_address(&addition.source) {
            self.download(&addition, http, &watch).await?
        } else {
            Local { path: PathBuf::from(&addition.source), place: addition.source.clone(), download: None }
        };
        let (catalogue, (work, _stop)) = (self.clone(), Work::new(&watch));
        on_thread(move || {
            let added = catalogue.add_local(&addition, &local, &work);
            if let Some(download) = local.download {
                download.remove();
            }
            added
        })
        .await
    }

    async fn download(&self, addition: &Addition, http: &HttpClient, watch: &Watch) -> Result<Local, ModelError> {
        let url = &addition.source;
        let place = url.split(['?', '#']).next().unwrap_or_default().to_owned();
        let (downloads, key) = (self.folder.join(".downloads"), blake3::hash(url.as_bytes()).to_hex()[..16].to_owned());
        let shown = place.clone();
        let download = on_thread(move || Download::take(&downloads, &key, &shown)).await?;
        let path = download.folder.join(file_name(&place));
        let limits = DownloadLimits { max_bytes: self.max_bytes, stall: STALL };
        let tell = |done: Downloaded| {
            watch(Progress { phase: Phase::Downloading, bytes: done.bytes, total_bytes: done.total_bytes });
        };
        let sum = http.download(url, &path, limits, &tell).await?;
        if let Err(error) = check_sum(addition.sha256.as_deref(), &sum, &place) {
            download.remove();
            return Err(error);
        }
        Ok(Local { path, place, download: Some(download) })
    }

    fn add_local(&self, addition: &Addition, local: &Local, work: &Work) -> Result<Model, ModelError> {
        let found = fs::metadata(&local.path).map_err(|error| {
            ModelError::source(
                &local.place,
                format!("it cannot be read ({error}); name a folder, a file or a web address"),
            )
        })?;
        if local.download.is_none() && addition.sha256.is_some() {
            if found.is_dir() {
                return Err(ModelError::source(&local.place, "a folder has no SHA-256; leave --sha256 out"));
            }
            check_sum(addition.sha256.as_deref(), &sha256(&local.path, work)?, &local.place)?;
        }
        let staging = Staging::new(&self.folder).map_err(ModelError::disk(&self.folder))?;
        let form = if found.is_dir() { None } else { Form::of(&local.path).map_err(ModelError::disk(&local.path))? };
        let said = Said { kind: addition.kind, family: addition.family.as_deref() };
        let unknown = |reason| ModelError::source(&local.place, reason);
        let (contents, family, movable) = if let Some(form) = form {
            let into = staging.scratch().map_err(ModelError::disk(&self.folder))?;
            self.check_space(found.len(), &local.place)?;
            let max_bytes = self.max_bytes.min(self.free_bytes()?.saturating_sub(SPARE_BYTES));
            Unpacking { place: &local.place, archive: &local.path, into: &into, max_bytes, work }.run(form)?;
            let (contents, family) = self.find_model(&into, said).map_err(unknown)?;
            (contents, family, true)
        } else {
            let contents = Contents::read(&local.path).map_err(ModelError::disk(&local.path))?;
            let family = family::find(self.families, &contents, said).map_err(unknown)?;
            (contents, family, local.download.is_some())
        };
        // Said before gigabytes are copied.
        if family.loader.is_none() {
            return Err(ModelError::NotBuilt { family: family.name });
        }
        check_options(family, &addition.options)?;
        let name = addition.name.clone().or_else(|| name_of(&local.place)).ok_or_else(|| {
            ModelError::source(&local.place, "nothing of it can be a model's name; give one with --name")
        })?;
        self.gather(&contents, (family, movable), &local.place, (&staging.model(), work))?;
        let manifest = self.describe((addition, local), (name, family, &contents), (&staging.model(), work))?;
        let model = Model { manifest, folder: staging.model() };
        drop(self.load(&model, work)?);
        let mut manifest = model.manifest;
        manifest.verified_ms = self.clock.now_ms();
        manifest.write(&model.folder).map_err(ModelError::disk(&model.folder))?;
        let folder = staging.publish(manifest.name.as_str()).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => ModelError::AlreadyThere { name: manifest.name.to_string() },
            _ => ModelError::disk(&self.folder)(error),
        })?;
        Ok(Model { manifest, folder })
    }

    /// The model in a folder or in the nearest below it.
    fn find_model(&self, folder: &Path, said: Said<'_>) -> Result<(Contents, &'static Family), String> {
        let (mut waiting, mut next) = (vec![folder.to_owned()], 0);
        let mut reason = None;
        while next < waiting.len() && next < MAX_FOLDERS {
            let folder = waiting[next].clone();
            next += 1;
            let contents = Contents::read(&folder).map_err(|error| error.to_string())?;
            if contents.files().next().is_some() {
                match family::find(self.families, &contents, said) {
                    Ok(family) => return Ok((contents, family)),
                    Err(error) => reason = reason.or(Some(error)),
                }
            }
            let entries = fs::read_dir(&folder).map_err(|error| error.to_string())?.filter_map(Result::ok);
            let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
            folders.sort();
            waiting.append(&mut folders);
        }
        Err(reason.unwrap_or_else(|| "there are no files in it".to_owned()))
    }

    /// Puts the files of a model into `target`.
    fn gather(
        &self,
        contents: &Contents,
        (family, movable): (&Family, bool),
        place: &str,
        (target, work): (&Path, &Work),
    ) -> Result<(), ModelError> {
        let files: Vec<(&str, u64)> = contents.files().filter(|(name, _)| family.keeps(name)).collect();
        let total_bytes: u64 = files.iter().map(|(_, size)| size).sum();
        if files.is_empty() || total_bytes > self.max_bytes {
            let reason = if files.is_empty() {
                format!("it has none of the files of family {}: {}", family.name, family.layout)
            } else {
                format!("it has {total_bytes} bytes, and a model may have {}", self.max_bytes)
            };
            return Err(ModelError::source(place, reason));
        }
        if !movable {
            self.check_space(total_bytes, place)?;
        }
        let mut progress = Progress { phase: Phase::Copying, bytes: 0, total_bytes: Some(total_bytes) };
        for (name, _) in files {
            let (from, to) = (contents.folder().join(name), target.join(name));
            if movable {
                fs::rename(&from, &to).map_err(ModelError::disk(&to))?;
            } else {
                let mut file = File::open(&from).map_err(ModelError::disk(&from))?;
                progress.bytes += work.copy((&mut file, &from), &to, progress)?;
            }
        }
        Ok(())
    }

    /// The manifest of the files that lie in `folder`.
    fn describe(
        &self,
        (addition, local): (&Addition, &Local),
        (name, family, contents): (ModelName, &Family, &Contents),
        (folder, work): (&Path, &Work),
    ) -> Result<Manifest, ModelError> {
        let lying = Contents::read(folder).map_err(ModelError::disk(folder))?;
        let total_bytes = lying.files().map(|(_, size)| size).sum();
        let mut progress = Progress { phase: Phase::Checking, bytes: 0, total_bytes: Some(total_bytes) };
        let mut files = Vec::new();
        for (name, _) in lying.files() {
            let (blake3, size_bytes) = work.hash(&folder.join(name), progress)?;
            progress.bytes += size_bytes;
            files.push(ModelFile { name: name.to_owned(), size_bytes, blake3 });
        }
        let now_ms = self.clock.now_ms();
        Ok(Manifest {
            schema: Schema::V1,
            name,
            kind: family.kind,
            family: family.name.to_owned(),
            files,
            options: addition.options.clone(),
            licence: addition.licence.clone().or_else(|| contents.licence()),
            source: local.place.clone(),
            added_ms: now_ms,
            verified_ms: now_ms,
        })
    }

    fn free_bytes(&self) -> Result<u64, ModelError> {
        free_disk_bytes(&self.folder).map_err(ModelError::disk(&self.folder))
    }

    fn check_space(&self, needed_bytes: u64, place: &str) -> Result<(), ModelError> {
        let free_bytes = self.free_bytes()?;
        if needed_bytes.saturating_add(SPARE_BYTES) > free_bytes {
            return Err(ModelError::NoSpace { place: place.to_owned(), needed_bytes, free_bytes });
        }
        Ok(())
    }
}

impl Download {
    /// The place for what an address gives; others that nobody went on with for a week are removed.
    fn take(downloads: &Path, key: &str, place: &str) -> Result<Self, ModelError> {
        let folder = downloads.join(key);
        fs::create_dir_all(&folder).map_err(ModelError::disk(&folder))?;
        let lock = staging::try_lock(&folder.join("lock")).map_err(ModelError::disk(&folder))?;
        let lock = lock.ok_or_else(|| ModelError::Busy { place: place.to_owned() })?;
        for other in fs::read_dir(downloads).map_err(ModelError::disk(downloads))?.filter_map(Result::ok) {
            let other = other.path();
            if other != folder
                && is_stale(&other)
                && staging::try_lock(&other.join("lock")).is_ok_and(|lock| lock.is_some())
            {
                // What stays is tried again by the next.
                let _ = fs::remove_dir_all(other);
            }
        }
        Ok(Self { folder, _lock: lock })
    }

    fn remove(self) {
        // What stays is removed by a later download.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether nothing in a folder was changed for long.
fn is_stale(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let changed = entries.filter_map(Result::ok).filter_map(|entry| entry.metadata().ok()?.modified().ok());
    changed.max().is_none_or(|latest: SystemTime| latest.elapsed().is_ok_and(|age| age > STALE))
}

/// Whether a source is to be downloaded.
pub fn is_web_address(source: &str) -> bool {
    let begins = |scheme: &str| source.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    begins("http://") || begins("https://")
}

/// The name that an address ends in, as that of a file.
fn file_name(place: &str) -> String {
    let last = place.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = last.trim_start_matches('.').chars().map(plain).collect();
    let name: String = name.chars().skip(name.chars().count().saturating_sub(60)).collect();
    if name.is_empty() { "model".to_owned() } else { name }
}

/// The name of a folder, or of a file without its ending.
fn name_of(place: &str) -> Option<ModelName> {
    let path = Path::new(place);
    // `.` and `..` name a folder only when they are followed.
    let followed = if is_web_address(place) { path.to_owned() } else { fs::canonicalize(path).ok()? };
    let name = followed.file_name()?.to_str()?;
    let endings = [".tar.gz", ".tgz", ".tar", ".zip", ".onnx"];
    let stem = endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    ModelName::from_file_name(stem)
}

fn check_options(family: &'static Family, options: &BTreeMap<String, String>) -> Result<(), ModelError> {
    match options.keys().find(|option| family.options.iter().all(|(name, _)| name != option)) {
        Some(option) => {
            let names = family.options.iter().map(|(name, _)| (*name).to_owned()).collect();
            Err(ModelError::BadOption { option: option.clone(), family: family.name, names })
        }
        None => Ok(()),
    }
}

fn check_sum(wanted: Option<&str>, found: &str, place: &str) -> Result<(), ModelError> {
    match wanted {
        Some(wanted) if !wanted.trim().eq_ignore_ascii_case(found) => {
            Err(ModelError::WrongSum { place: place.to_owned(), wanted: wanted.to_owned(), found: found.to_owned() })
        }
        _ => Ok(()),
    }
}

fn sha256(path: &Path, work: &Work) -> Result<String, ModelError> {
    let mut file = File::open(path).map_err(ModelError::disk(path))?;
    let total_bytes = file.metadata().ok().map(|found| found.len());
    let mut sum = digest::Context::new(&digest::SHA256);
    let progress = Progress { phase: Phase::Checking, bytes: 0, total_bytes };
    work.read((&mut file, path), progress, &mut |block| {
        sum.update(block);
        Ok(())
    })?;
    let mut text = String::new();
    for byte in sum.finish().as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
