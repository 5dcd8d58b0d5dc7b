//! Imports: runs that nobody sees, until all of them take their place at once.

use std::time::Duration;

use futures_util::future::join;
use otrace_server::testing::{TestApp, TestProject, TestResponse};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use uuid::Uuid;

/// What is not told within this time is not told: a guard, nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// An import that was begun.
struct Import<'a> {
    app: &'a TestApp,
    project: &'a TestProject,
    path: String,
}

impl<'a> Import<'a> {
    async fn begin(app: &'a TestApp, project: &'a TestProject) -> Self {
        let id = Uuid::now_v7();
        app.api(&project.key, "POST", "/v1/imports", Some(json!({"id": id}))).await.expect(200);
        Self { app, project, path: format!("/v1/imports/{id}") }
    }

    async fn stage(&self, runs: Value) -> TestResponse {
        let path = format!("{}/runs", self.path);
        self.app.api(&self.project.key, "POST", &path, Some(json!({"runs": runs}))).await
    }

    /// Asks until the answer is final.
    async fn commit(&self, replace: bool, runs: u32) -> TestResponse {
        let path = format!("{}/commit", self.path);
        let ask = async || {
            let body = json!({"replace": replace, "runs": runs});
            self.app.api(&self.project.key, "POST", &path, Some(body)).await
        };
        let asked = async {
            loop {
                let answer = ask().await;
                if answer.status.as_u16() != 200 || answer.json()["is_committed"] == json!(true) {
                    return answer;
                }
            }
        };
        timeout(PATIENCE, asked).await.unwrap()
    }
}

fn run(position: u32, intent: &str) -> Value {
    let run = json!({"id": Uuid::now_v7(), "intent": intent, "setup": "as it was", "command": "true"});
    json!({"position": position, "run": run, "outcome": {"status": "completed"}})
}

async fn get(app: &TestApp, project: &TestProject, path: &str) -> Value {
    app.api(&project.key, "GET", path, None).await.expect(200).json()
}

/// The experiment ids of the project's runs and their intents, the newest first.
async fn runs(app: &TestApp, project: &TestProject) -> Vec<(String, String)> {
    let runs = get(app, project, "/v1/runs").await["runs"].clone();
    let text = |run: &Value, field: &str| run[field].as_str().unwrap().to_owned();
    runs.as_array().unwrap().iter().map(|run| (text(run, "experiment_id"), text(run, "intent"))).collect()
}

async fn rows(app: &TestApp, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&app.app.pool).await.unwrap()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn named(runs: &[(&str, &str)]) -> Vec<(String, String)> {
    runs.iter().map(|(id, intent)| ((*id).to_owned(), (*intent).to_owned())).collect()
}

#[tokio::test]
async fn nobody_sees_staged_runs_until_all_of_them_take_their_place() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "old").await;
    let id = Uuid::now_v7();
    let begun = app.api(&project.key, "POST", "/v1/imports", Some(json!({"id": id}))).await.expect(200).json();
    assert_eq!(begun["existing_runs"], 1);
    let import = Import { app: &app, project: &project, path: format!("/v1/imports/{id}") };
    // The order is that of the positions, and what comes again takes the place of what was there.
    let second = run(1, "imported second");
    import.stage(json!([second])).await.expect(200);
    import.stage(json!([run(0, "not meant"), second])).await.expect(200);
    import.stage(json!([run(0, "imported first")])).await.expect(200);
    app.run(&project.key, "meanwhile").await;
    assert_eq!(runs(&app, &project).await, named(&[("exp002", "meanwhile"), ("exp001", "old")]));
    assert_eq!(get(&app, &project, "/v1/runs?query=imported").await["runs"], json!([]));
    let unseen = format!("/v1/runs/{}", second["run"]["id"].as_str().unwrap());
    app.api(&project.key, "GET", &unseen, None).await.expect(404);

    let committed = import.commit(true, 2).await.expect(200).json();

    let expected = json!({
        "ok": true, "is_committed": true, "imported": 2, "deleted": 1, "first": "exp003", "last": "exp004",
    });
    assert_eq!(committed, expected);
    let all = [("exp004", "imported second"), ("exp003", "imported first"), ("exp002", "meanwhile")];
    assert_eq!(runs(&app, &project).await, named(&all));
    assert_eq!(get(&app, &project, "/v1/runs?query=imported").await["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!(app.run(&project.key, "after").await["experiment_id"], "exp005");
    app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(404);
    app.api(&project.key, "POST", "/v1/runs/exp001/restore", Some(json!({}))).await.expect(200);

    assert_eq!(import.commit(true, 2).await.expect(200).json(), expected, "asked again, it does nothing again");
    import.stage(json!([run(2, "too late")])).await.expect(409);
    assert_eq!(rows(&app, "SELECT count(*) FROM staged_runs").await, 0);
    assert_eq!(rows(&app, "SELECT count(*) FROM audit_events WHERE action = 'run.imported'").await, 1);
}

#[tokio::test]
async fn a_staged_run_becomes_the_same_as_one_that_was_recorded() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    for content in [&b"printed\n"[..], b"a diff", b"[1, 2]"] {
        let path = format!("/v1/contents/{}", hash(content));
        app.api_raw(&project.key, "PUT", &path, content.to_vec()).await.expect(200);
    }
    let sha256 = |content: &[u8]| format!("sha256:{}", hash(content));
    let rows: Vec<Value> = (0..150).map(|n| json!({"step": n, "note": "x"})).collect();
    let run = json!({
        "title": "All of it", "intent": "half \u{1f600}", "setup": "s", "command": "true", "tags": ["a", "b c"],
        "working_directory": "/work", "expected_artifact_paths": ["out/*"], "created_at": "2026-05-01T10:00:00Z",
    });
    let outcome = json!({
        "status": "failed", "exit_code": 137, "signal": "SIGKILL", "duration_seconds": 1.5,
        "started_at": "2026-05-01T10:00:01Z", "finished_at": "2026-05-01T10:00:02.5Z",
    });
    let details = json!({
        "artifacts": [
            {"original_path": "out/a.json", "type": "metrics", "hash": sha256(b"[1, 2]"), "content_type": "application/json"},
            {"original_path": "big.pt", "type": "checkpoint", "size_bytes": 7, "hash": sha256(b"not here")},
        ],
        "results": [
            {"name": "loss", "value": "NaN"}, {"name": "acc", "value": 0.1, "line": 3, "metadata": {"unit": "%"}},
            {"name": "model", "value": null, "row": 1, "column": "c", "table": 2}, {"name": "n", "value": 9_007_199_254_740_993_i64},
        ],
        "tables": [
            {"title": "long", "columns": ["step", "note"], "rows": rows}, {"columns": [], "rows": [], "metadata": {"format": "csv"}},
        ],
        "logs": [{"stream": "stdout", "hash": sha256(b"printed\n")}, {"stream": "log", "path": "x.log", "text_content": "inline"}],
        "snapshot": {
            "git_commit": "abc", "git_dirty": true, "dependency_files": ["requirements.txt"], "hardware": {"cpu_count": 2},
            "evidence": [{"source_path": "x", "type": "log", "snippet": "y"}], "missing_expected_paths": [{"path": "z"}],
            "files": [{"kind": "dirty_diff", "path": "d", "hash": sha256(b"a diff"), "size_bytes": 6}],
        },
    });
    app.api(&project.key, "POST", "/v1/runs", Some(run.clone())).await.expect(200);
    app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(outcome.clone())).await.expect(200);
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details.clone())).await.expect(200);
    let import = Import::begin(&app, &project).await;
    let mut staged = run;
    staged["id"] = json!(Uuid::now_v7());
    let bare = json!({"position": 1, "run": {"id": Uuid::now_v7(), "intent": "i", "setup": "s", "command": "c"}});
    let staged = json!([{"position": 0, "run": staged, "outcome": outcome, "details": details}, bare]);
    import.stage(staged).await.expect(200);
    import.commit(false, 2).await.expect(200);

    let mut read = Vec::new();
    for name in ["exp001", "exp002"] {
        let mut run = get(&app, &project, &format!("/v1/runs/{name}")).await["run"].clone();
        let own = ["id", "experiment_id"].map(|field| run.as_object_mut().unwrap().remove(field));
        assert!(own.iter().all(Option::is_some));
        for artifact in run["artifacts"].as_array_mut().unwrap() {
            for field in ["id", "run_id"] {
                artifact.as_object_mut().unwrap().remove(field).unwrap();
            }
        }
        read.push(run);
    }
    assert_eq!(read[1], read[0]);
    assert_eq!(read[0]["tables"][0]["rows"].as_array().map(Vec::len), Some(150), "{}", read[0]);
    // Also where it is not read but sorted by.
    let found = get(&app, &project, "/v1/runs?query=metrics.acc%20%3C%200.2").await["runs"].clone();
    assert_eq!(found.as_array().map(Vec::len), Some(2));
    let bare = get(&app, &project, "/v1/runs/exp003").await["run"].clone();
    assert_eq!((&bare["status"], &bare["snapshot"]), (&json!("created"), &Value::Null));
}

#[tokio::test]
async fn an_import_that_can_not_be_whole_changes_nothing() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "old").await;
    let lacking = Import::begin(&app, &project).await;
    lacking.commit(true, 1).await.expect(409);
    lacking.stage(json!([run(0, "first"), run(2, "third")])).await.expect(200);
    for announced in [1, 2, 3] {
        lacking.commit(true, announced).await.expect(409);
    }

    // The id of one of its runs is taken before it is committed.
    let colliding = Import::begin(&app, &project).await;
    let many: Vec<Value> = (0..500).map(|position| run(position, "one of many")).collect();
    let last = run(500, "the last");
    colliding.stage(json!(many)).await.expect(200);
    colliding.stage(json!([last])).await.expect(200);
    app.api(&project.key, "POST", "/v1/runs", Some(last["run"].clone())).await.expect(200);
    colliding.commit(true, 501).await.expect(409);

    assert_eq!(runs(&app, &project).await, named(&[("exp002", "the last"), ("exp001", "old")]));
    assert_eq!(app.run(&project.key, "new").await["experiment_id"], "exp003", "no number was given out");
    assert_eq!(rows(&app, "SELECT count(*) FROM results").await, 0);
    assert_eq!(rows(&app, "SELECT count(*) FROM staged_runs").await, 503);
}

#[tokio::test]
async fn what_can_be_no_run_is_refused_before_the_commit() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let taken = app.run(&project.key, "old").await["id"].clone();
    let import = Import::begin(&app, &project).await;
    let with = |field: &str, value: Value| {
        let mut run = run(0, "wrong");
        run["run"][field] = value;
        json!([run])
    };
    let details = |details: Value| {
        let mut run = run(6, "wrong");
        run["details"] = details;
        json!([run])
    };
    let absent = format!("sha256:{}", hash(b"never sent"));
    for (runs, status, told) in [
        (json!([run(0, "a"), run(0, "b")]), 400, "same position"),
        (json!([run(50_000, "a")]), 400, "at most 50,000 runs"),
        (with("id", Value::Null), 400, "needs an id"),
        (with("id", taken), 409, "exists already"),
        (with("setup", json!(" ")), 400, "Run 1 of the import: Missing: setup"),
        (with("created_at", json!("yesterday")), 400, "Run 1 of the import: Write times as RFC 3339"),
        (details(json!({"logs": [{"hash": absent}]})), 409, "Run 7 of the import: The content"),
        (json!((0..501).map(|position| run(position, "a")).collect::<Vec<_>>()), 400, "at most 500 runs"),
    ] {
        let answer = import.stage(runs).await.expect(status);
        assert!(answer.text().contains(told), "{told}: {}", answer.text());
    }
    assert_eq!(rows(&app, "SELECT count(*) FROM staged_runs").await, 0);
}

#[tokio::test]
async fn an_import_that_is_given_up_or_forgotten_leaves_nothing() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let given_up = Import::begin(&app, &project).await;
    given_up.stage(json!([run(0, "never")])).await.expect(200);
    app.api(&project.key, "DELETE", &given_up.path, None).await.expect(200);
    given_up.commit(true, 1).await.expect(404);

    let forgotten = Import::begin(&app, &project).await;
    forgotten.stage(json!([run(0, "never")])).await.expect(200);
    app.app.clock.advance(time::Duration::hours(25));
    Import::begin(&app, &project).await;
    forgotten.commit(true, 1).await.expect(404);

    assert_eq!(rows(&app, "SELECT count(*) FROM staged_runs").await, 0);
    assert!(runs(&app, &project).await.is_empty());
}

#[tokio::test]
async fn imports_that_are_committed_together_each_get_numbers_that_follow() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let (one, other) = (Import::begin(&app, &project).await, Import::begin(&app, &project).await);
    for (import, intent) in [(&one, "one"), (&other, "other")] {
        let many: Vec<Value> = (0..50).map(|position| run(position, intent)).collect();
        import.stage(json!(many)).await.expect(200);
    }
    let (first, second) = join(one.commit(false, 50), other.commit(false, 50)).await;
    let ends = |answer: TestResponse| {
        let answer = answer.expect(200).json();
        (answer["first"].as_str().unwrap().to_owned(), answer["last"].as_str().unwrap().to_owned())
    };
    let mut ends = [ends(first), ends(second)];
    ends.sort();
    assert_eq!(ends, [("exp001", "exp050"), ("exp051", "exp100")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let all = runs(&app, &project).await;
    assert_eq!(all.len(), 100);
    assert!(all[..50].iter().all(|(_, intent)| *intent == all[0].1), "{all:?}");
}

#[tokio::test]
async fn open_pages_hear_of_one_run_that_stands_for_all() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let mut heard = app.app.live.subscribe();
    // Until the server listens, nothing is heard.
    while timeout(Duration::from_millis(200), heard.recv()).await.is_err() {
        app.run(&project.key, "is it on?").await;
    }
    let import = Import::begin(&app, &project).await;
    let many: Vec<Value> = (0..200).map(|position| run(position, "one of many")).collect();
    import.stage(json!(many)).await.expect(200);
    let committed = import.commit(true, 200).await.expect(200).json();
    let number = |name: &str| committed[name].as_str().unwrap().trim_start_matches("exp").parse::<i32>().unwrap();
    let (first, last) = (number("first"), number("last"));
    let told = async {
        loop {
            // Other tests' runs are heard too.
            if let Ok(event) = heard.recv().await
                && event.project_id.0 == project.id
                && event.number >= first
            {
                return event;
            }
        }
    };
    let told = timeout(PATIENCE, told).await.unwrap();
    assert_eq!((told.number, told.is_new), (last, true));
}
