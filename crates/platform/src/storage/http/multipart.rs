//! The file of a form (RFC 7578), as a stream.

use axum::{
    body::Bytes,
    extract::{FromRequest as _, Multipart, Request, multipart::Field},
};
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};

use crate::{
    server::{
        body::read_failure,
        problem::{Problem, ProblemType},
    },
    storage::{FileName, StorageError},
};

/// The part that holds the file.
const FIELD: &str = "file";

/// A form that is being read.
pub(super) struct Form(Multipart);

/// The file of a form.
pub(super) struct FormFile<'a> {
    pub name: FileName,
    pub body: BoxStream<'a, Result<Bytes, StorageError>>,
}

impl Form {
    pub(super) async fn read(request: Request) -> Result<Self, Problem> {
        let form = Multipart::from_request(request, &()).await;
        form.map(Self).map_err(|_| {
            let problem = Problem::new(ProblemType::UnsupportedMediaType);
            problem.detail("send the file as `multipart/form-data` with a boundary, in a part called `file`")
        })
    }

    /// The file, which is the first part of the form.
    pub(super) async fn file(&mut self) -> Result<FormFile<'_>, Problem> {
        let field = self.0.next_field().await.map_err(|error| read_failure(&error))?;
        let field: Field<'_> = field
            .filter(|field| field.name() == Some(FIELD))
            .ok_or_else(|| Problem::field("/file", "the form has to begin with a part called `file`"))?;
        let name = FileName::new(field.file_name().unwrap_or_default());
        let body = field.map_err(|error| StorageError::Body(error.into())).boxed();
        Ok(FormFile { name, body })
    }
}
