//! What can be set of identity.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::{passwords::HashingCost, tokens::Algorithm};

/// Who may come in, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySettings {
    /// Whether strangers may make accounts of their own.
    pub sign_up: SignUp,
    /// How access tokens are signed.
    pub algorithm: Algorithm,
    /// Seconds that an access token is good for.
    pub access_token_s: u32,
    /// Days that a session lasts without being used.
    pub session_idle_days: u16,
    /// Days that a session lasts at all.
    pub session_days: u16,
    /// Minutes that a link to a new password is good for.
    pub password_reset_minutes: u16,
    /// Days until a new key signs.
    pub signing_key_days: u16,
    pub hashing: HashingCost,
}

/// Whether strangers may make accounts of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUp {
    /// Everybody may, as a creator on the free plan.
    #[default]
    Open,
    /// Admins make accounts.
    Closed,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self {
            sign_up: SignUp::default(),
            algorithm: Algorithm::default(),
            access_token_s: 15 * 60,
            session_idle_days: 14,
            session_days: 90,
            password_reset_minutes: 30,
            signing_key_days: 30,
            hashing: HashingCost::default(),
        }
    }
}

impl IdentitySettings {
    /// What is wrong with them, by key.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let at_a_time = u32::try_from(self.hashing.at_a_time).unwrap_or(u32::MAX);
        let ranges: [(_, u32, RangeInclusive<u32>); 8] = [
            ("identity.access_token_s", self.access_token_s, 60..=86_400),
            ("identity.session_idle_days", self.session_idle_days.into(), 1..=3650),
            ("identity.session_days", self.session_days.into(), 1..=3650),
            ("identity.password_reset_minutes", self.password_reset_minutes.into(), 5..=1440),
            ("identity.signing_key_days", self.signing_key_days.into(), 1..=3650),
            ("identity.hashing.memory_kib", self.hashing.memory_kib, 8192..=1_048_576),
            ("identity.hashing.passes", self.hashing.passes, 1..=16),
            ("identity.hashing.at_a_time", at_a_time, 1..=64),
        ];
        let outside = ranges.into_iter().filter(|(_, value, range)| !range.contains(value));
        outside
            .map(|(key, value, range)| (key, format!("{value} is not between {} and {}", range.start(), range.end())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_fault_and_impossible_values_all_have_one() {
        assert_eq!(IdentitySettings::default().faults(), []);
        let hashing = HashingCost { passes: 0, ..HashingCost::default() };
        let wrong = IdentitySettings { access_token_s: 1, hashing, ..IdentitySettings::default() };
        let keys: Vec<_> = wrong.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["identity.access_token_s", "identity.hashing.passes"]);
    }
}
