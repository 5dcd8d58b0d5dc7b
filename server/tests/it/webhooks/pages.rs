//! The pages of webhooks, and who sees them.

use otrace_server::domain::Role;

use super::receiver::Answer;
use super::{World, listening};

#[tokio::test]
async fn a_test_arrives_now_and_the_page_says_what_came_of_it() {
    let (world, hook, mut receiver) = listening().await;
    let tested = world.post(&format!("{}/test", hook.url), &[], 303).await;
    let heard = receiver.only();
    assert!(heard.is_signed_with(&hook.secret));
    assert_eq!((heard.told().as_str(), heard.json()["data"]["webhook"].as_str()), ("test", Some("CI")));
    let page = world.page(&tested).await;
    assert!(page.contains("The test arrived. It was answered 200, after"), "{page}");
    receiver.say(Answer::Status(403, "who are you?".to_owned()));
    let tested = world.post(&format!("{}/test", hook.url), &[], 303).await;
    let page = world.page(&tested).await;
    assert!(page.contains("The test was answered 403, after") && page.contains("who are you?"), "{page}");
    world.advance(time::Duration::hours(48));
    assert_eq!(world.deliver().await, 0, "a test is not repeated");
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let (world, hook, receiver) = listening().await;
    assert!(hook.secret.starts_with("whsec_") && hook.secret.len() == 50, "{}", hook.secret);
    for path in [world.path(""), hook.url.clone(), format!("/projects/{}/audit", world.project.slug)] {
        assert!(!world.page(&path).await.contains("whsec_"), "{path}");
    }
    let list = world.page(&world.path("")).await;
    let host = receiver.url.trim_start_matches("http://").trim_end_matches("/hook");
    assert!(list.contains(host) && !list.contains(&receiver.url), "the list shows the host alone: {list}");
}

#[tokio::test]
async fn a_webhook_is_changed_and_deleted_and_both_are_recorded() {
    let (world, hook, receiver) = listening().await;
    let fields = [
        ("name", "Lab <b>"),
        ("url", receiver.url.as_str()),
        ("format", "slack"),
        ("event", "run.failed"),
        ("on", "1"),
    ];
    assert_eq!(world.post(&hook.url, &fields, 303).await, format!("{}?done=saved", hook.url));
    let page = world.page(&hook.url).await;
    assert!(page.contains("Lab &#60;b&#62;") && page.contains("value=\"slack\" selected"), "{page}");
    assert!(page.contains("value=\"run.failed\" checked") && !page.contains("value=\"run.completed\" checked"));
    let refused = world.post(&hook.url, &[("name", "x"), ("url", &receiver.url), ("format", "trace")], 422).await;
    assert!(refused.contains("id=\"events-say\">Choose at least one thing to be told."), "{refused}");
    assert_eq!(world.post(&format!("{}/delete", hook.url), &[], 303).await, world.path(""));
    assert!(world.page(&world.path("")).await.contains("No webhook yet"));
    let log = world.page(&format!("/projects/{}/audit", world.project.slug)).await;
    for deed in ["created the webhook", "changed the webhook", "deleted the webhook"] {
        assert!(log.contains(deed), "{deed}: {log}");
    }
    assert!(!log.contains("/hook"), "an address may be a secret: {log}");
}

#[tokio::test]
async fn a_project_has_so_many_webhooks() {
    let world = World::new().await;
    let fields = [("name", "CI"), ("url", "https://1.1.1.1/"), ("format", "trace"), ("event", "run.failed")];
    for _ in 0..20 {
        world.post(&world.path(""), &fields, 200).await;
        world.advance(time::Duration::minutes(1));
    }
    let page = world.post(&world.path(""), &fields, 422).await;
    assert!(page.contains("A project has at most 20 webhooks."), "{page}");
}

#[tokio::test]
async fn only_owners_see_webhooks_and_have_anything_told() {
    let (world, hook, mut receiver) = listening().await;
    let stranger = world.app.account("stranger@example.org").await;
    let mut callers = vec![(stranger, 404)];
    for (email, role) in [("viewer@example.org", Role::Viewer), ("editor@example.org", Role::Editor)] {
        let cookie = world.app.account(email).await;
        world.app.join(&world.project, email, role).await;
        callers.push((cookie, 403));
    }
    let fields = [("name", "mine"), ("url", "https://1.1.1.1/"), ("format", "trace"), ("event", "run.failed")];
    let again = format!("/messages/{}/again", hook.id);
    for (cookie, status) in &callers {
        for path in [world.path(""), hook.url.clone()] {
            world.app.get(cookie, &path).await.expect(*status);
            world.app.post(cookie, &path, &fields).await.expect(*status);
        }
        for act in ["/test", "/secret", "/delete", again.as_str()] {
            world.app.post(cookie, &format!("{}{act}", hook.url), &[]).await.expect(*status);
        }
    }
    assert!(receiver.so_far().is_empty());
    assert!(world.page(&hook.url).await.contains("<h1>CI</h1>"));
}

#[tokio::test]
async fn to_another_project_a_webhook_is_not_there() {
    let (world, hook, mut receiver) = listening().await;
    world.failed_run().await;
    world.deliver().await;
    let heard = receiver.only();
    let other = world.app.project("Another").await;
    let url = format!("/projects/{}/settings/webhooks/{}", other.slug, hook.id);
    let fields = [("name", "mine"), ("url", "https://1.1.1.1/"), ("format", "trace"), ("event", "run.failed")];
    world.app.get(&other.cookie, &url).await.expect(404);
    world.app.post(&other.cookie, &url, &fields).await.expect(404);
    let message: uuid::Uuid = heard.id.trim_start_matches("msg_").parse().unwrap();
    for act in ["test", "secret", "delete", &format!("messages/{message}/again")] {
        world.app.post(&other.cookie, &format!("{url}/{act}"), &[]).await.expect(404);
    }
    assert_eq!(world.deliver().await, 0);
    assert!(world.page(&hook.url).await.contains("<h1>CI</h1>"));
}
