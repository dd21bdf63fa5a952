//! Whether the server can do its work: each part asked by itself, within a time, and named where it fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use metrics::{describe_gauge, gauge};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::db::Db;

/// How long a part may take to answer.
const TIME_LIMIT: Duration = Duration::from_secs(2);

const HEALTHY: &str = "component_healthy";

/// Whether the server can do without a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Without it no request should come here.
    Vital,
    /// Without it something is lacking, and the rest works.
    Useful,
}

/// A part of the server that can be asked.
#[async_trait]
pub trait Component: Send + Sync {
    /// Its name, as in `/health/NAME`.
    fn name(&self) -> &'static str;

    /// Whether the server can do without it.
    fn need(&self) -> Need;

    /// Why it does not work, for the log: what it says may name hosts and paths, so it is not sent to anybody.
    async fn check(&self) -> Result<(), String>;
}

/// The database: without it nothing works.
#[derive(Debug, Clone)]
pub struct DatabaseHealth(pub Db);

#[async_trait]
impl Component for DatabaseHealth {
    fn name(&self) -> &'static str {
        "db"
    }

    fn need(&self) -> Need {
        Need::Vital
    }

    async fn check(&self) -> Result<(), String> {
        self.0.ping().await.map_err(|error| error.to_string())
    }
}

/// The replica of the database: without it all reads go to the primary.
#[derive(Debug, Clone)]
pub struct ReplicaHealth(pub Db);

#[async_trait]
impl Component for ReplicaHealth {
    fn name(&self) -> &'static str {
        "replica"
    }

    fn need(&self) -> Need {
        Need::Useful
    }

    async fn check(&self) -> Result<(), String> {
        self.0.replica_fault().map_or(Ok(()), Err)
    }
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Healthy,
    Unhealthy,
}

/// How one part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComponentReport {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
}

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthReport {
    /// Unhealthy where any part is.
    pub state: State,
    /// Each part.
    pub components: Vec<ComponentReport>,
}

/// The parts of a server, and whether it takes requests.
#[derive(Clone, Default)]
pub struct Health {
    components: Vec<Arc<dyn Component>>,
    is_draining: Arc<AtomicBool>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.components.iter().map(|component| component.name()).collect();
        f.debug_struct("Health").field("components", &names).finish_non_exhaustive()
    }
}

impl Health {
    /// A server of these parts.
    pub fn new(components: Vec<Arc<dyn Component>>) -> Self {
        describe_gauge!(HEALTHY, "1 where the part worked when it was last asked, else 0");
        Self { components, is_draining: Arc::default() }
    }

    /// From now on the server is not ready: whoever shares out requests sends no more.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// How every part is.
    pub async fn report(&self) -> HealthReport {
        HealthReport::of(self.components.iter()).await
    }

    /// How one part is; nothing where there is no such part.
    pub async fn report_of(&self, name: &str) -> Option<ComponentReport> {
        let component = self.components.iter().find(|component| component.name() == name)?;
        Some(ask(component.as_ref()).await)
    }

    /// Whether requests should come here: the vital parts work, and the server is not about to end.
    pub async fn readiness(&self) -> HealthReport {
        let vital = self.components.iter().filter(|component| component.need() == Need::Vital);
        let mut report = HealthReport::of(vital).await;
        if self.is_draining.load(Ordering::Relaxed) {
            report.state = State::Unhealthy;
        }
        report
    }
}

impl HealthReport {
    /// What these parts say, asked side by side.
    async fn of(components: impl Iterator<Item = &Arc<dyn Component>>) -> Self {
        let components = join_all(components.map(|component| ask(component.as_ref()))).await;
        let is_healthy = components.iter().all(|component| component.state == State::Healthy);
        Self { state: if is_healthy { State::Healthy } else { State::Unhealthy }, components }
    }
}

async fn ask(component: &dyn Component) -> ComponentReport {
    let failure = match tokio::time::timeout(TIME_LIMIT, component.check()).await {
        Ok(Ok(())) => None,
        Ok(Err(reason)) => Some(reason),
        Err(_) => Some(format!("no answer within {} s", TIME_LIMIT.as_secs())),
    };
    if let Some(reason) = &failure {
        tracing::warn!(component = component.name(), reason, "a part of the server does not work");
    }
    gauge!(HEALTHY, "component" => component.name()).set(if failure.is_none() { 1.0 } else { 0.0 });
    let state = if failure.is_none() { State::Healthy } else { State::Unhealthy };
    ComponentReport { name: component.name().to_owned(), state }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Part(&'static str, Need, Result<(), &'static str>);

    #[async_trait]
    impl Component for Part {
        fn name(&self) -> &'static str {
            self.0
        }

        fn need(&self) -> Need {
            self.1
        }

        async fn check(&self) -> Result<(), String> {
            if self.2 == Err("hangs") {
                std::future::pending::<()>().await;
            }
            self.2.map_err(str::to_owned)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_hangs_is_named_and_the_others_still_answer() {
        let health = Health::new(vec![
            Arc::new(Part("db", Need::Vital, Ok(()))),
            Arc::new(Part("mail", Need::Useful, Err("hangs"))),
        ]);
        let report = health.report().await;
        assert_eq!(report.state, State::Unhealthy);
        let states: Vec<_> = report.components.iter().map(|part| (part.name.as_str(), part.state)).collect();
        assert_eq!(states, [("db", State::Healthy), ("mail", State::Unhealthy)]);
        assert_eq!(health.readiness().await.state, State::Healthy, "it can do without mail");
        assert_eq!(health.report_of("mail").await.unwrap().state, State::Unhealthy);
        assert_eq!(health.report_of("nothing").await, None);
    }

    #[tokio::test]
    async fn a_server_about_to_end_is_not_ready() {
        let health = Health::new(vec![Arc::new(Part("db", Need::Vital, Ok(())))]);
        assert_eq!(health.readiness().await.state, State::Healthy);
        health.drain();
        assert_eq!(health.readiness().await.state, State::Unhealthy);
    }

    #[tokio::test]
    async fn what_a_part_says_of_its_fault_is_not_sent() {
        let health = Health::new(vec![Arc::new(Part("db", Need::Vital, Err("postgres://user:secret@host refused")))]);
        let sent = serde_json::to_string(&health.report().await).unwrap();
        assert_eq!(sent, r#"{"state":"unhealthy","components":[{"name":"db","state":"unhealthy"}]}"#);
    }
}
