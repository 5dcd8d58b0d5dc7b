//! A run goes on with the token that it was given, whatever becomes of the key.

use std::process::Stdio;

use otrace_server::testing::TestServer;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::workspace::Workspace;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_outlives_its_key() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let script = "echo ready; read go; echo kept > out.txt; exit 5";
    let options = ["run", "--intent", "i", "--setup", "s", "--expect-artifact", "out.txt", "--", "sh", "-c", script];
    let mut child = workspace.command(&options).stdin(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("an output")).lines();
    while lines.next_line().await.expect("read").expect("more lines") != "ready" {}
    server.revoke_key(&project).await;
    child.stdin.take().expect("an input").write_all(b"go\n").await.expect("read");
    assert_eq!(lines.next_line().await.expect("read"), None);
    let output = child.wait_with_output().await.expect("ended");
    assert_eq!(output.status.code(), Some(5));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("was not sent completely"), "{stderr}");
    assert!(stderr.contains("\nExperiment exp001 saved\n"), "{stderr}");
    let page = format!("/projects/{}/runs/exp001", project.slug);
    let page = server.app.get(&project.cookie, &page).await.expect(200).text();
    assert!(page.contains("exit\u{a0}5"), "{page}");
}
