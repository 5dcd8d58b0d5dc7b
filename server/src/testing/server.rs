//! The app on a real socket, for the CLI, for browsers and for published clients.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{TestApp, TestProject};
use crate::clock::Clock;
use crate::config::{Config, HttpConfig};
use crate::serve::{ConnectionLimits, Server};

/// The app on a real socket, until it is dropped.
#[derive(Debug)]
pub struct TestServer {
    /// The same app, to be called in process.
    pub app: TestApp,
    url: String,
    _stop: DropGuard,
}

impl TestServer {
    /// Starts it on a free port, with the machine's clock.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts it with other settings.
    pub async fn with(settings: impl FnOnce(&mut Config)) -> Self {
        Self::on(TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap(), settings).await
    }

    /// Starts it with other settings on a port that somebody had to know before.
    pub async fn on(listener: TcpListener, settings: impl FnOnce(&mut Config)) -> Self {
        let address = listener.local_addr().unwrap();
        let app = TestApp::start(HttpConfig::local(address), Clock::System, settings).await;
        let stop = CancellationToken::new();
        let state = app.app.clone();
        let stopped = stop.clone();
        // All of a test's connections come from one address.
        let limits = ConnectionLimits { per_address: usize::MAX, ..ConnectionLimits::default() };
        let server = Server { limits, ..Server::default() };
        tokio::spawn(server.serve(listener, app.router(), async move {
            stopped.cancelled().await;
            state.close();
        }));
        Self { url: format!("http://127.0.0.1:{}", address.port()), app, _stop: stop.drop_guard() }
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes an account, a project of this name and a key.
    pub async fn project(&self, name: &str) -> TestProject {
        self.app.project(name).await
    }

    /// What the API tells at a path.
    pub async fn get_json(&self, key: &str, path: &str) -> Value {
        self.app.api(key, "GET", path, None).await.expect(200).json()
    }

    /// The content of an artifact, as published clients download it.
    pub async fn artifact_bytes(&self, key: &str, artifact_id: &str) -> Vec<u8> {
        let answer = self.get_json(key, &format!("/v1/artifacts/{artifact_id}/download")).await;
        STANDARD.decode(answer["artifact"]["content_base64"].as_str().unwrap()).unwrap()
    }

    /// Revokes the project's key.
    pub async fn revoke_key(&self, project: &TestProject) {
        let path = format!("/projects/{}/keys/{}/revoke", project.slug, project.key_id);
        self.app.post(&project.cookie, &path, &[]).await.expect(303);
    }
}
