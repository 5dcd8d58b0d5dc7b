//! The clock of the machine that records is wrong, or jumps while the command runs.
//!
//! libfaketime tells `otrace`, its command and all that they start another time of day. What measures time that passes
//! goes on as on a machine whose clock is set anew.

use std::fs;
use std::path::{Path, PathBuf};

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::mounts::not_run;
use super::real_server::Data;
use super::recording::{Api, End, Recording, STDOUT, was_started};
use crate::workspace::Workspace;

/// Where Debian has it, and where others do.
const LIBRARIES: [&str; 2] = ["/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1"];
/// With a server, and without one at first.
const WAYS: [&[&str]; 2] = [&[], &["--offline"]];
/// Longer than any command here takes, in seconds.
const SHORT: f64 = 50.0;

/// The library; nothing, if it is not there, which is said.
fn library() -> Option<PathBuf> {
    let found = LIBRARIES.iter().find_map(|pattern| glob::glob(pattern).expect("a pattern").flatten().next());
    if found.is_none() {
        not_run("libfaketime: install the package faketime");
    }
    found
}

/// A workspace where it is another time.
fn workspace(library: &Path, url: &str, key: &str) -> Workspace {
    Workspace::new()
        .set("TRACE_API_URL", url)
        .set("TRACE_API_KEY", key)
        .set("LD_PRELOAD", library.to_str().expect("text"))
        .set("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

fn moment(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().expect("a time"), &Rfc3339).expect("RFC 3339")
}

/// A run's times are in order, and tell how long its command took; gives when it started.
fn check_times(run: &Value) -> OffsetDateTime {
    let (started, finished) = (moment(&run["started_at"]), moment(&run["finished_at"]));
    let duration = run["duration_seconds"].as_f64().expect("a number");
    assert!((0.0..SHORT).contains(&duration), "it took {duration} s");
    assert!(started <= finished, "it ended before it started: {started}, {finished}");
    started
}

async fn recorded_at(library: &Path, server: &TestServer, project: &TestProject, clock: &str, options: &[&str]) {
    let api = Api::new(server.url(), &project.key);
    let workspace = workspace(library, server.url(), &project.key).set("FAKETIME", clock);
    let mut recording = Recording::start(workspace, options);
    recording.has_printed().await;
    recording.release();
    assert!(was_started(&recording.otrace_ended().await));
    recording.syncs().await;
    api.has_all(End::Known).await;
    let run = api.only_run().await;
    let years = (check_times(&run) - moment(&run["updated_at"])).whole_days() / 365;
    let expected = if clock.starts_with('-') { -10 } else { 9 };
    assert!((expected..=expected + 1).contains(&years), "the clock was not {clock}, but {years} years off");
    // The key is good, and what it opens as well.
    let answer = recording.workspace.otrace(&["whoami"]).await.succeeded();
    assert!(answer.stdout.contains(&project.name), "{}", answer.stdout);
    recording.workspace.otrace(&["download", "exp001", "--output", "copy"]).await.succeeded();
    let copy = fs::read(recording.workspace.path("copy/out.bin")).expect("the copy");
    assert_eq!(copy, fs::read(recording.workspace.path("out.bin")).expect("the file"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ten_years_off_changes_nothing_but_the_times() {
    let Some(library) = library() else { return };
    let server = TestServer::start().await;
    for clock in ["-10y", "+10y"] {
        for options in WAYS {
            let project = server.project("clock").await;
            recorded_at(&library, &server, &project, clock, options).await;
        }
    }
}

/// A command that waits between its two lines, in whose time the clock is set.
const SCRIPT: &str = r#"exec 3>alive
printf '\000weights\377' > out.bin
echo "{\"step\": 0, \"loss\": 1.0}" >> "$TRACE_METRICS"
echo before
read go < gate
echo "{\"step\": 1, \"loss\": 0.5}" >> "$TRACE_METRICS"
echo after
exit 3"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_while_a_command_runs_makes_no_time_negative_and_loses_nothing() {
    let Some(library) = library() else { return };
    let server = TestServer::start().await;
    for (before, after) in [("+10y", "-10y"), ("-10y", "+10y"), ("+0", "-1h")] {
        for options in WAYS {
            let project = server.project("clock").await;
            let api = Api::new(server.url(), &project.key);
            let home = TempDir::new().expect("a folder");
            let clock = home.path().join("clock");
            fs::write(&clock, format!("{before}\n")).expect("written");
            let workspace = workspace(&library, server.url(), &project.key)
                .set("FAKETIME_TIMESTAMP_FILE", clock.to_str().expect("text"))
                .set("FAKETIME_NO_CACHE", "1");
            let mut recording = Recording::of(SCRIPT, workspace, options);
            recording.prints(b"before\n").await;
            // In one step: nobody reads half of it.
            fs::write(home.path().join("new"), format!("{after}\n")).expect("written");
            fs::rename(home.path().join("new"), &clock).expect("set");
            recording.release();
            let ended = recording.otrace_ended().await;
            assert_eq!((ended.code, ended.stdout.as_slice()), (Some(3), &b"before\nafter\n"[..]));
            recording.syncs().await;
            let run = api.only_run().await;
            assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(3)));
            check_times(&run);
            assert_eq!(api.log("stdout").await, b"before\nafter\n");
            let points = [("0", "1.0"), ("1", "0.5")].map(|(step, value)| (step.to_owned(), value.to_owned()));
            assert_eq!(api.points("loss").await, points, "in the order in which they were written");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_good_at_both_times_is_taken_at_both() {
    let Some(library) = library() else { return };
    let home = TempDir::new().expect("a folder");
    // It is good for two thousand years.
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| home.path().join(name));
    fs::write(&certificate, made.cert.pem()).expect("written");
    fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let data = Data::new("https://127.0.0.1:1").over_tls(&certificate, &key);
    let server = data.serve().await;
    assert!(server.url.starts_with("https://"));
    data.account().await;
    for clock in ["-10y", "+10y"] {
        let api_key = data.project().await;
        let workspace = workspace(&library, &server.url, &api_key).set("FAKETIME", clock);
        let workspace = workspace.set("SSL_CERT_FILE", certificate.to_str().expect("text"));
        let mut recording = Recording::start(workspace, &[]);
        recording.has_printed().await;
        recording.release();
        assert!(was_started(&recording.otrace_ended().await));
        recording.syncs().await;
        let answer = recording.workspace.otrace(&["logs", "exp001"]).await;
        assert_eq!((answer.code, answer.stdout_bytes.as_slice()), (0, STDOUT), "{}", answer.stderr);
    }
}
