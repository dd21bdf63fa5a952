//! The gateway put together: the proxy, the instances it starts, and the operator's address.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use gateway::{
    Gateway, Pool, Surroundings,
    admin::{Access, AdminAddress, AdminParts, AdminServer, TOKEN_VARIABLE},
    file::GatewayFile,
    fleet::{Fleet, FleetSettings, InstanceSettings},
};
use kernel::{Clock, SystemClock, TimeOrderedIds};
use platform::{
    config::secret,
    rng::SystemRng,
    server::{listen::Drained, metrics::Metrics},
};
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// Networks that the gateway speaks to its instances from.
const OWN_NETWORKS: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// How often what past measurements take is freed.
const MEASUREMENTS_INTERVAL: Duration = Duration::from_secs(5);

/// A gateway that has its addresses, and does nothing yet.
pub(crate) struct OpenGateway {
    proxy: Gateway,
    is_encrypted: bool,
    fleet: Option<Fleet>,
    admin: AdminServer,
    parts: AdminParts,
}

/// Where a gateway keeps what it knows of its instances, and its token.
pub(crate) fn state_folder(file: Option<&GatewayFile>, settings: &Settings) -> PathBuf {
    let named = file.and_then(|file| file.control.instances.as_ref()?.state.clone());
    named.unwrap_or_else(|| settings.data.join("gateway"))
}

/// Takes the addresses that the file names.
pub(crate) async fn open(file: GatewayFile, settings: &Settings) -> anyhow::Result<OpenGateway> {
    let (clock, rng): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), Arc::new(SystemRng));
    let state = std::path::absolute(state_folder(Some(&file), settings))?;
    let pool = Pool::new(file.proxy.health.clone());
    let metrics = Metrics::of_process();
    let access = Access::resolve(&file.control.admin.listen, secret(TOKEN_VARIABLE)?, &state, rng.as_ref())?;
    let fleet = fleet_settings(&file, settings, state)?;
    let fleet = fleet.map(|settings| Fleet::open(settings, pool.clone(), clock.clone())).transpose()?;
    let admin = AdminServer::bind(&file.control.admin.listen).await?;
    let is_encrypted = file.proxy.tls.is_some();
    let ids = Arc::new(TimeOrderedIds::new(clock.clone(), rng));
    let proxy = Gateway::bind(file.proxy, pool.clone(), Surroundings { clock, ids }).await?;
    let parts = AdminParts { access, pool, fleet: fleet.clone(), metrics, components: proxy.components() };
    Ok(OpenGateway { proxy, is_encrypted, fleet, admin, parts })
}

fn fleet_settings(file: &GatewayFile, settings: &Settings, state: PathBuf) -> anyhow::Result<Option<FleetSettings>> {
    let Some(mut instances) = file.control.instances.clone() else { return Ok(None) };
    let program = if let Some(program) = &instances.program {
        std::path::absolute(program)?
    } else {
        tell_own_settings(&mut instances, file, settings);
        std::env::current_exe().context("the path of this program is not known; set `instances.program`")?
    };
    Ok(Some(FleetSettings {
        instances,
        scaling: file.control.scaling.clone(),
        deploy: file.control.deploy.clone(),
        ready_path: file.proxy.health.path.clone(),
        state,
        program,
        kept_variables: vec![TOKEN_VARIABLE.to_owned(), format!("{TOKEN_VARIABLE}_FILE")],
    }))
}

/// Instances that are Pressroom use the data folder of the gateway's flag, believe what it says of its clients, and are one
/// server to users: without a common name for it, each would take the tokens of the others for those of a stranger.
fn tell_own_settings(instances: &mut InstanceSettings, file: &GatewayFile, settings: &Settings) {
    let scheme = if file.proxy.tls.is_some() { "https" } else { "http" };
    let local = || format!("{scheme}://localhost:{}", file.proxy.listen.address.port());
    let public_url = settings.server.public_url.as_ref().map_or_else(local, ToString::to_string);
    let networks = settings.server.trusted_proxies.iter().map(ToString::to_string);
    let networks: Vec<String> = networks.chain(OWN_NETWORKS.map(str::to_owned)).collect();
    let own = [
        ("PRESSROOM_DATA", settings.data.to_string_lossy().into_owned()),
        ("PRESSROOM_SERVER_PUBLIC_URL", public_url),
        ("PRESSROOM_SERVER_TRUSTED_PROXIES", networks.join(",")),
    ];
    for (name, value) in own {
        instances.environment.entry(name.to_owned()).or_insert(value);
    }
}

impl OpenGateway {
    /// Where clients come in.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.proxy.address()?)
    }

    /// The same, for a browser.
    pub(crate) fn url(&self) -> anyhow::Result<String> {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.address()?))
    }

    /// Where the operator comes in.
    pub(crate) fn admin_address(&self) -> anyhow::Result<AdminAddress> {
        Ok(self.admin.address()?)
    }

    /// Works until `stop`: then finishes what clients began, ends the instances, and last of all is silent to its operator.
    /// Returns how many connections were cut.
    pub(crate) async fn run(self, stop: CancellationToken) -> usize {
        let Self { proxy, fleet, admin, parts, .. } = self;
        let (stop_fleet, stop_admin) = (CancellationToken::new(), CancellationToken::new());
        tokio::spawn(stop_admin.clone().run_until_cancelled_owned(free_measurements(parts.metrics.clone())));
        let serve = async {
            let drained = proxy.run(stop).await;
            stop_fleet.cancel();
            drained
        };
        let keep = async {
            match &fleet {
                Some(fleet) => fleet.run(stop_fleet.clone()).await,
                None => stop_fleet.cancelled().await,
            }
            stop_admin.cancel();
        };
        let (drained, (), ()) = tokio::join!(serve, keep, admin.run(parts, stop_admin.clone()));
        match drained {
            Drained::Whole => 0,
            Drained::Cut { connections } => connections,
        }
    }
}

/// Measurements are kept one by one until somebody asks for the numbers, and nobody may ever ask.
async fn free_measurements(metrics: Metrics) {
    loop {
        tokio::time::sleep(MEASUREMENTS_INTERVAL).await;
        drop(metrics.render());
    }
}
