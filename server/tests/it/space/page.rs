//! The page of what a project takes.

use otrace_server::domain::Role;

use super::*;

fn plain(html: &str) -> String {
    html.replace('\u{a0}', " ")
}

#[tokio::test]
async fn the_page_says_what_is_taken_by_kind_and_by_run_and_what_goes_next() {
    let space = Space::new().await;
    let (small, large) = (space.put(&noise(1, 12_000)).await, space.put(&noise(2, 345_000)).await);
    space.run(&[artifact("small.bin", "artifact", small)]).await;
    let run = space.run(&[artifact("large.ckpt", "checkpoint", large)]).await;
    let deleted = space.run(&[artifact("small.bin", "artifact", small)]).await;
    space.delete(&deleted).await;
    let url = format!("/projects/{}/settings/storage", space.project.slug);
    let rule = [("kind", "checkpoint"), ("path", ""), ("days", "7")];
    space.app.post(&space.cookie().await, &format!("{url}/rules"), &rule).await.expect(303);
    space.later(Duration::days(8));

    let viewer = space.app.account("viewer@example.org").await;
    space.app.join(&space.project, "viewer@example.org", Role::Viewer).await;
    let owner = space.cookie().await;
    for cookie in [&owner, &viewer] {
        let page = plain(&space.app.get(cookie, &url).await.expect(200).text());
        assert!(page.contains("<b class=\"num\">357 KB</b>"), "each content once: {page}");
        assert!(page.contains("<dt>Artifacts</dt><dd class=\"num\">357 KB</dd>"), "{page}");
        assert!(page.contains("12 KB, 1 deleted run"), "{page}");
        assert!(page.contains("1 artifact, 345 KB as they were sent"), "{page}");
        let (first, second) = (page.find(&format!("/runs/{run}")).unwrap(), page.find("/runs/exp001").unwrap());
        assert!(first < second, "the largest run comes first");
        assert_eq!(page.contains("Make the rule"), cookie == &owner, "owners settle it");
    }
    let overview = space.app.get(&viewer, &format!("/projects/{}/runs/{run}", space.project.slug)).await.expect(200);
    assert!(plain(&overview.text()).contains("<dt>Size</dt><dd>345 KB</dd>"));
}

#[tokio::test]
async fn what_is_wrong_with_a_rule_is_said_at_its_field() {
    let space = Space::new().await;
    let url = format!("/projects/{}/settings/storage", space.project.slug);
    let rule = [("kind", "checkpoint"), ("path", "*.ckpt"), ("days", "soon")];
    let page = space.app.post(&space.cookie().await, &format!("{url}/rules"), &rule).await.expect(422).text();
    assert!(page.contains("id=\"days-says\">Say after how many days") && page.contains("value=\"*.ckpt\""), "{page}");
    let rule = [("kind", "checkpoint"), ("path", "*.ckpt"), ("days", "30")];
    space.app.post(&space.cookie().await, &format!("{url}/rules"), &rule).await.expect(303);
    let page = space.app.post(&space.cookie().await, &format!("{url}/rules"), &rule).await.expect(422).text();
    assert!(page.contains("There is such a rule already."), "{page}");
    let tags = "x".repeat(201);
    let page =
        space.app.post(&space.cookie().await, &format!("{url}/tags"), &[("tags", &tags)]).await.expect(422).text();
    assert!(page.contains("at most 50 tags"), "{page}");
    let events = space.app.get(&space.cookie().await, &format!("/projects/{}/audit", space.project.slug)).await;
    assert!(events.expect(200).text().contains("checkpoint *.ckpt after 30 days"), "who settled it is recorded");
}
