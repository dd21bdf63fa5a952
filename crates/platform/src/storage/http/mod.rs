//! Files and uploads over HTTP.

mod content;
mod disposition;
mod files;
mod multipart;
mod problem;
mod range;
pub(crate) mod tus;
mod uploads;

use axum::{http::HeaderValue, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Files;

/// Bodies of uploads are bounded by the settings, which the document cannot know: this is only more than any file may have.
const MAX_UPLOAD_BODY_BYTES: u64 = 1 << 40;

/// Every route of files.
pub fn routes(files: Files) -> OpenApiRouter {
    let of_uploads = OpenApiRouter::new()
        .routes(routes!(uploads::describe, uploads::create))
        .routes(routes!(uploads::show, uploads::append, uploads::delete))
        .layer(axum::middleware::map_response(name_protocol));
    OpenApiRouter::new()
        .routes(routes!(files::create, files::list))
        .routes(routes!(files::show, files::delete))
        .routes(routes!(files::create_link))
        .routes(routes!(content::stream))
        .routes(routes!(content::download))
        .merge(of_uploads)
        .with_state(files)
}

/// Every answer of the protocol names its version.
async fn name_protocol(mut response: Response) -> Response {
    response.headers_mut().insert(tus::RESUMABLE, HeaderValue::from_static(tus::VERSION));
    response
}
