//! The list as a file.

use futures_util::future::join_all;
use otrace_server::testing::TestApp;
use serde_json::json;

use super::{four_runs, record};

#[tokio::test]
async fn what_is_shown_is_a_table_for_other_programs() {
    let (app, project) = four_runs().await;
    let hostile =
        json!([{"name": "model", "value": "=HYPERLINK(\"//evil.example\")"}, {"name": "accuracy", "value": -0.5}]);
    record(&app, &project, &["a,b", "c"], &hostile).await;
    let path = "/projects/wake-word/runs.csv?sort=-metrics.accuracy&col=metrics.accuracy&col=metrics.model&col=tags";
    let file = app.get(&project.cookie, path).await.expect(200);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"wake-word-runs.csv\"");
    let text = file.text();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(
        lines,
        [
            "experiment,status,title,intent,accuracy,model,tags",
            "exp002,completed,,compare,0.97,,\"sweep, wide\"",
            "exp003,completed,,compare,0.95,,sweep",
            "exp001,completed,,compare,0.91,,baseline",
            "exp005,completed,,compare,-0.5,\"'=HYPERLINK(\"\"//evil.example\"\")\",\"a,b, c\"",
            "exp004,completed,,compare,,ResNet-50,",
        ]
    );
    let path = "/projects/wake-word/runs.json?q=number%3A2&col=metrics.accuracy&col=tags&col=created";
    let runs = app.get(&project.cookie, path).await.expect(200).json();
    assert_eq!(
        runs,
        json!([{
            "experiment": "exp002", "status": "completed", "title": null, "intent": "compare",
            "metrics": {"accuracy": 0.97}, "tags": ["sweep", "wide"], "created": "2026-06-01T12:00:00Z",
        }])
    );
    assert_eq!(app.get(&project.cookie, "/projects/wake-word/runs.json?q=nowhere").await.json(), json!([]));
    app.get(&project.cookie, "/projects/wake-word/runs.csv?q=stauts%3Afailed").await.expect(400);
}

#[tokio::test]
async fn a_file_has_all_runs_of_all_pages_once() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    join_all((0..203).map(|_| app.run(&project.key, "many"))).await;
    let text = app.get(&project.cookie, "/projects/wake-word/runs.csv?sort=number").await.expect(200).text();
    let found: Vec<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    let expected: Vec<String> = (1..=203).map(|number| format!("exp{number:03}")).collect();
    assert_eq!(found, expected);
    let runs = app.get(&project.cookie, "/projects/wake-word/runs.json?sort=number").await.expect(200).json();
    assert_eq!(runs.as_array().unwrap().len(), 203);
}
