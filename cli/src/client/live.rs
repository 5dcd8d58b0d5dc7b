//! The requests of a run that goes on: what it prints, what it measures, that it is there.
//!
//! Each may be repeated: what the server has already it passes over.

use otrace_wire::live::{Heartbeat, LogAppended};
use otrace_wire::series::{AddSeries, SeriesAdded};
use otrace_wire::{LogStream, RunOutcome, paths};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use super::backoff::Backoff;
use super::{Client, TIMEOUT};
use crate::error::{Error, Result};

/// How servers answer that don't have the run, or don't know of such requests.
const NOT_TAKEN: [StatusCode; 2] = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];

impl Client {
    /// Sends a piece of a log, which begins at `offset`. Nothing, if the server takes none.
    pub async fn append_log(
        &self,
        run: Uuid,
        stream: LogStream,
        offset: u64,
        piece: Vec<u8>,
    ) -> Result<Option<LogAppended>> {
        let path = paths::run_log(&run.to_string(), stream.as_str());
        let request = self.request(Method::POST, &format!("{path}?offset={offset}"));
        self.tell_if_taken(request.header(CONTENT_TYPE, "application/octet-stream").body(piece)).await
    }

    /// Sends a piece of a declared log, which begins at `offset`. Nothing, if the server takes none.
    pub async fn append_declared_log(
        &self,
        run: Uuid,
        log: &str,
        offset: u64,
        piece: Vec<u8>,
    ) -> Result<Option<LogAppended>> {
        let path = paths::run_log(&run.to_string(), LogStream::Log.as_str());
        let offset = offset.to_string();
        let parameters = [("offset", offset.as_str()), ("path", log)];
        let url = Url::parse_with_params(&format!("{}{path}", self.base), parameters)
            .map_err(|error| Error::new(format!("{} is not an address: {error}", self.base)))?;
        let request = self.http.post(url).timeout(TIMEOUT);
        self.tell_if_taken(request.header(CONTENT_TYPE, "application/octet-stream").body(piece)).await
    }

    /// Says that the run goes on. Nothing, if the server does not want to know.
    pub async fn heartbeat(&self, run: Uuid) -> Result<Option<Heartbeat>> {
        let request = self.request(Method::POST, &paths::run_heartbeat(&run.to_string()));
        self.tell_if_taken(request.json(&json!({}))).await
    }

    /// Sends points of series; answers which point of each source the server wants next. Nothing, if the
    /// server takes none.
    pub async fn add_series(&self, run: Uuid, series: &AddSeries) -> Result<Option<SeriesAdded>> {
        let request = self.request(Method::POST, &paths::run_series(&run.to_string()));
        self.tell_if_taken(request.json(series)).await
    }

    /// Says where a run stands, if the server has it; says whether it has.
    pub async fn update_if_known(&self, run: Uuid, outcome: &RunOutcome) -> Result<bool> {
        let request = self.request(Method::PATCH, &paths::run(&run.to_string())).json(outcome);
        let known: Option<IgnoredAny> = self.tell_if_taken(request).await?;
        Ok(known.is_some())
    }

    async fn tell_if_taken<A: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Option<A>> {
        let request = self.built(request)?;
        let mut backoff = Backoff::new(&self.patience);
        loop {
            let response = self.told(&request, None).await?;
            if NOT_TAKEN.contains(&response.status()) {
                return Ok(None);
            }
            let read = self.read(response).await;
            let Some(wait) = backoff.after_a_cut(&read) else { return read.map(Some) };
            sleep(wait).await;
        }
    }
}
