//! Contents that nothing needs, and objects that no row names.

use std::collections::BTreeSet;

use otrace_wire::contents::packed;
use uuid::Uuid;

use super::*;

/// Whoever adds a column that refers to a content has to add it to the view, or sweeps remove what it refers to.
#[tokio::test]
async fn every_column_that_refers_to_a_content_is_looked_at() {
    let space = Space::new().await;
    let keys: Vec<String> = sqlx::query_scalar(
        "SELECT c.conrelid::regclass::text || '.' || a.attname
         FROM pg_constraint c
         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
         WHERE c.contype = 'f' AND c.confrelid = 'blobs'::regclass AND a.attname <> 'project_id'",
    )
    .fetch_all(&space.app.app.pool)
    .await
    .unwrap();
    let view: String = sqlx::query_scalar("SELECT pg_get_viewdef('content_references'::regclass)")
        .fetch_one(&space.app.app.pool)
        .await
        .unwrap();
    let by_runs = ["artifacts", "log_chunks", "logs", "result_tables", "snapshot_files"];
    let mut known: BTreeSet<String> = by_runs.iter().map(|table| format!("{table}.sha256")).collect();
    known.extend(["blob_parts.sha256".to_owned(), "blob_parts.part_sha256".to_owned()]);
    assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), known);
    for table in by_runs {
        assert!(view.contains(&format!("FROM {table}")), "{table}: {view}");
    }
}

#[tokio::test]
async fn what_a_run_names_in_any_way_stays_for_ever() {
    let space = Space::new().await;
    let run = space.run(&[]).await;
    let (file, changes) = (noise(1, 9_000_000), b"--- a\n+++ b\n".repeat(100));
    let (file_content, diff_content) = (space.put(&file).await, space.put(&changes).await);
    let rows: Vec<Value> = (0..2_000).map(|row| json!([row, format!("{row:0>100}")])).collect();
    let diff = json!({"kind": "dirty_diff", "path": "d.diff", "hash": diff_content.to_string(), "size_bytes": 1200});
    let details = json!({
        "artifacts": [artifact("model.bin", "checkpoint", file_content)],
        "logs": [{"stream": "stdout", "text_content": "a line\n".repeat(10_000)}],
        "tables": [{"title": "t", "columns": ["a", "b"], "rows": rows}],
        "snapshot": {"files": [diff]},
    });
    space.tell(&run, details).await;
    let before = (space.count("blobs").await, space.stored_bytes());
    space.age_files(Duration::days(1000));
    space.later(Duration::days(1000));
    assert_eq!(space.sweep().await.lines().count(), 0);
    assert_eq!((space.count("blobs").await, space.stored_bytes()), before);
    assert!(space.read(file_content).await.unwrap() == file, "in parts, which nothing but it refers to");
    assert!(space.read(diff_content).await.unwrap() == changes);
}

#[tokio::test]
async fn contents_that_nothing_refers_to_go_after_a_day_and_parts_after_a_week() {
    let space = Space::new().await;
    let (small, part) = (space.put(&noise(1, 7_000)).await, space.put(&noise(2, 8 * 1024 * 1024)).await);
    space.later(Duration::hours(23));
    assert_eq!(space.sweep().await.freed_bytes(), 0, "a client may be about to name it");
    space.later(Duration::hours(2));
    assert_eq!(of(&space.sweep().await, Reason::Unneeded), (1, 7_000));
    assert_eq!((space.read(small).await, space.has(small, 7_000).await), (None, false));
    assert!(space.read(part).await.is_some(), "the others may still be on their way");
    space.later(Duration::days(7));
    assert_eq!(of(&space.sweep().await, Reason::Unneeded), (1, 8 * 1024 * 1024));
    assert_eq!(space.stored_bytes(), 0);
}

#[tokio::test]
async fn a_large_content_goes_with_its_parts_but_for_those_that_others_have() {
    let space = Space::new().await;
    let (first, second, third) = (noise(1, 8 * 1024 * 1024), noise(2, 1000), noise(3, 2000));
    let (one, other) = ([first.clone(), second].concat(), [first, third].concat());
    let (one_content, other_content) = (space.put(&one).await, space.put(&other).await);
    let run = space.run(&[artifact("one.bin", "checkpoint", one_content)]).await;
    space.run(&[artifact("other.bin", "checkpoint", other_content)]).await;
    space.delete(&run).await;
    space.later(Duration::days(31));
    assert_eq!(of(&space.sweep().await, Reason::Trash), (1, 1000));
    assert_eq!(space.read(one_content).await, None);
    assert!(space.read(other_content).await.unwrap() == other);
}

#[tokio::test]
async fn an_object_goes_with_the_last_of_the_contents_in_it() {
    let space = Space::new().await;
    let (a, b) = (noise(1, 300), noise(2, 400));
    let frame = |content: &[u8]| {
        let head = packed::head(&digest_of(content), u32::try_from(content.len()).unwrap());
        [head.as_slice(), content].concat()
    };
    let body = [frame(&a), frame(&b)].concat();
    space.app.api_raw(&space.project.key, "POST", "/v1/contents", body).await.expect(200);
    let run = space.run(&[artifact("b", "artifact", digest_of(&b))]).await;
    space.later(Duration::days(2));
    assert_eq!(of(&space.sweep().await, Reason::Unneeded), (1, 0), "the other one is still in it");
    assert_eq!(space.stored_bytes(), 700);
    assert!(space.read(digest_of(&b)).await.unwrap() == b);
    space.delete(&run).await;
    space.later(Duration::days(31));
    assert_eq!(of(&space.sweep().await, Reason::Trash), (1, 700));
    assert_eq!(space.stored_bytes(), 0);
}

#[tokio::test]
async fn what_the_store_holds_without_a_row_goes_after_a_day_and_foreign_files_never() {
    let space = Space::new().await;
    let run_content = noise(1, 1_000);
    let content = space.put(&run_content).await;
    space.run(&[artifact("a", "artifact", content)]).await;
    let folder = space.app.contents_folder().join(format!("projects/{}", space.project.id));
    let object = Uuid::now_v7();
    // A project that was removed, of which the audit log is left.
    let gone = space.app.project("gone").await;
    sqlx::query("DELETE FROM projects WHERE id = $1").bind(gone.id).execute(&space.app.app.pool).await.unwrap();
    let of_nobody = space.app.contents_folder().join(format!("projects/{}/objects", gone.id));
    for folder in [folder.join("incoming"), folder.join("ab"), of_nobody.clone()] {
        fs::create_dir_all(folder).unwrap();
    }
    let hex = |byte: u8| Sha256Digest::new([byte; 32]).hex();
    for (path, length) in [
        (folder.join("objects").join(object.to_string()), 10),
        (folder.join("objects").join(format!("{object}#1")), 200),
        (folder.join("incoming").join(hex(1)), 3_000),
        (folder.join("ab").join(hex(0xab)), 40_000),
        (of_nobody.join(Uuid::now_v7().to_string()), 500_000),
        // Not ours.
        (folder.join("objects/README"), 5),
    ] {
        fs::write(path, noise(7, length)).unwrap();
    }
    space.age_files(Duration::hours(23));
    assert_eq!(space.sweep().await.freed_bytes(), 0, "they may be on their way");
    space.age_files(Duration::hours(25));
    let report = space.sweep().await;
    assert_eq!(of(&report, Reason::Unnamed), (3, 540_010));
    assert_eq!(of(&report, Reason::Unfinished), (2, 3_200));
    assert_eq!(space.stored_bytes(), 1_005);
    assert!(space.read(content).await.unwrap() == run_content);
}

/// Somebody named an empty database, or another server's.
#[tokio::test]
async fn a_database_that_never_had_a_project_removes_nothing_of_it() {
    let space = Space::new().await;
    space.put(&noise(1, 12_000)).await;
    let folder = space.app.contents_folder().join(format!("projects/{}", space.project.id));
    fs::create_dir_all(folder.join("incoming")).unwrap();
    fs::write(folder.join("incoming").join(Sha256Digest::new([1; 32]).hex()), noise(2, 300)).unwrap();
    fs::write(folder.join("objects").join(format!("{}#1", Uuid::now_v7())), noise(3, 40)).unwrap();
    space.age_files(Duration::days(2));
    let url = format!("file://{}", space.app.contents_folder().display());
    let other = TestApp::with(|config| config.storage.storage_url = Some(url.parse().unwrap())).await;
    other.project("other").await;

    let rehearsed = services::sweep::rehearse(&other.app).await.unwrap();
    let swept = services::sweep::sweep(&other.app).await.unwrap().unwrap();
    assert_eq!((rehearsed.lines().count(), swept.lines().count()), (0, 0));
    for is_dry_run in [true, false] {
        let refused = services::sweep::sweep_unknown_projects(&other.app, is_dry_run).await.unwrap_err();
        assert!(refused.message().contains("one of them is another server's"), "{refused}");
    }
    assert_eq!(space.stored_bytes(), 12_340);
    // Its own database knows better.
    assert_eq!(of(&space.sweep().await, Reason::Unfinished), (2, 340));
}
