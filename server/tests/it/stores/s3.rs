//! A server that speaks S3, in this process, on a folder; it can be told to be away, or too busy.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use otrace_server::config::{Config, StorageConfig};
use otrace_server::testing::TestApp;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{HttpError, HttpResponse};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The one bucket that there is.
pub const BUCKET: &str = "contents";

/// Who may use it.
pub const ACCESS_KEY: &str = "AKIDOFTHETEST";
pub const SECRET_KEY: &str = "the secret of the test";

/// What S3 says when it has too much to do.
const SLOW_DOWN: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code></Error>"#;

/// How the server takes the next requests.
#[derive(Clone, Copy, Debug)]
pub enum Mood {
    /// It answers.
    Well,
    /// It closes each connection without a word.
    Away,
    /// It is too busy for as many requests, and then well.
    Busy(u32),
}

/// Looks at each request before S3 does, and may answer it.
pub type Door = fn(&mut Request<Incoming>) -> Option<HttpResponse>;

/// The server, until it is dropped.
pub struct S3 {
    folder: TempDir,
    address: SocketAddr,
    state: Arc<State>,
    _stop: DropGuard,
}

struct State {
    door: Door,
    service: S3Service,
    mood: Mutex<Mood>,
    requests: Mutex<Vec<String>>,
}

impl S3 {
    /// Starts it on a free port, with an empty bucket.
    pub async fn start() -> Self {
        Self::open(Some(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY)), |_| None).await
    }

    /// The same, where the door alone says who may use it.
    pub async fn behind(door: Door) -> Self {
        Self::open(None, door).await
    }

    async fn open(auth: Option<SimpleAuth>, door: Door) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        if let Some(auth) = auth {
            builder.set_auth(auth);
        }
        let state = Arc::new(State {
            door,
            service: builder.build(),
            mood: Mutex::new(Mood::Well),
            requests: Mutex::new(Vec::new()),
        });

        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = serve(listener, Arc::clone(&state));
        tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
        Self { folder, address, state, _stop: stop.drop_guard() }
    }

    /// From now on it is in this mood.
    pub fn be(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    /// What it was asked, as `PUT /contents/…`.
    pub fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The settings of a store here, with another secret.
    pub fn storage_with_secret(&self, url: &str, secret: &str) -> StorageConfig {
        storage(url, &self.endpoint(), secret)
    }

    /// The app with its contents here.
    pub async fn app(&self, url: &str) -> TestApp {
        app(storage(url, &self.endpoint(), SECRET_KEY)).await
    }

    /// The keys of the objects in the bucket, in order.
    pub fn objects(&self) -> Vec<String> {
        let bucket = self.bucket();
        let mut found = Vec::new();
        let mut folders = vec![bucket.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&bucket).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// What it keeps of uploads that nobody completed, and of writes that broke off.
    pub fn leftovers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".upload") || name.starts_with(".tmp.")).collect()
    }

    /// Loses an object.
    pub fn lose(&self, key: &str) {
        fs::remove_file(self.bucket().join(key)).unwrap();
    }

    /// Loses the whole bucket.
    pub fn lose_bucket(&self) {
        fs::remove_dir_all(self.bucket()).unwrap();
    }

    fn bucket(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }
}

/// The app with its contents in this store.
pub async fn app(storage: StorageConfig) -> TestApp {
    TestApp::with(|config: &mut Config| config.storage = storage).await
}

/// The settings of a store at an endpoint.
pub fn storage(url: &str, endpoint: &str, secret: &str) -> StorageConfig {
    let variables = [
        ("AWS_ENDPOINT", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ];
    config(url, &variables)
}

/// The settings of a store at a URL, with these variables.
pub fn config(url: &str, variables: &[(&str, &str)]) -> StorageConfig {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    StorageConfig { storage_url: Some(url.parse().unwrap()), variables, ..StorageConfig::default() }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(Arc::clone(&state), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn answer(state: Arc<State>, mut request: Request<Incoming>) -> Result<HttpResponse, HttpError> {
    state.requests.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
    let mood = *state.mood.lock().unwrap();
    match mood {
        Mood::Well | Mood::Busy(0) => match (state.door)(&mut request) {
            Some(answer) => Ok(answer),
            None => state.service.call(request.map(s3s::Body::from)).await,
        },
        Mood::Away => Err(HttpError::new("away".into())),
        Mood::Busy(more) => {
            *state.mood.lock().unwrap() = Mood::Busy(more - 1);
            let mut response = Response::new(s3s::Body::from(SLOW_DOWN.to_owned()));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            Ok(response)
        }
    }
}
