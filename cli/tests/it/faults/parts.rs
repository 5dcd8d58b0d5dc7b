//! Somebody is killed between the parts of a large file: `otrace run`, `otrace sync`, or the server.
//!
//! A part that the server has is not sent again, and the file is there once, in whole.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use otrace_server::testing::TestServer;
use serde_json::json;
use tokio::process::Child;
use tokio::time::timeout;

use super::api::{Api, hex_digest};
use super::fsck;
use super::network::with_each;
use super::proxy::{Fault, Nth, Proxy};
use super::recording::PATIENCE;
use super::rich::{PART as PART_BYTES, PARTS, write_large};
use super::servers::Mortal;
use crate::sync_harness::spooled;
use crate::workspace::Workspace;

const PART: &str = "PUT /v1/contents/{…}";
const ASSEMBLE: &str = "PUT /v1/contents/{…}/parts";
/// A file that is larger than this is sent from where it is, without a copy.
const COPIED_MAX: u64 = 64 * 1024 * 1024;
/// More attempts to send a run than it has calls.
const SYNCS: usize = 20;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Run,
    Sync,
}

/// When.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So many parts are stored and acknowledged, and no other is.
    Acknowledged(usize),
    /// All are stored, and none is acknowledged.
    Stored,
    /// The server is about to put them together.
    Assembled(Fault),
}

/// A workspace whose command leaves a large file.
fn workspace(proxy: &Proxy, key: &str) -> Workspace {
    Workspace::new().set("TRACE_API_URL", proxy.url()).set("TRACE_API_KEY", key)
}

fn start(workspace: &Workspace, options: &[&str]) -> Child {
    let script = "cp made large.bin; echo done; exit 3";
    let declared = ["-q", "run", "--intent", "i", "--setup", "s", "--expect-artifact", "large.bin"];
    workspace.command(&[&declared, options, &["--", "sh", "-c", script]].concat()).spawn().expect("started")
}

async fn ends(child: &mut Child) -> Option<i32> {
    timeout(PATIENCE, child.wait()).await.expect("in time").expect("ended").code()
}

/// The file is there, once, and the run as it ended.
async fn is_whole(api: &Api, workspace: &Workspace) {
    let run = api.only_run().await;
    assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(3)));
    assert_eq!(api.log("stdout").await, b"done\n");
    let artifacts = run["artifacts"].as_array().expect("a list");
    let expected = fs::read(workspace.path("large.bin")).expect("it is there");
    let hash = format!("sha256:{}", hex_digest(&expected));
    assert_eq!((artifacts.len(), &artifacts[0]["hash"]), (1, &json!(hash)));
    assert!(api.content(&hash).await.is_some_and(|found| found == expected), "another content");
    assert_eq!(fsck::wrong(api).await, [""; 0]);
}

/// Has the proxy hold what comes at this moment, and says how many parts are still to be sent after it.
fn hold(proxy: &Proxy, moment: Moment, parts: usize) -> usize {
    match moment {
        Moment::Acknowledged(count) => {
            proxy.break_some(PART, Nth::From(count + 1), Fault::HoldRequest);
            parts - count
        }
        Moment::Stored => {
            proxy.break_some(PART, Nth::Every, Fault::HoldAnswer);
            0
        }
        Moment::Assembled(fault) => {
            proxy.break_some(ASSEMBLE, Nth::First, fault);
            0
        }
    }
}

/// Waits until it has come. At most four parts are on their way at once.
async fn has_come(proxy: &Proxy, moment: Moment, parts: usize) {
    let come = async {
        match moment {
            Moment::Acknowledged(count) => {
                proxy.has_answered(PART, count).await;
                proxy.broken((parts - count).min(4)).await;
            }
            Moment::Stored => drop(proxy.broken(parts).await),
            Moment::Assembled(_) => drop(proxy.broken(1).await),
        }
    };
    timeout(PATIENCE, come).await.expect("it comes");
}

async fn killed(server: Arc<TestServer>, victim: Victim, moment: Moment) {
    let project = server.project("parts").await;
    let api = Api::new(server.url(), &project.key);
    let proxy = Proxy::to(server.url());
    let workspace = workspace(&proxy, &project.key);
    write_large(&workspace, "made");
    let left = hold(&proxy, moment, PARTS);
    let mut child = if victim == Victim::Run {
        start(&workspace, &[])
    } else {
        assert_eq!(ends(&mut start(&workspace, &["--offline"])).await, Some(3));
        workspace.command(&["sync"]).spawn().expect("started")
    };
    has_come(&proxy, moment, PARTS).await;
    kill(Pid::from_raw(child.id().expect("it runs").cast_signed()), Signal::SIGKILL).expect("killed");
    assert_eq!(ends(&mut child).await, None);
    proxy.break_nothing();
    finishes(&workspace, &proxy, left).await;
    is_whole(&api, &workspace).await;
}

/// What is left is sent at the first attempt: so many parts, and none that the server has.
async fn finishes(workspace: &Workspace, proxy: &Proxy, left: usize) {
    let before = proxy.answered(PART);
    let answer = timeout(PATIENCE, workspace.otrace(&["sync"])).await.expect("in time");
    assert_eq!((answer.code, spooled(workspace)), (0, 0), "{}{}", answer.stdout, answer.stderr);
    assert_eq!(proxy.answered(PART) - before, left, "parts that were sent after the kill");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_otrace_that_is_killed_between_two_parts_sends_the_others() {
    let server = Arc::new(TestServer::start().await);
    let acknowledged = (0..PARTS).map(Moment::Acknowledged);
    let assembled = [Fault::HoldRequest, Fault::HoldAnswer].map(Moment::Assembled);
    let moments: Vec<_> = acknowledged.chain([Moment::Stored]).chain(assembled).collect();
    let cells = [Victim::Run, Victim::Sync].into_iter().flat_map(|victim| moments.iter().map(move |at| (victim, *at)));
    with_each(cells, |(victim, moment)| killed(Arc::clone(&server), victim, moment)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_sent_from_where_it_is_arrives_whole_though_its_otrace_is_killed() {
    let server = TestServer::start().await;
    for moment in [Moment::Acknowledged(1), Moment::Acknowledged(2), Moment::Assembled(Fault::HoldAnswer)] {
        let project = server.project("parts").await;
        let proxy = Proxy::to(server.url());
        let workspace = workspace(&proxy, &project.key);
        // Most of it is a hole, and its parts are alike: two of them have something to tell.
        let made = File::create(workspace.path("made")).expect("a file");
        made.set_len(COPIED_MAX + 1024 * 1024).expect("its length");
        for part in [2, 5] {
            made.write_all_at(format!("part {part}").as_bytes(), part * PART_BYTES).expect("written");
        }
        // A part of zeros, these two, and the short last one.
        let parts = 4;
        let left = hold(&proxy, moment, parts);
        let mut child = start(&workspace, &[]);
        has_come(&proxy, moment, parts).await;
        kill(Pid::from_raw(child.id().expect("it runs").cast_signed()), Signal::SIGKILL).expect("killed");
        assert_eq!(ends(&mut child).await, None);
        proxy.break_nothing();
        finishes(&workspace, &proxy, left).await;
        is_whole(&Api::new(server.url(), &project.key), &workspace).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_between_two_parts_keeps_those_that_it_has() {
    let mut mortal = Mortal::born().await;
    for moment in [
        Moment::Acknowledged(1),
        Moment::Acknowledged(2),
        Moment::Stored,
        Moment::Assembled(Fault::HoldRequest),
        Moment::Assembled(Fault::HoldAnswer),
    ] {
        let key = mortal.data.project().await;
        let workspace = workspace(&mortal.proxy, &key);
        write_large(&workspace, "made");
        // All that has come through this proxy before does not count.
        let (answered, broken) = (mortal.proxy.answered(PART), mortal.kills);
        let left = hold(&mortal.proxy, moment, PARTS);
        let mut child = start(&workspace, &[]);
        let held = match moment {
            Moment::Acknowledged(count) => {
                timeout(PATIENCE, mortal.proxy.has_answered(PART, answered + count)).await.expect("it comes");
                PARTS - count
            }
            Moment::Stored => PARTS,
            Moment::Assembled(_) => 1,
        };
        timeout(PATIENCE, mortal.proxy.broken(broken + held)).await.expect("it comes");
        mortal.kills = broken + held;
        mortal.server.kill().await;
        mortal.server = mortal.data.serve().await;
        mortal.proxy.lead_to(&mortal.server.url);
        let before = mortal.proxy.answered(PART);
        mortal.proxy.break_nothing();
        assert_eq!(ends(&mut child).await, Some(3), "the exit code");
        for attempt in 0.. {
            if spooled(&workspace) == 0 {
                break;
            }
            let answer = workspace.otrace(&["sync"]).await;
            assert!(attempt < SYNCS, "{}{}", answer.stdout, answer.stderr);
        }
        let sent = mortal.proxy.answered(PART) - before;
        // Whoever was cut off from an answer repeats its request, whatever became of it.
        assert!(sent == left || matches!(moment, Moment::Stored), "{sent} parts were sent after the kill, not {left}");
        is_whole(&Api::new(&mortal.server.url, &key), &workspace).await;
    }
    assert_eq!(fsck::dangling(&mortal.data).await, [""; 0]);
}
