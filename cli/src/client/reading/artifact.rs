//! One artifact by its id, as the server describes it: its content follows the description, and is not read here.

use otrace_wire::{Artifact, paths};
use reqwest::{Method, Request, StatusCode};
use serde::Deserialize;
use tokio::time::sleep;
use uuid::Uuid;

use super::CONTENT_MAX;
use crate::client::Client;
use crate::client::backoff::Backoff;
use crate::error::{Error, Result};

/// Where the content begins. Within a text each of its quotes would have a backslash before it.
const CONTENT: &[u8] = br#","content_base64":""#;

#[derive(Deserialize)]
struct Reply {
    artifact: Artifact,
}

impl Client {
    /// What an artifact is: its path, size and hash. Its content is [downloaded](Client::download) by the hash.
    pub async fn artifact(&self, id: Uuid) -> Result<Artifact> {
        let client = self.reading();
        let request = client.built(client.request(Method::GET, &paths::artifact_download(&id.to_string())))?;
        let mut backoff = Backoff::new(&client.patience);
        loop {
            let artifact = client.described(&request, id).await;
            let Some(wait) = backoff.after_a_cut(&artifact) else { return artifact };
            sleep(wait).await;
        }
    }

    async fn described(&self, request: &Request, id: Uuid) -> Result<Artifact> {
        let mut response = self.answer(request, None, None).await?;
        match response.status() {
            StatusCode::NOT_FOUND => {
                return Err(Error::new(format!("Unknown run or artifact: {id}"))
                    .with_hint("`otrace artifacts EXP_ID --json` lists a run's artifacts with their ids."));
            }
            status if !status.is_success() => return Err(self.refusal(response).await),
            _ => {}
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error).cut_off())? {
            let searched = answer.len().saturating_sub(CONTENT.len());
            answer.extend_from_slice(&chunk);
            if let Some(at) = answer[searched..].windows(CONTENT.len()).position(|bytes| bytes == CONTENT) {
                answer.truncate(searched + at);
                answer.extend_from_slice(b"}}");
                break;
            }
            if answer.len() > CONTENT_MAX {
                return Err(Error::new("the server's answer is longer than 16 MiB"));
            }
        }
        let reply: Reply = serde_json::from_slice(&answer)
            .map_err(|error| Error::new(format!("{} answered with something else: {error}", self.base)))?;
        Ok(reply.artifact)
    }
}
