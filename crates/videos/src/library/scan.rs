//! Walks through folders of footage.

use std::{
    collections::HashSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use super::{Asset, AssetKind, Library};
use crate::VideosError;

const CLIPS: [&str; 12] = ["mp4", "mov", "mkv", "webm", "avi", "m4v", "ts", "mts", "mpg", "mpeg", "3gp", "wmv"];
const STILLS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];
/// The most text that is read of a sidecar.
const MAX_SIDECAR_BYTES: u64 = 16 * 1024;

/// How far a walk goes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most clips and stills.
    pub assets: usize,
    /// The most entries looked at, of any sort.
    pub entries: usize,
    /// How many folders deep.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { assets: 10_000, entries: 200_000, depth: 12 }
    }
}

impl Library {
    /// Finds the clips and stills in `folders` and their sub-folders; a file may be named itself. Hidden files and
    /// folders are passed over, and a folder that is reached twice is searched once.
    pub fn scan(folders: &[PathBuf], limits: Limits) -> Result<Self, VideosError> {
        let mut walk = Walk { limits, entries: 0, seen: HashSet::new(), assets: Vec::new() };
        for folder in folders {
            if folder.is_dir() {
                walk.folder(folder, folder, 0)?;
            } else {
                walk.file(folder, folder.parent().unwrap_or(folder))?;
            }
        }
        let mut assets = walk.assets;
        assets.sort_by(|a, b| a.path.cmp(&b.path));
        assets.dedup_by(|a, b| a.path == b.path);
        Ok(Self { assets })
    }
}

struct Walk {
    limits: Limits,
    entries: usize,
    /// Folders by their real path: a link back up leads nowhere new.
    seen: HashSet<PathBuf>,
    assets: Vec<Asset>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, root: &Path, depth: usize) -> Result<(), VideosError> {
        let real = fs::canonicalize(folder).map_err(|error| unreadable(folder, &error))?;
        if depth > self.limits.depth || !self.seen.insert(real) {
            return Ok(());
        }
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(too_many(root, self.limits.entries, "files"));
            }
            paths.push(entry.map_err(|error| unreadable(folder, &error))?.path());
        }
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
            if hidden {
                continue;
            }
            if path.is_dir() {
                self.folder(&path, root, depth + 1)?;
            } else {
                self.file(&path, root)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, root: &Path) -> Result<(), VideosError> {
        let extension =
            path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
        let kind = if CLIPS.contains(&extension.as_str()) {
            AssetKind::Clip
        } else if STILLS.contains(&extension.as_str()) {
            AssetKind::Still
        } else {
            return Ok(());
        };
        if !path.is_file() {
            return Ok(());
        }
        if self.assets.len() == self.limits.assets {
            return Err(too_many(root, self.limits.assets, "clips and stills"));
        }
        let between = path.parent().and_then(|parent| parent.strip_prefix(root).ok());
        self.assets.push(Asset {
            path: path.to_owned(),
            kind,
            name: words_of_name(&path.file_stem().unwrap_or_default().to_string_lossy()),
            folders: between.map(|folders| words_of_name(&folders.to_string_lossy())).unwrap_or_default(),
            tags: sidecar(path),
            facts: None,
        });
        Ok(())
    }
}

/// The text beside a file: `wave.mp4.txt` before `wave.txt`; nothing when there is none or it is no text.
fn sidecar(path: &Path) -> String {
    let mut longer = path.as_os_str().to_owned();
    longer.push(".txt");
    let candidates = [PathBuf::from(longer), path.with_extension("txt")];
    let Some(file) = candidates.iter().filter(|path| path.is_file()).find_map(|path| fs::File::open(path).ok()) else {
        return String::new();
    };
    let mut bytes = Vec::new();
    if file.take(MAX_SIDECAR_BYTES).read_to_end(&mut bytes).is_err() || bytes.contains(&0) {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).replace(['#', ',', ';', '_'], " ")
}

/// The words of a file name: `IMG_0042-blueWhale.final` becomes `IMG blue Whale final`.
fn words_of_name(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphabetic() && !is_mark(c) {
            words.push(' ');
        } else {
            if c.is_uppercase() && before.is_lowercase() {
                words.push(' ');
            }
            words.push(c);
        }
        before = c;
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Vowel signs and the like, which belong to the letter before them (Devanagari, Thai, Arabic, Hebrew).
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{65f}' | '\u{900}'..='\u{dff}' | '\u{e00}'..='\u{eff}' | '\u{200c}' | '\u{200d}')
        && !c.is_numeric()
}

fn unreadable(folder: &Path, error: &std::io::Error) -> VideosError {
    VideosError::BadFile { path: folder.to_owned(), reason: format!("cannot be searched for footage: {error}") }
}

fn too_many(root: &Path, limit: usize, what: &str) -> VideosError {
    let reason = format!("holds more than {limit} {what}; name a smaller folder with --media");
    VideosError::BadFile { path: root.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn names_folders_and_sidecars_tell_what_is_shown() {
        let folder = tree(&[
            ("ocean/coral-reef/IMG_0042-blueWhale.MP4", ""),
            ("ocean/coral-reef/IMG_0042-blueWhale.txt", "#krill, feeding"),
            ("harbour.jpg", ""),
            ("harbour.jpg.txt", "boats"),
            ("notes.txt", "no footage"),
            (".hidden/secret.mp4", ""),
            (".thumb.png", ""),
        ]);
        let library = Library::scan(&[folder.path().to_owned()], Limits::default()).unwrap();
        let told: Vec<_> =
            library.assets.iter().map(|a| (a.kind, a.name.as_str(), a.folders.as_str(), a.tags.trim())).collect();
        assert_eq!(
            told,
            [
                (AssetKind::Still, "harbour", "", "boats"),
                (AssetKind::Clip, "IMG blue Whale", "ocean coral reef", "krill  feeding"),
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_back_up_is_followed_once() {
        let folder = tree(&[("a/clip.mp4", "")]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
        let library = Library::scan(&[folder.path().to_owned(), folder.path().to_owned()], Limits::default()).unwrap();
        assert_eq!(library.assets.len(), 1);
    }

    #[test]
    fn a_file_can_be_offered_itself() {
        let folder = tree(&[("wave.mp4", "")]);
        let library = Library::scan(&[folder.path().join("wave.mp4")], Limits::default()).unwrap();
        assert_eq!(library.assets[0].name, "wave");
    }

    #[test]
    fn too_much_footage_is_refused_with_the_limit() {
        let folder = tree(&[("a.mp4", ""), ("b.mp4", ""), ("c.mp4", "")]);
        let limits = Limits { assets: 2, ..Limits::default() };
        let error = Library::scan(&[folder.path().to_owned()], limits).unwrap_err().to_string();
        assert!(error.contains("more than 2 clips and stills"), "{error}");
    }

    #[test]
    fn names_in_any_script_keep_their_letters() {
        assert_eq!(words_of_name("समुद्र_लहर-01"), "समुद्र लहर");
        assert_eq!(words_of_name("海浪02"), "海浪");
        assert_eq!(words_of_name("ทะเล.คลื่น"), "ทะเล คลื่น");
    }
}
