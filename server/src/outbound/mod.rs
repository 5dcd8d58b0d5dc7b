//! Calls to addresses that people chose: through TLS, to public addresses, within seconds, and no further than told.
//!
//! `addresses` knows what is public; `providers` asks it too. May touch reqwest; not the store, not axum, not the clock.
//! What others answer is not believed, and little of it is read.

mod addresses;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use tokio::time::timeout;
use url::{Host, Url};

use crate::domain::text::Invalid;

pub use addresses::{GlobalOnly, LookupError};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A call, with all of its answer that is read.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// So much of an answer is read, so that the connection may serve again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// So much of an answer is told.
const BEGINNING_MAX_CHARS: usize = 1000;
/// So long somebody waits at a form for a name to be looked up.
const LOOKUP_WITHIN: Duration = Duration::from_secs(3);

const NOT_PUBLIC: Invalid = Invalid(
    "This address is not public, and the server calls no others. Whoever runs it can allow a host with --webhook-allow.",
);

/// What asks others by HTTP: within seconds, following no redirect, and through no proxy, which would resolve the names
/// itself, past any check of their addresses.
pub fn client_builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("otrace-server/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
}

/// Calls what people chose. Makes no connection before the first call.
#[derive(Debug)]
pub struct Outbound {
    resolver: GlobalOnly,
    /// Whether it may do without TLS.
    may_be_plain: bool,
    client: OnceLock<Client>,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub struct Called {
    /// The answer, or why there is none, in one sentence.
    pub answer: Result<Answer, String>,
    /// How long it took.
    pub took: Duration,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// When the other side wants to be asked again, in seconds.
    pub retry_after_seconds: Option<u64>,
    /// The beginning of the answer's text.
    pub beginning: String,
}

impl Outbound {
    /// Calls public addresses and the hosts in `allowed`; without TLS only where `may_be_plain` says so.
    pub fn new(allowed: &[String], may_be_plain: bool) -> Self {
        Self { resolver: GlobalOnly::except(allowed.iter().cloned()), may_be_plain, client: OnceLock::new() }
    }

    /// Refuses an address that is never called, as far as it tells so itself.
    pub fn check(&self, url: &Url) -> Result<(), Invalid> {
        match url.scheme() {
            "https" => {}
            "http" if self.may_be_plain => {}
            _ if self.may_be_plain => return Err(Invalid("Begin the address with https:// or http://.")),
            _ => return Err(Invalid("Begin the address with https://.")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Invalid("Leave user and password out of the address."));
        }
        match url.host() {
            None => Err(Invalid("Name a host in the address.")),
            Some(host) if self.resolver.is_callable(&host) => Ok(()),
            Some(_) => Err(NOT_PUBLIC),
        }
    }

    /// The same, and where its name leads now. A name that nobody knows is let through: it may be known later.
    pub async fn check_name(&self, url: &Url) -> Result<(), Invalid> {
        self.check(url)?;
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        match timeout(LOOKUP_WITHIN, self.resolver.look_up(name)).await {
            Ok(Err(LookupError::NotPublic(_))) => Err(NOT_PUBLIC),
            _ => Ok(()),
        }
    }

    /// Sends JSON. No redirect is followed, and an address that is not public is not connected to.
    pub async fn post_json(&self, url: &Url, headers: &[(&'static str, String)], body: String) -> Called {
        let began = Instant::now();
        let answer = self.answer(url, headers, body).await;
        Called { answer, took: began.elapsed() }
    }

    async fn answer(&self, url: &Url, headers: &[(&'static str, String)], body: String) -> Result<Answer, String> {
        self.check(url).map_err(|Invalid(sentence)| sentence.to_owned())?;
        let client = self.client().map_err(|error| {
            tracing::error!(error = format!("{error:#}"), "webhooks can't be called");
            "The server can't call others at the moment. Its log has the details.".to_owned()
        })?;
        let request = client.post(url.clone()).header(CONTENT_TYPE, "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let response = request.body(body).send().await.map_err(in_words)?;
        Ok(Answer::read(response).await)
    }

    /// Made at the first call: it takes memory, and most servers call nobody.
    fn client(&self) -> anyhow::Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = client_builder()
            .dns_resolver(self.resolver.clone())
            .build()
            .context("making the HTTP client for webhooks")?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl Answer {
    /// Reads so much of an answer as is allowed. Where it breaks off, its status still counts.
    async fn read(mut response: Response) -> Self {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after_seconds = retry_after.and_then(|seconds| seconds.trim().parse().ok());
        let mut body = Vec::new();
        while body.len() < ANSWER_BYTES_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - body.len())]);
        }
        let text = String::from_utf8_lossy(&body);
        let beginning = text.chars().filter(|c| *c != '\0').take(BEGINNING_MAX_CHARS).collect();
        Self { status, retry_after_seconds, beginning }
    }
}

/// Why there was no answer, for who chose the address. No address of the server's own network is told.
fn in_words(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "There was no answer in time.".to_owned();
    }
    let error = anyhow::Error::new(error.without_url());
    let lookup = error.chain().find_map(|cause| cause.downcast_ref::<LookupError>());
    match lookup {
        Some(LookupError::NotPublic(refused)) => {
            tracing::warn!(%refused, "a webhook was not called");
            let Invalid(sentence) = NOT_PUBLIC;
            sentence.to_owned()
        }
        Some(LookupError::Unknown(_)) => "The name in the address is not known.".to_owned(),
        None => format!("There was no connection: {}.", error.root_cause()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(allowed: &[&str], may_be_plain: bool, url: &str) -> Option<&'static str> {
        let allowed: Vec<String> = allowed.iter().map(|host| (*host).to_owned()).collect();
        let outbound = Outbound::new(&allowed, may_be_plain);
        outbound.check(&url.parse().unwrap()).err().map(|Invalid(sentence)| sentence)
    }

    #[test]
    fn public_hosts_may_be_called_through_tls() {
        for url in ["https://hooks.example.org/x?y=1", "https://1.1.1.1/x", "https://[2606:4700::1]:8443/x"] {
            assert_eq!(refusal(&[], false, url), None, "{url}");
        }
        assert_eq!(refusal(&[], true, "http://hooks.example.org/x"), None);
        assert!(refusal(&[], false, "http://hooks.example.org/x").is_some());
        assert!(refusal(&[], true, "ftp://hooks.example.org/x").is_some());
        assert!(refusal(&[], false, "https://me:secret@hooks.example.org/x").is_some());
    }

    #[test]
    fn an_address_that_is_not_public_is_called_only_where_it_is_allowed() {
        for url in [
            "https://127.0.0.1/x",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://10.0.0.7/x",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/x",
            "https://[::ffff:127.0.0.1]/x",
            "https://[fd00:ec2::254]/x",
        ] {
            assert_eq!(refusal(&["sink.internal"], false, url), Some(NOT_PUBLIC.0), "{url}");
        }
        assert_eq!(refusal(&["127.0.0.1"], false, "https://0x7f.1/x"), None);
        assert_eq!(refusal(&["[::1]"], false, "https://[::1]:9000/x"), None);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_unless_it_is_allowed() {
        let url: Url = "https://localhost:1/x".parse().unwrap();
        assert_eq!(Outbound::new(&[], false).check_name(&url).await, Err(NOT_PUBLIC));
        let called = Outbound::new(&[], false).post_json(&url, &[], String::new()).await;
        assert_eq!(called.answer, Err(NOT_PUBLIC.0.to_owned()));
        let allowed = Outbound::new(&["LOCALHOST.".to_owned()], false);
        assert_eq!(allowed.check_name(&url).await, Ok(()));
        let called = allowed.post_json(&url, &[], String::new()).await;
        assert!(called.answer.is_err_and(|why| why.starts_with("There was no connection")));
    }
}
