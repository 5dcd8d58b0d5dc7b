//! What a command and its machine are busy with, as series.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use otrace_server::testing::TestServer;
use serde_json::Value;
use tempfile::TempDir;

use crate::faults::mounts::not_run;
use crate::sync_harness::{Talk, eventually};
use crate::workspace::Workspace;

/// A stand-in for the library of NVIDIA's driver.
const NVML: &str = include_str!("system_metrics/nvml.c");

/// A folder with that library, built here; nothing, if that can't be done, which is said.
fn driver() -> Option<TempDir> {
    if !cfg!(target_os = "linux") {
        not_run("Linux");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("nvml.c");
    fs::write(&source, NVML).expect("written");
    let options = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"];
    let mut compiler = Command::new("cc");
    let Ok(built) = compiler.args(options).args([&folder.path().join("libnvidia-ml.so.1"), &source]).output() else {
        not_run("a C compiler");
        return None;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(folder)
}

/// The run's series, as the server lists them.
async fn series(server: &TestServer, key: &str) -> Vec<Value> {
    let all = server.get_json(key, "/v1/runs/exp001/series").await;
    all["series"].as_array().expect("a list").clone()
}

/// One of them.
async fn one(server: &TestServer, key: &str, name: &str) -> Option<Value> {
    series(server, key).await.into_iter().find(|series| series["name"] == name)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_processes_of_a_command_are_busy_with_is_seen_while_it_runs() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let busy = "x = b\"x\" * (64 << 20)\nprint(\"ready\", flush=True)\nwhile True: pass";
    let script = format!("python3 -c '{busy}' & read go; kill $!");
    let mut talk = Talk::start(&workspace, &["--expect-log", "x"], &script);
    talk.until("ready").await;
    eventually(&server, "its memory", async || {
        let memory = one(&server, &project.key, "system/memory").await?;
        memory["last"].as_f64().filter(|bytes| *bytes > f64::from(64 << 20))
    })
    .await;
    let cpu = one(&server, &project.key, "system/cpu").await.expect("it is measured");
    assert!(cpu["last"].as_f64().is_some_and(|percent| percent > 0.0), "{cpu}");
    for name in ["disk_read", "disk_written", "disk_free", "machine_cpu", "machine_memory_used"] {
        let name = format!("system/{name}");
        assert!(one(&server, &project.key, &name).await.is_some_and(|series| series["last"].is_number()), "{name}");
    }
    talk.say("go").await;
    let (code, _, stderr) = talk.end().await;
    assert_eq!((code, stderr.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn graphics_cards_are_measured_as_far_as_their_driver_tells() {
    let Some(driver) = driver() else { return };
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let workspace = workspace.set("LD_LIBRARY_PATH", driver.path().to_str().expect("text"));
    let mut talk = Talk::start(&workspace, &["--expect-log", "x"], "echo ready; read go");
    talk.until("ready").await;
    eventually(&server, "the second card", async || one(&server, &project.key, "system/gpu/1/power").await).await;
    let all = series(&server, &project.key).await;
    let told: BTreeMap<_, _> = all
        .iter()
        .filter_map(|series| Some((series["name"].as_str()?.strip_prefix("system/gpu/")?, series["last"].as_f64()?)))
        .collect();
    let expected = [
        ("0/memory", 3.0 * 1024.0 * 1024.0 * 1024.0),
        ("0/power", 215.5),
        ("0/temperature", 61.0),
        ("0/utilization", 37.0),
        ("1/power", 20.25),
    ];
    assert_eq!(told, BTreeMap::from(expected));
    talk.say("go").await;
    assert_eq!(talk.end().await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_measured_where_that_is_not_wanted() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let script = "echo '{\"step\": 1, \"loss\": 0.5}' >> \"$TRACE_METRICS\"; echo ready; read go";
    let mut talk = Talk::start(&workspace, &["--no-system-metrics", "--expect-log", "x"], script);
    talk.until("ready").await;
    // By then, a measurement would have been made, or would be made at the end.
    eventually(&server, "what it measures itself", async || one(&server, &project.key, "loss").await).await;
    talk.say("go").await;
    assert_eq!(talk.end().await.0, 0);
    let names: Vec<Value> = series(&server, &project.key).await.iter().map(|series| series["name"].clone()).collect();
    assert_eq!(names, ["loss"]);
}
