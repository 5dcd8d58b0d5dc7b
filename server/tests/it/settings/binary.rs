//! The real binary on a schema and in a folder of its own, with no setting of whoever runs the tests.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

const SERVER: &str = env!("CARGO_BIN_EXE_otrace-server");

/// What one server has to itself.
pub struct Machine {
    folder: TempDir,
    /// Its schema.
    pub database_url: String,
}

/// A server that runs, until it is stopped or dropped.
pub struct Running {
    pub address: SocketAddr,
    log: PathBuf,
    child: Child,
}

/// All that a command printed.
pub fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl Machine {
    pub async fn new() -> Self {
        let url = std::env::var("OTRACE_TEST_DATABASE_URL").unwrap();
        let schema = format!("test_{}", Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let more = if url.contains('?') { '&' } else { '?' };
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        Self { folder, database_url: format!("{url}{more}options=-csearch_path%3D{schema}") }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes a file beside the data directory.
    pub fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(SERVER);
        let kept = std::env::vars_os().filter(|(name, _)| ["PATH", "TMPDIR"].iter().any(|kept| name == kept));
        command.args(arguments).env_clear().envs(kept);
        command.env("OTRACE_DATA_DIR", self.data_dir()).env("DATABASE_URL", &self.database_url);
        command
    }

    pub fn run(&self, mut command: Command, stdin: &str) -> Output {
        command.current_dir(self.folder.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that fails at once does not read what it is given.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a command that prints one JSON object.
    pub fn script(&self, arguments: &[&str], stdin: &str) -> Value {
        let output = self.run(self.command(arguments), stdin);
        assert!(output.status.success(), "{}", text_of(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Starts a server on a free port.
    pub fn serve(&self, variables: &[(&str, &str)]) -> Running {
        let log = self.folder.path().join("log");
        let stderr = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = self.command(&["serve"]);
        // One that is called otherwise does not say its port.
        let is_named = variables.iter().any(|(name, _)| *name == "OTRACE_PUBLIC_URL");
        let port = if is_named { free_port() } else { 0 };
        command.env("OTRACE_LISTEN", format!("127.0.0.1:{port}")).envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("Trace is ready"), "{line}{}", fs::read_to_string(&log).unwrap());
        let said = line.split_whitespace().find_map(|word| word.strip_prefix("http://localhost:")?.parse().ok());
        Running { address: ([127, 0, 0, 1], said.unwrap_or(port)).into(), log, child }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(self.url(path)).await.unwrap()
    }

    /// All that it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The lines of a log that is written as JSON.
    pub fn events(&self) -> Vec<Value> {
        self.log().lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    }

    /// Tells it to read again what may have changed.
    pub fn hang_up(&self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGHUP).unwrap();
    }

    /// Stops it in order, and waits for it.
    pub fn stop(mut self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
