//! What `otrace run` keeps so that the code can be rebuilt: applied again, in real repositories.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};

use crate::workspace::{Workspace, recorded};

/// A workspace, and what the server recorded of it.
struct Trial {
    server: TestServer,
    project: TestProject,
    workspace: Workspace,
}

impl Trial {
    /// A folder without a repository.
    async fn bare() -> Self {
        let server = TestServer::start().await;
        let project = server.project("wake-word").await;
        let workspace = Workspace::with_key(&server, &project.key);
        Self { server, project, workspace }
    }

    /// A repository whose only commit is on a remote.
    async fn pushed() -> Self {
        let trial = Self::bare().await;
        trial.workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
        trial.workspace.write("train.py", "print(1)\n");
        trial.workspace.write("model.bin", b"\x00\x01\x02".repeat(100));
        trial.commit("first").await;
        trial.workspace.git(&["remote", "add", "origin", "https://example.com/r.git"]).await;
        trial.push().await;
        trial
    }

    async fn commit(&self, message: &str) {
        self.workspace.git(&["add", "."]).await;
        self.workspace.git(&["commit", "--quiet", "-m", message]).await;
    }

    /// As if the remote had what is checked out.
    async fn push(&self) {
        self.workspace.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]).await;
    }

    /// Runs a script, and gives the snapshot that the server has of it.
    async fn run(&self, script: &str) -> Value {
        self.workspace.run(script).await.succeeded();
        recorded(&self.server, &self.project.key, "exp001").await["snapshot"].clone()
    }

    /// Our copy of a file of the snapshot: what was sent.
    fn copy(&self, snapshot: &Value, path: &str) -> PathBuf {
        let hash = file(snapshot, path)["hash"].as_str().expect("a hash").to_owned();
        let name = hash.strip_prefix("sha256:").expect("a digest");
        self.workspace.path(&format!(".trace/snapshots/contents/{name}"))
    }

    fn bundle(&self) -> String {
        let bundles = self.workspace.path(".trace/snapshots/bundles").read_dir().expect("bundles");
        let paths: Vec<_> = bundles.flatten().map(|bundle| bundle.path()).collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        paths[0].to_str().expect("a path").to_owned()
    }
}

fn files(snapshot: &Value) -> &[Value] {
    snapshot["files"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn file<'a>(snapshot: &'a Value, path: &str) -> &'a Value {
    let found = files(snapshot).iter().find(|file| file["path"] == path);
    found.unwrap_or_else(|| panic!("{path} is not in {snapshot}"))
}

fn kinds(snapshot: &Value, kind: &str) -> Vec<String> {
    let of_kind = files(snapshot).iter().filter(|file| file["kind"] == kind);
    of_kind.filter_map(|file| file["path"].as_str()).map(str::to_owned).collect()
}

fn reasons(snapshot: &Value) -> String {
    snapshot["rebuild"]["reasons"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join("; ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_remote_has_can_be_rebuilt_fully() {
    let trial = Trial::pushed().await;
    let snapshot = trial.run("true").await;
    assert_eq!(snapshot["rebuild"]["how_well"], "fully", "{}", reasons(&snapshot));
    assert_eq!(snapshot["git_dirty"], false);
    assert_eq!(kinds(&snapshot, "git_bundle"), Vec::<String>::new());
    assert!(snapshot["hardware"]["cpu_count"].as_i64().is_some_and(|count| count > 0), "{snapshot}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_repository_can_not_be_rebuilt() {
    let trial = Trial::bare().await;
    let snapshot = trial.run("true").await;
    assert_eq!(snapshot["rebuild"]["how_well"], "no");
    assert!(reasons(&snapshot).contains("did not run in a git repository"), "{snapshot}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_on_no_remote_are_a_bundle_that_is_fetched_upon_the_remotes() {
    let trial = Trial::pushed().await;
    let workspace = &trial.workspace;
    for number in 2..4 {
        workspace.write("train.py", format!("print({number})\n"));
        trial.commit("more").await;
    }
    let commit = workspace.git(&["rev-parse", "HEAD"]).await;
    // Whatever the command does to the branch, the bundle holds what was checked out before.
    let snapshot = trial.run("git update-ref -d HEAD && git symbolic-ref HEAD refs/heads/other").await;
    assert_eq!(snapshot["rebuild"]["how_well"], "fully", "{}", reasons(&snapshot));
    assert_eq!(kinds(&snapshot, "git_bundle"), ["commits.bundle"]);

    let bundle = trial.bundle();
    workspace.git(&["init", "--quiet", "clone"]).await;
    workspace.git(&["-C", "clone", "fetch", "--quiet", "..", "refs/remotes/origin/main:refs/heads/base"]).await;
    workspace.git(&["-C", "clone", "bundle", "verify", "--quiet", &bundle]).await;
    workspace.git(&["-C", "clone", "fetch", "--quiet", &bundle, "refs/heads/main"]).await;
    assert_eq!(workspace.git(&["-C", "clone", "rev-parse", "FETCH_HEAD"]).await, commit);
    workspace.git(&["-C", "clone", "checkout", "--quiet", "FETCH_HEAD"]).await;
    assert_eq!(workspace.read("clone/train.py"), "print(3)\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_a_remote_is_a_bundle_that_is_cloned() {
    let trial = Trial::bare().await;
    let workspace = &trial.workspace;
    workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
    workspace.write("train.py", "print(1)\n");
    trial.commit("first").await;
    let snapshot = trial.run("true").await;
    assert_eq!(snapshot["rebuild"]["how_well"], "fully", "{}", reasons(&snapshot));
    workspace.git(&["clone", "--quiet", &trial.bundle(), "clone"]).await;
    let commit = workspace.git(&["rev-parse", "HEAD"]).await;
    assert_eq!(workspace.git(&["-C", "clone", "rev-parse", "main"]).await, commit);

    // The same commits are the same bundle, whichever run they belong to.
    workspace.run("true").await.succeeded();
    trial.bundle();
}

#[tokio::test(flavor = "multi_thread")]
async fn staged_and_other_changes_apply_with_their_binary_contents() {
    let trial = Trial::pushed().await;
    let workspace = &trial.workspace;
    let staged = b"\xff\x00".repeat(1000);
    let dirty = b"\x00\xfe\n".repeat(1000);
    workspace.write("model.bin", &staged);
    workspace.write("new.bin", &dirty);
    workspace.git(&["add", "."]).await;
    workspace.write("model.bin", &dirty);
    // Whatever somebody likes to read must not change what can be applied.
    for setting in ["diff.noprefix=true", "diff.context=0", "color.ui=always", "diff.mnemonicPrefix=true"] {
        let (name, value) = setting.split_once('=').expect("a setting");
        workspace.git(&["config", name, value]).await;
    }
    let snapshot = trial.run("true").await;
    assert_eq!(snapshot["rebuild"]["how_well"], "fully", "{}", reasons(&snapshot));

    workspace.git(&["reset", "--quiet", "--hard"]).await;
    workspace.git(&["apply", "--index", ".trace/snapshots/exp001.staged.diff"]).await;
    assert_eq!(std::fs::read(workspace.path("model.bin")).expect("read"), staged);
    workspace.git(&["apply", "--index", ".trace/snapshots/exp001.diff"]).await;
    assert_eq!(std::fs::read(workspace.path("model.bin")).expect("read"), dirty);
    assert_eq!(std::fs::read(workspace.path("new.bin")).expect("read"), dirty);
}

#[tokio::test(flavor = "multi_thread")]
async fn untracked_files_are_kept_as_they_were_before_the_command() {
    let trial = Trial::pushed().await;
    let workspace = &trial.workspace;
    workspace.write(".gitignore", "data/\n");
    trial.commit("ignore").await;
    trial.push().await;
    workspace.write("src/new model.py", "x = 1\n");
    workspace.write("empty", "");
    workspace.write("data/huge", "ignored");
    let snapshot = trial.run("echo late > made.txt; mkdir -p data; echo 1 > out.txt").await;
    assert_eq!(kinds(&snapshot, "untracked"), ["empty", "src/new model.py"]);
    assert_eq!(snapshot["rebuild"]["how_well"], "fully", "{}", reasons(&snapshot));
    assert_eq!(snapshot["git_dirty"], true);
    assert_eq!(std::fs::read(trial.copy(&snapshot, "src/new model.py")).expect("read"), b"x = 1\n");
    assert_eq!(file(&snapshot, "empty")["size_bytes"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_large_files_are_left_out_and_said_to_be() {
    let trial = Trial::pushed().await;
    let workspace = &trial.workspace;
    for name in [".env", ".env.local", "keys/id_rsa", "server.pem", "gcp-credentials.json"] {
        workspace.write(name, "hunter2");
    }
    workspace.write("large.bin", vec![7; 10 * 1024 * 1024 + 1]);
    workspace.write("notes.txt", "fine");
    let snapshot = trial.run("true").await;
    assert_eq!(kinds(&snapshot, "untracked"), ["notes.txt"]);
    assert_eq!(snapshot["rebuild"]["how_well"], "partly");
    assert!(reasons(&snapshot).starts_with("6 untracked files were left out, among them "), "{}", reasons(&snapshot));
    let left_out = snapshot["rebuild"]["left_out"].as_array().expect("a list");
    let why = |path: &str| left_out.iter().find(|file| file["path"] == path).map(|file| file["reason"].clone());
    assert_eq!(why(".env"), Some(json!("its name says that it may hold secrets")));
    assert_eq!(why("large.bin"), Some(json!("it is larger than 10 MiB")));
    let kept = workspace.path(".trace/snapshots/contents").read_dir().expect("copies");
    let copied: Vec<_> = kept.flatten().map(|copy| std::fs::read(copy.path()).expect("read")).collect();
    assert_eq!(copied, [b"fine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submodule_is_told_with_its_commit_and_its_changes() {
    let trial = Trial::pushed().await;
    let workspace = &trial.workspace;
    workspace.git(&["init", "--quiet", "--initial-branch=main", "elsewhere"]).await;
    workspace.git(&["-C", "elsewhere", "commit", "--quiet", "--allow-empty", "-m", "lib"]).await;
    let from = workspace.path("elsewhere");
    let from = from.to_str().expect("a path");
    workspace.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", from, "lib"]).await;
    std::fs::remove_dir_all(from).expect("removed");
    trial.commit("with lib").await;
    trial.push().await;
    workspace.git(&["-C", "lib", "commit", "--quiet", "--allow-empty", "-m", "own"]).await;
    workspace.write("lib/changed", "1");
    let commit = workspace.git(&["-C", "lib", "rev-parse", "HEAD"]).await;

    let snapshot = trial.run("true").await;
    assert_eq!(snapshot["rebuild"]["submodules"], json!([{"path": "lib", "commit": commit, "dirty": true}]));
    assert_eq!(snapshot["rebuild"]["how_well"], "partly");
    let reasons = reasons(&snapshot);
    assert!(reasons.contains("lib had changes that were not committed"), "{reasons}");
    assert!(reasons.contains("the commit of the submodule lib is on no remote"), "{reasons}");
    assert!(workspace.read(".trace/snapshots/exp001.diff").contains(&format!("+Subproject commit {commit}\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_commit_all_of_it_is_in_the_changes() {
    let trial = Trial::bare().await;
    let workspace = &trial.workspace;
    workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
    workspace.write("train.py", "print(1)\n");
    workspace.git(&["add", "."]).await;
    workspace.write("notes.txt", "1");
    let snapshot = trial.run("true").await;
    assert_eq!(snapshot["git_commit"], Value::Null);
    assert_eq!(snapshot["rebuild"]["how_well"], "fully", "{}", reasons(&snapshot));
    assert_eq!(kinds(&snapshot, "untracked"), ["notes.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_is_a_folder_makes_it_partly() {
    let trial = Trial::pushed().await;
    trial.workspace.git(&["remote", "set-url", "origin", "../r.git"]).await;
    let snapshot = trial.run("true").await;
    assert_eq!(snapshot["rebuild"]["how_well"], "partly");
    assert!(reasons(&snapshot).contains("its remote is a folder, ../r.git"), "{}", reasons(&snapshot));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_the_repository_brings_along_is_not_run() {
    let trial = Trial::pushed().await;
    let workspace = &trial.workspace;
    workspace.write("git", "#!/bin/sh\ntouch spied\nexit 1\n");
    workspace.write("nice", "#!/bin/sh\ntouch spied\nexit 1\n");
    for name in ["git", "nice"] {
        std::fs::set_permissions(workspace.path(name), Permissions::from_mode(0o755)).expect("changed");
    }
    let path = std::env::var("PATH").expect("PATH");
    let args = ["run", "--intent", "to see", "--setup", "as it is", "--expect-artifact", "out.txt", "--", "/bin/true"];
    let ended = workspace.command(&args).env("PATH", format!(".:{path}")).output().await.expect("otrace runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(!workspace.has("spied"));
    let snapshot = recorded(&trial.server, &trial.project.key, "exp001").await["snapshot"].clone();
    assert_eq!(kinds(&snapshot, "untracked"), ["git", "nice"]);
    assert_eq!(snapshot["rebuild"]["executable"], json!(["git", "nice"]));
}
