//! Which addresses may be talked to: those of the public network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Which addresses a client may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPolicy {
    /// Public addresses only.
    PublicOnly,
    /// Public addresses, names that resolve to this machine, and `127.0.0.1` at one port: a test's own server.
    #[cfg(any(test, feature = "testing"))]
    AllowLoopbackForTests {
        /// The port of the test's server.
        port: u16,
    },
}

impl AddressPolicy {
    /// Whether a URL may name this address itself, with this port.
    pub(super) fn allows_literal(self, address: SocketAddr) -> bool {
        match self {
            Self::PublicOnly => is_public(address.ip()),
            #[cfg(any(test, feature = "testing"))]
            Self::AllowLoopbackForTests { port: own } => {
                is_public(address.ip()) || address == SocketAddr::from((Ipv4Addr::LOCALHOST, own))
            }
        }
    }

    /// Whether a name may resolve to this address.
    pub(super) fn allows_resolved(self, address: IpAddr) -> bool {
        match self {
            Self::PublicOnly => is_public(address),
            #[cfg(any(test, feature = "testing"))]
            Self::AllowLoopbackForTests { .. } => is_public(address) || address == Ipv4Addr::LOCALHOST,
        }
    }
}

/// Whether an address is on the public network, by the special-purpose registries of IANA (RFC 6890 and its updates).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let special = match a {
        // This network, private, loopback, multicast, reserved.
        0 | 10 | 127 | 224..=255 => true,
        // Shared between a provider and its customers; the metadata of some clouds.
        100 => (64..128).contains(&b),
        // Link-local; the metadata of most clouds.
        169 => b == 254,
        172 => (16..32).contains(&b),
        // Protocol assignments, documentation, former 6to4 relays, private.
        192 => (b == 0 && (c == 0 || c == 2)) || (b == 88 && c == 99) || b == 168,
        // Benchmarks, documentation.
        198 => b == 18 || b == 19 || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        // Public in form, but inside Azure it is the host's own service.
        168 => (b, c, d) == (63, 129, 16),
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = || {
        let [.., a, b, c, d] = address.octets();
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        // An IPv4 address in other dress: mapped, or translated by the network (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => is_public_v4(embedded()),
        // Protocol assignments with Teredo and benchmarks, documentation, 6to4, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast as assigned so far; everything else is special: loopback, link-local, unique local, multicast.
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_may_be_talked_to() {
        for public in ["1.1.1.1", "8.8.8.8", "100.63.0.1", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for public in ["2606:4700::1111", "2a00:1450:4001::1", "2001:200::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn special_addresses_may_not() {
        let v4 = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
        ];
        let v6 = [
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for special in v4.iter().chain(&v6) {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }
}
