//! Which crate may depend on which. The table is the one of ARCHITECTURE.md.

use super::Fault;
use super::repository::Repository;

/// What every bounded context may use; contexts meet in events and ports, never in each other.
const CONTEXT_MAY_USE: &[&str] = &["kernel", "platform", "ai", "media", "pipeline"];
const CONTEXTS: &[&str] = &["identity", "videos", "dubbing"];

/// What `package` may use of this workspace; nothing when the package is not known.
fn find_allowed(package: &str) -> Option<&'static [&'static str]> {
    Some(match package {
        // The speech program stands alone for its licence, the tasks of the repository for their build time.
        "kernel" | "pressroom-speech" | "xtask" => &[],
        "platform" | "ai" | "media" => &["kernel"],
        "pipeline" | "gateway" => &["kernel", "platform"],
        "providers" => &["kernel", "ai", "platform"],
        "pressroom" => {
            &["kernel", "platform", "ai", "media", "pipeline", "providers", "identity", "videos", "dubbing", "gateway"]
        }
        context if CONTEXTS.contains(&context) => CONTEXT_MAY_USE,
        _ => return None,
    })
}

/// Every dependency on a crate of this workspace is an arrow of the table.
pub(super) fn check(repository: &Repository) -> Vec<Fault> {
    let mut faults = Vec::new();
    for package in repository.packages.iter().filter(|package| package.is_ours()) {
        let Some(allowed) = find_allowed(&package.name) else { continue };
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            if dependency.name != package.name && !allowed.contains(&dependency.name.as_str()) {
                faults.push(Fault::in_file(
                    &package.name,
                    format!(
                        "may not depend on `{}` (only on {allowed:?}); define a port where it is needed, and connect it in `app`",
                        dependency.name
                    ),
                ));
            }
        }
    }
    faults
}

/// A new crate gets its row in the table before anything depends on it.
pub(super) fn check_contexts_are_known(repository: &Repository) -> Vec<Fault> {
    let ours = repository.packages.iter().filter(|package| package.is_ours());
    ours.filter(|package| find_allowed(&package.name).is_none())
        .map(|package| {
            Fault::in_file(
                &package.name,
                "is not in the table of arrows; add it in xtask/src/tidy/arrows.rs and ARCHITECTURE.md",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::repository::fakes::{dependency_on, our_package};
    use super::*;

    #[test]
    fn an_arrow_against_the_table_is_a_fault() {
        let kernel = our_package("kernel", "MIT", vec![dependency_on("media")]);
        let faults = check(&Repository::of_packages(vec![kernel]));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].message.contains("`media`"), "{}", faults[0]);
    }

    #[test]
    fn an_arrow_of_the_table_is_none() {
        let videos = our_package("videos", "MIT", vec![dependency_on("kernel"), dependency_on("media")]);
        assert_eq!(check(&Repository::of_packages(vec![videos])), []);
    }

    #[test]
    fn nothing_links_the_speech_program() {
        let app = our_package("pressroom", "MIT", vec![dependency_on("pressroom-speech")]);
        assert_eq!(check(&Repository::of_packages(vec![app])).len(), 1);
    }

    #[test]
    fn a_crate_that_nobody_placed_is_a_fault() {
        let faults =
            check_contexts_are_known(&Repository::of_packages(vec![our_package("nowhere", "MIT", Vec::new())]));
        assert_eq!(faults.len(), 1);
    }
}
