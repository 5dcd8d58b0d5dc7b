//! What was learned in a project.

use otrace_server::testing::{TestApp, TestProject};
use serde_json::json;
use time::Duration;

use super::text_of;

async fn insights(app: &TestApp, project: &TestProject, asked: &str) -> String {
    text_of(&app.get(&project.cookie, &format!("/projects/{}/insights{asked}", project.slug)).await.expect(200))
}

async fn note(app: &TestApp, project: &TestProject, run: &str, text: &str) {
    app.app.clock.advance(Duration::seconds(1));
    app.api(&project.key, "POST", &format!("/v1/runs/{run}/notes"), Some(json!({"text": text}))).await.expect(200);
}

#[tokio::test]
async fn every_insight_is_there_with_its_run_the_newest_first() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let other = app.project("Other").await;
    for (project, intent) in [(&project, "one"), (&project, "two"), (&project, "three"), (&other, "theirs")] {
        app.run(&project.key, intent).await;
    }
    note(&app, &project, "exp002", "Masking *both* axes helps. #insight").await;
    note(&app, &project, "exp001", "#INSIGHT: it overfits").await;
    note(&app, &project, "exp001", "only a note about #insights").await;
    note(&app, &project, "exp003", "gone with its run #insight").await;
    note(&app, &other, "exp001", "foreign #insight").await;
    app.api(&project.key, "DELETE", "/v1/runs/exp003", None).await.expect(200);

    let page = insights(&app, &project, "").await;
    let told = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text:?} is not in {page}"));
    assert!(told("it overfits") < told("Masking <em>both</em> axes helps."), "{page}");
    assert!(told("/runs/exp001\"") < told("/runs/exp002\""), "{page}");
    for absent in ["only a note", "gone with its run", "foreign"] {
        assert!(!page.contains(absent), "{absent:?} is in {page}");
    }
    assert!(page.contains("2 insights") && page.contains("Insights <span class=\"count\">2</span>"), "{page}");
}

#[tokio::test]
async fn more_insights_than_a_page_are_read_on() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    app.run(&project.key, "one").await;
    // All at one moment.
    let sql = "INSERT INTO notes (id, run_id, project_id, body, created_at)
               SELECT gen_random_uuid(), id, project_id, 'learned ' || n || ' #insight', created_at
               FROM runs, generate_series(1, 60) AS n";
    sqlx::query(sql).execute(&app.app.pool).await.unwrap();
    let told = |page: &str| -> Vec<String> {
        page.split("<p>learned ").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    };
    let first = insights(&app, &project, "").await;
    let (_, older) = first.split_once("insights?before=").expect("there is a next page");
    let second = insights(&app, &project, &format!("?before={}", older.split('"').next().unwrap())).await;
    let mut all = [told(&first), told(&second)].concat();
    assert_eq!((told(&first).len(), all.len()), (50, 60));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 60, "none is on both pages");
    assert!(second.contains("Newest") && !second.contains("rel=\"next\""), "{second}");
}

#[tokio::test]
async fn a_project_that_learned_nothing_yet_is_told_how() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let page = insights(&app, &project, "?before=nonsense").await;
    assert!(page.contains("No insights yet") && page.contains("otrace note exp001"), "{page}");
}
