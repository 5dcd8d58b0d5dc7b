//! `/mcp`: the tools for agents over HTTP, asked by the official MCP client of `PyPI`.
//!
//! `make test` installs that client into `target/mcp-client`; `mcp/tests/mcp_client.py` drives it.

use std::path::Path;
use std::process::Stdio;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otrace_server::domain::Scope;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::testing::{TestApp, TestResponse, TestServer};
use serde_json::json;
use tokio::process::Command;

const INITIALIZE: &str = r#"{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}"#;

/// The `RunSpec` that Trace was first described with.
const SEED_SPEC: &str = include_str!("../../../run-spec/tests/seed.yaml");

/// Runs a script that talks to the server, in which `KEYS` are these.
async fn with_agent(server: &TestServer, keys: &[&str], script: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/mcp-client/bin/python");
    assert!(python.is_file(), "{} is missing: run `make test`, which installs the client", python.display());
    let output = Command::new(python)
        .args(["-c", &format!("from mcp_client import *\nKEYS = {}\n{script}", json!(keys))])
        .env_clear()
        .env("MCP_URL", format!("{}/mcp", server.url()))
        .env("PYTHONPATH", root.join("mcp/tests"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What the server says to a message with a key and these headers.
async fn said(app: &TestApp, key: &str, headers: &[(&str, &str)]) -> TestResponse {
    let request = Request::post("/mcp")
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.send(request.body(Body::from(INITIALIZE)).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_reads_a_project_and_its_files_in_pieces() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let foreign = server.project("foreign").await;
    server.app.run(&foreign.key, "not theirs").await;
    let app = &server.app;
    let details = json!({"artifacts": [{"original_path": "theirs.txt", "text_content": "hidden"}]});
    app.api(&foreign.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let theirs = server.get_json(&foreign.key, "/v1/runs/exp001").await["run"]["artifacts"][0]["id"].clone();
    app.run(&project.key, "to see").await;
    app.run(&project.key, "to compare").await;
    let bytes: Vec<u8> = (0..=250_u8).cycle().take(60_000).collect();
    let details = json!({
        "artifacts": [
            {"original_path": "a.txt", "text_content": "größe\n".repeat(9_000)},
            {"original_path": "b.bin", "content_base64": STANDARD.encode(&bytes)},
        ],
        "results": [{"kind": "scalar", "name": "accuracy", "value": 0.9}],
        "logs": [{"stream": "stdout", "text_content": "epoch 1\n".repeat(9_000)}],
    });
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let script = r#"
async def talk(agent):
    tools = await agent.tools()
    assert "trace_validate_run_spec" in tools and "trace_add_note" in tools, set(tools)
    runs = await agent.walk("trace_list_runs", "runs", limit=1)
    assert [run["intent"] for run in runs] == ["to compare", "to see"], runs
    assert len((await agent.ask("trace_search_experiments", query="metrics.accuracy > 0.8"))["runs"]) == 1
    assert await agent.walk("trace_get_run", "text", run="exp001", part="stdout") == "epoch 1\n" * 9000
    assert "accuracy: 0.9 -> none" in await agent.walk("trace_diff_runs", "text", before="exp001", after="exp002")
    assert len(await agent.walk("trace_export_ledger", "entries")) == 2
    assert "to see" in await agent.walk("trace_show", "text", run="exp001")
    for path, whole in [("a.txt", "größe\n".encode() * 9000), ("b.bin", bytes(n % 251 for n in range(60000)))]:
        piece = await agent.ask("trace_download_artifact", run="exp001", path=path)
        content = decoded(piece)
        async with httpx2.AsyncClient() as http:
            assert (await http.get(piece["url"])).content == whole, path
        while piece["next_cursor"]:
            cursor = piece["next_cursor"]
            piece = await agent.ask("trace_download_artifact", run="exp001", path=path, cursor=cursor)
            content += decoded(piece)
        assert content == whole, path
    assert "not found in this project" in await agent.refusal("trace_get_run", run="exp003")
    assert "not found in this project" in await agent.refusal("trace_download_artifact", run="exp002", path="a.txt")

    files = await agent.walk("trace_list_artifacts", "artifacts", run="exp001")
    ids = {file["path"]: file["id"] for file in files}
    assert decoded(await agent.ask("trace_download_artifact", artifact_id=ids["a.txt"])).startswith("größe".encode())
    assert "leave output out" in await agent.refusal("trace_download_artifact", artifact_id=ids["a.txt"], output="a.txt")
    for unknown in (KEYS[1], "a.txt"):
        refusal = await agent.refusal("trace_download_artifact", artifact_id=unknown)
        assert "Artifact not found in this project" in refusal, refusal
over_http(talk, KEYS[0])
"#;
    with_agent(&server, &[&project.key, theirs.as_str().unwrap()], script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_spec_is_checked_as_the_command_line_checks_it_and_nothing_is_written() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let read = NewKeyInput { scope: Scope::Read, ..NewKeyInput::named("read") };
    let read_key = server.app.another_key(&project, read).await.key;
    let script = r#"
SPEC = {
    "version": 1, "intent": "Train baseline", "setup": "Default config on the validation split",
    "command": ["python", "train.py", "--config", "configs/base.yaml"], "config_paths": ["configs/base.yaml"],
    "expected_artifact_paths": ["outputs/metrics.json"], "expected_log_paths": ["outputs/train.log"],
    "title": "Baseline", "tags": ["baseline"],
}
async def talk(agent):
    assert (await agent.tools())["trace_validate_run_spec"].annotations.read_only_hint
    checked = await agent.ask("trace_validate_run_spec", spec=SPEC)
    assert checked == {
        "valid": True, "command_line": "python train.py --config configs/base.yaml", "yaml": YAML,
    }, checked
    wrong = {**SPEC, "intent": " ", "command": "python train.py", "parent_id": "exp001", "colour": "red"}
    checked = await agent.ask("trace_validate_run_spec", spec=wrong)
    assert checked == {"valid": False, "mistakes": [
        "parent_id is not part of RunSpec v1",
        "unknown RunSpec field: colour",
        "command must be an argv array, not a shell string",
        "intent is required",
        "command is required",
    ]}, checked
    assert "input schema" in await agent.refusal("trace_validate_run_spec", spec="version: 1")
over_http(talk, KEYS[0])
"#;
    let script = format!("YAML = {}\n{script}", json!(SEED_SPEC));
    with_agent(&server, &[&read_key], &script).await;
    assert_eq!(server.get_json(&project.key, "/v1/runs/count").await["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_only_reads_writes_no_notes() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    server.app.run(&project.key, "to see").await;
    let read = NewKeyInput { scope: Scope::Read, ..NewKeyInput::named("read") };
    let read_key = server.app.another_key(&project, read).await.key;
    let script = r#"
async def reads(agent):
    assert "trace_add_note" not in await agent.tools()
    assert "This key may only read" in await agent.refusal("trace_add_note", run="exp001", text="From a reader")
async def writes(agent):
    await agent.ask("trace_add_note", run="exp001", text="From a writer")
over_http(reads, KEYS[0])
over_http(writes, KEYS[1])
"#;
    with_agent(&server, &[&read_key, &project.key], script).await;
    let run = server.get_json(&project.key, "/v1/runs/exp001").await["run"].clone();
    let texts: Vec<_> = run["notes"].as_array().unwrap().iter().map(|note| note["text"].clone()).collect();
    assert_eq!(texts, ["From a writer", "From a writer"], "one in each mode");
}

#[tokio::test]
async fn a_key_that_was_revoked_opens_no_tools() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    said(&server.app, &project.key, &[]).await.expect(200);
    server.revoke_key(&project).await;
    let answer = said(&server.app, &project.key, &[]).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"Trace\"");
    assert!(answer.text().contains("\"ok\":false"), "{}", answer.text());
}

#[tokio::test]
async fn a_page_of_another_site_reaches_no_tools() {
    let app = TestApp::new().await;
    let key = app.project("wake-word").await.key;
    said(&app, &key, &[("host", "localhost:8000"), ("origin", "http://localhost:8000")]).await.expect(200);
    for origin in ["https://evil.example", "http://localhost:8001", "null"] {
        assert_eq!(said(&app, &key, &[("origin", origin)]).await.status, 403, "{origin}");
    }
    assert_eq!(said(&app, &key, &[("host", "evil.example")]).await.status, 400);
    assert_eq!(app.api(&key, "GET", "/mcp", None).await.status, 405);
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused() {
    let app = TestApp::new().await;
    let key = app.project("wake-word").await.key;
    let request = Request::post("/mcp")
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    let answer = app.send(request.body(Body::from(" ".repeat(600 * 1024))).unwrap()).await;
    assert_eq!(answer.status, 413);
}
