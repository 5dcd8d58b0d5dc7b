//! The running PostgreSQL: a direct child that stops with the server, however the server ends.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::DATABASE;
use super::binaries::Binaries;
use super::cluster::AccessFiles;
use super::owner::Owner;

/// Recovery after a power cut replays the log first, which may take a while.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// Where a PostgreSQL runs.
#[derive(Debug)]
pub struct Places<'a> {
    /// The server's data directory, which holds the log.
    pub data_dir: &'a Path,
    /// The cluster.
    pub data: &'a Path,
    /// Where its socket goes.
    pub socket_dir: &'a Path,
    /// Who may connect.
    pub access: &'a AccessFiles,
}

/// The running PostgreSQL.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `postgres` on `data`, listening on a socket in `socket_dir` only.
    pub fn spawn(binaries: &Binaries, owner: &Owner, places: &Places<'_>) -> anyhow::Result<Self> {
        let Places { data_dir, data, socket_dir, access } = places;
        let log_path = data_dir.join("postgres.log");
        let log = OpenOptions::new().create(true).append(true).open(&log_path)?;
        let mut command = owner.command(&binaries.program("postgres"), data);
        command
            .arg("-D")
            .arg(data)
            .arg("-k")
            .arg(socket_dir)
            .args(["-c", "listen_addresses=", "-c", "max_connections=60"])
            .args(["-c", &format!("hba_file={}", access.hba.display())])
            .args(["-c", &format!("ident_file={}", access.ident.display())])
            .stdout(log.try_clone()?)
            .stderr(log);
        stop_with_parent(&mut command);
        let child = command.spawn().context("starting postgres")?;
        Ok(Self { child, log: log_path })
    }

    /// Waits until a connection succeeds, and makes the database the first time.
    pub async fn wait_until_ready(&mut self, options: &PgConnectOptions) -> anyhow::Result<()> {
        let options = options.clone().database("postgres").disable_statement_logging();
        let give_up = Instant::now() + READY_WITHIN;
        let mut connection = loop {
            match PgConnection::connect_with(&options).await {
                Ok(connection) => break connection,
                Err(error) => {
                    if self.child.try_wait()?.is_some() {
                        return Err(self.ended().await);
                    }
                    if Instant::now() > give_up {
                        bail!("PostgreSQL did not answer within 2 minutes: {error}; its log is {}", self.log.display());
                    }
                    sleep(Duration::from_millis(10)).await;
                }
            }
        };
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {DATABASE}"))).execute(&mut connection).await?;
        }
        connection.close().await?;
        Ok(())
    }

    /// Resolves when it has ended by itself.
    pub async fn ended(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => {
                anyhow!("the private PostgreSQL ended by itself ({status}); its log is {}", self.log.display())
            }
            Err(error) => anyhow::Error::new(error).context("waiting for the private PostgreSQL"),
        }
    }

    /// Stops it: SIGINT writes a checkpoint and ends it; the harsher signals are for one that hangs.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let Some(pid) = self.child.id() else { return Ok(()) };
        let pid = Pid::from_raw(i32::try_from(pid)?);
        for (signal, patience) in [(Signal::SIGINT, 60), (Signal::SIGQUIT, 10), (Signal::SIGKILL, 5)] {
            kill(pid, signal)?;
            if timeout(Duration::from_secs(patience), self.child.wait()).await.is_ok() {
                return Ok(());
            }
        }
        bail!("the private PostgreSQL (pid {pid}) does not stop")
    }
}

/// On Linux the kernel tells the child to stop when the thread that started it ends: a server that
/// is killed takes its PostgreSQL with it. Elsewhere the next start stops the leftover.
#[cfg(target_os = "linux")]
fn stop_with_parent(command: &mut Command) {
    use std::io::{Error, ErrorKind};

    use nix::libc::{PR_SET_PDEATHSIG, SIGINT, prctl};

    let server = Pid::this();
    let ask_kernel = move || {
        // SAFETY: prctl with these arguments only changes a setting of the calling process.
        #[expect(unsafe_code, reason = "the parent-death signal has no safe interface")]
        let answer = unsafe { prctl(PR_SET_PDEATHSIG, SIGINT) };
        if answer != 0 {
            return Err(Error::last_os_error());
        }
        // The server may have died before the setting took hold.
        if Pid::parent() == server { Ok(()) } else { Err(ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: between fork and exec the closure makes system calls only; it allocates nothing and takes no lock.
    #[expect(unsafe_code, reason = "runs after the change of user, which would undo the setting")]
    unsafe {
        command.pre_exec(ask_kernel);
    }
}

#[cfg(not(target_os = "linux"))]
fn stop_with_parent(_: &mut Command) {}
