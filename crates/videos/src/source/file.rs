//! Scripts and project files on disk.

use std::{fs::File, io::Read, path::Path};

use crate::{
    VideosError,
    request::{Project, RequestPatch, ScriptPlace, Source, front_matter, parse_url},
};

/// The most text a script may have: about a day of narration.
const MAX_BYTES: u64 = 1_000_000;

/// A script and the settings written with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub source: Source,
    pub patch: RequestPatch,
}

/// Loads what a user names: an address of the web, `-` for a script on standard input, or a file as [`load`] reads it.
pub fn open(name: &str) -> Result<Loaded, VideosError> {
    if name.starts_with("http://") || name.starts_with("https://") {
        let fail = |fault| VideosError::Settings { place: "the address".to_owned(), faults: vec![fault] };
        return load_place(ScriptPlace::Url(parse_url(name).map_err(fail)?), Path::new("."));
    }
    if name == "-" {
        let path = Path::new("standard input");
        let text = read_bounded(std::io::stdin().lock(), path)?;
        return with_front_matter(&text, path);
    }
    load(Path::new(name))
}

/// Loads a script (`.md`, `.txt`, or any text) with its front matter, or a project file (`.toml`) with its script. What
/// the project file says is stronger than the front matter of its script.
pub fn load(path: &Path) -> Result<Loaded, VideosError> {
    let text = read_text(path)?;
    let is_project = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    if !is_project {
        return with_front_matter(&text, path);
    }
    let project = Project::parse(&text, folder_of(path), &shown(path))?;
    let script = load_place(project.script, folder_of(path))?;
    Ok(Loaded { source: script.source, patch: project.patch.over(script.patch) })
}

/// Loads the script that a project file or a CSV row in the folder `base` names.
pub fn load_place(place: ScriptPlace, base: &Path) -> Result<Loaded, VideosError> {
    match place {
        ScriptPlace::Url(url) => Ok(Loaded { source: Source::Url(url), patch: RequestPatch::default() }),
        ScriptPlace::File(path) => with_front_matter(&read_text(&path)?, &path),
        ScriptPlace::Text(text) => {
            let front = front_matter::split(&text, base, "the text")?;
            let source = Source::Text { text: front.body.to_owned(), base: base.to_owned() };
            Ok(Loaded { source, patch: front.patch })
        }
    }
}

fn with_front_matter(text: &str, path: &Path) -> Result<Loaded, VideosError> {
    let base = folder_of(path);
    let front = front_matter::split(text, base, &shown(path))?;
    if front.body.trim().is_empty() {
        return Err(bad(path, "has no text; write the words to be spoken"));
    }
    Ok(Loaded { source: Source::Text { text: front.body.to_owned(), base: base.to_owned() }, patch: front.patch })
}

/// The folder a file lies in; the working folder for a bare name.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}

fn bad(path: &Path, reason: impl Into<String>) -> VideosError {
    VideosError::BadFile { path: path.to_owned(), reason: reason.into() }
}

/// Reads a text file: UTF-8, or UTF-16 with its byte order mark.
pub(crate) fn read_text(path: &Path) -> Result<String, VideosError> {
    read_bounded(File::open(path).map_err(|error| unreadable(path, &error))?, path)
}

fn unreadable(path: &Path, error: &std::io::Error) -> VideosError {
    match error.kind() {
        std::io::ErrorKind::NotFound => bad(path, "does not exist"),
        std::io::ErrorKind::PermissionDenied => bad(path, "may not be read; check its permissions"),
        std::io::ErrorKind::IsADirectory => bad(path, "is a folder; name a script in it"),
        _ => bad(path, format!("cannot be read: {error}")),
    }
}

fn read_bounded(reader: impl Read, path: &Path) -> Result<String, VideosError> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(bad(path, "is longer than 1 MB of text; split it into several scripts"));
    }
    let text = decode(&bytes).map_err(|fault| bad(path, fault))?;
    if text.trim().is_empty() { Err(bad(path, "is empty; write the words to be spoken")) } else { Ok(text) }
}

/// Text from bytes, without the byte order mark and with `\n` at the ends of lines.
fn decode(bytes: &[u8]) -> Result<String, &'static str> {
    const WRONG: &str = "is not text in UTF-8 or UTF-16; save it as UTF-8";
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        if bytes.len().is_multiple_of(2) { String::from_utf16(&units).map_err(|_| WRONG) } else { Err(WRONG) }
    };
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).map_err(|_| WRONG)?,
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => String::from_utf8(bytes.to_vec()).map_err(|_| WRONG)?,
    };
    if text.contains('\0') {
        return Err("is not text, but binary data; name a Markdown or text file");
    }
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn text_of(bytes: &[u8]) -> Result<String, String> {
        let (_folder, path) = file("a.md", bytes);
        match load(&path).map_err(|error| error.to_string())?.source {
            Source::Text { text, .. } => Ok(text),
            Source::Url(url) => panic!("{url}"),
        }
    }

    #[test]
    fn utf_8_and_utf_16_with_a_mark_read_the_same() {
        let utf16 = |mark: [u8; 2], to: fn(u16) -> [u8; 2]| {
            let mut bytes = mark.to_vec();
            bytes.extend("Señor 海\r\nTwo".encode_utf16().flat_map(to));
            bytes
        };
        assert_eq!(text_of("\u{feff}Señor 海\r\nTwo".as_bytes()).unwrap(), "Señor 海\nTwo");
        assert_eq!(text_of(&utf16([0xff, 0xfe], u16::to_le_bytes)).unwrap(), "Señor 海\nTwo");
        assert_eq!(text_of(&utf16([0xfe, 0xff], u16::to_be_bytes)).unwrap(), "Señor 海\nTwo");
    }

    #[test]
    fn what_is_no_script_is_refused_with_its_reason() {
        for (bytes, reason) in [
            (&b""[..], "is empty"),
            (b" \n\t\n", "is empty"),
            (b"---\ntitle: x\n---\n", "has no text"),
            (b"\x89PNG\r\n\x1a\n\x00\x00", "is not text"),
            (b"a\0b", "binary"),
            (&vec![b'a'; 1_000_001], "longer than 1 MB"),
            (b"\xff\xfea", "UTF-16"),
        ] {
            let error = text_of(bytes).unwrap_err();
            assert!(error.contains(reason), "{reason} is not in: {error}");
            assert!(error.contains("a.md"), "{error}");
        }
    }

    #[test]
    fn a_missing_file_and_a_folder_are_told_apart() {
        assert!(load(Path::new("/nowhere/a.md")).unwrap_err().to_string().contains("does not exist"));
        let folder = tempfile::tempdir().unwrap();
        assert!(load(folder.path()).unwrap_err().to_string().contains("is a folder"));
    }

    #[test]
    fn a_project_is_stronger_than_the_front_matter_of_its_script() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("text")).unwrap();
        std::fs::write(folder.path().join("text/a.md"), "---\ntheme: paper\nseed: 5\nmusic: bed.mp3\n---\nHello.")
            .unwrap();
        let project = folder.path().join("project.toml");
        std::fs::write(&project, "script = \"text/a.md\"\n[picture]\ntheme = \"ink\"\n").unwrap();
        let loaded = load(&project).unwrap();
        assert_eq!(loaded.patch.theme.as_deref(), Some("ink"));
        assert_eq!(loaded.patch.seed, Some(5));
        assert_eq!(loaded.patch.music, Some(folder.path().join("text/bed.mp3")));
        assert_eq!(loaded.source, Source::Text { text: "Hello.".to_owned(), base: folder.path().join("text") });
    }
}
