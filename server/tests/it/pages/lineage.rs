//! The tree of a project's runs.

use otrace_server::testing::{TestApp, TestProject};
use serde_json::json;

use super::text_of;

/// Records a run that goes on from another one, with a result.
async fn record(app: &TestApp, project: &TestProject, title: &str, parent: Option<&str>, accuracy: f64) {
    let creation =
        json!({"title": title, "intent": "Which is best?", "setup": "as before", "command": "true", "parent": parent});
    let created = app.api(&project.key, "POST", "/v1/runs", Some(creation)).await.expect(200).json();
    let path = format!("/v1/runs/{}/details", created["run"]["experiment_id"].as_str().unwrap());
    let details = json!({"results": [{"kind": "scalar", "name": "accuracy", "value": accuracy}]});
    app.api(&project.key, "PUT", &path, Some(details)).await.expect(200);
}

async fn lineage(app: &TestApp, project: &TestProject, query: &str) -> String {
    text_of(&app.get(&project.cookie, &format!("/projects/{}/lineage{query}", project.slug)).await.expect(200))
}

/// The runs in the tree, from the top.
fn rows(page: &str) -> Vec<&str> {
    page.split("<li id=\"run-").skip(1).map(|row| row.split('"').next().unwrap()).collect()
}

async fn with_fork() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    record(&app, &project, "Baseline", None, 0.5).await;
    record(&app, &project, "With masks", Some("exp001"), 0.75).await;
    record(&app, &project, "Without", Some("exp001"), 0.25).await;
    (app, project)
}

#[tokio::test]
async fn the_active_branch_comes_first_and_each_run_tells_what_it_changed() {
    let (app, project) = with_fork().await;
    let page = lineage(&app, &project, "?active=exp002").await;
    assert_eq!(rows(&page), ["exp002", "exp003", "exp001"]);
    assert!(page.contains("leads to exp002") && page.contains("goes on from exp001"), "{page}");
    assert!(
        page.contains("<span class=\"ok\">+0.25</span>") && page.contains("<span class=\"bad\">−0.25</span>"),
        "{page}"
    );
    assert!(page.contains("aria-label=\"exp002, With masks, accuracy 0.75\""), "{page}");
    assert!(page.contains("<li id=\"run-exp003\" class=\"\" data-parent=\"exp001\">"), "{page}");
    assert_eq!(rows(&lineage(&app, &project, "").await), ["exp003", "exp002", "exp001"]);
    assert_eq!(rows(&lineage(&app, &project, "?active=exp002&show=branch").await), ["exp002", "exp001"]);

    // What goes on from a deleted run stands by itself, and still says from where it came.
    app.api(&project.key, "DELETE", "/v1/runs/exp001", None).await.expect(200);
    let page = lineage(&app, &project, "").await;
    assert_eq!(rows(&page), ["exp003", "exp002"]);
    assert!(page.contains("goes on from exp001"), "{page}");
}

#[tokio::test]
async fn a_filter_lets_runs_stand_out_and_a_wrong_one_says_where() {
    let (app, project) = with_fork().await;
    let page = lineage(&app, &project, "?q=metrics.accuracy+%3E+0.4").await;
    assert!(page.contains("2 of 3 runs match"), "{page}");
    assert!(
        page.contains("<li id=\"run-exp003\" class=\"out\"") && page.contains("<li id=\"run-exp002\" class=\"\""),
        "{page}"
    );
    let address = format!("/projects/{}/lineage?q=status:faild", project.slug);
    let refused = app.get(&project.cookie, &address).await.expect(400).text();
    assert!(refused.contains("At character 8 of the query") && refused.contains("id=\"run-exp003\""), "{refused}");
    for nonsense in ["?active=exp999", "?height=%00", "?height=nothing&show=x", "?active=%00&q=%20"] {
        assert_eq!(rows(&lineage(&app, &project, nonsense).await).len(), 3, "{nonsense}");
    }
}

#[tokio::test]
async fn of_many_runs_the_newest_are_shown_however_deep_they_go() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let insert = "
        INSERT INTO runs (id, project_id, number, intent, setup, command, status, created_at, updated_at)
        SELECT gen_random_uuid(), $1, number, 'why', 'as before', 'true', 'completed', now(), now()
        FROM generate_series(1, 2001) AS number
    ";
    let chain = "
        UPDATE runs r SET parent_id = p.id FROM runs p
        WHERE r.project_id = $1 AND p.project_id = $1 AND p.number = r.number - 1
    ";
    for sql in [insert, chain] {
        sqlx::query(sql).bind(project.id).execute(&app.app.pool).await.unwrap();
    }
    let page = lineage(&app, &project, "").await;
    assert!(page.contains("These are the newest 2 000 of 2 001 runs."));
    let rows = rows(&page);
    assert_eq!((rows.len(), rows.first(), rows.last()), (2_000, Some(&"exp2001"), Some(&"exp002")));
}
