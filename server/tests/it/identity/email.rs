//! Moving an account to another address.

use futures_util::future::join;
use otrace_server::testing::{PASSWORD, TestApp};
use time::Duration;

use super::{ADA, BOB, account, count, path_of, person, reset_path, sign_in, statuses, with_mail};
use crate::mail::MailServer;

const NEW: &str = "ada@new.example.org";

/// Asks to move to an address; returns where the link leads that was mailed there.
async fn ask(app: &TestApp, mail: &MailServer, cookie: &str, email: &str) -> String {
    let asked = app.post(cookie, "/account/email", &[("email", email)]).await.expect(303);
    assert_eq!(asked.header("location"), "/account?notice=email-sent");
    let letter = mail.next_to(email).await;
    assert_eq!(letter.subject, "Confirm your new e-mail address for Halden Lab");
    path_of(app, letter.link()).to_owned()
}

async fn is_taken(app: &TestApp, email: &str) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM accounts WHERE email = $1)";
    sqlx::query_scalar(sql).bind(email).fetch_one(&app.app.pool).await.unwrap()
}

#[tokio::test]
async fn an_account_moves_behind_the_link_that_the_new_address_got_and_the_old_one_is_told() {
    let (app, mail) = with_mail().await;
    let cookie = person(&app, ADA).await;
    let reset = reset_path(&app, ADA).await;
    let path = ask(&app, &mail, &cookie, NEW).await;
    // Programs that look at mail open links.
    let page = app.get(&cookie, &path).await.expect(200).text();
    assert!(page.contains(ADA) && page.contains(NEW), "{page}");
    assert!(is_taken(&app, ADA).await && !is_taken(&app, NEW).await);

    app.post(&cookie, &path, &[]).await.expect(303);
    assert!(is_taken(&app, NEW).await && !is_taken(&app, ADA).await);
    let notice = mail.next_to(ADA).await;
    assert_eq!(notice.subject, "Your e-mail address for Halden Lab was changed");
    assert!(notice.text.contains(NEW), "{}", notice.text);
    let proved = "SELECT count(*) FROM accounts WHERE email = 'ada@new.example.org' AND email_verified_at IS NOT NULL";
    assert_eq!(count(&app, proved).await, 1);
    sign_in(&app, ADA, PASSWORD).await.expect(422);
    sign_in(&app, NEW, PASSWORD).await.expect(303);

    // Neither the same link nor one that went to the old address works any more.
    app.get(&cookie, &path).await.expect(404);
    app.post(&cookie, &path, &[]).await.expect(404);
    app.get("", &reset).await.expect(404);
    app.post("", &reset, &[("password", PASSWORD)]).await.expect(404);
}

#[tokio::test]
async fn the_link_of_another_account_does_nothing_and_stays_good_for_its_owner() {
    let (app, mail) = with_mail().await;
    let adas = person(&app, ADA).await;
    let bobs = person(&app, BOB).await;
    let path = ask(&app, &mail, &adas, NEW).await;
    app.get(&bobs, &path).await.expect(404);
    app.post(&bobs, &path, &[]).await.expect(404);
    assert!(is_taken(&app, ADA).await && is_taken(&app, BOB).await && !is_taken(&app, NEW).await);

    let led = app.get("", &path).await.expect(303);
    assert!(led.header("location").starts_with("/signin?next=%2Faccount%2Femail%2Ftrv_"), "{:?}", led.headers);
    app.post("", &path, &[]).await.expect(401);
    app.post(&adas, &path, &[]).await.expect(303);
    assert!(is_taken(&app, NEW).await && is_taken(&app, BOB).await);
}

#[tokio::test]
async fn that_an_address_is_taken_is_told_to_whoever_reads_its_mail_only() {
    let (app, mail) = with_mail().await;
    let adas = person(&app, ADA).await;
    person(&app, BOB).await;
    let bob = account(&app, BOB).await.id;
    // `ask` expects the same answer as for an address that nobody has.
    let path = ask(&app, &mail, &adas, BOB).await;
    let refused = app.post(&adas, &path, &[]).await.expect(422);
    assert!(refused.text().contains("Another account has this address."), "{}", refused.text());
    assert!(is_taken(&app, ADA).await);
    assert_eq!(account(&app, BOB).await.id, bob);
}

#[tokio::test]
async fn of_two_accounts_that_move_to_one_address_at_once_one_does() {
    let (app, mail) = with_mail().await;
    let (adas, bobs) = (person(&app, ADA).await, person(&app, BOB).await);
    for number in 0..3 {
        let email = format!("shared{number}@example.org");
        let paths = [ask(&app, &mail, &adas, &email).await, ask(&app, &mail, &bobs, &email).await];
        let (one, two) = join(app.post(&adas, &paths[0], &[]), app.post(&bobs, &paths[1], &[])).await;
        assert_eq!(statuses(&[one, two]), [303, 422]);
        assert!(is_taken(&app, &email).await);
    }
}

#[tokio::test]
async fn a_link_to_move_works_for_half_an_hour() {
    let (app, mail) = with_mail().await;
    let cookie = person(&app, ADA).await;
    let path = ask(&app, &mail, &cookie, NEW).await;
    app.app.clock.advance(Duration::minutes(30) - Duration::seconds(1));
    app.get(&cookie, &path).await.expect(200);
    app.app.clock.advance(Duration::seconds(1));
    app.get(&cookie, &path).await.expect(404);
    app.post(&cookie, &path, &[]).await.expect(404);
    assert!(is_taken(&app, ADA).await && !is_taken(&app, NEW).await);
}

#[tokio::test]
async fn what_is_no_other_address_is_refused_with_a_sentence() {
    let (app, _mail) = with_mail().await;
    let cookie = person(&app, ADA).await;
    for (email, sentence) in [
        ("", "Enter an e-mail address"),
        ("ada", "Enter an e-mail address"),
        ("ada@new.example.org\r\nBcc: eve@example.org", "Enter an e-mail address"),
        ("ada@new.example.org, eve@example.org", "Enter an e-mail address"),
        (" ADA@example.org", "This is your address already."),
    ] {
        let refused = app.post(&cookie, "/account/email", &[("email", email)]).await.expect(422);
        assert!(refused.text().contains(sentence), "{email:?}: {}", refused.text());
    }
    assert_eq!(count(&app, "SELECT count(*) FROM one_time_links").await, 0);
}

#[tokio::test]
async fn without_a_mail_server_nobody_moves() {
    let app = TestApp::new().await;
    let cookie = person(&app, ADA).await;
    let refused = app.post(&cookie, "/account/email", &[("email", NEW)]).await.expect(422);
    assert!(refused.text().contains("so addresses stay as they are"), "{}", refused.text());
    assert_eq!(count(&app, "SELECT count(*) FROM one_time_links").await, 0);
}

#[tokio::test]
async fn an_account_can_not_have_letters_sent_to_any_number_of_addresses() {
    let (app, _mail) = with_mail().await;
    let cookie = person(&app, ADA).await;
    let mut sent = 0;
    for number in 0..30 {
        let email = format!("stranger{number}@example.org");
        let answer = app.post(&cookie, "/account/email", &[("email", &email)]).await;
        sent += u32::from(answer.status.as_u16() == 303);
    }
    assert!((1..=10).contains(&sent), "{sent} letters at once");
}
