//! `RunSpec` files: written once, read back, checked strictly, shown on request.

use otrace_server::testing::TestServer;
use serde_json::json;

use crate::workspace::{Workspace, recorded, run_count};

const SPEC: &str = "\
version: 1
intent: \"from a file\"
setup: \"two\"
command:
  - \"sh\"
  - \"-c\"
  - \"echo ok > out.txt\"
expected_artifact_paths:
  - \"out.txt\"
title: \"Baseline\"
tags:
  - \"baseline\"
";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_writes_its_spec_and_the_next_one_repeats_it() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.run("echo ok > out.txt").await.succeeded();
    let path = workspace.path("otrace_demo_runspec.yaml");
    let lines: Vec<_> = answer.stderr.lines().collect();
    assert_eq!(lines[0], format!("Using RunSpec: {}", path.display()));
    assert_eq!(lines[1], "RunSpec will be saved after this run.");
    let written = workspace.read("otrace_demo_runspec.yaml");
    assert!(written.starts_with("version: 1\nintent: \"to see\"\n"), "{written}");

    let answer = workspace.otrace(&["run"]).await.succeeded();
    assert!(!answer.stderr.contains("will be saved"), "{}", answer.stderr);
    assert_eq!(workspace.read("otrace_demo_runspec.yaml"), written);
    let (first, second) =
        (recorded(&server, &project.key, "exp001").await, recorded(&server, &project.key, "exp002").await);
    for field in ["intent", "setup", "command", "expected_artifact_paths"] {
        assert_eq!(first[field], second[field], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_that_is_there_is_never_overwritten() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("otrace_demo_runspec.yaml", "mine: true\n");
    workspace.run("true").await.succeeded();
    assert_eq!(workspace.read("otrace_demo_runspec.yaml"), "mine: true\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_spec_is_taken_in_yaml_and_in_json() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("specs/a.yaml", SPEC);
    let json = json!({"intent": "json", "setup": "s", "command": ["true"], "expected_log_paths": ["x.log"]});
    workspace.write("specs/b.json", json.to_string());
    workspace.otrace(&["run", "--spec", "specs/a.yaml"]).await.succeeded();
    workspace.otrace(&["run", "--spec", "specs/b.json"]).await.succeeded();
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!(run["intent"], "from a file");
    assert_eq!((&run["title"], &run["tags"]), (&json!("Baseline"), &json!(["baseline"])));
    assert_eq!(recorded(&server, &project.key, "exp002").await["intent"], "json");
    assert!(!workspace.has("otrace_demo_runspec.yaml"), "only options write the default file");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_in_a_spec_is_told_in_one_line() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let spec = "version: 2\nintent: i\ncommand: touch marker\ncolour: red\nparent_id: exp001\n";
    workspace.write("otrace_demo_runspec.yaml", spec);
    let answer = workspace.otrace(&["run"]).await;
    let line = answer.refusal();
    for mistake in [
        "parent_id is not part of RunSpec v1; ",
        "unknown RunSpec field: colour; ",
        "version must be 1; ",
        "command must be an argv array, not a shell string; ",
        "setup is required; ",
    ] {
        assert!(line.contains(mistake), "{mistake} in {line}");
    }
    assert!(!workspace.has("marker"));
    assert_eq!(run_count(&server, &project.key).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_yaml_is_told_in_one_line() {
    let workspace = Workspace::new();
    workspace.write("broken.yaml", "intent: [\nsetup: \"x\n");
    let answer = workspace.otrace(&["run", "--spec", "broken.yaml"]).await;
    assert!(answer.refusal().contains("RunSpec file is not valid YAML: "), "{}", answer.stderr);
    let answer = workspace.otrace(&["run", "--spec", "absent.yaml"]).await;
    assert!(answer.refusal().contains("RunSpec file not found: "), "{}", answer.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_and_options_do_not_mix() {
    let workspace = Workspace::new();
    workspace.write("a.yaml", SPEC);
    for args in [&["run", "--spec", "a.yaml", "--tag", "x"][..], &["run", "--spec", "a.yaml", "--", "true"]] {
        let answer = workspace.otrace(args).await;
        assert!(answer.refusal().contains("Do not combine --spec"), "{}", answer.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_is_shown_and_run_after_a_yes() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("a.yaml", SPEC.replace("echo ok > out.txt", "cat > out.txt"));
    let args = ["run", "--spec", "a.yaml", "--verify-runspec"];
    let answer = workspace.otrace_reading(&args, "Y\nfor the command\n").await.succeeded();
    for part in ["from a file", "sh -c 'cat > out.txt'", "- out.txt", "Baseline", "Y/N"] {
        assert!(answer.stderr.contains(part), "{part} in {}", answer.stderr);
    }
    assert_eq!(workspace.read("out.txt"), "for the command\n", "only the answer may be read ahead");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_yes_nothing_happens() {
    // No server and no key: the question comes before both.
    let workspace = Workspace::new();
    workspace.write("a.yaml", SPEC);
    for answer in ["n\n", "maybe\n", "\n", ""] {
        let args = ["run", "--spec", "a.yaml", "--verify-runspec"];
        let answer = workspace.otrace_reading(&args, answer).await;
        assert_eq!((answer.code, answer.stdout.as_str()), (1, ""));
        assert!(
            answer.stderr.ends_with("Go ahead with this RunSpec? Y/N \nerror: run cancelled.\n"),
            "{}",
            answer.stderr
        );
        assert!(!workspace.has("out.txt") && !workspace.has(".trace"));
    }
}
