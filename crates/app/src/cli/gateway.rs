//! `pressroom gateway`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use gateway::{
    admin::{AdminAddress, AdminClient, AdminSettings, GatewayStatus, TOKEN_VARIABLE, find_token},
    file::GatewayFile,
    fleet::{DeploymentReport, Outcome, Scale},
};
use platform::config::secret;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{
        Global,
        console::{Console, print, print_json},
        exit, gateway_table,
    },
    gateway as wired, wiring,
};

/// How often a deploy is asked how it stands.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct GatewayArgs {
    /// The settings of the gateway
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show instances and upstreams, and what is wrong
    Status(Reach),
    /// Set how many instances there are, or `auto` for as many as the load asks for
    Scale {
        #[arg(value_name = "COUNT|auto")]
        instances: Count,
        #[command(flatten)]
        reach: Reach,
    },
    /// Put a program in the place of the one that serves; the one before serves on where it fails
    Deploy {
        #[arg(value_name = "PROGRAM")]
        program: PathBuf,
        #[command(flatten)]
        reach: Reach,
    },
    /// Call off the deploy that goes on, or put the program before back in its place
    Rollback(Reach),
}

/// Where the gateway is.
#[derive(Debug, Args)]
struct Reach {
    /// The operator's address of the gateway [default: that of --config, else 127.0.0.1:8090]
    #[arg(long, value_name = "URL")]
    admin: Option<AdminAddress>,
    /// The settings of the gateway
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
struct Count(Scale);

impl std::str::FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self(Scale::Auto));
        }
        let count = text.parse().map_err(|_| format!("`{text}` is no number; give one, or `auto`"))?;
        Ok(Self(Scale::Fixed(count)))
    }
}

pub(crate) async fn run(
    args: GatewayArgs,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    match (args.action, args.config) {
        (None, Some(config)) => serve(&config, global, console, cancel).await,
        (None, None) => bail!("name the settings of the gateway with `--config`"),
        (Some(Action::Status(reach)), _) => {
            show(&reach.client(global)?.get("/status").await?, console)?;
            Ok(ExitCode::SUCCESS)
        }
        (Some(Action::Scale { instances, reach }), _) => {
            let wanted = match instances.0 {
                Scale::Auto => json!("auto"),
                Scale::Fixed(count) => json!(count),
            };
            show(&reach.client(global)?.post("/scale", &json!({ "instances": wanted })).await?, console)?;
            Ok(ExitCode::SUCCESS)
        }
        (Some(Action::Deploy { program, reach }), _) => {
            let program = std::path::absolute(&program).with_context(|| format!("`{}`", program.display()))?;
            let client = reach.client(global)?;
            let begun = client.post("/deploy", &json!({ "program": program })).await?;
            follow(&client, begun, console, cancel).await
        }
        (Some(Action::Rollback(reach)), _) => {
            let client = reach.client(global)?;
            let begun = client.post("/rollback", &json!({})).await?;
            follow(&client, begun, console, cancel).await
        }
    }
}

async fn serve(
    config: &Path,
    global: &Global,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let settings = wiring::settings(global.data.as_deref())?;
    let gateway = wired::open(GatewayFile::read(config)?, &settings).await?;
    let (address, admin) = (gateway.address()?, gateway.admin_address()?);
    if console.is_json() {
        print_json(&json!({ "event": "listening", "address": address, "admin": admin.to_string() }))?;
    }
    console.say(&format!("{} for clients, {admin} for the operator", gateway.url()?));
    let left = gateway.run(cancel).await;
    if left > 0 {
        console.warn(&format!("{left} connections were cut at the deadline"));
    }
    Ok(ExitCode::SUCCESS)
}

impl Reach {
    fn client(&self, global: &Global) -> anyhow::Result<AdminClient> {
        let settings = wiring::settings(global.data.as_deref())?;
        let file = self.config.as_deref().map(GatewayFile::read).transpose()?;
        let state = wired::state_folder(file.as_ref(), &settings);
        let named = || file.as_ref().map(|file| file.control.admin.listen.clone());
        let address = self.admin.clone().or_else(named).unwrap_or_else(|| AdminSettings::default().listen);
        let token = secret(TOKEN_VARIABLE)?.or_else(|| find_token(&state));
        Ok(AdminClient::new(address, token))
    }
}

fn show(status: &GatewayStatus, console: &Console) -> anyhow::Result<()> {
    if console.is_json() {
        return print_json(status);
    }
    Ok(print(&gateway_table::render(status))?)
}

/// Tells how a deploy goes until it has ended. Whoever stops looking does not stop it.
async fn follow(
    client: &AdminClient,
    begun: DeploymentReport,
    console: &Console,
    cancel: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let is_called_off = begun.is_called_off;
    // Who calls a deploy off was told of it by the command that began it.
    let mut told = if is_called_off { begun.events.len() } else { 0 };
    let mut report = begun;
    loop {
        for event in report.events.iter().skip(told) {
            if console.is_json() {
                print_json(&json!({ "event": "deploy", "at_ms": event.at_ms, "message": event.message }))?;
            }
            console.say(&event.message);
        }
        told = report.events.len();
        if report.outcome != Outcome::Running {
            break;
        }
        if cancel.run_until_cancelled(sleep(POLL_INTERVAL)).await.is_none() {
            console.warn("the deploy goes on; `pressroom gateway rollback` calls it off");
            return Ok(ExitCode::from(exit::CANCELLED));
        }
        let now: DeploymentReport = client.get("/deploy").await?;
        if now.generation != report.generation {
            bail!("generation {} was followed by another deploy; see `pressroom gateway status`", report.generation);
        }
        report = now;
    }
    conclude(&report, is_called_off.then_some(CalledOff), console)
}

/// The command itself called the deploy off, and so wants it to have failed.
#[derive(Debug, Clone, Copy)]
struct CalledOff;

fn conclude(report: &DeploymentReport, called_off: Option<CalledOff>, console: &Console) -> anyhow::Result<ExitCode> {
    let DeploymentReport { generation, outcome, reason, .. } = report;
    if console.is_json() {
        let event = json!({ "event": "deployed", "generation": generation, "outcome": outcome, "reason": reason });
        print_json(&event)?;
    }
    match (reason, called_off) {
        (None, _) => console.say(&format!("generation {generation} serves")),
        (Some(_), Some(CalledOff)) => console.say(&format!("generation {generation} was called off")),
        (Some(reason), None) => {
            console.error(&anyhow::anyhow!("generation {generation} does not serve: {reason}"));
            return Ok(ExitCode::from(exit::CHECK_FAILED));
        }
    }
    Ok(ExitCode::SUCCESS)
}
