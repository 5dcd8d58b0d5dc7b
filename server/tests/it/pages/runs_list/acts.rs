//! What is done to the runs that were chosen in a list.

use otrace_server::domain::Role;
use otrace_server::testing::{TestApp, TestProject, TestResponse};

use super::{four_runs, list, rows};

async fn act(app: &TestApp, project: &TestProject, fields: &[(&str, &str)]) -> TestResponse {
    app.post(&project.cookie, "/projects/wake-word/runs/selected", fields).await
}

#[tokio::test]
async fn chosen_runs_get_a_tag_and_the_list_stays_as_it_was() {
    let (app, project) = four_runs().await;
    let fields = [
        ("act", "tag"),
        ("tag", " keep "),
        ("ids", "exp001"),
        ("ids", "exp003"),
        ("ids", "exp999"),
        ("back", "q=has%3Atag"),
    ];
    let answer = act(&app, &project, &fields).await.expect(303);
    assert_eq!(answer.header("location"), "/projects/wake-word/runs?q=has%3Atag&done=tagged.2");
    assert!(list(&app, &project, "?q=has%3Atag&done=tagged.2").await.contains("2 runs tagged."));
    assert_eq!(rows(&list(&app, &project, "?q=tag%3Akeep").await), ["exp003", "exp001"]);
}

#[tokio::test]
async fn deleted_runs_lie_in_the_trash_until_they_are_brought_back() {
    let (app, project) = four_runs().await;
    let answer = act(&app, &project, &[("act", "delete"), ("ids", "exp002"), ("ids", "exp003")]).await.expect(303);
    assert_eq!(answer.header("location"), "/projects/wake-word/runs?done=deleted.2");
    assert_eq!(rows(&list(&app, &project, "").await), ["exp004", "exp001"]);
    // The same form once more does nothing.
    let again = act(&app, &project, &[("act", "delete"), ("ids", "exp002")]).await.expect(303);
    assert!(again.header("location").ends_with("done=deleted.0"));

    let trash = list(&app, &project, "?deleted=1").await;
    let (third, second) = (trash.find("value=\"exp003\"").unwrap(), trash.find("value=\"exp002\"").unwrap());
    assert!(third < second && !trash.contains("value=\"exp001\""), "{trash}");
    act(&app, &project, &[("act", "restore"), ("ids", "exp002")]).await.expect(303);
    assert_eq!(rows(&list(&app, &project, "").await), ["exp004", "exp002", "exp001"]);
    assert!(!list(&app, &project, "?deleted=1").await.contains("exp002"));
    let audit = app.get(&project.cookie, "/projects/wake-word/audit").await.expect(200).text();
    assert!(audit.contains("deleted the run") && audit.contains("brought back the run"), "{audit}");
}

#[tokio::test]
async fn the_trash_has_pages_also_where_all_runs_went_at_once() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for _ in 0..52 {
        app.run(&project.key, "to be deleted").await;
    }
    app.api(&project.key, "DELETE", "/v1/runs", None).await.expect(200);
    let first = list(&app, &project, "?deleted=1").await;
    assert_eq!(first.matches("name=\"ids\"").count(), 50);
    let (_, next) = first.split_once("/runs?deleted=1&#38;after=").unwrap();
    let second = list(&app, &project, &format!("?deleted=1&after={}", next.split('"').next().unwrap())).await;
    assert!(second.contains("value=\"exp002\"") && second.contains("value=\"exp001\""), "{second}");
    assert_eq!(second.matches("name=\"ids\"").count(), 2);
}

#[tokio::test]
async fn two_chosen_runs_are_compared_and_what_can_not_be_done_is_said_on_the_list() {
    let (app, project) = four_runs().await;
    // As Enter in an empty field of the tag sends it.
    let compared = act(&app, &project, &[("act", ""), ("tag", ""), ("ids", "exp001"), ("ids", "exp003")]).await;
    assert_eq!(compared.expect(303).header("location"), "/projects/wake-word/compare?ids=exp001,exp003");
    for (fields, sentence) in [
        (&[("act", "compare"), ("ids", "exp001")][..], "Choose two or more runs to compare."),
        (&[("act", "tag"), ("tag", "  "), ("ids", "exp001")][..], "Write the tag"),
        (&[("act", "delete")][..], "Choose at least one run."),
        (&[("act", "sell"), ("ids", "exp001")][..], "Choose what to do"),
    ] {
        let page = act(&app, &project, fields).await.expect(422).text();
        assert!(page.contains(sentence) && rows(&page).len() == 4, "{sentence}: {page}");
    }
}

#[tokio::test]
async fn a_viewer_reads_and_changes_nothing() {
    let (app, project) = four_runs().await;
    let cookie = app.account("viewer@example.org").await;
    app.join(&project, "viewer@example.org", Role::Viewer).await;
    for act in ["tag", "delete", "restore"] {
        let fields = [("act", act), ("tag", "mine"), ("ids", "exp001")];
        app.post(&cookie, "/projects/wake-word/runs/selected", &fields).await.expect(403);
    }
    let page = app.get(&cookie, "/projects/wake-word/runs").await.expect(200).text();
    assert_eq!(rows(&page).len(), 4);
    assert!(page.contains("value=\"compare\"") && !page.contains("value=\"delete\""), "{page}");
}
