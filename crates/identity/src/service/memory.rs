//! Who is behind what was shown, kept near: a request seldom comes alone, and on every server of a team. Whatever is changed of a
//! user, their sessions or their keys makes all of it invalid that hangs on the user.

use std::time::Duration;

use kernel::UserId;
use platform::{
    cache::{Cached, Caches, Computed, Policy, Reach, Tag},
    db::{DbError, Transaction},
};
use serde::{Deserialize, Serialize};

use crate::{
    ports::{ApiKeyOf, SessionOf},
    tokens::AccessClaims,
};

/// Nothing of it serves where the database does not answer: who was thrown out meanwhile would come in.
const POLICY: Policy = Policy {
    name: "",
    version: 1,
    reach: Reach::Team,
    ttl: Duration::from_mins(1),
    absent_ttl: Duration::from_secs(10),
    grace: Duration::ZERO,
    patience: Duration::from_secs(1),
    memory_percent: 0,
};

/// What is known, by the hash of what was shown.
#[derive(Debug)]
pub(super) struct Memory {
    caches: Caches,
    pub(super) tokens: Cached<TokenOf>,
    pub(super) cookies: Cached<SessionOf>,
    pub(super) api_keys: Cached<ApiKeyOf>,
}

/// An access token that was verified: to check a signature takes longer than all else about a small request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TokenOf {
    pub(super) claims: AccessClaims,
    pub(super) found: SessionOf,
}

impl Memory {
    pub(super) fn new(caches: Caches) -> Self {
        Self {
            tokens: caches.cached(Policy { name: "tokens", memory_percent: 40, ..POLICY }),
            cookies: caches.cached(Policy { name: "cookies", memory_percent: 20, ..POLICY }),
            api_keys: caches.cached(Policy { name: "api_keys", memory_percent: 20, ..POLICY }),
            caches,
        }
    }

    /// Once `tx` is committed, nothing of a user is believed any more.
    pub(super) async fn forget_in(&self, tx: &Transaction, user: UserId) -> Result<(), DbError> {
        self.caches.invalidate_in(tx, &[tag(user)]).await
    }
}

/// What was looked up of a user, or that there is nobody.
pub(super) fn of_user<V>(found: Option<V>, user: impl FnOnce(&V) -> UserId) -> Computed<V> {
    let Some(found) = found else { return Computed::absent() };
    let tag = tag(user(&found));
    Computed::found(found).tagged(tag)
}

fn tag(user: UserId) -> Tag {
    Tag::new("user", user)
}
