//! The requests that read: who the key belongs to, runs, what they printed, and contents.

mod artifact;
mod download;
mod partial;

use otrace_history::compare::Texts;
use otrace_wire::{ExperimentId, LogStream, Run, Sha256Digest, Whoami, paths};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Request, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;
use uuid::Uuid;

use super::backoff::Backoff;
use super::{Client, RunReply, TIMEOUT, transfer_timeout};
use crate::error::{Error, Result};

/// The largest content that is read into memory, in bytes.
const CONTENT_MAX: usize = 16 * 1024 * 1024;
/// So many runs with all that they left behind are asked for at once.
const FULL_PAGE: u32 = 100;

/// Which runs to list, and how.
#[derive(Clone, Debug, Default)]
pub struct RunsQuery {
    /// Such as `status:failed metrics.accuracy > 0.9`.
    pub query: Option<String>,
    /// Only runs with this status.
    pub status: Option<String>,
    /// Only runs with all of these tags.
    pub tags: Vec<String>,
    /// What they are ordered by, such as `-created` or `metrics.accuracy`.
    pub sort: Option<String>,
    /// So many at most.
    pub limit: Option<u32>,
    /// Where the page before has ended.
    pub cursor: Option<String>,
}

/// Some of a project's runs.
#[derive(Clone, Debug, Deserialize)]
pub struct RunsPage {
    /// They, in the order that was asked for.
    pub runs: Vec<Run>,
    /// Where the next page begins, if there is one.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

impl RunsQuery {
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let limit = self.limit.map(|limit| limit.to_string());
        let tags = self.tags.iter().map(|tag| ("tag", Some(tag.clone())));
        let others = [
            ("query", self.query.clone()),
            ("status", self.status.clone()),
            ("sort", self.sort.clone()),
            ("limit", limit),
            ("cursor", self.cursor.clone()),
        ];
        others.into_iter().chain(tags).filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl Client {
    /// Who the key belongs to.
    pub async fn whoami(&self) -> Result<Whoami> {
        self.reading().call(self.request(Method::GET, paths::WHOAMI)).await
    }

    /// One run with all that it left behind, by `exp042` or its UUID.
    pub async fn run(&self, name: &str) -> Result<Run> {
        let name = experiment(name)?;
        let (client, request) = (self.reading(), self.request(Method::GET, &paths::run(&name)));
        let request = client.built(request)?;
        let mut backoff = Backoff::new(&client.patience);
        loop {
            let reply: Result<RunReply> = client.read(client.known(&request, &name).await?).await;
            let Some(wait) = backoff.after_a_cut(&reply) else { return Ok(reply?.run) };
            sleep(wait).await;
        }
    }

    /// A page of runs, without the texts of their artifacts and logs.
    pub async fn runs(&self, query: &RunsQuery) -> Result<RunsPage> {
        self.reading().call(self.get(paths::RUNS, &query.parameters())?).await
    }

    /// Every run of the project, the oldest first: with all that it left behind, but for the texts of its artifacts and
    /// logs and the rows of its tables.
    pub async fn all_runs(&self) -> Result<Vec<Run>> {
        let mut query = RunsQuery { sort: Some("number".to_owned()), limit: Some(FULL_PAGE), ..RunsQuery::default() };
        let mut runs = Vec::new();
        loop {
            let mut parameters = query.parameters();
            parameters.push(("details", "true".to_owned()));
            let page: RunsPage = self.reading().call(self.get(paths::RUNS, &parameters)?).await?;
            let brought_any = !page.runs.is_empty();
            runs.extend(page.runs);
            query.cursor = page.next_cursor.filter(|_| brought_any);
            if query.cursor.is_none() {
                return Ok(runs);
            }
        }
    }

    /// What a run printed from some byte on, or wrote into the log file at a path: as much as one answer holds.
    /// Nothing more, if it is empty.
    pub async fn log(&self, run: &str, stream: LogStream, path: Option<&str>, from: u64) -> Result<Vec<u8>> {
        let mut parameters = vec![("from", from.to_string())];
        parameters.extend(path.map(|path| ("path", path.to_owned())));
        let client = self.reading();
        let request = client.built(self.get(&paths::run_log(run, stream.as_str()), &parameters)?)?;
        let mut backoff = Backoff::new(&client.patience);
        loop {
            let response = client.known(&request, run).await?;
            if !response.status().is_success() {
                return Err(client.refusal(response).await);
            }
            let bytes = client.bytes(response).await;
            let Some(wait) = backoff.after_a_cut(&bytes) else { return bytes };
            sleep(wait).await;
        }
    }

    /// A content that is small enough to be held in memory.
    pub async fn content(&self, digest: &Sha256Digest) -> Result<Vec<u8>> {
        let timeout = transfer_timeout(CONTENT_MAX as u64);
        let client = self.reading();
        let request = client.built(self.request(Method::GET, &paths::content(digest)).timeout(timeout))?;
        let mut backoff = Backoff::new(&client.patience);
        let bytes = loop {
            let response = client.answer(&request, None, None).await?;
            match response.status() {
                StatusCode::NOT_FOUND => return Err(not_stored(digest)),
                status if !status.is_success() => return Err(client.refusal(response).await),
                _ => {}
            }
            let bytes = client.bytes(response).await;
            let Some(wait) = backoff.after_a_cut(&bytes) else { break bytes? };
            sleep(wait).await;
        };
        if Sha256Digest::new(Sha256::digest(&bytes).into()) != *digest {
            return Err(Error::new(format!("{digest} did not arrive as it is on the server")).with_hint("Try again."));
        }
        Ok(bytes)
    }

    /// Whether the project has a content.
    pub async fn has_content(&self, digest: &Sha256Digest) -> Result<bool> {
        let request = self.built(self.request(Method::HEAD, &paths::content(digest)))?;
        let response = self.reading().answer(&request, None, None).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(self.refusal(response).await),
        }
    }

    /// Asks about a run: that it is not there is told as people call it.
    pub(super) async fn known(&self, request: &Request, run: &str) -> Result<Response> {
        let response = self.answer(request, None, None).await?;
        // What is no Trace server says so in another way.
        let is_json =
            response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if response.status() == StatusCode::NOT_FOUND && is_json { Err(unknown(run)) } else { Ok(response) }
    }

    fn get(&self, path: &str, parameters: &[(&str, String)]) -> Result<RequestBuilder> {
        let url = Url::parse_with_params(&format!("{}{path}", self.base), parameters)
            .map_err(|error| Error::new(format!("{} is not an address: {error}", self.base)))?;
        Ok(self.http.get(url).timeout(TIMEOUT))
    }

    async fn bytes(&self, mut response: Response) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error).cut_off())? {
            if bytes.len() + chunk.len() > CONTENT_MAX {
                return Err(Error::new("the server's answer is longer than 16 MiB"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

impl Texts for Client {
    async fn text(&self, _: ExperimentId, sha256: &Sha256Digest) -> Option<String> {
        String::from_utf8(self.content(sha256).await.ok()?).ok()
    }
}

/// A run as it is asked for, as somebody typed it: `exp042`, `42` or its UUID. Other texts can name none, and do not
/// get into an address.
pub fn experiment(text: &str) -> Result<String> {
    let text = text.trim();
    let number = text.parse::<i32>().ok().filter(|number| *number > 0).map(ExperimentId::new);
    let experiment = text.to_ascii_lowercase().parse::<ExperimentId>().ok().or(number).map(|id| id.to_string());
    let id = || text.parse::<Uuid>().ok().map(|id| id.to_string());
    experiment.or_else(id).ok_or_else(|| unknown(text))
}

fn unknown(run: &str) -> Error {
    Error::new(format!("Unknown experiment: {run}")).with_hint("`otrace runs` lists those that there are.").absent()
}

fn not_stored(digest: &Sha256Digest) -> Error {
    Error::new(format!("the server does not have the content {digest}")).absent()
}

#[cfg(test)]
mod tests;
