//! How much each caller may do, and which proxies are believed about who it is.

use std::net::IpAddr;

use clap::{Args, value_parser};
use ipnet::{IpNet, Ipv4Net};

/// No machine of ours does more; and the arithmetic stays exact.
const RATE_MAX: i64 = 1_000_000;

/// How much each caller may do, and which proxies are believed about who it is.
#[derive(Args, Clone, Debug)]
pub struct LimitsConfig {
    /// The proxies in front of the server, as networks such as `10.0.0.0/8`, separated by commas. Only what they
    /// write into `X-Forwarded-For` is believed. Without any, the address of the connection counts.
    #[arg(long, env = "OTRACE_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',', value_parser = read_network)]
    pub trusted_proxies: Vec<IpNet>,
    /// The requests a second that one API key may change something with; at once, 5 times as many. 0: no limit.
    #[arg(long, env = "OTRACE_API_WRITES_PER_SECOND", default_value_t = 200, value_name = "COUNT", value_parser = value_parser!(u32).range(..=RATE_MAX))]
    pub api_writes_per_second: u32,
    /// The requests a second that one API key may read with; at once, 6 times as many. 0: no limit.
    #[arg(long, env = "OTRACE_API_READS_PER_SECOND", default_value_t = 50, value_name = "COUNT", value_parser = value_parser!(u32).range(..=RATE_MAX))]
    pub api_reads_per_second: u32,
    /// The open pages of one account that this server tells of changes.
    #[arg(long, env = "OTRACE_LIVE_PAGES_PER_ACCOUNT", default_value_t = 200, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=RATE_MAX))]
    pub live_pages_per_account: u32,
    /// The open pages of all accounts together that this server tells of changes.
    #[arg(long, env = "OTRACE_LIVE_PAGES", default_value_t = 4000, value_name = "COUNT", value_parser = value_parser!(u32).range(1..=RATE_MAX))]
    pub live_pages: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            api_writes_per_second: 200,
            api_reads_per_second: 50,
            live_pages_per_account: 200,
            live_pages: 4000,
        }
    }
}

/// A network such as `10.0.0.0/8` or one address, in the form that addresses of connections are compared in.
fn read_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = match text.parse::<IpNet>() {
        Ok(network) => canonical(network),
        Err(_) => text
            .parse::<IpAddr>()
            .map(|address| address.to_canonical().into())
            .map_err(|_| format!("“{text}” is no network. Write networks such as 10.0.0.0/8, separated by commas."))?,
    };
    if network.prefix_len() == 0 {
        return Err(format!("{text} is everybody, who could then claim any address. Name the proxies' own networks."));
    }
    Ok(network)
}

/// IPv4 networks written as IPv6 become IPv4 ones, as addresses do.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    mapped.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok()).map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        limits: LimitsConfig,
    }

    fn read(arguments: &[&str]) -> Result<LimitsConfig, String> {
        let arguments = std::iter::once("serve").chain(arguments.iter().copied());
        Command::try_parse_from(arguments).map(|command| command.limits).map_err(|error| error.to_string())
    }

    #[test]
    fn nobody_is_trusted_unless_told() {
        let limits = read(&[]).unwrap();
        assert!(limits.trusted_proxies.is_empty());
        assert_eq!((limits.api_writes_per_second, limits.api_reads_per_second), (200, 50));
    }

    #[test]
    fn networks_and_addresses_are_separated_by_commas() {
        let limits = read(&["--trusted-proxies", "10.0.0.0/8, 192.0.2.7,fd00::/8,::ffff:172.16.0.0/108"]).unwrap();
        let networks: Vec<String> = limits.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8", "172.16.0.0/12"]);
    }

    #[test]
    fn what_is_no_network_is_refused_with_a_sentence() {
        for (text, sentence) in [
            ("proxy.example.org", "is no network"),
            ("10.0.0.0/33", "is no network"),
            ("10.0.0.0/8,,", "is no network"),
            ("0.0.0.0/0", "is everybody"),
            ("::/0", "is everybody"),
            ("::ffff:0:0/96", "is everybody"),
        ] {
            let error = read(&["--trusted-proxies", text]).unwrap_err();
            assert!(error.contains(sentence), "{text}: {error}");
        }
    }

    #[test]
    fn rates_have_bounds() {
        assert_eq!(read(&["--api-writes-per-second", "0"]).unwrap().api_writes_per_second, 0);
        assert!(read(&["--api-writes-per-second", "1000001"]).is_err());
        assert!(read(&["--api-reads-per-second", "-1"]).is_err());
    }
}
