//! The words every crate shares: languages, time, chance, ids, pages, events, who may do what, kinds of error. Nothing here does IO.

mod access;
mod actor;
mod clock;
mod error_kind;
pub mod events;
mod id;
mod lang;
mod page;
mod rng;

pub use access::{Permission, Permissions, Plan, Role, UnknownName};
pub use actor::{Actor, ApiKeyId, Credential, Forbidden, SessionId, UserId};
pub use clock::{Clock, FixedClock, ManualClock, SystemClock};
pub use error_kind::ErrorKind;
pub use id::{IdError, IdSource, TimeOrderedIds};
pub use lang::{Lang, LangError, ScriptDirection};
pub use page::{Cursor, Page, PageError, PageRequest, PageSize};
pub use rng::{Rng, SeededRng};
pub use uuid::Uuid;

#[doc(hidden)]
pub use serde;
