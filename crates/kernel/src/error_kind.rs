//! What sort of failure an error is, for whoever must answer it: an exit code, an HTTP status, a retry.

use serde::{Deserialize, Serialize};

/// The sort of a failure. Every public error maps to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The input is at fault: the user can mend it.
    Invalid,
    /// Nobody showed who they are, or what they showed does not hold.
    Unauthenticated,
    /// Somebody may not do what was asked for.
    Forbidden,
    /// Something named does not exist.
    NotFound,
    /// The environment lacks something: a program, an encoder, a font.
    Missing,
    /// Space, memory, time or quota is used up.
    Exhausted,
    /// Somebody else changed or holds the thing.
    Conflict,
    /// A service did not answer; the same call may work later.
    Unavailable,
    /// The user stopped it.
    Cancelled,
    /// Pressroom's own fault.
    Internal,
}

impl ErrorKind {
    /// Its name, as it is told to programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Missing => "missing",
            Self::Exhausted => "exhausted",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_one_that_is_stored() {
        for kind in [
            ErrorKind::Invalid,
            ErrorKind::Unauthenticated,
            ErrorKind::Forbidden,
            ErrorKind::NotFound,
            ErrorKind::Missing,
            ErrorKind::Exhausted,
            ErrorKind::Conflict,
            ErrorKind::Unavailable,
            ErrorKind::Cancelled,
            ErrorKind::Internal,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
