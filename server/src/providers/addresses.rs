//! Which addresses a provider's documents may lead to: only those that everybody can reach.
//!
//! A hostile document could name an address of the server's own network, or a name that resolves to one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

/// Resolves names to global addresses only, except for the issuer's own name: an internal issuer is normal.
///
/// The client connects to what is returned here and asks no second time, so that a name that flips gains nothing.
#[derive(Debug)]
pub struct GlobalOnly {
    own_host: String,
}

impl GlobalOnly {
    /// `own_host` may be anywhere.
    pub fn except(own_host: String) -> Self {
        Self { own_host }
    }
}

impl Resolve for GlobalOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let is_own = name.as_str().eq_ignore_ascii_case(&self.own_host);
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            if !is_own && let Some(private) = found.iter().find(|address| !is_global(address.ip())) {
                return Err(
                    format!("{} resolves to {}, which is no public address", name.as_str(), private.ip()).into()
                );
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public internet.
pub fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    }
}

/// What the registry of special-purpose IPv4 addresses leaves (RFC 6890).
fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !is_special
}

/// Global unicast without what is set aside in it; an IPv4 address written as IPv6 counts as the IPv4 address.
fn is_global_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_global_v4(mapped);
    }
    let [first, second, .., high, low] = address.segments();
    if address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        // A network without IPv4 of its own reaches IPv4 by this prefix (NAT64).
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        return is_global_v4(Ipv4Addr::new(a, b, c, d));
    }
    let is_set_aside = (first == 0x2001 && (second < 0x200 || second == 0xdb8))
        || first == 0x2002
        || (first == 0x3fff && second < 0x1000);
    (0x2000..0x4000).contains(&first) && !is_set_aside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_only_the_server_could_reach_are_not_global() {
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.7",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_global(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_global() {
        for address in
            ["1.1.1.1", "100.63.0.1", "100.128.0.1", "172.32.0.1", "198.20.0.1", "2606:4700::1", "64:ff9b::101:101"]
        {
            assert!(is_global(address.parse().unwrap()), "{address}");
        }
    }
}
