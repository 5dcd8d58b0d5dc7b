//! Sessions: their cookies, how long they last, and what ends them.

use std::collections::BTreeSet;

use otrace_server::auth::{Client, provider_cookie};
use otrace_server::domain::secret_token::hash;
use otrace_server::services;
use otrace_server::testing::{PASSWORD, TestApp, TestResponse};
use time::Duration;
use uuid::Uuid;

use super::{
    ADA, ADMIN, BOB, NEW_PASSWORD, account, count, is_signed_in, path_of, person, public_server, reset_path, session,
    set_cookies, sign_in, with_mail,
};

/// Opens a page as a browser does, which keeps the session that an answer gives it. Whether it is signed in.
async fn visit(app: &TestApp, cookie: &mut String) -> bool {
    let answer = app.get(cookie, "/account").await;
    let new = TestApp::cookie_of(&answer);
    if !new.is_empty() {
        *cookie = new;
    }
    answer.status.as_u16() == 200
}

fn token(cookie: &str) -> &str {
    cookie.split_once('=').unwrap().1
}

async fn session_id(app: &TestApp, cookie: &str) -> Uuid {
    sqlx::query_scalar("SELECT id FROM sessions WHERE token_hash = $1")
        .bind(hash(token(cookie)).to_vec())
        .fetch_one(&app.app.pool)
        .await
        .unwrap()
}

/// The cookie of this name that an answer sets: its value, and its attributes.
#[track_caller]
fn cookie_named<'a>(response: &'a TestResponse, name: &str) -> (&'a str, BTreeSet<&'a str>) {
    let cookies = set_cookies(response);
    let mut found = cookies.into_iter().filter_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='));
    let cookie = found.next().unwrap_or_else(|| panic!("no {name}: {:?}", set_cookies(response)));
    assert!(found.next().is_none(), "{name} is set twice");
    let mut parts = cookie.split("; ");
    (parts.next().unwrap(), parts.collect())
}

#[tokio::test]
async fn over_tls_cookies_are_bound_to_the_host_and_to_tls() {
    let app = public_server().await;
    person(&app, ADA).await;
    let answer = sign_in(&app, ADA, PASSWORD).await.expect(303);
    let (token, attributes) = cookie_named(&answer, "__Host-otrace_session");
    assert_eq!(token.len(), 43);
    assert_eq!(attributes, BTreeSet::from(["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Lax", "Secure"]));
    let (_, attributes) = cookie_named(&answer, "__Host-otrace_device");
    assert_eq!(attributes, BTreeSet::from(["HttpOnly", "Max-Age=15552000", "Path=/", "SameSite=Strict", "Secure"]));
    assert_eq!(set_cookies(&answer).len(), 2);
    let provider = provider_cookie(&app.app, "secret").to_string();
    for part in ["__Host-otrace_oauth=secret;", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/", "; Max-Age="] {
        assert!(provider.contains(part), "{part}: {provider}");
    }

    let session = TestApp::cookie_of(&answer);
    let ended = app.post(&session, "/signout", &[]).await.expect(303);
    let (empty, attributes) = cookie_named(&ended, "__Host-otrace_session");
    assert_eq!(empty, "");
    assert_eq!(attributes, BTreeSet::from(["HttpOnly", "Max-Age=0", "Path=/", "SameSite=Lax", "Secure"]));
}

#[tokio::test]
async fn over_plain_http_cookies_have_plain_names_and_the_same_care() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let answer = sign_in(&app, ADA, PASSWORD).await.expect(303);
    let (_, attributes) = cookie_named(&answer, "otrace_session");
    assert_eq!(attributes, BTreeSet::from(["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Lax"]));
    let (_, attributes) = cookie_named(&answer, "otrace_device");
    assert_eq!(attributes, BTreeSet::from(["HttpOnly", "Max-Age=15552000", "Path=/", "SameSite=Strict"]));
}

#[tokio::test]
async fn over_tls_a_cookie_that_is_not_bound_to_the_host_signs_nobody_in() {
    let app = public_server().await;
    let cookie = person(&app, ADA).await;
    assert!(cookie.starts_with("__Host-otrace_session="), "{cookie}");
    assert!(is_signed_in(&app, &cookie).await);
    // A neighbour below the same domain could set these.
    for name in ["otrace_session", "__Secure-otrace_session", "__host-otrace_session"] {
        assert!(!is_signed_in(&app, &format!("{name}={}", token(&cookie))).await, "{name}");
    }
}

#[tokio::test]
async fn a_session_that_was_planted_is_worth_nothing_after_signing_in() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let planted = format!("otrace_session={}", "A".repeat(43));
    let fields = [("email", ADA), ("password", PASSWORD)];
    let first = TestApp::cookie_of(&app.post(&planted, "/signin", &fields).await.expect(303));
    let second = TestApp::cookie_of(&app.post(&planted, "/signin", &fields).await.expect(303));
    assert!(is_signed_in(&app, &first).await && is_signed_in(&app, &second).await);
    assert!(!is_signed_in(&app, &planted).await);
    assert!(first != planted && second != planted && first != second);
}

#[tokio::test]
async fn the_session_that_a_browser_had_ends_when_somebody_signs_in_there() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let bobs = person(&app, BOB).await;
    let elsewhere = session(&app, BOB).await;
    let fields = [("email", ADA), ("password", PASSWORD)];
    let adas = TestApp::cookie_of(&app.post(&bobs, "/signin", &fields).await.expect(303));
    assert!(app.get(&adas, "/account").await.expect(200).text().contains(ADA));
    assert!(!is_signed_in(&app, &bobs).await);
    assert!(is_signed_in(&app, &elsewhere).await);
}

#[tokio::test]
async fn a_session_ends_a_week_after_its_last_use() {
    let app = TestApp::new().await;
    let mut cookie = person(&app, ADA).await;
    app.app.clock.advance(Duration::days(7) - Duration::seconds(1));
    assert!(visit(&app, &mut cookie).await);
    app.app.clock.advance(Duration::days(7));
    assert!(!visit(&app, &mut cookie).await);
}

#[tokio::test]
async fn a_session_ends_after_thirty_days_even_if_its_owner_proves_who_they_are() {
    let app = TestApp::new().await;
    let mut cookie = person(&app, ADA).await;
    for _ in 0..4 {
        app.app.clock.advance(Duration::days(6));
        assert!(visit(&app, &mut cookie).await);
    }
    let fields = [("password", PASSWORD), ("next", "/account")];
    cookie = TestApp::cookie_of(&app.post(&cookie, "/confirm", &fields).await.expect(303));
    app.app.clock.advance(Duration::days(6) - Duration::seconds(1));
    assert!(visit(&app, &mut cookie).await);
    app.app.clock.advance(Duration::seconds(1));
    assert!(!visit(&app, &mut cookie).await);
}

#[tokio::test]
async fn a_session_that_is_used_gets_a_new_token_each_day() {
    let app = TestApp::new().await;
    let first = person(&app, ADA).await;
    app.app.clock.advance(Duration::hours(23));
    assert_eq!(TestApp::cookie_of(&app.get(&first, "/account").await.expect(200)), "");
    app.app.clock.advance(Duration::hours(2));
    let second = TestApp::cookie_of(&app.get(&first, "/account").await.expect(200));
    assert!(!second.is_empty() && second != first, "{second}");
    assert!(is_signed_in(&app, &second).await);
    // What was under way with the old one is over by now.
    app.app.clock.advance(Duration::hours(1));
    assert!(!is_signed_in(&app, &first).await);
}

#[tokio::test]
async fn the_account_page_lists_ones_own_open_sessions_and_no_token() {
    let app = TestApp::new().await;
    let ended = person(&app, ADA).await;
    let ended_id = session_id(&app, &ended).await.to_string();
    app.app.clock.advance(Duration::days(3));
    let here = session(&app, ADA).await;
    let firefox = Client {
        address: Some([203, 0, 113, 9].into()),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
        is_forwarded: false,
    };
    let there = services::sign_in::begin_session(&app.app, account(&app, ADA).await, &firefox).await.unwrap().token;
    let there_id = session_id(&app, &format!("otrace_session={there}")).await.to_string();
    let bobs = person(&app, BOB).await;
    let bobs_id = session_id(&app, &bobs).await.to_string();
    app.app.clock.advance(Duration::days(4));

    let page = app.get(&here, "/account").await.expect(200).text();
    for shown in [there_id.as_str(), "Firefox on Linux", "203.0.113.9"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    for hidden in [ended_id.as_str(), &bobs_id, &there, token(&here), token(&bobs), "Gecko"] {
        assert!(!page.contains(hidden), "{hidden}: {page}");
    }
}

#[tokio::test]
async fn a_session_is_ended_by_its_own_account_only() {
    let app = TestApp::new().await;
    let here = person(&app, ADA).await;
    let there = session(&app, ADA).await;
    let bobs = person(&app, BOB).await;
    let end = format!("/account/sessions/{}/end", session_id(&app, &there).await);
    app.post(&bobs, &end, &[]).await.expect(404);
    app.post("", &end, &[]).await.expect(401);
    assert!(is_signed_in(&app, &there).await);

    app.post(&here, &end, &[]).await.expect(303);
    assert!(!is_signed_in(&app, &there).await);
    assert!(is_signed_in(&app, &here).await && is_signed_in(&app, &bobs).await);
    app.post(&here, &end, &[]).await.expect(404);
    app.post(&here, "/account/sessions/x/end", &[]).await.expect(404);
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_sessions_of_the_account() {
    let app = TestApp::new().await;
    let here = person(&app, ADA).await;
    let there = session(&app, ADA).await;
    let bobs = person(&app, BOB).await;
    let answer = app.post(&here, "/account/sessions/end-all", &[]).await.expect(303);
    assert!(cookie_named(&answer, "otrace_session").1.contains("Max-Age=0"));
    assert!(!is_signed_in(&app, &here).await && !is_signed_in(&app, &there).await);
    assert!(is_signed_in(&app, &bobs).await);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_renews_this_one_and_ends_open_links() {
    let (app, mail) = with_mail().await;
    let here = person(&app, ADA).await;
    let there = session(&app, ADA).await;
    let admins = reset_path(&app, ADMIN).await;
    let reset = reset_path(&app, ADA).await;
    app.post(&here, "/account/email", &[("email", "ada@new.example.org")]).await.expect(303);
    let letter = mail.next_to("ada@new.example.org").await;
    let email = path_of(&app, letter.link());

    let wrong = [("current", NEW_PASSWORD), ("password", NEW_PASSWORD)];
    app.post(&here, "/account/password", &wrong).await.expect(422);
    assert!(is_signed_in(&app, &there).await);
    app.get("", &reset).await.expect(200);

    let right = [("current", PASSWORD), ("password", NEW_PASSWORD)];
    let answer = app.post(&here, "/account/password", &right).await.expect(303);
    let renewed = TestApp::cookie_of(&answer);
    assert!(is_signed_in(&app, &renewed).await && renewed != here);
    assert!(!is_signed_in(&app, &here).await && !is_signed_in(&app, &there).await);
    app.get("", &reset).await.expect(404);
    app.get(&renewed, email).await.expect(404);
    app.get("", &admins).await.expect(200);
    sign_in(&app, ADA, PASSWORD).await.expect(422);
    sign_in(&app, ADA, NEW_PASSWORD).await.expect(303);
    assert_eq!(mail.next_to(ADA).await.subject, "Your password for Halden Lab was changed");
    // The admin's session, and both of Ada's: the renewed one, and the one that has just begun.
    assert_eq!(count(&app, "SELECT count(*) FROM sessions").await, 3);
}
