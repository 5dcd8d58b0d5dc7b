//! Runs that a query asks for: over the API, against the database.

mod configs;
mod pages;
mod refusals;

use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};
use time::Duration;

/// A project with the five runs of [`World::new`].
struct World {
    app: TestApp,
    project: TestProject,
}

impl World {
    /// Five runs, an hour apart; the clock stands an hour after the last one.
    async fn new() -> Self {
        let app = TestApp::new().await;
        let project = app.project("wake-word").await;
        let world = Self { app, project };
        world
            .run(json!({"title": "Baseline", "intent": "How far does the smallest get?", "setup": "12 units",
            "command": "python3 scripts/train.py --val_loss", "tags": ["baseline", "two words"]}))
            .await;
        world
            .run(json!({"title": "Wider", "intent": "Is wider better?", "setup": "48 units, Größe M",
            "command": "python3 scripts/train.py", "tags": ["sweep"], "parent": "exp001"}))
            .await;
        world
            .run(json!({"intent": "Does it hear far-field speech?", "setup": "as before",
            "command": "make train", "tags": ["sweep", "baseline"]}))
            .await;
        world.run(json!({"title": "Tiny title", "intent": "i", "setup": "s", "command": "c"})).await;
        world.run(json!({"intent": "nothing of interest", "setup": "s", "command": "c"})).await;
        world.ends("exp001", json!({"status": "completed", "exit_code": 0, "duration_seconds": 90})).await;
        world.ends("exp002", json!({"status": "failed", "exit_code": 1, "duration_seconds": 5400})).await;
        world.ends("exp003", json!({"status": "completed", "exit_code": 0, "duration_seconds": 90})).await;
        world.ends("exp004", json!({"status": "running", "started_at": "2026-05-01T00:00:00Z"})).await;
        world.details("exp001", json!([result("accuracy", json!(0.91)), result("loss", json!(0.5))]), "main").await;
        world.details("exp002", json!([result("accuracy", json!(0.95)), result("loss", json!("NaN"))]), "main").await;
        let third = json!([
            result("accuracy", json!(0.5)),
            result("accuracy", json!(0.99)),
            result("model", json!("ResNet-50")),
            result("best", json!(true)),
            result("val loss", json!("-Infinity")),
        ]);
        world.details("exp003", third, "far/field").await;
        world
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Value {
        self.app.api(&self.project.key, method, path, Some(body)).await.expect(200).json()
    }

    async fn run(&self, body: Value) {
        self.send("POST", "/v1/runs", body).await;
        self.app.app.clock.advance(Duration::hours(1));
    }

    async fn ends(&self, run: &str, outcome: Value) {
        self.send("PATCH", &format!("/v1/runs/{run}"), outcome).await;
    }

    async fn details(&self, run: &str, results: Value, branch: &str) {
        let commit = format!("{}{}", &run[3..], "ab".repeat(18));
        let details = json!({"results": results, "snapshot": {"git_branch": branch, "git_commit": commit}});
        self.send("PUT", &format!("/v1/runs/{run}/details"), details).await;
    }

    /// The answer to these parameters.
    async fn page(&self, parameters: &[(&str, &str)]) -> Value {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.app.api(&self.project.key, "GET", &format!("/v1/runs?{query}"), None).await.expect(200).json()
    }

    /// The numbers of the runs that answer these parameters, in their order, such as `3 1`.
    async fn found(&self, parameters: &[(&str, &str)]) -> String {
        numbers(&self.page(parameters).await)
    }

    /// The numbers of the runs that a query asks for, the oldest first.
    async fn query(&self, query: &str) -> String {
        self.found(&[("query", query), ("sort", "number")]).await
    }
}

#[expect(clippy::needless_pass_by_value, reason = "callers write values")]
fn result(name: &str, value: Value) -> Value {
    json!({"kind": "scalar", "name": name, "value": value})
}

fn numbers(answer: &Value) -> String {
    let ids = answer["runs"].as_array().unwrap().iter().map(|run| run["experiment_id"].as_str().unwrap());
    ids.map(|id| id.trim_start_matches("exp0")).map(|id| id.trim_start_matches('0')).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_sign_parts_the_words_beside_it() {
    let app = TestApp::new().await;
    for sign in (b'!'..=b'~').map(char::from).filter(char::is_ascii_punctuation) {
        for (text, words) in [
            (format!("val{sign}loss"), "'loss':2 'val':1".to_owned()),
            (format!("{sign}lr {sign}{sign}1e{sign}4"), "'1e':2 '4':3 'lr':1".to_owned()),
            (format!("http://a{sign}b/c.d {sign}x{sign}"), "'a':2 'b':3 'c':4 'd':5 'http':1 'x':6".to_owned()),
        ] {
            let found: String =
                sqlx::query_scalar("SELECT words_of($1)::text").bind(&text).fetch_one(&app.app.pool).await.unwrap();
            assert_eq!(found, words, "{text}");
        }
    }
}

#[tokio::test]
async fn each_condition_finds_its_runs() {
    let world = World::new().await;
    for (query, expected) in [
        ("", "1 2 3 4 5"),
        ("status:completed", "1 3"),
        ("status:failed,running", "2 4"),
        ("NOT status:completed", "2 4 5"),
        ("tag:baseline", "1 3"),
        ("tag:\"two words\"", "1"),
        ("tag:base", ""),
        ("tag:sweep tag:baseline", "3"),
        ("tag:sweep -tag:baseline", "2"),
        ("has:tag", "1 2 3"),
        ("metrics.accuracy > 0.9", "1 2 3"),
        ("metrics.accuracy > 0.91", "2 3"),
        ("metrics.accuracy:[0.91 TO 0.95}", "1"),
        ("metrics.accuracy:0.5", "3"),
        ("metrics.loss > 0", "1"),
        ("metrics.loss:nan", "2"),
        ("NOT metrics.loss > 0", "2 3 4 5"),
        ("has:metrics.loss", "1 2"),
        ("NOT has:metrics.loss", "3 4 5"),
        ("metrics.\"val loss\" < -1e300", "3"),
        ("metrics.model:ResNet-50", "3"),
        ("metrics.model:resnet", ""),
        ("metrics.best:true", "3"),
        ("branch:main", "1 2"),
        ("branch:far/field", "3"),
        ("commit:001A", "1"),
        ("has:commit", "1 2 3"),
        ("parent:exp001", "2"),
        ("NOT parent:exp001", "1 3 4 5"),
        ("has:parent", "2"),
        ("exit:1", "2"),
        ("exit!=1", "1 3 4 5"),
        ("duration > 1m", "1 2 3"),
        ("duration:[90 TO 1h]", "1 3"),
        ("NOT duration > 1h", "1 3 4 5"),
        ("number:{1 TO exp004]", "2 3 4"),
        ("created:2026-06-01", "1 2 3 4 5"),
        ("created > 2026-06-01T12:30:00Z", "2 3 4 5"),
        ("created:>150m", "4 5"),
        ("created < 150m", "1 2 3"),
        ("started < 7d", "4"),
        ("has:started", "4"),
        ("has:finished", ""),
        ("author:me", "1 2 3 4 5"),
        ("author:nobody", ""),
        ("has:title", "1 2 4"),
        ("status:failed OR tag:baseline", "1 2 3"),
        ("(status:failed OR tag:baseline) metrics.accuracy > 0.94", "2 3"),
        ("NOT (status:failed OR tag:baseline)", "4 5"),
        ("metrics.accuracy > 0.9 OR created > 2026-06-01T15:30:00Z", "1 2 3 5"),
    ] {
        assert_eq!(world.query(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn words_are_found_wherever_they_stand() {
    let world = World::new().await;
    world.send("POST", "/v1/runs/exp005/notes", json!({"text": "Saturates, see exp001. #insight"})).await;
    for (query, expected) in [
        ("train.py", "1 2"),
        ("train", "1 2 3"),
        ("tra", "1 2 3"),
        ("\"tra\"", ""),
        ("\"tra\"*", "1 2 3"),
        ("loss", "1 2"),
        ("val_loss", "1"),
        ("\"far field\"", "3"),
        ("\"field far\"", ""),
        ("größe", "2"),
        ("BASELINE", "1 3"),
        ("baseline -title:baseline", "3"),
        ("title:tiny", "4"),
        ("title:\"tiny title\"", "4"),
        ("intent:tiny", ""),
        ("command:\"make train\"", "3"),
        ("setup:units", "1 2"),
        ("insight", "5"),
        ("note:\"see exp001\"", "5"),
        ("has:note", "5"),
        ("resnet", "3"),
        ("accuracy", "1 2 3"),
        ("words", "1"),
        ("NOT train", "4 5"),
        ("nowhere", ""),
        ("\"'); DROP TABLE runs; --x\"", ""),
        ("\"a' b:*A & !c | d\"*", ""),
    ] {
        assert_eq!(world.query(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn what_changes_is_found_as_it_is_now() {
    let world = World::new().await;
    world.send("PATCH", "/v1/runs/exp005/tags", json!({"add": ["late"]})).await;
    assert_eq!(world.query("tag:late").await, "5");
    assert_eq!(world.query("late").await, "5");
    world.send("PATCH", "/v1/runs/exp005/tags", json!({"remove": ["late"]})).await;
    assert_eq!(world.query("tag:late").await, "");
    assert_eq!(world.query("late").await, "");
    world.app.api(&world.project.key, "DELETE", "/v1/runs/exp003", None).await.expect(200);
    assert_eq!(world.query("tag:baseline").await, "1");
    assert_eq!(world.query("resnet").await, "");
}

#[tokio::test]
async fn status_and_tags_are_asked_for_beside_the_query() {
    let world = World::new().await;
    assert_eq!(world.found(&[("status", "completed"), ("sort", "number")]).await, "1 3");
    assert_eq!(world.found(&[("tag", "sweep"), ("tag", "baseline")]).await, "3");
    assert_eq!(world.found(&[("tag", "two words"), ("query", "loss OR field")]).await, "1");
    assert_eq!(world.found(&[("query", "")]).await, "5 4 3 2 1", "the newest first unless told");
}

#[tokio::test]
async fn runs_of_another_project_are_never_found() {
    let world = World::new().await;
    let other = world.app.project("other").await;
    for query in ["", "train", "tag:baseline", "metrics.accuracy > 0", "branch:main", "NOT status:created"] {
        let path = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        let answer = world.app.api(&other.key, "GET", &format!("/v1/runs?{path}"), None).await.expect(200).json();
        assert_eq!(answer, json!({"ok": true, "runs": [], "next_cursor": null}), "{query}");
    }
    let body = json!({"intent": "theirs", "setup": "s", "command": "c", "parent": null, "tags": ["baseline"]});
    world.app.api(&other.key, "POST", "/v1/runs", Some(body)).await.expect(200);
    assert_eq!(world.query("tag:baseline").await, "1 3");
    assert_eq!(world.query("theirs").await, "");
}

#[tokio::test]
async fn a_found_run_has_its_results_snapshot_and_notes() {
    let world = World::new().await;
    world.send("POST", "/v1/runs/exp001/notes", json!({"text": "Good."})).await;
    let answer = world.page(&[("query", "number:1")]).await;
    let run = &answer["runs"][0];
    assert_eq!(run["results"][0]["name"], "accuracy");
    assert_eq!(run["snapshot"]["git_branch"], "main");
    assert_eq!(run["notes"][0]["text"], "Good.");
    assert_eq!(answer["next_cursor"], Value::Null);
}

#[tokio::test]
async fn published_clients_get_all_runs_as_before() {
    let world = World::new().await;
    for path in ["/v1/runs", "/v1/runs?", "/v1/runs?page=2"] {
        let answer = world.app.api(&world.project.key, "GET", path, None).await.expect(200).json();
        assert_eq!(numbers(&answer), "5 4 3 2 1", "{path}");
        assert!(answer.get("next_cursor").is_none(), "{path}");
    }
}
