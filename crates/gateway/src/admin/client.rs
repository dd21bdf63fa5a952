//! Asks a gateway as its operator does, for the commands.

use std::{io, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode, header},
};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;
use kernel::ErrorKind;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{access::TOKEN_VARIABLE, settings::AdminAddress};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Bytes that are read of an answer.
const MAX_BODY_BYTES: usize = 8 << 20;

/// A gateway, as its operator reaches it.
#[derive(Debug, Clone)]
pub struct AdminClient {
    address: AdminAddress,
    token: Option<SecretString>,
}

/// Why the gateway did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("no gateway answers at {address}: {source}; start one, or name its address with `--admin`")]
    Unreachable { address: AdminAddress, source: io::Error },
    #[error("the gateway at {0} does not answer in time")]
    TimedOut(AdminAddress),
    #[error("the gateway at {0} does not know the token; set `{TOKEN_VARIABLE}`, or name its settings with `--config`")]
    Unauthenticated(AdminAddress),
    #[error("{detail}")]
    Refused { status: StatusCode, detail: String },
    #[error("what answers at {address} is no gateway of Pressroom: {reason}")]
    NoGateway { address: AdminAddress, reason: String },
}

impl AdminError {
    /// The sort of the failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { .. } | Self::TimedOut(_) => ErrorKind::Unavailable,
            Self::Unauthenticated(_) => ErrorKind::Unauthenticated,
            Self::NoGateway { .. } => ErrorKind::Invalid,
            Self::Refused { status, .. } => match *status {
                StatusCode::NOT_FOUND => ErrorKind::NotFound,
                StatusCode::CONFLICT => ErrorKind::Conflict,
                StatusCode::NOT_IMPLEMENTED => ErrorKind::Missing,
                StatusCode::SERVICE_UNAVAILABLE => ErrorKind::Unavailable,
                status if status.is_client_error() => ErrorKind::Invalid,
                _ => ErrorKind::Internal,
            },
        }
    }
}

/// What is read of a problem.
#[derive(Debug, Deserialize)]
struct Told {
    title: String,
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<ToldFault>,
}

#[derive(Debug, Deserialize)]
struct ToldFault {
    detail: String,
}

impl AdminClient {
    pub fn new(address: AdminAddress, token: Option<SecretString>) -> Self {
        Self { address, token }
    }

    /// Asks.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdminError> {
        self.ask(Request::get(path), Body::empty()).await
    }

    /// Tells it to do something.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, AdminError> {
        let body = serde_json::to_vec(body).map_err(|error| self.no_gateway(&error))?;
        self.ask(Request::post(path).header(header::CONTENT_TYPE, "application/json"), body.into()).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: axum::http::request::Builder,
        body: Body,
    ) -> Result<T, AdminError> {
        let mut request = request.header(header::HOST, "gateway");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
        }
        let request = request.body(body).map_err(|error| self.no_gateway(&error))?;
        let timed_out = |_| AdminError::TimedOut(self.address.clone());
        let (status, body) = timeout(LIMIT, self.connect_and_send(request)).await.map_err(timed_out)??;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| self.no_gateway(&error));
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(AdminError::Unauthenticated(self.address.clone()));
        }
        let told: Told = serde_json::from_slice(&body).map_err(|error| self.no_gateway(&error))?;
        let faults = told.errors.into_iter().map(|fault| fault.detail);
        let details: Vec<String> = told.detail.into_iter().chain(faults).collect();
        let detail = if details.is_empty() { told.title } else { details.join("; ") };
        Err(AdminError::Refused { status, detail })
    }

    async fn connect_and_send(&self, request: Request<Body>) -> Result<(StatusCode, Bytes), AdminError> {
        let unreachable = |source| AdminError::Unreachable { address: self.address.clone(), source };
        match &self.address {
            AdminAddress::Tcp(address) => {
                self.send(TcpStream::connect(address).await.map_err(unreachable)?, request).await
            }
            AdminAddress::Unix(path) => self.send(UnixStream::connect(path).await.map_err(unreachable)?, request).await,
        }
    }

    async fn send<S>(&self, stream: S, request: Request<Body>) -> Result<(StatusCode, Bytes), AdminError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.no_gateway(&error))?;
        // It ends with the answer, and hands its failure to whoever waits for that.
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(|error| self.no_gateway(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BODY_BYTES).collect().await;
        Ok((status, body.map_err(|error| self.no_gateway(&error))?.to_bytes()))
    }

    fn no_gateway(&self, reason: &dyn std::fmt::Display) -> AdminError {
        AdminError::NoGateway { address: self.address.clone(), reason: reason.to_string() }
    }
}
