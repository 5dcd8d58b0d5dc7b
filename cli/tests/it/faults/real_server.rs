//! `otrace-server` as a process of its own, which can be killed, on data that can be looked at.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

/// So often it is started anew if somebody else was quicker to take its port.
const ATTEMPTS: usize = 3;

/// Where a server keeps everything.
pub struct Data {
    /// Its data directory.
    pub folder: PathBuf,
    /// A database of somebody else's; nothing: its own.
    database_url: Option<String>,
    /// The address that it is known by.
    public_url: String,
    /// Its certificate and that one's key; nothing: it speaks without.
    tls: Option<[PathBuf; 2]>,
    /// What its environment has besides.
    variables: Vec<(&'static str, OsString)>,
    _home: Option<TempDir>,
}

/// A server that runs.
pub struct Server {
    pub url: String,
    child: Child,
}

impl Data {
    /// In a new folder, known by this address.
    pub fn new(public_url: &str) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        // PostgreSQL does not run as root, and the user that it runs as has to get there.
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).expect("opened");
        let data = Self::within(home.path(), public_url);
        Self { _home: Some(home), ..data }
    }

    /// In a folder that somebody else makes and removes.
    pub fn within(folder: &Path, public_url: &str) -> Self {
        let folder = folder.join("data");
        Self {
            folder,
            database_url: None,
            public_url: public_url.to_owned(),
            tls: None,
            variables: Vec::new(),
            _home: None,
        }
    }

    /// The same with a database of somebody else's.
    pub fn with_database(self, url: &str) -> Self {
        Self { database_url: Some(url.to_owned()), ..self }
    }

    /// The same over TLS, with this certificate and this key of it.
    pub fn over_tls(self, certificate: &Path, key: &Path) -> Self {
        Self { tls: Some([certificate.to_owned(), key.to_owned()]), ..self }
    }

    /// The same with one more variable.
    pub fn set(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // It lies beside `otrace`, if all of the workspace was built, as `make test` does.
        let program = Path::new(env!("CARGO_BIN_EXE_otrace")).with_file_name("otrace-server");
        assert!(program.exists(), "build the server first: cargo build -p otrace-server");
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args([OsStr::new("--data-dir"), self.folder.as_os_str()])
            .env_remove("DATABASE_URL")
            .env_remove("OTRACE_DATA_DIR")
            .env_remove("OTRACE_LISTEN")
            .env_remove("OTRACE_STORAGE_URL")
            // Whether everything is there is asked as fast as it goes.
            .envs([("OTRACE_API_READS_PER_SECOND", "0"), ("OTRACE_API_WRITES_PER_SECOND", "0")])
            .envs(self.database_url.as_ref().map(|url| ("DATABASE_URL", url)))
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts it.
    pub async fn serve(&self) -> Server {
        let log = self.folder.join("postgres.log");
        self.try_serve().await.unwrap_or_else(|| panic!("the server did not start; see {}", log.display()))
    }

    /// Starts it; nothing, if it does not start.
    pub async fn try_serve(&self) -> Option<Server> {
        for _ in 0..ATTEMPTS {
            // Its address is told by its name, so the port has to be known before.
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
            let arguments = ["serve", "--listen", &free.to_string(), "--public-url", &self.public_url];
            let mut command = self.command(&arguments);
            if let Some([certificate, key]) = &self.tls {
                command.arg("--tls-certificate").arg(certificate).arg("--tls-key").arg(key);
            }
            let mut child = command.stderr(Stdio::null()).spawn().expect("started");
            let mut line = String::new();
            let mut stdout = BufReader::new(child.stdout.take().expect("an output"));
            stdout.read_line(&mut line).await.expect("read");
            if line.starts_with("Trace is ready") {
                let scheme = if self.tls.is_some() { "https" } else { "http" };
                return Some(Server { url: format!("{scheme}://{free}"), child });
            }
        }
        None
    }

    /// What its own database answers, a line for each row.
    pub async fn sql(&self, statement: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let script = "source scripts/lib/postgres.bash; \
                      \"$POSTGRES_BIN/psql\" -q -A -t -v ON_ERROR_STOP=1 -h \"$1\" -U otrace otrace -c \"$2\"";
        let mut command = Command::new("bash");
        command.args(["-c", script, "bash"]).arg(self.folder.join("postgres/run")).arg(statement).current_dir(root);
        let output = command.output().await.expect("bash runs");
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    async fn script(&self, arguments: &[&str], input: &str) -> Value {
        let mut child = self.command(arguments).spawn().expect("started");
        let mut stdin = child.stdin.take().expect("an input");
        stdin.write_all(input.as_bytes()).await.expect("it is read");
        drop(stdin);
        let mut told = String::new();
        child.stdout.take().expect("an output").read_to_string(&mut told).await.expect("read");
        assert!(child.wait().await.expect("ended").success(), "{arguments:?}");
        serde_json::from_str(&told).expect("JSON")
    }

    /// Makes an account.
    pub async fn account(&self) {
        let arguments = ["user", "create", "--email", "ada@example.org", "--password-stdin"];
        self.script(&arguments, "correct horse battery\n").await;
    }

    /// Makes a project of that account; gives a key of it.
    pub async fn project(&self) -> String {
        let arguments =
            ["project", "create", "--owner", "ada@example.org", "--name", "Wake word", "--description", "12 KB"];
        let project = self.script(&arguments, "").await;
        let id = project["id"].as_str().expect("an id");
        let key = self.script(&["key", "create", "--project", id, "--name", "script"], "").await;
        key["key"].as_str().expect("a key").to_owned()
    }
}

impl Server {
    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().expect("it runs").cast_signed())
    }

    /// Kills it, and waits until it has gone.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("killed");
    }
}
