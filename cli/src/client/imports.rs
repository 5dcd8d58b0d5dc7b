//! The requests of an import: begun, filled, and committed or given up. Each may be repeated.

use std::time::{Duration, Instant};

use otrace_wire::imports::{BeginImport, BegunImport, CommitImport, ImportOutcome};
use otrace_wire::paths;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde::de::IgnoredAny;
use tokio::time::sleep;
use uuid::Uuid;

use super::{Client, transfer_timeout};
use crate::error::{Error, Result};

/// How servers answer that take runs one by one only.
const UNKNOWN: [StatusCode; 2] = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
/// How long to wait before a server that is at it is asked again, first.
const PAUSE: Duration = Duration::from_millis(200);
/// The same at most.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long a server may take for all runs of an import.
const PLACING: Duration = Duration::from_mins(30);

impl Client {
    /// Begins an import, and is told how many runs the project has.
    pub async fn begin_import(&self, id: Uuid) -> Result<BegunImport> {
        let request = self.built(self.request(Method::POST, paths::IMPORTS).json(&BeginImport { id }))?;
        let response = self.answer(&request, None, None).await?;
        if UNKNOWN.contains(&response.status()) {
            return Err(Error::new(format!("the server at {} takes no imports", self.base))
                .with_hint("Update the server, or use an older otrace."));
        }
        self.read(response).await
    }

    /// Stages runs: the JSON of a `StagedRuns`.
    pub async fn stage_runs(&self, import: Uuid, body: Vec<u8>) -> Result<()> {
        let request = self
            .request(Method::POST, &paths::import_runs(&import.to_string()))
            .timeout(transfer_timeout(body.len() as u64))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let _: IgnoredAny = self.call(request).await?;
        Ok(())
    }

    /// Has the staged runs take their place, which takes a while if they are many.
    pub async fn commit_import(&self, import: Uuid, commit: &CommitImport) -> Result<ImportOutcome> {
        let path = paths::import_commit(&import.to_string());
        let (begun, mut pause) = (Instant::now(), PAUSE);
        loop {
            let outcome: ImportOutcome = self.send(Method::POST, &path, commit).await?;
            if outcome.is_committed {
                return Ok(outcome);
            }
            if begun.elapsed() > PLACING {
                return Err(Error::new(format!("{} takes too long to import the runs", self.base))
                    .with_hint("`otrace runs` tells whether they are there."));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Gives an import up: nothing stays of it.
    pub async fn abandon_import(&self, import: Uuid) -> Result<()> {
        let _: IgnoredAny = self.call(self.request(Method::DELETE, &paths::import(&import.to_string()))).await?;
        Ok(())
    }
}
