//! Times as they are shown.

use chrono::SecondsFormat;

use crate::db::timestamp;

/// A time in milliseconds since the Unix epoch, in UTC (RFC 3339).
pub fn rfc3339(at_ms: i64) -> String {
    timestamp(at_ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}
