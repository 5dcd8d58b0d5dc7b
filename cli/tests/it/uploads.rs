//! How contents get to the server: what it has is not sent again, small ones travel together, long ones go on
//! where they were cut off.

mod line;

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;

use nix::pty::{Winsize, openpty};
use otrace_server::testing::TestServer;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::sync_harness::spooled;
use crate::workspace::{Workspace, recorded, run_count};
use line::Line;

const MB: u64 = 1_000_000;
/// As long as a part is in `otrace_wire::contents`.
const PART: u64 = 8 * 1024 * 1024;
/// What all requests of a run come to that has next to nothing to send.
const LITTLE: u64 = 64 * 1024;

/// So many bytes, of which no two parts are alike.
fn bytes(length: u64) -> Vec<u8> {
    (0..u32::try_from(length / 4).expect("not too many")).flat_map(u32::to_le_bytes).collect()
}

async fn content(server: &TestServer, key: &str, artifact: &Value) -> Vec<u8> {
    let hash = artifact["hash"].as_str().expect("a hash").trim_start_matches("sha256:");
    server.app.api(key, "GET", &format!("/v1/contents/{hash}"), None).await.expect(200).body
}

/// Starts a command that says things to a terminal, and waits for a bar on it. Gives the command, what was seen, and the
/// terminal.
async fn until_a_bar(mut command: Command) -> (Child, String, File) {
    let size = Winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(Some(&size), None).expect("a terminal");
    let child = command.stdout(Stdio::null()).stderr(Stdio::from(terminal.slave)).spawn().expect("started");
    // It holds an end of the terminal.
    drop(command);
    let mut master = File::from(terminal.master);
    let shown = move || {
        let (mut shown, mut buffer) = (String::new(), [0; 4096]);
        while !shown.contains(" left") {
            let read = master.read(&mut buffer);
            let length = read.unwrap_or_else(|error| panic!("no bar before the end: {error}: {shown:?}"));
            shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        (shown, master)
    };
    let (shown, master) = tokio::task::spawn_blocking(shown).await.expect("read");
    (child, shown, master)
}

/// Waits for its end. Gives what was seen until then.
async fn until_the_end(mut child: Child, mut terminal: File) -> String {
    // The terminal comes to its end by an error.
    let rest = tokio::task::spawn_blocking(move || {
        let mut rest = Vec::new();
        let _ = terminal.read_to_end(&mut rest);
        rest
    });
    assert!(child.wait().await.expect("ended").success());
    String::from_utf8_lossy(&rest.await.expect("read")).into_owned()
}

/// What has been written since the last time that its line was cleared.
fn since_cleared(seen: &str) -> &str {
    assert!(seen.contains("\x1b[2K"), "{seen:?}");
    seen.rsplit("\x1b[2K").next().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_has_is_not_sent_again() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let line = Line::to(&server).await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_API_URL", line.url());
    let made = bytes(20 * MB);
    workspace.write("made", &made);
    let run = || workspace.run_with(&["-q", "--expect-artifact", "out.bin"], "cp made out.bin");
    let answer = run().await.succeeded();
    assert_eq!(answer.stderr, "", "nothing is drawn on a pipe");
    let first = line.sent();
    assert!(first > 20 * MB, "{first}");
    run().await.succeeded();
    assert!(line.sent() - first < LITTLE, "{} bytes were sent again", line.sent() - first);
    let again = recorded(&server, &project.key, "exp002").await;
    assert!(content(&server, &project.key, &again["artifacts"][0]).await == made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_file_goes_on_where_it_was_cut_off() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let line = Line::to(&server).await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_API_URL", line.url());
    let made = bytes(40 * MB);
    workspace.write("made", &made);
    // Two parts get through, and a part of others.
    line.cut_after(2 * PART + PART / 2);
    let answer = workspace.run_with(&["--expect-artifact", "out.bin"], "cp made out.bin").await.succeeded();
    assert!(answer.stderr.contains("exp001 was not sent completely"), "{}", answer.stderr);
    assert_eq!(spooled(&workspace), 1);

    line.heal();
    let before = line.sent();
    assert!(workspace.otrace(&["sync"]).await.succeeded().stdout.contains("Sent: exp001\n"));
    // Several are on their way at once: the shorter last one may be one of the two.
    let (resumed, least, most) = (line.sent() - before, 40 * MB - 2 * PART, 40 * MB - PART - (40 * MB - 4 * PART));
    assert!((least..most + LITTLE).contains(&resumed), "{resumed} bytes, and {least} to {most} were missing");
    let run = recorded(&server, &project.key, "exp001").await;
    assert!(content(&server, &project.key, &run["artifacts"][0]).await == made);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_travel_together() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let line = Line::to(&server).await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_API_URL", line.url());
    let file = |number: u32| format!("{number:05}\n").repeat(2_000);
    for number in 0..300 {
        workspace.write(&format!("made/{number}.txt"), file(number));
    }
    workspace.run_with(&["--expect-artifact", "out"], "cp -r made out").await.succeeded();
    assert!(line.content_requests() <= 4, "{} requests", line.content_requests());
    let run = recorded(&server, &project.key, "exp001").await;
    let artifacts = run["artifacts"].as_array().expect("artifacts");
    assert_eq!(artifacts.len(), 300);
    let one = artifacts.iter().find(|artifact| artifact["original_path"] == "out/123.txt").expect("it is there");
    assert_eq!(content(&server, &project.key, one).await, file(123).into_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_is_not_to_be_stored_is_known_by_path_size_and_hash() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let line = Line::to(&server).await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_API_URL", line.url());
    workspace.write("made", bytes(MB));
    workspace.write(
        "spec.yaml",
        "intent: i\nsetup: s\ncommand: [cp, made, big.bin]\nexpected_artifact_paths:\n  - path: big.bin\n    \
         store_content: false\n",
    );
    workspace.otrace(&["run", "--spec", "spec.yaml"]).await.succeeded();
    assert!(line.sent() < LITTLE, "{} bytes were sent", line.sent());
    assert!(!workspace.has(".trace/artifacts/exp001"), "nothing is copied");
    let run = recorded(&server, &project.key, "exp001").await;
    let artifact = &run["artifacts"][0];
    assert_eq!((&artifact["original_path"], &artifact["size_bytes"]), (&json!("big.bin"), &json!(MB)));
    assert!(artifact["hash"].as_str().is_some_and(|hash| hash.starts_with("sha256:")), "{artifact}");
    assert_eq!(run["snapshot"]["missing_expected_paths"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_sees_how_far_a_long_transfer_is() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let line = Line::to(&server).await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_API_URL", line.url()).set("TERM", "xterm");
    workspace.write("made", bytes(20 * MB));
    let args = ["run", "--intent", "i", "--setup", "s", "--expect-artifact", "out", "--", "cp", "made", "out"];
    line.hold_after(4 * MB);
    let (child, shown, terminal) = until_a_bar(workspace.command(&args)).await;
    assert!(shown.contains("Sending [") && shown.contains("of 19.07 MiB") && shown.contains("/s, "), "{shown:?}");

    line.heal();
    let rest = until_the_end(child, terminal).await;
    assert!(!since_cleared(&rest).contains("Sending"), "{rest:?}");
    assert_eq!(spooled(&workspace), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_sees_how_far_an_import_is() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let line = Line::to(&server).await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_API_URL", line.url()).set("TERM", "xterm");
    let run = json!({"intent": "i", "setup": "x".repeat(1000), "command": "true", "status": "completed"});
    workspace.write("import.json", json!({"version": 1, "runs": vec![run; 300]}).to_string());
    // All but the runs themselves gets through.
    line.hold_after(100_000);
    let (child, shown, terminal) = until_a_bar(workspace.command(&["import", "--spec", "import.json"])).await;
    assert!(shown.contains("Importing [") && shown.contains("of 300 runs, "), "{shown:?}");

    line.heal();
    let rest = until_the_end(child, terminal).await;
    assert!(!since_cleared(&rest).contains("Importing"), "{rest:?}");
    assert_eq!(run_count(&server, &project.key).await, 300);
}
