//! Listens for the operator, on an address or a socket file.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use kernel::ErrorKind;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    routes::{AdminParts, router},
    settings::AdminAddress,
};

/// Connections at a time; more wait.
const MAX_CONNECTIONS: usize = 64;
/// How long the head of a request may take, and a connection be idle.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// Bytes of the head of a request.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// How long to wait when the system has no room for another connection.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(50);

/// Why there is no address for the operator.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for the operator on `{address}`: {source}; name another as `admin.listen`")]
pub struct AdminListenError {
    address: AdminAddress,
    source: io::Error,
}

impl AdminListenError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
}

/// An address at which nobody is answered yet.
#[derive(Debug)]
pub struct AdminServer(Listener);

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix { listener: UnixListener, path: PathBuf },
}

impl AdminServer {
    /// Takes the address.
    pub async fn bind(address: &AdminAddress) -> Result<Self, AdminListenError> {
        let listener = match address {
            AdminAddress::Tcp(address) => TcpListener::bind(address).await.map(Listener::Tcp),
            AdminAddress::Unix(path) => bind_file(path),
        };
        listener.map(Self).map_err(|source| AdminListenError { address: address.clone(), source })
    }

    /// Where it listens; a port that the system chose is filled in.
    pub fn address(&self) -> io::Result<AdminAddress> {
        match &self.0 {
            Listener::Tcp(listener) => listener.local_addr().map(AdminAddress::Tcp),
            Listener::Unix { path, .. } => Ok(AdminAddress::Unix(path.clone())),
        }
    }

    /// Answers until `stop`.
    pub async fn run(self, parts: AdminParts, stop: CancellationToken) {
        let (router, room) = (router(parts), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
        while let Some(accepted) = stop.run_until_cancelled(self.accept(&room)).await {
            let stop = stop.clone();
            match accepted {
                Accepted::Tcp(stream, permit) => {
                    tokio::spawn(stop.run_until_cancelled_owned(answer(stream, router.clone(), permit)));
                }
                Accepted::Unix(stream, permit) => {
                    tokio::spawn(stop.run_until_cancelled_owned(answer(stream, router.clone(), permit)));
                }
            }
        }
        if let Listener::Unix { path, .. } = &self.0 {
            // What is left is removed by the next gateway.
            let _ = fs::remove_file(path);
        }
    }

    async fn accept(&self, room: &Arc<Semaphore>) -> Accepted {
        loop {
            let Ok(permit) = room.clone().acquire_owned().await else { continue };
            let accepted = match &self.0 {
                Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| Accepted::Tcp(stream, permit)),
                Listener::Unix { listener, .. } => {
                    listener.accept().await.map(|(stream, _)| Accepted::Unix(stream, permit))
                }
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) => {
                    tracing::debug!(error = %error, "a connection of the operator could not be taken");
                    sleep(OUT_OF_FILES_PAUSE).await;
                }
            }
        }
    }
}

enum Accepted {
    Tcp(tokio::net::TcpStream, OwnedSemaphorePermit),
    Unix(tokio::net::UnixStream, OwnedSemaphorePermit),
}

async fn answer<S>(stream: S, router: Router, permit: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = connection.await {
        tracing::debug!(error = %error, "a connection of the operator broke off");
    }
    drop(permit);
}

/// Listens on a socket file, in the place of one that nobody listens on any more.
fn bind_file(path: &Path) -> io::Result<Listener> {
    match UnixStream::connect(path) {
        Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
        // Only a socket refuses a connection: no other file is removed.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(Listener::Unix { listener, path: path.to_owned() })
}
