//! `otrace login` in the browser: what the machine shows, what the person decides, what is kept.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use otrace_server::testing::{TestProject, TestServer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::workspace::{Workspace, mode};

/// `otrace login`, waiting for an approval.
struct Waiting {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: String,
    /// The code that it shows.
    code: String,
}

impl Waiting {
    /// Starts it, and reads until it waits.
    async fn start(workspace: &Workspace, server: &TestServer) -> Self {
        Self::start_with(workspace, server, &[]).await
    }

    /// The same with more options.
    async fn start_with(workspace: &Workspace, server: &TestServer, options: &[&str]) -> Self {
        let args = [["login", "--api-url", server.url()].as_slice(), options].concat();
        let mut child = workspace.command(&args).spawn().expect("started");
        let mut lines = BufReader::new(child.stdout.take().expect("an output")).lines();
        let (mut said, mut code) = (String::new(), None);
        while !said.contains("Waiting for your approval…") {
            let line = lines.next_line().await.expect("read").expect("more lines");
            code = line.strip_prefix("Approve only if it shows this code: ").map(str::to_owned).or(code);
            said.push_str(&line);
            said.push('\n');
        }
        Self { child, lines, said, code: code.expect("a code") }
    }

    /// What the person who owns a project decides on the server's page.
    async fn decide(&self, server: &TestServer, project: &TestProject, decision: &str) {
        decide(server, project, &self.code, decision).await;
    }

    /// Reads to the end: the exit code, and what was printed and said as errors.
    async fn end(mut self) -> (Option<i32>, String, String) {
        while let Some(line) = self.lines.next_line().await.expect("read") {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        let output = self.child.wait_with_output().await.expect("ended");
        (output.status.code(), self.said, String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

async fn decide(server: &TestServer, project: &TestProject, code: &str, decision: &str) {
    let fields = [("code", code), ("project", project.slug.as_str()), ("decision", decision)];
    let answer = server.app.post(&project.cookie, "/device", &fields).await;
    assert!(answer.status.as_u16() < 400, "{}: {}", answer.status, answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_login_is_saved_for_its_owner_only_and_used_from_then_on() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();

    let waiting = Waiting::start(&workspace, &server).await;
    let page = format!("/device?code={}", waiting.code);
    assert!(waiting.said.contains(&page), "{}", waiting.said);
    waiting.decide(&server, &project, "approve").await;
    let (code, said, errors) = waiting.end().await;
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{said}");
    for line in [format!("Account: {}", project.email), format!("Project: {}", project.name)] {
        assert!(said.lines().any(|said| said == line), "{line} is not in {said}");
    }

    assert_eq!(mode(&workspace.saved_login()), 0o600);
    let saved: Value = serde_json::from_slice(&std::fs::read(workspace.saved_login()).expect("read")).expect("JSON");
    assert_eq!(saved["api_url"], server.url());
    let key = saved["api_key"].as_str().expect("a key");
    assert!(key.starts_with("trc_") && key != project.key);
    assert!(!said.contains(key), "the key must not be printed");
    let answer = workspace.otrace(&["whoami"]).await.succeeded();
    assert!(answer.stdout.contains(&format!("Project: {}", project.name)), "{}", answer.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_login_changes_nothing_and_says_so() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    let waiting = Waiting::start(&workspace, &server).await;
    waiting.decide(&server, &project, "deny").await;
    let (code, _, errors) = waiting.end().await;
    assert_eq!(code, Some(1));
    assert_eq!(errors, "error: the login was denied in the browser\nhint: Nothing was changed.\n");
    assert!(!workspace.saved_login().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_for_another_project_than_the_flag_says_is_given_back() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    let waiting = Waiting::start_with(&workspace, &server, &["--project-name", "other"]).await;
    waiting.decide(&server, &project, "approve").await;
    let (code, said, errors) = waiting.end().await;
    assert_eq!(code, Some(1), "{said}");
    // There is no warning of a key that stays good before it.
    assert!(errors.starts_with("error: --project-name is other, but the API key belongs to wake-word "), "{errors}");
    assert!(!workspace.saved_login().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_gives_up_the_wait() {
    let server = TestServer::start().await;
    let workspace = Workspace::new();
    let waiting = Waiting::start(&workspace, &server).await;
    let pid = i32::try_from(waiting.child.id().expect("an id")).expect("a pid");
    // What a shell's background job ignores, its children do too: SIGTERM ends it either way.
    kill(Pid::from_raw(pid), Signal::SIGINT).expect("signalled");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("signalled");
    let (code, _, _) = waiting.end().await;
    assert_eq!(code, None, "a signal ends it");
    assert!(!workspace.saved_login().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_of_this_machine_is_opened_with_the_page_alone() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new().set("DISPLAY", ":0");
    // A browser that tells what it was started with.
    let (opened, xdg_open) = (workspace.path("opened"), workspace.path("bin/xdg-open"));
    mkfifo(&opened, Mode::S_IRWXU).expect("a pipe");
    workspace.write("bin/xdg-open", format!("#!/bin/sh\necho \"$# $1\" > '{}'\n", opened.display()));
    std::fs::set_permissions(&xdg_open, std::fs::Permissions::from_mode(0o755)).expect("changed");
    let path = format!("{}:{}", workspace.path("bin").display(), std::env::var("PATH").expect("PATH"));
    let workspace = workspace.set("PATH", &path);

    let waiting = Waiting::start(&workspace, &server).await;
    assert!(waiting.said.contains("Your browser should have opened it."), "{}", waiting.said);
    let arguments = tokio::fs::read_to_string(&opened).await.expect("read");
    let page = arguments.trim().strip_prefix("1 ").expect("one argument");
    assert!(page.starts_with("http://") && page.ends_with(&format!("/device?code={}", waiting.code)), "{page}");
    waiting.decide(&server, &project, "approve").await;
    assert_eq!(waiting.end().await.0, Some(0));
}
