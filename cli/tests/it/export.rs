//! `otrace export`: a workspace packed, and gone on with elsewhere.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use otrace_server::testing::TestServer;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

use crate::workspace::{Workspace, mode};

/// What is in an archive: each name, and its text or, of a link, its target.
fn entries(path: &Path) -> BTreeMap<String, String> {
    let mut archive = ZipArchive::new(File::open(path).expect("an archive")).expect("a zip file");
    let mut found = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).expect("an entry");
        let link = if entry.is_symlink() { "-> " } else { "" };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its content");
        found.insert(entry.name().expect("a name").to_string(), format!("{link}{}", String::from_utf8_lossy(&bytes)));
    }
    found
}

fn names(entries: &BTreeMap<String, String>) -> Vec<&str> {
    entries.keys().map(String::as_str).collect()
}

fn manifest(entries: &BTreeMap<String, String>) -> Value {
    serde_json::from_str(&entries["trace-export-manifest.json"]).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_is_unpacked_elsewhere_goes_on() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.git(&["init", "--quiet", "--initial-branch=build/it"]).await;
    workspace.write("train.py", "print(1)\n");
    workspace.git(&["add", "."]).await;
    workspace.git(&["commit", "--quiet", "-m", "first"]).await;
    workspace.run_with(&["--offline", "--expect-artifact", "out.txt"], "echo 1 > out.txt").await.succeeded();
    let answer = workspace.otrace(&["export", "--output", "../snapshot.zip"]).await.succeeded();
    assert!(answer.stdout.starts_with("Exported "), "{}", answer.stdout);
    assert_eq!(answer.stderr, "");
    assert_eq!(mode(&workspace.path("../snapshot.zip")), 0o600);

    let elsewhere = Workspace::with_key(&server, &project.key);
    let mut archive =
        ZipArchive::new(File::open(workspace.path("../snapshot.zip")).expect("open")).expect("a zip file");
    archive.extract(elsewhere.root()).expect("unpacked");
    assert_eq!(elsewhere.git(&["rev-parse", "HEAD"]).await, workspace.git(&["rev-parse", "HEAD"]).await);
    elsewhere.git(&["fsck", "--no-progress"]).await;
    let changed = elsewhere.git(&["status", "--porcelain"]).await;
    assert!(!changed.contains("train.py"), "{changed}");
    let sent = elsewhere.otrace(&["sync"]).await.succeeded();
    assert!(sent.stdout.contains("(now exp001)"), "{}", sent.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_made_again_is_left_out_and_links_never_lead_out() {
    let workspace = Workspace::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::write(elsewhere.path().join("secret"), "theirs").expect("written");
    for name in ["src/a.py", ".venv/bin/python", "src/__pycache__/a.pyc", "dist/a.whl", "big.pt", "examples/x"] {
        workspace.write(name, name);
    }
    fs::create_dir(workspace.path("empty")).expect("made");
    symlink(elsewhere.path(), workspace.path("out")).expect("linked");
    symlink("../../../../etc/passwd", workspace.path("src/up")).expect("linked");
    symlink("src/a.py", workspace.path("link")).expect("linked");
    let answer = workspace.otrace(&["export", "--exclude", "examples", "--exclude", "*.pt"]).await.succeeded();
    assert!(answer.stderr.contains("otrace: left out: out (it is a link that leads out, to "), "{}", answer.stderr);
    let entries = entries(&workspace.path("demo-trace-snapshot.zip"));
    assert_eq!(
        names(&entries),
        ["TRACE_EXPORT_README.txt", "empty/", "link", "src/", "src/a.py", "trace-export-manifest.json"]
    );
    assert_eq!(entries["link"], "-> src/a.py");
    let manifest = manifest(&entries);
    let hash = Sha256::digest(b"src/a.py").iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert_eq!(manifest["files"][1]["hash"], format!("sha256:{hash}"), "{manifest}");
    let left_out: Vec<_> = manifest["left_out"].as_array().expect("a list").iter().map(|one| &one["path"]).collect();
    assert_eq!(left_out, [".venv", "big.pt", "dist", "examples", "out", "src/__pycache__", "src/up"]);
    assert!(!entries.values().any(|text| text.contains("theirs")));

    let all = workspace.otrace(&["export", "--no-default-excludes", "--output", "all.zip"]).await.succeeded();
    assert!(all.stdout.contains("all.zip"), "{}", all.stdout);
    let entries = self::entries(&workspace.path("all.zip"));
    assert!(entries.contains_key(".venv/bin/python") && entries.contains_key("dist/a.whl"), "{entries:?}");
    assert!(!entries.contains_key("all.zip"), "it does not hold itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_overwritten_only_when_told_to() {
    let workspace = Workspace::new();
    workspace.write("a", "1");
    workspace.write("kept.zip", "mine");
    let answer = workspace.otrace(&["export", "--output", "kept.zip"]).await;
    let shown = workspace.path("kept.zip");
    let expected = format!(
        "error: {} is there already\nhint: Choose another name with --output, or overwrite it with --force.",
        shown.display()
    );
    assert_eq!(answer.refusal(), expected);
    assert_eq!(workspace.read("kept.zip"), "mine");
    workspace.otrace(&["export", "--output", "kept.zip", "--force"]).await.succeeded();
    assert_eq!(names(&entries(&shown)), ["TRACE_EXPORT_README.txt", "a", "trace-export-manifest.json"]);
    let answer = workspace.otrace(&["export", "--format", "tar"]).await;
    assert_eq!(answer.code, 2);
    let left: Vec<_> = workspace.root().read_dir().expect("read").flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_and_a_secret_are_told() {
    let workspace = Workspace::new();
    workspace.write(".git", "gitdir: /elsewhere/.git/worktrees/demo\n");
    workspace.write(".env", "TRACE_API_KEY=trc_x\n");
    let answer = workspace.otrace(&["export", "--json"]).await.succeeded();
    let told: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(told["files"], 2, "{told}");
    let notes: Vec<_> = told["notes"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(notes[0].starts_with("this is a worktree") && notes[1].contains(".env"), "{notes:?}");
}
