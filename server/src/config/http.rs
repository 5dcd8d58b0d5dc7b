//! Where the server listens and what it is called from outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Args, value_parser};
use url::Url;

/// Where the server listens and what it is called from outside.
#[derive(Args, Clone, Debug)]
pub struct HttpConfig {
    /// The address and port to listen on.
    #[arg(long, env = "OTRACE_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// The server's address as browsers and clients write it [default: `http://localhost:PORT`, with a certificate
    /// `https://localhost:PORT`].
    #[arg(long, env = "OTRACE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,
    /// The largest request that published clients may send: a run's details with its files inline, in bytes.
    #[arg(long, env = "OTRACE_MAX_BODY_BYTES", default_value_t = 256 * 1024 * 1024, value_name = "BYTES")]
    pub max_body_bytes: u64,
    /// Serve others over plain HTTP: passwords and keys cross the network in the clear. Only for a network
    /// in which everybody may read everything.
    #[arg(long, env = "OTRACE_INSECURE_HTTP")]
    pub insecure_http: bool,
    /// The certificate to speak TLS with: a PEM file with its chain. Without one, the server speaks plain HTTP. It is
    /// read anew when it changes, and on SIGHUP.
    #[arg(long, env = "OTRACE_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key: a PEM file.
    #[arg(long, env = "OTRACE_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// The most connections at once. Above, new ones are turned away.
    #[arg(long, env = "OTRACE_CONNECTIONS", default_value_t = 8192, value_name = "COUNT", value_parser = value_parser!(u32).range(1..))]
    pub connections: u32,
    /// The most connections at once from one address that is no trusted proxy's, and the most requests under way.
    #[arg(long, env = "OTRACE_CONNECTIONS_PER_ADDRESS", default_value_t = 256, value_name = "COUNT", value_parser = value_parser!(u32).range(1..))]
    pub connections_per_address: u32,
    /// How long the server still takes requests after it was told to stop, while `/health/ready` says that it is not
    /// ready: as long as what spreads the requests needs to notice, in seconds.
    #[arg(long, env = "OTRACE_DRAIN_DELAY", default_value_t = 0, value_name = "SECONDS", value_parser = value_parser!(u64).range(..=3600))]
    pub drain_delay: u64,
    /// Whether nobody said what the server is called.
    #[arg(skip)]
    name_is_guessed: bool,
}

impl HttpConfig {
    /// Listening on `listen`, called `http://localhost:PORT`.
    pub fn local(listen: SocketAddr) -> Self {
        let mut config = Self {
            listen,
            public_url: None,
            max_body_bytes: 256 * 1024 * 1024,
            insecure_http: false,
            tls_certificate: None,
            tls_key: None,
            connections: 8192,
            connections_per_address: 256,
            drain_delay: 0,
            name_is_guessed: false,
        };
        config.settle(listen);
        config
    }

    /// The same, called by this address.
    #[must_use]
    pub fn called(self, public_url: Url) -> Self {
        Self { public_url: Some(public_url), name_is_guessed: false, ..self }
    }

    /// Settles the public address once the port is known: port 0 listens on any free one.
    pub fn settle(&mut self, listening_on: SocketAddr) {
        self.listen = listening_on;
        if self.public_url.is_none() {
            self.name_is_guessed = true;
            let scheme = if self.tls_certificate.is_some() { "https" } else { "http" };
            self.public_url = Url::parse(&format!("{scheme}://localhost:{}", listening_on.port())).ok();
        }
    }

    /// Whether `host`, as a browser sends it, is a name of this server.
    ///
    /// A server that others reach, and that was not told its name, can't know.
    pub fn is_called(&self, host: &str) -> bool {
        let is_public_name = self.public_url.as_ref().is_some_and(|url| host.eq_ignore_ascii_case(url.authority()));
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let name = name.map_or(host, |(name, _)| name).to_ascii_lowercase();
        let is_this_machine = ["localhost", "127.0.0.1", "[::1]"].contains(&name.as_str());
        let is_open = !self.listen.ip().is_loopback();
        is_public_name || is_this_machine || (is_open && self.name_is_guessed)
    }

    /// The server's address as browsers and clients write it.
    pub fn public_url(&self) -> &Url {
        static UNSETTLED: LazyLock<Url> =
            LazyLock::new(|| Url::parse("http://localhost:8000").expect("a literal URL parses"));
        self.public_url.as_ref().unwrap_or(&UNSETTLED)
    }
}

/// Where to reach what listens on this address from its own machine: what listens on all addresses is at loopback.
pub fn reached_from_here(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, listen.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, listen.port()).into(),
        _ => listen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening_on(listen: &str, public_url: Option<&str>) -> HttpConfig {
        let listen = listen.parse().unwrap();
        let mut config =
            HttpConfig { public_url: public_url.map(|url| url.parse().unwrap()), ..HttpConfig::local(listen) };
        config.name_is_guessed = false;
        config.settle(listen);
        config
    }

    #[test]
    fn a_local_server_is_called_by_the_names_of_this_machine_only() {
        let config = listening_on("127.0.0.1:8000", None);
        for host in ["localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "localhost"] {
            assert!(config.is_called(host), "{host}");
        }
        for host in [
            "evil.example:8000",
            "localhost.evil.example",
            "127.0.0.1.nip.io:8000",
            "10.evil.example",
            "",
            "localhost.",
            "x:localhost",
        ] {
            assert!(!config.is_called(host), "{host}");
        }
    }

    #[test]
    fn a_server_with_a_name_is_called_by_it() {
        let config = listening_on("0.0.0.0:8000", Some("https://trace.example.org"));
        assert!(config.is_called("trace.example.org") && config.is_called("TRACE.example.org"));
        assert!(!config.is_called("evil.example") && !config.is_called("trace.example.org.evil.example"));
    }

    #[test]
    fn a_server_with_a_certificate_is_called_by_https() {
        let listen = "127.0.0.1:8443".parse().unwrap();
        let unnamed = HttpConfig { public_url: None, ..HttpConfig::local(listen) };
        let mut config = HttpConfig { tls_certificate: Some("server.pem".into()), ..unnamed };
        config.settle(listen);
        assert_eq!(config.public_url().as_str(), "https://localhost:8443/");
    }

    #[test]
    fn an_open_server_that_was_not_told_its_name_answers_to_any() {
        assert!(listening_on("0.0.0.0:8000", None).is_called("build-box:8000"));
    }

    #[test]
    fn a_server_on_all_addresses_is_asked_at_loopback() {
        for (listen, asked) in
            [("0.0.0.0:8000", "127.0.0.1:8000"), ("[::]:8000", "[::1]:8000"), ("10.0.0.7:80", "10.0.0.7:80")]
        {
            assert_eq!(reached_from_here(listen.parse().unwrap()), asked.parse().unwrap(), "{listen}");
        }
    }
}
