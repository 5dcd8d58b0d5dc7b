//! What can be wrong with the way to the server: where it listens, its public URL, the certificate, the proxy.

use std::time::Duration as Patience;

use anyhow::Context;
use otrace_doctor::in_words;
use otrace_wire::version::HEADER as VERSION;
use reqwest::Response;
use reqwest::header::DATE;
use reqwest::tls::TlsInfo;
use time::format_description::well_known::Rfc2822;
use time::{Duration, OffsetDateTime};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::certificate::good_until;
use super::{Check, Patient, Tell, clock};
use crate::config::reached_from_here;
use crate::outbound::client_builder;

const CONNECT_WITHIN: Patience = Patience::from_secs(5);
/// What `/health/live` says.
const ALIVE: &str = "ok";
/// A certificate that is good for less is renewed by now, where something renews it.
const RENEWED_BEFORE: Duration = Duration::days(14);

/// Looks at the way to the server.
pub async fn check(patient: &Patient, tell: Tell<'_>) {
    let config = &patient.config;
    let listen = reached_from_here(config.http.listen);
    let is_listening = matches!(timeout(CONNECT_WITHIN, TcpStream::connect(listen)).await, Ok(Ok(_)));
    tell(if is_listening {
        Check::ok("server", format_args!("something listens at {listen}"))
    } else {
        Check::warning("server", format_args!("nothing listens at {listen}. Start the server, and look once more."))
    });

    let url = config.public_url_str();
    match ask(url).await {
        Ok(answer) => tell_answer(&answer, url, patient.clock.now(), tell),
        // Nobody can say what a server that does not run would answer.
        Err(error) if !is_listening => {
            tell(Check::warning("address", format_args!("{url} does not answer, as no server runs here: {error:#}")));
        }
        // As in a container: the port may be one of the machine around it.
        Err(_) if config.is_url_local() && !config.http.listen.ip().is_loopback() => tell(Check::warning(
            "address",
            format_args!("{url} does not answer from in here. Ask on the machine itself: curl {url}/health/live"),
        )),
        Err(error) => tell(Check::failed(
            "address",
            format_args!(
                "{url} does not lead to this server: {error:#}. Check OTRACE_PUBLIC_URL, its name in the DNS, and the \
                 proxy. Where this machine may not go there by that name, ask from another one: curl {url}/health/live"
            ),
        )),
    }
    tell(proxy(patient));
}

/// What came back from the public URL.
struct Answer {
    /// The status and the first words, where that is not what the server says.
    strange: Option<String>,
    /// The version that the server says; nothing, where something else answers.
    version: Option<String>,
    certificate_end: Option<OffsetDateTime>,
    date: Option<OffsetDateTime>,
}

async fn ask(url: &str) -> anyhow::Result<Answer> {
    let client = client_builder().tls_info(true).build().context("making the HTTP client")?;
    let get = async |path: &str| -> anyhow::Result<Response> {
        client.get(format!("{url}{path}")).send().await.map_err(|error| anyhow::Error::new(error.without_url()))
    };
    let alive = get("/health/live").await?;
    let certificate_end = alive.extensions().get::<TlsInfo>().and_then(|tls| good_until(tls.peer_certificate()?));
    let header = alive.headers().get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
    let status = alive.status();
    let text: String = alive.text().await.unwrap_or_default().trim().chars().take(60).collect();
    let is_well = status.is_success() && text == ALIVE;
    // Who asks without a key is refused, by a server that says its version.
    let refused = get("/v1/auth/whoami").await?;
    let version = refused.headers().get(VERSION).and_then(|version| version.to_str().ok()).map(str::to_owned);
    Ok(Answer {
        strange: (!is_well).then(|| format!("{status} {text}")),
        version,
        certificate_end,
        date: header.and_then(|date| OffsetDateTime::parse(&date, &Rfc2822).ok()),
    })
}

fn tell_answer(answer: &Answer, url: &str, now: OffsetDateTime, tell: Tell<'_>) {
    let ours = env!("CARGO_PKG_VERSION");
    tell(match (&answer.strange, answer.version.as_deref()) {
        (Some(strange), _) => Check::failed(
            "address",
            format_args!("{url}/health/live answers {strange}. Have the proxy pass all paths on to the server."),
        ),
        (None, None) => Check::failed(
            "address",
            format_args!("{url} leads to something that is no Trace. Check OTRACE_PUBLIC_URL."),
        ),
        (None, Some(version)) if version != ours => Check::warning(
            "address",
            format_args!("{url} leads to a server of version {version}, and this is {ours}. Restart the older one."),
        ),
        (None, Some(_)) => Check::ok("address", format_args!("{url} leads to the server")),
    });
    if let Some(end) = answer.certificate_end {
        tell(certificate(end - now));
    }
    if let Some(date) = answer.date {
        tell(clock(&format!("that of {url}"), date - now));
    }
}

/// `left`: how long it is good.
fn certificate(left: Duration) -> Check {
    let shown = in_words(left);
    if left < RENEWED_BEFORE {
        let told = format!("the certificate ends in {shown}. Renew it, and check what should have renewed it.");
        return Check::warning("certificate", told);
    }
    Check::ok("certificate", format_args!("it is good for {shown}"))
}

/// Whether the addresses that limits count by are people's own.
fn proxy(patient: &Patient) -> Check {
    let config = &patient.config;
    if config.is_local_only() {
        return Check::ok("proxy", "none is needed, as only this machine reaches the server");
    }
    if !config.limits.trusted_proxies.is_empty() {
        let networks: Vec<String> = config.limits.trusted_proxies.iter().map(ToString::to_string).collect();
        return Check::ok("proxy", format_args!("X-Forwarded-For is believed from {}", networks.join(", ")));
    }
    if config.http.tls_certificate.is_some() {
        return Check::ok("proxy", "none is named; the server speaks TLS itself");
    }
    if config.is_https() {
        return Check::warning(
            "proxy",
            "the proxy that speaks TLS for this server is not believed whose requests it passes on, so that limits by \
             address hold for all people together. Name it in OTRACE_TRUSTED_PROXIES.",
        );
    }
    Check::ok("proxy", "none is named; the addresses of connections count")
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn a_certificate_that_ends_soon_is_told() {
        let of = |days| certificate(Duration::days(days)).status;
        assert_eq!((of(1), of(13), of(60)), (Status::Warning, Status::Warning, Status::Ok));
    }

    #[test]
    fn an_answer_of_something_else_is_told_from_ours() {
        let told = |strange: Option<&str>, version: Option<&str>| {
            let mut statuses = Vec::new();
            let answer = Answer {
                strange: strange.map(str::to_owned),
                version: version.map(str::to_owned),
                certificate_end: None,
                date: None,
            };
            tell_answer(&answer, "https://x", OffsetDateTime::UNIX_EPOCH, &mut |check: Check| {
                statuses.push(check.status);
            });
            statuses
        };
        assert_eq!(told(None, Some(env!("CARGO_PKG_VERSION"))), [Status::Ok]);
        assert_eq!(told(None, Some("0.0.1")), [Status::Warning]);
        assert_eq!(told(None, None), [Status::Failed]);
        assert_eq!(told(Some("404 Not Found"), None), [Status::Failed]);
    }
}
