//! A real `otrace run` whose command waits until the test lets it end.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::PATIENCE;

/// What the command prints before it waits, and in the end.
pub const BEFORE: &str = "before\n";
pub const ALL: &str = "before\nafter\n";
/// The artifact that it leaves in the end.
pub const ARTIFACT: &[u8] = b"weights";

const SCRIPT: &str = "echo before; read go < gate; echo after; printf weights > model.bin";

/// A recording that goes on. `otrace` is killed when this is dropped, and its command ends then.
pub struct Recording {
    child: Child,
    gate: File,
    _home: TempDir,
}

impl Recording {
    /// Starts it, for a server at this address.
    pub fn start(url: &str, key: &str) -> Self {
        // It lies beside the server, if all of the workspace was built, as `make test` does.
        let program = Path::new(env!("CARGO_BIN_EXE_otrace-server")).with_file_name("otrace");
        assert!(program.exists(), "build the client first: cargo build -p otrace-cli");
        let home = tempfile::tempdir().unwrap();
        let workspace = home.path().join("demo");
        fs::create_dir(&workspace).unwrap();
        let gate = workspace.join("gate");
        mkfifo(&gate, Mode::S_IRWXU).unwrap();
        // Open for both, so that neither end waits for the other to be opened.
        let gate = OpenOptions::new().read(true).write(true).open(&gate).unwrap();
        let described = ["run", "--intent", "be there afterwards", "--setup", "as before"];
        let child = Command::new(program)
            .args(described)
            .args(["--expect-artifact", "model.bin", "--", "sh", "-c", SCRIPT])
            .current_dir(&workspace)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path().join("config"))
            .env("TRACE_API_URL", url)
            .env("TRACE_API_KEY", key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, gate, _home: home }
    }

    /// Lets the command end, and waits until `otrace` has.
    pub async fn end(self) -> Output {
        let Self { child, mut gate, _home } = self;
        gate.write_all(b"go\n").unwrap();
        timeout(PATIENCE, child.wait_with_output()).await.expect("otrace ends when its command has").unwrap()
    }
}
