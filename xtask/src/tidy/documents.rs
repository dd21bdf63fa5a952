//! Rules over Markdown: links lead somewhere, decisions are indexed, examples introduce themselves.

use super::Fault;
use super::repository::Repository;
use std::collections::BTreeMap;

const DECISIONS: &str = "docs/adr/";
const DECISION_INDEX: &str = "docs/adr/README.md";
/// What every example states in its front matter, so that a reader learns what can be stated.
const EXAMPLE_KEYS: &[&str] = &["title:", "lang:", "theme:"];

/// Every relative link leads to a file or folder of the repository.
pub(super) fn check_links(repository: &Repository) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in repository.texts(".md") {
        for (index, line) in prose_lines(text) {
            for target in list_link_targets(line) {
                if !leads_somewhere(repository, path, target) {
                    faults.push(Fault::in_line(
                        path,
                        index,
                        format!("the link `{target}` leads nowhere; mend or remove it"),
                    ));
                }
            }
        }
    }
    faults
}

fn leads_somewhere(repository: &Repository, from: &str, target: &str) -> bool {
    let file = target.split(['#', '?']).next().unwrap_or_default();
    let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
    if is_elsewhere || file.is_empty() {
        return true;
    }
    resolve(from, file).is_some_and(|path| repository.paths.contains(&path))
}

/// `link` as a path from the root of the repository; nothing when it leads out of it.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The lines outside of fenced code, with their indices.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// The targets of `[text](target)` and `![text](target "title")` in a line; what stands between backticks is no link.
fn list_link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(index, opening)| {
        if line[..index].matches('`').count() % 2 == 1 {
            return None;
        }
        let rest = &line[index + opening.len()..];
        let (target, _) = rest.split_once(')')?;
        target.split_whitespace().next()
    })
}

/// Every decision record has a number of its own and a line in the index.
pub(super) fn check_decision_index(repository: &Repository) -> Vec<Fault> {
    let index = repository.texts(DECISION_INDEX).next().map_or("", |(_, text)| text);
    let mut by_number: BTreeMap<&str, &str> = BTreeMap::new();
    let mut faults = Vec::new();
    for (path, _) in repository.texts(".md").filter(|(path, _)| path.starts_with(DECISIONS) && *path != DECISION_INDEX)
    {
        let name = &path[DECISIONS.len()..];
        if !index.contains(&format!("]({name})")) {
            faults.push(Fault::in_file(path, format!("is not in {DECISION_INDEX}; add its line")));
        }
        match name.split_once('-') {
            Some((number, _)) if number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit()) => {
                if let Some(other) = by_number.insert(number, path) {
                    faults.push(Fault::in_file(path, format!("has the number of {other}; take the next free one")));
                }
            }
            _ => faults.push(Fault::in_file(path, "must be named like `0007-what-was-decided.md`")),
        }
    }
    faults
}

/// Every example begins with front matter that names its title, language and theme.
pub(super) fn check_examples(repository: &Repository) -> Vec<Fault> {
    let examples =
        repository.texts(".md").filter(|(path, _)| path.starts_with("examples/") && path.matches('/').count() == 1);
    let mut faults = Vec::new();
    for (path, text) in examples.filter(|(path, _)| !path.ends_with("README.md")) {
        let Some((front_matter, _)) = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")) else {
            faults.push(Fault::in_file(path, "has no front matter; begin it with `---`, keys and `---`"));
            continue;
        };
        let missing = EXAMPLE_KEYS.iter().filter(|key| !front_matter.lines().any(|line| line.starts_with(**key)));
        faults
            .extend(missing.map(|key| Fault::in_file(path, format!("states no `{key}` in its front matter; add it"))));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(faults: Vec<Fault>) -> Vec<String> {
        faults.into_iter().map(|fault| fault.place).collect()
    }

    #[test]
    fn a_link_to_nothing_is_a_fault() {
        let guide = "[a](../README.md) [b](gone.md)\n![p](images/p.jpg \"A picture\")\n[c](../../outside.md)\n```\n[d](code.md)\n```\n`[e](a.md)`\n";
        let repository = Repository::of_texts(&[
            ("README.md", "[guide](docs/guide.md#part) [docs](docs/) [web](https://example.org) [here](#here)"),
            ("docs/guide.md", guide),
            ("docs/images/p.jpg", ""),
        ]);
        assert_eq!(places(check_links(&repository)), ["docs/guide.md:1", "docs/guide.md:3"]);
    }

    #[test]
    fn a_decision_outside_of_the_index_is_a_fault() {
        let repository = Repository::of_texts(&[
            ("docs/adr/README.md", "[1](0001-a.md) [2](0001-b.md) [3](c.md)"),
            ("docs/adr/0001-a.md", ""),
            ("docs/adr/0001-b.md", ""),
            ("docs/adr/0002-d.md", ""),
            ("docs/adr/c.md", ""),
        ]);
        let expected = ["docs/adr/0001-b.md", "docs/adr/0002-d.md", "docs/adr/c.md"];
        assert_eq!(places(check_decision_index(&repository)), expected);
    }

    #[test]
    fn an_example_without_front_matter_is_a_fault() {
        let repository = Repository::of_texts(&[
            ("examples/bare.md", "# Bare\n"),
            ("examples/untitled.md", "---\nlang: en\ntheme: ink\n---\nText.\n"),
            ("examples/whole.md", "---\ntitle: Whole\nlang: en\ntheme: ink\n---\nText.\n"),
            ("examples/pictures/README.md", "Pictures.\n"),
        ]);
        assert_eq!(places(check_examples(&repository)), ["examples/bare.md", "examples/untitled.md"]);
    }
}
