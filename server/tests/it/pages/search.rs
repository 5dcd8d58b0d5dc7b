//! Search in all of one's projects: what it finds, and what it never shows.

use otrace_server::domain::Role;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};

/// Two projects of one person, and one of somebody else; each with a run called so.
async fn world() -> (TestApp, [TestProject; 3]) {
    let app = TestApp::new().await;
    let mine = app.project("Wake word").await;
    let shared = app.project("Contact maps").await;
    app.join(&shared, &mine.email, Role::Viewer).await;
    let foreign = app.project("Secret wake word").await;
    for (project, title) in [(&mine, "Distilled student"), (&shared, "Rotary bias"), (&foreign, "Distilled in secret")]
    {
        let run =
            json!({"title": title, "intent": "Does it distil?", "setup": "seed 0", "command": "python3 train.py"});
        app.api(&project.key, "POST", "/v1/runs", Some(run)).await.expect(200);
    }
    (app, [mine, shared, foreign])
}

/// What is found: `wake-word/exp001` for runs, the name for projects.
async fn found(app: &TestApp, cookie: &str, q: &str) -> Vec<String> {
    let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
    let answer = app.get(cookie, &format!("/search/hits?q={q}")).await.expect(200).json();
    let name = |hit: &Value| match hit["label"].as_str().unwrap() {
        "project" => hit["text"].as_str().unwrap().to_owned(),
        _ => hit["href"].as_str().unwrap().replace("/projects/", "").replace("/runs", ""),
    };
    answer["hits"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn a_run_is_found_by_number_id_words_note_and_commit_and_a_project_by_its_name() {
    let (app, [mine, shared, _]) = world().await;
    let note = json!({"text": "Warm restarts hurt."});
    app.api(&shared.key, "POST", "/v1/runs/exp001/notes", Some(note)).await.expect(200);
    let snapshot = json!({"snapshot": {"git_commit": "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521"}});
    app.api(&mine.key, "PUT", "/v1/runs/exp001/details", Some(snapshot)).await.expect(200);
    let id: Value = app.api(&mine.key, "GET", "/v1/runs/exp001", None).await.expect(200).json();
    let id = id["run"]["id"].as_str().unwrap().to_owned();

    let both = ["contact-maps/exp001", "wake-word/exp001"];
    for q in ["exp001", "EXP001", "1", "train.py"] {
        let mut found = found(&app, &mine.cookie, q).await;
        found.sort_unstable();
        assert_eq!(found, both, "{q}");
    }
    for (q, wanted) in [
        (id.as_str(), "wake-word/exp001"),
        ("distilled stud", "wake-word/exp001"),
        ("9F3C2E1A", "wake-word/exp001"),
        ("warm restarts", "contact-maps/exp001"),
        ("wake", "Wake word"),
        ("contact-m", "Contact maps"),
    ] {
        assert_eq!(found(&app, &mine.cookie, q).await, [wanted], "{q}");
    }
}

#[tokio::test]
async fn what_is_not_ones_own_and_what_is_deleted_is_not_found() {
    let (app, [mine, _, foreign]) = world().await;
    assert_eq!(found(&app, &mine.cookie, "secret").await, [""; 0]);
    assert_eq!(found(&app, &foreign.cookie, "distilled").await, ["secret-wake-word/exp001"]);
    app.api(&mine.key, "DELETE", "/v1/runs/exp001", None).await.expect(200);
    assert_eq!(found(&app, &mine.cookie, "distilled").await, [""; 0]);
}

#[tokio::test]
async fn the_page_says_the_same_without_a_script_and_runs_nothing() {
    let (app, [mine, ..]) = world().await;
    let page = app.get(&mine.cookie, "/search?q=distil").await.expect(200).text();
    assert!(page.contains("href=\"/projects/wake-word/runs/exp001\"") && page.contains("Distilled student"), "{page}");
    let long = "x".repeat(5000);
    for q in ["%22%3E%3Cscript%3E", "%00", "%27", "%26%7C%21", "%5C", "a%3A%2A", long.as_str()] {
        let page = app.get(&mine.cookie, &format!("/search?q={q}")).await.expect(200).text();
        assert!(page.contains("Nothing found") && !page.contains("<script>"), "{q}: {page}");
    }
    assert!(!app.get(&mine.cookie, "/search").await.expect(200).text().contains("Nothing found"));
}
