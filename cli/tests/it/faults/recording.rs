//! One recording of a command whose every byte is known, and what the server has to have of it in the end.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use otrace_server::testing::TestProject;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use super::api::Api;
use super::proxy::Proxy;
use crate::sync_harness::spooled;
use crate::workspace::{Answer, Workspace};

/// How long any one step may take.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// What the command prints: no text, and no end of line.
pub const STDOUT: &[u8] = b"out \xff\x00 first\nsecond\nno end";
pub const STDERR: &[u8] = b"told \xfe\n";
pub const ARTIFACT: &[u8] = b"\x00weights\xff";
/// The values of the series `loss`, from step 0 on.
pub const LOSSES: [&str; 5] = ["0.5", "0.25", "NaN", "0.125", "2.0"];

/// Waits at `gate` with all of its output behind it. As long as it lives, it holds `alive` open.
const SCRIPT: &str = r#"exec 3>alive
printf '\000weights\377' > out.bin
step=0
for loss in 0.5 0.25 NaN 0.125 2.0; do
    echo "{\"step\": $step, \"loss\": $loss}" >> "$TRACE_METRICS"
    step=$((step + 1))
done
printf 'out \377\000 first\nsecond\nno end'
printf 'told \376\n' >&2
read go < gate
exit 3"#;

/// A workspace in which the command runs, or has run.
pub struct Recording {
    /// Where it runs.
    pub workspace: Workspace,
    pid: Pid,
    status: JoinHandle<ExitStatus>,
    stdout: Stream,
    stderr: Stream,
    gate: File,
    /// Comes to its end when the command has.
    command: JoinHandle<()>,
}

/// How `otrace` ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// What `otrace` has printed so far.
struct Stream {
    bytes: watch::Receiver<Vec<u8>>,
    reading: JoinHandle<()>,
}

/// How a run may have ended, as the server is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As the command did.
    Known,
    /// As it did, or unknown, as its `otrace` was killed.
    KnownOrNot,
}

impl Api {
    /// The one run of the project is there in whole, each byte once, and ended.
    pub async fn has_all(&self, end: End) {
        let run = self.only_run().await;
        let ended = (&run["status"], &run["exit_code"]);
        let is_unknown = end == End::KnownOrNot && ended == (&json!("capture_failed"), &Value::Null);
        assert!(is_unknown || ended == (&json!("failed"), &json!(3)), "how it ended: {ended:?}");
        for (stream, expected) in [("stdout", STDOUT), ("stderr", STDERR)] {
            let found = self.log(stream).await;
            assert_eq!(show(&found), show(expected), "{stream}");
        }
        let artifacts = run["artifacts"].as_array().expect("a list");
        assert_eq!(artifacts.len(), 1, "{artifacts:?}");
        let artifact = self.artifact(artifacts[0]["id"].as_str().expect("an id")).await;
        assert_eq!(show(&artifact), show(ARTIFACT), "the artifact");
        let expected = LOSSES.iter().enumerate().map(|(step, loss)| (step.to_string(), (*loss).to_owned()));
        assert_eq!(self.points("loss").await, expected.collect::<Vec<_>>(), "the series");
    }

    /// The command was not started: if the server has the run, it does not wait for its end.
    pub async fn waits_for_nothing(&self) {
        let runs = self.runs().await;
        assert!(runs.len() <= 1, "{} runs", runs.len());
        let waiting = runs.iter().find(|run| run["status"] != "capture_failed");
        assert!(waiting.is_none(), "a run whose command was never started is {}", waiting.expect("it")["status"]);
    }
}

/// All that the command prints, on either stream.
pub fn printed() -> Vec<u8> {
    [STDOUT, STDERR].concat()
}

/// Bytes, to be read by people.
pub fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

impl Recording {
    /// Starts `otrace`, with these options besides what it needs.
    pub fn start(workspace: Workspace, options: &[&str]) -> Self {
        Self::of(SCRIPT, workspace, options)
    }

    /// The same with another script, which says by `alive` how long it runs, and may wait at `gate`.
    pub fn of(script: &str, workspace: Workspace, options: &[&str]) -> Self {
        for name in ["alive", "gate"] {
            mkfifo(&workspace.path(name), Mode::S_IRWXU).expect("a pipe");
        }
        // Open for both, so that neither end waits for the other.
        let gate = OpenOptions::new().read(true).write(true).open(workspace.path("gate")).expect("opened");
        let alive = workspace.path("alive");
        let command = tokio::task::spawn_blocking(move || {
            let read = File::open(alive).and_then(|mut alive| alive.read_to_end(&mut Vec::new()));
            read.expect("the pipe is read");
        });
        let common = ["run", "--intent", "i", "--setup", "s", "--expect-artifact", "out.bin"];
        let args = [&common, options, &["--", "sh", "-c", script]].concat();
        let mut child = workspace.command(&args).spawn().expect("started");
        let pid = Pid::from_raw(child.id().expect("a process").cast_signed());
        let stdout = Stream::of(child.stdout.take().expect("an output"));
        let stderr = Stream::of(child.stderr.take().expect("an output"));
        let status = tokio::spawn(async move { child.wait().await.expect("ended") });
        Self { workspace, pid, status, stdout, stderr, gate, command }
    }

    /// One whose server and key are these.
    pub fn through(proxy: &Proxy, key: &str) -> Self {
        let workspace = Workspace::new().set("TRACE_API_URL", proxy.url()).set("TRACE_API_KEY", key);
        Self::start(workspace, &[])
    }

    /// The same, where it is said which project is meant.
    pub fn of_project(proxy: &Proxy, project: &TestProject) -> Self {
        let workspace = Workspace::new().set("TRACE_API_URL", proxy.url()).set("TRACE_API_KEY", &project.key);
        Self::start(workspace.set("TRACE_PROJECT_ID", &project.id.to_string()), &[])
    }

    /// Waits until everything that the command prints has come through.
    pub async fn has_printed(&mut self) {
        let (stdout, stderr) = tokio::join!(self.stdout.until(STDOUT), self.stderr.until(STDERR));
        assert!(stdout && stderr, "{}", show(&self.stderr.bytes.borrow()));
    }

    /// Waits until this has come through on standard output.
    pub async fn prints(&mut self, wanted: &[u8]) {
        assert!(self.stdout.until(wanted).await, "{}", show(&self.stdout.bytes.borrow()));
    }

    /// Lets the command end.
    pub fn release(&mut self) {
        self.gate.write_all(b"go\n").expect("written");
    }

    /// Kills `otrace` as nothing can be caught, and waits until it has gone.
    pub async fn kill(&mut self) {
        kill(self.pid, Signal::SIGKILL).expect("it runs");
        timeout(PATIENCE, &mut self.status).await.expect("in time").expect("waited for");
    }

    /// Waits until the command has ended, if it has begun.
    pub async fn command_ended(&mut self) {
        // Whoever waits for a command that never began is let go.
        drop(OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(self.workspace.path("alive")));
        timeout(PATIENCE, &mut self.command).await.expect("in time").expect("read");
    }

    /// Waits until `otrace` has ended.
    pub async fn otrace_ended(&mut self) -> Ended {
        let status = timeout(PATIENCE, &mut self.status).await.expect("in time").expect("waited for");
        self.command_ended().await;
        let (stdout, stderr) = tokio::join!(self.stdout.whole(), self.stderr.whole());
        Ended { code: status.code(), stdout, stderr }
    }

    /// Sends what is missing.
    pub async fn sync(&self) -> Answer {
        timeout(PATIENCE, self.workspace.otrace(&["sync"])).await.expect("in time")
    }

    /// What is missing is sent at the first attempt, and nothing is left to be sent.
    pub async fn syncs(&self) {
        let answer = self.sync().await;
        assert_eq!(answer.code, 0, "otrace sync: {}{}", answer.stdout, answer.stderr);
        assert_eq!(spooled(&self.workspace), 0, "what is left in the spool");
    }
}

impl Stream {
    fn of(mut from: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, bytes) = watch::channel(Vec::new());
        let reading = tokio::spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = from.read(&mut buffer).await {
                sender.send_modify(|bytes| bytes.extend_from_slice(&buffer[..length]));
            }
        });
        Self { bytes, reading }
    }

    /// Waits until these bytes have come; whether they have.
    async fn until(&mut self, wanted: &[u8]) -> bool {
        let found = timeout(PATIENCE, self.bytes.wait_for(|bytes| count(bytes, wanted) > 0)).await;
        found.is_ok_and(|found| found.is_ok())
    }

    async fn whole(&mut self) -> Vec<u8> {
        timeout(PATIENCE, &mut self.reading).await.expect("in time").expect("read");
        self.bytes.borrow().clone()
    }
}

/// Whether the command was started. If so, its exit code and what it printed came through as they were.
pub fn was_started(output: &Ended) -> bool {
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.code == Some(1) {
        assert!(stderr.contains("the command was not started"), "{stderr}");
        assert_eq!(count(&output.stdout, b"first"), 0, "it printed nothing");
        return false;
    }
    assert_eq!(output.code, Some(3), "the exit code; {stderr}");
    assert!(output.stdout == STDOUT, "stdout: {}", show(&output.stdout));
    assert_eq!(count(&output.stderr, STDERR), 1, "stderr: {}", show(&output.stderr));
    true
}

/// How often bytes stand in others.
pub fn count(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).filter(|window| *window == wanted).count()
}
