//! A private PostgreSQL, for a server without `DATABASE_URL`.
//!
//! The system's own binaries, as a direct child of the server, reachable only through a Unix socket
//! in a directory that nobody else may enter, with peer authentication: no TCP port, no password.
//! Fsync stays on. [`binaries`] finds the programs, [`cluster`] makes the files, [`process`] runs them.
//!
//! In the data directory:
//!
//! ```text
//! lock                        held by the one server that runs on this directory
//! pg_hba.conf, pg_ident.conf  who may connect
//! postgres.log
//! postgres/data               the cluster
//! postgres/run                its socket
//! ```

mod binaries;
mod cluster;
mod owner;
mod process;

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::postgres::PgConnectOptions;
use tokio::time::{Instant, sleep};

use owner::Owner;
use process::{Places, Process};

const ROLE: &str = "otrace";
const DATABASE: &str = "otrace";

/// After a kill, PostgreSQL's other processes notice within this time that they are alone.
const LEFTOVER_ENDS_WITHIN: Duration = Duration::from_secs(20);

/// A Unix socket's address holds 104 bytes on macOS, 108 on Linux, PostgreSQL's file name included.
const SOCKET_DIR_MAX_BYTES: usize = 80;

/// A PostgreSQL that runs as long as this value lives.
#[derive(Debug)]
pub struct PrivatePostgres {
    process: Process,
    connect_options: PgConnectOptions,
    /// Locked while the server runs; the kernel unlocks it however the server ends.
    _lock: File,
}

impl PrivatePostgres {
    /// Starts the private PostgreSQL of `data_dir`; the first time, creates it.
    ///
    /// Call it on the main thread: on Linux the child is told to stop when the *thread* that
    /// started it ends, which is how it follows a server that is killed.
    pub async fn start(data_dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(data_dir).with_context(|| format!("creating the data directory {}", data_dir.display()))?;
        let data_dir = fs::canonicalize(data_dir)?;
        let owner = Owner::of_new_postgres()?;
        let lock = lock(&data_dir)?;
        owner.check_can_enter(&data_dir)?;

        let home = data_dir.join("postgres");
        owner.private_dir(&home)?;
        let socket_dir = socket_dir(&home);
        owner.private_dir(&socket_dir)?;

        let data = home.join("data");
        let binaries = binaries::find(cluster::major_version(&data)?)?;
        cluster::prepare(&binaries, &owner, &home, &data).await?;
        let access = cluster::allow_only_us(&data_dir)?;
        let places = Places { data_dir: &data_dir, data: &data, socket_dir: &socket_dir, access: &access };
        let connect_options = socket_options(&socket_dir);
        // Where one was killed, its last processes may hold the data for a moment longer.
        let patience = if data.join("postmaster.pid").exists() { LEFTOVER_ENDS_WITHIN } else { Duration::ZERO };
        let give_up = Instant::now() + patience;
        let process = loop {
            let mut process = Process::spawn(&binaries, &owner, &places)?;
            match process.wait_until_ready(&connect_options).await {
                Ok(()) => break process,
                Err(error) if Instant::now() > give_up => return Err(error),
                Err(_) => sleep(Duration::from_millis(200)).await,
            }
        };
        Ok(Self { process, connect_options: connect_options.database(DATABASE), _lock: lock })
    }

    /// How to reach the PostgreSQL of a server that runs on `data_dir` now; `None` when none does.
    pub fn of_running_server(data_dir: &Path) -> Option<PgConnectOptions> {
        let data_dir = fs::canonicalize(data_dir).ok()?;
        let lock = OpenOptions::new().append(true).open(data_dir.join("lock")).ok()?;
        match lock.try_lock() {
            Ok(()) => None,
            Err(_) => Some(socket_options(&socket_dir(&data_dir.join("postgres"))).database(DATABASE)),
        }
    }

    /// How to reach it.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.connect_options.clone()
    }

    /// Resolves when it ends by itself, with what can be said about it.
    pub async fn ended(&mut self) -> anyhow::Error {
        self.process.ended().await
    }

    /// Stops it after a checkpoint. Close all connections first.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}

fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join("lock");
    let lock = OpenOptions::new()
        .create(true)
        .append(true)
        // Nobody else may hold it.
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("opening {}: the data directory must be writable", path.display()))?;
    if lock.try_lock().is_err() {
        bail!(
            "{} is in use by another otrace-server; stop that one, or choose another folder with --data-dir",
            data_dir.display()
        );
    }
    Ok(lock)
}

/// Where the socket is: beside the cluster, or below the temporary directory where that path is too
/// long for a socket's address. Always the same for one data directory, so that commands find it.
fn socket_dir(home: &Path) -> PathBuf {
    let beside = home.join("run");
    if beside.as_os_str().len() <= SOCKET_DIR_MAX_BYTES {
        return beside;
    }
    let mut hasher = DefaultHasher::new();
    home.hash(&mut hasher);
    std::env::temp_dir().join(format!("otrace-postgres-{:016x}", hasher.finish()))
}

fn socket_options(socket_dir: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass().socket(socket_dir).username(ROLE)
}

fn set_private(path: &Path) -> std::io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))
}
