//! The real binary: its private PostgreSQL, and what scripts do with it.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tempfile::TempDir;

const SERVER: &str = env!("CARGO_BIN_EXE_otrace-server");

/// A data directory that the user whom root hands PostgreSQL to may enter.
struct DataDir(TempDir);

impl DataDir {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(SERVER);
        command.args(arguments).arg("--data-dir").arg(self.path());
        command.env_remove("DATABASE_URL").env_remove("OTRACE_DATA_DIR").env_remove("OTRACE_LISTEN");
        command
    }

    fn serve(&self) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.split_whitespace().find(|word| word.starts_with("http://")) else {
            let mut log = String::new();
            child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            panic!("the server did not start: {line}{log}");
        };
        Server { url: url.replace("localhost", "127.0.0.1"), child }
    }

    /// Runs a command that prints one JSON object.
    fn script(&self, arguments: &[&str], stdin: &str) -> Value {
        let output = self.run(arguments, stdin);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        serde_json::from_str(&stdout).unwrap()
    }

    fn run(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that fails at once does not read what it is given.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn set_up(&self) -> Keyed {
        self.script(&["user", "create", "--email", "ada@example.org", "--password-stdin"], "correct horse battery\n");
        let project = self.script(
            &["project", "create", "--owner", "ada@example.org", "--name", "Wake word", "--description", "12 KB"],
            "",
        );
        let id = project["id"].as_str().unwrap().to_owned();
        let key = self.script(&["key", "create", "--project", &id, "--name", "script"], "");
        assert_eq!(key["prefix"].as_str().unwrap(), &key["key"].as_str().unwrap()[..8]);
        Keyed { project: id, key: key["key"].as_str().unwrap().to_owned() }
    }

    fn postgres_pid(&self) -> Option<i32> {
        let text = fs::read_to_string(self.path().join("postgres/data/postmaster.pid")).ok()?;
        text.lines().next()?.parse().ok()
    }
}

struct Keyed {
    project: String,
    key: String,
}

struct Server {
    url: String,
    child: Child,
}

impl Server {
    async fn whoami(&self, key: &str) -> Value {
        let answer =
            reqwest::Client::new().get(format!("{}/v1/auth/whoami", self.url)).bearer_auth(key).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("otrace-server: "), "{text}");
    text
}

#[tokio::test]
async fn a_script_sets_up_an_account_a_project_and_a_key_beside_a_running_server() {
    let data = DataDir::new();
    let server = data.serve();
    let keyed = data.set_up();
    let whoami = server.whoami(&keyed.key).await;
    assert_eq!(whoami["account"]["email"], "ada@example.org");
    assert_eq!(whoami["project"]["id"], keyed.project);
    for path in ["live", "ready"] {
        assert!(reqwest::get(format!("{}/health/{path}", server.url)).await.unwrap().status().is_success(), "{path}");
    }
    server.stop();
    assert_eq!(data.postgres_pid(), None, "PostgreSQL stops with the server");
}

#[tokio::test]
async fn a_script_sets_up_a_stopped_server_too() {
    let data = DataDir::new();
    let keyed = data.set_up();
    assert_eq!(data.postgres_pid(), None, "the commands stop what they started");
    let server = data.serve();
    assert_eq!(server.whoami(&keyed.key).await["project"]["name"], "Wake word");
    server.stop();
}

#[test]
fn an_account_that_is_made_without_a_password_comes_with_a_link_to_choose_one() {
    let data = DataDir::new();
    let arguments = ["user", "create", "--email", "ada@example.org", "--public-url", "https://trace.example.org"];
    let made = data.script(&arguments, "");
    let link = made["link"].as_str().unwrap();
    assert!(link.starts_with("https://trace.example.org/reset/trr_"), "{link}");
}

#[test]
fn signing_keys_are_made_without_a_server_and_never_over_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys/signing-keys");
    let make = || {
        let arguments = ["secrets", "create", "--signing-keys-file", file.to_str().unwrap()];
        let output = Command::new(SERVER).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read_to_string(&file).unwrap()
    };
    let keys = make();
    assert_eq!(make(), keys);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn commands_say_what_was_wrong_and_change_nothing() {
    let data = DataDir::new();
    data.set_up();
    for (arguments, stdin, sentence) in [
        (
            &["user", "create", "--email", "bob", "--password-stdin"][..],
            "correct horse battery",
            "Enter an e-mail address",
        ),
        (&["user", "create", "--email", "bob@example.org", "--password-stdin"], "short", "at least 12 characters"),
        (&["user", "create", "--email", "bob@example.org", "--password-stdin"], "", "no password on standard input"),
        (
            &["user", "create", "--email", "ada@example.org", "--password-stdin"],
            "correct horse battery",
            "has an account already",
        ),
        (&["project", "create", "--owner", "bob@example.org", "--name", "x"], "", "Account not found"),
        (
            &["key", "create", "--project", "0193e9a0-0000-7000-8000-000000000000", "--name", "x"],
            "",
            "Project not found",
        ),
    ] {
        let text = refusal(&data.run(arguments, stdin));
        assert!(text.contains(sentence), "{arguments:?}: {text}");
    }
}

#[tokio::test]
async fn nothing_is_lost_when_the_server_is_killed() {
    let data = DataDir::new();
    let keyed = data.set_up();
    data.serve().kill();
    // Its PostgreSQL may still be on its way out: the next start stops it cleanly.
    let server = data.serve();
    assert_eq!(server.whoami(&keyed.key).await["project"]["name"], "Wake word");
    server.stop();
}

#[tokio::test]
async fn nothing_is_lost_when_the_server_and_its_postgres_are_killed() {
    let data = DataDir::new();
    let keyed = data.set_up();
    let mut server = data.serve();
    let postgres = Pid::from_raw(data.postgres_pid().unwrap());
    server.signal(Signal::SIGSTOP);
    kill(postgres, Signal::SIGKILL).unwrap();
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(data.path().join("postgres/data/postmaster.pid").exists(), "a stale pid file is left behind");
    let server = data.serve();
    assert_eq!(server.whoami(&keyed.key).await["project"]["name"], "Wake word");
    server.stop();
}

#[tokio::test]
async fn a_server_whose_postgres_dies_ends_and_says_so() {
    let data = DataDir::new();
    let mut server = data.serve();
    kill(Pid::from_raw(data.postgres_pid().unwrap()), Signal::SIGKILL).unwrap();
    assert_eq!(server.child.wait().unwrap().code(), Some(1));
    let mut log = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("the private PostgreSQL ended by itself") && log.contains("postgres.log"), "{log}");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let data = DataDir::new();
    let server = data.serve();
    let second = refusal(&data.run(&["serve", "--listen", "127.0.0.1:0"], ""));
    assert!(second.contains("is in use by another otrace-server") && second.contains("--data-dir"), "{second}");
    server.stop();
}

#[tokio::test]
async fn a_taken_port_is_told_before_anything_starts() {
    let data = DataDir::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = refusal(&data.run(&["serve", "--listen", &taken.local_addr().unwrap().to_string()], ""));
    assert!(refused.contains("is another server on this port? Choose one with --listen"), "{refused}");
    assert!(!data.path().exists());
}

#[tokio::test]
async fn the_private_postgres_is_reached_by_its_socket_only_and_syncs_to_disk() {
    let data = DataDir::new();
    let server = data.serve();
    let options = PgConnectOptions::new_without_pgpass()
        .socket(data.path().join("postgres/run"))
        .username("otrace")
        .database("otrace");
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    for (setting, value) in [
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
    ] {
        let found: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, value, "{setting}");
    }
    for folder in ["postgres", "postgres/data", "postgres/run", "blobs"] {
        let mode = fs::metadata(data.path().join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
    connection.close().await.unwrap();
    server.stop();
}

#[tokio::test]
async fn an_initdb_that_was_killed_half_way_is_done_again() {
    let data = DataDir::new();
    data.serve().stop();
    let home = data.path().join("postgres");
    fs::rename(home.join("data"), home.join("data.new")).unwrap();
    fs::remove_file(home.join("data.new/PG_VERSION")).unwrap();
    data.serve().stop();
    assert!(!home.join("data.new").exists());
}

#[tokio::test]
async fn data_of_a_missing_postgres_version_is_left_alone_with_the_way_out() {
    let data = DataDir::new();
    data.serve().stop();
    let version = data.path().join("postgres/data/PG_VERSION");
    let real = fs::read_to_string(&version).unwrap();
    fs::write(&version, "9\n").unwrap();
    let refused = refusal(&data.run(&["serve", "--listen", "127.0.0.1:0"], ""));
    assert!(refused.contains("made by PostgreSQL 9") && refused.contains("docs/operations.md"), "{refused}");
    fs::write(&version, real).unwrap();
    data.serve().stop();
}

#[test]
fn a_folder_named_for_postgres_that_holds_none_is_told() {
    let data = DataDir::new();
    let output = data.command(&["serve", "--listen", "127.0.0.1:0"]).env("OTRACE_PG_BIN", "/nowhere").output().unwrap();
    let text = refusal(&output);
    assert!(text.contains("OTRACE_PG_BIN is /nowhere, which holds no initdb and postgres"), "{text}");
}

#[tokio::test]
async fn a_data_directory_with_a_long_name_works_too() {
    let mut data = DataDir::new();
    let long = data.0.path().join("a".repeat(120));
    fs::create_dir(&long).unwrap();
    let nested = TempDir::new_in(&long).unwrap();
    fs::set_permissions(nested.path(), Permissions::from_mode(0o755)).unwrap();
    let parent = std::mem::replace(&mut data.0, nested);
    let keyed = data.set_up();
    let server = data.serve();
    assert_eq!(server.whoami(&keyed.key).await["project"]["id"], keyed.project);
    server.stop();
    drop(data);
    drop(parent);
}

#[test]
fn help_tells_every_setting_with_its_environment_variable() {
    let output = Command::new(SERVER).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for setting in [
        "--listen",
        "OTRACE_LISTEN",
        "--data-dir",
        "OTRACE_DATA_DIR",
        "--database-url",
        "DATABASE_URL",
        "--storage-url",
        "OTRACE_STORAGE_URL",
        "--public-url",
        "OTRACE_PUBLIC_URL",
        "--instance-name",
        "OTRACE_INSTANCE_NAME",
    ] {
        assert!(help.contains(setting), "{setting}: {help}");
        assert!(operations().contains(setting), "docs/operations.md does not name {setting}");
    }
}

fn operations() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md")).unwrap()
}
