//! What a session alone is not enough for, and what its owner changes about themselves.

use otrace_server::testing::{PASSWORD, TestApp};
use time::Duration;
use url::{Url, form_urlencoded};
use uuid::Uuid;

use super::{
    ADA, ADMIN, NEW_PASSWORD, account, change, count, form, is_signed_in, person, reset_path, session, set_cookies,
    sign_in, with_header, with_mail,
};

const NEW: [(&str, &str); 1] = [("email", "ada@new.example.org")];
/// A moment more than a proof holds.
const STALE: Duration = Duration::seconds(10 * 60 + 1);

/// Proves who one is; returns the session's new cookie, and where the browser goes.
async fn confirm(app: &TestApp, cookie: &str, next: &str) -> (String, String) {
    let answer = app.post(cookie, "/confirm", &[("password", PASSWORD), ("next", next)]).await.expect(303);
    (TestApp::cookie_of(&answer), answer.header("location").to_owned())
}

#[tokio::test]
async fn ten_minutes_after_signing_in_a_sensitive_form_leads_to_a_proof_and_back() {
    let (app, _mail) = with_mail().await;
    let cookie = person(&app, ADA).await;
    app.app.clock.advance(STALE - Duration::seconds(1));
    let done = app.post(&cookie, "/account/email", &NEW).await.expect(303);
    assert_eq!(done.header("location"), "/account?notice=email-sent");

    app.app.clock.advance(Duration::seconds(1));
    let page = "http://localhost:8000/account?notice=name";
    let led = app.send(with_header(form(&cookie, "/account/email", &NEW), "referer", page)).await.expect(303);
    assert_eq!(led.header("location"), "/confirm?next=%2Faccount%3Fnotice%3Dname");
    assert_eq!(count(&app, "SELECT count(*) FROM one_time_links").await, 1);
    let page = app.get(&cookie, led.header("location")).await.expect(200).text();
    assert!(page.contains("Confirm that it is you") && page.contains(ADA), "{page}");

    let wrong = app.post(&cookie, "/confirm", &[("password", NEW_PASSWORD), ("next", "/account")]).await.expect(422);
    assert!(wrong.text().contains("The password is wrong.") && set_cookies(&wrong).is_empty(), "{}", wrong.text());
    assert!(is_signed_in(&app, &cookie).await);
    let led = app.post(&cookie, "/account/email", &NEW).await.expect(303);
    assert_eq!(led.header("location"), "/confirm?next=%2Faccount");

    let (renewed, location) = confirm(&app, &cookie, "/account?notice=name").await;
    assert_eq!(location, "/account?notice=name");
    assert!(renewed != cookie && is_signed_in(&app, &renewed).await && !is_signed_in(&app, &cookie).await);
    let done = app.post(&renewed, "/account/email", &NEW).await.expect(303);
    assert_eq!(done.header("location"), "/account?notice=email-sent");
}

#[tokio::test]
async fn a_proof_counts_for_the_session_in_which_it_was_given() {
    let (app, _mail) = with_mail().await;
    let here = person(&app, ADA).await;
    let there = session(&app, ADA).await;
    app.app.clock.advance(STALE);
    let (here, _) = confirm(&app, &here, "/account").await;
    let led = app.post(&there, "/account/email", &NEW).await.expect(303);
    assert_eq!(led.header("location"), "/confirm?next=%2Faccount");
    let done = app.post(&here, "/account/email", &NEW).await.expect(303);
    assert_eq!(done.header("location"), "/account?notice=email-sent");
}

#[tokio::test]
async fn a_session_without_a_fresh_proof_does_nothing_sensitive() {
    let (app, _mail) = with_mail().await;
    person(&app, ADA).await;
    let admin = session(&app, ADMIN).await;
    app.post(&admin, "/projects", &[("name", "wake-word")]).await.expect(200);
    let ada = account(&app, ADA).await.id;
    let events = count(&app, "SELECT count(*) FROM audit_events").await;
    app.app.clock.advance(STALE);
    let forms: [(String, &[(&str, &str)]); 9] = [
        ("/account/email".to_owned(), &NEW),
        (format!("/account/identities/{}/unlink", Uuid::now_v7()), &[]),
        ("/admin/sign-up".to_owned(), &[("policy", "off")]),
        (format!("/admin/accounts/{ada}/disable"), &[]),
        (format!("/admin/accounts/{ada}/enable"), &[]),
        (format!("/admin/accounts/{ada}/grant-admin"), &[]),
        (format!("/admin/accounts/{ada}/revoke-admin"), &[]),
        (format!("/admin/accounts/{ada}/reset-link"), &[]),
        ("/admin/projects/wake-word/enter".to_owned(), &[("role", "viewer")]),
    ];
    for (path, fields) in forms {
        let led = app.post(&admin, &path, fields).await.expect(303);
        assert_eq!(led.header("location"), "/confirm?next=%2Faccount", "{path}");
    }
    assert_eq!(count(&app, "SELECT count(*) FROM audit_events").await, events);
    assert_eq!(count(&app, "SELECT count(*) FROM one_time_links").await, 0);
}

#[tokio::test]
async fn no_referer_leads_a_proof_to_another_site() {
    let (app, _mail) = with_mail().await;
    let mut cookie = person(&app, ADA).await;
    for referer in [
        "http://evil.example/account",
        "http://localhost:8000.evil.example/account",
        "http://localhost:8000@evil.example/account",
        "http://localhost:8000//evil.example/",
        "http://localhost:8000/\\evil.example/",
        "http://localhost:8000/\t/evil.example/",
        "http://localhost:8000",
        "https://localhost:8000/account",
        "javascript:alert(1)",
        "//evil.example/account",
    ] {
        app.app.clock.advance(Duration::minutes(11));
        let request = with_header(form(&cookie, "/account/email", &NEW), "referer", referer);
        let led = app.send(request).await.expect(303);
        let (page, query) = led.header("location").split_once('?').unwrap();
        assert_eq!(page, "/confirm", "{referer}");
        let (_, next) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next").unwrap();
        let (renewed, location) = confirm(&app, &cookie, &next).await;
        cookie = renewed;
        let here = Url::parse("http://localhost:8000/confirm").unwrap();
        assert_eq!(here.join(&location).unwrap().origin(), here.origin(), "{referer}: {location}");
    }
}

#[tokio::test]
async fn wrong_passwords_of_who_is_signed_in_are_counted_together() {
    let app = TestApp::new().await;
    let cookie = person(&app, ADA).await;
    let wrong = [("current", NEW_PASSWORD), ("password", NEW_PASSWORD)];
    for _ in 0..5 {
        app.post(&cookie, "/confirm", &[("password", NEW_PASSWORD)]).await.expect(422);
        app.post(&cookie, "/account/password", &wrong).await.expect(422);
    }
    let refused = app.post(&cookie, "/confirm", &[("password", PASSWORD)]).await.expect(429);
    assert_eq!(refused.header("retry-after"), "180");
    let right = [("current", PASSWORD), ("password", NEW_PASSWORD)];
    app.post(&cookie, "/account/password", &right).await.expect(429);
    // Whoever holds a stolen session does not keep its owner from signing in.
    sign_in(&app, ADA, PASSWORD).await.expect(303);
    app.app.clock.advance(Duration::minutes(3));
    app.post(&cookie, "/account/password", &right).await.expect(303);
}

#[tokio::test]
async fn a_first_password_needs_a_fresh_proof() {
    let app = TestApp::new().await;
    let stale = person(&app, ADA).await;
    change(&app, "UPDATE accounts SET password_hash = NULL WHERE email = $1", ADA).await;
    app.app.clock.advance(STALE);
    let fresh = session(&app, ADA).await;
    let fields = [("current", ""), ("password", NEW_PASSWORD)];
    let led = app.post(&stale, "/account/password", &fields).await.expect(303);
    assert_eq!(led.header("location"), "/confirm?next=%2Faccount");
    // There is no password to prove anything with.
    for password in ["", PASSWORD, "nobody's password"] {
        app.post(&stale, "/confirm", &[("password", password)]).await.expect(422);
    }
    sign_in(&app, ADA, NEW_PASSWORD).await.expect(422);
    let done = app.post(&fresh, "/account/password", &fields).await.expect(303);
    assert!(is_signed_in(&app, &TestApp::cookie_of(&done)).await);
    assert!(!is_signed_in(&app, &stale).await);
    sign_in(&app, ADA, NEW_PASSWORD).await.expect(303);
}

#[tokio::test]
async fn a_new_password_is_held_to_the_rules_of_the_first() {
    let app = TestApp::new().await;
    let cookie = person(&app, ADA).await;
    for (password, sentence) in
        [("password1234", "easy to guess"), (ADA, "easy to guess"), ("eleven char", "at least 12 characters")]
    {
        let fields = [("current", PASSWORD), ("password", password)];
        let refused = app.post(&cookie, "/account/password", &fields).await.expect(422);
        assert!(refused.text().contains(sentence), "{password}: {}", refused.text());
    }
    assert!(is_signed_in(&app, &cookie).await);
    sign_in(&app, ADA, PASSWORD).await.expect(303);
}

#[tokio::test]
async fn a_name_is_changed_by_its_owner() {
    let app = TestApp::new().await;
    let cookie = person(&app, ADA).await;
    let hostile = "<script>hit()</script>";
    for (name, kept) in [(" Ada Lovelace ", "Ada Lovelace"), ("A\0da", "A\u{fffd}da"), (hostile, hostile)] {
        app.post(&cookie, "/account/name", &[("name", name)]).await.expect(303);
        assert_eq!(account(&app, ADA).await.name, kept);
    }
    assert!(!app.get(&cookie, "/account").await.expect(200).text().contains(hostile));
    let long = "x".repeat(101);
    for (name, sentence) in [
        ("", "Enter a name."),
        (" \t ", "Enter a name."),
        (long.as_str(), "at most 100 characters"),
        ("Ada\r\nBcc: eve", "without line breaks"),
        ("\u{1b}[31mAda", "control characters"),
    ] {
        let refused = app.post(&cookie, "/account/name", &[("name", name)]).await.expect(422);
        assert!(refused.text().contains(sentence), "{name:?}: {}", refused.text());
    }
    app.post("", "/account/name", &[("name", "Eve")]).await.expect(401);
    assert_eq!(account(&app, ADA).await.name, hostile);
}

#[tokio::test]
async fn a_form_of_another_site_changes_no_account() {
    let app = TestApp::new().await;
    let cookie = person(&app, ADA).await;
    let reset = reset_path(&app, ADA).await;
    let events = count(&app, "SELECT count(*) FROM audit_events").await;
    let fields = [
        ("name", "Eve"),
        ("email", ADA),
        ("current", PASSWORD),
        ("password", NEW_PASSWORD),
        ("next", "/"),
        ("decision", "approve"),
    ];
    for path in [
        reset.as_str(),
        "/signin",
        "/signup",
        "/signup/x",
        "/signout",
        "/forgot",
        "/confirm",
        "/account/name",
        "/account/password",
        "/account/email",
        "/account/email/x",
        "/account/sessions/x/end",
        "/account/sessions/end-all",
        "/account/identities/x/unlink",
        "/device",
        "/invitations/x",
        "/invitations/x/account",
    ] {
        for site in ["cross-site", "same-site", "nonsense"] {
            app.send(with_header(form(&cookie, path, &fields), "sec-fetch-site", site)).await.expect(403);
        }
        // Older browsers only say where a form comes from.
        for origin in ["https://evil.example", "http://localhost:8000.evil.example", "null"] {
            let request = with_header(form(&cookie, path, &fields), "host", "localhost:8000");
            let mut request = with_header(request, "origin", origin);
            request.headers_mut().remove("sec-fetch-site");
            app.send(request).await.expect(403);
        }
    }
    assert!(is_signed_in(&app, &cookie).await);
    assert_eq!(account(&app, ADA).await.name, "ada");
    assert_eq!(count(&app, "SELECT count(*) FROM audit_events").await, events);
    app.get("", &reset).await.expect(200);
}
