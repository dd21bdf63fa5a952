//! The headers of a request and of its answer, as they are passed on.
//!
//! What concerns one connection only is taken out (RFC 9110, section 7.6.1). What says where a request came from is the
//! gateway's to say: from a stranger nothing of it is believed.

use hyper::{
    Version,
    header::{self, HeaderMap, HeaderName, HeaderValue},
    http::request,
};

use crate::client::{Client, Transport, Trust};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Other headers that servers take an address, a scheme or a path from. None of them is passed on.
static CLAIMS: [HeaderName; 7] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-forwarded-ssl"),
];

/// Headers of one connection. `Trailer` is none of them: it announces what comes after a body, which is passed on.
static OF_ONE_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
];

const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Why the head of a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadFault {
    #[error("the method is not served here")]
    Method,
    #[error("the request names no host; send one `Host`")]
    NoHost,
    #[error("the request names several hosts")]
    ManyHosts,
    #[error("the request names a host that is none")]
    BadHost,
    #[error("the request has no path")]
    NoPath,
}

/// Whether a request asks to turn its connection into a web socket.
pub(crate) fn wants_websocket(head: &request::Parts) -> bool {
    head.version == Version::HTTP_11
        && names(&head.headers, &header::CONNECTION, "upgrade")
        && names(&head.headers, &header::UPGRADE, "websocket")
}

/// Whether one of the comma-separated values of a header is `wanted`.
pub(crate) fn names(headers: &HeaderMap, header: &HeaderName, wanted: &str) -> bool {
    let mut values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.split(',').any(|entry| entry.trim().eq_ignore_ascii_case(wanted)))
}

/// The host that a request is for: its target's, where that names one, and its header's else.
pub(crate) fn host(head: &request::Parts) -> Result<HeaderValue, HeadFault> {
    let mut given = head.headers.get_all(header::HOST).iter();
    let (first, second) = (given.next(), given.next());
    if second.is_some() {
        return Err(HeadFault::ManyHosts);
    }
    let host = match (head.uri.authority(), first) {
        (Some(authority), None) => HeaderValue::from_str(authority.as_str()).map_err(|_| HeadFault::BadHost)?,
        // The target wins in HTTP/1.1 (RFC 9112, section 3.2.2); in HTTP/2 both are the same (RFC 9113, section 8.3.1).
        (Some(authority), Some(host)) if host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {
            host.clone()
        }
        (Some(_), Some(_)) if head.version == Version::HTTP_2 => return Err(HeadFault::ManyHosts),
        (Some(authority), Some(_)) => HeaderValue::from_str(authority.as_str()).map_err(|_| HeadFault::BadHost)?,
        (None, Some(host)) => host.clone(),
        (None, None) => return Err(HeadFault::NoHost),
    };
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(byte);
    if host.is_empty() || !host.as_bytes().iter().all(is_plain) {
        return Err(HeadFault::BadHost);
    }
    Ok(host)
}

/// Makes the headers of a request those that the upstream gets.
pub(crate) fn prepare_request(head: &mut request::Parts, host: HeaderValue, client: &Client) {
    if head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
    }
    let takes_trailers = names(&head.headers, &header::TE, "trailers");
    let headers = &mut head.headers;
    remove_of_one_connection(headers);
    if takes_trailers {
        headers.insert(header::TE, TRAILERS);
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    for name in &CLAIMS {
        headers.remove(name);
    }
    let proto = HeaderValue::from_static(if client.transport == Transport::Tls { "https" } else { "http" });
    match client.trust {
        Trust::Stranger => {
            headers.insert(X_FORWARDED_FOR, client.address.clone());
            headers.insert(X_FORWARDED_PROTO, proto);
            headers.insert(X_FORWARDED_HOST, host.clone());
        }
        Trust::Proxy => {
            headers.append(X_FORWARDED_FOR, client.address.clone());
            headers.entry(X_FORWARDED_PROTO).or_insert(proto);
            headers.entry(X_FORWARDED_HOST).or_insert_with(|| host.clone());
        }
    }
    headers.insert(header::HOST, host);
}

/// Asks an upstream to turn the connection into a web socket.
pub(crate) fn ask_for_websocket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, WEBSOCKET);
}

/// Takes out what concerns one connection only: the known ones, and those that `Connection` names.
pub(crate) fn remove_of_one_connection(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|entry| entry.trim().parse().ok())
            // A client must not take out by it what others rely on.
            .filter(|name| {
                !matches!(*name, header::HOST | header::CONTENT_LENGTH | header::AUTHORIZATION | header::COOKIE)
            })
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &OF_ONE_CONNECTION {
        headers.remove(name);
    }
}

/// HTTP/2 may send each pair in a header of its own; HTTP/1.1 knows one (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut pairs = headers.get_all(header::COOKIE).iter();
    if pairs.next().is_none() || pairs.next().is_none() {
        return;
    }
    let pairs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&pairs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn head(version: Version, target: &str, headers: &[(&str, &str)]) -> request::Parts {
        let builder = Request::builder().version(version).uri(target);
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).unwrap().into_parts().0
    }

    fn host_of(version: Version, target: &str, hosts: &[&str]) -> Result<String, HeadFault> {
        let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
        host(&head(version, target, &headers)).map(|host| host.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_request_is_for_one_host() {
        let (h1, h2) = (Version::HTTP_11, Version::HTTP_2);
        assert_eq!(host_of(h1, "/", &["a.example"]).unwrap(), "a.example");
        assert_eq!(host_of(h1, "http://b.example/", &["a.example"]).unwrap(), "b.example");
        assert_eq!(host_of(h2, "https://a.example/", &[]).unwrap(), "a.example");
        assert_eq!(host_of(h2, "https://a.example/", &["b.example"]), Err(HeadFault::ManyHosts));
        assert_eq!(host_of(h1, "/", &[]), Err(HeadFault::NoHost));
        assert_eq!(host_of(h1, "/", &["a", "a"]), Err(HeadFault::ManyHosts));
        for odd in ["", "a b", "a/b", "a@b", "a\"b"] {
            assert_eq!(host_of(h1, "/", &[odd]), Err(HeadFault::BadHost), "{odd}");
        }
    }

    #[test]
    fn what_concerns_one_connection_is_taken_out() {
        let given = [("connection", "close, X-Mine"), ("x-mine", "1"), ("keep-alive", "timeout=5"), ("te", "gzip")];
        let mut headers = head(Version::HTTP_11, "/", &given).headers;
        headers.insert("x-other", HeaderValue::from_static("stays"));
        remove_of_one_connection(&mut headers);
        assert_eq!(headers.len(), 1, "{headers:?}");
    }

    #[test]
    fn a_client_cannot_take_out_what_others_rely_on() {
        let given = [("connection", "authorization, cookie, host"), ("authorization", "Bearer x"), ("host", "a")];
        let mut headers = head(Version::HTTP_11, "/", &given).headers;
        remove_of_one_connection(&mut headers);
        assert!(headers.contains_key(header::AUTHORIZATION) && headers.contains_key(header::HOST));
    }

    #[test]
    fn cookies_of_http2_are_joined() {
        let mut headers = head(Version::HTTP_2, "/", &[("cookie", "a=1"), ("cookie", "b=2")]).headers;
        join_cookies(&mut headers);
        assert_eq!(headers.get_all(header::COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }

    #[test]
    fn a_web_socket_is_asked_for_by_two_headers() {
        let both = [("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")];
        assert!(wants_websocket(&head(Version::HTTP_11, "/", &both)));
        assert!(!wants_websocket(&head(Version::HTTP_11, "/", &both[..1])));
        assert!(!wants_websocket(&head(Version::HTTP_10, "/", &both)));
        assert!(!wants_websocket(&head(Version::HTTP_11, "/", &[both[0], ("upgrade", "h2c")])));
    }
}
