//! Runs that are found by the values of their configs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otrace_server::services::{parameters, sweep};
use otrace_server::store::run_parameters;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use super::numbers;

/// What makes the configs of former runs be read.
const READ_FORMER: &str = include_str!("../../../../migrations/20261123000410_read_former_configs.sql");

/// A project whose runs have configs.
struct Lab {
    app: TestApp,
    project: TestProject,
}

impl Lab {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let project = app.project("wake-word").await;
        Self { app, project }
    }

    /// Records a run with these configs, as their paths and contents; its number is the next.
    async fn record(&self, configs: &[(&str, &[u8])]) -> String {
        let run = self.app.run(&self.project.key, "compare").await["experiment_id"].as_str().unwrap().to_owned();
        self.tell(&run, configs).await;
        run
    }

    /// What a run has is these configs, and nothing else.
    async fn tell(&self, run: &str, configs: &[(&str, &[u8])]) {
        let artifact = |(path, content): &(&str, &[u8])| {
            let content = STANDARD.encode(content);
            json!({"original_path": path, "type": "config", "content_base64": content})
        };
        let details = json!({"artifacts": configs.iter().map(artifact).collect::<Vec<_>>()});
        let path = format!("/v1/runs/{run}/details");
        self.app.api(&self.project.key, "PUT", &path, Some(details)).await.expect(200);
    }

    /// Reads all configs that are to be read; returns of how many runs.
    async fn read(&self) -> usize {
        parameters::read_due(&self.app.app).await.unwrap()
    }

    async fn page(&self, key: &str, parameters: &[(&str, &str)]) -> Value {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.app.api(key, "GET", &format!("/v1/runs?{query}"), None).await.expect(200).json()
    }

    /// The numbers of the runs that a query asks for, the oldest first.
    async fn query(&self, query: &str) -> String {
        numbers(&self.page(&self.project.key, &[("query", query), ("sort", "number")]).await)
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.app.app.pool).await.unwrap()
    }
}

/// Five runs: one with YAML, one with JSON, one with TOML, one with two files, and one without any.
async fn five_runs() -> Lab {
    let lab = Lab::new().await;
    let yaml = b"lr: 1e-4\namp: true\noptimizer:\n  name: AdamW\n  eps: 1e-8\n";
    let json =
        br#"{"lr": 0.001, "optimizer": {"name": "sgd"}, "batch size": 32, "layers": [1, 2], "schedule": "1e-3"}"#;
    let toml = b"lr = 0.1\namp = false\n[optimizer]\nname = 'adamw'\n";
    lab.record(&[("configs/a.yaml", yaml)]).await;
    lab.record(&[("configs/b.json", json), ("configs/readme.md", b"lr: 100")]).await;
    lab.record(&[("configs/c.toml", toml)]).await;
    lab.record(&[("base.json", br#"{"lr": 5, "seed": 1}"#), ("over.json", br#"{"lr": 7}"#)]).await;
    lab.record(&[]).await;
    lab
}

#[tokio::test]
async fn a_run_is_found_by_what_is_in_its_configs() {
    let lab = five_runs().await;
    assert_eq!(lab.query("has:config.lr").await, "", "nobody waits for it");
    assert_eq!((lab.read().await, lab.read().await), (4, 0));
    for (query, expected) in [
        ("config.lr:[1e-4 TO 1e-2]", "1 2"),
        ("config.lr:{1e-4 TO 1e-2]", "2"),
        ("config.lr > 1", "4"),
        ("config.lr=1e-3", "2"),
        ("config.lr:5", ""),
        ("config.lr:7", "4"),
        ("config.schedule < 0.01", "2"),
        ("config.optimizer.name:adamw", "1 3"),
        ("config.optimizer.name:ADAMW,sgd", "1 2 3"),
        ("config.optimizer.name:adam", ""),
        ("config.optimizer.name > 0", ""),
        ("config.amp:True", "1"),
        ("config.\"batch size\":32", "2"),
        ("config.\"batch size\":\"32\"", "2"),
        ("config.layers:\"[1,2]\"", "2"),
        ("config.optimizer.eps:*", "1"),
        ("has:config.amp", "1 3"),
        ("NOT has:config.lr", "5"),
        ("NOT config.lr > 0.01", "1 2 5"),
        ("config.lr:0.1 OR config.seed:1", "3 4"),
        ("config.optimizer.name:adamw -config.amp:true", "3"),
        ("metrics.lr:*", ""),
    ] {
        assert_eq!(lab.query(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn runs_are_sorted_by_a_number_of_their_configs_and_pages_have_each_once() {
    let lab = five_runs().await;
    lab.read().await;
    for (sort, expected) in [
        ("config.lr", "1 2 3 4 5"),
        ("-config.lr", "4 3 2 1 5"),
        ("config.optimizer.name", "5 4 3 2 1"),
        ("-config.batch size", "2 5 4 3 1"),
    ] {
        let mut pages = Vec::new();
        let mut cursor = String::new();
        while pages.len() < 5 {
            let page = lab.page(&lab.project.key, &[("sort", sort), ("limit", "2"), ("cursor", cursor.as_str())]).await;
            pages.push(numbers(&page));
            let Some(next) = page["next_cursor"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        assert_eq!(pages.join(" "), expected, "{sort}");
    }
    let sorted = [("query", "config.optimizer.name:adamw"), ("sort", "-config.lr")];
    assert_eq!(numbers(&lab.page(&lab.project.key, &sorted).await), "3 1");
}

#[tokio::test]
async fn what_changes_is_found_as_it_is_now_and_former_runs_are_read_too() {
    let lab = five_runs().await;
    lab.read().await;
    lab.tell("exp001", &[("a.json", br#"{"lr": 9}"#)]).await;
    lab.tell("exp003", &[]).await;
    assert_eq!(lab.query("config.lr:0.1").await, "3", "until it is read anew");
    assert_eq!(lab.read().await, 2);
    assert_eq!(
        (lab.query("config.lr > 6").await.as_str(), lab.query("NOT has:config.lr").await.as_str()),
        ("1 4", "3 5")
    );
    assert_eq!(lab.query("has:config.optimizer.eps").await, "");

    // As the database was before there were parameters.
    for sql in ["DELETE FROM run_parameters", READ_FORMER] {
        sqlx::raw_sql(sql).execute(&lab.app.app.pool).await.unwrap();
    }
    assert_eq!(lab.read().await, 3);
    assert_eq!(lab.query("has:config.lr").await, "1 2 4");
}

#[tokio::test]
async fn a_config_that_changes_while_it_is_read_is_read_again() {
    let lab = Lab::new().await;
    let run = lab.record(&[("a.json", br#"{"lr": 1}"#)]).await;
    let (app, now) = (&lab.app.app, lab.app.app.clock.now());
    let mut connection = app.pool.acquire().await.unwrap();
    let claimed = run_parameters::claim(&mut connection, now, 16).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(lab.read().await, 0, "somebody is at it");
    lab.tell(&run, &[("a.json", br#"{"lr": 2}"#)]).await;
    assert!(!run_parameters::end(&mut connection, &claimed[0]).await.unwrap(), "what was read is out of date");
    assert_eq!((lab.read().await, lab.query("config.lr:2").await.as_str()), (1, "1"));

    // Nor is it forgotten, where a server ends while it is at it.
    lab.tell(&run, &[("a.json", br#"{"lr": 3}"#)]).await;
    run_parameters::claim(&mut connection, now, 16).await.unwrap();
    app.clock.advance(Duration::seconds(59));
    assert_eq!(lab.read().await, 0);
    app.clock.advance(Duration::seconds(1));
    assert_eq!((lab.read().await, lab.query("config.lr:3").await.as_str()), (1, "1"));
}

#[tokio::test]
async fn a_hostile_config_is_kept_and_read_as_far_as_it_goes() {
    let lab = Lab::new().await;
    let many: Vec<String> = (0..20_000).map(|number| format!("\"k{number:05}\":1")).collect();
    let many = format!("{{{}}}", many.join(","));
    let long_name = "n".repeat(257);
    let odd = format!(
        "{{\"{long_name}\": 1, \"\": 2, \"a\\u0000b\": 3, \"text\": \"a\\u0000b\", \"long\": \"{}\"}}",
        "é".repeat(9_000)
    );
    let too_large = format!("{{\"lr\": 1, \"pad\": \"{}\"}}", "x".repeat(256 * 1024));
    let bomb = (1..20).fold("a0: &a0 [1, 1]\n".to_owned(), |text, depth| {
        format!("{text}a{depth}: &a{depth} [*a{0}, *a{0}]\n", depth - 1)
    });
    for (path, content) in [
        ("many.json", many.as_bytes()),
        ("odd.json", odd.as_bytes()),
        ("large.json", too_large.as_bytes()),
        ("deep.json", "{\"lr\":".repeat(40_000).as_bytes()),
        ("deep.yaml", "{lr: ".repeat(40_000).as_bytes()),
        ("deep.toml", format!("lr = {}", "[".repeat(200_000)).as_bytes()),
        ("bomb.yaml", bomb.as_bytes()),
        ("bytes.yaml", &b"lr: \xff\xfe"[..]),
        ("empty.json", &b""[..]),
    ] {
        lab.record(&[(path, content)]).await;
    }
    lab.record(&[("bytes.yaml", b"\xff"), ("a.json", br#"{"lr": 1}"#)]).await;
    assert_eq!((lab.read().await, lab.read().await), (10, 0));
    assert_eq!(lab.query("has:config.lr").await, "10", "a broken file leaves the others");
    assert_eq!(
        lab.count("SELECT count(*) FROM run_parameters p JOIN runs r ON r.id = p.run_id WHERE r.number = 1").await,
        500
    );
    assert_eq!(lab.query("has:config.k00007").await, "1");
    assert_eq!(lab.query("config.text:\"a\u{fffd}b\" has:config.long").await, "2");
    assert_eq!(
        lab.count("SELECT count(*) FROM run_parameters p JOIN runs r ON r.id = p.run_id WHERE r.number = 2").await,
        2
    );
    assert_eq!(
        lab.count("SELECT max(length(value))::bigint FROM run_parameters").await,
        201,
        "200 characters and an ellipsis"
    );
}

#[tokio::test]
async fn values_of_another_project_are_never_found() {
    let lab = five_runs().await;
    lab.read().await;
    let other = lab.app.project("other").await;
    lab.app.run(&other.key, "theirs").await;
    for query in ["config.lr > 0", "config.optimizer.name:adamw", "has:config.amp"] {
        assert_eq!(numbers(&lab.page(&other.key, &[("query", query)]).await), "", "{query}");
    }
    assert_eq!(numbers(&lab.page(&other.key, &[("sort", "config.lr"), ("query", "NOT has:config.lr")]).await), "1");
    for prefix in ["config.", "has:config.", "config.optimizer.name:"] {
        let path = format!("/projects/{}/runs/words?prefix={prefix}", other.slug);
        assert_eq!(lab.app.get(&other.cookie, &path).await.expect(200).json()["words"], json!([]), "{prefix}");
    }
}

#[tokio::test]
async fn imported_runs_are_found_by_their_configs() {
    let lab = Lab::new().await;
    let id = Uuid::now_v7();
    let send = async |path: &str, body: Value| {
        lab.app.api(&lab.project.key, "POST", path, Some(body)).await.expect(200).json()
    };
    send("/v1/imports", json!({"id": id})).await;
    let run = json!({"id": Uuid::now_v7(), "intent": "former", "setup": "as it was", "command": "true"});
    let config = json!({"original_path": "a.yaml", "type": "config", "text_content": "lr: 3\n"});
    let staged = json!({"runs": [{"position": 0, "run": run, "details": {"artifacts": [config]}}]});
    send(&format!("/v1/imports/{id}/runs"), staged).await;
    assert_eq!(lab.read().await, 0, "nobody sees it yet");
    while send(&format!("/v1/imports/{id}/commit"), json!({"replace": false, "runs": 1})).await["is_committed"] != true
    {
    }
    assert_eq!((lab.read().await, lab.query("config.lr:3").await.as_str()), (1, "1"));
}

#[tokio::test]
async fn a_run_that_goes_for_good_takes_its_parameters_along() {
    let lab = Lab::new().await;
    let read = lab.record(&[("a.json", br#"{"lr": 1}"#)]).await;
    lab.read().await;
    let unread = lab.record(&[("a.json", br#"{"lr": 1}"#)]).await;
    for run in [read, unread] {
        lab.app.api(&lab.project.key, "DELETE", &format!("/v1/runs/{run}"), None).await.expect(200);
    }
    assert_eq!(lab.query("has:config.lr").await, "");
    lab.app.app.clock.advance(Duration::days(31));
    sweep::sweep(&lab.app.app).await.unwrap().unwrap();
    assert_eq!(lab.count("SELECT count(*) FROM runs").await, 0);
    assert_eq!(lab.count("SELECT count(*) FROM run_parameters").await, 0);
    assert_eq!(lab.count("SELECT count(*) FROM unread_configs").await, 0, "what goes is not read anew");
}
