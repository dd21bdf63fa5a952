//! Who is at the other end: the address of the connection, or the one that proxies we trust vouch for.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client, as far as it can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The address of the client behind `peer`.
    ///
    /// Anybody can write `X-Forwarded-For`, and each proxy adds at its end whom it saw. So it is read from the right, for
    /// as long as the one who wrote an entry is trusted; the first address that is not a trusted proxy is the client.
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
        let mut client = peer.to_canonical();
        let entries: Vec<&str> = headers
            .get_all(X_FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
            .collect();
        for entry in entries.into_iter().rev() {
            // An entry that cannot be read was written by whoever we know last: that one is answered for.
            let Some(address) = is_trusted(client).then(|| parse(entry)).flatten() else { break };
            client = address;
        }
        Self(client)
    }

    /// What limits count: the address, or for IPv6 its network of 64 bits, of which one subscriber has all addresses.
    pub fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }
    }
}

/// An address, with or without a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let address = IpAddr::from_str(entry).ok().or_else(|| SocketAddr::from_str(entry).ok().map(|found| found.ip()));
    address
        .or_else(|| entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let headers = forwarded.iter().map(|value| (X_FORWARDED_FOR, HeaderValue::from_str(value).unwrap())).collect();
        ClientAddress::of(peer.parse().unwrap(), &headers, &trusted).0.to_string()
    }

    #[test]
    fn who_is_no_trusted_proxy_vouches_for_nobody() {
        assert_eq!(client("203.0.113.5", &["1.1.1.1"]), "203.0.113.5");
        assert_eq!(client("203.0.113.5", &["10.0.0.1"]), "203.0.113.5");
    }

    #[test]
    fn the_first_address_from_the_right_that_is_no_proxy_is_the_client() {
        assert_eq!(client("10.0.0.1", &["203.0.113.5"]), "203.0.113.5");
        assert_eq!(client("10.0.0.1", &["203.0.113.5, 10.0.0.2"]), "203.0.113.5");
        assert_eq!(client("10.0.0.1", &["203.0.113.5", "10.0.0.2 ,10.0.0.3"]), "203.0.113.5");
        assert_eq!(client("10.0.0.1", &["10.0.0.9"]), "10.0.0.9");
    }

    #[test]
    fn what_a_client_wrote_itself_is_never_believed() {
        assert_eq!(client("10.0.0.1", &["127.0.0.1, 203.0.113.5"]), "203.0.113.5");
        assert_eq!(client("10.0.0.1", &["10.0.0.7", "1.1.1.1, 203.0.113.5"]), "203.0.113.5");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1,"]), "10.0.0.1");
    }

    #[test]
    fn addresses_are_read_in_every_dress() {
        assert_eq!(client("::ffff:10.0.0.1", &["203.0.113.5:4711"]), "203.0.113.5");
        assert_eq!(client("fd00::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(client("fd00::1", &["[2001:db8::7]"]), "2001:db8::7");
        assert_eq!(client("10.0.0.1", &["::ffff:203.0.113.5"]), "203.0.113.5");
    }

    #[test]
    fn one_subscriber_of_ipv6_is_counted_as_one() {
        let network = |text: &str| ClientAddress(text.parse().unwrap()).network();
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("203.0.113.5"), network("203.0.113.6"));
    }
}
