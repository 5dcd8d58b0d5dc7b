//! How many connections and requests there may be at once.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;

/// How many connections and requests are served at once.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// The connections in all.
    pub connections: usize,
    /// Those of one address: an IPv4 address, or the 64 bits of IPv6 that one customer has at least.
    pub per_address: usize,
    /// The proxies, each of which has the connections of many people and may keep them longer.
    pub trusted_proxies: Vec<IpNet>,
    /// The requests that the server works on.
    pub requests: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { connections: 8192, per_address: 256, trusted_proxies: Vec::new(), requests: 1000 }
    }
}

/// The connections of a server. Its clones are one.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: ConnectionLimits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    /// Whether the log says already that there is no place.
    is_told: bool,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    /// Whose it is; `None` for a trusted proxy.
    counted_as: Option<IpAddr>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The server has as many connections as it may.
    Server,
    /// The address has.
    Address,
}

impl Places {
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        Self(Arc::new(Shared { limits: limits.clone(), taken: Mutex::default() }))
    }

    /// A place for a connection from this address, if there is one.
    pub(super) fn take(&self, address: IpAddr) -> Result<Place, Full> {
        let limits = &self.0.limits;
        let address = address.to_canonical();
        let is_proxy = limits.trusted_proxies.iter().any(|network| network.contains(&address));
        let counted_as = (!is_proxy).then(|| customer(address));
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= limits.connections {
            // Once, until there is room again: who fills the places should not fill the disk besides.
            if !std::mem::replace(&mut taken.is_told, true) {
                tracing::warn!(connections = taken.all, "all connections are taken; new ones are turned away");
            }
            return Err(Full::Server);
        }
        if let Some(customer) = counted_as {
            let own = taken.by_address.entry(customer).or_default();
            if *own >= limits.per_address {
                return Err(Full::Address);
            }
            *own += 1;
        }
        taken.all += 1;
        drop(taken);
        Ok(Place { places: self.clone(), counted_as })
    }
}

impl Place {
    /// Whether it is the place of a trusted proxy.
    pub(super) const fn is_of_proxy(&self) -> bool {
        self.counted_as.is_none()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if taken.all < self.places.0.limits.connections / 2 {
            taken.is_told = false;
        }
        let Some(customer) = self.counted_as else { return };
        // Who has none left is forgotten.
        if let Some(own) = taken.by_address.get_mut(&customer) {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&customer);
            }
        }
    }
}

/// What is counted as one: an IPv4 address, or the first 64 bits of an IPv6 one.
fn customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_the_server_have_so_many_places_and_get_them_back() {
        let proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let limits = ConnectionLimits {
            connections: 4,
            per_address: 2,
            trusted_proxies: proxies,
            ..ConnectionLimits::default()
        };
        let places = Places::new(&limits);
        let take = |address: &str| places.take(address.parse().unwrap());

        let first = take("2001:db8:1:2::1").unwrap();
        let second = take("2001:db8:1:2:ffff::1").unwrap();
        assert_eq!(take("2001:db8:1:2::2").unwrap_err(), Full::Address, "one customer's addresses count together");
        let _proxy = [take("10.0.0.1").unwrap(), take("::ffff:10.0.0.1").unwrap()];
        assert_eq!(take("192.0.2.7").unwrap_err(), Full::Server);

        drop(first);
        drop(take("192.0.2.7").unwrap());
        drop(second);
        assert!(places.0.taken.lock().unwrap().by_address.is_empty(), "who has none left is forgotten");
        assert_eq!(places.0.taken.lock().unwrap().all, 2);
    }

    #[test]
    fn only_a_trusted_proxy_is_one() {
        let limits = ConnectionLimits { trusted_proxies: vec!["10.0.0.1/32".parse().unwrap()], ..Default::default() };
        let places = Places::new(&limits);
        assert!(places.take("10.0.0.1".parse().unwrap()).unwrap().is_of_proxy());
        assert!(!places.take("10.0.0.2".parse().unwrap()).unwrap().is_of_proxy());
    }
}
