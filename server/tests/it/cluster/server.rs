//! `otrace-server` as a process that is stopped, killed and started again, always at the same address.

use std::env;
use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Client;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use url::Url;

use super::{PATIENCE, ask, client, until};
use crate::stores::s3::{ACCESS_KEY, BUCKET, S3, SECRET_KEY};

const PROGRAM: &str = env!("CARGO_BIN_EXE_otrace-server");

/// What of this machine's environment a server may see.
const KEPT: [&str; 3] = ["PATH", "HOME", "TMPDIR"];

/// What the servers of a cluster are told, all the same.
#[derive(Clone)]
pub struct Settings {
    variables: Vec<(&'static str, String)>,
    folder: PathBuf,
}

/// A server. It is killed when it is dropped.
pub struct Server {
    address: SocketAddr,
    settings: Settings,
    http: Client,
    log: PathBuf,
    child: Option<Child>,
}

impl Settings {
    /// Servers on one schema and one bucket that are called by this address, with their files in the folder.
    pub fn new(folder: &Path, schema: &str, s3: &S3, public_url: &str) -> Self {
        let file = |name: &str| folder.join(name).display().to_string();
        let variables = vec![
            ("DATABASE_URL", database_url(schema)),
            // The test's other servers need connections too.
            ("OTRACE_DATABASE_CONNECTIONS", "6".to_owned()),
            ("OTRACE_STORAGE_URL", format!("s3://{BUCKET}/trace")),
            ("AWS_ENDPOINT", s3.endpoint()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("OTRACE_SIGNING_KEYS_FILE", file("secrets/signing-keys")),
            ("OTRACE_DATA_DIR", file("data")),
            ("OTRACE_PUBLIC_URL", public_url.to_owned()),
            ("OTRACE_TRUSTED_PROXIES", "127.0.0.1".to_owned()),
            ("OTRACE_API_READS_PER_SECOND", "0".to_owned()),
            ("OTRACE_API_WRITES_PER_SECOND", "0".to_owned()),
        ];
        Self { variables, folder: folder.to_owned() }
    }

    /// The same with more variables.
    pub fn with(mut self, variables: &[(&'static str, &str)]) -> Self {
        self.variables.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self
    }
}

impl Server {
    /// A server that is not started yet.
    pub fn new(address: SocketAddr, settings: Settings) -> Self {
        let log = settings.folder.join(format!("server-{}.log", address.port()));
        Self { address, settings, http: client(), log, child: None }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its own address, past nginx.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has logged since it was started first.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Starts it. Returns when it says that it is ready.
    pub async fn start(&mut self) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", &self.address.to_string()]).env_clear();
        command.envs(KEPT.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.envs(self.settings.variables.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        timeout(PATIENCE, stdout.read_line(&mut line)).await.expect("the server says where it is").unwrap();
        assert!(line.starts_with("Trace is ready"), "the server did not start: {line}{}", self.log());
        self.child = Some(child);
        let ready = format!("{}/health/ready", self.url());
        let is_ready = async || ask(self.http.get(&ready)).await.is_ok_and(|answer| answer.status.as_u16() == 200);
        until("the server is ready", is_ready).await;
    }

    /// Tells it to stop, and fails unless it does so in order.
    pub async fn stop(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        let pid = Pid::from_raw(child.id().expect("the server runs").cast_signed());
        kill(pid, Signal::SIGTERM).unwrap();
        let ended = timeout(PATIENCE, child.wait()).await.expect("a server that is told to stop ends").unwrap();
        assert_eq!(ended.code(), Some(0), "{}", self.log());
    }

    /// Kills it, whatever it is doing.
    pub async fn kill(&mut self) {
        self.child.take().expect("the server runs").kill().await.unwrap();
    }
}

/// The tests' PostgreSQL, for connections that see only this schema.
fn database_url(schema: &str) -> String {
    let url = env::var("OTRACE_TEST_DATABASE_URL").expect("tests need a PostgreSQL: run `make test`");
    let mut url: Url = url.parse().unwrap();
    url.query_pairs_mut().append_pair("options[search_path]", schema);
    url.into()
}
