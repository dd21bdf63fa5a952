//! Rules over Rust files: length, documentation, names, attributes, layers.

use super::Fault;
use super::repository::Repository;

const MAX_LINES: usize = 500;
/// Names that say nothing of what is inside, and so gather everything.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"];
/// The files of a context that know its rules and nothing of how data is kept or fetched.
const PURE_LAYERS: &[&str] = &["model", "ports", "service"];
const ADAPTER_WORDS: &[&str] = &["axum", "sea_orm", "reqwest", "process::Command", "providers"];
/// Makers of engines and services: a port is named for what it does, its adapters for whom they speak to.
const VENDOR_WORDS: &[&str] =
    &["espeak", "openai", "azure", "elevenlabs", "gemini", "anthropic", "ollama", "piper", "whisper"];

/// At most 500 lines before the tests begin.
pub(super) fn check_length(repository: &Repository) -> Vec<Fault> {
    let files = repository.texts(".rs").filter(|(path, _)| !path.contains("/tests/") && !path.ends_with("/tests.rs"));
    files
        .filter_map(|(path, text)| {
            let line_count = without_tests(text).lines().count();
            (line_count > MAX_LINES).then(|| {
                Fault::in_file(path, format!("has {line_count} lines without its tests, {MAX_LINES} is the most; split it by what its parts do"))
            })
        })
        .collect()
}

/// Every file says in its first lines what it is for; the tests of a module that stand in a file of their own need not.
pub(super) fn check_module_docs(repository: &Repository) -> Vec<Fault> {
    let files = repository.texts(".rs").filter(|(path, text)| !path.ends_with("/tests.rs") && !has_module_docs(text));
    files
        .map(|(path, _)| Fault::in_file(path, "has no module documentation; begin with one to three `//!` sentences"))
        .collect()
}

fn has_module_docs(text: &str) -> bool {
    let mut head = text.lines().take_while(|line| line.is_empty() || line.starts_with("//") || line.starts_with("#!["));
    head.any(|line| line.starts_with("//! ") || line.starts_with("#![doc"))
}

/// No file, folder, module or type is called by a name that says nothing.
pub(super) fn check_names(repository: &Repository) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in repository.texts(".rs") {
        let stem = path.trim_end_matches(".rs");
        if let Some(name) = stem.split('/').find(|part| EMPTY_NAMES.contains(part)) {
            faults.push(Fault::in_file(
                path,
                format!("`{name}` says nothing of what is inside; name it for what it does"),
            ));
        }
        for (index, line) in text.lines().enumerate() {
            if let Some(name) = find_empty_type_name(line) {
                faults.push(Fault::in_line(
                    path,
                    index,
                    format!("`{name}` says nothing of what it does; name it for that"),
                ));
            }
        }
    }
    faults
}

fn find_empty_type_name(line: &str) -> Option<&str> {
    let words: Vec<&str> = line.split(|character: char| !character.is_alphanumeric() && character != '_').collect();
    let kinds = ["struct", "enum", "trait", "type", "mod"];
    words.windows(2).filter(|pair| kinds.contains(&pair[0])).map(|pair| pair[1]).find(|name| {
        let lower = name.to_lowercase();
        let is_type = name.starts_with(char::is_uppercase);
        EMPTY_NAMES.iter().any(|empty| lower == *empty || (is_type && lower.ends_with(empty)))
    })
}

/// A lint is set aside by `expect` with its reason, so that it returns when the reason has gone.
pub(super) fn check_attributes(repository: &Repository) -> Vec<Fault> {
    find_code(
        repository,
        |code| code.contains("[allow(") || code.contains(" allow("),
        |path, index| Fault::in_line(path, index, "use `#[expect(.., reason = \"..\")]`, not `allow`"),
    )
}

/// The pure files of a context name no adapter, the ports in `ai` no vendor.
pub(super) fn check_layers(repository: &Repository) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in repository.texts(".rs") {
        let words = if path.starts_with("crates/ai/src/") {
            VENDOR_WORDS
        } else if is_pure_layer(path) {
            ADAPTER_WORDS
        } else {
            continue;
        };
        for (index, line) in without_tests(text).lines().enumerate() {
            let code = strip_comment(line);
            if let Some(word) = words.iter().find(|word| has_word(code, word)) {
                faults.push(Fault::in_line(
                    path,
                    index,
                    format!("names `{word}`; describe what is needed in a port, and adapt it elsewhere"),
                ));
            }
        }
    }
    faults
}

fn is_pure_layer(path: &str) -> bool {
    let Some((_, inside)) = path.strip_prefix("crates/").and_then(|rest| rest.split_once("/src/")) else {
        return false;
    };
    let layer = inside.trim_end_matches(".rs").split('/').next().unwrap_or_default();
    PURE_LAYERS.contains(&layer)
}

/// Whether `word` stands in `code` as a whole path segment or identifier, or begins one.
fn has_word(code: &str, word: &str) -> bool {
    let (code, word) = (code.to_lowercase(), word.to_lowercase());
    code.match_indices(&word).any(|(index, _)| {
        !code[..index].ends_with(|before: char| before.is_alphanumeric() || before == '_')
            && !code[index + word.len()..].starts_with(|after: char| after.is_alphanumeric())
    })
}

fn find_code(repository: &Repository, is_fault: fn(&str) -> bool, fault: fn(&str, usize) -> Fault) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in repository.texts(".rs") {
        // This tool has to name what it forbids.
        if path.starts_with("xtask/src/tidy/") {
            continue;
        }
        let lines = text.lines().enumerate();
        faults.extend(lines.filter(|(_, line)| is_fault(strip_comment(line))).map(|(index, _)| fault(path, index)));
    }
    faults
}

fn strip_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// The text before the tests at its end.
fn without_tests(text: &str) -> &str {
    let tests = text.find("\n#[cfg(test)]\nmod ");
    tests.map_or(text, |start| &text[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(faults: Vec<Fault>) -> Vec<String> {
        faults.into_iter().map(|fault| fault.place).collect()
    }

    #[test]
    fn a_long_file_is_a_fault_and_a_long_test_is_not() {
        let code = "fn f() {}\n".repeat(MAX_LINES);
        let long = format!("{code}fn g() {{}}\n");
        let tested = format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}\n");
        let repository = Repository::of_texts(&[("a.rs", &long), ("b.rs", &tested), ("c.rs", &code)]);
        assert_eq!(places(check_length(&repository)), ["a.rs"]);
    }

    #[test]
    fn a_file_without_documentation_is_a_fault() {
        let repository = Repository::of_texts(&[
            ("silent.rs", "fn f() {}\n"),
            ("silent/tests.rs", "#[test]\nfn f() {}\n"),
            ("comment.rs", "// Only a comment.\nfn f() {}\n"),
            ("late.rs", "fn f() {}\n//! Too late.\n"),
            ("said.rs", "#![expect(missing_docs, reason = \"\")]\n//! Said.\n"),
            ("readme.rs", "#![doc = include_str!(\"../README.md\")]\n"),
        ]);
        assert_eq!(places(check_module_docs(&repository)), ["silent.rs", "comment.rs", "late.rs"]);
    }

    #[test]
    fn empty_names_are_faults() {
        let repository = Repository::of_texts(&[
            ("crates/media/src/utils.rs", ""),
            ("crates/media/src/helpers/mod.rs", ""),
            (
                "crates/media/src/sessions.rs",
                concat!("pub(crate) struct Session", "Manager;\npub struct Communication;\nmod ", "common;\n"),
            ),
            ("crates/media/src/loudness.rs", "/// Most common manager.\nstruct Loudness { common: u8 }\n"),
        ]);
        let expected = [
            "crates/media/src/utils.rs",
            "crates/media/src/helpers/mod.rs",
            "crates/media/src/sessions.rs:1",
            "crates/media/src/sessions.rs:3",
        ];
        assert_eq!(places(check_names(&repository)), expected);
    }

    #[test]
    fn allow_is_a_fault_and_expect_is_not() {
        let text = "#[allow(dead_code)]\n#![allow(missing_docs)]\n#[cfg_attr(test, allow(dead_code))]\n#[expect(x, reason = \"\")]\n// [allow(\n";
        let repository = Repository::of_texts(&[("a.rs", text)]);
        assert_eq!(places(check_attributes(&repository)), ["a.rs:1", "a.rs:2", "a.rs:3"]);
    }

    #[test]
    fn a_port_that_names_an_adapter_is_a_fault() {
        let repository = Repository::of_texts(&[
            ("crates/videos/src/service/run.rs", "use sea_orm::Database;\n"),
            ("crates/videos/src/store/rows.rs", "use sea_orm::Database;\n"),
            ("crates/videos/src/model.rs", "// like reqwest\nstruct Reqwested;\n"),
            ("crates/ai/src/tts/mod.rs", "enum Engine { OpenAi }\nlet piped = 1;\n"),
        ]);
        assert_eq!(
            places(check_layers(&repository)),
            ["crates/videos/src/service/run.rs:1", "crates/ai/src/tts/mod.rs:1"]
        );
    }
}
