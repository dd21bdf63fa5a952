//! `pressroom health`: for those who watch over a server and have no HTTP client at hand, such as a container's health check.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use kernel::ErrorKind;
use platform::{
    http::{Probed, probe},
    server::health::{HealthReport, State},
};

use crate::{
    cli::{
        Global,
        console::{Console, print_json},
        exit,
    },
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// What to ask; `/readyz` where it has no path [default: the server of these settings]
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// Seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

pub(crate) async fn run(args: HealthArgs, global: &Global, console: &Console) -> anyhow::Result<ExitCode> {
    let url = match args.url {
        Some(url) => url,
        None => format!("http://{}", reachable(wiring::settings(global.data.as_deref())?.server.listen)),
    };
    let probed = probe(&url, Duration::from_secs(args.timeout)).await?;
    let is_healthy = probed.status.is_success();
    let faults = faults_of(&probed);
    if console.is_json() {
        let status = probed.status.as_u16();
        print_json(
            &serde_json::json!({ "url": probed.url, "status": status, "healthy": is_healthy, "faults": faults }),
        )?;
    } else if is_healthy {
        console.say(&format!("`{}` answers {}", probed.url, probed.status));
    } else {
        let faults = if faults.is_empty() { "it names no part at fault".to_owned() } else { faults.join(", ") };
        console.say(&format!("`{}` answers {}: {faults}; its log says why", probed.url, probed.status));
    }
    Ok(if is_healthy { ExitCode::SUCCESS } else { exit::of_kind(ErrorKind::Unavailable) })
}

/// The address at which this machine reaches a server that listens at `listen`.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

/// The parts that do not work, where the answer names them.
fn faults_of(probed: &Probed) -> Vec<String> {
    let Ok(report) = serde_json::from_slice::<HealthReport>(&probed.body) else { return Vec::new() };
    let at_fault = report.components.into_iter().filter(|component| component.state == State::Unhealthy);
    at_fault.map(|component| component.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_all_addresses_is_asked_on_this_machine() {
        for (listen, asked) in
            [("0.0.0.0:8080", "127.0.0.1:8080"), ("[::]:8080", "[::1]:8080"), ("10.1.2.3:9", "10.1.2.3:9")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
