//! The state of a gateway as a table for people.

use gateway::{
    admin::{GatewayStatus, UpstreamStatus},
    fleet::{FleetStatus, InstanceStatus, Scale},
};

/// Everything in lines: the instances where the gateway starts them, else the upstreams; then what is wrong.
pub(crate) fn render(status: &GatewayStatus) -> String {
    let mut lines = Vec::new();
    if let Some(fleet) = &status.fleet {
        lines.push(summary(fleet));
        let head = ["instance", "generation", "address", "pid", "state", "in flight", "load"];
        lines.extend(columns(&head, fleet.instances.iter().map(instance).collect()));
    }
    let of_instances = |upstream: &&UpstreamStatus| {
        let fleet = status.fleet.iter().flat_map(|fleet| &fleet.instances);
        fleet.filter_map(|instance| instance.address).any(|address| address == upstream.address)
    };
    let others: Vec<_> = status.upstreams.iter().filter(|upstream| !of_instances(upstream)).collect();
    if !others.is_empty() {
        let head = ["upstream", "role", "health", "in flight", "latency", "requests", "failures"];
        lines.extend(columns(&head, others.into_iter().map(upstream).collect()));
    }
    lines.extend(status.faults.iter().map(|fault| format!("wrong: {fault}")));
    lines.join("\n") + "\n"
}

fn summary(fleet: &FleetStatus) -> String {
    let scale = match fleet.scale {
        Scale::Auto => format!("{} wanted, by load, {} to {}", fleet.wanted, fleet.min, fleet.max),
        Scale::Fixed(count) => format!("{count} wanted, as was set"),
    };
    let previous = match &fleet.previous {
        Some(previous) => format!("; before it {}, `{}`", previous.number, previous.program.display()),
        None => String::new(),
    };
    let serving = &fleet.serving;
    format!("generation {}, `{}`{previous}\n{scale}; load {:.2}", serving.number, serving.program.display(), fleet.load)
}

fn instance(instance: &InstanceStatus) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let state = match instance.is_healthy {
        Some(false) => format!("{}, not well", instance.state.name()),
        _ => instance.state.name().to_owned(),
    };
    vec![
        instance.name.clone(),
        instance.generation.to_string(),
        or_dash(instance.address.map(|address| address.to_string())),
        or_dash(instance.pid.map(|pid| pid.to_string())),
        state,
        instance.in_flight.to_string(),
        format!("{:.2}", instance.load),
    ]
}

fn upstream(upstream: &UpstreamStatus) -> Vec<String> {
    vec![
        upstream.address.to_string(),
        upstream.role.clone(),
        upstream.health.clone(),
        upstream.in_flight.to_string(),
        format!("{} ms", upstream.latency_ms),
        upstream.requests.to_string(),
        upstream.failures.to_string(),
    ]
}

/// Rows below their heads, each column as wide as its widest entry.
fn columns(head: &[&str], rows: Vec<Vec<String>>) -> Vec<String> {
    let head = head.iter().map(|name| (*name).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width_of = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width_of).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instances_upstreams_and_faults_are_shown_each_once() {
        let upstream = |address: &str| {
            json!({ "id": "1", "address": address, "role": "serving", "health": "healthy", "in_flight": 3, "latency_ms": 12,
                "requests": 40, "failures": 1, "server_errors": 0 })
        };
        let status = json!({
            "upstreams": [upstream("127.0.0.1:4001"), upstream("10.0.0.7:8080")],
            "fleet": {
                "serving": { "number": 2, "program": "/opt/new" }, "previous": { "number": 1, "program": "/opt/old" },
                "scale": "auto", "wanted": 2, "min": 1, "max": 4, "load": 0.256, "deployment": null, "faults": [],
                "instances": [
                    { "name": "g2-3", "generation": 2, "state": "serving", "since_s": 9, "is_healthy": true,
                      "address": "127.0.0.1:4001", "pid": 77, "in_flight": 3, "load": 0.256 },
                    { "name": "g2-4", "generation": 2, "state": "starting", "since_s": 0, "is_healthy": null,
                      "address": null, "pid": null, "in_flight": 0, "load": 0.0 },
                ],
            },
            "faults": ["1 of 2 instances serve"],
        });
        let expected = "\
generation 2, `/opt/new`; before it 1, `/opt/old`
2 wanted, by load, 1 to 4; load 0.26
instance  generation  address         pid  state     in flight  load
g2-3      2           127.0.0.1:4001  77   serving   3          0.26
g2-4      2           -               -    starting  0          0.00
upstream       role     health   in flight  latency  requests  failures
10.0.0.7:8080  serving  healthy  3          12 ms    40        1
wrong: 1 of 2 instances serve
";
        assert_eq!(render(&serde_json::from_value(status).unwrap()), expected);
    }
}
