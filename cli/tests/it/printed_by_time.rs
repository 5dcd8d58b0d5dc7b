//! What a command prints on both streams is one text on its run's page, in the order in which it came.

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};

use crate::sync_harness::{Talk, adopt_orphans, ended, eventually, log, spooled};
use crate::workspace::{Workspace, recorded};

const OPTIONS: [&str; 2] = ["--expect-log", "x"];
/// Says a word on one stream after the other, each when it is told to.
const TURNS: &str =
    "echo $$ > pid; echo first; read go; echo second >&2; read go; echo third; read go; echo fourth >&2; read go";

/// Both streams as the page's script asks for them.
async fn both(server: &TestServer, project: &TestProject) -> Option<Value> {
    let path = format!("/projects/{}/runs/exp001/logs/lines?log=both&after=0", project.slug);
    let answer = server.app.get(&project.cookie, &path).await;
    (answer.status == 200).then(|| answer.json())
}

/// The words of a text and whether each was on standard error, after a check of their times.
fn told(both: &Value) -> Vec<(String, bool)> {
    let came: Vec<(bool, i64)> = serde_json::from_value(both["came"].clone()).expect("each line's time");
    assert!(came.is_sorted_by_key(|(_, millis)| *millis), "{came:?}");
    let lines = both["lines"].as_array().expect("lines");
    let words = lines.iter().map(|line| line[0].as_str().expect("a text").to_owned());
    words.zip(came.iter().map(|(is_stderr, _)| *is_stderr)).collect()
}

async fn until_logged(server: &TestServer, project: &TestProject, stream: &str, text: &str) {
    eventually(server, text, async || {
        (log(server, &project.key, "exp001", stream).await == text.as_bytes()).then_some(())
    })
    .await;
}

fn expected(words: &[(&str, bool)]) -> Vec<(String, bool)> {
    words.iter().map(|(word, is_stderr)| ((*word).to_owned(), *is_stderr)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_streams_are_one_text_while_the_command_runs_and_afterwards() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let mut talk = Talk::start(&workspace, &OPTIONS, TURNS);
    talk.until("first").await;
    let words = [("first", false), ("second", true), ("third", false), ("fourth", true)];
    for (turn, (stream, text)) in
        [("stdout", "first\n"), ("stderr", "second\n"), ("stdout", "first\nthird\n"), ("stderr", "second\nfourth\n")]
            .into_iter()
            .enumerate()
    {
        until_logged(&server, &project, stream, text).await;
        if turn > 0 {
            let growing = both(&server, &project).await.expect("two streams that grow");
            assert_eq!(told(&growing), expected(&words[..=turn]), "{growing}");
        }
        talk.say("go").await;
    }
    let (code, _, stderr) = talk.end().await;
    assert_eq!((code, stderr.as_str()), (0, "second\nfourth\n"));
    let whole = both(&server, &project).await.expect("two streams that came to their end");
    assert_eq!(told(&whole), expected(&words), "{whole}");
    assert_eq!(whole["open"], false);
    // The run tells no more of it than that: its times are long.
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!(run["logs"][0]["times"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_outlives_an_otrace_that_was_killed() {
    adopt_orphans();
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let mut talk = Talk::start(&workspace, &OPTIONS, TURNS);
    talk.until("first").await;
    for (stream, text) in [("stdout", "first\n"), ("stderr", "second\n"), ("stdout", "first\nthird\n")] {
        until_logged(&server, &project, stream, text).await;
        talk.say("go").await;
    }
    until_logged(&server, &project, "stderr", "second\nfourth\n").await;
    let pid: i32 = workspace.read("pid").trim().parse().expect("a pid");
    talk.kill_otrace().await;
    // Nobody can tell it to go on any more: it comes to its end.
    ended(pid).await;
    workspace.otrace(&["sync"]).await.succeeded();
    assert_eq!(spooled(&workspace), 0);
    let whole = both(&server, &project).await.expect("two streams that came to their end");
    let words = expected(&[("first", false), ("second", true), ("third", false), ("fourth", true)]);
    assert_eq!(told(&whole), words, "{whole}");
    let details = workspace.read(".trace/snapshots/exp001.details.json");
    let details: Value = serde_json::from_str(&details).expect("JSON");
    let times = details["logs"][1]["times"].as_array().expect("its times");
    assert_eq!((times.len(), &times[1][0]), (2, &json!("second\n".len())), "{times:?}");
}
