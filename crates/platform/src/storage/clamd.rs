//! ClamAV's daemon, spoken to in its own protocol (`INSTREAM`, `clamd(8)`) over TCP or a socket of this machine.

use std::{fmt, io, path::PathBuf, str::FromStr, time::Duration};

use async_trait::async_trait;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{ByteStream, ScanError, Verdict, VirusScanner};

/// How long the daemon may take to let us in, and to take a piece.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take to say what it found; unpacking archives takes time.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(10);

/// The most of an answer that is read.
const MAX_ANSWER_BYTES: u64 = 4096;

/// Where clamd listens: `tcp://host:port` or `unix:///path/of/socket`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ClamdAddress {
    /// A host with its port.
    Tcp(String),
    Unix(PathBuf),
}

/// A text that is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of clamd; write `tcp://host:3310` or `unix:///run/clamav/clamd.ctl`")]
pub struct ClamdAddressError(String);

impl FromStr for ClamdAddress {
    type Err = ClamdAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ClamdAddressError(text.to_owned());
        match text.split_once("://").ok_or_else(wrong)? {
            ("unix", path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            ("tcp", place) => {
                let (host, port) = place.rsplit_once(':').ok_or_else(wrong)?;
                let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
                if host.is_empty() || !is_port { Err(wrong()) } else { Ok(Self::Tcp(place.to_owned())) }
            }
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for ClamdAddress {
    type Error = ClamdAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ClamdAddress> for String {
    fn from(address: ClamdAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for ClamdAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(place) => write!(f, "tcp://{place}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// A running clamd. Each scan has a connection of its own.
#[derive(Debug, Clone)]
pub struct Clamd {
    address: ClamdAddress,
}

trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

impl Clamd {
    pub fn new(address: ClamdAddress) -> Self {
        Self { address }
    }

    async fn connect(&self) -> io::Result<Box<dyn Connection>> {
        match &self.address {
            ClamdAddress::Tcp(place) => Ok(Box::new(in_time(TcpStream::connect(place)).await?)),
            ClamdAddress::Unix(path) => Ok(Box::new(in_time(UnixStream::connect(path)).await?)),
        }
    }

    fn unreachable(&self, source: io::Error) -> ScanError {
        ScanError::Unreachable { address: self.address.to_string(), source }
    }

    /// What an answer to a stream means.
    fn verdict(&self, answer: String, size_bytes: u64) -> Result<Verdict, ScanError> {
        let address = || self.address.to_string();
        let found = answer.strip_prefix("stream: ").unwrap_or(&answer);
        if found == "OK" {
            return Ok(Verdict::Clean);
        }
        if let Some(name) = found.strip_suffix(" FOUND") {
            return Ok(Verdict::Infected(name.to_owned()));
        }
        if answer.contains("size limit exceeded") {
            return Err(ScanError::TooLarge { address: address(), size_bytes });
        }
        Err(ScanError::Failed { address: address(), answer })
    }
}

#[async_trait]
impl VirusScanner for Clamd {
    async fn scan(&self, mut content: ByteStream, size_bytes: u64) -> Result<Verdict, ScanError> {
        let mut connection = self.connect().await.map_err(|error| self.unreachable(error))?;
        let mut sent = in_time(connection.write_all(b"zINSTREAM\0")).await;
        while let (Ok(()), Some(bytes)) = (&sent, content.next().await) {
            let bytes = bytes.map_err(|error| ScanError::Content(Box::new(error)))?;
            sent = in_time(send_piece(connection.as_mut(), &bytes)).await;
        }
        if sent.is_ok() {
            // A piece of no length is the end.
            sent = in_time(connection.write_all(&0_u32.to_be_bytes())).await;
        }
        // A daemon that has had enough says why, then takes no more: its answer tells more than the failed write.
        match read_answer(connection.as_mut()).await {
            Ok(answer) if !answer.is_empty() => self.verdict(answer, size_bytes),
            Ok(_) => Err(self.unreachable(sent.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))),
            Err(error) => Err(self.unreachable(sent.err().unwrap_or(error))),
        }
    }

    async fn ping(&self) -> Result<(), ScanError> {
        let ask = async {
            let mut connection = self.connect().await?;
            in_time(connection.write_all(b"zPING\0")).await?;
            in_time(read_answer(connection.as_mut())).await
        };
        let answer = ask.await.map_err(|error| self.unreachable(error))?;
        if answer == "PONG" { Ok(()) } else { Err(ScanError::Failed { address: self.address.to_string(), answer }) }
    }
}

async fn send_piece(connection: &mut dyn Connection, bytes: &[u8]) -> io::Result<()> {
    // Pieces are read in bounded sizes, so each fits the four bytes of its length.
    for piece in bytes.chunks(1 << 20) {
        connection.write_all(&u32::try_from(piece.len()).unwrap_or(0).to_be_bytes()).await?;
        connection.write_all(piece).await?;
    }
    Ok(())
}

async fn read_answer(connection: &mut dyn Connection) -> io::Result<String> {
    let mut answer = Vec::new();
    let mut bounded = connection.take(MAX_ANSWER_BYTES);
    let read = timeout(ANSWER_TIMEOUT, bounded.read_to_end(&mut answer)).await.map_err(|_| io::ErrorKind::TimedOut)?;
    // A connection that was cut after its answer has answered.
    if answer.is_empty() {
        read?;
    }
    let end = answer.iter().position(|byte| *byte == 0).unwrap_or(answer.len());
    Ok(String::from_utf8_lossy(&answer[..end]).trim().to_owned())
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PIECE_TIMEOUT, work).await.map_err(|_| io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_others_refused() {
        let tcp: ClamdAddress = "tcp://[::1]:3310".parse().unwrap();
        assert_eq!(tcp, ClamdAddress::Tcp("[::1]:3310".to_owned()));
        let unix: ClamdAddress = "unix:///run/clamd.ctl".parse().unwrap();
        assert_eq!(unix.to_string(), "unix:///run/clamd.ctl");
        for wrong in [
            "",
            "localhost:3310",
            "tcp://localhost",
            "tcp://:3310",
            "tcp://a:0",
            "tcp://a:b",
            "unix://run",
            "http://a:1",
        ] {
            assert!(wrong.parse::<ClamdAddress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let clamd = Clamd::new("tcp://127.0.0.1:3310".parse().unwrap());
        let verdict = |answer: &str| clamd.verdict(answer.to_owned(), 7);
        assert_eq!(verdict("stream: OK").unwrap(), Verdict::Clean);
        assert_eq!(verdict("stream: Test.Eicar FOUND").unwrap(), Verdict::Infected("Test.Eicar".to_owned()));
        let too_large = verdict("INSTREAM size limit exceeded. ERROR").unwrap_err().to_string();
        assert!(too_large.contains("7 bytes; raise its `StreamMaxLength`"), "{too_large}");
        assert!(matches!(verdict("UNKNOWN COMMAND"), Err(ScanError::Failed { .. })));
        assert!(matches!(verdict("not OK"), Err(ScanError::Failed { .. })));
    }
}
