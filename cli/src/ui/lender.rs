//! The project's pages, lent by the server: with page passes, which are short-lived and read only. The key
//! asks for them, and no page ever sees it.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method, header};
use otrace_wire::PagePass;
use otrace_wire::identity::WhoamiProject;
use reqwest::{Response, Url};
use tokio::sync::Mutex;

use crate::browser;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::settings::Settings;

/// A pass is used for so much of its time, so that none ends on its way.
const USED_FOR: u32 = 2;

/// Asks the server for pages.
pub struct Lender {
    /// The server's base URL.
    server: String,
    /// Or why there is none, such as that there is no key.
    client: Result<Client>,
    pass: Mutex<Option<Held>>,
}

/// A pass that we have.
struct Held {
    pass: PagePass,
    until: Instant,
}

impl Lender {
    /// One for the server and the key in these settings.
    pub fn new(settings: &Settings) -> Self {
        Self { server: settings.api_url.clone(), client: Client::new(settings), pass: Mutex::default() }
    }

    /// The server's base URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The project that the key opens, as the server tells it.
    pub async fn project(&self) -> Result<WhoamiProject> {
        Ok(self.pass().await?.project)
    }

    /// A page, or a file beside the pages. `None`: no pass opens it, only a person who has signed in.
    pub async fn page(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Option<Response>> {
        let pass = self.pass().await?;
        let response = self.ask(method, path, headers, &pass).await?;
        if !self.asks_to_sign_in(path, &response) {
            return Ok(Some(response));
        }
        // Or the pass has ended before its time, as when the server has new secrets. A key that has ended is told here.
        let pass = self.another_pass(&pass).await?;
        let response = self.ask(method, path, headers, &pass).await?;
        Ok(if self.asks_to_sign_in(path, &response) { None } else { Some(response) })
    }

    async fn ask(&self, method: &Method, path: &str, headers: &HeaderMap, pass: &PagePass) -> Result<Response> {
        self.client()?.page(method.clone(), path, headers.clone(), &pass.page_pass).await
    }

    fn client(&self) -> Result<&Client> {
        self.client.as_ref().map_err(Error::clone)
    }

    /// A pass that is good for a while. One is asked for at a time.
    async fn pass(&self) -> Result<PagePass> {
        let mut held = self.pass.lock().await;
        if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.until) {
            return Ok(held.pass.clone());
        }
        let pass = self.client()?.page_pass().await?;
        // It becomes a part of our own paths.
        if !browser::is_slug(&pass.project.slug) {
            return Err(Error::new(format!("the server at {} names its project in no way of ours", self.server)));
        }
        let until = Instant::now() + Duration::from_secs(pass.expires_in_seconds) / USED_FOR;
        *held = Some(Held { pass: pass.clone(), until });
        Ok(pass)
    }

    /// A pass in the place of one that is not taken.
    async fn another_pass(&self, refused: &PagePass) -> Result<PagePass> {
        self.pass.lock().await.take_if(|held| held.pass.page_pass == refused.page_pass);
        self.pass().await
    }

    fn asks_to_sign_in(&self, path: &str, response: &Response) -> bool {
        let location = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        let leads_to = location.map(|location| here(location, path, &self.server));
        response.status().is_redirection() && leads_to.is_some_and(|to| to.split('?').next() == Some("/signin"))
    }
}

/// Where a redirect of the server leads: within its own pages to the same path here, else where it says.
pub fn here(location: &str, asked_for: &str, server: &str) -> String {
    let base = Url::parse(&format!("{server}{asked_for}")).ok();
    let Some(target) = base.and_then(|base| base.join(location).ok()) else { return location.to_owned() };
    if !browser::is_page_of(target.as_str(), server) {
        return target.into();
    }
    let below = Url::parse(server).map_or_else(|_| String::new(), |url| url.path().trim_end_matches('/').to_owned());
    let path = target.path().strip_prefix(&below).unwrap_or_else(|| target.path());
    let rest = |mark: char, part: Option<&str>| part.map_or_else(String::new, |part| format!("{mark}{part}"));
    format!("{path}{}{}", rest('?', target.query()), rest('#', target.fragment()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_within_the_server_stays_here_and_another_leads_where_it_says() {
        let led = |location| here(location, "/projects/a/runs/exp001", "http://localhost:8000");
        assert_eq!(led("/projects/a/runs?q=1#top"), "/projects/a/runs?q=1#top");
        assert_eq!(led("http://127.0.0.1:8000/projects/a"), "/projects/a");
        assert_eq!(led("logs"), "/projects/a/runs/logs");
        for elsewhere in ["https://bucket.example/object?sign=1", "http://localhost:9000/a"] {
            assert_eq!(led(elsewhere), elsewhere);
        }
        assert_eq!(led("//evil.example/a"), "http://evil.example/a");
        let below = here("/lab/projects/a", "/projects/a/runs", "https://trace.example.org/lab");
        assert_eq!(below, "/projects/a");
    }
}
