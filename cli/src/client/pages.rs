//! The requests of `otrace ui`: a pass for the project's pages, the pages themselves, and whether a server
//! that has just been started is ready.

use otrace_wire::{PagePass, paths};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, Response, StatusCode};

use super::{Client, TIMEOUT, bearer};
use crate::error::{Error, Result};

/// Where a server says whether it is ready.
const READY: &str = "/health/ready";
/// How servers answer that give out no passes.
const UNKNOWN: [StatusCode; 2] = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];

impl Client {
    /// Asks for a pass that reads the project's pages.
    pub async fn page_pass(&self) -> Result<PagePass> {
        let request = self.built(self.request(Method::POST, paths::PAGE_PASSES))?;
        let response = self.answer(&request, None, None).await?;
        if UNKNOWN.contains(&response.status()) {
            let told = format!("the server at {} is too old to lend its pages", self.base);
            return Err(Error::new(told).with_hint("Update it, or open its own pages in the browser."));
        }
        self.read(response).await
    }

    /// Asks for a page, or a file beside the pages. The answer is as the server gives it, also where that is
    /// no success, with its body still on its way: a page that hears of runs as they happen has no end.
    pub async fn page(&self, method: Method, path: &str, headers: HeaderMap, pass: &str) -> Result<Response> {
        let authorization = bearer(pass).ok_or_else(|| Error::new("the server's page pass can't be sent back"))?;
        // It stands in the place of the key, which pages never see.
        let request = self.http.request(method, format!("{}{path}", self.base)).headers(headers);
        let request = self.built(request.header(AUTHORIZATION, authorization))?;
        match tokio::time::timeout(TIMEOUT, self.http.execute(request)).await {
            Ok(response) => response.map_err(|error| self.unreachable(&error)),
            Err(_) => Err(Error::new(format!("the server at {} did not answer in time", self.base)).unreachable()),
        }
    }

    /// Whether the server says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let answer = self.request(Method::GET, READY).send().await;
        answer.is_ok_and(|response| response.status().is_success())
    }
}
