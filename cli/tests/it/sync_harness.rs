//! A network that can be cut, and runs that are talked to while they go on.

use std::process::Stdio;
use std::time::Duration;

#[cfg(target_os = "linux")]
use nix::sys::wait::waitpid;
#[cfg(target_os = "linux")]
use nix::unistd::Pid;
use otrace_server::testing::TestServer;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::workspace::Workspace;

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way to a server, which can be cut and healed.
pub struct Network {
    url: String,
    is_cut: watch::Sender<bool>,
}

impl Network {
    /// A way to this server.
    pub async fn to(server: &TestServer) -> Self {
        let target = server.url().trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (is_cut, cut) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(pass(caller, target.clone(), cut.clone()));
            }
        });
        Self { url, is_cut }
    }

    /// The server's address, seen through it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Breaks all connections, and lets none through from now on.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Lets them through again.
    pub fn heal(&self) {
        self.is_cut.send_replace(false);
    }
}

async fn pass(mut caller: TcpStream, target: String, mut cut: watch::Receiver<bool>) {
    if *cut.borrow() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut caller, &mut server) => {}
        _ = cut.wait_for(|is_cut| *is_cut) => {}
    }
}

/// A run whose command reads and prints; `otrace` itself says only what goes wrong.
pub struct Talk {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Talk {
    /// Starts a shell script, with these options besides intent and setup.
    pub fn start(workspace: &Workspace, options: &[&str], script: &str) -> Self {
        let args = [&["-q", "run", "--intent", "i", "--setup", "s"][..], options, &["--", "sh", "-c", script]].concat();
        let mut child = workspace.command(&args).stdin(Stdio::piped()).spawn().expect("started");
        let stdin = child.stdin.take().expect("an input");
        let lines = BufReader::new(child.stdout.take().expect("an output")).lines();
        Self { child, stdin, lines }
    }

    /// Waits for a line; gives those before it.
    pub async fn until(&mut self, wanted: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let line = self.lines.next_line().await.expect("read").expect("more lines");
            if line == wanted {
                return before;
            }
            before.push(line);
        }
    }

    /// Says a line to the command.
    pub async fn say(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it is read");
    }

    /// Waits for the end: the exit code, the rest of the lines, and what was said as errors.
    pub async fn end(mut self) -> (i32, Vec<String>, String) {
        drop(self.stdin);
        let mut rest = Vec::new();
        while let Some(line) = self.lines.next_line().await.expect("read") {
            rest.push(line);
        }
        let output = self.child.wait_with_output().await.expect("ended");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().expect("otrace is not killed"), rest, stderr)
    }

    /// Kills `otrace` as nothing can be caught.
    pub async fn kill_otrace(mut self) {
        self.child.kill().await.expect("killed");
    }
}

/// Asks, and again each time the server tells that a run has changed, until there is an answer.
pub async fn eventually<T>(server: &TestServer, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let mut changes = server.app.app.live.subscribe();
    let answered = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            // Where there were too many to be told of, there is a reason to ask all the more.
            let _ = changes.recv().await;
        }
    };
    timeout(PATIENCE, answered).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// What the server has of a run's stream.
pub async fn log(server: &TestServer, key: &str, run: &str, stream: &str) -> Vec<u8> {
    let path = format!("/v1/runs/{run}/logs/{stream}?from=0");
    server.app.api(key, "GET", &path, None).await.expect(200).body
}

/// What the server has of a declared log of a run that goes on. The path is one of an address.
pub async fn declared_log(server: &TestServer, key: &str, run: &str, path: &str) -> String {
    let path = format!("/v1/runs/{run}/logs/log?path={path}&from=0");
    String::from_utf8(server.app.api(key, "GET", &path, None).await.body).expect("text")
}

/// Has processes whose parents are killed become this one's children, so that it can wait for them.
#[cfg(target_os = "linux")]
pub fn adopt_orphans() {
    nix::sys::prctl::set_child_subreaper(true).expect("set");
}

/// Waits for the end of a process that was adopted.
#[cfg(target_os = "linux")]
pub async fn ended(process: i32) {
    let wait = move || waitpid(Pid::from_raw(process), None);
    tokio::task::spawn_blocking(wait).await.expect("waited for").expect("adopted");
}

/// How many runs of the workspace are not confirmed.
pub fn spooled(workspace: &Workspace) -> usize {
    std::fs::read_dir(workspace.path(".trace/spool")).expect("read").count()
}
