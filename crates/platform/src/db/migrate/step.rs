//! Steps of migrations: what an older version lives with, and what it does not.

use std::fmt;

use sea_orm_migration::MigrationTrait;

use super::Version;

/// The steps of one context, oldest first.
#[derive(Clone, Copy)]
pub struct Migrations {
    /// The name under which the steps are remembered; it never changes.
    pub context: &'static str,
    pub list: fn() -> Vec<Step>,
}

/// One step.
pub struct Step {
    pub(super) migration: Box<dyn MigrationTrait>,
    pub(super) phase: Phase,
}

/// What a step means to a version that does not know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It adds what older versions do not use, and lets everything be that they do.
    Expand,
    /// It takes away what no version uses any more from `since` on.
    Contract { since: Version },
}

impl Step {
    /// A step that is done at once, while older versions run.
    pub fn expand(migration: impl MigrationTrait + 'static) -> Self {
        Self { migration: Box::new(migration), phase: Phase::Expand }
    }

    /// A step that waits until nothing runs that is older than `since`.
    pub fn contract(since: Version, migration: impl MigrationTrait + 'static) -> Self {
        Self { migration: Box::new(migration), phase: Phase::Contract { since } }
    }

    pub(super) fn name(&self) -> &str {
        self.migration.name()
    }
}

impl Phase {
    /// The oldest version that lives with the step, where not every one does.
    pub fn since(self) -> Option<Version> {
        match self {
            Self::Expand => None,
            Self::Contract { since } => Some(since),
        }
    }

    pub(super) fn of(since: Option<Version>) -> Self {
        since.map_or(Self::Expand, |since| Self::Contract { since })
    }
}

impl fmt::Debug for Migrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Migrations").field(&self.context).finish()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("name", &self.name()).field("phase", &self.phase).finish_non_exhaustive()
    }
}
