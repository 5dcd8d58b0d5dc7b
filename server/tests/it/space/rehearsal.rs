//! What a sweep would come to is what it comes to.

use otrace_wire::contents::packed;

use super::*;

/// Something of everything that a sweep removes, and of what it keeps.
async fn fill(space: &Space) {
    let frame = |content: &[u8]| {
        let head = packed::head(&digest_of(content), u32::try_from(content.len()).unwrap());
        [head.as_slice(), content].concat()
    };
    // One object for both a content that nothing refers to and one of a run in the trash; and one with one that stays.
    for (gone, kept) in [(10, 11), (12, 13)] {
        let body = [frame(&noise(gone, 3_000)), frame(&noise(kept, 5_000))].concat();
        space.app.api_raw(&space.project.key, "POST", "/v1/contents", body).await.expect(200);
    }
    let (shared, large) = (space.put(&noise(20, 20_000)).await, space.put(&noise(21, 9_000_000)).await);
    let text = space.put("a line of text\n".repeat(50_000).as_bytes()).await;
    space.put(&noise(22, 8_400_000)).await;
    let trash = [
        artifact("packed", "artifact", digest_of(&noise(11, 5_000))),
        artifact("shared", "artifact", shared),
        artifact("large", "checkpoint", large),
        artifact("text", "log", text),
    ];
    let deleted = space.run(&trash).await;
    let expiring = space.put(&noise(23, 70_000)).await;
    let kept = [
        artifact("packed", "artifact", digest_of(&noise(13, 5_000))),
        artifact("shared", "artifact", shared),
        artifact("model.ckpt", "checkpoint", expiring),
        // The same content under a name that no rule is about, in the run before.
        artifact("again.ckpt", "checkpoint", shared),
    ];
    space.run(&kept).await;
    space.delete(&deleted).await;
    let rules = format!("/projects/{}/settings/storage/rules", space.project.slug);
    space.app.post(&space.cookie().await, &rules, &[("path", "*.ckpt"), ("days", "30")]).await.expect(303);

    let doomed = space.app.project("doomed").await;
    let content = noise(30, 12_345);
    let path = format!("/v1/contents/{}", digest_of(&content).hex());
    space.app.api_raw(&doomed.key, "PUT", &path, content).await.expect(200);
    space
        .app
        .post(&doomed.cookie, &format!("/projects/{}/delete", doomed.slug), &[("name", "doomed")])
        .await
        .expect(303);
    let objects = space.app.contents_folder().join(format!("projects/{}/objects", space.project.id));
    fs::write(objects.join(uuid::Uuid::now_v7().to_string()), noise(40, 777)).unwrap();
    fs::write(objects.join(format!("{}#2", uuid::Uuid::now_v7())), noise(41, 99)).unwrap();
    space.age_files(Duration::ZERO);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_says_what_the_sweep_then_frees() {
    let space = Space::new().await;
    fill(&space).await;
    space.later(Duration::days(31));
    let tables = ["runs", "projects", "blobs", "blob_parts", "artifacts", "sweeps", "audit_events"];
    let rows = async || {
        let mut counts = Vec::new();
        for table in tables {
            counts.push(space.count(table).await);
        }
        counts
    };
    let before = (space.stored_bytes(), rows().await);
    let rehearsed = services::sweep::rehearse(&space.app.app).await.unwrap();
    assert!(rehearsed.is_dry_run());
    assert_eq!((space.stored_bytes(), rows().await), before, "nothing was changed");
    let swept = space.sweep().await;
    let (said, done): (Vec<Line>, Vec<Line>) = (rehearsed.lines().collect(), swept.lines().collect());
    assert_eq!(said, done);
    assert_eq!(before.0 - space.stored_bytes(), swept.freed_bytes());
    for (reason, count) in [
        (Reason::DeletedProject, 1),
        (Reason::Trash, 1),
        (Reason::Retention, 2),
        (Reason::Unnamed, 1),
        (Reason::Unfinished, 1),
    ] {
        let (counted, freed) = of(&swept, reason);
        assert_eq!(counted, count, "{reason:?}");
        assert!(freed > 0, "{reason:?}");
    }
    let again = services::sweep::rehearse(&space.app.app).await.unwrap();
    assert_eq!(again.lines().count(), 0, "nothing is left");
}
