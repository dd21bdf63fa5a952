//! Where a database lies, read from one text: a URL or the path of a file.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use url::Url;

use super::Backend;

/// A database to open: a file of SQLite or a server's database.
///
/// It is written as `postgres://user:password@host:5432/name?sslmode=require`, as `sqlite:///path/to/file.db`, or as a path.
/// Shown, it has no password.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    Sqlite(PathBuf),
    Postgres(Url),
}

/// Why a text names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The scheme alone is named: what follows may hold a password.
    #[error("databases of `{0}` are not supported; write `postgres://…`, `sqlite://…` or the path of a file")]
    Scheme(String),
    #[error("the address of the database is no URL: {0}; write `postgres://user:password@host:5432/name`")]
    Url(#[from] url::ParseError),
    #[error("the address of the database names no file; write `sqlite:///path/to/file.db`")]
    NoPath,
}

impl TargetError {
    /// The sort of the failure.
    pub fn kind(&self) -> kernel::ErrorKind {
        kernel::ErrorKind::Invalid
    }
}

impl Target {
    pub fn backend(&self) -> Backend {
        match self {
            Self::Sqlite(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }

    /// The file at `path`.
    pub fn file(path: &Path) -> Self {
        Self::Sqlite(path.to_owned())
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once(':') else { return file(text) };
        match scheme {
            "postgres" | "postgresql" => Ok(Self::Postgres(Url::parse(text)?)),
            "sqlite" => file(rest.strip_prefix("//").unwrap_or(rest).split('?').next().unwrap_or_default()),
            _ if rest.starts_with("//") => Err(TargetError::Scheme(scheme.to_owned())),
            _ => file(text),
        }
    }
}

fn file(path: &str) -> Result<Target, TargetError> {
    if path.is_empty() { Err(TargetError::NoPath) } else { Ok(Target::Sqlite(path.into())) }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            // Parameters may hold secrets too.
            Self::Postgres(url) => write!(
                f,
                "postgres://{}:{}{}",
                url.host_str().unwrap_or("localhost"),
                url.port().unwrap_or(5432),
                url.path()
            ),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_both_schemes_are_read() {
        assert_eq!("data/pressroom.db".parse(), Ok(Target::Sqlite("data/pressroom.db".into())));
        assert_eq!("sqlite:///var/p.db".parse(), Ok(Target::Sqlite("/var/p.db".into())));
        assert_eq!("sqlite://p.db?mode=rwc".parse(), Ok(Target::Sqlite("p.db".into())));
        assert_eq!("postgresql://h/p".parse::<Target>().unwrap().backend(), Backend::Postgres);
    }

    #[test]
    fn what_names_no_database_is_refused_without_its_secrets() {
        let error = "mysql://me:secret@h/p".parse::<Target>().unwrap_err().to_string();
        assert!(error.contains("`mysql`") && !error.contains("secret"), "{error}");
        assert_eq!("sqlite://".parse::<Target>(), Err(TargetError::NoPath));
        assert_eq!("".parse::<Target>(), Err(TargetError::NoPath));
        assert!("postgres://h:port/p".parse::<Target>().is_err());
    }

    #[test]
    fn no_password_is_shown() {
        let target: Target = "postgres://me:secret@db.example:6000/p?password=secret".parse().unwrap();
        assert_eq!(target.to_string(), "postgres://db.example:6000/p");
        assert!(!format!("{target:?}").contains("secret"));
    }
}
