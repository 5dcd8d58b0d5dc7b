//! A directory to run `otrace` in, far from this machine's own settings.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use otrace_server::testing::TestServer;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Where nothing but a test's own files are.
pub struct Workspace {
    home: TempDir,
    variables: Vec<(String, String)>,
}

/// What `otrace` said.
pub struct Answer {
    pub stdout: String,
    pub stdout_bytes: Vec<u8>,
    pub stderr: String,
    pub code: i32,
}

impl Workspace {
    /// One without any setting.
    pub fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(home.path().join("demo")).expect("a workspace");
        Self { home, variables: Vec::new() }
    }

    /// One whose environment names a server and a key.
    pub fn with_key(server: &TestServer, key: &str) -> Self {
        Self::new().set("TRACE_API_URL", server.url()).set("TRACE_API_KEY", key)
    }

    /// The same with one more variable.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The directory, as `otrace` names it.
    pub fn root(&self) -> PathBuf {
        self.home.path().join("demo").canonicalize().expect("a path")
    }

    /// Where the login is saved.
    pub fn saved_login(&self) -> PathBuf {
        self.home.path().join("config/trace/config.json")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a text file")
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// `otrace` with these arguments, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_otrace"));
        command
            .args(args)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("PATH"))
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.home.path().join("config"))
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs `otrace` to its end.
    pub async fn otrace(&self, args: &[&str]) -> Answer {
        answer(self.command(args).output().await.expect("otrace runs"))
    }

    /// Runs `otrace` with something to read on its standard input.
    pub async fn otrace_reading(&self, args: &[&str], input: &str) -> Answer {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().expect("otrace starts");
        let mut stdin = child.stdin.take().expect("an input");
        stdin.write_all(input.as_bytes()).await.expect("it is read");
        drop(stdin);
        answer(child.wait_with_output().await.expect("otrace ends"))
    }

    /// Records a shell script that is expected to leave `out.txt`.
    pub async fn run(&self, script: &str) -> Answer {
        self.run_with(&["--expect-artifact", "out.txt"], script).await
    }

    /// Records a shell script, with these options besides intent and setup.
    pub async fn run_with(&self, options: &[&str], script: &str) -> Answer {
        let mut args = vec!["run", "--intent", "to see", "--setup", "as it is"];
        args.extend(options);
        args.extend(["--", "sh", "-c", script]);
        self.otrace(&args).await
    }

    /// Runs git, as somebody.
    pub async fn git(&self, args: &[&str]) -> String {
        let someone = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"];
        let output = Command::new("git")
            .args(someone)
            .args(args)
            .current_dir(self.root())
            .env("HOME", self.home.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .await
            .expect("git runs");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

fn answer(output: std::process::Output) -> Answer {
    Answer {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stdout_bytes: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().expect("otrace is not killed"),
    }
}

impl Answer {
    /// Asserts success.
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Asserts a failure that is told in one line, and perhaps a hint below it. Gives both.
    pub fn refusal(&self) -> &str {
        self.told_with(1)
    }

    /// The same where nobody could be asked.
    pub fn unasked(&self) -> &str {
        self.told_with(2)
    }

    fn told_with(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        let mut told = self.stderr.trim_end_matches('\n');
        // What `otrace run` says of itself before anything can go wrong.
        for said in ["Using RunSpec: ", "RunSpec will be saved"] {
            if told.starts_with(said) {
                told = told.split_once('\n').map_or("", |(_, rest)| rest);
            }
        }
        let mut lines = told.lines();
        assert!(lines.next().is_some_and(|line| line.starts_with("error: ")), "{told}");
        assert!(lines.next().is_none_or(|line| line.starts_with("hint: ")), "{told}");
        assert_eq!(lines.next(), None, "more than a line and a hint: {told}");
        told
    }
}

/// A run as the server has it.
pub async fn recorded(server: &TestServer, key: &str, run: &str) -> Value {
    server.get_json(key, &format!("/v1/runs/{run}")).await["run"].clone()
}

/// How many runs the project has.
pub async fn run_count(server: &TestServer, key: &str) -> i64 {
    server.get_json(key, "/v1/runs/count").await["count"].as_i64().expect("a number")
}

/// The permission bits of a file.
pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// The address of a server that is not there.
pub fn nowhere() -> String {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let address = socket.local_addr().expect("an address");
    // Held by this test and never listened on, so that no other test's server gets the port.
    std::mem::forget(socket);
    format!("http://{address}")
}

/// The address of a server that may be started there.
pub fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}
