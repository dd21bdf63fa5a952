//! An event as it is stored and delivered: its payload, and what is known of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kernel::{Uuid, events::Event};
use sea_orm::{DbErr, QueryResult};

use crate::db::millis;

/// The columns that [`Envelope::read`] reads, in its order.
pub(super) const COLUMNS: &str = "id, position, type, version, payload, occurred_at";

/// An event that has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    pub id: Uuid,
    /// Its place among all events, without gaps below a place that can be seen.
    pub position: i64,
    /// Such as `task.created`.
    pub event_type: String,
    pub version: u32,
    /// JSON.
    pub payload: Arc<str>,
    /// Milliseconds since the Unix epoch.
    pub occurred_at_ms: i64,
}

/// Why a payload cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("version {found} of `{event_type}` is not known here, {known} is the newest; update this program")]
    Version { event_type: String, found: u32, known: u32 },
    #[error("the payload of `{event_type}` cannot be read: {source}")]
    Payload {
        event_type: String,
        #[source]
        source: serde_json::Error,
    },
}

impl Envelope {
    /// The payload, when the event is of this type; `None` when it is of another.
    pub fn decode<E: Event>(&self) -> Result<Option<E>, DecodeError> {
        if self.event_type != E::TYPE {
            return Ok(None);
        }
        if self.version > E::VERSION {
            let event_type = self.event_type.clone();
            return Err(DecodeError::Version { event_type, found: self.version, known: E::VERSION });
        }
        let payload = serde_json::from_str(&self.payload);
        payload.map(Some).map_err(|source| DecodeError::Payload { event_type: self.event_type.clone(), source })
    }

    pub(super) fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let payload: String = row.try_get_by_index(4)?;
        let occurred_at: DateTime<Utc> = row.try_get_by_index(5)?;
        Ok(Self {
            id: row.try_get_by_index(0)?,
            position: row.try_get_by_index(1)?,
            event_type: row.try_get_by_index(2)?,
            version: u32::try_from(row.try_get_by_index::<i32>(3)?).unwrap_or(u32::MAX),
            payload: payload.into(),
            occurred_at_ms: millis(occurred_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use kernel::events::{UserDisabled, UserRegistered};

    use super::*;

    fn envelope(version: u32, payload: &str) -> Envelope {
        let id = Uuid::from_u128(1);
        let event_type = UserRegistered::TYPE.to_owned();
        Envelope { id, position: 1, event_type, version, payload: payload.into(), occurred_at_ms: 0 }
    }

    #[test]
    fn a_payload_is_read_by_its_type_and_version() {
        let id = r#"{"user_id":"0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55"}"#;
        assert!(envelope(1, id).decode::<UserRegistered>().unwrap().is_some());
        assert!(envelope(1, id).decode::<UserDisabled>().unwrap().is_none());
        assert!(matches!(envelope(2, id).decode::<UserRegistered>(), Err(DecodeError::Version { found: 2, .. })));
        assert!(matches!(envelope(1, "{}").decode::<UserRegistered>(), Err(DecodeError::Payload { .. })));
    }
}
