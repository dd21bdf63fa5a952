//! As much of an HTTP client as this tool needs: one request on one connection, with bodies of any size.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const HEAD_LINES: usize = 100;
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// A large file is looked into after its last byte, before there is an answer.
const ANSWER_PATIENCE: Duration = Duration::from_mins(2);

/// A request without its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    /// Lines of the head beside those that every request has.
    pub(crate) headers: &'a [String],
}

impl<'a> Request<'a> {
    pub(crate) fn get(path: &'a str, token: &'a str) -> Self {
        Self { method: "GET", path, token: Some(token), headers: &[] }
    }
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    length: u64,
    body: BufReader<TcpStream>,
}

impl Answer {
    /// The whole body; an error that shows it where the status is not `status`.
    pub(crate) fn read(self, status: u16) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.body.take(self.length).read_to_end(&mut bytes)?;
        ensure!(
            self.status == status,
            "{} was answered, not {status}: {}",
            self.status,
            String::from_utf8_lossy(&bytes)
        );
        Ok(bytes)
    }

    /// The whole body as JSON.
    pub(crate) fn json(self, status: u16) -> Result<Value> {
        let bytes = self.read(status)?;
        serde_json::from_slice(&bytes).with_context(|| format!("no JSON: {}", String::from_utf8_lossy(&bytes)))
    }

    /// Writes the whole body to `to`.
    pub(crate) fn save(self, to: &mut File) -> Result<()> {
        ensure!(self.status == 200, "{} was answered, not 200", self.status);
        let length = self.length;
        let read = io::copy(&mut self.body.take(length), to)?;
        ensure!(read == length, "the body broke off after {read} of {length} bytes");
        Ok(())
    }

    /// Reads the body to its end and keeps nothing of it; returns how long it was.
    pub(crate) fn drain(self) -> Result<u64> {
        let read = io::copy(&mut self.body.take(self.length), &mut io::sink())?;
        ensure!(read == self.length, "the body broke off after {read} of {} bytes", self.length);
        Ok(read)
    }
}

/// Asks without a body.
pub(crate) fn ask(address: SocketAddr, request: Request<'_>) -> Result<Answer> {
    send(address, request, 0, io::empty())
}

/// Asks with a body of JSON.
pub(crate) fn ask_json(address: SocketAddr, request: Request<'_>, body: &Value) -> Result<Answer> {
    let body = body.to_string();
    let headers = ["Content-Type: application/json".to_owned()];
    send(address, Request { headers: &headers, ..request }, body.len() as u64, body.as_bytes())
}

/// Sends `file` as the file of a form.
pub(crate) fn send_form(address: SocketAddr, request: Request<'_>, name: &str, file: File) -> Result<Answer> {
    const BOUNDARY: &str = "part-of-the-bench";
    let before = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let after = format!("\r\n--{BOUNDARY}--\r\n");
    let length = before.len() as u64 + file.metadata()?.len() + after.len() as u64;
    let headers = [format!("Content-Type: multipart/form-data; boundary={BOUNDARY}")];
    let body = before.as_bytes().chain(file).chain(after.as_bytes());
    send(address, Request { headers: &headers, ..request }, length, body)
}

fn send(address: SocketAddr, request: Request<'_>, length: u64, mut body: impl Read) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_PATIENCE)?;
    stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
    let Request { method, path, token, headers } = request;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    let token = token.map(|token| format!("Authorization: Bearer {token}"));
    for line in token.iter().chain(headers) {
        head.push_str(line);
        head.push_str("\r\n");
    }
    if method != "GET" {
        write!(head, "Content-Length: {length}\r\n")?;
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    // Who refuses a body answers before its end and closes: the answer says more than the write that failed.
    let sent = io::copy(&mut body, &mut stream);
    match read_answer(stream) {
        Ok(answer) if sent.is_ok() || answer.status >= 400 => Ok(answer),
        answered => {
            sent.context("the body could not be sent")?;
            answered
        }
    }
}

fn read_answer(stream: TcpStream) -> Result<Answer> {
    let mut body = BufReader::with_capacity(64 * 1024, stream);
    let first = read_line(&mut body)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("no answer of HTTP: `{first}`"))?;
    let mut length = None;
    for _ in 0..HEAD_LINES {
        let line = read_line(&mut body)?;
        if line.is_empty() {
            // Bodies without a length are streams, which are asked for nowhere.
            return Ok(Answer { status, length: length.unwrap_or(0), body });
        }
        let (name, value) = line.split_once(':').with_context(|| format!("no header: `{line}`"))?;
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse()?);
        }
        ensure!(!name.eq_ignore_ascii_case("transfer-encoding"), "the answer to a request has no length");
    }
    bail!("the head of an answer has no end")
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    io::BufRead::read_line(reader, &mut line)?;
    ensure!(line.ends_with('\n'), "the connection was closed before the answer");
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// What was asked of a server that gives `answer` to its first request, and what a client makes of that.
    fn exchange<T>(answer: &'static str, ask: impl FnOnce(SocketAddr) -> T) -> (String, T) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut buffer = [0; 1000];
            while !asked.ends_with(b"\r\n\r\n") && !asked.ends_with(b"}") {
                let read = stream.read(&mut buffer).unwrap();
                asked.extend_from_slice(&buffer[..read]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        let answered = ask(address);
        (server.join().unwrap(), answered)
    }

    #[test]
    fn a_request_is_sent_with_its_token_and_answered_with_its_body() {
        let answer = "HTTP/1.1 202 Accepted\r\nContent-Length: 8\r\n\r\n{\"id\":1}";
        let post = Request { method: "POST", path: "/a", token: Some("t"), headers: &[] };
        let (asked, answer) = exchange(answer, |address| {
            ask_json(address, post, &serde_json::json!({"script": "Hello."})).unwrap().json(202).unwrap()
        });
        assert!(
            asked.starts_with("POST /a HTTP/1.1\r\n") && asked.contains("\r\nAuthorization: Bearer t\r\n"),
            "{asked}"
        );
        assert!(asked.contains("\r\nContent-Length: 19\r\n") && asked.ends_with("{\"script\":\"Hello.\"}"), "{asked}");
        assert_eq!(answer["id"], 1);
    }

    #[test]
    fn an_answer_that_was_not_wanted_is_shown() {
        let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone";
        let (_, read) = exchange(answer, |address| ask(address, Request::get("/a", "t")).unwrap().read(200));
        assert_eq!(read.unwrap_err().to_string(), "404 was answered, not 200: none");
    }

    #[test]
    fn a_body_that_breaks_off_is_no_download() {
        let answer = "HTTP/1.1 206 Partial Content\r\nContent-Length: 9\r\n\r\nfour";
        let (_, drained) = exchange(answer, |address| ask(address, Request::get("/a", "t")).unwrap().drain());
        assert!(drained.unwrap_err().to_string().contains("after 4 of 9"));
    }
}
