//! The one map from what can go wrong to problems.

use kernel::ErrorKind;
use platform::server::{Problem, ProblemType};

use crate::error::IdentityError;

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        let text = error.to_string();
        match error {
            IdentityError::Db(error) => Self::from(error),
            IdentityError::Throttled { wait } => Self::new(ProblemType::RateLimited).detail(text).retry_after(wait),
            IdentityError::Changed => Self::new(ProblemType::PreconditionFailed).detail(text),
            IdentityError::WrongPassword => Self::field("/current_password", text),
            IdentityError::ResetRefused => Self::field("/token", text),
            IdentityError::ScopeNotHeld(_) | IdentityError::NoScope => Self::field("/scopes", text),
            IdentityError::Page(_) => Self::parameter("cursor", text),
            // Which part of the installation it is belongs into the log.
            IdentityError::Mail(error) if error.kind() != ErrorKind::Missing => {
                tracing::warn!(error = %error, "a letter was not taken");
                Self::new(ProblemType::Unavailable).retry_after(std::time::Duration::from_mins(1))
            }
            error => Self::of(error.kind(), &text),
        }
    }
}
