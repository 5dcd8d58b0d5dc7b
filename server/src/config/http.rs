//! Where the server listens and what it is called from outside.

use std::net::SocketAddr;
use std::sync::LazyLock;

use clap::Args;
use url::Url;

/// Where the server listens and what it is called from outside.
#[derive(Args, Clone, Debug)]
pub struct HttpConfig {
    /// The address and port to listen on.
    #[arg(long, env = "OTRACE_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// The server's address as browsers and clients write it [default: `http://localhost:PORT`].
    #[arg(long, env = "OTRACE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,
    /// The largest request that published clients may send: a run's details with its files inline, in bytes.
    #[arg(long, env = "OTRACE_MAX_BODY_BYTES", default_value_t = 256 * 1024 * 1024, value_name = "BYTES")]
    pub max_body_bytes: u64,
}

impl HttpConfig {
    /// Listening on `listen`, called `http://localhost:PORT`.
    pub fn local(listen: SocketAddr) -> Self {
        let mut config = Self { listen, public_url: None, max_body_bytes: 256 * 1024 * 1024 };
        config.settle(listen);
        config
    }

    /// Settles the public address once the port is known: port 0 listens on any free one.
    pub fn settle(&mut self, listening_on: SocketAddr) {
        self.listen = listening_on;
        if self.public_url.is_none() {
            self.public_url = Url::parse(&format!("http://localhost:{}", listening_on.port())).ok();
        }
    }

    /// The server's address as browsers and clients write it.
    pub fn public_url(&self) -> &Url {
        static UNSETTLED: LazyLock<Url> =
            LazyLock::new(|| Url::parse("http://localhost:8000").expect("a literal URL parses"));
        self.public_url.as_ref().unwrap_or(&UNSETTLED)
    }
}
