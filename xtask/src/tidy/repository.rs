//! The repository as the rules see it: its texts, the crates it depends on, and `deny.toml`.

use crate::process;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A tracked file (or a new one that is not ignored).
#[derive(Debug)]
pub(super) struct TrackedFile {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// Nothing for a file that is not UTF-8, such as a picture.
    pub text: Option<String>,
}

/// A crate of ours or one we depend on, on any of the targets of `deny.toml`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Package {
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    /// Where it came from; nothing for a crate of this workspace.
    pub source: Option<String>,
    pub dependencies: Vec<Dependency>,
    id: String,
}

impl Package {
    pub(super) fn is_ours(&self) -> bool {
        self.source.is_none()
    }
}

/// What a crate says of a dependency in its manifest.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Dependency {
    pub name: String,
    /// Version requirement.
    pub req: String,
    /// Where it lies, for a crate of this workspace.
    pub path: Option<String>,
}

/// The part of `deny.toml` that the rules enforce.
#[derive(Debug, Default, Deserialize)]
pub(super) struct DenyConfig {
    graph: Graph,
    pub licenses: Licenses,
    pub bans: Bans,
}

#[derive(Debug, Default, Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Licenses {
    pub allow: Vec<String>,
    pub exceptions: Vec<LicenseException>,
}

/// Licences that one crate may have beside those allowed for all.
#[derive(Debug, Default, Deserialize)]
pub(super) struct LicenseException {
    #[serde(rename = "crate")]
    pub package: String,
    pub allow: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Bans {
    pub deny: Vec<Ban>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Ban {
    #[serde(rename = "crate")]
    pub package: String,
}

/// Everything the rules look at, read once.
#[derive(Debug, Default)]
pub(super) struct Repository {
    pub files: Vec<TrackedFile>,
    /// Every path that exists, files and folders, so that a link can be followed.
    pub paths: BTreeSet<String>,
    pub packages: Vec<Package>,
    pub deny: DenyConfig,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

impl Repository {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let files = read_files(root)?;
        let deny = std::fs::read_to_string(root.join("deny.toml")).context("deny.toml could not be read")?;
        let deny: DenyConfig = toml::from_str(&deny).context("deny.toml is not as expected")?;
        let packages = read_packages(root, &deny.graph.targets)?;
        Ok(Self { paths: list_paths(&files), files, packages, deny })
    }

    /// The texts whose path ends in `suffix`: path and text.
    pub(super) fn texts<'a>(&'a self, suffix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files.iter().filter(move |file| file.path.ends_with(suffix)).filter_map(TrackedFile::as_text)
    }

    #[cfg(test)]
    pub(super) fn of_texts(texts: &[(&str, &str)]) -> Self {
        let files = texts
            .iter()
            .map(|(path, text)| TrackedFile { path: (*path).to_owned(), text: Some((*text).to_owned()) })
            .collect::<Vec<_>>();
        Self { paths: list_paths(&files), files, ..Self::default() }
    }

    #[cfg(test)]
    pub(super) fn of_packages(packages: Vec<Package>) -> Self {
        Self { packages, ..Self::default() }
    }
}

impl TrackedFile {
    fn as_text(&self) -> Option<(&str, &str)> {
        Some((self.path.as_str(), self.text.as_deref()?))
    }
}

fn read_files(root: &Path) -> Result<Vec<TrackedFile>> {
    let listing = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let listed = process::read_output(process::command("git", root).args(listing))?;
    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        // A file deleted but not yet committed as such is still listed.
        let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
        files.push(TrackedFile { path: path.to_owned(), text: String::from_utf8(bytes).ok() });
    }
    Ok(files)
}

fn list_paths(files: &[TrackedFile]) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for file in files {
        paths.insert(file.path.clone());
        paths.extend(file.path.match_indices('/').map(|(index, _)| file.path[..index].to_owned()));
    }
    paths
}

/// The crates that are built for any of `targets`: a crate for another system is neither fetched nor judged.
fn read_packages(root: &Path, targets: &[String]) -> Result<Vec<Package>> {
    let mut packages = BTreeMap::new();
    for target in targets {
        let arguments = ["metadata", "--locked", "--format-version", "1", "--filter-platform", target];
        let printed = process::read_output(process::command(env!("CARGO"), root).args(arguments))?;
        let metadata: Metadata = serde_json::from_str(&printed).context("`cargo metadata` printed something else")?;
        let resolved: BTreeSet<String> = metadata.resolve.nodes.into_iter().map(|node| node.id).collect();
        let wanted = metadata.packages.into_iter().filter(|package| resolved.contains(&package.id));
        packages.extend(wanted.map(|package| (package.id.clone(), package)));
    }
    Ok(packages.into_values().collect())
}

#[cfg(test)]
pub(super) mod fakes {
    use super::{Dependency, Package};

    /// A crate of this workspace.
    pub(crate) fn our_package(name: &str, license: &str, dependencies: Vec<Dependency>) -> Package {
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            license: Some(license.to_owned()),
            source: None,
            dependencies,
            id: name.to_owned(),
        }
    }

    /// A crate from somewhere else.
    pub(crate) fn foreign_package(name: &str, license: Option<&str>, source: &str) -> Package {
        Package {
            license: license.map(str::to_owned),
            source: Some(source.to_owned()),
            ..our_package(name, "MIT", Vec::new())
        }
    }

    /// A dependency on a crate of this workspace.
    pub(crate) fn dependency_on(name: &str) -> Dependency {
        Dependency { name: name.to_owned(), req: "*".to_owned(), path: Some(format!("crates/{name}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_files_are_paths_too() {
        let repository = Repository::of_texts(&[("docs/adr/README.md", "")]);
        assert!(repository.paths.contains("docs") && repository.paths.contains("docs/adr"));
    }
}
