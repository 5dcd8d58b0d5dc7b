//! Azurite, Microsoft's own emulator of Azure's blob service, and a line to it that can be cut. `make test` installs it
//! into `target/azurite`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::TryStreamExt;
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::{ObjectStore, ObjectStoreExt};
use otrace_server::config::StorageConfig;
use otrace_server::testing::TestApp;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::s3;

/// The one container that there is.
pub const CONTAINER: &str = "contents";

/// Who may use it.
const ACCOUNT: &str = "trace";

/// Their key; Azure's are base64.
const KEY: &str = "dGhlIGtleSBvZiB0aGUgdGVzdA==";

/// Generous: node reads much before it listens, and the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// Azurite with an empty container, until it is dropped.
pub struct Azurite {
    /// Where it listens itself.
    address: SocketAddr,
    /// Where the line to it begins.
    line: SocketAddr,
    is_cut: watch::Sender<bool>,
    _stop: DropGuard,
    _process: Child,
    // It ends when this does, also where the test is killed.
    _stdin: ChildStdin,
    // Kept open: node would break off when it can't print.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Azurite {
    /// Starts it on a free port, and a line to it on another.
    pub async fn start() -> Self {
        let package = repository().join("target/azurite/node_modules/azurite/dist/src/blob/main.js");
        assert!(package.is_file(), "these tests need node and azurite, which `make test` installs");
        let mut process = Command::new("node")
            .arg(repository().join("server/tests/it/stores/azurite.mjs"))
            .arg(package)
            .args([ACCOUNT, KEY, CONTAINER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts, which `make test` installs");
        let stdin = process.stdin.take().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = timeout(PATIENCE, address_in(&mut stdout)).await.expect("azurite says where it listens");

        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let line = listener.local_addr().unwrap();
        let (is_cut, cut) = watch::channel(false);
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(connect(listener, address, cut)));
        Self { address, line, is_cut, _stop: stop.drop_guard(), _process: process, _stdin: stdin, _stdout: stdout }
    }

    /// Cuts the line to it, or mends it.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.send_replace(is_cut);
    }

    /// The app with its contents there.
    pub async fn app(&self, url: &str) -> TestApp {
        self.app_with_key(url, KEY).await
    }

    /// The same with another key.
    pub async fn app_with_key(&self, url: &str, key: &str) -> TestApp {
        s3::app(storage(url, self.line, key)).await
    }

    /// The names of the blobs in the container, in order.
    pub async fn objects(&self) -> Vec<String> {
        let found: Vec<_> = self.store().list(None).try_collect().await.unwrap();
        let mut names: Vec<_> = found.into_iter().map(|found| found.location.to_string()).collect();
        names.sort();
        names
    }

    /// Loses a blob.
    pub async fn lose(&self, key: &str) {
        self.store().delete(&key.into()).await.unwrap();
    }

    /// The container, past the app and the line.
    fn store(&self) -> MicrosoftAzure {
        let builder = MicrosoftAzureBuilder::new().with_account(ACCOUNT).with_access_key(KEY);
        let builder = builder.with_container_name(CONTAINER).with_allow_http(true);
        builder.with_endpoint(format!("http://{}/{ACCOUNT}", self.address)).build().unwrap()
    }
}

/// The settings of a store that listens there.
pub fn storage(url: &str, address: SocketAddr, key: &str) -> StorageConfig {
    let variables = [
        ("AZURE_STORAGE_ENDPOINT", &*format!("http://{address}/{ACCOUNT}")),
        ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT),
        ("AZURE_STORAGE_ACCOUNT_KEY", key),
    ];
    s3::config(url, &variables)
}

/// The address that azurite prints.
async fn address_in(stdout: &mut Lines<BufReader<ChildStdout>>) -> SocketAddr {
    loop {
        let line = stdout.next_line().await.unwrap().expect("azurite goes on until it is ready");
        if let Some(address) = line.strip_prefix("listening on http://") {
            return address.parse().unwrap();
        }
    }
}

/// Connects whoever comes to azurite. While the line is cut, connections are closed without a word.
async fn connect(listener: TcpListener, address: SocketAddr, cut: watch::Receiver<bool>) {
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut cut = cut.clone();
        tokio::spawn(async move {
            let carried = async {
                let mut far = TcpStream::connect(address).await?;
                copy_bidirectional(&mut near, &mut far).await
            };
            tokio::select! {
                biased;
                _ = cut.wait_for(|is_cut| *is_cut) => {}
                _ = carried => {}
            }
        });
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
