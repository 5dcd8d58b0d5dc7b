//! The requests that change a run that has been recorded: notes, tags, and whether it is there at all.

use otrace_wire::paths;
use reqwest::{Method, RequestBuilder};
use serde::de::IgnoredAny;
use serde_json::json;
use uuid::Uuid;

use super::Client;
use super::reading::experiment;
use crate::error::Result;

impl Client {
    /// Writes a note on a run. Its id makes that the same request again adds nothing.
    pub async fn add_note(&self, run: &str, id: Uuid, text: &str) -> Result<()> {
        let path = format!("{}/notes", paths::run(&experiment(run)?));
        self.change(self.request(Method::POST, &path).json(&json!({"id": id, "text": text})), run).await
    }

    /// Adds tags to a run, and takes others away.
    pub async fn change_tags(&self, run: &str, add: &[String], remove: &[String]) -> Result<()> {
        let path = format!("{}/tags", paths::run(&experiment(run)?));
        self.change(self.request(Method::PATCH, &path).json(&json!({"add": add, "remove": remove})), run).await
    }

    /// Deletes a run.
    pub async fn delete_run(&self, run: &str) -> Result<()> {
        self.change(self.request(Method::DELETE, &paths::run(&experiment(run)?)), run).await
    }

    /// Brings a deleted run back.
    pub async fn restore_run(&self, run: &str) -> Result<()> {
        let path = format!("{}/restore", paths::run(&experiment(run)?));
        self.change(self.request(Method::POST, &path).json(&json!({})), run).await
    }

    async fn change(&self, request: RequestBuilder, run: &str) -> Result<()> {
        let response = self.known(&self.built(request)?, run).await?;
        let _: IgnoredAny = self.read(response).await?;
        Ok(())
    }
}
