//! Runs whose code lies in several repositories, or in no repository at all, checked out and repeated.

use std::fs;
use std::path::PathBuf;

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::workspace::Workspace;

/// Lets git use submodules in folders, as nobody should outside of tests.
const FOLDERS: [&str; 2] = ["-c", "protocol.file.allow=always"];

/// A repository with the submodule `libs/model`, both with a remote in a folder beside.
struct Nested {
    server: TestServer,
    project: TestProject,
    first: Workspace,
}

impl Nested {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let project = server.project("wake-word").await;
        let first = Workspace::with_key(&server, &project.key);
        first.git(&["init", "--quiet", "--bare", "--initial-branch=main", "../model.git"]).await;
        first.git(&["init", "--quiet", "--bare", "--initial-branch=main", "../remote.git"]).await;
        let seed = first.path("../seed");
        fs::create_dir(&seed).expect("made");
        fs::write(seed.join("model.txt"), "model 1\n").expect("written");
        for args in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "."],
            &["commit", "--quiet", "-m", "model 1"],
            &["push", "--quiet", "../model.git", "main"],
        ] {
            first.git(&[&["-C", "../seed"][..], args].concat()).await;
        }
        first.git(&["init", "--quiet", "--initial-branch=main"]).await;
        let model = first.path("../model.git").canonicalize().expect("a path");
        let add = ["submodule", "--quiet", "add", model.to_str().expect("a path"), "libs/model"];
        first.git(&[&FOLDERS[..], &add].concat()).await;
        first.git(&["commit", "--quiet", "-m", "first"]).await;
        first.git(&["remote", "add", "origin", "../remote.git"]).await;
        first.git(&["push", "--quiet", "origin", "main"]).await;
        Self { server, project, first }
    }

    /// Another clone of it, with these options.
    async fn clone(&self, options: &[&str]) -> Workspace {
        let clone = Workspace::with_key(&self.server, &self.project.key);
        let remote = self.first.path("../remote.git").canonicalize().expect("a path");
        let args = [&FOLDERS[..], &["clone", "--quiet"], options, &[remote.to_str().expect("a path"), "."]];
        clone.git(&args.concat()).await;
        // Another machine has it under an address.
        for workspace in [&self.first, &clone] {
            workspace.git(&["remote", "set-url", "origin", "https://example.com/r.git"]).await;
        }
        clone
    }
}

async fn check_out(workspace: &Workspace) -> Value {
    let answer = workspace.otrace(&["checkout", "exp001", "--json", "--path", "../copy"]).await.succeeded();
    serde_json::from_str(&answer.stdout).expect("JSON")
}

fn in_copy(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.path("../copy").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submodule_is_as_it_was_also_at_a_commit_that_the_clone_has_not_fetched() {
    let nested = Nested::new().await;
    let second = nested.clone(&["--recurse-submodules"]).await;
    let first = &nested.first;
    first.write("libs/model/model.txt", "model 2\n");
    first.git(&["-C", "libs/model", "commit", "--quiet", "-am", "model 2"]).await;
    first.git(&["-C", "libs/model", "push", "--quiet", "origin", "HEAD:main"]).await;
    // The new commit is checked out, and neither staged nor committed.
    first.run("cp libs/model/model.txt out.txt").await.succeeded();

    let told = check_out(&second).await;
    assert_eq!((&told["how_well"], &told["reasons"]), (&json!("fully"), &json!([])), "{told}");
    assert_eq!(fs::read_to_string(in_copy(&second, "libs/model/model.txt")).expect("read"), "model 2\n");
    let copy = second.path("../copy");
    let ended = Command::new("bash").arg("reproduce.sh").current_dir(&copy).status().await.expect("bash runs");
    assert!(ended.success());
    let outputs = ["out.txt", "trace-artifacts/out.txt"].map(|name| fs::read(copy.join(name)).expect("read"));
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(second.read("libs/model/model.txt"), "model 1\n", "the clone itself stays as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submodule_that_could_only_come_by_an_unsafe_way_is_told_to_be_missing() {
    let nested = Nested::new().await;
    let spied = nested.first.path("../spied");
    let hostile = format!("ext::sh -c touch% {}", spied.display());
    nested.first.git(&["config", "--file", ".gitmodules", "submodule.libs/model.url", &hostile]).await;
    nested.first.git(&["commit", "--quiet", "-am", "hostile"]).await;
    nested.first.git(&["push", "--quiet", "origin", "main"]).await;
    let second = nested.clone(&["--no-recurse-submodules"]).await;
    nested.first.run("echo 1 > out.txt").await.succeeded();

    let told = check_out(&second).await;
    let expected = format!(
        "the submodule libs/model is not there (it is not cloned here, and its address is neither HTTPS nor SSH: {hostile})"
    );
    assert_eq!((&told["how_well"], &told["reasons"]), (&json!("partly"), &json!([expected])), "{told}");
    assert!(!spied.exists() && in_copy(&second, "libs/model").read_dir().expect("read").next().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_submodules_of_a_submodule_are_told_to_be_missing() {
    let nested = Nested::new().await;
    let first = &nested.first;
    let model = first.path("../model.git").canonicalize().expect("a path");
    let add = ["submodule", "--quiet", "add", model.to_str().expect("a path"), "deep"];
    for args in [
        &[&FOLDERS[..], &add].concat()[..],
        &["commit", "--quiet", "-m", "deep"],
        &["push", "--quiet", "../model.git", "main"],
    ] {
        first.git(&[&["-C", "../seed"][..], args].concat()).await;
    }
    first.git(&[&FOLDERS[..], &["-C", "libs/model", "pull", "--quiet", "origin", "main"]].concat()).await;
    first.git(&["commit", "--quiet", "-am", "nested"]).await;
    first.git(&["push", "--quiet", "origin", "main"]).await;
    let second = nested.clone(&["--recurse-submodules"]).await;
    assert!(second.has("libs/model/deep/model.txt"), "its own clone has them");
    first.run("echo 1 > out.txt").await.succeeded();

    let told = check_out(&second).await;
    let expected = "the submodules of the submodule libs/model are not there";
    assert_eq!((&told["how_well"], &told["reasons"]), (&json!("partly"), &json!([expected])), "{told}");
    assert_eq!(fs::read_to_string(in_copy(&second, "libs/model/model.txt")).expect("read"), "model 1\n");
    assert!(in_copy(&second, "libs/model/deep").read_dir().expect("read").next().is_none());
    let page = fs::read_to_string(in_copy(&second, "trace-reproduction.md")).expect("read");
    assert!(page.contains("Rebuilt partly, because:\n") && page.contains(&format!("- {expected}\n")), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_git_lfs_is_told_to_be_a_pointer() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
    workspace.write("data/.gitattributes", "*.bin filter=lfs\n");
    workspace
        .write("data/a.bin", format!("version https://git-lfs.github.com/spec/v1\noid sha256:{:064}\nsize 1\n", 0));
    workspace.git(&["add", "."]).await;
    workspace.git(&["commit", "--quiet", "-m", "first"]).await;
    workspace.run("echo 1 > out.txt").await.succeeded();
    let told = check_out(&workspace).await;
    let expected = "data/a.bin is kept by Git LFS, and only its pointer is there; `git lfs pull` fetches it";
    assert_eq!(told["how_well"], "partly", "{told}");
    assert!(told["reasons"].as_array().expect("a list").iter().any(|reason| reason == expected), "{told}");
}
