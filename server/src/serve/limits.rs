//! How many connections and requests there may be at once.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use metrics::{counter, gauge};

use crate::telemetry::metrics::Held;

/// How many connections and requests are served at once.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// The connections in all. As many requests may be under way, whose answers cost memory until they are taken.
    pub connections: usize,
    /// Those of one address: an IPv4 address, or the 64 bits of IPv6 that one customer has at least. As many requests
    /// of it may be under way, which HTTP/2 would multiply otherwise.
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
    /// The requests under way, in all connections.
    requests: Counted,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, Own>,
    /// Whether the log says already that there is no place.
    is_told: bool,
}

/// What one address has.
#[derive(Debug, Default)]
struct Own {
    connections: usize,
    /// Its requests under way, in all of its connections.
    requests: Counted,
}

/// How many there are of something. Its clones are one.
type Counted = Arc<AtomicUsize>;

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    /// Whose it is; `None` for a trusted proxy.
    counted_as: Option<IpAddr>,
    asker: Asker,
    _counted: Held,
}

/// Who sends the requests of a connection. Those of one address are counted together, and those of all.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    /// The requests under way of its address; `None` for a trusted proxy.
    own: Option<Counted>,
    own_max: usize,
    all: Counted,
    all_max: usize,
}

/// A request under way, until it is dropped: wherever it is counted.
#[derive(Debug)]
pub(super) struct Asked {
    _own: Option<One>,
    _all: Option<One>,
}

/// One of those that are counted, until it is dropped.
#[derive(Debug)]
struct One(Counted);

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
        Self(Arc::new(Shared { limits: limits.clone(), taken: Mutex::default(), requests: Counted::default() }))
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
            counter!("otrace_connections_refused_total", "full" => "server").increment(1);
            return Err(Full::Server);
        }
        let mut requests = None;
        if let Some(customer) = counted_as {
            let own = taken.by_address.entry(customer).or_default();
            if own.connections >= limits.per_address {
                counter!("otrace_connections_refused_total", "full" => "address").increment(1);
                return Err(Full::Address);
            }
            own.connections += 1;
            requests = Some(Arc::clone(&own.requests));
        }
        taken.all += 1;
        drop(taken);
        let counted = Held::in_gauge(gauge!("otrace_connections_open"));
        let (all, all_max) = (Arc::clone(&self.0.requests), limits.connections);
        let asker = Asker { own: requests, own_max: limits.per_address, all, all_max };
        Ok(Place { places: self.clone(), counted_as, asker, _counted: counted })
    }
}

impl Place {
    /// Whether it is the place of a trusted proxy.
    pub(super) const fn is_of_proxy(&self) -> bool {
        self.counted_as.is_none()
    }

    /// Who sends its requests.
    pub(super) fn asker(&self) -> Asker {
        self.asker.clone()
    }
}

impl Asker {
    /// Counts a request, unless the address or the server has too many under way.
    pub(super) fn ask(&self) -> Option<Asked> {
        // First the address: one that has too many takes no place from the others, not even for a moment.
        let own = match &self.own {
            Some(own) => Some(One::of(own, self.own_max)?),
            None => None,
        };
        let all = One::of(&self.all, self.all_max)?;
        Some(Asked { _own: own, _all: Some(all) })
    }
}

impl One {
    /// Counts one more, unless there are so many already.
    fn of(counted: &Counted, max: usize) -> Option<Self> {
        // It counts from here on, and no more when it is dropped.
        let one = Self(Arc::clone(counted));
        (counted.fetch_add(1, Ordering::Relaxed) < max).then_some(one)
    }
}

impl Asked {
    /// One that takes no place.
    pub(super) const fn uncounted() -> Self {
        Self { _own: None, _all: None }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
            own.connections -= 1;
            if own.connections == 0 {
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
    fn an_address_has_so_many_requests_in_all_its_connections_and_a_proxy_as_many_as_the_server() {
        let proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let limits = ConnectionLimits {
            connections: 5,
            per_address: 2,
            trusted_proxies: proxies,
            ..ConnectionLimits::default()
        };
        let places = Places::new(&limits);
        let take = |address: &str| places.take(address.parse().unwrap()).unwrap();

        let own = [take("192.0.2.7"), take("192.0.2.7")];
        let asked = own.each_ref().map(|place| place.asker().ask().unwrap());
        for place in &own {
            assert!(place.asker().ask().is_none());
        }
        assert!(take("192.0.2.8").asker().ask().is_some(), "another address has its own");
        drop(asked);
        assert!(own[0].asker().ask().is_some());

        let proxy = take("10.0.0.1");
        let of_proxy: Vec<_> = std::iter::repeat_with(|| proxy.asker().ask()).take(6).collect();
        assert!(of_proxy[..5].iter().all(Option::is_some) && of_proxy[5].is_none());
        assert!(own[0].asker().ask().is_none(), "the server has too many");
        drop(of_proxy);
        assert!(own[0].asker().ask().is_some());
    }

    #[test]
    fn only_a_trusted_proxy_is_one() {
        let limits = ConnectionLimits { trusted_proxies: vec!["10.0.0.1/32".parse().unwrap()], ..Default::default() };
        let places = Places::new(&limits);
        assert!(places.take("10.0.0.1".parse().unwrap()).unwrap().is_of_proxy());
        assert!(!places.take("10.0.0.2".parse().unwrap()).unwrap().is_of_proxy());
    }
}
