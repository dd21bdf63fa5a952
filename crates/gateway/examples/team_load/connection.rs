//! One client's connection, made again when the server has closed it.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// What takes longer counts as no answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to one address, on which one request at a time is asked.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    token: Option<String>,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(crate) fn new(address: SocketAddr, token: Option<String>) -> Self {
        Self { address, token, open: None }
    }

    /// Asks, and reads the whole answer, which has to be a success.
    pub(crate) async fn ask(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes> {
        let asked = async {
            let answer = self.begin(method, path, body).await?;
            let status = answer.status();
            let bytes = answer.into_body().collect().await?.to_bytes();
            ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&bytes));
            Ok(bytes)
        };
        tokio::time::timeout(PATIENCE, asked).await.with_context(|| format!("no answer within {PATIENCE:?}"))?
    }

    /// Asks, and reads an answer of JSON.
    pub(crate) async fn ask_json(&mut self, method: Method, path: &str, body: &Value) -> Result<Value> {
        Ok(serde_json::from_slice(&self.ask(method, path, Some(body)).await?)?)
    }

    /// Reads the beginning of an endless answer, and hangs up.
    pub(crate) async fn look_into(&mut self, path: &str) -> Result<()> {
        let begun = async {
            let answer = self.begin(Method::GET, path, None).await?;
            ensure!(answer.status().is_success(), "{}", answer.status());
            let mut body = answer.into_body();
            match body.frame().await {
                Some(Ok(_)) => Ok(()),
                _ => bail!("the stream ended before it said anything"),
            }
        };
        let seen = tokio::time::timeout(PATIENCE, begun).await;
        self.open = None;
        seen.with_context(|| format!("no word within {PATIENCE:?}"))?
    }

    async fn begin(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Response<Incoming>> {
        let is_kept = match &mut self.open {
            Some(open) => open.ready().await.is_ok(),
            None => false,
        };
        if !is_kept {
            self.open = Some(self.connect().await?);
        }
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, self.address.to_string());
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let open = self.open.as_mut().context("a connection was made")?;
        let answered = open.send_request(request.body(Full::new(body))?).await;
        if answered.is_err() {
            self.open = None;
        }
        Ok(answered?)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (open, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(open)
    }
}
