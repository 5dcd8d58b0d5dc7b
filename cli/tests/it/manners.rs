//! What all commands have in common: data alone on standard output, in JSON where that is asked for; nothing but data,
//! warnings and errors where it is to be quiet; no colours where nobody wants them. A reader that goes away is no error.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use otrace_server::testing::{TestProject, TestServer};
use serde_json::Value;

use crate::terminal::at_terminal;
use crate::workspace::Workspace;

/// Commands that print something and end well, in a workspace with one run.
const PRINTING: &[&[&str]] = &[
    &["--help"],
    &["--version"],
    &["run", "--help"],
    &["completions", "bash"],
    &["init"],
    &["whoami"],
    &["status"],
    &["sync"],
    &["runs"],
    &["show", "exp001"],
    &["artifacts", "exp001"],
    &["download", "exp001"],
    &["logs", "exp001"],
    &["diff", "exp001", "exp001"],
    &["tag", "exp001"],
    &["open", "exp001"],
    &["ledger"],
    &["notebook", "generate"],
    &["import", "--spec", "import.json", "--dry-run"],
    &["scaffold", "outputs"],
];
/// The same, of which each time something else is true.
const UNSTEADY: &[&[&str]] = &[&["doctor"], &["export", "--force"]];

/// All commands that have `--json`, and what else they need.
const IN_JSON: &[(&str, &[&str])] = &[
    ("artifacts", &["exp001"]),
    ("checkout", &["exp001", "--path", "../copy"]),
    ("diff", &["exp001", "exp001"]),
    ("doctor", &[]),
    ("download", &["exp001"]),
    ("export", &["--force"]),
    ("notebook generate", &[]),
    ("runs", &[]),
    ("show", &["exp001"]),
    ("status", &[]),
    ("whoami", &[]),
];

const MANIFEST: &str =
    r#"{"version": 1, "runs": [{"intent": "i", "setup": "s", "command": "true", "status": "completed"}]}"#;

async fn one_run() -> (TestServer, TestProject, Workspace) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let options = ["--title", "First", "--tag", "old", "--expect-artifact", "m.json"];
    workspace.run_with(&options, "echo hello; echo '{\"accuracy\": 0.8}' > m.json").await.succeeded();
    workspace.write("import.json", MANIFEST);
    (server, project, workspace)
}

/// Runs `otrace` where nobody reads what it prints. Gives its exit code, and what it said as errors.
async fn with_its_reader_gone(workspace: &Workspace, args: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let child = workspace.command(args).stdout(writer).spawn().expect("started");
    let output = child.wait_with_output().await.expect("ended");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The commands whose help tells of `--json`.
fn commands_with_json() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help");
    let pages = folder.read_dir().expect("the snapshots").map(|page| page.expect("a page").path());
    let has_json = |page: &PathBuf| {
        let text = fs::read_to_string(page).expect("a text");
        text.lines().any(|line| line.split_whitespace().next() == Some("--json"))
    };
    pages
        .filter(has_json)
        .map(|page| {
            let name = page.file_stem().expect("a name").to_string_lossy().replace('-', " ");
            name.trim_start_matches("otrace ").to_owned()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_gone_is_no_error() {
    let (_server, _project, workspace) = one_run().await;
    for &args in PRINTING.iter().chain(UNSTEADY) {
        let (code, stderr) = with_its_reader_gone(&workspace, args).await;
        assert_eq!(code, Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panicked"), "{args:?}: {stderr}");
    }
    let run = ["-q", "run", "--intent", "i", "--setup", "s", "--expect-log", "x", "--", "echo", "hello"];
    assert_eq!(with_its_reader_gone(&workspace, &run).await, (Some(0), String::new()));
    assert_eq!(workspace.read(".trace/logs/exp002.stdout.log"), "hello\n", "it is kept all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_quiet_prints_the_same_data_and_nothing_beside_it() {
    let (_server, _project, workspace) = one_run().await;
    // From now on it skips what is there.
    workspace.otrace(&["scaffold", "outputs"]).await.succeeded();
    for &args in PRINTING {
        let plain = workspace.otrace(args).await.succeeded();
        let quiet = workspace.otrace(&[&["-q"][..], args].concat()).await.succeeded();
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), (plain.stdout.as_str(), ""), "{args:?}");
        assert!(!plain.stdout.is_empty() && !plain.stdout.contains('\u{1b}'), "{args:?}: {}", plain.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_one_object_on_one_line_of_every_command_that_has_it() {
    let (_server, _project, workspace) = one_run().await;
    let listed: BTreeSet<_> = IN_JSON.iter().map(|(command, _)| (*command).to_owned()).collect();
    assert_eq!(listed, commands_with_json());
    for (command, others) in IN_JSON {
        let args: Vec<_> = command.split_whitespace().chain(others.iter().copied()).chain(["--json"]).collect();
        let answer = workspace.otrace(&args).await;
        let told: Value = serde_json::from_str(&answer.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"));
        assert!(told.is_object() && answer.stdout.lines().count() == 1, "{args:?}: {}", answer.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_without_colours_gets_none() {
    let (server, project, workspace) = one_run().await;
    workspace.write(".env", format!("TRACE_API_URL={}\nTRACE_API_KEY={}\n", server.url(), project.key));
    let script = r#"
import re
COLOURS = re.compile("\x1b\\[[0-9;]*m")
coloured = (["runs"], ["show", "exp042"], ["fly"])
others = (["--help"], ["whoami"], ["status"], ["show", "exp001"], ["diff", "exp001", "exp001"], ["doctor"])
for line in (*coloured, *others):
    plain = Terminal(["/usr/bin/env", "NO_COLOR=1", OTRACE, *line])
    seen = plain.rest()
    assert seen and not COLOURS.search(seen), (line, seen)
    plain.end()
for line in coloured:
    usual = Terminal([OTRACE, *line])
    assert COLOURS.search(usual.rest()), (line, usual.seen)
    usual.end()
"#;
    at_terminal(&workspace, script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_short_commands_say() {
    let (server, project, workspace) = one_run().await;
    let page = format!("{}/projects/{}/runs/exp001\n", server.url(), project.slug);
    let notebook = "Notebook of 1 experiment: .trace/notebook/generated.md and .trace/notebook/generated.json\n";
    let said: &[(&[&str], &str, &str)] = &[
        (&["sync"], "Everything is sent.\n", ""),
        (&["artifacts", "exp001"], "m.json\tmetrics\t18\n", ""),
        (&["logs", "exp001"], "hello\n", ""),
        (&["download", "exp001"], "exp001/m.json\n", "Downloaded: 1 file\n"),
        (&["note", "exp001", "It converges. #insight"], "", "Noted on exp001.\n"),
        (&["tag", "exp001", "+new", "-old"], "new\n", ""),
        (&["open", "exp001"], &page, "There is no browser to open here: open the address above.\n"),
        (&["notebook", "generate", "--mode", "insights"], notebook, ""),
        (&["delete", "exp001", "--yes"], "Deleted exp001\n", "`otrace restore exp001` brings back what was deleted.\n"),
        (&["restore", "exp001"], "Restored exp001\n", ""),
    ];
    for (args, stdout, stderr) in said {
        let answer = workspace.otrace(args).await;
        assert_eq!((answer.code, answer.stdout.as_str(), answer.stderr.as_str()), (0, *stdout, *stderr), "{args:?}");
    }
}
