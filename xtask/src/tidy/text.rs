//! Rules over every text of the repository, whatever its language.

use super::Fault;
use super::repository::Repository;

/// The words are put together here so that this file does not break its own rules.
const UNFINISHED: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("unimplemented", "!(")];
const MACHINE_PATHS: &[&str] =
    &[concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/Use", "rs/")];
const REGISTRY_HOSTS: &[&str] =
    &[concat!("crates", ".io"), concat!("pypi", ".org"), concat!("npmjs", ".org"), concat!("debian", ".org/debian")];
/// Written by cargo, which names the source of every crate.
const LOCK_FILE: &str = "Cargo.lock";

/// What is not done is not written down here as a promise.
pub(super) fn check_unfinished(repository: &Repository) -> Vec<Fault> {
    find_words(repository, UNFINISHED, "finish it, or take it out")
}

/// No path of one person's machine.
pub(super) fn check_machine_paths(repository: &Repository) -> Vec<Fault> {
    find_words(repository, MACHINE_PATHS, "is a path of one machine; make it relative, or take it from the environment")
}

/// Package managers know where their registries are; naming a host breaks mirrors.
pub(super) fn check_registry_hosts(repository: &Repository) -> Vec<Fault> {
    find_words(
        repository,
        REGISTRY_HOSTS,
        "is the host of a registry; leave it to the package manager's own configuration",
    )
}

fn find_words(repository: &Repository, words: &[&str], advice: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in repository.texts("").filter(|(path, _)| *path != LOCK_FILE) {
        for (index, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| stands_alone(line, word)) {
                faults.push(Fault::in_line(path, index, format!("`{word}` {advice}")));
            }
        }
    }
    faults
}

/// Whether `word` stands in `line` and is not the end or the middle of a longer word or path.
fn stands_alone(line: &str, word: &str) -> bool {
    let ends_in_letter = word.ends_with(char::is_alphabetic);
    line.match_indices(word).any(|(index, _)| {
        let continues_before =
            line[..index].ends_with(|before: char| before.is_alphanumeric() || "_~}".contains(before));
        let continues_after = ends_in_letter
            && line[index + word.len()..].starts_with(|after: char| after.is_alphanumeric() || after == '_');
        !continues_before && !continues_after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_found_in_any_text() {
        for (rule, words) in [
            (check_unfinished as fn(&Repository) -> Vec<Fault>, UNFINISHED),
            (check_machine_paths, MACHINE_PATHS),
            (check_registry_hosts, REGISTRY_HOSTS),
        ] {
            for word in words {
                let text = format!("first line\nsecond ({word}\n");
                let faults = rule(&Repository::of_texts(&[("notes.md", &text)]));
                assert_eq!(faults.len(), 1, "{word}");
                assert_eq!(faults[0].place, "notes.md:2");
            }
        }
    }

    #[test]
    fn longer_words_and_paths_are_left_alone() {
        let text = format!("out{}x and {}S", MACHINE_PATHS[1], UNFINISHED[0]);
        let repository = Repository::of_texts(&[("notes.md", &text)]);
        assert_eq!(check_machine_paths(&repository), []);
        assert_eq!(check_unfinished(&repository), []);
    }

    #[test]
    fn the_lock_file_may_name_the_registry() {
        let repository = Repository::of_texts(&[(LOCK_FILE, REGISTRY_HOSTS[0])]);
        assert_eq!(check_registry_hosts(&repository), []);
    }
}
