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
    Postgres(Servers),
}

/// One server of PostgreSQL, or several of which one at a time takes writes: `postgres://user:password@one:5432,two:5432/name`.
/// Shown, they have no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Servers {
    urls: Vec<Url>,
}

/// More servers than anybody has of one database.
const MAX_SERVERS: usize = 8;

/// What says elsewhere which of several servers is meant. Here it is always the one that takes writes.
const SESSION_ATTRIBUTES: &str = "target_session_attrs";

/// Why a text names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The scheme alone is named: what follows may hold a password.
    #[error("databases of `{0}` are not supported; write `postgres://…`, `sqlite://…` or the path of a file")]
    Scheme(String),
    #[error("the address of the database is no URL: {0}; write `postgres://user:password@host:5432/name`")]
    Url(#[from] url::ParseError),
    #[error("the address of the database names more than {MAX_SERVERS} servers; name those that can take writes")]
    Servers,
    #[error("`target_session_attrs={0}` is not supported: the server that takes writes is found; leave it out")]
    SessionAttributes(String),
    #[error(
        "a replica has one server, in PostgreSQL; write `postgres://user:password@host:5432/name` in `DATABASE_REPLICA_URL`"
    )]
    Replica,
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

impl Servers {
    /// The address of each, in the order in which they are tried.
    pub fn urls(&self) -> &[Url] {
        &self.urls
    }

    /// The one server of a replica.
    pub fn replica(text: &str) -> Result<Self, TargetError> {
        match text.parse()? {
            Target::Postgres(servers) if servers.urls.len() == 1 => Ok(servers),
            _ => Err(TargetError::Replica),
        }
    }
}

impl FromStr for Servers {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = text.split_once("://").ok_or(url::ParseError::RelativeUrlWithoutBase)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // The last one: a password may hold more of them.
        let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let urls: Vec<_> =
            hosts.split(',').map(|host| one(&format!("{scheme}://{user}{host}{path}"))).collect::<Result<_, _>>()?;
        if urls.len() > MAX_SERVERS {
            return Err(TargetError::Servers);
        }
        Ok(Self { urls })
    }
}

/// The address of one server, without what is not for it.
fn one(text: &str) -> Result<Url, TargetError> {
    let mut url = Url::parse(text)?;
    let (attributes, others): (Vec<_>, Vec<_>) =
        url.query_pairs().into_owned().partition(|(key, _)| key == SESSION_ATTRIBUTES);
    if let Some((_, value)) =
        attributes.iter().find(|(_, value)| !matches!(value.as_str(), "any" | "read-write" | "primary"))
    {
        return Err(TargetError::SessionAttributes(value.clone()));
    }
    if !attributes.is_empty() {
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
    }
    Ok(url)
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        for (index, url) in self.urls.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", url.host_str().unwrap_or("localhost"), url.port().unwrap_or(5432))?;
        }
        // Parameters may hold secrets too.
        f.write_str(self.urls.first().map_or("", Url::path))
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Servers({self})")
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once(':') else { return file(text) };
        match scheme {
            "postgres" | "postgresql" => Ok(Self::Postgres(text.parse()?)),
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
            Self::Postgres(servers) => write!(f, "{servers}"),
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

    #[test]
    fn several_servers_are_read_with_what_they_share() {
        let target: Target =
            "postgres://me:s%40cret@a:6000,b,[::1]:7/p?target_session_attrs=read-write&sslmode=require"
                .parse()
                .unwrap();
        let Target::Postgres(servers) = &target else { panic!("{target}") };
        let urls: Vec<_> = servers.urls().iter().map(Url::as_str).collect();
        assert_eq!(
            urls,
            [
                "postgres://me:s%40cret@a:6000/p?sslmode=require",
                "postgres://me:s%40cret@b/p?sslmode=require",
                "postgres://me:s%40cret@[::1]:7/p?sslmode=require"
            ]
        );
        assert_eq!(target.to_string(), "postgres://a:6000,b:5432,[::1]:7/p");
    }

    #[test]
    fn servers_that_take_no_writes_are_not_asked_for() {
        let standby = "postgres://a,b/p?target_session_attrs=standby".parse::<Target>();
        assert_eq!(standby, Err(TargetError::SessionAttributes("standby".to_owned())));
        let many = format!("postgres://{}/p", ["a"; 9].join(","));
        assert_eq!(many.parse::<Target>(), Err(TargetError::Servers));
        assert_eq!(Servers::replica("postgres://a,b/p"), Err(TargetError::Replica));
        assert_eq!(Servers::replica("sqlite://p.db"), Err(TargetError::Replica));
    }
}
