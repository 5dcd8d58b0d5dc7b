//! `otrace download`, `checkout` and `import` with each of their calls broken.
//!
//! None of them is finished by `otrace sync`: whoever sees one fail starts it again. Until it succeeds nothing is half
//! there, and what it makes in the end is what it makes when nothing is broken. What is only asked for can't come twice
//! or too late, so that an import alone is tried with that.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use super::api::{Api, hex_digest};
use super::network::{AWAY, BROKEN, BUSY, GARBAGE, HALF_JSON, PORTAL, TOO_MANY, with_each};
use super::proxy::{Fault, Nth, Proxy};
use super::recording::PATIENCE;
use super::rich;
use crate::workspace::Workspace;

/// More attempts than any of them has calls.
const ATTEMPTS: usize = 15;
/// Files of a checkout that name the folder that it is in.
const OF_ITS_PLACE: [&str; 2] = ["reproduce.sh", "trace-reproduction.md"];
/// What can become of an answer.
const ANSWERS: [Fault; 11] = [
    Fault::Reset,
    Fault::CutHead,
    Fault::CutBody,
    Fault::CutAnswer,
    Fault::Silence,
    Fault::Answer(BROKEN),
    Fault::Answer(TOO_MANY),
    Fault::Answer(AWAY),
    Fault::Answer(PORTAL),
    Fault::Answer(HALF_JSON),
    Fault::Answer(GARBAGE),
];

/// A workspace that has recorded a run, and the server that has it.
struct Recorded {
    server: TestServer,
    workspace: Workspace,
}

impl Recorded {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let project = server.project("recorded").await;
        let workspace = rich::workspace(server.url(), &project).await;
        let options = ["-q", "--expect-artifact", "large.bin", "--expect-artifact", "middle"];
        workspace.run_with(&options, "cp made large.bin").await.succeeded();
        Self { server, workspace }
    }

    /// What a command leaves in a new folder, which it is told in the place of `{}`.
    async fn left_by(&self, args: &[&str], fault: Option<(Fault, Nth)>) -> BTreeMap<String, Vec<u8>> {
        let proxy = Proxy::to(self.server.url());
        if let Some((fault, nth)) = fault {
            proxy.break_every(nth, fault, &[]);
        }
        let home = TempDir::new().expect("a folder");
        let folder = home.path().join("new");
        let args: Vec<_> = args.iter().map(|arg| arg.replace("{}", folder.to_str().expect("text"))).collect();
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let mut attempts = 1;
        while !succeeds(&self.workspace, &args, &proxy).await {
            assert!(fault.is_some(), "it fails where nothing is broken");
            assert!(attempts < ATTEMPTS, "it never succeeds");
            attempts += 1;
        }
        let mut files = BTreeMap::new();
        read_all(&folder, &folder, &mut files);
        files
    }
}

/// Does it once; whether it succeeds. If not, it says so.
async fn succeeds(workspace: &Workspace, args: &[&str], proxy: &Proxy) -> bool {
    let mut command = workspace.command(args);
    let output = command.env("TRACE_API_URL", proxy.url()).output();
    let output = timeout(PATIENCE, output).await.expect("in time").expect("it runs");
    if output.status.success() {
        return true;
    }
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.lines().any(|line| line.starts_with("error: ")), "{stderr}");
    false
}

/// Reads the files below a folder, but what git keeps for itself.
fn read_all(top: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(top).expect("below").to_str().expect("text").to_owned();
        if name == ".git" {
            continue;
        }
        if path.is_dir() {
            read_all(top, &path, files);
        } else {
            let content =
                if OF_ITS_PLACE.contains(&name.as_str()) { Vec::new() } else { fs::read(&path).expect("read") };
            files.insert(name, content);
        }
    }
}

/// Commands that ask and print.
const ASKING: [&[&str]; 7] = [
    &["whoami"],
    &["runs"],
    &["show", "exp001"],
    &["logs", "exp001"],
    &["artifacts", "exp001"],
    &["diff", "exp001", "exp002"],
    &["ledger"],
];
/// What passes in a moment.
const PASSING: [Fault; 8] = [
    Fault::Reset,
    Fault::CutHead,
    Fault::CutBody,
    Fault::CutAnswer,
    Fault::Answer(BROKEN),
    Fault::Answer(AWAY),
    Fault::Answer(BUSY),
    Fault::Answer(TOO_MANY),
];

/// How a command ends, and all that it says.
async fn said(workspace: &Workspace, args: &[&str], proxy: &Proxy) -> (Option<i32>, String, String) {
    let output = workspace.command(args).env("TRACE_API_URL", proxy.url()).output();
    let output = timeout(PATIENCE, output).await.expect("in time").expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_only_asks_asks_again_without_a_word() {
    let server = TestServer::start().await;
    let project = server.project("asked").await;
    let workspace = Workspace::with_key(&server, &project.key);
    for word in ["one", "two"] {
        let script = format!("echo {word}; echo {word} > out.txt");
        workspace.run_with(&["-q", "--expect-artifact", "out.txt"], &script).await.succeeded();
    }
    let both = Arc::new((server, workspace));
    let cells = ASKING.into_iter().flat_map(|args| PASSING.map(|fault| (args, fault)));
    with_each(cells, |(args, fault)| {
        let both = Arc::clone(&both);
        async move {
            let (server, workspace) = &*both;
            let proxy = Proxy::to(server.url());
            let whole = said(workspace, args, &proxy).await;
            assert!(whole.0 == Some(0) && !whole.1.is_empty(), "{whole:?}");
            proxy.break_each(fault, &[]);
            assert_eq!(said(workspace, args, &proxy).await, whole);
            assert!(!proxy.broken(1).await.is_empty());
        }
    })
    .await;
}

async fn comes_whole(args: &'static [&'static str], expected: &[&str]) {
    let recorded = Arc::new(Recorded::new().await);
    let whole = Arc::new(recorded.left_by(args, None).await);
    assert!(expected.iter().all(|name| whole.contains_key(*name)), "{:?}", whole.keys());
    let once = ANSWERS.iter().flat_map(|fault| [Nth::First, Nth::Second].map(|nth| (*fault, nth)));
    // What says that all is well, and is not, would end each attempt.
    let again = [Fault::Reset, Fault::CutBody, Fault::CutAnswer, Fault::Answer(BROKEN)];
    let cells = once.chain(again.map(|fault| (fault, Nth::EveryThird)));
    with_each(cells, |cell| {
        let (recorded, whole) = (Arc::clone(&recorded), Arc::clone(&whole));
        async move {
            let left = recorded.left_by(args, Some(cell)).await;
            assert_eq!(left.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
            let differing: Vec<_> = left.iter().filter(|(name, content)| whole[*name] != **content).collect();
            assert!(differing.is_empty(), "{:?}", differing.iter().map(|(name, _)| name).collect::<Vec<_>>());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_whose_calls_break_ends_up_whole() {
    comes_whole(&["download", "exp001", "--output", "{}"], &["large.bin", "middle/a", "middle/b"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_whose_calls_break_ends_up_whole() {
    let expected = ["train.py", "notes.txt", "trace-artifacts/large.bin"];
    comes_whole(&["checkout", "exp001", "--yes", "--path", "{}"], &expected).await;
}

/// A workspace with a manifest of three runs that share their files.
fn with_manifest(project: &TestProject) -> Workspace {
    let workspace = Workspace::new().set("TRACE_API_KEY", &project.key);
    rich::write_large(&workspace, "large.bin");
    workspace.write("middle.bin", "middle".repeat(100_000));
    workspace.write("train.log", "step 1\n");
    let run = |number: u32| {
        json!({
            "intent": format!("number {number}"), "setup": "s", "command": "c", "status": "completed",
            "artifacts": [{"path": "large.bin"}, {"path": "middle.bin"}],
            "logs": [{"path": "train.log", "stream": "stdout"}],
        })
    };
    let manifest = json!({"version": 1, "runs": [run(1), run(2), run(3)]});
    workspace.write("import.json", manifest.to_string());
    workspace
}

fn intents(runs: &[Value]) -> Vec<&str> {
    let mut intents: Vec<_> = runs.iter().filter_map(|run| run["intent"].as_str()).collect();
    intents.sort_unstable();
    intents
}

async fn import(server: Arc<TestServer>, fault: Fault, nth: Nth) {
    let project = server.project("import").await;
    server.app.run(&project.key, "an earlier one").await;
    let api = Api::new(server.url(), &project.key);
    let proxy = Proxy::to(server.url());
    proxy.break_every(nth, fault, &[]);
    let workspace = with_manifest(&project);
    let mut attempts = 1;
    // It keeps what is there: one that had succeeded all the same would be there twice in the end.
    while !succeeds(&workspace, &["import", "--spec", "import.json", "--append"], &proxy).await {
        assert_eq!(intents(&api.runs().await), ["an earlier one"], "it said that it had failed");
        assert!(attempts < ATTEMPTS, "it never succeeds");
        attempts += 1;
    }
    proxy.deliver_late().await;
    assert_eq!(intents(&api.runs().await), ["an earlier one", "number 1", "number 2", "number 3"]);
    for run in ["exp002", "exp003", "exp004"] {
        let run = api.json(&format!("/v1/runs/{run}")).await["run"].clone();
        let artifacts = run["artifacts"].as_array().expect("a list");
        assert_eq!((artifacts.len(), &run["logs"][0]["text_content"]), (2, &json!("step 1\n")));
        for artifact in artifacts {
            let path = artifact["original_path"].as_str().expect("text");
            let expected = hex_digest(&fs::read(workspace.path(path)).expect("it is there"));
            assert_eq!(artifact["hash"], format!("sha256:{expected}"), "{path}");
            assert!(api.content(&expected).await.is_some(), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_calls_break_is_done_once_or_not_at_all() {
    let server = Arc::new(TestServer::start().await);
    let writes = [Fault::CutRequest, Fault::LoseAnswer, Fault::Twice, Fault::TwiceAtOnce, Fault::Late];
    let at_first = ANSWERS.iter().chain(&writes).map(|fault| (*fault, Nth::First));
    let later = [Nth::Second, Nth::EveryThird];
    let cells = at_first.chain(writes.iter().flat_map(|fault| later.map(|nth| (*fault, nth))));
    with_each(cells, |(fault, nth)| import(Arc::clone(&server), fault, nth)).await;
}
