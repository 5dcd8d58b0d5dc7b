//! All that talks to the server: one typed call for each request.
//!
//! The key goes to the configured server and nowhere else: redirects are not followed. What belongs
//! to a run goes with that run's own token, once the server has given one out. A server that asks to
//! wait is obeyed ([`retry_after`]); every request may be repeated, and is, for as long as the client
//! has patience ([`backoff`]). Failures come back as one sentence, and what to do about them is part of it.

pub mod backoff;
pub mod contents;
mod device;
mod editing;
mod imports;
mod live;
mod pages;
pub mod probe;
pub mod reading;
mod refusal;
mod retry_after;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use otrace_wire::identity::WhoamiProject;
use otrace_wire::version::{self, Version};
use otrace_wire::{ApiError, CreateRun, Run, RunDetails, RunOutcome, WorkspaceSync, paths};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, RequestBuilder, Response, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::printer;
use crate::settings::{ApiKey, Settings, is_loopback};
use backoff::{Backoff, Patience};
use contents::Streamed;

/// How long a small request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a large request may take, besides the time for its size.
const TRANSFER_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes a second: a line that is slower than this counts as broken.
const SLOWEST: u64 = 64 * 1024;
/// How much of a refusal is read: more than any server of ours says.
const REFUSAL_LIMIT: usize = 64 * 1024;

/// Speaks to one server, with one key or with none.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    run_token: Option<Arc<RunToken>>,
    /// Whether people are told when the server asks to wait: not while their command has the terminal.
    is_quiet: bool,
    /// How long it waits for a server that fails. None, unless it was given some.
    patience: Patience,
    /// Speaks to the server's store, if that ever has to be.
    store: Arc<OnceLock<Option<reqwest::Client>>>,
}

/// What may add to one run and do nothing else. A long job outlives its key with it.
struct RunToken {
    authorization: HeaderValue,
    /// Once it has been refused, the key speaks again.
    is_refused: AtomicBool,
}

/// The project and workspace, as the server knows them after a sync.
#[derive(Clone, Debug, Deserialize)]
pub struct SyncedWorkspace {
    /// The project that the key belongs to.
    #[serde(flatten)]
    pub project: WhoamiProject,
    /// The workspace's name there.
    #[serde(default)]
    pub workspace_name: Option<String>,
}

#[derive(Deserialize)]
struct RunReply {
    run: Run,
    /// Older servers give none out.
    #[serde(default)]
    run_token: Option<String>,
}

#[derive(Deserialize)]
struct WorkspaceReply {
    project: SyncedWorkspace,
}

/// Older servers say `ok: false` with status 200.
#[derive(Deserialize)]
struct Verdict {
    #[serde(default = "yes")]
    ok: bool,
}

fn yes() -> bool {
    true
}

impl Client {
    /// A client for these settings; nothing is sent yet.
    pub fn new(settings: &Settings) -> Result<Self> {
        Self::at(&settings.api_url, Some(settings.api_key()?))
    }

    /// One for somebody who has no key yet.
    pub fn without_key(settings: &Settings) -> Result<Self> {
        Self::at(&settings.api_url, None)
    }

    /// One for this address.
    pub fn at(base: &str, key: Option<&ApiKey>) -> Result<Self> {
        let mut headers = HeaderMap::new();
        let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
        headers.insert(HeaderName::from_static(version::HEADER), version);
        if let Some(key) = key {
            let authorization =
                bearer(key.expose()).ok_or_else(|| Error::new("the API key holds characters that no key has"))?;
            headers.insert(AUTHORIZATION, authorization);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("otrace/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT);
        if base.starts_with("http://") {
            // Loading the machine's certificates takes longer than a whole run may cost.
            builder = builder.tls_certs_only(std::iter::empty());
        }
        if is_loopback(base) {
            // A proxy cannot reach what listens on this machine only.
            builder = builder.no_proxy();
        }
        let http =
            builder.build().map_err(|error| Error::new(format!("could not set up HTTP: {}", root_cause(&error))))?;
        let (patience, store) = (Patience::default(), Arc::default());
        Ok(Self { http, base: base.to_owned(), run_token: None, is_quiet: false, patience, store })
    }

    /// One that goes on telling about a run that another `otrace` began. With the run's token it needs no key.
    pub fn resuming(settings: &Settings, run_token: Option<&str>, is_quiet: bool) -> Result<Self> {
        let key = settings.api_key();
        let run_token = run_token.and_then(RunToken::new);
        let key = if run_token.is_some() { key.ok() } else { Some(key?) };
        Ok(Self { run_token, is_quiet, ..Self::at(&settings.api_url, key)? })
    }

    /// The same, with so much time to wait in all for a server that fails.
    pub fn patient(&self, patience: Duration) -> Self {
        Self { patience: Patience::of(patience), ..self.clone() }
    }

    /// The same for one request that only reads: with a little patience, where it has not been given any.
    fn reading(&self) -> Self {
        let patience = if self.patience.is_given() { self.patience.clone() } else { Patience::of_a_reader() };
        Self { patience, ..self.clone() }
    }

    /// The token of the run that it tells about, to be kept with the run.
    pub fn run_token(&self) -> Option<String> {
        let authorization = self.run_token.as_ref()?.authorization.to_str().ok()?;
        authorization.strip_prefix("Bearer ").map(str::to_owned)
    }

    /// Says which workspace speaks.
    pub async fn sync_workspace(&self, workspace: &WorkspaceSync) -> Result<SyncedWorkspace> {
        let reply: WorkspaceReply = self.send(Method::PATCH, paths::WORKSPACE, workspace).await?;
        Ok(reply.project)
    }

    /// Records a run before its command starts. Also gives the client that tells about it from then
    /// on: with the run's token, and without a word while the command has the terminal.
    pub async fn create_run(&self, run: &CreateRun) -> Result<(Run, Self)> {
        let reply: RunReply = self.send(Method::POST, paths::RUNS, run).await?;
        let run_token = reply.run_token.as_deref().and_then(RunToken::new);
        Ok((reply.run, Self { run_token, is_quiet: true, ..self.clone() }))
    }

    /// Says where a run stands.
    pub async fn update_run(&self, run: Uuid, outcome: &RunOutcome) -> Result<()> {
        let request = self.request(Method::PATCH, &paths::run(&run.to_string())).json(outcome);
        self.tell_run(request, None).await
    }

    /// Replaces everything that a run left behind.
    pub async fn put_details(&self, run: Uuid, details: &RunDetails) -> Result<()> {
        let body = serde_json::to_vec(details)
            .map_err(|error| Error::new(format!("could not write the run's details as JSON: {error}")))?;
        let request = self
            .request(Method::PUT, &paths::run_details(&run.to_string()))
            .timeout(transfer_timeout(body.len() as u64))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        self.tell_run(request, None).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).timeout(TIMEOUT)
    }

    async fn send<B: Serialize + Sync, A: DeserializeOwned>(&self, method: Method, path: &str, body: &B) -> Result<A> {
        self.call(self.request(method, path).json(body)).await
    }

    async fn call<A: DeserializeOwned>(&self, request: RequestBuilder) -> Result<A> {
        let request = self.built(request)?;
        let mut backoff = Backoff::new(&self.patience);
        loop {
            let read = self.read(self.answer(&request, None, None).await?).await;
            let Some(wait) = backoff.after_a_cut(&read) else { return read };
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends what belongs to the run, with its token. A token that the server takes no more, such as
    /// after a change of its secrets, gives way to the key.
    async fn told(&self, request: &Request, content: Option<&Streamed>) -> Result<Response> {
        let token = self.run_token.as_deref().filter(|token| !token.is_refused.load(Ordering::Relaxed));
        let mut response = self.answer(request, token.map(|token| &token.authorization), content).await?;
        if let Some(token) = token
            && response.status() == StatusCode::UNAUTHORIZED
        {
            token.is_refused.store(true, Ordering::Relaxed);
            response = self.answer(request, None, content).await?;
        }
        Ok(response)
    }

    async fn tell_run(&self, request: RequestBuilder, content: Option<&Streamed>) -> Result<()> {
        let request = self.built(request)?;
        let mut backoff = Backoff::new(&self.patience);
        loop {
            let read: Result<IgnoredAny> = self.read(self.told(&request, content).await?).await;
            let Some(wait) = backoff.after_a_cut(&read) else { return read.map(drop) };
            tokio::time::sleep(wait).await;
        }
    }

    fn built(&self, request: RequestBuilder) -> Result<Request> {
        request.build().map_err(|error| self.unreachable(&error))
    }

    /// Sends a request, as often as the server asks for it or patience lasts. The content is its body, read anew each time.
    async fn answer(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
        content: Option<&Streamed>,
    ) -> Result<Response> {
        let mut waits = 0;
        let mut backoff = Backoff::new(&self.patience);
        loop {
            // It can't be cloned with a stream in it, which therefore is put in afterwards.
            let mut attempt = request.try_clone().ok_or_else(|| Error::new("a request could not be repeated"))?;
            if let Some(authorization) = authorization {
                attempt.headers_mut().insert(AUTHORIZATION, authorization.clone());
            }
            if let Some(content) = content {
                *attempt.body_mut() = Some(content.body());
            }
            let outcome = self.http.execute(attempt).await;
            if let Some(failure) = content.and_then(Streamed::take_failure) {
                return Err(failure);
            }
            if let Ok(response) = &outcome {
                self.check_version(response.headers())?;
            }
            if self.patience.is_for(&outcome)
                && let Some(wait) = backoff.next_wait()
            {
                drop(outcome);
                tokio::time::sleep(wait).await;
                continue;
            }
            let response = outcome.map_err(|error| self.unreachable(&error))?;
            let Some(wait) = retry_after::wanted(response.status(), response.headers()) else {
                return Ok(response);
            };
            if waits == retry_after::WAITS_MAX {
                return Err(self.refusal(response).await.unreachable());
            }
            waits += 1;
            drop(response);
            if !self.is_quiet && wait > retry_after::SHORT {
                let seconds = wait.as_secs();
                printer::warning(format_args!("{} asks to wait {seconds} s; trying again then", self.base));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn read<A: DeserializeOwned>(&self, response: Response) -> Result<A> {
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response).await);
        }
        let body = response.bytes().await.map_err(|error| self.unreachable(&error).cut_off())?;
        let verdict: Option<Verdict> = serde_json::from_slice(&body).ok();
        if verdict.is_some_and(|verdict| !verdict.ok) {
            return Err(self.said_no(status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| {
            Error::new(format!("{} does not answer as a Trace server ({error})", self.base))
                .with_hint("Check TRACE_API_URL.")
        })
    }

    /// A server that says no version is an older one or one of another make, and is spoken to as it is.
    fn check_version(&self, headers: &HeaderMap) -> Result<()> {
        let said = headers.get(version::HEADER).and_then(|said| said.to_str().ok());
        match said.and_then(|said| said.parse::<Version>().ok()) {
            Some(server) if server < Version::OLDEST_SERVER => {
                let (base, oldest) = (&self.base, Version::OLDEST_SERVER);
                let told = format!("the server at {base} is version {server}, and this otrace needs {oldest} or newer");
                Err(Error::new(told).with_hint("Update the server, or use an older otrace."))
            }
            _ => Ok(()),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        let cause = if error.is_timeout() { "it did not answer in time".to_owned() } else { root_cause(error) };
        let told = Error::new(format!("could not reach the Trace server at {}: {cause}", self.base))
            .with_hint("Start it with `otrace-server`, or set TRACE_API_URL to where it is.");
        // A connection that broke may have broken because of what was sent on it.
        let told = if error.is_connect() { told.unsent() } else { told };
        if error.is_timeout() || error.is_connect() { told.unreachable() } else { told }
    }

    async fn refusal(&self, mut response: Response) -> Error {
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get("location").and_then(|to| to.to_str().ok());
            let to = to.unwrap_or("another address").to_owned();
            return Error::new(format!("{} redirects to {to}, which is not followed", self.base))
                .with_hint("Set TRACE_API_URL to the server's own address.");
        }
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > REFUSAL_LIMIT {
                break;
            }
        }
        self.said_no(status, &body)
    }

    fn said_no(&self, status: StatusCode, body: &[u8]) -> Error {
        match serde_json::from_slice::<ApiError>(body) {
            Ok(refusal) => refusal::told(&self.base, status, refusal),
            Err(_) => Error::new(format!("{} answered {status}", self.base))
                .with_hint("Check that TRACE_API_URL is the address of a Trace server."),
        }
    }
}

impl RunToken {
    fn new(token: &str) -> Option<Arc<Self>> {
        Some(Arc::new(Self { authorization: bearer(token)?, is_refused: AtomicBool::new(false) }))
    }
}

/// The header that says who speaks; nothing where the text can't stand in a header.
fn bearer(secret: &str) -> Option<HeaderValue> {
    let mut authorization = HeaderValue::from_str(&format!("Bearer {secret}")).ok()?;
    authorization.set_sensitive(true);
    Some(authorization)
}

/// The innermost error says what happened; the outer ones only where.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// How long a request with a body of this size may take.
fn transfer_timeout(size: u64) -> Duration {
    TRANSFER_TIMEOUT + Duration::from_secs(size / SLOWEST)
}

#[cfg(test)]
mod tests;
