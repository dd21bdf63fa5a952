//! Who may do what: one table from a role and a plan to permissions. Services ask it; nothing else decides.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A name that is none of those known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no {what}; known are {known}")]
pub struct UnknownName {
    what: &'static str,
    name: String,
    known: String,
}

macro_rules! named {
    ($(#[$meta:meta])* $type:ident, $what:literal, { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $($(#[$doc])* $variant,)+
        }

        impl $type {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in the API, on the command line and in the database.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL.iter().copied().find(|known| known.name() == text).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|known| format!("`{known}`")).collect();
                    UnknownName { what: $what, name: text.chars().take(64).collect(), known: names.join(", ") }
                })
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

named!(
    /// What somebody is here for.
    Role, "role", {
        /// Reads.
        Viewer = "viewer",
        /// Makes things.
        Creator = "creator",
        /// Runs the place.
        Admin = "admin",
    }
);

named!(
    /// What somebody pays for.
    Plan, "plan", {
        /// Nothing.
        Free = "free",
        /// What costs the operator money by the call.
        Pro = "pro",
        /// Work in bulk as well.
        Enterprise = "enterprise",
    }
);

named!(
    /// One thing that may be done. Costly features have one each, so that a plan or an API key can leave them out.
    Permission, "permission", {
        /// Read articles that are published.
        ReadArticles = "read:articles",
        /// Write articles of one's own.
        WriteArticles = "write:articles",
        /// Delete articles of one's own.
        DeleteArticles = "delete:articles",
        /// See numbers of one's own.
        ViewAnalytics = "view:analytics",
        /// Have videos, narrations and subtitles made.
        CreateVideos = "create:videos",
        /// Have videos dubbed.
        CreateDubs = "create:dubs",
        /// Have many things made by one request.
        CreateBatches = "create:batches",
        /// Have language models and paid providers work.
        UseAi = "use:ai",
        /// See and change users, read the audit log.
        ManageUsers = "manage:users",
        /// See everybody's tasks, stop them and let them run again.
        ManageTasks = "manage:tasks",
    }
);

/// A set of permissions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u32);

impl Permissions {
    /// All there are.
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// What a role and a plan allow together.
    pub fn of(role: Role, plan: Plan) -> Self {
        use Permission::{
            CreateBatches, CreateDubs, CreateVideos, DeleteArticles, ReadArticles, UseAi, ViewAnalytics, WriteArticles,
        };
        let by_role: &[Permission] = match role {
            Role::Viewer => return [ReadArticles].into_iter().collect(),
            Role::Creator => &[ReadArticles, WriteArticles, DeleteArticles, ViewAnalytics, CreateVideos, CreateDubs],
            Role::Admin => return Self::all(),
        };
        let by_plan: &[Permission] = match plan {
            Plan::Free => &[],
            Plan::Pro => &[UseAi],
            Plan::Enterprise => &[UseAi, CreateBatches],
        };
        by_role.iter().chain(by_plan).copied().collect()
    }

    /// Whether `permission` is among them.
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }

    /// Those that are in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in it, in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }
}

/// As a list of names.
impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |set, permission| set | bit(permission)))
    }
}

const fn bit(permission: Permission) -> u32 {
    1 << permission as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for permission in Permission::ALL {
            assert_eq!(permission.name().parse(), Ok(*permission));
        }
        let error = "owner".parse::<Role>().unwrap_err();
        assert_eq!(error.to_string(), "`owner` is no role; known are `viewer`, `creator`, `admin`");
    }

    #[test]
    fn a_higher_role_and_a_higher_plan_never_take_anything_away() {
        let is_within = |less: Permissions, more: Permissions| less.intersection(more) == less;
        for plan in Plan::ALL {
            for pair in Role::ALL.windows(2) {
                assert!(is_within(Permissions::of(pair[0], *plan), Permissions::of(pair[1], *plan)), "{pair:?} {plan}");
            }
        }
        for role in Role::ALL {
            for pair in Plan::ALL.windows(2) {
                assert!(is_within(Permissions::of(*role, pair[0]), Permissions::of(*role, pair[1])), "{role} {pair:?}");
            }
        }
    }

    #[test]
    fn the_table_is_what_the_documentation_says() {
        let names = |role, plan| Permissions::of(role, plan).iter().map(Permission::name).collect::<Vec<_>>().join(" ");
        assert_eq!(names(Role::Viewer, Plan::Enterprise), "read:articles");
        let free = "read:articles write:articles delete:articles view:analytics create:videos create:dubs";
        assert_eq!(names(Role::Creator, Plan::Free), free);
        assert_eq!(names(Role::Creator, Plan::Pro), format!("{free} use:ai"));
        assert_eq!(names(Role::Creator, Plan::Enterprise), format!("{free} create:batches use:ai"));
        assert_eq!(Permissions::of(Role::Admin, Plan::Free), Permissions::all());
    }
}
