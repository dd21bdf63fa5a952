//! Videos over HTTP, a file for each resource.

mod alone;
mod problem;
mod shapes;
mod videos;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::desk::Desk;

/// Every route of this context.
pub fn routes(desk: Desk) -> OpenApiRouter {
    let api = OpenApiRouter::new()
        .routes(routes!(videos::list, videos::create))
        .routes(routes!(videos::show, videos::change, videos::delete))
        .routes(routes!(videos::render))
        .routes(routes!(videos::storyboard))
        .routes(routes!(alone::narrate))
        .routes(routes!(alone::subtitle));
    OpenApiRouter::new().nest("/api/v1", api).with_state(desk)
}
