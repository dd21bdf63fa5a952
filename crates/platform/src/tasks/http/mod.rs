//! Tasks over HTTP: as resources, as a stream of events, over a web socket.

mod body;
mod events;
mod problem;
mod socket;
mod tasks;

use utoipa_axum::{router::OpenApiRouter, routes};

pub use body::{TaskBody, UrgencyBody, accepted, priorities};

use super::Tasks;

/// Every route of tasks.
pub fn routes(tasks: Tasks) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(tasks::list))
        .routes(routes!(tasks::show, tasks::delete))
        .routes(routes!(tasks::cancel))
        .routes(routes!(tasks::retry))
        .routes(routes!(tasks::list_queues))
        .routes(routes!(events::follow))
        .routes(routes!(socket::connect))
        .with_state(tasks)
}
