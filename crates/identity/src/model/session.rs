//! Sessions: what comes of a login, and when a token that renews it still does.

use kernel::{SessionId, UserId};
use serde::{Deserialize, Serialize};

/// One login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub kind: SessionKind,
    pub created_at_ms: i64,
    pub last_used_at_ms: i64,
    /// When it ends, used or not.
    pub expires_at_ms: i64,
}

/// What the user agent holds of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// A short access token, and a refresh token for the next one: programs.
    Tokens,
    /// A cookie that scripts cannot read: browsers.
    Cookie,
}

impl SessionKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Cookie => "cookie",
        }
    }

    pub fn find(name: &str) -> Option<Self> {
        [Self::Tokens, Self::Cookie].into_iter().find(|kind| kind.name() == name)
    }
}

/// How long a token that was replaced before anybody showed it is still taken: as long as answers that cross may take.
const CROSSING_MS: i64 = 60_000;

/// A refresh token as it is stored, and the one that came after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshState {
    /// Nobody showed it yet, and none came after it.
    Fresh,
    /// It was shown and replaced; its successor was not shown yet.
    ReplacedUnused,
    /// It was replaced before anybody showed it, because the one before was shown twice; its successor was not shown yet.
    Superseded { at_ms: i64 },
    /// A successor was shown: both the client and somebody else hold this session.
    ReplacedUsed,
}

/// What a refresh token brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// A successor.
    Renew,
    /// The end of the session, for whoever holds any token of it.
    Revoke,
}

/// A client that did not get its answer, or two tabs of a browser, show one token twice before its successor: that is let
/// pass, and the successor is replaced. Once a successor was shown, an earlier token can only come from a copy. Two tabs
/// may keep the successor that was replaced; whoever shows that much later is not one of two tabs.
pub fn judge_refresh(state: RefreshState, now_ms: i64) -> Presented {
    match state {
        RefreshState::Fresh | RefreshState::ReplacedUnused => Presented::Renew,
        RefreshState::Superseded { at_ms } if now_ms <= at_ms.saturating_add(CROSSING_MS) => Presented::Renew,
        RefreshState::Superseded { .. } | RefreshState::ReplacedUsed => Presented::Revoke,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_again_only_until_its_successor_was_shown() {
        assert_eq!(judge_refresh(RefreshState::Fresh, 0), Presented::Renew);
        assert_eq!(judge_refresh(RefreshState::ReplacedUnused, i64::MAX), Presented::Renew);
        assert_eq!(judge_refresh(RefreshState::ReplacedUsed, 0), Presented::Revoke);
    }

    #[test]
    fn two_holders_that_take_turns_are_not_two_tabs() {
        let superseded = RefreshState::Superseded { at_ms: 1_000 };
        assert_eq!(judge_refresh(superseded, 61_000), Presented::Renew);
        assert_eq!(judge_refresh(superseded, 61_001), Presented::Revoke);
    }
}
