//! The errors that Trace was first described with: each in its own words, and all that the real binary says with it.
//!
//! One of them has no place here: `Supabase schema error`. There is no other service whose schema somebody would have
//! to apply; the server applies its own when it starts.

use otrace_server::testing::TestServer;

use crate::workspace::Workspace;

/// Where a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a directory in which nothing was done yet.
    Bare,
    /// In a workspace with one run, a folder `full` that is not empty, and a manifest.
    Used,
}

use Place::{Bare, Used};

const NOT_INITIALIZED: &str = "Trace is not initialized. Run `otrace init` first.";
const NO_COMMAND: &str = "No command provided. Use `otrace run --intent ... -- <command>`.";
const UNKNOWN: &str = "Unknown experiment: EXP_ID";
const NO_FILE: &str = "Artifact path is not a file";
const NOT_EMPTY: &str = "Checkout destination is not empty";

const SAID_NOT_INITIALIZED: &str = "error: Trace is not initialized. Run `otrace init` first.\n";
const SAID_NO_COMMAND: &str = "error: No command provided. Use `otrace run --intent ... -- <command>`.\n";
const SAID_UNKNOWN: &str = "error: Unknown experiment: exp042\nhint: `otrace runs` lists those that there are.\n";
const SAID_NOT_EMPTY: &str =
    "error: Checkout destination is not empty: {full}\nhint: Choose an empty path with --path.\n";
const SAID_NO_FILE: &str = "otrace: runs[0].artifacts[0].path: Artifact path is not a file: nowhere.json\n\
    otrace: runs[0].artifacts[1].path: Artifact path is not a file: full\n\
    error: 1 of 1 run can't be imported, and nothing was sent\n\
    hint: Correct the manifest, or leave them out with --continue-on-error.\n";
const SAID_IN_PLACE: &str = "error: --in-place is not automated: it would write over your own work.\n\
    hint: Leave it out, or choose an empty path with --path.\n";

/// What is quoted there, where and how it comes about, and what is said on standard error.
#[rustfmt::skip]
const ERRORS: &[(&str, Place, &[&str], &str)] = &[
    (NOT_INITIALIZED, Bare, &["status"], SAID_NOT_INITIALIZED),
    (NOT_INITIALIZED, Bare, &["status", "--json"], SAID_NOT_INITIALIZED),
    (NOT_INITIALIZED, Bare, &["sync"], SAID_NOT_INITIALIZED),
    (NOT_INITIALIZED, Bare, &["ledger", "--offline"], SAID_NOT_INITIALIZED),
    (NOT_INITIALIZED, Bare, &["notebook", "generate", "--offline"], SAID_NOT_INITIALIZED),
    (NO_COMMAND, Bare, &["run"], SAID_NO_COMMAND),
    (NO_COMMAND, Bare, &["run", "--intent", "i", "--setup", "s"], SAID_NO_COMMAND),
    (NO_COMMAND, Bare, &["run", "--intent", "i", "--setup", "s", "--expect-log", "x", "--"], SAID_NO_COMMAND),
    (NO_COMMAND, Used, &["run", "--tag", "x"], SAID_NO_COMMAND),
    (UNKNOWN, Bare, &["checkout", "exp042"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["checkout", "42", "--path", "new"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["show", "exp042"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["artifacts", "exp042"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["download", "exp042"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["logs", "exp042"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["logs", "exp042", "-f"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["open", "exp042"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["note", "exp042", "seen"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["tag", "exp042", "+seen"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["delete", "exp042", "--yes"], SAID_UNKNOWN),
    (UNKNOWN, Bare, &["restore", "exp042"], SAID_UNKNOWN),
    (UNKNOWN, Used, &["diff", "exp001", "exp042"], SAID_UNKNOWN),
    (UNKNOWN, Used, &["diff", "exp042", "exp001"], SAID_UNKNOWN),
    (NO_FILE, Used, &["import", "--spec", "import.json"], SAID_NO_FILE),
    (NO_FILE, Used, &["import", "--spec", "import.json", "--dry-run"], SAID_NO_FILE),
    (NOT_EMPTY, Used, &["checkout", "exp001", "--path", "full"], SAID_NOT_EMPTY),
    ("--in-place", Bare, &["checkout", "exp042", "--in-place"], SAID_IN_PLACE),
    ("--in-place", Used, &["checkout", "exp001", "--in-place", "--path", "new"], SAID_IN_PLACE),
];

const MANIFEST: &str = r#"{"version": 1, "runs": [{"intent": "i", "setup": "s", "command": "true", "status": "completed",
    "artifacts": [{"path": "nowhere.json"}, {"path": "full"}]}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_error_of_the_first_description_is_told_in_its_words_and_nothing_is_done() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let bare = Workspace::with_key(&server, &project.key);
    let used = Workspace::with_key(&server, &project.key);
    used.run("echo 1 > out.txt").await.succeeded();
    used.write("full/mine.txt", "mine");
    used.write("import.json", MANIFEST);
    let full = used.path("full").display().to_string();
    for (quoted, place, args, said) in ERRORS {
        let workspace = if *place == Bare { &bare } else { &used };
        let said = said.replace("{full}", &full);
        assert!(said.contains(&quoted.replace("EXP_ID", "exp042")), "{quoted} is not in {said}");
        let answer = workspace.otrace(args).await;
        assert_eq!((answer.code, answer.stdout.as_str(), answer.stderr.as_str()), (1, "", said.as_str()), "{args:?}");
        assert_eq!(bare.root().read_dir().expect("read").count(), 0, "{args:?} left something behind");
        assert!(!used.has("new"), "{args:?}");
    }
    assert_eq!(used.read("full/mine.txt"), "mine");
    assert_eq!(server.get_json(&project.key, "/v1/runs/count").await["count"], 1);
}
