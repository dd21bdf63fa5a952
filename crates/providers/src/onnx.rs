//! ONNX Runtime, opened when the first model needs it: nothing of it is built or linked, so Pressroom runs without it.
//!
//! A process opens one library and keeps it. Version 1.17 or later will do; what is asked of it has been there since.

use std::{
    env,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use ort::{
    environment::Environment,
    session::{Session, SessionInputValue, builder::GraphOptimizationLevel},
    value::{TensorElementType, TensorRef, ValueType},
};
use platform::resources;

use crate::models::Model;

/// Where packages and people put libraries.
const FOLDERS: [&str; 9] = [
    "/usr/local/lib",
    "/usr/local/lib64",
    "/opt/onnxruntime/lib",
    "/opt/homebrew/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/lib",
];
#[cfg(target_os = "macos")]
const NAME: &str = "libonnxruntime.dylib";
#[cfg(not(target_os = "macos"))]
const NAME: &str = "libonnxruntime.so";
const REMEDY: &str = "install ONNX Runtime 1.17 or later and name its library in the setting `programs.onnxruntime` (docs/models.md says how)";

/// The library that the user named.
static NAMED: OnceLock<PathBuf> = OnceLock::new();
/// What was opened.
static OPENED: Mutex<Option<Opened>> = Mutex::new(None);

#[derive(Clone)]
struct Opened {
    environment: Environment,
    library: PathBuf,
}

/// Names the library to open, before a model is loaded; the first name counts.
pub fn use_library(path: &Path) {
    NAMED.get_or_init(|| path.to_owned());
}

/// The library that is opened, now unless it was before; a sentence about what is missing where there is none.
pub fn library() -> Result<PathBuf, String> {
    open().map(|opened| opened.library)
}

/// Opens the library that was named, or the first of the usual ones that can be.
fn open() -> Result<Opened, String> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(opened) = opened.as_ref() {
        return Ok(opened.clone());
    }
    let candidates = match NAMED.get() {
        Some(named) if !named.is_file() => {
            return Err(format!("`{}` of the setting `programs.onnxruntime` is not a file; {REMEDY}", named.display()));
        }
        Some(named) => vec![named.clone()],
        None => installed(),
    };
    let mut reason = String::new();
    for library in candidates {
        match ort::init_from(&library) {
            Ok(builder) => {
                let environment =
                    builder.with_name("pressroom").with_telemetry(false).build().map_err(|e| e.to_string())?;
                return Ok(opened.insert(Opened { environment, library }).clone());
            }
            Err(error) => reason = format!(" ({error})"),
        }
    }
    Err(format!("ONNX Runtime cannot be opened{reason}; {REMEDY}"))
}

/// The libraries in the usual places, and last the name by which the system's loader may know one.
fn installed() -> Vec<PathBuf> {
    let beside = env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let folders = beside.into_iter().chain(FOLDERS.iter().map(PathBuf::from));
    let mut found: Vec<PathBuf> = folders.flat_map(|folder| libraries_in(&folder)).collect();
    found.push(NAME.into());
    found
}

/// The libraries of a folder: the one without a version first, then the latest.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(bool, Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let rest = name.strip_prefix("libonnxruntime.")?;
            let is_library = rest == "so" || rest.starts_with("so.") || rest.ends_with("dylib");
            let version = rest.split('.').filter_map(|part| part.parse().ok()).collect();
            is_library.then(|| (name == NAME, version, entry.path()))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(.., path)| path).collect()
}

/// A model that takes one array of numbers and gives one.
#[derive(Debug)]
pub(crate) struct Network {
    /// Run by one caller at a time: the runtime's parts are not all safe for more.
    session: Mutex<Session>,
    input: Vec<i64>,
    output: Vec<i64>,
}

/// An array: the lengths of its axes, and its numbers, the last axis the nearest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) numbers: Vec<f32>,
}

impl Network {
    /// Loads the ONNX file of a model.
    pub(crate) fn load(model: &Model) -> Result<Self, String> {
        let is_graph = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "onnx");
        let file = model.manifest.files.iter().find(|file| is_graph(&file.name)).ok_or("it has no ONNX file")?;
        let session = session(&model.folder.join(&file.name)).map_err(|error| error.trim().to_owned())?;
        let (input, output) = (surface(session.inputs(), "takes")?, surface(session.outputs(), "gives")?);
        Ok(Self { session: Mutex::new(session), input, output })
    }

    /// The lengths of the input's axes; −1 for any length.
    pub(crate) fn input(&self) -> &[i64] {
        &self.input
    }

    /// The lengths of the output's axes; −1 for any length.
    pub(crate) fn output(&self) -> &[i64] {
        &self.output
    }

    /// What the model makes of an array. Blocks.
    pub(crate) fn run(&self, array: &Array) -> Result<Array, String> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let input = TensorRef::from_array_view((array.shape.as_slice(), array.numbers.as_slice()));
        let input = SessionInputValue::from(input.map_err(|error| error.to_string())?);
        let outputs = session.run([input]).map_err(|error| error.to_string())?;
        let (shape, numbers) = outputs[0].try_extract_tensor::<f32>().map_err(|error| error.to_string())?;
        let shape = shape.iter().map(|&length| usize::try_from(length).unwrap_or(0)).collect();
        Ok(Array { shape, numbers: numbers.to_vec() })
    }
}

fn session(path: &Path) -> Result<Session, String> {
    let builder = Session::builder(&open()?.environment).map_err(|error| error.to_string())?;
    let builder = builder.with_optimization_level(GraphOptimizationLevel::All).map_err(|error| error.to_string())?;
    let builder = builder.with_intra_threads(resources::cpu_count()).map_err(|error| error.to_string())?;
    // Threads that wait do so asleep: others have work to do meanwhile.
    let builder = builder.with_intra_op_spinning(false).map_err(|error| error.to_string())?;
    let mut builder = builder.with_deterministic_compute(true).map_err(|error| error.to_string())?;
    builder.commit_from_file(path).map_err(|error| error.to_string())
}

/// The shape of the only array that goes in or comes out; of several that come out the first counts.
fn surface(outlets: &[ort::value::Outlet], does: &str) -> Result<Vec<i64>, String> {
    let outlet = match outlets {
        [outlet] => outlet,
        [outlet, ..] if does == "gives" => outlet,
        _ => return Err(format!("it {does} {} arrays instead of one", outlets.len())),
    };
    match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => Ok(shape.to_vec()),
        other => Err(format!("it {does} {other} instead of an array of 32-bit floating-point numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_without_a_version_comes_first_and_then_the_latest() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["so.1.9.0", "so.1.31.1", "so.1", "so", "so.1.31.0"].map(|end| format!("libonnxruntime.{end}"));
        for name in names.iter().map(String::as_str).chain(["libonnxruntime_providers_shared.so", "libonnx.so"]) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = libraries_in(folder.path());
        let found: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        if cfg!(target_os = "linux") {
            assert_eq!(found, [3, 1, 4, 0, 2].map(|index: usize| names[index].as_str()));
        }
        assert_eq!(libraries_in(Path::new("/nowhere")), Vec::<PathBuf>::new());
    }
}
