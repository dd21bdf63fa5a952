//! Mode files: the chain of programs of a pair, written as a line of shell of which only the plainest is understood.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use ai::translate::Pair;
use kernel::Lang;

use super::languages;
use crate::fingerprint;

/// The longest mode file read; real ones have about two thousand bytes.
const MAX_MODE_BYTES: u64 = 64 * 1024;
/// Programs of a chain that are not called `apertium-…`. All of these take `-z`, which has them work text by text.
const PROGRAMS: [&str; 6] = ["lt-proc", "lrx-proc", "lsx-proc", "cg-proc", "rtx-proc", "hfst-proc"];

/// A pair that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mode {
    /// As Apertium calls it, such as `eng-spa`.
    pub(super) name: String,
    pub(super) from: Lang,
    pub(super) to: Lang,
    /// Each fed by the one before it.
    pub(super) programs: Vec<Program>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
}

impl Mode {
    pub(super) fn pair(&self) -> Pair {
        let quality = languages::quality(&self.from, &self.to);
        Pair { from: self.from.clone(), to: self.to.clone(), quality }
    }
}

/// Every pair in `data` whose programs are all installed, sorted by languages, each once.
pub(super) fn list(data: &Path) -> Vec<Mode> {
    let entries = fs::read_dir(data.join("modes")).into_iter().flatten().flatten();
    let mut modes: Vec<Mode> = entries.filter_map(|entry| read(&entry.path())).collect();
    modes.sort_by(|a, b| (&a.from, &a.to, &a.name).cmp(&(&b.from, &b.to, &b.name)));
    modes.dedup_by(|a, b| (&a.from, &a.to) == (&b.from, &b.to));
    modes
}

/// The pair that fits a request best.
pub(super) fn find<'a>(modes: &'a [Mode], from: &Lang, to: &Lang) -> Option<&'a Mode> {
    let distance = |mode: &Mode| {
        let (from, to) = (languages::distance(&mode.from, from)?, languages::distance(&mode.to, to)?);
        // A language is not translated into its own region.
        (mode.from.primary() != mode.to.primary()).then_some((to, from))
    };
    modes.iter().filter_map(|mode| Some((distance(mode)?, mode))).min_by_key(|(distance, _)| *distance).map(|(_, m)| m)
}

/// Tells one state of programs and data from another.
pub(super) fn fingerprint(modes: &[Mode]) -> String {
    let programs = modes.iter().flat_map(|mode| &mode.programs);
    fingerprint::of_files(programs.flat_map(|program| {
        program
            .arguments
            .iter()
            .map(Path::new)
            .filter(|argument| argument.is_absolute())
            .chain([program.path.as_path()])
    }))
}

fn read(path: &Path) -> Option<Mode> {
    let name = path.file_name()?.to_str()?.strip_suffix(".mode")?.to_owned();
    let (from, to) = name.split_once('-')?;
    let (from, to) = (languages::find_lang(from)?, languages::find_lang(to)?);
    if fs::metadata(path).ok()?.len() > MAX_MODE_BYTES {
        return None;
    }
    let programs = parse(&fs::read_to_string(path).ok()?)?.into_iter().map(find_program);
    Some(Mode { name, from, to, programs: programs.collect::<Option<_>>()? })
}

/// The words of each program of a chain; `None` when the line has anything but words, quotes and pipes.
///
/// `$1` is where Apertium puts the option for words that cannot be generated: `-n`, no marks at them. `$2`, an option of
/// the tagger, is left out.
fn parse(line: &str) -> Option<Vec<Vec<String>>> {
    let mut chain = vec![Vec::new()];
    let mut characters = line.trim().chars().peekable();
    while let Some(&next) = characters.peek() {
        match next {
            ' ' | '\t' => drop(characters.next()),
            '|' => {
                characters.next();
                chain.push(Vec::new());
            }
            '\'' | '"' => {
                characters.next();
                let mut word = String::new();
                loop {
                    match characters.next()? {
                        end if end == next => break,
                        '$' | '`' | '\\' if next == '"' => return None,
                        character => word.push(character),
                    }
                }
                chain.last_mut()?.push(word);
            }
            _ => {
                let mut word = String::new();
                while let Some(character) =
                    characters.next_if(|c| c.is_ascii_alphanumeric() || "$-_./+=:,".contains(*c))
                {
                    word.push(character);
                }
                match word.as_str() {
                    "$1" => chain.last_mut()?.push("-n".to_owned()),
                    "$2" => {}
                    _ if word.is_empty() || word.contains('$') => return None,
                    _ => chain.last_mut()?.push(word),
                }
            }
        }
    }
    let is_known = |words: &Vec<String>| {
        words.first().is_some_and(|name| PROGRAMS.contains(&name.as_str()) || name.starts_with("apertium-"))
    };
    chain.iter().all(is_known).then_some(chain)
}

/// The program where it is installed, told to work text by text.
fn find_program(words: Vec<String>) -> Option<Program> {
    let mut words = words.into_iter();
    let name = words.next().filter(|name| !name.contains('/'))?;
    let path = env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&name)).find(|path| path.is_file())?;
    Some(Program { path, arguments: std::iter::once("-z".to_owned()).chain(words).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_read_as_a_shell_would() {
        let line = "lt-proc -w '/usr/share/it's.bin' | apertium-tagger -g $2 \"/a b.prob\"|lt-proc $1 '/c.bin'\n";
        assert_eq!(
            parse(&line.replace("it's", "its")),
            Some(vec![
                vec!["lt-proc".into(), "-w".into(), "/usr/share/its.bin".into()],
                vec!["apertium-tagger".into(), "-g".into(), "/a b.prob".into()],
                vec!["lt-proc".into(), "-n".into(), "/c.bin".into()],
            ])
        );
        assert_eq!(parse(line), None, "an open quote");
    }

    #[test]
    fn a_chain_with_more_than_programs_is_no_chain() {
        for line in [
            "",
            "lt-proc 'a' |",
            "lt-proc 'a' | sh -c 'x'",
            "lt-proc 'a' ; touch x",
            "lt-proc $(touch x)",
            "lt-proc \"$(touch x)\"",
            "lt-proc `x`",
            "lt-proc a > b",
            "lt-proc a && b",
            "/tmp/lt-proc 'a'",
            "lt-proc $3",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn only_whole_languages_with_installed_programs_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let modes = folder.path().join("modes");
        fs::create_dir(&modes).unwrap();
        for (name, line) in [
            ("eng-spa", "apertium-no-such-program 'x'"),
            ("eng-cat_iec2017", "lt-proc 'x'"),
            ("eng-fra", "rm -rf x"),
            ("readme", ""),
        ] {
            fs::write(modes.join(format!("{name}.mode")), line).unwrap();
        }
        assert_eq!(list(folder.path()), []);
        assert_eq!(list(&folder.path().join("nowhere")), []);
    }

    #[test]
    fn the_nearest_language_is_chosen() {
        let mode = |name: &str| {
            let (from, to) = name.split_once('>').unwrap();
            Mode { name: name.to_owned(), from: from.parse().unwrap(), to: to.parse().unwrap(), programs: vec![] }
        };
        let modes = ["es>ca", "es>ca-valencia", "es>en-us", "es>en", "nb>nn", "pt>pt-br"].map(mode);
        let chosen = |from: &str, to: &str| {
            find(&modes, &from.parse().unwrap(), &to.parse().unwrap()).map(|mode| mode.name.as_str())
        };
        assert_eq!(chosen("es-mx", "en"), Some("es>en"));
        assert_eq!(chosen("es", "en-gb"), Some("es>en"));
        assert_eq!(chosen("es", "en-us"), Some("es>en-us"));
        assert_eq!(chosen("es", "ca-valencia"), Some("es>ca-valencia"));
        assert_eq!(chosen("no", "nn"), Some("nb>nn"));
        assert_eq!(chosen("en", "es"), None);
        assert_eq!(chosen("pt", "pt-br"), None);
    }
}
