//! What identity speaks of: users, sessions, keys, acts. Values are checked where they are made, so that what is inside is valid.

mod api_key;
mod audit;
mod email;
mod name;
mod password;
mod session;
mod user;

pub use api_key::{ApiKey, NewApiKey};
pub use audit::{Act, AuditEntry, Deed, Origin};
pub use email::{Email, EmailError};
pub use name::{Name, NameError};
pub use password::{Password, PasswordError};
pub use session::{Presented, RefreshState, Session, SessionKind, judge_refresh};
pub use user::{Status, User, UserChange, UserFilter};
