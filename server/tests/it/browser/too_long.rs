//! A run in which nothing breaks into lines by itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otrace_server::testing::TestApp;
use serde_json::{Value, json};

use super::contents::{curve_png, sha256};

/// Records it.
pub(super) async fn record_too_long(app: &TestApp, key: &str) {
    let long = |letter: &str, length: usize| letter.repeat(length);
    let name = |number: usize| format!("{}{number}", long("n", 80));
    let diff = format!("--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-{1}\n+{1}!\n", long("p", 200), long("d", 2000));
    let hash = sha256(&diff);
    app.api_raw(key, "PUT", &format!("/v1/contents/{hash}"), diff.clone()).await.expect(200);
    let creation = json!({
        "title": long("T", 300), "intent": long("/intent", 100), "setup": long("setup_", 100), "command": long("cmd", 500),
        "tags": (0..8).map(name).collect::<Vec<_>>(), "working_directory": long("/dir", 100),
        "expected_artifact_paths": [long("out/", 100)], "expected_log_paths": [long("log", 100)],
    });
    app.api(key, "POST", "/v1/runs", Some(creation)).await.expect(200);
    let columns: Vec<String> = (0..30).map(name).collect();
    let row: Value =
        columns.iter().map(|column| (column.clone(), json!(long("v", 60)))).collect::<serde_json::Map<_, _>>().into();
    let results: Vec<Value> = (0..6)
        .map(|number| json!({"name": name(number), "value": if number < 3 { json!(0.123_456_789) } else { json!(long("r", 300)) }, "source_path": long("from/", 60)}))
        .collect();
    let details = json!({
        "artifacts": [
            {"original_path": format!("{}metrics.json", long("a", 200)), "text_content": long("text", 500), "type": long("kind", 20), "content_type": long("type", 30)},
            {"original_path": format!("{}curve.png", long("b/", 200)), "content_base64": STANDARD.encode(curve_png())},
        ],
        "results": results,
        "tables": [{"title": long("title", 60), "source_path": long("source/", 40), "columns": columns, "rows": [row]}],
        "logs": [{"stream": "stdout", "text_content": long("output", 500)}, {"stream": "log", "path": long("logs/", 60), "text_content": "x"}],
        "snapshot": {
            "git_commit": long("c", 40), "git_branch": long("branch/", 30), "git_dirty": true, "git_remote_url": long("git@host/", 30),
            "dependency_files": [long("requirements", 20)], "python_version": long("3.", 60), "platform": long("Linux-", 40), "hostname": long("host", 60),
            "missing_expected_paths": [{"path": long("out/", 100), "type": "artifact"}],
            "files": [{"kind": "dirty_diff", "path": long("d", 200), "hash": format!("sha256:{hash}"), "size_bytes": diff.len()}],
        },
    });
    app.api(key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let outcome = json!({"status": "failed", "exit_code": -1_073_741_819, "duration_seconds": 1e9});
    app.api(key, "PATCH", "/v1/runs/exp001", Some(outcome)).await.expect(200);
}
