//! Rules over the repository itself: each is a function from the [`Repository`] to its faults, and a test that it can fail.

mod arrows;
mod documents;
mod licences;
mod repository;
mod rust_source;
mod text;

use anyhow::{Result, bail};
use repository::Repository;
use std::fmt::{self, Display, Formatter};
use std::io::Write;
use std::path::Path;

/// One place where a rule is broken, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    /// Relative to the root of the repository, with `:line` where one is to blame.
    place: String,
    message: String,
}

impl Fault {
    fn in_file(path: &str, message: impl Into<String>) -> Self {
        Self { place: path.to_owned(), message: message.into() }
    }

    fn in_line(path: &str, line_index: usize, message: impl Into<String>) -> Self {
        Self { place: format!("{path}:{}", line_index + 1), message: message.into() }
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

type Rule = fn(&Repository) -> Vec<Fault>;

const RULES: &[(&str, Rule)] = &[
    ("arrows between crates", arrows::check),
    ("a context that stands in the table of arrows", arrows::check_contexts_are_known),
    ("the GPL stays in one program", licences::check_gpl_is_contained),
    ("licences", licences::check_licences),
    ("banned crates and wildcard versions", licences::check_bans),
    ("sources of crates", licences::check_sources),
    ("length of files", rust_source::check_length),
    ("module documentation", rust_source::check_module_docs),
    ("names of modules and types", rust_source::check_names),
    ("`expect`, never `allow`", rust_source::check_attributes),
    ("layers inside a context", rust_source::check_layers),
    ("nothing unfinished", text::check_unfinished),
    ("no paths of somebody's machine", text::check_machine_paths),
    ("no hosts of package registries", text::check_registry_hosts),
    ("links in Markdown", documents::check_links),
    ("index of decision records", documents::check_decision_index),
    ("examples", documents::check_examples),
];

/// Checks every rule and prints every fault.
pub(crate) fn run(root: &Path) -> Result<()> {
    let repository = Repository::read(root)?;
    let mut out = std::io::stdout().lock();
    let mut fault_count = 0;
    for (name, rule) in RULES {
        let mut faults = rule(&repository);
        if faults.is_empty() {
            continue;
        }
        faults.sort();
        faults.dedup();
        fault_count += faults.len();
        writeln!(out, "{name}:")?;
        for fault in &faults {
            writeln!(out, "  {fault}")?;
        }
    }
    if fault_count > 0 {
        bail!("{fault_count} faults in the repository; each line above says what to do");
    }
    writeln!(
        out,
        "tidy: {} rules, {} files, {} crates",
        RULES.len(),
        repository.files.len(),
        repository.packages.len()
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_line_counted_from_one() {
        assert_eq!(Fault::in_line("a.rs", 0, "wrong").to_string(), "a.rs:1: wrong");
    }
}
