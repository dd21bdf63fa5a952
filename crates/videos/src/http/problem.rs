//! The one map from failures of the desk to problems.

use platform::{
    documents::ListError,
    server::{FieldFault, Problem, ProblemType},
};

use crate::{
    desk::DeskError,
    order::{OrderError, OrderPart},
};

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Order(error) => of_order(error),
            DeskError::Changed(_) => Self::new(ProblemType::PreconditionFailed).detail(error.to_string()),
            DeskError::List(ListError::Db(error)) | DeskError::Db(error) => error.into(),
            DeskError::Storage(error) => error.into(),
            DeskError::Jobs(error) => error.into(),
            DeskError::NoVideo(_) | DeskError::Forbidden(_) | DeskError::List(ListError::Page(_)) => {
                Self::of(error.kind(), &error)
            }
        }
    }
}

/// Each fault with its place in the body.
fn of_order(error: OrderError) -> Problem {
    let faults = error.faults.into_iter().map(|fault| {
        let pointer = match fault.part {
            OrderPart::Words => "/script".to_owned(),
            OrderPart::Setting(name) if name.is_empty() => "/settings".to_owned(),
            OrderPart::Setting(name) => format!("/settings/{}", name.replace('~', "~0").replace('/', "~1")),
            OrderPart::Files => "/files".to_owned(),
        };
        FieldFault { pointer: Some(pointer), parameter: None, detail: fault.reason }
    });
    Problem::with_faults(ProblemType::Validation, faults.collect())
}
