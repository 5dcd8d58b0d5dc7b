//! How much of this machine's disk runs may keep: what is confirmed makes room, what is not stays.

use otrace_server::testing::TestServer;

use crate::workspace::{Workspace, recorded};

/// Records a run that leaves 100 kB of its own.
async fn run(workspace: &Workspace, options: &[&str], letter: char) -> crate::workspace::Answer {
    workspace.write("made", letter.to_string().repeat(100_000));
    let options = [options, &["--expect-artifact", "out.bin"]].concat();
    workspace.run_with(&options, "cp made out.bin; echo done").await.succeeded()
}

/// The runs that have files here, as folder and name.
fn kept(workspace: &Workspace) -> Vec<String> {
    let mut kept = Vec::new();
    for folder in ["artifacts", "logs", "snapshots"] {
        for entry in std::fs::read_dir(workspace.path(".trace").join(folder)).expect("read") {
            let name = entry.expect("read").file_name().into_string().expect("text");
            kept.push(format!("{folder}/{}", name.split('.').next().unwrap_or_default()));
        }
    }
    kept.sort_unstable();
    kept.dedup();
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_runs_make_room_for_the_next_and_stay_on_the_server() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_KEEP_LOCAL", "250kB");
    for letter in ['a', 'b'] {
        run(&workspace, &[], letter).await;
    }
    assert!(kept(&workspace).contains(&"artifacts/exp001".to_owned()), "there is room for two");
    let answer = run(&workspace, &[], 'c').await;
    assert!(!answer.stderr.contains("otrace: "), "{}", answer.stderr);
    let kept = kept(&workspace);
    assert!(kept.iter().all(|name| !name.ends_with("/exp001")), "{kept:?}");
    for name in ["artifacts/exp002", "logs/exp002", "artifacts/exp003", "logs/exp003"] {
        assert!(kept.contains(&name.to_owned()), "{name} in {kept:?}");
    }
    let first = recorded(&server, &project.key, "exp001").await;
    let artifact = first["artifacts"][0]["id"].as_str().expect("an artifact");
    assert_eq!(server.artifact_bytes(&project.key, artifact).await, b"a".repeat(100_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sent_stays_however_little_room_there_is() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_KEEP_LOCAL", "0");
    let answer = run(&workspace, &["--offline"], 'a').await;
    assert!(answer.stderr.contains("what is not sent takes 10"), "{}", answer.stderr);
    assert!(answer.stderr.contains("more than the 0 bytes that TRACE_KEEP_LOCAL allows"), "{}", answer.stderr);
    assert!(kept(&workspace).iter().any(|name| name.starts_with("artifacts/offline-")), "{:?}", kept(&workspace));
    let status = workspace.otrace(&["status"]).await.succeeded();
    assert!(status.stderr.contains("what is not sent takes 10"), "{}", status.stderr);

    let answer = workspace.otrace(&["sync"]).await.succeeded();
    assert!(answer.stdout.contains("(now exp001)"), "{}", answer.stdout);
    assert_eq!(kept(&workspace), [""; 0], "all is confirmed");
    let run = recorded(&server, &project.key, "exp001").await;
    let artifact = run["artifacts"][0]["id"].as_str().expect("an artifact");
    assert_eq!(server.artifact_bytes(&project.key, artifact).await, b"a".repeat(100_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_that_can_not_be_read_is_told_and_removes_nothing() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_KEEP_LOCAL", "lots");
    let answer = run(&workspace, &[], 'a').await;
    assert!(answer.stderr.contains("TRACE_KEEP_LOCAL is no size: lots. Sizes look like 10GB"), "{}", answer.stderr);
    assert!(kept(&workspace).contains(&"artifacts/exp001".to_owned()));
}
