//! All that talks to the server: one typed call for each request.
//!
//! The key goes to the configured server and nowhere else: redirects are not followed. Failures
//! come back as one sentence, and what to do about them is part of it.

use std::path::Path;
use std::time::Duration;

use otrace_wire::identity::WhoamiProject;
use otrace_wire::{ApiError, CreateRun, Run, RunDetails, RunOutcome, Sha256Digest, Whoami, WorkspaceSync, paths};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::settings::{Settings, is_loopback};

/// How long a small request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a large request may take, besides the time for its size.
const TRANSFER_TIMEOUT: Duration = Duration::from_mins(1);
/// Bytes a second: a line that is slower than this counts as broken.
const SLOWEST: u64 = 64 * 1024;
/// How much of a content is in memory at a time.
const CHUNK: usize = 256 * 1024;
/// How much of a refusal is read: more than any server of ours says.
const REFUSAL_LIMIT: usize = 64 * 1024;

/// Speaks to one server with one key.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
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
        let key = settings.api_key()?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose()))
            .map_err(|_| Error::new("the API key holds characters that no key has"))?;
        authorization.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("otrace/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT);
        if settings.api_url.starts_with("http://") {
            // Loading the machine's certificates takes longer than a whole run may cost.
            builder = builder.tls_certs_only(std::iter::empty());
        }
        if is_loopback(&settings.api_url) {
            // A proxy cannot reach what listens on this machine only.
            builder = builder.no_proxy();
        }
        let http =
            builder.build().map_err(|error| Error::new(format!("could not set up HTTP: {}", root_cause(&error))))?;
        Ok(Self { http, base: settings.api_url.clone() })
    }

    /// Who the key belongs to.
    pub async fn whoami(&self) -> Result<Whoami> {
        self.call(self.request(Method::GET, paths::WHOAMI)).await
    }

    /// Says which workspace speaks.
    pub async fn sync_workspace(&self, workspace: &WorkspaceSync) -> Result<SyncedWorkspace> {
        let reply: WorkspaceReply = self.send(Method::PATCH, paths::WORKSPACE, workspace).await?;
        Ok(reply.project)
    }

    /// Records a run before its command starts.
    pub async fn create_run(&self, run: &CreateRun) -> Result<Run> {
        let reply: RunReply = self.send(Method::POST, paths::RUNS, run).await?;
        Ok(reply.run)
    }

    /// Says where a run stands.
    pub async fn update_run(&self, run: Uuid, outcome: &RunOutcome) -> Result<()> {
        let path = paths::run(&run.to_string());
        let _: IgnoredAny = self.send(Method::PATCH, &path, outcome).await?;
        Ok(())
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
        let _: IgnoredAny = self.call(request).await?;
        Ok(())
    }

    /// Streams one content from a file.
    pub async fn put_content(&self, digest: Sha256Digest, size: u64, file: &Path) -> Result<()> {
        let open = tokio::fs::File::open(file).await;
        let open = open.map_err(|error| Error::file("read", file, &error))?;
        let request = self
            .http
            .put(format!("{}{}", self.base, paths::content(&digest)))
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, size)
            .timeout(transfer_timeout(size))
            .body(Body::wrap_stream(ReaderStream::with_capacity(open, CHUNK)));
        let _: IgnoredAny = self.call(request).await?;
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).timeout(TIMEOUT)
    }

    async fn send<B: Serialize + Sync, A: DeserializeOwned>(&self, method: Method, path: &str, body: &B) -> Result<A> {
        self.call(self.request(method, path).json(body)).await
    }

    async fn call<A: DeserializeOwned>(&self, request: RequestBuilder) -> Result<A> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(response).await);
        }
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        let verdict: Option<Verdict> = serde_json::from_slice(&body).ok();
        if verdict.is_some_and(|verdict| !verdict.ok) {
            return Err(self.said_no(status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| {
            Error::new(format!("{} does not answer as a Trace server ({error})", self.base))
                .with_hint("Check TRACE_API_URL.")
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        let cause = if error.is_timeout() { "it did not answer in time".to_owned() } else { root_cause(error) };
        let told = Error::new(format!("could not reach the Trace server at {}: {cause}", self.base))
            .with_hint("Start it with `otrace-server`, or set TRACE_API_URL to where it is.");
        // A connection that broke may have broken because of what was sent on it.
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
        let Ok(refusal) = serde_json::from_slice::<ApiError>(body) else {
            return Error::new(format!("{} answered {status}", self.base))
                .with_hint("Check that TRACE_API_URL is the address of a Trace server.");
        };
        let error = Error::new(describe(&refusal));
        if status == StatusCode::UNAUTHORIZED && refusal.hint.is_none() {
            return error.with_hint(format!(
                "Make a new key at {}/projects, then set TRACE_API_KEY or run `otrace login`.",
                self.base
            ));
        }
        error
    }
}

/// `error (code=…; details=…; hint=…)`, as every client prints it.
fn describe(refusal: &ApiError) -> String {
    let parts = [("code", &refusal.code), ("details", &refusal.details), ("hint", &refusal.hint)];
    let said: Vec<_> =
        parts.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}"))).collect();
    if said.is_empty() {
        return refusal.error.clone();
    }
    format!("{} ({})", refusal.error, said.join("; "))
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
impl Client {
    /// A client without a key.
    pub fn at(base: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only(std::iter::empty()).build().expect("a client");
        Self { http, base: base.to_owned() }
    }
}
