//! What clients and browsers should not send: refused in the contract's form, or cleaned; never a
//! 500, and a refusal changes nothing.

mod documents;
mod pages;
mod paths;
mod sizes;
mod values;

use otrace_server::testing::{TestApp, TestProject, TestResponse};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

const WORKSPACE: &str = "/v1/projects/current/workspace";
const RUNS: &str = "/v1/runs";
const RUN: &str = "/v1/runs/exp001";
const DETAILS: &str = "/v1/runs/exp001/details";
const EVIDENCE: &str = "/v1/runs/exp001/evidence";

/// The endpoints that take JSON.
const ENDPOINTS: [(&str, &str); 5] =
    [("PATCH", WORKSPACE), ("POST", RUNS), ("PATCH", RUN), ("PUT", DETAILS), ("POST", EVIDENCE)];

/// A project with one run that left something behind, and a key that was used before.
struct World {
    app: TestApp,
    project: TestProject,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let project = app.project("wake-word").await;
        // The first use of a key is written down; from here on, only what a request asks for changes the database.
        app.run(&project.key, "the run that is there").await;
        let details = json!({
            "results": [{"name": "kept", "value": 1}],
            "logs": [{"stream": "stdout", "text_content": "kept\n"}],
            "snapshot": {"git_commit": "abc123"},
        });
        app.api(&project.key, "PUT", DETAILS, Some(details)).await.expect(200);
        Self { app, project }
    }

    /// All that the database holds, as a hash for each table.
    async fn fingerprint(&self) -> String {
        let tables: Vec<String> = sqlx::query_scalar(
            // But what counts how often somebody asks.
            "SELECT table_name::text FROM information_schema.tables
             WHERE table_schema = current_schema() AND table_name <> 'rate_limits' ORDER BY 1",
        )
        .fetch_all(&self.app.app.pool)
        .await
        .unwrap();
        assert!(tables.iter().any(|table| table == "runs"), "{tables:?}");
        let hashes: Vec<String> = tables
            .iter()
            .map(|table| {
                format!("(SELECT '{table} ' || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), 'empty') FROM {table} t)")
            })
            .collect();
        let sql = format!("SELECT concat_ws(chr(10), {})", hashes.join(", "));
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.app.app.pool).await.unwrap()
    }

    /// Sends what may be taken or refused. A refusal has the contract's form and changes nothing.
    async fn try_out(&self, method: &str, path: &str, body: &[u8]) -> TestResponse {
        let what = format!("{method} {path} {}", shown(body));
        let before = self.fingerprint().await;
        let answer = self.app.api_raw(&self.project.key, method, path, body.to_vec()).await;
        if answer.status.is_success() {
            assert_eq!(answer.json()["ok"], true, "{what}");
        } else {
            refusal(&answer, &what);
            assert_eq!(self.fingerprint().await, before, "{what} changed the database");
        }
        answer
    }

    /// Sends what has to be refused. Returns the sentence that says why.
    async fn refuse(&self, method: &str, path: &str, body: &[u8]) -> String {
        let what = format!("{method} {path} {}", shown(body));
        let answer = self.try_out(method, path, body).await;
        assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, shown(&answer.body));
        answer.json()["error"].as_str().unwrap().to_owned()
    }

    /// Sends what has to be taken.
    async fn take(&self, method: &str, path: &str, body: &str) -> Value {
        self.app.api_raw(&self.project.key, method, path, body.to_owned()).await.expect(200).json()
    }

    /// The run that is there, as the API tells it.
    async fn read(&self) -> Value {
        self.app.api(&self.project.key, "GET", RUN, None).await.expect(200).json()["run"].clone()
    }

    async fn open(&self, path: &str) -> TestResponse {
        self.app.get(&self.project.cookie, path).await
    }

    /// Opens what is no page.
    async fn open_nothing(&self, path: &str) {
        let answer = self.open(path).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}: {}", shown(&answer.body));
        assert!(answer.header("content-type").starts_with("text/html"), "{path}: {}", shown(&answer.body));
    }
}

/// A refusal, which has the contract's form: `"ok": false`, one sentence, a code.
fn refusal(answer: &TestResponse, what: &str) -> Value {
    let said = format!("{what}: {} {}", answer.status, shown(&answer.body));
    assert!(answer.status.is_client_error(), "{said}");
    assert!(answer.header("content-type").starts_with("application/json"), "{said}");
    let json = answer.json();
    let sentence = json["error"].as_str().unwrap_or_default();
    assert_eq!(json["ok"], false, "{said}");
    assert!(!sentence.trim().is_empty() && !sentence.contains('\n') && sentence.len() <= 500, "{said}");
    assert!(json["code"].is_string(), "{said}");
    json
}

/// The beginning of a body, to show it where a test fails.
fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}
