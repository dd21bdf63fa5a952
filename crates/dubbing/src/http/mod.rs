//! Dubs over HTTP, a file for each resource.

mod dubs;
mod problem;
mod shapes;
mod transcripts;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::desk::Desk;

/// Every route of this context.
pub fn routes(desk: Desk) -> OpenApiRouter {
    let api = OpenApiRouter::new()
        .routes(routes!(dubs::list, dubs::create))
        .routes(routes!(dubs::show, dubs::edit, dubs::delete))
        .routes(routes!(dubs::render))
        .routes(routes!(dubs::report))
        .routes(routes!(transcripts::transcribe));
    OpenApiRouter::new().nest("/api/v1", api).with_state(desk)
}
