//! Licences, bans and sources of the crates we depend on, as `deny.toml` states them.
//!
//! cargo-deny reads the same file and does the same with more detail; this is here so that the rules hold on machines
//! where it is not installed.

use super::Fault;
use super::repository::{Package, Repository};
use spdx::{Expression, Licensee, ParseMode};

const GPL_PACKAGE: &str = "pressroom-speech";
/// How cargo names its default registry.
const REGISTRY_SOURCE_START: &str = "registry+";

/// Every crate has a licence that `deny.toml` allows, for all or for that crate.
pub(super) fn check_licences(repository: &Repository) -> Vec<Fault> {
    repository.packages.iter().filter_map(|package| find_licence_fault(repository, package)).collect()
}

fn find_licence_fault(repository: &Repository, package: &Package) -> Option<Fault> {
    let place = format!("{} {}", package.name, package.version);
    let Some(license) = &package.license else {
        return Some(Fault::in_file(&place, "states no licence; use another crate"));
    };
    // Lax: the older `MIT/Apache-2.0` still stands in many manifests.
    let Ok(expression) = Expression::parse_mode(license, ParseMode::LAX) else {
        return Some(Fault::in_file(
            &place,
            format!("its licence `{license}` is not an SPDX expression; use another crate"),
        ));
    };
    let exceptions = repository.deny.licenses.exceptions.iter().filter(|exception| exception.package == package.name);
    let allowed: Vec<Licensee> = exceptions
        .flat_map(|exception| &exception.allow)
        .chain(&repository.deny.licenses.allow)
        .filter_map(|licence| Licensee::parse(licence).ok())
        .collect();
    if expression.evaluate(|requirement| allowed.iter().any(|licensee| licensee.satisfies(requirement))) {
        return None;
    }
    Some(Fault::in_file(
        &place,
        format!(
            "its licence `{license}` is not allowed in deny.toml; use another crate, or add an exception with its reason"
        ),
    ))
}

/// One program is GPL, no other crate of ours is.
pub(super) fn check_gpl_is_contained(repository: &Repository) -> Vec<Fault> {
    let ours = repository.packages.iter().filter(|package| package.is_ours() && package.name != GPL_PACKAGE);
    ours.filter(|package| package.license.as_deref().is_none_or(|license| license.contains("GPL")))
        .map(|package| Fault::in_file(&package.name, format!("must be Apache-2.0 OR MIT; only `{GPL_PACKAGE}` is GPL")))
        .collect()
}

/// No banned crate, and no foreign crate of just any version.
pub(super) fn check_bans(repository: &Repository) -> Vec<Fault> {
    let mut faults = Vec::new();
    for package in &repository.packages {
        if repository.deny.bans.deny.iter().any(|ban| ban.package == package.name) {
            faults.push(Fault::in_file(
                &package.name,
                "is banned in deny.toml; see with `cargo tree -i` what brings it, and turn that feature off",
            ));
        }
        let wildcards =
            package.dependencies.iter().filter(|dependency| dependency.req == "*" && dependency.path.is_none());
        if package.is_ours() {
            faults.extend(wildcards.map(|dependency| {
                Fault::in_file(&package.name, format!("asks for any version of `{}`; name one", dependency.name))
            }));
        }
    }
    faults
}

/// Foreign crates come from the default registry, where versions cannot change.
pub(super) fn check_sources(repository: &Repository) -> Vec<Fault> {
    let foreign = repository.packages.iter().filter_map(|package| Some((package, package.source.as_deref()?)));
    foreign
        .filter(|(_, source)| !source.starts_with(REGISTRY_SOURCE_START))
        .map(|(package, source)| {
            Fault::in_file(&package.name, format!("comes from {source}; use a version from the default registry"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::repository::fakes::{foreign_package, our_package};
    use super::super::repository::{Ban, Dependency, LicenseException};
    use super::*;

    const REGISTRY: &str = "registry+index";

    fn repository_of(packages: Vec<Package>) -> Repository {
        let mut repository = Repository::of_packages(packages);
        repository.deny.licenses.allow = vec!["MIT".to_owned(), "Apache-2.0".to_owned()];
        repository.deny.licenses.exceptions =
            vec![LicenseException { package: "shapes".to_owned(), allow: vec!["MPL-2.0".to_owned()] }];
        repository.deny.bans.deny = vec![Ban { package: "openssl-sys".to_owned() }];
        repository
    }

    #[test]
    fn a_licence_that_is_not_allowed_is_a_fault() {
        let packages = vec![
            foreign_package("permissive", Some("MIT/Apache-2.0"), REGISTRY),
            foreign_package("a-choice", Some("GPL-3.0-only OR MIT"), REGISTRY),
            foreign_package("copyleft", Some("GPL-3.0-only"), REGISTRY),
            foreign_package("both", Some("MIT AND GPL-3.0-only"), REGISTRY),
            foreign_package("silent", None, REGISTRY),
            foreign_package("nonsense", Some("do what you like"), REGISTRY),
        ];
        let places: Vec<String> =
            check_licences(&repository_of(packages)).into_iter().map(|fault| fault.place).collect();
        assert_eq!(places, ["copyleft 0.1.0", "both 0.1.0", "silent 0.1.0", "nonsense 0.1.0"]);
    }

    #[test]
    fn an_exception_is_for_its_crate_alone() {
        let packages = vec![
            foreign_package("shapes", Some("MPL-2.0"), REGISTRY),
            foreign_package("colours", Some("MPL-2.0"), REGISTRY),
        ];
        let faults = check_licences(&repository_of(packages));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].place, "colours 0.1.0");
    }

    #[test]
    fn the_gpl_outside_of_the_speech_program_is_a_fault() {
        let packages = vec![
            our_package(GPL_PACKAGE, "GPL-3.0-or-later", Vec::new()),
            our_package("media", "GPL-3.0-or-later", Vec::new()),
        ];
        let faults = check_gpl_is_contained(&repository_of(packages));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].place, "media");
    }

    #[test]
    fn banned_crates_and_wildcards_are_faults() {
        let wildcard = Dependency { name: "serde".to_owned(), req: "*".to_owned(), path: None };
        let packages =
            vec![foreign_package("openssl-sys", Some("MIT"), REGISTRY), our_package("media", "MIT", vec![wildcard])];
        assert_eq!(check_bans(&repository_of(packages)).len(), 2);
    }

    #[test]
    fn a_crate_from_a_forge_is_a_fault() {
        let packages = vec![
            foreign_package("forked", Some("MIT"), "git+https://forge.example/forked"),
            foreign_package("published", Some("MIT"), REGISTRY),
        ];
        assert_eq!(check_sources(&repository_of(packages)).len(), 1);
    }
}
