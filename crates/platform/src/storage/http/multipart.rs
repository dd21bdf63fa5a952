//! The file of a form (RFC 7578), as a stream.

use std::{
    error::Error,
    iter,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    body::{Body, Bytes},
    extract::{
        FromRequest as _, Multipart, Request,
        multipart::{Field, MultipartError},
    },
};
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};

use crate::{
    server::{
        body::read_failure,
        problem::{Problem, ProblemType},
    },
    storage::{FileName, StorageError},
};

/// The part that holds the file.
const FIELD: &str = "file";

/// What may stand before the file: the first boundary and the headers of the part. The parser holds it in memory.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A form that is being read.
pub(super) struct Form {
    parts: Multipart,
    /// Whether the file has begun.
    is_begun: Arc<AtomicBool>,
}

/// The file of a form.
pub(super) struct FormFile<'a> {
    pub name: FileName,
    pub body: BoxStream<'a, Result<Bytes, StorageError>>,
}

impl Form {
    pub(super) async fn read(request: Request) -> Result<Self, Problem> {
        let is_begun = Arc::<AtomicBool>::default();
        let request = request.map(|body| in_pieces(body, Arc::clone(&is_begun)));
        let parts = Multipart::from_request(request, &()).await;
        parts.map(|parts| Self { parts, is_begun }).map_err(|_| {
            let problem = Problem::new(ProblemType::UnsupportedMediaType);
            problem.detail("send the file as `multipart/form-data` with a boundary, in a part called `file`")
        })
    }

    /// The file, which is the first part of the form.
    pub(super) async fn file(&mut self) -> Result<FormFile<'_>, Problem> {
        let field = self.parts.next_field().await.map_err(|error| head_failure(&error))?;
        let field: Field<'_> = field.filter(|field| field.name() == Some(FIELD)).ok_or_else(no_file)?;
        self.is_begun.store(true, Ordering::Relaxed);
        let name = FileName::new(field.file_name().unwrap_or_default());
        let body = field.map_err(|error| StorageError::Body(error.into())).boxed();
        Ok(FormFile { name, body })
    }
}

/// `body`, of which the parser gets one piece at a time: it takes all that is ready into memory before it looks at any.
fn in_pieces(body: Body, is_begun: Arc<AtomicBool>) -> Body {
    let pieces = stream::try_unfold((body.into_data_stream(), 0), move |(mut body, seen_bytes)| {
        let is_begun = Arc::clone(&is_begun);
        async move {
            tokio::task::yield_now().await;
            if seen_bytes > MAX_HEAD_BYTES && !is_begun.load(Ordering::Relaxed) {
                return Err(axum::Error::new(HeadTooLong));
            }
            let piece = body.try_next().await?;
            Ok(piece.map(|piece| (piece.clone(), (body, seen_bytes + piece.len()))))
        }
    });
    Body::from_stream(pieces)
}

#[derive(Debug, thiserror::Error)]
#[error("there is no file in the first {MAX_HEAD_BYTES} bytes")]
struct HeadTooLong;

fn head_failure(error: &MultipartError) -> Problem {
    let mut causes = iter::successors(Some::<&(dyn Error + 'static)>(error), |error| (*error).source());
    if causes.any(<dyn Error>::is::<HeadTooLong>) { no_file() } else { read_failure(error) }
}

fn no_file() -> Problem {
    Problem::field("/file", "the form has to begin with a part called `file`")
}
