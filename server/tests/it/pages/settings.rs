//! What owners settle: the name, the columns of the runs, and which way results get better.

use otrace_server::domain::Role;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::json;

use super::text_of;

const SETTINGS: &str = "/projects/wake-word/settings";

/// Two runs, the first with the lower surprise and the second with the higher one.
async fn two_runs() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for surprise in [0.25, 0.5] {
        let run = app.run(&project.key, "compare").await;
        let path = format!("/v1/runs/{}/details", run["id"].as_str().unwrap());
        let results =
            json!({"results": [{"name": "surprise", "value": surprise}, {"name": "accuracy", "value": surprise}]});
        app.api(&project.key, "PUT", &path, Some(results)).await.expect(200);
    }
    (app, project)
}

async fn runs(app: &TestApp, project: &TestProject) -> String {
    text_of(&app.get(&project.cookie, "/projects/wake-word/runs").await.expect(200))
}

/// The cell of the run's row that is marked as the best.
fn is_best(page: &str, run: &str, value: &str) -> bool {
    let (_, row) = page.split_once(&format!("id=\"run-{run}\"")).unwrap();
    let row = row.split("</tr>").next().unwrap();
    row.split("<td").any(|cell| cell.contains("best") && cell.contains(value))
}

#[tokio::test]
async fn a_new_name_shows_everywhere_and_the_address_stays() {
    let (app, project) = two_runs().await;
    let fields = [("name", "Keywords"), ("description", "On a Cortex-M7")];
    let saved = app.post(&project.cookie, SETTINGS, &fields).await.expect(303);
    assert_eq!(saved.header("location"), "/projects/wake-word/settings?saved=about");
    let page = app.get(&project.cookie, saved.header("location")).await.expect(200).text();
    assert!(page.contains("Name and description are saved.") && page.contains("value=\"Keywords\""), "{page}");
    assert!(runs(&app, &project).await.contains("Keywords"));
    let whoami = app.api(&project.key, "GET", "/v1/auth/whoami", None).await.expect(200).text();
    assert!(whoami.contains("Keywords") && whoami.contains("wake-word"), "{whoami}");
}

#[tokio::test]
async fn what_is_refused_stands_at_its_field_with_what_was_typed() {
    let (app, project) = two_runs().await;
    let long = "d".repeat(10_001);
    let page = app
        .post(&project.cookie, SETTINGS, &[("name", "Keywords"), ("description", long.as_str())])
        .await
        .expect(422)
        .text();
    assert!(page.contains("id=\"description-says\">Use a description of at most"), "{page}");
    assert!(page.contains("value=\"Keywords\"") && page.contains(&long));
    let page = app.post(&project.cookie, SETTINGS, &[("name", " "), ("description", "kept")]).await.expect(422).text();
    assert!(page.contains("id=\"name-says\">Enter a name.") && page.contains(">kept</textarea>"), "{page}");
}

#[tokio::test]
async fn the_projects_columns_are_shown_to_who_chose_none() {
    let (app, project) = two_runs().await;
    let columns = [("col", "metrics.surprise"), ("col", "created"), ("col", "nonsense")];
    app.post(&project.cookie, &format!("{SETTINGS}/columns"), &columns).await.expect(303);
    let usual = runs(&app, &project).await;
    assert!(usual.contains("sort=-metrics.surprise") && !usual.contains("sort=-metrics.accuracy"), "{usual}");
    let own = app.get(&project.cookie, "/projects/wake-word/runs?col=metrics.accuracy").await.expect(200).text();
    assert!(own.contains("metrics.accuracy") && !own.contains("sort=-metrics.surprise"), "{own}");
    let settings = app.get(&project.cookie, SETTINGS).await.expect(200).text();
    assert!(settings.contains("value=\"metrics.surprise\" checked") && !settings.contains("nonsense"), "{settings}");
}

#[tokio::test]
async fn what_is_better_when_lower_is_best_when_lowest() {
    let (app, project) = two_runs().await;
    assert!(is_best(&runs(&app, &project).await, "exp002", "0.5"));
    let said = [("name", "surprise"), ("better", "lower"), ("name", "accuracy"), ("better", "")];
    app.post(&project.cookie, &format!("{SETTINGS}/directions"), &said).await.expect(303);
    let page = runs(&app, &project).await;
    assert!(is_best(&page, "exp001", "0.25") && is_best(&page, "exp002", "0.5"), "{page}");
    let overview = text_of(&app.get(&project.cookie, "/projects/wake-word/runs/exp001").await.expect(200));
    assert!(overview.contains("1st of 2") && overview.contains("2nd of 2"), "{overview}");
    app.post(&project.cookie, &format!("{SETTINGS}/directions"), &[("name", "surprise"), ("better", "")])
        .await
        .expect(303);
    assert!(!is_best(&runs(&app, &project).await, "exp001", "0.25"));
}

#[tokio::test]
async fn only_owners_settle_anything() {
    let (app, project) = two_runs().await;
    let editor = app.account("editor@example.org").await;
    app.join(&project, "editor@example.org", Role::Editor).await;
    app.get(&editor, SETTINGS).await.expect(403);
    for (path, fields) in [
        (SETTINGS.to_owned(), vec![("name", "Mine")]),
        (format!("{SETTINGS}/columns"), vec![("col", "tags")]),
        (format!("{SETTINGS}/directions"), vec![("name", "surprise"), ("better", "sideways")]),
        ("/projects/wake-word/delete".to_owned(), vec![("name", "Wake word")]),
    ] {
        app.post(&editor, &path, &fields).await.expect(403);
    }
    assert!(runs(&app, &project).await.contains("Wake word"));
}
