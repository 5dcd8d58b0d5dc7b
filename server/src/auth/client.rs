//! From where a request comes.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Once;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use ipnet::IpNet;

use crate::app::AppState;

const FORWARDED_FOR: &str = "x-forwarded-for";
const USER_AGENT_MAX_CHARS: usize = 300;

/// From where a request comes: for the records and for limits, never to decide what it may do.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The address: the connection's, or what the configured proxies say. `None`: no request, but the server itself.
    pub address: Option<IpAddr>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// Whether a proxy passed it on that nobody configured, so that `address` is the proxy's.
    pub is_forwarded: bool,
}

impl Client {
    /// What limits by address count by: one IPv4 address, or the 64 bits of IPv6 that one customer has at least.
    pub fn limit_subject(&self) -> String {
        match self.address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            None => "unknown".to_owned(),
        }
    }

    /// Whether it is a person at the server's own machine, or the server itself.
    pub fn is_this_machine(&self) -> bool {
        !self.is_forwarded && self.address.is_none_or(|address| address.to_canonical().is_loopback())
    }
}

impl FromRequestParts<AppState> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let trusted = &app.config.limits.trusted_proxies;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
        // A line that is no text can't be read, and must not be passed over.
        let lines = parts.headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or("?"));
        let address = peer.map(|peer| client_address(peer, lines, trusted));
        let is_forwarded =
            parts.headers.contains_key(FORWARDED_FOR) && peer.is_none_or(|peer| !is_trusted(peer, trusted));
        if is_forwarded {
            warn_once_of_unknown_proxy(peer);
        }
        let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let user_agent = user_agent.map(|text| text.chars().take(USER_AGENT_MAX_CHARS).collect());
        Ok(Self { address, user_agent, is_forwarded })
    }
}

/// The address that a request comes from: that of the connection, or, where that is a trusted proxy, the
/// right-most one in its headers that is not one itself. `headers`: all lines of `X-Forwarded-For`.
///
/// Each proxy adds on the right the address that it was called from; what is further left may be made up.
/// Where something can't be read the walk ends, and the nearest address that was read counts.
pub fn client_address<'a>(peer: IpAddr, headers: impl Iterator<Item = &'a str>, trusted: &[IpNet]) -> IpAddr {
    let mut nearest = peer.to_canonical();
    if !is_trusted(nearest, trusted) {
        return nearest;
    }
    let lines: Vec<&str> = headers.collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(address) = read_address(hop) else { break };
        nearest = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    nearest
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// `192.0.2.7`, `192.0.2.7:80`, `2001:db8::7`, `[2001:db8::7]` or `[2001:db8::7]:80`.
fn read_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    bare.or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

/// Anybody can send the header, so that it is said once only.
fn warn_once_of_unknown_proxy(peer: Option<IpAddr>) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let from = peer.map(tracing::field::display);
        tracing::warn!(
            from,
            "a request came with X-Forwarded-For, which is not believed: if your proxy sent it, name it in --trusted-proxies"
        );
    });
}

#[cfg(test)]
mod tests;
