//! The words every crate shares: languages, time, kinds of error. Nothing here does IO.

mod clock;
mod error_kind;
mod lang;

pub use clock::{Clock, FixedClock, SystemClock};
pub use error_kind::ErrorKind;
pub use lang::{Lang, LangError, ScriptDirection};
