//! How often it is tried, and that nobody is held up by another.

use std::collections::BTreeSet;

use otrace_server::services;
use time::Duration;

use super::listening;
use super::receiver::{Answer, Receiver};

#[tokio::test]
async fn what_was_not_taken_is_tried_again_with_the_same_id_until_it_is() {
    let (world, hook, mut receiver) = listening().await;
    receiver.say(Answer::Status(500, "<b>no</b> room".to_owned()));
    world.failed_run().await;
    assert_eq!(world.deliver().await, 1);
    let first = receiver.only();
    assert_eq!(world.deliver().await, 0, "not yet");
    assert!(world.page(&hook.url).await.contains("&#60;b&#62;no&#60;/b&#62; room"), "what was answered is text");
    world.advance(Duration::seconds(4));
    assert_eq!(world.deliver().await, 0);
    world.advance(Duration::seconds(2));
    assert_eq!(world.deliver().await, 1);
    let second = receiver.only();
    assert_eq!((second.id.as_str(), second.json()), (first.id.as_str(), first.json()));
    assert!(second.timestamp > first.timestamp && second.is_signed_with(&hook.secret));
    receiver.say_status(204);
    world.advance(Duration::seconds(36));
    assert_eq!(world.deliver().await, 1);
    assert_eq!(receiver.only().id, first.id);
    world.advance(Duration::hours(48));
    assert_eq!(world.deliver().await, 0);
    let page = world.page(&hook.url).await;
    assert!(page.contains(">delivered<") && page.contains("3 tries") && page.contains("204, after"), "{page}");
}

#[tokio::test]
async fn what_is_never_taken_is_given_up_after_seven_tries() {
    let (world, hook, mut receiver) = listening().await;
    receiver.say_status(503);
    world.failed_run().await;
    for _ in 0..7 {
        assert_eq!(world.deliver().await, 1);
        world.advance(Duration::hours(29));
    }
    assert_eq!(world.deliver().await, 0);
    assert_eq!(receiver.so_far().len(), 7);
    assert!(world.page(&hook.url).await.contains(">not delivered<"));

    receiver.say_status(200);
    let page = world.page(&hook.url).await;
    let (_, again) = page.split_once(&format!("action=\"{}/messages/", hook.url)).unwrap();
    let again = format!("{}/messages/{}", hook.url, again.split_once('"').unwrap().0);
    assert_eq!(world.post(&again, &[], 303).await, format!("{}?done=again", hook.url));
    assert_eq!(world.deliver().await, 1, "somebody asks for it once more");
    receiver.only();
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (world, hook, mut receiver) = listening().await;
    let mut elsewhere = Receiver::start().await;
    receiver.say(Answer::Redirect(elsewhere.url.clone()));
    world.failed_run().await;
    world.deliver().await;
    receiver.only();
    assert!(elsewhere.so_far().is_empty());
    let page = world.page(&hook.url).await;
    assert!(page.contains("302, after") && page.contains("next try"), "{page}");
}

#[tokio::test]
async fn a_receiver_that_is_gone_turns_its_webhook_off() {
    let (world, hook, mut receiver) = listening().await;
    receiver.say_status(410);
    world.failed_run().await;
    world.deliver().await;
    receiver.only();
    let page = world.page(&hook.url).await;
    assert!(page.contains("The webhook is off. Its receiver answered 410 Gone"), "{page}");
    assert!(page.contains("410, after"), "{page}");
    let said: String = sqlx::query_scalar("SELECT details->>'why' FROM audit_events WHERE action = 'webhook.changed'")
        .fetch_one(&world.app.app.pool)
        .await
        .unwrap();
    assert_eq!(said, "its receiver answered 410 Gone");
    world.failed_run().await;
    world.advance(Duration::hours(48));
    assert_eq!(world.deliver().await, 0);
}

#[tokio::test]
async fn what_waits_of_a_webhook_that_is_turned_off_is_given_up() {
    let (world, hook, receiver) = listening().await;
    world.failed_run().await;
    let fields = [("name", "CI"), ("url", receiver.url.as_str()), ("format", "trace"), ("event", "run.failed")];
    world.post(&hook.url, &fields, 303).await;
    assert_eq!(world.deliver().await, 0);
    let on = [fields.as_slice(), &[("on", "1")]].concat();
    world.post(&hook.url, &on, 303).await;
    assert_eq!(world.deliver().await, 0, "what was given up stays so");
    world.failed_run().await;
    assert_eq!(world.deliver().await, 1);
}

#[tokio::test]
async fn who_answers_slowly_holds_up_nobody() {
    let (world, _hook, mut slow) = listening().await;
    let mut quick = Receiver::start().await;
    world.hook(&quick.url, "trace").await;
    slow.say(Answer::Never);
    for _ in 0..6 {
        world.failed_run().await;
    }
    tokio::spawn(services::webhooks::keep_delivering(world.app.app.clone()));
    slow.next().await;
    for _ in 0..6 {
        quick.next().await;
    }
    world.failed_run().await;
    assert_eq!(quick.next().await.json()["data"]["experiment_id"], "exp007");
    let others = slow.so_far().len();
    assert!(others < 4, "a few at once, not {others} and one");
    world.app.app.close();
}

#[tokio::test]
async fn two_servers_send_each_message_once() {
    let (world, _hook, mut receiver) = listening().await;
    for _ in 0..12 {
        world.failed_run().await;
    }
    let server = async || {
        let mut sent = 0;
        // None is due for who asks while the other is at the last ones.
        while world.count("webhook_deliveries WHERE delivered_at IS NULL").await > 0 {
            sent += world.deliver().await;
        }
        sent
    };
    let (first, second) = tokio::join!(server(), server());
    let heard = receiver.so_far();
    let ids: BTreeSet<&str> = heard.iter().map(|heard| heard.id.as_str()).collect();
    assert_eq!((first + second, heard.len(), ids.len()), (12, 12, 12));
}

#[tokio::test]
async fn what_a_server_leaves_behind_another_takes_up() {
    let (world, _hook, mut receiver) = listening().await;
    receiver.say(Answer::Never);
    world.failed_run().await;
    // It ends while it waits for the answer.
    tokio::select! {
        _ = world.deliver() => unreachable!("there is no answer"),
        _ = receiver.next() => {}
    }
    receiver.say_status(200);
    assert_eq!(world.deliver().await, 0, "it may still be at it");
    world.advance(Duration::minutes(1));
    assert_eq!(world.deliver().await, 1);
    receiver.only();
}

#[tokio::test]
async fn a_secret_that_was_replaced_signs_along_for_a_day() {
    let (world, hook, mut receiver) = listening().await;
    let page = world.post(&format!("{}/secret", hook.url), &[], 200).await;
    let (_, secret) = page.split_once("id=\"secret\">").unwrap();
    let new = secret.split_once('<').unwrap().0;
    assert_ne!(new, hook.secret);
    for (hours, is_signed_with_both) in [(0, true), (25, false)] {
        world.advance(Duration::hours(hours));
        world.failed_run().await;
        world.deliver().await;
        let heard = receiver.only();
        assert!(heard.is_signed_with(new), "after {hours} hours");
        assert_eq!(heard.is_signed_with(&hook.secret), is_signed_with_both, "after {hours} hours");
    }
}

#[tokio::test]
async fn old_messages_are_removed_and_those_that_wait_are_not() {
    let (world, _hook, mut receiver) = listening().await;
    world.failed_run().await;
    world.deliver().await;
    receiver.only();
    world.advance(Duration::days(15));
    receiver.say(Answer::Never);
    world.failed_run().await;
    assert_eq!(world.count("webhook_deliveries").await, 2);
    tokio::spawn(services::webhooks::keep_delivering(world.app.app.clone()));
    // It begins with the old ones.
    receiver.next().await;
    assert_eq!(world.count("webhook_deliveries").await, 1);
    world.app.app.close();
}
