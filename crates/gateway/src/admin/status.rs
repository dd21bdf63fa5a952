//! What the gateway tells its operator of itself.

use std::{fmt::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use platform::server::health::{Component, Need};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    Pool,
    fleet::{Fleet, FleetStatus},
    upstream::{Counts, Health, Role, Upstream},
};

/// How long a part may take to say how it is.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// A server behind the gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpstreamStatus {
    pub id: String,
    pub address: SocketAddr,
    /// Whether it is meant to get requests: `standby`, `serving`, `draining`.
    pub role: String,
    /// How it was found: `unchecked`, `healthy`, `unhealthy`, `ejected`.
    pub health: String,
    /// Requests and sockets that are under way.
    pub in_flight: usize,
    /// Milliseconds until its answers begin, lately.
    pub latency_ms: u64,
    pub requests: u64,
    pub failures: u64,
    pub server_errors: u64,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GatewayStatus {
    pub upstreams: Vec<UpstreamStatus>,
    /// The instances that the gateway starts itself, where it does.
    pub fleet: Option<FleetStatus>,
    /// What is wrong, and what to do.
    pub faults: Vec<String>,
}

impl GatewayStatus {
    /// How everything is now. `components` are the parts of the gateway that can be asked.
    pub(super) async fn of(pool: &Pool, fleet: Option<&Fleet>, components: &[Arc<dyn Component>]) -> Self {
        let upstreams: Vec<_> = pool.upstreams().iter().map(|upstream| UpstreamStatus::of(upstream)).collect();
        let mut faults: Vec<String> = upstreams.iter().filter_map(UpstreamStatus::fault).collect();
        let asked = join_all(components.iter().map(|component| ask(component.as_ref()))).await;
        faults.extend(asked.into_iter().flatten());
        let fleet = fleet.map(Fleet::status);
        faults.extend(fleet.iter().flat_map(|fleet| fleet.faults.clone()));
        Self { upstreams, fleet, faults }
    }

    /// Numbers of each upstream and instance there is, in the text form of Prometheus. They are not kept with the others of the
    /// process, which would remember each that ever was.
    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        let mut series = |name: &str, help: &str, values: &[(String, f64)]| {
            // A text takes all that is written to it.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{{{labels}}} {value}");
            }
        };
        let of_upstreams = |value: fn(&UpstreamStatus) -> f64| {
            let values = self.upstreams.iter().map(|each| (format!("upstream=\"{}\"", each.address), value(each)));
            values.collect::<Vec<_>>()
        };
        series(
            "gateway_upstream_in_flight",
            "Requests and sockets under way",
            &of_upstreams(|each| each.in_flight as f64),
        );
        let is_well = |each: &UpstreamStatus| if each.health == "healthy" { 1.0 } else { 0.0 };
        series("gateway_upstream_healthy", "Whether an upstream is well", &of_upstreams(is_well));
        if let Some(fleet) = &self.fleet {
            let of_instances = |value: fn(&crate::fleet::InstanceStatus) -> f64| {
                let label = |each: &crate::fleet::InstanceStatus| {
                    format!("instance=\"{}\",generation=\"{}\"", each.name, each.generation)
                };
                fleet.instances.iter().map(|each| (label(each), value(each))).collect::<Vec<_>>()
            };
            series(
                "gateway_instance_in_flight",
                "Requests and sockets under way",
                &of_instances(|each| each.in_flight as f64),
            );
            series(
                "gateway_instance_load",
                "What an instance does, 1 being all that it is meant to take",
                &of_instances(|each| each.load),
            );
            series("gateway_instances_wanted", "Instances there are to be", &[(String::new(), fleet.wanted as f64)]);
            series(
                "gateway_generation",
                "The generation that requests go to",
                &[(String::new(), fleet.serving.number as f64)],
            );
        }
        text
    }
}

impl UpstreamStatus {
    fn of(upstream: &Upstream) -> Self {
        let Counts { requests, failures, server_errors } = upstream.counts();
        Self {
            id: upstream.id().to_string(),
            address: upstream.address(),
            role: role_name(upstream.role()).to_owned(),
            health: health_name(upstream.health()).to_owned(),
            in_flight: upstream.in_flight(),
            latency_ms: u64::try_from(upstream.latency().as_millis()).unwrap_or(u64::MAX),
            requests,
            failures,
            server_errors,
        }
    }

    fn fault(&self) -> Option<String> {
        let is_meant = self.role == role_name(Role::Serving);
        let is_well = self.health == health_name(Health::Healthy);
        (is_meant && !is_well).then(|| format!("the upstream {} is {}", self.address, self.health))
    }
}

/// The instances of a gateway, as a part of it that can be asked.
#[derive(Debug, Clone)]
pub struct FleetHealth(pub Fleet);

#[async_trait]
impl Component for FleetHealth {
    fn name(&self) -> &'static str {
        "instances"
    }

    fn need(&self) -> Need {
        Need::Useful
    }

    async fn check(&self) -> Result<(), String> {
        let faults = self.0.status().faults;
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    }
}

async fn ask(component: &dyn Component) -> Option<String> {
    match timeout(TIME_LIMIT, component.check()).await {
        Ok(checked) => checked.err(),
        Err(_) => Some(format!("{} does not answer within {} s", component.name(), TIME_LIMIT.as_secs())),
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Standby => "standby",
        Role::Serving => "serving",
        Role::Draining => "draining",
        Role::Removed => "removed",
    }
}

fn health_name(health: Health) -> &'static str {
    match health {
        Health::Unchecked => "unchecked",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
        Health::Ejected => "ejected",
    }
}
