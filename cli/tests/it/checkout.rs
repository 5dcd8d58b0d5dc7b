//! `otrace checkout`: a run of one clone, repeated in another.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::workspace::Workspace;

/// Two clones of one repository, whose runs are in one project.
struct Clones {
    _server: TestServer,
    first: Workspace,
    second: Workspace,
}

impl Clones {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let project = server.project("wake-word").await;
        let first = repository(&server, &project).await;
        first.write("train.py", "print(1)\n");
        first.write("model.bin", b"\x00\x01".repeat(500));
        first.write("old.txt", "old\n");
        first.write(".gitattributes", "*.py filter=spy\n");
        commit(&first, "first").await;
        first.git(&["init", "--quiet", "--bare", "--initial-branch=main", "../remote.git"]).await;
        first.git(&["remote", "add", "origin", "../remote.git"]).await;
        first.git(&["push", "--quiet", "origin", "main"]).await;
        // Another machine has it under an address.
        first.git(&["remote", "set-url", "origin", "https://example.com/r.git"]).await;
        let second = Workspace::with_key(&server, &project.key);
        let remote = first.path("../remote.git");
        let remote = remote.to_str().expect("a path");
        second.git(&["clone", "--quiet", remote, "."]).await;
        Self { _server: server, first, second }
    }

    /// Checks `exp001` out beside the second clone.
    async fn check_out(&self, options: &[&str]) -> Value {
        let mut args = vec!["checkout", "exp001", "--json", "--path", "../copy"];
        args.extend(options);
        let answer = self.second.otrace(&args).await.succeeded();
        serde_json::from_str(&answer.stdout).expect("JSON")
    }
}

async fn repository(server: &TestServer, project: &TestProject) -> Workspace {
    let workspace = Workspace::with_key(server, &project.key);
    workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
    workspace
}

async fn commit(workspace: &Workspace, message: &str) {
    workspace.git(&["add", "."]).await;
    workspace.git(&["commit", "--quiet", "-m", message]).await;
}

fn make_executable(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("changed");
}

fn copy_of(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.path("../copy").join(name)
}

async fn reproduce(copy: &Path) -> i32 {
    let ended = Command::new("bash").arg("reproduce.sh").current_dir(copy).status().await.expect("bash runs");
    ended.code().expect("an exit code")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_one_clone_is_repeated_in_another_with_the_same_outputs() {
    let clones = Clones::new().await;
    let first = &clones.first;
    // A commit that no remote has, staged and other changes, a removal, and files that git does not know.
    first.write("train.py", "print(2)\n");
    commit(first, "second").await;
    first.write("model.bin", b"\xff\x00".repeat(700));
    first.git(&["add", "."]).await;
    first.write("model.bin", b"\x00\xfe\n".repeat(900));
    fs::remove_file(first.path("old.txt")).expect("removed");
    first.write("data/new file.csv", "a,b\n1,2\n");
    first.write("tool.sh", "#!/bin/sh\ntest ! -e old.txt && cat train.py model.bin 'data/new file.csv'\n");
    make_executable(&first.path("tool.sh"));
    first.run("./tool.sh | sha256sum > out.txt; cat out.txt").await.succeeded();

    let second = &clones.second;
    let before = second.git(&["status", "--porcelain"]).await;
    let told = clones.check_out(&[]).await;
    assert_eq!((&told["how_well"], &told["reasons"]), (&json!("fully"), &json!([])), "{told}");
    assert_eq!(
        (&told["base"], &told["artifacts"], &told["script"]),
        (&json!("worktree"), &json!(1), &json!("reproduce.sh"))
    );
    assert_eq!(second.git(&["status", "--porcelain"]).await, before, "the clone itself stays as it was");
    let read = |name: &str| fs::read(copy_of(second, name)).expect("it is there");
    assert_eq!(read("train.py"), b"print(2)\n");
    assert_eq!(read("model.bin"), b"\x00\xfe\n".repeat(900));
    assert_eq!(read("data/new file.csv"), b"a,b\n1,2\n");
    assert!(!copy_of(second, "old.txt").exists() && !copy_of(second, ".otrace-incomplete").exists());
    assert_eq!(reproduce(&second.path("../copy")).await, 0);
    let original = fs::read(first.path("out.txt")).expect("an output");
    assert_eq!(read("out.txt"), original);
    assert_eq!(read("trace-artifacts/out.txt"), original);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_hook_filter_or_monitor_of_the_clone_is_run() {
    let clones = Clones::new().await;
    clones.first.run("echo 1 > out.txt").await.succeeded();
    let second = &clones.second;
    let spied = second.path("../spied");
    let spy = format!("sh -c 'touch {}; cat'", spied.display());
    for setting in ["filter.spy.smudge", "filter.spy.clean", "filter.spy.process", "core.fsmonitor"] {
        second.git(&["config", setting, &spy]).await;
    }
    second.git(&["config", "filter.spy.required", "true"]).await;
    for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
        second.write(&format!(".git/hooks/{hook}"), format!("#!/bin/sh\ntouch {}\n", spied.display()));
        make_executable(&second.path(&format!(".git/hooks/{hook}")));
    }
    let _ = fs::remove_file(&spied);
    let told = clones.check_out(&[]).await;
    assert_eq!(told["base"], "worktree", "{told}");
    assert!(told["notes"][0].as_str().is_some_and(|note| note.starts_with("filters were not run")), "{told}");
    assert!(!spied.exists());
    assert_eq!(fs::read(copy_of(second, "train.py")).expect("read"), b"print(1)\n");
    assert_eq!(reproduce(&second.path("../copy")).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_says_what_it_did_and_where() {
    let clones = Clones::new().await;
    clones
        .first
        .run_with(&["--title", "First *try*", "--expect-artifact", "out.txt"], "echo 1 > out.txt")
        .await
        .succeeded();
    let second = &clones.second;
    let answer = second.otrace(&["checkout", "exp001"]).await.succeeded();
    let usual = second.root().parent().expect("a parent").join("demo.trace-checkouts/exp001");
    let shown = usual.display();
    let note = "Note: filters were not run; if they are those of Git LFS, `git lfs pull` fetches its files\n";
    assert_eq!(
        answer.stdout,
        format!(
            "Checked out exp001 to {shown} (1 artifact)\nRebuilt fully.\n{note}Repeat it: cd {shown} && bash reproduce.sh\n"
        )
    );
    let page = fs::read_to_string(usual.join("trace-reproduction.md")).expect("a page");
    assert!(
        page.starts_with("# exp001: First *try*\n\nRun the command again:\n\n```sh\nbash reproduce.sh\n```\n"),
        "{page}"
    );
    assert!(page.contains("## How faithful this is\n\nRebuilt fully.\n"), "{page}");
    assert!(page.contains("- trace-artifacts/out.txt sha256:"), "{page}");
    let again = second.otrace(&["checkout", "exp001"]).await;
    let expected =
        format!("error: Checkout destination is not empty: {shown}\nhint: Choose an empty path with --path.");
    assert_eq!(again.refusal(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_checked_out_is_told_in_one_line() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.otrace(&["checkout", "exp099"]).await;
    assert!(answer.refusal().starts_with("error: Unknown experiment: exp099\n"), "{}", answer.stderr);
    let answer = workspace.otrace(&["checkout", "exp099", "--in-place"]).await;
    assert!(answer.refusal().contains("--in-place is not automated"), "{}", answer.stderr);
    assert!(!workspace.has("../demo.trace-checkouts"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_worktree_can_be_made_the_directory_is_copied_and_said_to_be() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("train.py", "print(1)\n");
    workspace.write("__pycache__/train.pyc", "compiled");
    workspace.write("requirements.txt", "torch\n");
    workspace.run("echo 1 > out.txt").await.succeeded();
    workspace.write("requirements.txt", "numpy\n");
    let answer = workspace.otrace(&["checkout", "exp001", "--path", "../copy"]).await.succeeded();
    assert!(answer.stdout.contains("\nNot rebuilt, because:\n  "), "{}", answer.stdout);
    assert!(answer.stdout.contains("the code is a copy of this directory as it is now\n"), "{}", answer.stdout);
    let copy = workspace.path("../copy");
    assert_eq!(fs::read(copy.join("train.py")).expect("read"), b"print(1)\n");
    assert_eq!(fs::read(copy.join("requirements.txt")).expect("read"), b"torch\n", "the run's own");
    assert_eq!(fs::read(copy.join("trace-artifacts/out.txt")).expect("read"), b"1\n");
    assert!(!copy.join("__pycache__").exists() && !copy.join(".trace").exists());
    assert_eq!(reproduce(&copy).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_before_the_first_commit_is_all_in_its_changes() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let first = repository(&server, &project).await;
    first.write("train.py", "print(1)\n");
    first.git(&["add", "."]).await;
    first.write("train.py", "print(2)\n");
    first.write("notes.txt", "1");
    first.run("cat train.py > out.txt").await.succeeded();
    let elsewhere = Workspace::with_key(&server, &project.key);
    elsewhere.write("mine.txt", "not part of it");
    // An empty folder is as good as none.
    fs::create_dir(elsewhere.path("../copy")).expect("made");
    let answer = elsewhere.otrace(&["checkout", "exp001", "--path", "../copy"]).await.succeeded();
    assert!(answer.stdout.contains("\nRebuilt fully.\n"), "{}", answer.stdout);
    let copy = elsewhere.path("../copy");
    assert_eq!(fs::read(copy.join("train.py")).expect("read"), b"print(2)\n");
    assert!(copy.join("notes.txt").exists() && !copy.join("mine.txt").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_run_by_themselves_are_shown_first() {
    let clones = Clones::new().await;
    clones.first.write("Makefile", "all:\n\ttouch spied\n");
    clones.first.run("echo 1 > out.txt").await.succeeded();
    let second = &clones.second;
    let answer = second.otrace(&["checkout", "exp001", "--path", "../copy"]).await;
    let expected = "error: this run brings files that other programs run by themselves: Makefile\n\
        hint: If you trust who recorded it, repeat this with --yes.";
    assert_eq!(answer.unasked(), expected);
    assert!(!second.path("../copy").exists());
    clones.check_out(&["--yes"]).await;
    assert!(copy_of(second, "Makefile").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_was_killed_is_begun_anew() {
    let clones = Clones::new().await;
    clones.first.run("echo 1 > out.txt").await.succeeded();
    let second = &clones.second;
    clones.check_out(&[]).await;
    // As a kill would have left it.
    let copy = second.path("../copy").canonicalize().expect("a path");
    let mark = format!("otrace did not finish its checkout into {}\n", copy.display());
    let mark = mark + "Repeat the same command, or delete this folder.\n";
    fs::write(copy.join(".otrace-incomplete"), mark).expect("marked");
    fs::remove_file(copy.join(".git")).expect("removed");
    fs::write(copy.join("half"), "half").expect("written");
    let told = clones.check_out(&[]).await;
    assert_eq!((&told["how_well"], &told["base"]), (&json!("fully"), &json!("worktree")), "{told}");
    assert!(!copy.join("half").exists() && !copy.join(".otrace-incomplete").exists());
    let worktrees = second.git(&["worktree", "list", "--porcelain"]).await;
    assert_eq!(worktrees.matches("worktree ").count(), 2, "{worktrees}");
}
