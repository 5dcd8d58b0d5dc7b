//! The server killed at each call, and its PostgreSQL restarted under it.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use super::network::{CREATE, is_live};
use super::proxy::{Fault, Proxy};
use super::real_server::{Data, Server};
use super::recording::{Api, End, Recording, was_started};
use crate::sync_harness::spooled;

/// Where nobody listens, until there is a server.
pub const NOBODY: &str = "http://127.0.0.1:1";
/// More attempts to send a run than it has calls.
const SYNCS: usize = 20;

/// A server behind a proxy, which can be killed and comes back.
pub struct Mortal {
    pub data: Data,
    pub server: Server,
    pub proxy: Proxy,
    key: String,
    /// How many calls were broken when it was last killed.
    pub kills: usize,
}

impl Mortal {
    pub async fn born() -> Self {
        let proxy = Proxy::to(NOBODY);
        let data = Data::new(proxy.url());
        let server = data.serve().await;
        proxy.lead_to(&server.url);
        data.account().await;
        let key = data.project().await;
        Self { data, server, proxy, key, kills: 0 }
    }

    /// Goes on until something ends; kills the server at each call that is broken, and starts it again.
    async fn dying_during<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = std::pin::pin!(what);
        loop {
            tokio::select! {
                done = &mut what => return done,
                broken = self.proxy.broken(self.kills + 1) => {
                    self.kills = broken.len();
                    self.restart().await;
                }
            }
        }
    }

    async fn restart(&mut self) {
        self.server.kill().await;
        self.server = self.data.serve().await;
        self.proxy.lead_to(&self.server.url);
        self.proxy.heal();
    }
}

/// Kills the server at the first of every call that tells about a run, and has the run come through all the same.
async fn killed_at_each_call(fault: Fault) {
    let mut mortal = Mortal::born().await;
    let calls = mortal.proxy.watched();
    mortal.proxy.break_each(fault, &[CREATE]);
    let mut recording = Recording::through(&mortal.proxy, &mortal.key);
    mortal.dying_during(recording.has_printed()).await;
    mortal.dying_during(calls.are(is_live)).await;
    recording.release();
    let ended = mortal.dying_during(recording.otrace_ended()).await;
    assert!(was_started(&ended));
    for attempt in 0.. {
        let answer = mortal.dying_during(recording.sync()).await;
        if answer.code == 0 {
            break;
        }
        assert!(attempt < SYNCS, "{}{}", answer.stdout, answer.stderr);
    }
    assert_eq!(spooled(&recording.workspace), 0);
    mortal.proxy.break_nothing();
    Api::new(&mortal.server.url, &mortal.key).has_all(End::Known).await;
    assert!(mortal.kills >= 5, "{} kills", mortal.kills);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_before_each_call_loses_nothing() {
    killed_at_each_call(Fault::HoldRequest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_after_each_acknowledgement_loses_nothing() {
    killed_at_each_call(Fault::HoldAnswer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_a_run_is_made_waits_for_no_run() {
    for fault in [Fault::HoldRequest, Fault::HoldAnswer] {
        let mut mortal = Mortal::born().await;
        mortal.proxy.break_first(CREATE, fault);
        let mut recording = Recording::through(&mortal.proxy, &mortal.key);
        recording.release();
        let ended = mortal.dying_during(recording.otrace_ended()).await;
        recording.syncs().await;
        let api = Api::new(&mortal.server.url, &mortal.key);
        if was_started(&ended) { api.has_all(End::Known).await } else { api.waits_for_nothing().await }
    }
}

/// A PostgreSQL of nobody else's.
struct Postgres(TempDir);

impl Postgres {
    async fn start() -> (Self, String) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("opened");
        let postgres = Self(folder);
        postgres.run("start_postgres \"$1\"").await;
        // That one keeps nothing safe: it is for tests whose data nobody needs.
        postgres.stop("fast").await;
        postgres.start_again().await;
        let url = format!("postgres:///otrace?host={}&user=otrace", postgres.0.path().display());
        (postgres, url)
    }

    /// Runs a script with the functions of `scripts/lib/postgres.bash`. `$1` is the folder.
    async fn run(&self, script: &str) {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let script = format!("set -euo pipefail; source scripts/lib/postgres.bash; {script}");
        let arguments = [OsStr::new("-c"), OsStr::new(&script), OsStr::new("bash"), self.0.path().as_os_str()];
        let mut command = Command::new("bash");
        // Not to a pipe: what it starts would hold it open.
        command.args(arguments).current_dir(root).stdin(Stdio::null()).stdout(Stdio::null());
        assert!(command.status().await.expect("bash runs").success(), "{script}");
    }

    async fn stop(&self, mode: &str) {
        let stop = format!("as_postgres \"$POSTGRES_BIN/pg_ctl\" stop --silent --mode={mode} -D \"$1/data\"");
        self.run(&stop).await;
    }

    async fn start_again(&self) {
        let start = "as_postgres \"$POSTGRES_BIN/pg_ctl\" start --silent --wait -D \"$1/data\" -l \"$1/data/log\" \
                     -o \"-k '$1' -c listen_addresses=\"";
        self.run(start).await;
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let script = "source scripts/lib/postgres.bash; stop_postgres \"$1\"";
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = std::process::Command::new("bash");
        // Whatever the test had to say it has said.
        let _ = command.args(["-c", script, "bash"]).arg(self.0.path()).current_dir(root).stdin(Stdio::null()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_is_restarted_under_a_run_loses_nothing() {
    let (postgres, url) = Postgres::start().await;
    let proxy = Proxy::to(NOBODY);
    let data = Data::new(proxy.url()).with_database(&url);
    let server = data.serve().await;
    proxy.lead_to(&server.url);
    data.account().await;

    for is_back_in_time in [true, false] {
        let key = data.project().await;
        let api = Api::new(&server.url, &key);
        let calls = proxy.watched();
        let mut recording = Recording::through(&proxy, &key);
        recording.has_printed().await;
        calls.are(is_live).await;

        postgres.stop("immediate").await;
        let (status, wait, text) = api.answer("/v1/runs/exp001").await;
        assert!(status == 503 && wait.is_some(), "while PostgreSQL is away: {status} {text}");
        assert_eq!(api.answer("/health/ready").await.0, 503);
        assert_eq!(api.answer("/health/live").await.0, 200);
        if is_back_in_time {
            postgres.start_again().await;
            recording.release();
            assert!(was_started(&recording.otrace_ended().await));
            assert_eq!(spooled(&recording.workspace), 0, "it heals by itself");
        } else {
            recording.release();
            assert!(was_started(&recording.otrace_ended().await));
            assert_eq!(spooled(&recording.workspace), 1);
            postgres.start_again().await;
            recording.syncs().await;
        }
        api.has_all(End::Known).await;
    }
}
