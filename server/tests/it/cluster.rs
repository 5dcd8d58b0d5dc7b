//! The layout of `docker-compose.yml` as processes: two servers on one PostgreSQL and one bucket, behind nginx.
//!
//! The servers are the real binary, nginx is the machine's own with the files of `deploy/nginx`, and the bucket is a
//! server in this process that speaks S3. Accounts and projects come from an app of the test kit on the same schema.

mod former;
mod load;
mod nginx;
mod recording;
mod restarts;
mod server;
mod sharing;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use nginx::Nginx;
use otrace_server::testing::{TestApp, TestProject, TestResponse};
use reqwest::header::{CONTENT_TYPE, COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, retry};
use serde_json::Value;
use server::{Server, Settings};
use tempfile::TempDir;
use tokio::time::{interval, timeout};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::stores::s3::S3;

/// Longer than anything here takes: a guard, nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Two servers that run as one.
struct Cluster {
    // Dropped in this order: nobody asks for what has gone already.
    nginx: Nginx,
    servers: [Server; 2],
    app: TestApp,
    http: Client,
    _s3: S3,
    _folder: TempDir,
}

/// A server, or both behind nginx, as a key's owner asks them.
#[derive(Clone)]
struct Api {
    http: Client,
    url: String,
    key: String,
}

impl Cluster {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts it with servers that have these variables as well.
    async fn with(variables: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let s3 = S3::start().await;
        let app = TestApp::at_real_time(|_| {}).await;
        let schema: String =
            sqlx::query_scalar("SELECT current_schema()::text").fetch_one(&app.app.pool).await.unwrap();
        let [front, addresses @ ..] = free_addresses::<3>();
        let nginx = Nginx::start(folder.path(), front, addresses).await;
        let settings = Settings::new(folder.path(), &schema, &s3, nginx.url()).with(variables);
        let mut servers = addresses.map(|address| Server::new(address, settings.clone()));
        start_at_once(&mut servers).await;
        Self { nginx, servers, app, http: client(), _s3: s3, _folder: folder }
    }

    /// Both behind nginx.
    fn api(&self, project: &TestProject) -> Api {
        self.api_at(self.nginx.url(), project)
    }

    /// One of the servers.
    fn api_of(&self, server: usize, project: &TestProject) -> Api {
        self.api_at(&self.servers[server].url(), project)
    }

    fn api_at(&self, url: &str, project: &TestProject) -> Api {
        Api { http: self.http.clone(), url: url.to_owned(), key: project.key.clone() }
    }

    /// Opens a page with a session.
    async fn page(&self, url: &str, cookie: &str, path: &str) -> TestResponse {
        ask(self.http.get(format!("{url}{path}")).header(COOKIE, cookie)).await.unwrap()
    }

    /// Sends a form with a session, or with an empty cookie, as a browser does from one of our own pages.
    async fn submit(&self, url: &str, cookie: &str, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request =
            self.http.post(format!("{url}{path}")).header(COOKIE, cookie).header("sec-fetch-site", "same-origin");
        ask(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)).await.unwrap()
    }

    /// Waits until nginx asks this server: one that was away is left out for a while.
    async fn is_asked(&self, server: usize) {
        let server = &self.servers[server];
        let health = format!("{}/health/live", self.nginx.url());
        until("nginx asks the server", async || {
            let answer = ask(self.http.get(&health)).await.unwrap();
            answer.status.as_u16() == 200 && answer.header(nginx::ANSWERED_BY) == server.address().to_string()
        })
        .await;
    }

    /// Stops a server in order and starts it again. Returns when nginx asks it.
    async fn restart(&mut self, server: usize) {
        self.servers[server].stop().await;
        self.servers[server].start().await;
        self.is_asked(server).await;
    }
}

impl Api {
    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// What a path is answered with, whatever that is.
    async fn get(&self, path: &str) -> TestResponse {
        ask(self.request("GET", path)).await.unwrap()
    }

    /// Sends JSON, which is taken; gives the answer.
    async fn tell(&self, method: &str, path: &str, body: &Value) -> Value {
        ask(self.request(method, path).json(body)).await.unwrap().expect(200).json()
    }

    /// Sends bytes, which are taken.
    async fn send(&self, method: &str, path: &str, body: &[u8]) {
        ask(self.request(method, path).body(body.to_vec())).await.unwrap().expect(200);
    }
}

/// A client that follows no redirect and repeats nothing.
fn client() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .retry(retry::never())
        .tls_certs_only(std::iter::empty())
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

/// Sends a request and reads the answer to its end.
async fn ask(request: RequestBuilder) -> reqwest::Result<TestResponse> {
    let answer = request.send().await?;
    Ok(TestResponse {
        status: answer.status(),
        headers: answer.headers().clone(),
        body: answer.bytes().await?.to_vec(),
    })
}

/// Starts both servers at the same moment.
async fn start_at_once([one, other]: &mut [Server; 2]) {
    tokio::join!(one.start(), other.start());
}

/// Looks until it is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let looking = async {
        let mut ticks = interval(LOOK_EVERY);
        while !is_so().await {
            ticks.tick().await;
        }
    };
    assert!(timeout(PATIENCE, looking).await.is_ok(), "waited in vain until {what}");
}

/// Addresses of this machine that are free now and stay so while a server is restarted.
fn free_addresses<const COUNT: usize>() -> [SocketAddr; COUNT] {
    // Held until all are there, so that no two are the same.
    let held: [TcpListener; COUNT] = std::array::from_fn(|_| free_port());
    held.each_ref().map(|listener| listener.local_addr().unwrap())
}

/// A port below those that the system gives to whoever asks for any.
fn free_port() -> TcpListener {
    loop {
        let [.., high, low] = *Uuid::now_v7().as_bytes();
        let port = 20_000 + u16::from_be_bytes([high, low]) % 12_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener;
        }
    }
}
