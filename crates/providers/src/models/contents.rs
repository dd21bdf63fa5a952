//! What lies in a folder that may be a model, and what its files say of themselves.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{ctranslate2::Header, onnx::Graph};

/// More files than any model has.
const MAX_FILES: usize = 1000;
/// What is looked at of a text.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// The files of a folder, not of those below it.
#[derive(Debug, Clone)]
pub struct Contents {
    folder: PathBuf,
    /// Sizes by names.
    files: BTreeMap<String, u64>,
    header: Option<Header>,
    graphs: BTreeMap<String, Graph>,
}

impl Contents {
    /// Looks at the files of `folder`, or at the one file that it is. Links are followed: the folder is the user's own.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let folder = if path.is_dir() {
            for entry in fs::read_dir(path)?.take(MAX_FILES) {
                let entry = entry?;
                if let (Ok(name), Ok(found)) = (entry.file_name().into_string(), fs::metadata(entry.path()))
                    && found.is_file()
                {
                    files.insert(name, found.len());
                }
            }
            path.to_owned()
        } else {
            let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidFilename)?;
            files.insert(name.to_owned(), fs::metadata(path)?.len());
            path.parent().unwrap_or(Path::new("")).to_owned()
        };
        let header = files.contains_key("model.bin").then(|| Header::read(&folder.join("model.bin")).ok()).flatten();
        let is_graph = |name: &&String| Path::new(name).extension().is_some_and(|extension| extension == "onnx");
        let read = |name: &String| Some((name.clone(), Graph::read(&folder.join(name)).ok()?));
        let graphs = files.keys().filter(is_graph).filter_map(read).collect();
        Ok(Self { folder, files, header, graphs })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Names and sizes.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.files.iter().map(|(name, size)| (name.as_str(), *size))
    }

    /// The head of `model.bin`, where that is of CTranslate2.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// The surface of the only ONNX file; `None` where there is none or more than one.
    pub fn graph(&self) -> Option<&Graph> {
        let mut graphs = self.graphs.values();
        graphs.next().filter(|_| graphs.next().is_none())
    }

    /// Whether a text file has `needle` in it.
    pub fn mentions(&self, name: &str, needle: &str) -> bool {
        let mut text = Vec::new();
        let read =
            fs::File::open(self.folder.join(name)).and_then(|file| file.take(MAX_TEXT_BYTES).read_to_end(&mut text));
        read.is_ok() && text.windows(needle.len()).any(|window| window == needle.as_bytes())
    }

    /// The licence that the model's card states in its front matter.
    pub(super) fn licence(&self) -> Option<String> {
        let card = fs::File::open(self.folder.join("README.md")).ok()?;
        let mut text = String::new();
        card.take(1 << 20).read_to_string(&mut text).ok()?;
        let front = text.strip_prefix("---")?.split("\n---").next()?;
        let licence = front.lines().find_map(|line| line.strip_prefix("license:"))?.trim().trim_matches(['"', '\'']);
        (!licence.is_empty() && licence.len() < 100).then(|| licence.to_owned())
    }

    /// What the files look like, for whoever hoped for a model.
    pub(super) fn description(&self) -> String {
        if let Some(header) = &self.header {
            return format!("a CTranslate2 model of the sort {}", header.specification);
        }
        if let Some((name, graph)) = self.graphs.iter().next() {
            let shapes: Vec<String> = graph.inputs.iter().map(ToString::to_string).collect();
            return format!("an ONNX model, `{name}`, that takes {}", shapes.join(", "));
        }
        match self.files.len() {
            0 => "no files".to_owned(),
            1 => format!("the file `{}`", self.files.keys().next().map_or("", String::as_str)),
            count => {
                format!("{count} files, and neither a `model.bin` of CTranslate2 nor an ONNX file that can be read")
            }
        }
    }
}
