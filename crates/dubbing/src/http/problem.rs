//! The one map from failures of the desk to problems.

use platform::{
    documents::ListError,
    server::{Problem, ProblemType},
};

use crate::desk::DeskError;

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Order { pointer, reason } => Self::field(pointer, reason),
            DeskError::Changed(_) => Self::new(ProblemType::PreconditionFailed).detail(error.to_string()),
            DeskError::List(ListError::Db(error)) | DeskError::Db(error) => error.into(),
            DeskError::Storage(error) => error.into(),
            DeskError::Jobs(error) => error.into(),
            DeskError::NoDub(_)
            | DeskError::NotMade(_)
            | DeskError::BeingMade { .. }
            | DeskError::Edit(_)
            | DeskError::Forbidden(_)
            | DeskError::List(ListError::Page(_)) => Self::of(error.kind(), &error),
        }
    }
}
