//! `otrace checkout` of a bundle of commits from a server that means harm. Real git makes the bundles.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::checkout_hostile::{Hostile, seen};
use crate::workspace::{Answer, Workspace};

/// What a checkout may write: itself, what is `otrace`'s own, and commits in the clone, which is looked at apart.
const ITS_OWN: [&str; 3] = ["copy", "demo/.trace", "demo/.git"];
/// How a bundle is told that git does not take.
const NOT_TAKEN: &str = "the bundle of its commits could not be taken in (";

/// A repository whose commits are made piece by piece, also such as git itself would not make.
struct Forge(Workspace);

impl Forge {
    async fn new() -> Self {
        let forge = Workspace::new();
        forge.git(&["init", "--quiet", "--initial-branch=main"]).await;
        Self(forge)
    }

    async fn file(&self, text: &str) -> String {
        self.0.write("object", text);
        self.0.git(&["hash-object", "-w", "object"]).await
    }

    /// A folder of these: the mode, the name and the object of each, written as they are.
    async fn folder(&self, entries: &[(&str, &str, &str)]) -> String {
        let mut tree = Vec::new();
        for (mode, name, object) in entries {
            tree.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            let byte = |at: usize| u8::from_str_radix(&object[at..at + 2], 16).expect("the name of an object");
            tree.extend((0..object.len()).step_by(2).map(byte));
        }
        self.0.write("object", tree);
        self.0.git(&["hash-object", "-t", "tree", "-w", "--literally", "object"]).await
    }

    /// A commit of such a folder, and the bundle of it.
    async fn bundle(&self, entries: &[(&str, &str, &str)]) -> (String, Vec<u8>) {
        let folder = self.folder(entries).await;
        let commit = self.0.git(&["commit-tree", &folder, "-m", "made"]).await;
        self.0.git(&["update-ref", "HEAD", &commit]).await;
        (commit, self.bundle_of("HEAD").await)
    }

    async fn bundle_of(&self, reference: &str) -> Vec<u8> {
        self.0.git(&["bundle", "create", "--quiet", "made.bundle", reference]).await;
        fs::read(self.0.path("made.bundle")).expect("a bundle")
    }
}

/// A folder that nothing is to be written to, and a file of the forge that is a link there.
async fn link(forge: &Forge) -> (TempDir, String) {
    let elsewhere = tempfile::tempdir().expect("a folder");
    let link = forge.file(elsewhere.path().to_str().expect("a path")).await;
    (elsewhere, link)
}

fn is_empty(folder: &TempDir) -> bool {
    folder.path().read_dir().expect("read").next().is_none()
}

/// Somebody's clone, whose hooks and filters leave a file behind when they are run.
struct Watched {
    workspace: Workspace,
    before: (BTreeSet<String>, String, String),
}

impl Watched {
    async fn new() -> Self {
        let workspace = Workspace::new();
        workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
        workspace.write("train.py", "print(1)\n");
        workspace.git(&["add", "."]).await;
        workspace.git(&["commit", "--quiet", "-m", "first"]).await;
        let spy = format!("touch {}", workspace.path("../spied").display());
        for filter in ["filter.spy.smudge", "filter.spy.clean"] {
            workspace.git(&["config", filter, &format!("sh -c '{spy}; cat'")]).await;
        }
        for hook in ["post-checkout", "post-index-change", "reference-transaction"] {
            let path = format!(".git/hooks/{hook}");
            workspace.write(&path, format!("#!/bin/sh\n{spy}\n"));
            fs::set_permissions(workspace.path(&path), Permissions::from_mode(0o755)).expect("changed");
        }
        let before = Self::state(&workspace).await;
        Self { workspace, before }
    }

    /// The files around the checkout, and the clone's branches and settings.
    async fn state(workspace: &Workspace) -> (BTreeSet<String>, String, String) {
        let home: PathBuf = workspace.root().parent().expect("a parent").to_path_buf();
        let refs = workspace.git(&["for-each-ref"]).await;
        (seen(&home, &ITS_OWN), refs, workspace.read(".git/config"))
    }

    /// Checks out a run of this snapshot, and makes sure that nothing was written or run anywhere else.
    async fn check_out(self, hostile: Hostile, snapshot: &Value, options: &[&str]) -> (Workspace, Answer) {
        let url = hostile.serve(&json!({"snapshot": snapshot}));
        let workspace = self.workspace.set("TRACE_API_URL", &url).set("TRACE_API_KEY", "trc_any");
        let answer = workspace.otrace(&[&["checkout", "exp001", "--path", "../copy"][..], options].concat()).await;
        assert_eq!(Self::state(&workspace).await, self.before, "{}{}", answer.stdout, answer.stderr);
        assert_eq!(workspace.read("train.py"), "print(1)\n");
        (workspace, answer)
    }
}

/// Checks out a commit that is said to be in a bundle, which it is not, or not in one that git takes.
async fn check_out_in_vain(commit: &str, bundle: &[u8], reasons: &[&str]) {
    let mut hostile = Hostile::default();
    let files = [hostile.file("git_bundle", "commits.bundle", bundle)];
    let snapshot = json!({"git_commit": commit, "files": files, "rebuild": {"how_well": "fully"}});
    let (workspace, answer) = Watched::new().await.check_out(hostile, &snapshot, &[]).await;

    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{}", answer.stdout);
    let lines: Vec<_> = answer.stdout.lines().collect();
    assert_eq!((lines.len(), lines[1]), (4, "Not rebuilt, because:"), "{}", answer.stdout);
    assert!(reasons.iter().any(|reason| lines[2].trim_start().starts_with(reason)), "{}", answer.stdout);
    assert!(lines[2].ends_with(": the code is a copy of this directory as it is now"), "{}", answer.stdout);
    assert_eq!(fs::read(workspace.path("../copy/train.py")).expect("read"), b"print(1)\n");
    assert!(!workspace.has("../copy/.git") && !workspace.has("../copy/touch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_in_a_commit_leads_out_of_the_checkout() {
    let forge = Forge::new().await;
    let file = forge.file("#!/bin/sh\ntouch ../spied\n").await;
    let escaped = forge.folder(&[("100755", "escaped", file.as_str())]).await;
    let hooks = forge.folder(&[("100755", "post-checkout", file.as_str())]).await;
    let git = forge.folder(&[("40000", "hooks", hooks.as_str())]).await;
    for entry in [
        ("40000", "..", escaped.as_str()),
        ("100644", "../escaped", file.as_str()),
        ("100644", "/tmp/otrace-bundle-escaped", file.as_str()),
        ("40000", ".git", git.as_str()),
        ("40000", ".GIT", git.as_str()),
        ("40000", "git~1", git.as_str()),
    ] {
        let (commit, bundle) = forge.bundle(&[entry]).await;
        // An older git looks at names only when it writes them.
        check_out_in_vain(&commit, &bundle, &[NOT_TAKEN, "git could not make a worktree ("]).await;
    }
    assert!(!Path::new("/tmp/otrace-bundle-escaped").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_a_commit_is_written_through_a_link_of_the_same_commit() {
    let forge = Forge::new().await;
    let (elsewhere, link) = link(&forge).await;
    let file = forge.file("escaped\n").await;
    let folder = forge.folder(&[("100644", "escaped", file.as_str())]).await;
    // One name, which is a link and then a folder.
    let twice = [("120000", "link", link.as_str()), ("40000", "link", folder.as_str())];
    let (commit, bundle) = forge.bundle(&twice).await;
    let mut hostile = Hostile::default();
    let files = [hostile.file("git_bundle", "commits.bundle", &bundle)];
    let snapshot = json!({"git_commit": commit, "files": files, "rebuild": {"how_well": "fully"}});
    let (_workspace, answer) = Watched::new().await.check_out(hostile, &snapshot, &[]).await;
    assert!(is_empty(&elsewhere), "{}", answer.stdout);
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{}", answer.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_run_go_through_no_link_of_its_commit_and_no_hook_or_filter_is_run() {
    let forge = Forge::new().await;
    let (elsewhere, link) = link(&forge).await;
    let attributes = forge.file("* filter=spy\n").await;
    let file = forge.file("print(2)\n").await;
    let folder = [
        ("100644", ".gitattributes", attributes.as_str()),
        ("120000", "link", link.as_str()),
        ("100644", "x.py", file.as_str()),
    ];
    let (commit, bundle) = forge.bundle(&folder).await;
    let check_out = async |options: &[&str]| {
        let mut hostile = Hostile::default();
        let files = [
            hostile.file("git_bundle", "commits.bundle", &bundle),
            hostile.file("untracked", "link/escaped", b"untracked"),
            hostile.file("dependency", "link/requirements.txt", b"dependency"),
        ];
        let snapshot = json!({"git_commit": commit, "files": files, "rebuild": {"how_well": "fully"}});
        Watched::new().await.check_out(hostile, &snapshot, options).await
    };
    let (workspace, answer) = check_out(&[]).await;
    let asked = "error: this run brings files that other programs run by themselves: .gitattributes\n\
        hint: If you trust who recorded it, repeat this with --yes.";
    assert_eq!(answer.unasked(), asked);
    assert!(!workspace.has("../copy"));

    let (workspace, answer) = check_out(&["--yes"]).await;
    assert!(is_empty(&elsewhere), "{}", answer.stdout);
    let answer = answer.succeeded();
    let lines: Vec<_> = answer.stdout.lines().collect();
    assert_eq!(lines[1], "Rebuilt partly, because:", "{}", answer.stdout);
    assert!(lines[2].starts_with("  the untracked file link/escaped was left out ("), "{}", answer.stdout);
    assert!(lines[3].starts_with("  the dependency file link/requirements.txt was left out ("), "{}", answer.stdout);
    assert!(lines.contains(&"Note: 1 symbolic link leads out of this folder: link"), "{}", answer.stdout);
    assert_eq!(fs::read(workspace.path("../copy/x.py")).expect("read"), b"print(2)\n");
    assert!(workspace.path("../copy/link").is_symlink());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_none_or_of_other_commits_is_told_in_one_line() {
    let forge = Forge::new().await;
    let file = forge.file("print(2)\n").await;
    let (commit, bundle) = forge.bundle(&[("100644", "train.py", file.as_str())]).await;
    let reference = "refs/heads/--upload-pack=touch";
    forge.0.git(&["update-ref", reference, &commit]).await;
    let option = forge.bundle_of(reference).await;
    for wrong in [&bundle[..bundle.len() - 40], &bundle[..60], option.as_slice()] {
        check_out_in_vain(&commit, wrong, &[NOT_TAKEN]).await;
    }
    // To git, such a file is the repository that it names: any one of this machine.
    let another = format!("gitdir: {}\n", forge.0.path(".git").display());
    for none in ["", "# v2 git", another.as_str()] {
        let reason = "the bundle of its commits could not be taken in (it is no bundle)";
        check_out_in_vain(&commit, none.as_bytes(), &[reason]).await;
    }
    let others = "the bundle of its commits has others, and not the one that it ran on";
    check_out_in_vain(&"ab".repeat(20), &bundle, &[others]).await;
}
