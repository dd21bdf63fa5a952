//! Certificates from a real authority: Pebble, which checks signatures, nonces and proofs as RFC 8555 has it.
#![expect(clippy::disallowed_methods, reason = "a server for tests")]

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use kernel::{Clock as _, ManualClock, SystemClock};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{
    PATIENCE, Running,
    certificates::{self, Authority, NAME, shown},
    client::{connect_over, get, read},
    gateway_at, settings,
    upstream::Server,
};

/// An authority and the names it asks, which end with this value, and with this process.
struct Pebble {
    children: Vec<Child>,
    address: SocketAddr,
    management: SocketAddr,
    vouching: Authority,
}

impl Pebble {
    /// It looks for proofs at `http`.
    async fn start(http: SocketAddr, folder: &Path) -> Self {
        let vouching = Authority::new();
        vouching.issue_for("localhost", 2020, 2090);
        let [address, management, names, names_management] =
            [free_address().await, free_address().await, free_address().await, free_address().await];
        let config = serde_json::json!({"pebble": {
            "listenAddress": address, "managementListenAddress": management,
            "certificate": vouching.certificate(), "privateKey": vouching.key(),
            "httpPort": http.port(), "tlsPort": 1, "ocspResponderURL": "", "externalAccountBindingRequired": false,
        }});
        let path = folder.join("pebble.json");
        std::fs::write(&path, config.to_string()).unwrap();
        let (names, names_management) = (names.to_string(), names_management.to_string());
        let answering =
            ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", &names, "-management", &names_management];
        let silent = ["-http01", "", "-https01", "", "-tlsalpn01", ""];
        let mut pebble = Self { children: Vec::new(), address, management, vouching };
        pebble.spawn("pebble-challtestsrv", &[&answering[..], &silent].concat());
        pebble.spawn("pebble", &["-config", path.to_str().unwrap(), "-dnsserver", &names]);
        let listening = async {
            while TcpStream::connect(address).await.is_err() || TcpStream::connect(management).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, listening).await.unwrap();
        pebble
    }

    fn spawn(&mut self, program: &str, arguments: &[&str]) {
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", program])
            .args(arguments)
            // It looks at once; one nonce in twenty is refused, as it does by default.
            .env("PEBBLE_VA_NOSLEEP", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.children
            .push(child.unwrap_or_else(|error| panic!("{program}: {error}; install it with `scripts/setup test`")));
    }

    fn section(&self, folder: &Path) -> String {
        let (port, root) = (self.address.port(), self.vouching.root_file());
        format!(
            "[tls]\nreload_s = 1\n[tls.acme]\ndirectory = 'https://localhost:{port}/dir'\ndomains = ['{NAME}']\n\
             contact = ['mailto:ops@press.example']\nagrees_to_terms = true\nfolder = '{}'\nroot = '{}'\n",
            folder.display(),
            root.display()
        )
    }

    /// The root of the certificates that it issues.
    async fn roots(&self) -> RootCertStore {
        let stream = certificates::connect_to("localhost", self.management, self.vouching.roots(), &["http/1.1"]).await;
        let mut sender = connect_over(stream.unwrap()).await;
        let root = read(sender.send_request(get("/roots/0")).await.unwrap()).await.unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&root.body).unwrap()).unwrap();
        roots
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.children {
            child.kill().and_then(|()| child.wait()).unwrap();
        }
    }
}

async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// What the gateway shows, once it is another one than `before`.
async fn until_shown(
    running: &Running,
    roots: &RootCertStore,
    before: Option<&CertificateDer<'static>>,
) -> CertificateDer<'static> {
    let looking = async {
        loop {
            if let Ok(stream) = certificates::connect(running.address, roots.clone(), &["http/1.1"]).await
                && Some(&shown(&stream)) != before
            {
                return shown(&stream);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap()
}

#[tokio::test]
async fn a_certificate_is_gotten_kept_and_renewed() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start("a").await);
    let kept = folder.path().join("acme");
    let http = free_address().await;
    let pebble = Pebble::start(http, folder.path()).await;
    let settings = settings(&format!("[listen]\nredirect = '{http}'\n{}", pebble.section(&kept)));
    let clock = ManualClock::at(SystemClock.now_ms());
    let running = gateway_at(settings.clone(), &[server.address], Arc::new(clock.clone())).await;
    let roots = pebble.roots().await;
    let first = until_shown(&running, &roots, None).await;
    // The clock of the test stands still since before it was issued.
    clock.jump(86_400_000);
    assert_eq!(running.components[1].check().await, Ok(()));
    let account = std::fs::read(kept.join("account.json")).unwrap();
    for name in ["account.json", "key.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(kept.join(name)).unwrap().permissions().mode() & 0o077, 0, "{name}");
    }
    // Pebble's are good for five years: after four it is time for another.
    clock.jump(4 * 365 * 86_400_000);
    let second = until_shown(&running, &roots, Some(&first)).await;
    assert_eq!(std::fs::read(kept.join("account.json")).unwrap(), account, "the account stayed the same");
    running.stop().await;
    drop(pebble);
    // Started again it shows what it has, also while the authority is away.
    let running = gateway_at(settings, &[server.address], Arc::new(clock)).await;
    assert_eq!(until_shown(&running, &roots, None).await, second);
}
