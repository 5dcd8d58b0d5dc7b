//! The trash: what is in it for 30 days goes.

use super::*;

#[tokio::test]
async fn a_run_goes_for_good_after_30_days_and_a_younger_one_stays() {
    let space = Space::new().await;
    let (old, young) = (noise(1, 50_000), noise(2, 60_000));
    let (old_content, young_content) = (space.put(&old).await, space.put(&young).await);
    let old_run = space.run(&[artifact("old.bin", "artifact", old_content)]).await;
    let young_run = space.run(&[artifact("young.bin", "artifact", young_content)]).await;
    let before = space.stored_bytes();
    space.delete(&old_run).await;
    space.later(Duration::days(1));
    space.delete(&young_run).await;
    space.later(Duration::days(29) + Duration::minutes(1));

    let report = space.sweep().await;
    assert_eq!(of(&report, Reason::Trash), (1, 50_000));
    assert_eq!(before - space.stored_bytes(), 50_000, "the store has given it back");
    assert_eq!(space.read(old_content).await, None);
    assert_eq!((space.count("runs").await, space.count("artifacts").await, space.count("blobs").await), (1, 1, 1));
    assert_eq!(space.restore(&old_run).await, 404);
    assert_eq!(space.restore(&young_run).await, 200);
    assert!(space.read(young_content).await.unwrap() == young);
    let next = space.app.run(&space.project.key, "another").await;
    assert_eq!(next["experiment_id"], "exp003", "no number is given out twice");
    let recorded: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_events WHERE action = 'run.deleted'")
        .fetch_one(&space.app.app.pool)
        .await
        .unwrap();
    assert_eq!(recorded, 2, "the record of who deleted them stays");
}

#[tokio::test]
async fn a_run_that_was_brought_back_keeps_all_that_it_had() {
    let space = Space::new().await;
    let (content, log) = (noise(1, 10_000), "epoch 1\n".repeat(100));
    let digest = space.put(&content).await;
    let run = space.run(&[]).await;
    let details = json!({
        "artifacts": [artifact("a.bin", "artifact", digest)],
        "logs": [{"stream": "stdout", "text_content": log}],
        "results": [{"name": "loss", "value": 0.5}],
    });
    space.tell(&run, details).await;
    space.delete(&run).await;
    space.later(Duration::days(29));
    assert_eq!(space.restore(&run).await, 200);
    space.later(Duration::days(40));
    assert_eq!(space.sweep().await.freed_bytes(), 0);
    let kept = space.app.api(&space.project.key, "GET", &format!("/v1/runs/{run}"), None).await.expect(200).json();
    assert_eq!(kept["run"]["logs"][0]["text_content"], log);
    assert_eq!(kept["run"]["results"][0]["value"], 0.5);
    assert!(space.read(digest).await.unwrap() == content);
}

#[tokio::test]
async fn a_content_stays_while_one_run_names_it_and_so_does_a_child() {
    let space = Space::new().await;
    let shared = space.put(&noise(1, 10_000)).await;
    let parent = space.run(&[artifact("a.bin", "artifact", shared)]).await;
    let body = json!({"intent": "i", "setup": "s", "command": "c", "parent": parent});
    let child = space.app.api(&space.project.key, "POST", "/v1/runs", Some(body)).await.expect(200).json();
    let child = child["run"]["experiment_id"].as_str().unwrap().to_owned();
    space.tell(&child, json!({"artifacts": [artifact("b.bin", "artifact", shared)]})).await;
    space.delete(&parent).await;
    space.later(Duration::days(31));
    assert_eq!(of(&space.sweep().await, Reason::Trash), (1, 0));
    assert!(space.read(shared).await.is_some(), "the child names it");
    space.app.get(&space.cookie().await, &format!("/projects/{}/runs/{child}", space.project.slug)).await.expect(200);
    space.delete(&child).await;
    space.later(Duration::days(31));
    assert_eq!(of(&space.sweep().await, Reason::Trash), (1, 10_000));
    assert_eq!((space.count("runs").await, space.stored_bytes()), (0, 0));
}

#[tokio::test]
async fn a_project_goes_for_good_with_all_that_it_had_and_the_record_of_it_stays() {
    let space = Space::new().await;
    let other = space.app.project("another").await;
    let kept = noise(9, 5_000);
    let path = format!("/v1/contents/{}", digest_of(&kept).hex());
    space.app.api_raw(&other.key, "PUT", &path, kept.clone()).await.expect(200);
    let run = space.app.run(&other.key, "stays").await;
    let path = format!("/v1/runs/{}/details", run["id"].as_str().unwrap());
    let details = json!({"artifacts": [artifact("kept.bin", "artifact", digest_of(&kept))]});
    space.app.api(&other.key, "PUT", &path, Some(details)).await.expect(200);

    for seed in 0..3 {
        let content = space.put(&noise(seed, 9 * 1024 * 1024)).await;
        space.run(&[artifact("model.bin", "checkpoint", content)]).await;
    }
    let (all, url) = (space.stored_bytes(), format!("/projects/{}", space.project.slug));
    space.app.post(&space.cookie().await, &format!("{url}/delete"), &[("name", "wake-word")]).await.expect(303);
    space.later(Duration::days(29));
    assert_eq!(space.sweep().await.freed_bytes(), 0, "its owner can bring it back");
    space.later(Duration::days(2));
    let report = space.sweep().await;
    assert_eq!(of(&report, Reason::DeletedProject), (1, all - 5_000));
    assert_eq!((space.stored_bytes(), space.count("projects").await, space.count("blobs").await), (5_000, 1, 1));
    let recorded: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_events WHERE chain_id = $1 ORDER BY number")
            .bind(space.project.id)
            .fetch_all(&space.app.app.pool)
            .await
            .unwrap();
    assert_eq!(recorded.last().map(String::as_str), Some("project.removed"), "{recorded:?}");
    assert!(recorded.contains(&"project.created".to_owned()));
}
