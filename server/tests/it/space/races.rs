//! What others do at the moment of a sweep.

use std::time::Duration as StdDuration;

use futures_util::future::join;
use otrace_server::store;
use sqlx::PgConnection;
use tokio::task::yield_now;
use tokio::time::timeout;
use uuid::Uuid;

use super::*;

/// Longer than anything here takes.
const PATIENCE: StdDuration = StdDuration::from_secs(30);

/// Waits until somebody waits for what this transaction holds.
async fn is_waited_for(space: &Space, transaction: &mut PgConnection) {
    let holder: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(transaction).await.unwrap();
    let waiting = async {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))";
        while !sqlx::query_scalar::<_, bool>(sql).bind(holder).fetch_one(&space.app.app.pool).await.unwrap() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}

#[tokio::test]
async fn a_content_that_was_promised_just_now_survives() {
    let space = Space::new().await;
    let (promised, forgotten) = (noise(1, 1_000), noise(2, 2_000));
    let (promised_content, forgotten_content) = (space.put(&promised).await, space.put(&forgotten).await);
    let run = space.run(&[]).await;
    space.later(Duration::hours(25));
    assert!(space.has(promised_content, 1_000).await, "the client need not send it");
    assert_eq!(space.sweep().await.freed_bytes(), 2_000);
    assert_eq!(space.read(forgotten_content).await, None);
    // The client takes almost a day to name it.
    space.later(Duration::hours(22));
    assert_eq!(space.sweep().await.freed_bytes(), 0);
    space.tell(&run, json!({"artifacts": [artifact("a", "artifact", promised_content)]})).await;
    space.later(Duration::days(100));
    space.sweep().await;
    assert!(space.read(promised_content).await.unwrap() == promised);
}

#[tokio::test]
async fn a_reference_that_begins_first_wins() {
    let space = Space::new().await;
    let content = space.put(&noise(1, 1_000)).await;
    space.later(Duration::days(2));
    let mut referring = space.app.app.pool.begin().await.unwrap();
    // As the check of a foreign key does.
    sqlx::query("SELECT FROM blobs WHERE sha256 = $1 FOR KEY SHARE")
        .bind(content.as_bytes().to_vec())
        .execute(&mut *referring)
        .await
        .unwrap();
    let report = timeout(PATIENCE, space.sweep()).await.unwrap();
    assert_eq!(report.lines().count(), 0, "the sweep neither waits nor removes it");
    referring.rollback().await.unwrap();
    assert_eq!(space.sweep().await.freed_bytes(), 1_000);
}

#[tokio::test]
async fn a_question_waits_for_a_removal_that_began_first_and_is_told_the_truth() {
    let space = Space::new().await;
    let content = noise(1, 1_000);
    let digest = space.put(&content).await;
    let run = space.run(&[]).await;
    space.later(Duration::days(2));
    let (project_id, now) = (ProjectId(space.project.id), space.app.app.clock.now());
    let mut removing = space.app.app.pool.begin().await.unwrap();
    let locked = store::sweep::contents::lock(&mut removing, project_id, &[digest], now).await.unwrap();
    let finish = async {
        is_waited_for(&space, &mut removing).await;
        let removed = store::sweep::contents::remove_unneeded(&mut removing, project_id, &locked).await.unwrap();
        assert_eq!(removed.len(), 1);
        removing.commit().await.unwrap();
    };
    let (is_here, ()) = join(space.has(digest, content.len()), finish).await;
    assert!(!is_here, "it is gone, and the client sends it again");
    space.put(&content).await;
    space.tell(&run, json!({"artifacts": [artifact("a", "artifact", digest)]})).await;
    space.later(Duration::days(2));
    space.sweep().await;
    assert!(space.read(digest).await.unwrap() == content);
}

#[tokio::test]
async fn whatever_comes_first_no_run_names_what_is_not_there() {
    let space = Space::new().await;
    let content = noise(1, 1_000);
    let digest = digest_of(&content);
    for _ in 0..30 {
        space.put(&content).await;
        let run = space.run(&[]).await;
        space.later(Duration::days(2));
        let record = async {
            if !space.has(digest, content.len()).await {
                space.put(&content).await;
            }
            space.tell(&run, json!({"artifacts": [artifact("a", "artifact", digest)]})).await;
        };
        join(space.sweep(), record).await;
        assert!(space.read(digest).await.as_ref() == Some(&content));
        let lost: i64 = sqlx::query_scalar("SELECT count(*) FROM artifacts WHERE sha256 IS NULL")
            .fetch_one(&space.app.app.pool)
            .await
            .unwrap();
        assert_eq!(lost, 0);
        space.delete(&run).await;
        space.later(Duration::days(31));
        space.sweep().await;
        assert_eq!(space.read(digest).await, None);
    }
}

#[tokio::test]
async fn what_an_import_has_staged_survives_until_it_is_forgotten() {
    let space = Space::new().await;
    let content = noise(1, 1_000);
    let begin = async |content: &[u8]| {
        let digest = space.put(content).await;
        space.later(Duration::minutes(30));
        let import = Uuid::now_v7();
        space.app.api(&space.project.key, "POST", "/v1/imports", Some(json!({"id": import}))).await.expect(200);
        let run = json!({"id": Uuid::now_v7(), "intent": "i", "setup": "s", "command": "c"});
        let details = json!({"artifacts": [artifact("a", "artifact", digest)]});
        let staged =
            json!({"runs": [{"position": 0, "run": run, "outcome": {"status": "completed"}, "details": details}]});
        let path = format!("/v1/imports/{import}");
        space.app.api(&space.project.key, "POST", &format!("{path}/runs"), Some(staged)).await.expect(200);
        (digest, path)
    };
    let (digest, path) = begin(content.as_slice()).await;
    // A day after the content came, and before the import is forgotten.
    space.later(Duration::hours(23) + Duration::minutes(45));
    assert_eq!(space.sweep().await.freed_bytes(), 0);
    let commit = json!({"replace": false, "runs": 1});
    space.app.api(&space.project.key, "POST", &format!("{path}/commit"), Some(commit)).await.expect(200);
    space.later(Duration::days(2));
    space.sweep().await;
    assert!(space.read(digest).await.unwrap() == content);

    let forgotten = noise(2, 2_000);
    let (digest, _) = begin(forgotten.as_slice()).await;
    space.later(Duration::days(2));
    assert_eq!(space.sweep().await.freed_bytes(), 2_000, "nobody can place it any more");
    assert_eq!((space.read(digest).await, space.count("staged_runs").await), (None, 0));
}

#[tokio::test]
async fn of_two_sweeps_at_once_one_works_and_the_other_says_so() {
    let space = Space::new().await;
    space.put(&noise(1, 1_000)).await;
    space.later(Duration::days(2));
    let first = store::sweep::lock(space.app.app.pool.acquire().await.unwrap()).await.unwrap().unwrap();
    assert!(services::sweep::sweep(&space.app.app).await.unwrap().is_none(), "the first is under way");
    assert_eq!(space.stored_bytes(), 1_000);
    store::sweep::unlock(first).await.unwrap();
    assert_eq!(space.sweep().await.freed_bytes(), 1_000);
}
