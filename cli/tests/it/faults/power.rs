//! The power is cut: what was acknowledged is there, on the side that acknowledged it.
//!
//! A disk in a file is copied while it is written to. The copy has what was synced; of the rest only what the kernel
//! has written by itself. Each test has its control: something that was never synced, and has to be gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use otrace_server::testing::TestServer;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::mounts::{Disk, Mount, may_mount, only_what_was_synced_is_there};
use super::real_server::{Data, Server};
use super::recording::{Api, End, Recording, printed, was_started};
use super::servers::NOBODY;
use crate::workspace::Workspace;

/// So many requests are acknowledged before the cut.
const ACKNOWLEDGED: usize = 120;
/// How long what is printed may take to be on disk.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many writers write at once.
const WRITERS: usize = 6;

/// A workspace, and a copy of another one's disk over it.
fn after_the_cut(disk: &mut Disk, server: &TestServer, key: &str) -> (Workspace, Mount) {
    let workspace = Workspace::with_key(server, key);
    let copy = disk.cut(&workspace.root());
    (workspace, copy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_ended_outlasts_a_power_cut() {
    if !may_mount() {
        return;
    }
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    let mut disk = Disk::new(64, &workspace.root());
    let mut recording = Recording::start(workspace, &["--offline"]);
    recording.release();
    assert!(was_started(&recording.otrace_ended().await));
    disk.write_both();
    let (workspace, _copy) = after_the_cut(&mut disk, &server, &project.key);
    let answer = workspace.otrace(&["sync"]).await;
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    Api::new(server.url(), &project.key).has_all(End::Known).await;
    only_what_was_synced_is_there(&workspace.root());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_has_printed_outlasts_a_power_cut_while_it_runs() {
    if !may_mount() {
        return;
    }
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let api = Api::new(server.url(), &project.key);
    let workspace = Workspace::new();
    let mut disk = Disk::new(64, &workspace.root());
    let mut recording = Recording::start(workspace, &["--offline"]);
    recording.has_printed().await;
    // It is synced within a second or two of being printed.
    let give_up = Instant::now() + PATIENCE;
    let (workspace, _copy) = loop {
        let (workspace, copy) = after_the_cut(&mut disk, &server, &project.key);
        if in_logs(&workspace) == printed() {
            break (workspace, copy);
        }
        assert!(Instant::now() < give_up, "what was printed is never on disk");
    };
    recording.kill().await;
    recording.release();
    recording.command_ended().await;
    let answer = workspace.otrace(&["sync"]).await;
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert_eq!(api.runs().await[0]["status"], "capture_failed");
    assert_eq!([api.log("stdout").await, api.log("stderr").await].concat(), printed());
}

/// What the logs in a workspace hold: standard output, then what was printed as errors.
fn in_logs(workspace: &Workspace) -> Vec<u8> {
    let logs = fs::read_dir(workspace.path(".trace/logs")).into_iter().flatten().flatten().map(|log| log.path());
    let mut logs: Vec<_> = logs.filter(|log| log.extension().is_some_and(|suffix| suffix == "log")).collect();
    logs.sort_by_key(|log| log.to_string_lossy().ends_with(".stderr.log"));
    logs.into_iter().flat_map(|log| fs::read(log).unwrap_or_default()).collect()
}

/// What a server has acknowledged, of the run with this id.
#[derive(Clone, Copy, Debug)]
enum Acknowledged {
    Run(Uuid),
    Log(Uuid),
    Content(Uuid),
    Series(Uuid),
}

/// The list of it, which lies on no disk that is cut off.
type Ledger = watch::Sender<Vec<Acknowledged>>;

fn printed_by(run: Uuid) -> Vec<u8> {
    format!("printed by {run}\n").into_bytes()
}

fn content_of(run: Uuid) -> Vec<u8> {
    format!("left by {run}\n").repeat(500).into_bytes()
}

fn hex_digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Makes runs, over and over: what is not acknowledged, such as by a server that is busy, is nobody's loss.
async fn write(api: Api, ledger: Arc<Ledger>) {
    let acknowledged = |what| ledger.send_modify(|ledger| ledger.push(what));
    loop {
        let run = Uuid::now_v7();
        let new = json!({"id": run, "intent": "i", "setup": "s", "command": "c"});
        if api.try_post("/v1/runs", &new).await.is_none_or(|(status, _)| status != 200) {
            continue;
        }
        acknowledged(Acknowledged::Run(run));
        if !api.try_send("POST", &format!("/v1/runs/{run}/logs/stdout?offset=0"), printed_by(run)).await {
            continue;
        }
        acknowledged(Acknowledged::Log(run));
        let content = content_of(run);
        if !api.try_send("PUT", &format!("/v1/contents/{}", hex_digest(&content)), content).await {
            continue;
        }
        acknowledged(Acknowledged::Content(run));
        let points =
            json!({"batches": [{"source": "m", "first": 0, "points": [{"name": "loss", "step": 7, "value": 0.5}]}]});
        if api.try_post(&format!("/v1/runs/{run}/series"), &points).await.is_none_or(|(status, _)| status != 200) {
            continue;
        }
        acknowledged(Acknowledged::Series(run));
    }
}

/// Whether the server has it.
async fn is_there(api: &Api, what: Acknowledged) -> bool {
    match what {
        Acknowledged::Run(run) => {
            api.try_get(&format!("/v1/runs/{run}")).await.is_some_and(|(status, _)| status == 200)
        }
        Acknowledged::Log(run) => api.try_bytes(&format!("/v1/runs/{run}/logs/stdout")).await == Some(printed_by(run)),
        Acknowledged::Content(run) => {
            // A log that names it is taken if the server has it, and read from it.
            let (path, content) = (format!("/v1/runs/{run}"), content_of(run));
            let log = json!({"stream": "stderr", "hash": format!("sha256:{}", hex_digest(&content))});
            let details = json!({"logs": [log]}).to_string().into_bytes();
            api.try_send("PUT", &format!("{path}/details"), details).await
                && api.try_bytes(&format!("{path}/logs/stderr")).await == Some(content)
        }
        Acknowledged::Series(run) => {
            let listed = api.try_get(&format!("/v1/runs/{run}/series")).await;
            listed.is_some_and(|(_, listed)| listed["series"][0]["count"] == 1)
        }
    }
}

/// Processes that stand still as long as this value lives.
struct Stopped(Vec<Pid>);

impl Stopped {
    fn all(processes: Vec<Pid>) -> Self {
        for process in &processes {
            // Some of them come and go.
            let _ = kill(*process, Signal::SIGSTOP);
        }
        Self(processes)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for process in &self.0 {
            let _ = kill(*process, Signal::SIGCONT);
        }
    }
}

/// Has a server write on the disk until enough is acknowledged, and cuts the power over another folder. Gives what was
/// acknowledged by then.
async fn cut_under_load(
    server: &Server,
    postgres: &[Pid],
    key: &str,
    disk: &mut Disk,
    at: &Path,
) -> (Vec<Acknowledged>, Mount) {
    let ledger = Arc::new(Ledger::default());
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(Api::new(&server.url, key), Arc::clone(&ledger)));
    }
    let mut enough = ledger.subscribe();
    enough.wait_for(|ledger| ledger.len() >= ACKNOWLEDGED).await.expect("they write");
    disk.write_both();
    let acknowledged = ledger.borrow().clone();
    let stopped = Stopped::all(postgres.iter().copied().chain([server.pid()]).collect());
    let copy = disk.cut(at);
    drop(stopped);
    writers.shutdown().await;
    (acknowledged, copy)
}

/// The PostgreSQL of a server's data, and all of its processes.
fn postgres_of(data: &Data) -> Vec<Pid> {
    let file = fs::read_to_string(data.folder.join("postgres/data/postmaster.pid")).expect("it runs");
    let postmaster = file.lines().next().and_then(|line| line.parse().ok()).expect("a number");
    let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).expect("Linux tells");
    [postmaster]
        .into_iter()
        .chain(children.split_whitespace().filter_map(|pid| pid.parse().ok()))
        .map(Pid::from_raw)
        .collect()
}

/// How many of these a server that starts on the copy does not have.
async fn lost(acknowledged: &[Acknowledged], copy: &Path, key: &str) -> usize {
    let data = Data::within(copy, NOBODY);
    // After a power cut no process has that number; here the one that was stopped still has.
    for file in ["data/postmaster.pid", "run/.s.PGSQL.5432.lock"] {
        fs::remove_file(data.folder.join("postgres").join(file)).expect("it was there");
    }
    let Some(server) = data.try_serve().await else { return acknowledged.len() };
    let api = Api::new(&server.url, key);
    let mut lost = 0;
    for what in acknowledged {
        if !is_there(&api, *what).await {
            lost += 1;
        }
    }
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_has_acknowledged_outlasts_a_power_cut() {
    if !may_mount() {
        return;
    }
    let folders = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let [home, first, second]: [&Path; 3] = [0, 1, 2].map(|index| folders[index].path());
    let mut disk = Disk::new(512, home);
    let data = Data::within(home, NOBODY);
    let server = data.serve().await;
    data.account().await;
    let key = data.project().await;

    let (acknowledged, _copy) = cut_under_load(&server, &postgres_of(&data), &key, &mut disk, first).await;
    assert_eq!(lost(&acknowledged, first, &key).await, 0, "of {}", acknowledged.len());
    only_what_was_synced_is_there(first);

    // The control: a PostgreSQL that syncs nothing loses something.
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let script = "source scripts/lib/postgres.bash; \"$POSTGRES_BIN/psql\" -q -h \"$1\" -U otrace otrace \
                  -c 'ALTER SYSTEM SET fsync = off' -c 'SELECT pg_reload_conf()'";
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash"]).arg(data.folder.join("postgres/run")).current_dir(root);
    assert!(command.output().await.expect("bash runs").status.success());
    let (acknowledged, _copy) = cut_under_load(&server, &postgres_of(&data), &key, &mut disk, second).await;
    assert_ne!(lost(&acknowledged, second, &key).await, 0, "of {}: this test can't tell", acknowledged.len());
}
