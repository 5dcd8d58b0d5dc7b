//! The hosted product's published client, `origami-trace` 0.1.4 from `PyPI`, unmodified, against our server.
//!
//! `make test` installs it into `target/published-client`; `OTRACE_PUBLISHED_CLIENT` names another `otrace` to drive.
//! What it speaks is described in `docs/api.md`.

mod importing;
mod reading;
mod recording;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const WORKSPACE: &str = "wake-word-lab";

/// A person at a machine of their own: a home, and a workspace that is a git repository with one commit.
struct Person {
    folder: TempDir,
    settings: Vec<(&'static str, String)>,
}

/// How a command ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Person {
    /// A person who has set `TRACE_API_URL` and `TRACE_API_KEY`.
    async fn with_key(url: impl Into<String>, key: &str) -> Self {
        let mut person = Self::without_settings().await;
        person.settings = vec![("TRACE_API_URL", url.into()), ("TRACE_API_KEY", key.to_owned())];
        person
    }

    /// A person with a key who has made their workspace one of its project, as the client's `run` needs it.
    async fn set_up(url: impl Into<String>, key: &str) -> Self {
        let person = Self::with_key(url, key).await;
        person.otrace(&["init"]).await.text();
        person
    }

    async fn without_settings() -> Self {
        let person = Self { folder: tempfile::tempdir().expect("a folder"), settings: Vec::new() };
        std::fs::create_dir_all(person.workspace()).expect("a workspace");
        person.write("train.sh", TRAIN);
        person.write("configs/base.json", r#"{"hidden": 12}"#);
        person.git(&["init", "--quiet"]).await;
        person.git(&["add", "."]).await;
        person.git(&["commit", "--quiet", "--message", "A first model"]).await;
        person
    }

    fn workspace(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("a real folder").join(WORKSPACE)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.workspace().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("written");
    }

    fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A program with this person's environment and nothing of ours but the PATH.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.workspace())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .kill_on_drop(true);
        command
    }

    async fn git(&self, args: &[&str]) -> String {
        let mut git = self.command("git");
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]).args(args);
        let output = git.output().await.expect("git is installed");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    async fn otrace(&self, args: &[&str]) -> Ended {
        self.otrace_with_input("", args).await
    }

    async fn otrace_with_input(&self, input: &str, args: &[&str]) -> Ended {
        let mut otrace = self.command(published_client());
        otrace.args(args).envs(self.settings.iter().cloned());
        otrace.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = otrace.spawn().expect("the published client starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).await.expect("the published client reads its input");
        drop(stdin);
        let output = child.wait_with_output().await.expect("the published client ends");
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// `otrace run` with an intent and a setup, the given options, and the given shell script as its command.
    async fn run(&self, options: &[&str], script: &str) -> Ended {
        let described = ["run", "--intent", "See it recorded", "--setup", "A test"];
        let args = [&described[..], options, &["--", "sh", "-c", script]].concat();
        let ended = self.otrace(&args).await;
        assert!(!ended.stderr.contains("could not"), "{}", ended.stderr);
        ended
    }
}

impl Ended {
    /// What was printed by a command that ended well.
    fn text(self) -> String {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// The JSON printed by a command that ended well.
    fn json(self) -> Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }

    /// The one line of a command that was refused.
    fn refusal(self) -> String {
        assert_eq!(self.code, Some(1), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert!(self.stderr.starts_with("otrace: "), "{}", self.stderr);
        self.stderr.trim_end().to_owned()
    }
}

fn published_client() -> PathBuf {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/published-client/bin/otrace");
    let path = std::env::var_os("OTRACE_PUBLISHED_CLIENT").map_or_else(installed, PathBuf::from);
    assert!(path.is_file(), "{} is missing: run `make test`, which installs the published client", path.display());
    path
}

/// The one item of a list whose `field` is `value`.
fn the<'a>(list: &'a Value, field: &str, value: &str) -> &'a Value {
    let mut matching = list.as_array().expect("a list").iter().filter(|item| item[field] == value);
    let first = matching.next().unwrap_or_else(|| panic!("no {field} {value} in {list:#}"));
    assert!(matching.next().is_none(), "more than one {field} {value} in {list:#}");
    first
}

fn sha256(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// A training script that leaves one output of each kind that the client parses, and a binary one.
const TRAIN: &str = r#"
set -e
mkdir -p outputs
echo "epoch 1 of 1"
echo "a warning" >&2
cat > outputs/metrics.json <<'END'
{"accuracy": 0.91, "loss": 0.25, "optimizer": "adam", "pruned": true,
 "epochs": [{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.25}]}
END
printf 'step\tlr\n1\t0.1\n2\t0.01\n' > outputs/schedule.tsv
printf '| class | f1 |\n| --- | --- |\n| yes | 0.9 |\n| no | 0.8 |\n\nmacro f1: 0.85\n' > outputs/report.md
printf '\000\001\376\377 weights' > outputs/model.bin
: > outputs/empty.ckpt
printf 'loading\ndone\n' > outputs/train.log
"#;

/// What [`TRAIN`] writes to `outputs/model.bin`.
const MODEL: &[u8] = b"\x00\x01\xfe\xff weights";

const TRAIN_OPTIONS: &[&str] = &[
    "--title",
    "Baseline",
    "--tag",
    "baseline",
    "--tag",
    "small",
    "--config",
    "configs/base.json",
    "--expect-artifact",
    "outputs/metrics.json",
    "--expect-artifact",
    "outputs/schedule.tsv",
    "--expect-artifact",
    "outputs/report.md",
    "--expect-artifact",
    "outputs/model.bin",
    "--expect-artifact",
    "outputs/empty.ckpt",
    "--expect-log",
    "outputs/*.log",
];
