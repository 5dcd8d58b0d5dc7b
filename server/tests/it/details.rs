//! What a run left behind, as published clients send it: one JSON body, contents inline.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

async fn put(app: &TestApp, project: &TestProject, details: Value) -> otrace_server::testing::TestResponse {
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await
}

async fn read(app: &TestApp, project: &TestProject) -> Value {
    app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json()["run"].clone()
}

async fn with_run() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "details").await;
    (app, project)
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test]
async fn everything_that_a_client_sends_reads_back() {
    let (app, project) = with_run().await;
    put(&app, &project, json!({
        "artifacts": [{
            "local_artifact_id": "artifact_1", "original_path": "out/metrics.json", "stored_path": ".trace/x", "type": "metrics",
            "size_bytes": 16, "hash": sha256(br#"{"accuracy":0.9}"#), "content_type": "application/json",
            "content_base64": STANDARD.encode(r#"{"accuracy":0.9}"#), "text_content": r#"{"accuracy":0.9}"#,
            "created_at": "2026-06-01T12:00:00+00:00",
        }],
        "results": [
            {"kind": "scalar", "name": "accuracy", "value": 0.9, "source_path": "out/metrics.json"},
            {"kind": "scalar", "name": "model", "value": "tiny", "source_path": "x", "line": 3, "row": 1, "column": "c", "table": 2, "metadata": {"unit": "%"}},
        ],
        "tables": [{"source_path": "t.csv", "table_index": 1, "title": null, "columns": ["a", "b"], "rows": [{"a": 1, "b": "x"}], "row_count": 1, "column_count": 2, "metadata": {"format": "csv"}}],
        "logs": [{"stream": "stdout", "path": ".trace/logs/exp001.stdout.log", "size_bytes": 3, "text_content": "ok\n"}],
        "snapshot": {
            "git_commit": "abc123", "dirty_diff_path": "d", "staged_diff_path": "s", "dependency_files": ["requirements.txt"],
            "dependency_file_copies": ["c"], "python_version": "3.12", "platform": "Linux", "requirements_hash": "sha256:1",
            "stdout_log_path": "o", "stderr_log_path": "e", "observed_artifacts": [{"original_path": "out/metrics.json"}],
            "missing_expected_paths": [{"path": "out/missing.pt", "type": "artifact"}],
            "evidence": [{"source_path": "out/metrics.json", "type": "metrics", "snippet": "{"}],
        },
    })).await.expect(200);

    let run = read(&app, &project).await;
    let artifact = &run["artifacts"][0];
    assert_eq!(artifact["original_path"], "out/metrics.json");
    assert_eq!(artifact["type"], "metrics");
    assert_eq!(artifact["size_bytes"], 16);
    assert_eq!(artifact["hash"], sha256(br#"{"accuracy":0.9}"#));
    assert_eq!(artifact["run_id"], run["id"]);
    assert_eq!(artifact["text_content"], r#"{"accuracy":0.9}"#);
    assert_eq!(run["results"][0]["value"], 0.9);
    let second = &run["results"][1];
    assert_eq!(
        (&second["line"], &second["row_index"], &second["column_name"], &second["table_index"]),
        (&json!(3), &json!(1), &json!("c"), &json!(2))
    );
    assert_eq!(second["metadata"], json!({"unit": "%"}));
    assert_eq!(run["tables"][0]["rows"], json!([{"a": 1, "b": "x"}]));
    assert_eq!(run["logs"][0]["text_content"], "ok\n");
    let snapshot = &run["snapshot"];
    assert_eq!(snapshot["git_commit"], "abc123");
    assert_eq!(snapshot["missing_expected_paths"], json!([{"path": "out/missing.pt", "type": "artifact"}]));
    assert_eq!(snapshot["evidence"][0]["snippet"], "{");

    let id = artifact["id"].as_str().unwrap();
    let download = app.api(&project.key, "GET", &format!("/v1/artifacts/{id}/download"), None).await.expect(200).json();
    assert_eq!(download["artifact"]["content_base64"], STANDARD.encode(r#"{"accuracy":0.9}"#));
    assert_eq!(download["artifact"]["text_content"], r#"{"accuracy":0.9}"#);
    let listed = app.api(&project.key, "GET", "/v1/runs/exp001/artifacts", None).await.expect(200).json();
    assert_eq!(listed["artifacts"][0]["id"], id);
}

#[tokio::test]
async fn a_list_of_runs_carries_no_contents() {
    let (app, project) = with_run().await;
    put(&app, &project, json!({"artifacts": [{"original_path": "a.txt", "text_content": "secret text"}], "logs": [{"stream": "stdout", "text_content": "printed"}]})).await.expect(200);
    let list = app.api(&project.key, "GET", "/v1/runs", None).await.expect(200).text();
    assert!(list.contains("a.txt") && !list.contains("secret text") && !list.contains("printed"), "{list}");
}

#[tokio::test]
async fn contents_of_every_size_come_back_byte_for_byte() {
    let (app, project) = with_run().await;
    // Around what is kept in memory, what is read at once, and what a part of an upload is.
    let sizes = [0, 1, 2, 3, 12_287, 12_288, 12_289, 73_728, 1_000_003, 8 * 1024 * 1024, 9 * 1024 * 1024 + 1];
    let contents: Vec<Vec<u8>> = sizes
        .iter()
        .map(|size| (0..*size).map(|index: usize| ((index * 7 + index / 251) % 256).try_into().unwrap()).collect())
        .collect();
    let artifacts: Vec<Value> = contents
        .iter()
        .enumerate()
        .map(
            |(index, bytes)| json!({"original_path": format!("{index}.bin"), "content_base64": STANDARD.encode(bytes)}),
        )
        .collect();
    put(&app, &project, json!({"artifacts": artifacts})).await.expect(200);
    let run = read(&app, &project).await;
    for (artifact, bytes) in run["artifacts"].as_array().unwrap().iter().zip(&contents) {
        assert_eq!(artifact["size_bytes"], bytes.len());
        assert_eq!(artifact["hash"], sha256(bytes));
        let path = format!("/v1/artifacts/{}/download", artifact["id"].as_str().unwrap());
        let download = app.api(&project.key, "GET", &path, None).await.expect(200).json();
        assert!(
            STANDARD.decode(download["artifact"]["content_base64"].as_str().unwrap()).unwrap() == *bytes,
            "{}",
            bytes.len()
        );
    }
}

#[tokio::test]
async fn the_same_details_twice_are_the_same_details() {
    let (app, project) = with_run().await;
    let details = json!({"artifacts": [{"original_path": "a", "text_content": "x"}], "results": [{"name": "loss", "value": 1}], "logs": [{"stream": "stderr", "text_content": "e"}], "snapshot": {"git_commit": "1"}});
    put(&app, &project, details.clone()).await.expect(200);
    put(&app, &project, details).await.expect(200);
    let run = read(&app, &project).await;
    for (key, count) in [("artifacts", 1), ("results", 1), ("logs", 1), ("tables", 0)] {
        assert_eq!(run[key].as_array().unwrap().len(), count, "{key}");
    }
    let blobs: i64 = sqlx::query_scalar("SELECT count(*) FROM blobs").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(blobs, 2, "the same content is stored once");
}

#[tokio::test]
async fn a_file_whose_content_is_not_stored_is_still_recorded() {
    let (app, project) = with_run().await;
    let big = json!({"original_path": "best.pt", "type": "checkpoint", "size_bytes": 5_300_000_000_i64, "hash": sha256(b"big"), "content_base64": null, "text_content": null});
    put(&app, &project, json!({"artifacts": [big]})).await.expect(200);
    let artifact = read(&app, &project).await["artifacts"][0].clone();
    assert_eq!(
        (artifact["size_bytes"].as_i64(), artifact["hash"].as_str()),
        (Some(5_300_000_000), Some(sha256(b"big").as_str()))
    );
    let download = app
        .api(&project.key, "GET", &format!("/v1/artifacts/{}/download", artifact["id"].as_str().unwrap()), None)
        .await;
    assert_eq!(download.expect(200).json()["artifact"]["content_base64"], Value::Null);
}

#[tokio::test]
async fn values_that_json_or_postgres_can_not_hold_are_cleaned() {
    let (app, project) = with_run().await;
    let body = r#"{"results": [
        {"name": "nan", "value": NaN}, {"name": "inf", "value": Infinity}, {"name": "minus", "value": -Infinity},
        {"name": "huge", "value": 1e400}, {"name": "nul\u0000name", "value": "a\u0000b"}, {"name": "lone", "value": "\ud800"}],
        "logs": [{"stream": "stdout", "text_content": "x\u0000y\udfff"}],
        "tables": [{"columns": ["a\u0000"], "rows": [{"a\u0000": NaN}]}],
        "snapshot": {"evidence": [{"snippet": "\u0000"}], "observed_artifacts": [{"p\u0000": "\ud83d"}]}}"#;
    app.api_raw(&project.key, "PUT", "/v1/runs/exp001/details", body.to_owned()).await.expect(200);
    let run = read(&app, &project).await;
    let values: Vec<&Value> = run["results"].as_array().unwrap().iter().map(|result| &result["value"]).collect();
    assert_eq!(json!(values), json!(["NaN", "Infinity", "-Infinity", "Infinity", "a\u{fffd}b", "\u{fffd}"]));
    assert_eq!(run["results"][4]["name"], "nul\u{fffd}name");
    assert_eq!(run["tables"][0]["rows"], json!([{"a\u{fffd}": "NaN"}]));
    let numbers: Vec<Option<f64>> =
        sqlx::query_scalar("SELECT number FROM results ORDER BY position").fetch_all(&app.app.pool).await.unwrap();
    assert!(numbers[0].unwrap().is_nan());
    assert_eq!(numbers[1..4], [Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(f64::INFINITY)]);
}

#[tokio::test]
async fn a_long_table_keeps_all_its_rows_and_shows_the_first() {
    let (app, project) = with_run().await;
    let rows: Vec<Value> =
        (0..5000).map(|number| json!({"step": number, "loss": 1.0 / f64::from(number + 1)})).collect();
    put(&app, &project, json!({"tables": [{"source_path": "history.csv", "columns": ["step", "loss"], "rows": rows}]}))
        .await
        .expect(200);
    let table = read(&app, &project).await["tables"][0].clone();
    assert_eq!(table["rows"].as_array().unwrap(), &rows);
    assert_eq!((table["row_count"].as_i64(), table["column_count"].as_i64()), (Some(5000), Some(2)));
    let listed = app.api(&project.key, "GET", "/v1/runs", None).await.expect(200).json();
    assert_eq!(listed["runs"][0]["tables"][0]["rows"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn evidence_is_added_to_the_snapshot() {
    let (app, project) = with_run().await;
    for snippet in ["first", "second"] {
        let body = json!({"evidence": [{"source_path": "log", "type": "log", "snippet": snippet}]});
        app.api(&project.key, "POST", "/v1/runs/exp001/evidence", Some(body)).await.expect(200);
    }
    let evidence = read(&app, &project).await["snapshot"]["evidence"].clone();
    assert_eq!(
        evidence.as_array().unwrap().iter().map(|entry| entry["snippet"].as_str().unwrap()).collect::<Vec<_>>(),
        ["first", "second"]
    );
}

#[tokio::test]
async fn as_many_artifacts_as_a_run_may_have_keep_their_order() {
    let (app, project) = with_run().await;
    let artifacts: Vec<Value> =
        (0..10_000).map(|number| json!({"original_path": format!("out/{number}.bin"), "size_bytes": number})).collect();
    put(&app, &project, json!({"artifacts": artifacts})).await.expect(200);
    let listed = read(&app, &project).await["artifacts"].clone();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 10_000);
    assert!(
        listed
            .iter()
            .zip(&artifacts)
            .all(|(read, sent)| read["original_path"] == sent["original_path"]
                && read["size_bytes"] == sent["size_bytes"])
    );
    let more = vec![json!({}); 10_001];
    put(&app, &project, json!({"artifacts": more})).await.expect(400);
}

#[tokio::test]
async fn evidence_has_an_end() {
    let (app, project) = with_run().await;
    let entries: Vec<Value> = (0..1000).map(|number| json!({"snippet": format!("entry {number}")})).collect();
    let add = async |entries: &[Value]| {
        app.api(&project.key, "POST", "/v1/runs/exp001/evidence", Some(json!({"evidence": entries}))).await
    };
    add(&entries).await.expect(200);
    add(&entries[..1]).await.expect(409);
    assert_eq!(read(&app, &project).await["snapshot"]["evidence"].as_array().unwrap().len(), 1000);
}

#[tokio::test]
async fn a_failed_request_leaves_the_former_details_as_they_were() {
    let (app, project) = with_run().await;
    put(&app, &project, json!({"results": [{"name": "kept", "value": 1}]})).await.expect(200);
    put(&app, &project, json!({"results": [{"name": "new", "value": 2}], "logs": [{"stream": "stdout", "hash": sha256(b"never sent")}]})).await.expect(409);
    put(&app, &project, json!({"results": [], "artifacts": [{"content_base64": "no base64!"}]})).await.expect(400);
    assert_eq!(read(&app, &project).await["results"][0]["name"], "kept");
}

#[tokio::test]
async fn the_hash_of_a_stored_content_is_its_true_one() {
    let (app, project) = with_run().await;
    let lie = json!({"original_path": "a", "text_content": "text", "hash": sha256(b"another text")});
    put(&app, &project, json!({"artifacts": [lie]})).await.expect(200);
    assert_eq!(read(&app, &project).await["artifacts"][0]["hash"], sha256(b"text"));
}

#[tokio::test]
async fn details_of_millions_of_values_are_refused_before_they_fill_the_memory() {
    let (app, project) = with_run().await;
    let many = format!(r#"{{"results": [{}{{}}]}}"#, "{},".repeat(1_100_000));
    let refused = app.api_raw(&project.key, "PUT", "/v1/runs/exp001/details", many).await.expect(413).json();
    assert!(refused["hint"].as_str().unwrap().contains("fewer results"), "{refused}");
}
