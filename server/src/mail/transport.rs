//! The way to the mail server, from its URL.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// How long a connection may take to stand.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// What a URL looks like, for who wrote another.
const EXAMPLE: &str = "smtps://user:password@mail.example.org";

/// The way to the mail server. It connects when there is something to send.
pub fn open(url: &SecretString) -> anyhow::Result<AsyncSmtpTransport<Tokio1Executor>> {
    let url = url.expose_secret();
    // The parser's own words would not help, and the URL holds a password.
    let Ok(parsed) = Url::parse(url) else { bail!("the mail server's URL can't be read: write one such as {EXAMPLE}") };
    check(&parsed)?;
    let transport =
        AsyncSmtpTransport::<Tokio1Executor>::from_url(url).context("the mail server's URL can't be used")?;
    Ok(transport.timeout(Some(CONNECT_WITHIN)).build())
}

/// Refuses what would be read in another way than it was meant.
fn check(url: &Url) -> anyhow::Result<()> {
    ensure!(
        matches!(url.scheme(), "smtps" | "smtp"),
        "the mail server's URL has to begin with smtps:// or smtp://, such as {EXAMPLE}"
    );
    let Some(Host::Domain(host)) = url.host() else {
        bail!("the mail server's URL has to name a host, such as {EXAMPLE}");
    };
    ensure!(!host.is_empty(), "the mail server's URL has to name a host, such as {EXAMPLE}");
    // A `/`, `?` or `#` in a password would end it here.
    ensure!(
        url.fragment().is_none() && !url.path().contains('@') && !url.query().is_some_and(|query| query.contains('@')),
        "the mail server's URL is cut off by a special character: write those in the password as %2F, %3F or %23"
    );
    ensure!(
        url.query_pairs().all(|(name, value)| name == "tls" && value == "required"),
        "the mail server's URL can end with ?tls=required and with nothing else after the question mark"
    );
    ensure!(
        url.username().is_empty() == url.password().is_none(),
        "the mail server's URL has to hold both user and password, or neither, such as {EXAMPLE}"
    );
    let is_encrypted = url.scheme() == "smtps" || url.query_pairs().next().is_some();
    let stays_here =
        host.eq_ignore_ascii_case("localhost") || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    ensure!(
        is_encrypted || stays_here || url.password().is_none(),
        "the mail server's password would cross the network in the clear: begin its URL with smtps://, \
         or end it with ?tls=required"
    );
    if !is_encrypted && !stays_here {
        tracing::warn!("letters cross the network in the clear: begin the mail server's URL with smtps://");
    }
    Ok(())
}
