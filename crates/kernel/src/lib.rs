//! The words every crate shares: languages, time, chance, ids, pages, events, kinds of error. Nothing here does IO.

mod clock;
mod error_kind;
pub mod events;
mod id;
mod lang;
mod page;
mod rng;

pub use clock::{Clock, FixedClock, ManualClock, SystemClock};
pub use error_kind::ErrorKind;
pub use id::{IdError, IdSource, TimeOrderedIds};
pub use lang::{Lang, LangError, ScriptDirection};
pub use page::{Cursor, Page, PageError, PageRequest, PageSize};
pub use rng::{Rng, SeededRng};
pub use uuid::Uuid;

#[doc(hidden)]
pub use serde;
