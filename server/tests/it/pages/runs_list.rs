//! The list of a project's runs.

use otrace_server::testing::{TestApp, TestProject};
use serde_json::json;

use super::text_of;

async fn list(app: &TestApp, project: &TestProject, query: &str) -> String {
    text_of(&app.get(&project.cookie, &format!("/projects/{}/runs{query}", project.slug)).await.expect(200))
}

/// The runs in a list, in their order.
fn rows(page: &str) -> Vec<String> {
    page.split("<tr id=\"run-").skip(1).map(|row| row.split('"').next().unwrap().to_owned()).collect()
}

/// The numbers of these runs, newest first.
fn numbers(newest: u32, oldest: u32) -> Vec<String> {
    (oldest..=newest).rev().map(|number| format!("exp{number:03}")).collect()
}

#[tokio::test]
async fn sixty_runs_are_two_pages_whose_rows_stay_where_they_are() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for number in 1..=60 {
        app.run(&project.key, &format!("number {number}")).await;
    }
    let first = list(&app, &project, "").await;
    assert_eq!(rows(&first), numbers(60, 11));
    assert!(first.contains("50 of 60 runs") && !first.contains("Newest"), "{first}");
    assert!(first.contains("href=\"/projects/wake-word/runs?before=11\" rel=\"next\""), "{first}");

    let second = list(&app, &project, "?before=11").await;
    assert_eq!(rows(&second), numbers(10, 1));
    assert!(
        second.contains("10 of 60 runs") && second.contains("Newest") && !second.contains("rel=\"next\""),
        "{second}"
    );

    // Whatever comes and goes meanwhile.
    app.run(&project.key, "one more").await;
    app.api(&project.key, "DELETE", "/v1/runs/exp030", None).await.expect(200);
    assert_eq!(rows(&list(&app, &project, "?before=11").await), numbers(10, 1));
    assert_eq!(rows(&list(&app, &project, "?before=1").await), [""; 0]);
    for nonsense in ["?before=x", "?before=-1&status=none", "?before=99999999999999", "?status=%00"] {
        app.get(&project.cookie, &format!("/projects/wake-word/runs{nonsense}")).await.expect(200);
    }
}

#[tokio::test]
async fn a_status_is_counted_and_filtered_by() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for status in ["completed", "failed", "completed", "capture_failed", "completed", "failed", "running", "created"] {
        let run = app.run(&project.key, status).await;
        let path = format!("/v1/runs/{}", run["experiment_id"].as_str().unwrap());
        app.api(&project.key, "PATCH", &path, Some(json!({"status": status}))).await.expect(200);
    }
    let all = list(&app, &project, "").await;
    for (label, count) in
        [("All runs", 8), ("Not started", 1), ("Running", 1), ("Completed", 3), ("Failed", 2), ("Capture failed", 1)]
    {
        assert!(all.contains(&format!("{label} <span class=\"count\">{count}</span>")), "{label}: {all}");
    }
    for (status, expected, range) in [
        ("completed", vec!["exp005", "exp003", "exp001"], "3 of 3 runs"),
        ("failed", vec!["exp006", "exp002"], "2 of 2 runs"),
        ("capture_failed", vec!["exp004"], "1 of 1 run"),
        ("created", vec!["exp008"], "1 of 1 run"),
    ] {
        let filtered = list(&app, &project, &format!("?status={status}")).await;
        assert_eq!(rows(&filtered), expected, "{status}");
        assert!(filtered.contains(range), "{status}: {filtered}");
        let current = format!("href=\"/projects/wake-word/runs?status={status}\" aria-current=\"page\"");
        assert!(filtered.contains(&current), "{status}: {filtered}");
    }
    app.api(&project.key, "DELETE", "/v1/runs", None).await.expect(200);
    assert!(list(&app, &project, "?status=failed").await.contains("Nothing matches"));
    assert!(list(&app, &project, "").await.contains("No runs yet"));
}

#[tokio::test]
async fn a_row_says_what_needs_a_look_and_which_value_is_best() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for (accuracy, loss) in [(0.91, 0.30), (0.97, 0.15), (0.95, 0.12)] {
        let run = app.run(&project.key, "compare").await;
        let path = format!("/v1/runs/{}", run["experiment_id"].as_str().unwrap());
        let details = json!({
            "results": [{"name": "accuracy", "value": accuracy}, {"name": "val_loss", "value": loss}],
            "snapshot": {"git_commit": "9f3c2e1ab04d", "git_dirty": true, "missing_expected_paths": [{"path": "out/a.pt"}, {"path": "out/b.pt"}]},
        });
        app.api(&project.key, "PUT", &format!("{path}/details"), Some(details)).await.expect(200);
        app.api(&project.key, "PATCH", &path, Some(json!({"status": "completed"}))).await.expect(200);
    }
    app.run(&project.key, "killed").await;
    app.api(&project.key, "PATCH", "/v1/runs/exp004", Some(json!({"status": "failed"}))).await.expect(200);
    app.run(&project.key, "crashed").await;
    app.api(&project.key, "PATCH", "/v1/runs/exp005", Some(json!({"status": "failed", "exit_code": 2})))
        .await
        .expect(200);

    let page = list(&app, &project, "").await;
    let row = |run: &str| {
        page.split(&format!("<tr id=\"run-{run}\"")).nth(1).unwrap().split("</tr>").next().unwrap().to_owned()
    };
    let best = |value: &str| format!("<b class=\"best\" title=\"best in this list\">{value}</b>");
    assert_eq!(page.matches("class=\"best\"").count(), 2, "one of each result");
    assert!(row("exp002").contains(&best("0.97")) && row("exp003").contains(&best("0.12")), "{page}");
    assert!(row("exp001").contains("out/a.pt and 1 more not found") && row("exp001").contains("9f3c2e1<"), "{page}");
    assert!(row("exp004").contains(">failed<") && row("exp004").contains("not recorded"), "{page}");
    assert!(row("exp005").contains("exit 2"), "{page}");
    let (head, _) = page.split_once("</thead>").unwrap();
    for (name, direction) in [("accuracy", ", higher is better"), ("val_loss", ", lower is better")] {
        assert!(head.split("<th ").any(|cell| cell.contains(name) && cell.contains(direction)), "{name}: {head}");
    }
}
