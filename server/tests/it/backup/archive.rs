//! A project in one file, from one server to another.

use otrace_server::domain::{Account, Project};
use otrace_server::services;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::services::archive::{Imported, export, import};
use otrace_server::testing::{TestApp, TestProject};
use serde_json::Value;
use uuid::Uuid;

use super::hostile::entries;
use super::server::{digest_of, fill, send_points};
use super::{assert_same_rows, contents_of, count, read, rows_of};

/// The project as an archive.
pub async fn archive_of(app: &TestApp, slug: &str) -> Vec<u8> {
    let mut archive = Vec::new();
    export(&app.app, slug, &mut archive).await.unwrap();
    archive
}

/// Somebody who may own a project.
pub async fn owner(app: &TestApp) -> Account {
    let email = format!("{}@example.org", Uuid::now_v7().simple());
    app.account(&email).await;
    services::accounts::find(&app.app, &email).await.unwrap()
}

/// What the API tells, without the ids that a server gives by itself.
fn without_ids(mut told: Value) -> Value {
    match &mut told {
        Value::Object(fields) => {
            fields.retain(|name, _| !["id", "run_id"].contains(&name.as_str()));
            for value in fields.values_mut() {
                *value = without_ids(value.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = without_ids(item.take());
            }
        }
        _ => {}
    }
    told
}

async fn get(app: &TestApp, key: &str, path: &str) -> Value {
    app.api(key, "GET", path, None).await.expect(200).json()
}

async fn text(app: &TestApp, key: &str, path: &str) -> String {
    app.api(key, "GET", path, None).await.expect(200).text()
}

async fn key_of(app: &TestApp, project: &Project, owner: &Account) -> String {
    app.key(project, owner, NewKeyInput::named("reader")).await.key
}

#[tokio::test]
async fn a_project_reads_on_another_server_as_it_did_on_its_own() {
    let app = TestApp::new().await;
    let project = fill(&app).await;
    let archive = archive_of(&app, &project.slug).await;
    let elsewhere = TestApp::new().await;
    let owner = owner(&elsewhere).await;
    let Imported { project: imported, end } = import(&elsewhere.app, archive.as_slice(), &owner, None).await.unwrap();
    assert_eq!((imported.slug.as_str(), imported.name.as_str()), (project.slug.as_str(), "Wake word"));
    assert_eq!((end.runs, end.points), (3, 40_002));
    let key = key_of(&elsewhere, &imported, &owner).await;

    for run in ["exp001", "exp002", "exp004"] {
        let path = format!("/v1/runs/{run}");
        let (here, there) = (get(&elsewhere, &key, &path).await, get(&app, &project.key, &path).await);
        assert_eq!(here["run"]["id"], there["run"]["id"], "{run}");
        assert_eq!(without_ids(here), without_ids(there), "{run}");
    }
    elsewhere.api(&key, "GET", "/v1/runs/exp003", None).await.expect(404);
    for path in [
        "/v1/runs/exp004/logs/stdout?from=0",
        "/v1/runs/exp004/logs/log?path=logs%2Ftrain.log&from=0",
        "/v1/runs/exp004/series/loss?format=csv",
        "/v1/runs/exp004/series/odd?format=csv",
        "/v1/runs/exp004/series/odd",
    ] {
        assert_eq!(text(&elsewhere, &key, path).await, text(&app, &project.key, path).await, "{path}");
    }
    // Every content, also all rows of a long table, and one that the first versions stored.
    let contents = contents_of(&elsewhere).await;
    assert!(contents.len() as u64 >= end.contents && end.contents >= 7, "{} {end:?}", contents.len());
    for (id, digest) in contents {
        assert_eq!(digest_of(&read(&elsewhere, id, &digest).await), digest);
    }

    // Numbers, and what is here of each source, go on from where they were.
    let moved = TestProject { key, id: imported.id.0, ..project };
    assert_eq!(elsewhere.run(&moved.key, "after").await["experiment_id"], "exp005");
    send_points(&elsewhere, &moved, 39_990, 20).await;
    let loss = get(&elsewhere, &moved.key, "/v1/runs/exp004/series/loss").await;
    assert_eq!(loss["series"]["count"], 40_010);
    let audited: Vec<String> =
        sqlx::query_scalar("SELECT details::text FROM audit_events WHERE chain_id = $1 AND number = 1")
            .bind(imported.id.0)
            .fetch_all(&elsewhere.app.pool)
            .await
            .unwrap();
    assert!(audited.iter().any(|details| details.contains("archive")), "{audited:?}");
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_another_one_makes_a_copy() {
    let app = TestApp::new().await;
    let project = fill(&app).await;
    let archive = archive_of(&app, &project.slug).await;
    let owner = owner(&app).await;
    let before = rows_of(&app).await;
    let refused = import(&app.app, archive.as_slice(), &owner, None).await.unwrap_err().message();
    assert!(refused.contains("wake-word") && refused.contains("--name"), "{refused}");
    assert_same_rows(&rows_of(&app).await, &before);

    let copy = import(&app.app, archive.as_slice(), &owner, Some("A copy")).await.unwrap().project;
    assert_eq!((copy.slug.as_str(), copy.name.as_str()), ("a-copy", "A copy"));
    assert!(count(&rows_of(&app).await) > count(&before));
    let key = key_of(&app, &copy, &owner).await;
    let (here, there) = (get(&app, &key, "/v1/runs/exp002").await, get(&app, &project.key, "/v1/runs/exp002").await);
    assert_ne!(here["run"]["id"], there["run"]["id"]);
    assert_eq!(without_ids(here), without_ids(there));
    // The original is as it was.
    let after = rows_of(&app).await;
    for table in ["projects", "runs", "artifacts", "logs", "log_chunks", "notes", "results", "series_chunks", "blobs"] {
        assert!(before[table].iter().all(|row| after[table].contains(row)), "{table}");
    }
}

#[tokio::test]
async fn what_was_exported_from_a_copy_is_the_same_again() {
    let app = TestApp::new().await;
    let project = fill(&app).await;
    let first = archive_of(&app, &project.slug).await;
    let elsewhere = TestApp::new().await;
    let owner = owner(&elsewhere).await;
    import(&elsewhere.app, first.as_slice(), &owner, None).await.unwrap();
    let second = archive_of(&elsewhere, &project.slug).await;
    let (first, second) = (entries(&first), entries(&second));
    assert_eq!(first.len(), second.len());
    for ((name, bytes), (again, bytes_again)) in first.iter().zip(&second) {
        assert_eq!(name, again);
        if name.starts_with("contents/") || name == "series.jsonl" || name == "end.json" {
            assert!(bytes == bytes_again, "{name}");
        }
    }
    assert_eq!(first[0].0, "archive.json");
    assert_eq!(first.last().unwrap().0, "end.json");
}
