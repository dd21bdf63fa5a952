//! What happened, for whoever must know: typed payloads with a name and a version, a file for each context.
//!
//! A payload that is already stored must stay readable: add fields with a default, and give a payload that changes its meaning
//! the next version.

mod task;
mod user;

use serde::{Serialize, de::DeserializeOwned};

pub use task::{TaskCancelled, TaskCreated, TaskFailed, TaskRequeued, TaskSucceeded};
pub use user::{UserChanged, UserDisabled, UserErased, UserRegistered};

/// The payload of an event.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What happened, as `context.verb`.
    const TYPE: &'static str;

    /// The version of the payload, raised when its meaning changes.
    const VERSION: u32;
}

/// Names the type and version of a payload.
macro_rules! event {
    ($payload:ident, $name:literal, $version:literal) => {
        impl $crate::events::Event for $payload {
            const TYPE: &'static str = $name;
            const VERSION: u32 = $version;
        }
    };
}
use event;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_payloads_stay_readable() {
        let stored = r#"{"task_id":"0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55","kind":"videos","owner":"ann"}"#;
        let created: TaskCreated = serde_json::from_str(stored).unwrap();
        assert_eq!((created.kind.as_str(), created.owner.as_str()), ("videos", "ann"));
        let stored = r#"{"user_id":"0193a5c4-7b1e-7c3a-9f00-2b6d1e8a4c55"}"#;
        assert!(serde_json::from_str::<UserRegistered>(stored).is_ok());
    }

    #[test]
    fn types_are_named_by_their_context() {
        assert_eq!((TaskFailed::TYPE, TaskFailed::VERSION), ("task.failed", 1));
        assert_eq!((UserErased::TYPE, UserErased::VERSION), ("user.erased", 1));
    }
}
