//! A server over HTTP, asked by a key of one project.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The server, and the key.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Api {
    pub fn new(base: &str, key: &str) -> Self {
        // Nothing here is of this machine's settings, and no connection outlives its server.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
        Self { http, base: base.to_owned(), key: key.to_owned() }
    }

    /// What a path is answered with: the status, when to come again, and the body.
    pub async fn answer(&self, path: &str) -> (u16, Option<String>, String) {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.key);
        let answer = request.send().await.expect("the server answers");
        let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().expect("text").to_owned());
        (answer.status().as_u16(), wait, answer.text().await.expect("an answer"))
    }

    /// What a path is answered with; nothing, if the server does not answer.
    pub async fn try_get(&self, path: &str) -> Option<(u16, Value)> {
        self.attempt(self.http.get(format!("{}{path}", self.base))).await
    }

    /// The same of JSON that is sent.
    pub async fn try_post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        self.attempt(self.http.post(format!("{}{path}", self.base)).json(body)).await
    }

    /// Sends bytes; whether they were taken.
    pub async fn try_send(&self, method: &str, path: &str, body: Vec<u8>) -> bool {
        let method = method.parse().expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.base)).body(body);
        self.attempt(request.header("content-type", "application/json")).await.is_some_and(|(status, _)| status == 200)
    }

    /// The bytes at a path; nothing, if there are none.
    pub async fn try_bytes(&self, path: &str) -> Option<Vec<u8>> {
        let answer = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.key).send().await.ok()?;
        if answer.status().is_success() { Some(answer.bytes().await.ok()?.to_vec()) } else { None }
    }

    async fn attempt(&self, request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
        let answer = request.bearer_auth(&self.key).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.unwrap_or_default()))
    }

    /// What the server has of a stream of the first run: its first megabyte.
    pub async fn log(&self, stream: &str) -> Vec<u8> {
        self.get(&format!("/v1/runs/exp001/logs/{stream}?from=0")).await
    }

    async fn bytes(&self, method: reqwest::Method, path: &str) -> Vec<u8> {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        let answer = request.send().await.expect("the server answers");
        let status = answer.status();
        let body = answer.bytes().await.expect("an answer").to_vec();
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
        body
    }

    /// The bytes at a path.
    pub async fn get(&self, path: &str) -> Vec<u8> {
        self.bytes(reqwest::Method::GET, path).await
    }

    /// The JSON at a path.
    pub async fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).await).expect("JSON")
    }

    /// The project's runs.
    pub async fn runs(&self) -> Vec<Value> {
        self.json("/v1/runs").await["runs"].as_array().expect("a list").clone()
    }

    /// The only run that the project has, in whole.
    pub async fn only_run(&self) -> Value {
        let runs = self.runs().await;
        let names: Vec<_> = runs.iter().map(|run| (&run["experiment_id"], &run["status"])).collect();
        assert_eq!(runs.len(), 1, "one run, and no other: {names:?}");
        self.json("/v1/runs/exp001").await["run"].clone()
    }

    /// An artifact, as a browser downloads it.
    pub async fn artifact(&self, id: &str) -> Vec<u8> {
        let path = format!("/v1/artifacts/{id}/ticket");
        let ticket: Value = serde_json::from_slice(&self.bytes(reqwest::Method::POST, &path).await).expect("JSON");
        let url = ticket["url"].as_str().expect("an address");
        self.get(&url[url.find("/download/").expect("a path")..]).await
    }

    /// The content with this hash, with or without `sha256:` before it, if it is there and is what it is called.
    pub async fn content(&self, hash: &str) -> Option<Vec<u8>> {
        let hex = hash.trim_start_matches("sha256:");
        let content = self.try_bytes(&format!("/v1/contents/{hex}")).await?;
        (hex_digest(&content) == hex).then_some(content)
    }

    /// The points of a series of the first run: of each its step and its value, as they are written.
    pub async fn points(&self, series: &str) -> Vec<(String, String)> {
        let csv = self.try_bytes(&format!("/v1/runs/exp001/series/{series}?format=csv")).await.unwrap_or_default();
        let csv = String::from_utf8(csv).expect("text");
        let point = |line: &str| {
            let cells: Vec<_> = line.split(',').collect();
            (cells[0].to_owned(), cells[2].to_owned())
        };
        csv.lines().skip(1).map(point).collect()
    }
}

/// The SHA-256 of bytes, in hex digits.
pub fn hex_digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
