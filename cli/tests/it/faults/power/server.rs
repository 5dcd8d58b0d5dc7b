//! The power of the server is cut.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::api::{Api, hex_digest};
use super::super::fsck;
use super::super::mounts::{Disk, may_mount, only_what_was_synced_is_there};
use super::super::real_server::{Data, Server};
use super::super::servers::NOBODY;
use super::super::shim::Shim;
use super::{CUTS, Lots};

/// So much is acknowledged before a cut at most.
const ACKNOWLEDGED: usize = 150;
/// So many writers write at once.
const WRITERS: usize = 6;

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

/// What a server that starts on the copy lacks of what was acknowledged, and what else is wrong with it.
async fn wrong(acknowledged: &[Acknowledged], copy: &Path, key: &str) -> Vec<String> {
    let data = Data::within(copy, NOBODY);
    // After a power cut no process has that number; here the one that was stopped still has.
    for file in ["data/postmaster.pid", "run/.s.PGSQL.5432.lock"] {
        fs::remove_file(data.folder.join("postgres").join(file)).expect("it was there");
    }
    let Some(server) = data.try_serve().await else { return vec!["it does not start".to_owned()] };
    let api = Api::new(&server.url, key);
    let mut wrong = fsck::wrong(&api).await;
    wrong.extend(fsck::torn(&data, &api).await.into_iter().map(|hash| format!("torn: {hash}")));
    wrong.extend(fsck::dangling(&data).await.into_iter().map(|object| format!("no object: {object}")));
    for what in acknowledged {
        if !is_there(&api, *what).await {
            wrong.push(format!("lost: {what:?}"));
        }
    }
    wrong
}

/// A server with its data on a disk of its own.
struct OnDisk {
    server: Server,
    key: String,
    data: Data,
    disk: Disk,
    _home: TempDir,
}

impl OnDisk {
    async fn start(settings: impl FnOnce(Data) -> Data) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let disk = Disk::new(512, home.path());
        let data = settings(Data::within(home.path(), NOBODY));
        let server = data.serve().await;
        data.account().await;
        let key = data.project().await;
        Self { server, key, data, disk, _home: home }
    }

    /// Has it write until so much is acknowledged, and cuts the power. Adds what was acknowledged by then; gives what
    /// is wrong with what is left of all that ever was.
    async fn cut(&mut self, enough: usize, acknowledged: &mut Vec<Acknowledged>) -> Vec<String> {
        let at = tempfile::tempdir().expect("a folder");
        let ledger = Arc::new(Ledger::default());
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            writers.spawn(write(Api::new(&self.server.url, &self.key), Arc::clone(&ledger)));
        }
        let mut written = ledger.subscribe();
        written.wait_for(|ledger| ledger.len() >= enough).await.expect("they write");
        self.disk.write_both();
        acknowledged.extend(ledger.borrow().iter().copied());
        let stopped = Stopped::all(postgres_of(&self.data).into_iter().chain([self.server.pid()]).collect());
        let copy = self.disk.cut(at.path());
        drop(stopped);
        writers.shutdown().await;
        only_what_was_synced_is_there(at.path());
        let wrong = wrong(acknowledged, at.path(), &self.key).await;
        drop(copy);
        wrong
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_has_acknowledged_outlasts_a_power_cut_at_any_moment() {
    if !may_mount() {
        return;
    }
    let (mut lots, mut acknowledged) = (Lots::new(), Vec::new());
    let mut server = OnDisk::start(|data| data).await;
    for _ in 0..CUTS {
        let enough = lots.up_to(ACKNOWLEDGED);
        let wrong = server.cut(enough, &mut acknowledged).await;
        assert_eq!(wrong, [""; 0], "of {}, {lots:?}", acknowledged.len());
    }
    assert!(acknowledged.len() >= CUTS, "{}", acknowledged.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_a_database_that_syncs_nothing_loses_something_in_a_power_cut() {
    if !may_mount() {
        return;
    }
    let mut server = OnDisk::start(|data| data).await;
    server.data.sql("ALTER SYSTEM SET fsync = off").await;
    server.data.sql("SELECT pg_reload_conf()").await;
    let mut acknowledged = Vec::new();
    let wrong = server.cut(ACKNOWLEDGED, &mut acknowledged).await;
    assert!(!wrong.is_empty(), "of {}: this test can't tell", acknowledged.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_a_server_whose_syncs_do_nothing_loses_contents_in_a_power_cut() {
    let Some(shim) = Shim::built().filter(|_| may_mount()) else { return };
    let lying = |data: Data| {
        let data = data.set("LD_PRELOAD", shim.library()).set("DISK_PROGRAM", "otrace-server");
        data.set("DISK_LIES", "1")
    };
    let mut server = OnDisk::start(lying).await;
    // Without the keys that it made when it started it would not start again.
    server.disk.sync();
    let mut acknowledged = Vec::new();
    let wrong = server.cut(ACKNOWLEDGED, &mut acknowledged).await;
    // The database syncs: the runs are there, and what they are made of is not.
    let torn = wrong.iter().filter(|wrong| wrong.starts_with("torn: ")).count();
    assert!(torn > 0, "of {}: this test can't tell; {wrong:?}", acknowledged.len());
}
