//! `otrace-server doctor`: a healthy server, and each thing that can be broken.

mod postgres;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use postgres::RefusingPostgres;
use serde_json::Value;

use crate::settings::binary::{Machine, text_of};

/// What the doctor found: whether all is well, and each check's name, status and words.
struct Findings {
    is_well: bool,
    checks: Vec<(String, String, String)>,
}

impl Findings {
    /// Whether a check of this name has this status and these words.
    fn say(&self, name: &str, status: &str, words: &str) -> bool {
        self.checks.iter().any(|check| check.0 == name && check.1 == status && check.2.contains(words))
    }

    #[track_caller]
    fn expect(&self, name: &str, status: &str, words: &str) {
        assert!(self.say(name, status, words), "{name} {status} {words}: {:#?}", self.checks);
        assert_eq!(self.is_well, self.checks.iter().all(|check| check.1 != "failed"));
    }
}

fn examine(machine: &Machine, arguments: &[&str], variables: &[(&str, &str)]) -> Findings {
    let mut command = machine.command(&[&["doctor", "--json"][..], arguments].concat());
    command.envs(variables.iter().copied());
    let output = machine.run(command, "");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text_of(&output)));
    let is_well = told["ok"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!is_well)), "{}", text_of(&output));
    let word = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    let checks = told["checks"].as_array().unwrap();
    let checks = checks.iter().map(|check| (word(check, "name"), word(check, "status"), word(check, "message")));
    Findings { is_well, checks: checks.collect() }
}

#[tokio::test]
async fn a_healthy_server_is_called_so() {
    let machine = Machine::new().await;
    let server = machine.serve(&[]);
    let listen = server.address.to_string();
    let found = examine(&machine, &["--listen", &listen], &[]);
    assert!(found.is_well, "{:#?}", found.checks);
    for (name, words) in [
        ("settings", "for its own machine"),
        ("secrets", "the signing keys are in"),
        ("database", "answers"),
        ("clock", "agrees with the database's"),
        ("schema", "up to date"),
        ("storage", "written, read, listed and deleted"),
        ("server", "listens at"),
        ("address", "leads to the server"),
        ("proxy", "none is needed"),
        ("mail", "there is no mail server"),
    ] {
        found.expect(name, "ok", words);
    }

    // A person gets a line for each.
    let output = machine.run(machine.command(&["doctor", "--listen", &listen]), "");
    assert!(output.status.success());
    let text = text_of(&output);
    assert_eq!(text.lines().count(), found.checks.len(), "{text}");
    assert!(text.lines().any(|line| line.starts_with("ok       schema       up to date")), "{text}");
    server.stop();
}

#[tokio::test]
async fn a_server_in_a_container_whose_port_has_another_number_outside_is_not_called_ill() {
    let machine = Machine::new().await;
    let server = machine.serve(&[]);
    let everywhere = format!("0.0.0.0:{}", server.address.port());
    let arguments = ["--listen", &everywhere, "--public-url", "http://localhost:1", "--insecure-http"];
    let found = examine(&machine, &arguments, &[]);
    assert!(found.is_well, "{:#?}", found.checks);
    found.expect("address", "warning", "Ask on the machine itself: curl http://localhost:1/health/live");
    server.stop();
}

#[tokio::test]
async fn a_server_that_was_never_started_has_nothing_yet_and_the_doctor_makes_nothing() {
    let machine = Machine::new().await;
    let found = examine(&machine, &["--listen", "127.0.0.1:1"], &[("DATABASE_URL", "")]);
    assert!(found.is_well, "{:#?}", found.checks);
    found.expect("database", "ok", "the first start makes a private PostgreSQL");
    found.expect("secrets", "ok", "the first start makes them");
    found.expect("storage", "ok", "the first start makes it");
    found.expect("server", "warning", "nothing listens");
    found.expect("address", "warning", "does not answer");
    assert!(!machine.data_dir().exists());
}

#[tokio::test]
async fn a_database_that_refuses_the_password_is_told_without_the_password() {
    let machine = Machine::new().await;
    let postgres = RefusingPostgres::start();
    let url = format!("postgres://otrace:planted-password@127.0.0.1:{}/otrace", postgres.port());
    let mut command = machine.command(&["doctor", "--listen", "127.0.0.1:1"]);
    command.env("DATABASE_URL", url);
    let output = machine.run(command, "");
    assert_eq!(output.status.code(), Some(1));
    let text = text_of(&output);
    assert!(text.contains("failed   database ") && text.contains("password authentication failed"), "{text}");
    assert!(text.contains("otrace-server: 1 of ") && !text.contains("planted-password"), "{text}");
}

#[tokio::test]
async fn what_others_run_and_what_is_away_is_told_with_what_to_do() {
    let machine = Machine::new().await;
    let found = examine(
        &machine,
        &["--listen", "127.0.0.1:1"],
        &[
            ("OTRACE_STORAGE_URL", "s3://bucket"),
            ("AWS_ENDPOINT", "http://127.0.0.1:1"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "planted-secret"),
            ("OTRACE_SMTP_URL", "smtp://localhost:1"),
            ("OTRACE_OIDC_ISSUER", "http://127.0.0.1:1"),
            ("OTRACE_OIDC_CLIENT_ID", "trace"),
        ],
    );
    found.expect("storage", "failed", "Check OTRACE_STORAGE_URL");
    found.expect("mail", "failed", "Check OTRACE_SMTP_URL");
    found.expect("sign-in", "failed", "SSO is out of reach");
    assert!(found.checks.iter().all(|check| !check.2.contains("planted-secret")), "{:#?}", found.checks);
}

#[tokio::test]
async fn a_folder_of_contents_that_is_none_is_told() {
    let machine = Machine::new().await;
    let file = machine.file("contents", "a file", 0o600);
    let url = format!("file://{}", file.display());
    let found = examine(&machine, &["--listen", "127.0.0.1:1"], &[("OTRACE_STORAGE_URL", &url)]);
    found.expect("storage", "failed", "is no folder");

    // Root may write everywhere.
    if nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = machine.data_dir();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o500)).unwrap();
    let url = format!("file://{}", folder.display());
    let found = examine(&machine, &["--listen", "127.0.0.1:1"], &[("OTRACE_STORAGE_URL", &url)]);
    found.expect("storage", "failed", "an object can't be written");
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn unsafe_settings_are_told_as_the_server_would_refuse_them() {
    let machine = Machine::new().await;
    let provider = [("OTRACE_OIDC_ISSUER", "http://127.0.0.1:1"), ("OTRACE_OIDC_CLIENT_ID", "trace")];
    let arguments = ["--listen", "127.0.0.1:1", "--public-url", "http://trace.invalid", "--insecure-http"];
    let found = examine(&machine, &arguments, &provider);
    found.expect("settings", "failed", "People who sign in through SSO would come back over plain HTTP");
    found.expect("settings", "warning", "set OTRACE_PUBLIC_URL to the https:// address");

    let found = examine(&machine, &arguments, &[("OTRACE_PRODUCTION", "true")]);
    found.expect("settings", "failed", "leave --insecure-http");
    found.expect("settings", "failed", "There are no signing keys");

    let half = [("OTRACE_GITHUB_CLIENT_ID", "id")];
    let found = examine(&machine, &["--listen", "127.0.0.1:1"], &half);
    found.expect("settings", "failed", "OTRACE_GITHUB_CLIENT_SECRET is missing");
}

#[tokio::test]
async fn secrets_that_others_can_read_are_told() {
    let machine = Machine::new().await;
    machine.serve(&[]).stop();
    let keys = machine.data_dir().join("secrets/signing-keys");
    fs::set_permissions(&keys, Permissions::from_mode(0o666)).unwrap();
    let found = examine(&machine, &["--listen", "127.0.0.1:1"], &[]);
    found.expect("secrets", "failed", "chmod 600");

    fs::set_permissions(&keys, Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(machine.data_dir().join("blobs"), Permissions::from_mode(0o755)).unwrap();
    let found = examine(&machine, &["--listen", "127.0.0.1:1"], &[]);
    found.expect("storage", "warning", "chmod 700");
}
