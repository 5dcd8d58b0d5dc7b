//! `otrace checkout` from a server that means harm.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::workspace::{Answer, Workspace};

/// A server that says whatever it is told to. Its thread ends with the test.
#[derive(Default)]
pub struct Hostile {
    answers: HashMap<String, (&'static str, Vec<u8>)>,
}

impl Hostile {
    /// Adds a content; gives its hash.
    fn content(&mut self, bytes: &[u8]) -> String {
        let hex = hex(bytes);
        self.answers.insert(format!("/v1/contents/{hex}"), ("application/octet-stream", bytes.to_vec()));
        format!("sha256:{hex}")
    }

    /// A file of the snapshot.
    pub fn file(&mut self, kind: &str, path: &str, bytes: &[u8]) -> Value {
        json!({"kind": kind, "path": path, "hash": self.content(bytes), "size_bytes": bytes.len()})
    }

    /// A file kept with the run.
    fn artifact(&mut self, kind: &str, path: &str, bytes: &[u8]) -> Value {
        json!({"original_path": path, "type": kind, "hash": self.content(bytes), "size_bytes": bytes.len()})
    }

    /// Begins to answer, with this as its only run.
    pub fn serve(mut self, changes: &Value) -> String {
        let run = json!({"ok": true, "run": run(changes)}).to_string();
        self.answers.insert("/v1/runs/exp001".to_owned(), ("application/json", run.into_bytes()));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let answers = Arc::new(self.answers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                thread::spawn(move || answer(&stream, &answers));
            }
        });
        address
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn run(changes: &Value) -> Value {
    let mut run = json!({
        "id": "01999999-0000-7000-8000-000000000001", "experiment_id": "exp001", "title": null, "intent": "to see",
        "setup": "as it is", "command": "true", "status": "completed", "tags": [],
        "created_at": "2026-06-01T12:00:00Z", "updated_at": "2026-06-01T12:00:00Z", "started_at": null,
        "finished_at": null, "exit_code": 0, "duration_seconds": 1.0, "working_directory": null,
        "expected_artifact_paths": [], "expected_log_paths": [], "results": [], "tables": [], "logs": [],
        "artifacts": [], "snapshot": null, "notes": []
    });
    for (name, value) in changes.as_object().expect("an object") {
        run[name] = value.clone();
    }
    run
}

fn answer(mut stream: &TcpStream, answers: &HashMap<String, (&'static str, Vec<u8>)>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    // To the end of the head: a request with a body is none of ours.
    let _ = lines.find(String::is_empty);
    let nothing = ("application/json", br#"{"ok": false, "error": "Content not found"}"#.to_vec());
    let (status, (kind, body)) = match answers.get(&path) {
        Some(found) => ("200 OK", found),
        None => ("404 Not Found", &nothing),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// What a checkout may write: itself, and what is `otrace`'s own.
const ITS_OWN: [&str; 2] = ["copy", "demo/.trace"];

/// Everything below a folder but these.
pub fn seen(folder: &Path, passed_over: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().expect("read").flatten() {
            let path = entry.path();
            if passed_over.iter().any(|name| path == folder.join(name)) {
                continue;
            }
            if entry.file_type().expect("a type").is_dir() {
                folders.push(path.clone());
            }
            found.insert(path.to_string_lossy().into_owned());
        }
    }
    found
}

/// Checks the run out, and makes sure that nothing was written anywhere else.
async fn check_out(hostile: Hostile, run: &Value) -> (Workspace, Answer) {
    let workspace = Workspace::new().set("TRACE_API_URL", &hostile.serve(run)).set("TRACE_API_KEY", "trc_any");
    workspace.write("train.py", "print(1)\n");
    let home = workspace.root().parent().expect("a parent").to_path_buf();
    let before = seen(&home, &ITS_OWN);
    let answer = workspace.otrace(&["checkout", "exp001", "--path", "../copy"]).await;
    assert_eq!(seen(&home, &ITS_OWN), before, "{}{}", answer.stdout, answer.stderr);
    (workspace, answer)
}

const NAMES: [&str; 18] = [
    "../escaped",
    "../../escaped",
    "a/../../escaped",
    "/tmp/otrace-checkout-escaped",
    "//tmp/otrace-checkout-escaped",
    "..",
    ".",
    "",
    "a//b",
    ".git",
    ".git/hooks/post-checkout",
    ".GIT/config",
    "sub/.git/config",
    ".g\u{200c}it/config",
    ".git /config",
    "git~1/config",
    ".trace/spool/x/run.json",
    ".otrace-incomplete",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_name_leads_out_of_the_checkout() {
    let mut hostile = Hostile::default();
    let mut files = Vec::new();
    let mut artifacts = Vec::new();
    for name in NAMES {
        files.push(hostile.file("untracked", name, b"untracked"));
        files.push(hostile.file("dependency", name, b"dependency"));
        artifacts.push(hostile.artifact("config", name, b"config"));
        artifacts.push(hostile.artifact("metrics", name, b"metrics"));
    }
    files.push(hostile.file("untracked", "good.txt", b"good"));
    artifacts.push(hostile.artifact("metrics", "out.txt", b"out"));
    let snapshot = json!({"files": files, "rebuild": {"how_well": "fully", "directory": "../.."}});
    let (workspace, answer) = check_out(hostile, &json!({"artifacts": artifacts, "snapshot": snapshot})).await;
    let answer = answer.succeeded();
    let copy = workspace.path("../copy");
    assert_eq!(fs::read(copy.join("good.txt")).expect("read"), b"good");
    assert_eq!(fs::read(copy.join("trace-artifacts/out.txt")).expect("read"), b"out");
    assert!(!Path::new("/tmp/otrace-checkout-escaped").exists());
    assert!(!copy.join(".git").exists() && !copy.join(".trace").exists() && !copy.join("sub").exists());
    assert!(answer.stdout.contains("its name leads out of the checkout"), "{}", answer.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_through_a_link_that_a_patch_has_made() {
    let mut hostile = Hostile::default();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let target = elsewhere.path().display();
    let link = |name: &str| {
        format!(
            "diff --git a/{name} b/{name}\nnew file mode 120000\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+{target}\n\
             \\ No newline at end of file\n"
        )
    };
    let links = ["link", "trace-artifacts", "reproduce.sh"].map(link).concat();
    let files = [
        hostile.file("dirty_diff", ".trace/x.diff", links.as_bytes()),
        hostile.file("staged_diff", ".trace/y.diff", link("../escaped").as_bytes()),
        hostile.file("untracked", "link/escaped", b"untracked"),
        hostile.file("dependency", "link/requirements.txt", b"dependency"),
    ];
    let artifacts =
        [hostile.artifact("config", "link/config", b"config"), hostile.artifact("metrics", "out.txt", b"out")];
    let snapshot = json!({"files": files, "rebuild": {"how_well": "fully"}});
    let (workspace, answer) = check_out(hostile, &json!({"artifacts": artifacts, "snapshot": snapshot})).await;
    assert_eq!(elsewhere.path().read_dir().expect("read").count(), 0, "{}{}", answer.stdout, answer.stderr);
    answer.succeeded();
    let copy = workspace.path("../copy");
    assert!(copy.join("link").is_symlink(), "the patch was applied");
    assert!(copy.join("trace-reproduce.sh").is_file());
    assert_eq!(fs::read(copy.join("exp001-trace-artifacts/out.txt")).expect("read"), b"out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_no_option_of_gits() {
    let hostile = Hostile::default();
    let snapshot = json!({"git_commit": "--upload-pack=touch spied", "git_remote_url": "ext::touch spied"});
    let (workspace, answer) = check_out(hostile, &json!({"snapshot": snapshot})).await;
    assert!(answer.succeeded().stdout.contains("its commit is none that git knows"));
    assert!(!workspace.has("spied") && !workspace.has("../copy/spied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_is_not_what_it_should_be_leaves_nothing_behind() {
    let mut hostile = Hostile::default();
    let mut file = hostile.file("untracked", "good.txt", b"good");
    hostile.answers.insert(format!("/v1/contents/{}", hex(b"evil")), ("application/octet-stream", b"else".to_vec()));
    file["hash"] = json!(format!("sha256:{}", hex(b"evil")));
    let (workspace, answer) = check_out(hostile, &json!({"snapshot": {"files": [file]}})).await;
    assert!(answer.refusal().contains("did not arrive as it is"), "{}", answer.stderr);
    assert!(!workspace.path("../copy").exists());
    let left = workspace.path(".trace/checkouts").read_dir().expect("read").count();
    assert_eq!(left, 0, "what was fetched is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_says_steers_no_terminal() {
    let mut hostile = Hostile::default();
    let name = "../\u{1b}]0;owned\u{7}\u{1b}[2J\nRebuilt fully.";
    let file = hostile.file("untracked", name, b"x");
    let run = json!({
        "title": "\u{1b}[31mred\n# Heading", "command": "echo a\u{1b}[1A",
        "snapshot": {"files": [file], "rebuild": {"how_well": "fully", "reasons": ["one\ntwo\u{1b}[2J"]}},
    });
    let (workspace, answer) = check_out(hostile, &run).await;
    let answer = answer.succeeded();
    assert!(!answer.stdout.contains('\u{1b}') && !answer.stdout.contains("\nRebuilt fully.\n"), "{}", answer.stdout);
    for written in ["reproduce.sh", "trace-reproduction.md"] {
        let text = fs::read_to_string(workspace.path("../copy").join(written)).expect("read");
        assert!(!text.contains('\u{1b}') && !text.contains("\n# Heading"), "{text}");
    }
}
