//! Which addresses may be called that others name: only those that everybody can reach.
//!
//! A hostile document or member could name an address of the server's own network, or a name that resolves to one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::Host;

/// A name that leads to where only the server could go.
#[derive(Debug, thiserror::Error)]
#[error("{name} resolves to {address}, which is no public address")]
pub struct NotPublic {
    name: String,
    address: IpAddr,
}

/// Resolves names to global addresses only, but for named hosts: an internal one is normal where somebody chose it.
///
/// The client connects to what is returned here and asks no second time, so that a name that flips gains nothing.
#[derive(Clone, Debug, Default)]
pub struct GlobalOnly {
    exempt: Vec<String>,
}

impl GlobalOnly {
    /// The hosts in `exempt` may be anywhere: names, or addresses.
    pub fn except(exempt: impl IntoIterator<Item = String>) -> Self {
        Self { exempt: exempt.into_iter().map(|host| canonical(&host)).collect() }
    }

    /// Whether this host may be anywhere.
    pub fn is_exempt(&self, host: &str) -> bool {
        self.exempt.contains(&canonical(host))
    }

    /// Whether an address that stands in a URL itself may be called. Names are resolved by [`Self::look_up`].
    pub fn is_callable(&self, host: &Host<&str>) -> bool {
        match host {
            Host::Domain(_) => true,
            Host::Ipv4(address) => is_global_v4(*address) || self.is_exempt(&address.to_string()),
            Host::Ipv6(address) => is_global_v6(*address) || self.is_exempt(&address.to_string()),
        }
    }

    /// Where a name leads; refused where any of it is not public.
    pub async fn look_up(&self, name: &str) -> Result<Vec<SocketAddr>, LookupError> {
        let found: Vec<SocketAddr> = lookup_host((name, 0)).await?.collect();
        if !self.is_exempt(name)
            && let Some(private) = found.iter().find(|address| !is_global(address.ip()))
        {
            return Err(NotPublic { name: name.to_owned(), address: private.ip() }.into());
        }
        Ok(found)
    }
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// Nowhere that may be called.
    #[error(transparent)]
    NotPublic(#[from] NotPublic),
    /// Nothing is known of it.
    #[error(transparent)]
    Unknown(#[from] std::io::Error),
}

impl Resolve for GlobalOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let found = resolver.look_up(name.as_str()).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// A host as hosts are compared: in small letters, without brackets and without the dot at its end.
fn canonical(host: &str) -> String {
    let host = host.trim().trim_end_matches('.').trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    host.parse::<IpAddr>().map_or(host, |address| address.to_string())
}

/// Whether an address is one of the public internet.
fn is_global(address: IpAddr) -> bool {
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
