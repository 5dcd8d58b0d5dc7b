//! Linking a provider on one's account's page, and taking it off again.

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join;
use otrace_server::testing::{PASSWORD, TestApp, TestResponse};
use uuid::Uuid;

use super::{
    ADA, BOB, LINK, NOT_BEGUN_HERE, ROOT, Visitor, accounts, execute, linked, parameter, person, refusal, server,
    server_with, under_way, way_in,
};
use crate::mail::MailServer;
use crate::providers::oidc_provider::sign_in_at_provider;

/// Somebody with an account and a password, who is signed in.
async fn with_password<'a>(app: &'a TestApp, email: &str) -> Visitor<'a> {
    let mut visitor = Visitor::new(app);
    visitor.sign_in_with(email, PASSWORD).await.expect(303);
    visitor
}

/// Lets the last proof of everybody who is signed in be eleven minutes old.
async fn wait_eleven_minutes(app: &TestApp) {
    execute(app, "UPDATE sessions SET authenticated_at = authenticated_at - interval '11 minutes'").await;
}

/// The form that takes an identity off the account.
async fn form_of(app: &TestApp, subject: &str) -> String {
    let id: Uuid = sqlx::query_scalar("SELECT id FROM identities WHERE subject = $1")
        .bind(subject)
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    format!("/account/identities/{id}/unlink")
}

async fn unlink(visitor: &mut Visitor<'_>, subject: &str) -> TestResponse {
    let form = form_of(visitor.app, subject).await;
    visitor.post(&form, &[]).await
}

#[track_caller]
fn leads_to_confirm(answer: TestResponse) {
    let answer = answer.expect(303);
    assert!(answer.header("location").starts_with("/confirm?next="), "{}", answer.header("location"));
}

#[tokio::test]
async fn a_person_links_a_provider_and_comes_through_it_from_then_on() {
    let mail = MailServer::start().await;
    let (app, _provider) = server_with(|config| config.mail = mail.config()).await;
    person(&app, BOB).await;
    let mut bob = with_password(&app, BOB).await;
    let page = bob.get("/account").await.expect(200).text();
    assert_eq!(way_in(&page, LINK), LINK);

    let url = bob.leave_by(LINK).await;
    assert_eq!(parameter(&url, "prompt").as_deref(), Some("login"), "who sits at another's browser can't link theirs");
    let back = sign_in_at_provider(&bob.http, &url, "ada").await;
    let answer = bob.come_back(&back).await.expect(303);
    assert!(answer.header("location").starts_with("/account"), "{}", answer.header("location"));
    assert_eq!(bob.who().await.as_deref(), Some(BOB));
    assert_eq!(linked(&app).await, ["bob@example.org ada"]);
    let letter = mail.next_to(BOB).await;
    assert!(letter.subject.contains("Sign-in with SSO was added"), "{}", letter.subject);

    let mut again = bob.another();
    again.sign_in("ada").await.expect(303);
    assert_eq!(again.who().await.as_deref(), Some(BOB));
    assert_eq!(accounts(&app).await, [BOB, ROOT]);
}

#[tokio::test]
async fn linking_proves_no_address() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    let mut ada = with_password(&app, ADA).await;
    ada.link("unverified-ada").await.expect(303);
    assert_eq!(linked(&app).await, ["ada@example.org unverified-ada"]);
    let is_proved: bool = sqlx::query_scalar("SELECT email_verified_at IS NOT NULL FROM accounts WHERE email = $1")
        .bind(ADA)
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    assert!(!is_proved);
}

#[tokio::test]
async fn another_site_can_not_lead_anybody_into_linking() {
    let (app, _provider) = server().await;
    let mut root = with_password(&app, ROOT).await;
    for site in ["cross-site", "same-site", "none", "Same-Origin"] {
        root.get_from(site, LINK).await.expect(403);
    }
    root.send(Request::get(LINK).body(Body::empty()).unwrap()).await.expect(403);
    assert_eq!(under_way(&app).await, 0);
    root.leave_by(LINK).await;
}

#[tokio::test]
async fn linking_and_unlinking_need_a_proof_of_minutes_ago() {
    let (app, _provider) = server().await;
    let mut root = with_password(&app, ROOT).await;
    root.link("eve").await.expect(303);
    wait_eleven_minutes(&app).await;
    leads_to_confirm(root.get(LINK).await);
    assert_eq!(under_way(&app).await, 0);
    leads_to_confirm(unlink(&mut root, "eve").await);
    assert_eq!(linked(&app).await, ["root@example.org eve"]);

    let before = root.session().unwrap().to_owned();
    let answer = root.post("/confirm", &[("password", PASSWORD), ("next", "/account")]).await.expect(303);
    assert_eq!(answer.header("location"), "/account");
    assert_ne!(root.session(), Some(before.as_str()));
    root.link("ada").await.expect(303);
    unlink(&mut root, "eve").await.expect(303);
    assert_eq!(linked(&app).await, ["root@example.org ada"]);
}

#[tokio::test]
async fn who_has_no_password_confirms_through_their_provider() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    ada.sign_in("ada").await.expect(303);
    wait_eleven_minutes(&app).await;
    leads_to_confirm(ada.get(LINK).await);
    let page = ada.get("/confirm?next=%2Faccount").await.expect(200).text();
    assert!(!page.contains("name=\"password\""), "{page}");
    let answer = ada.go(&way_in(&page, "/signin/with/sso"), "ada").await.expect(303);
    assert_eq!(answer.header("location"), "/account");
    ada.leave_by(LINK).await;
}

/// A provider that knows the browser still would send it back without a word, whoever sits before it.
#[tokio::test]
async fn who_confirms_through_their_provider_has_to_sign_in_there_anew() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    ada.sign_in("ada").await.expect(303);
    let page = ada.get("/confirm?next=%2Faccount").await.expect(200).text();
    let url = ada.leave_by(&way_in(&page, "/signin/with/sso")).await;
    assert_eq!(parameter(&url, "prompt").as_deref(), Some("login"), "{url}");
}

#[tokio::test]
async fn who_is_signed_in_by_then_does_not_get_the_identity_that_another_account_asked_for() {
    let (app, _provider) = server().await;
    person(&app, BOB).await;
    for next_person in [None, Some(ROOT)] {
        let mut browser = with_password(&app, BOB).await;
        let back = browser.vouched(LINK, "ada").await;
        browser.post("/signout", &[]).await.expect(303);
        if let Some(email) = next_person {
            browser.sign_in_with(email, PASSWORD).await.expect(303);
        }
        let text = refusal(&browser.come_back(&back).await);
        assert!(text.contains(NOT_BEGUN_HERE), "{text}");
        assert_eq!(browser.who().await.as_deref(), next_person);
        assert_eq!(linked(&app).await, [""; 0]);
    }
    assert_eq!(accounts(&app).await, [BOB, ROOT]);
}

#[tokio::test]
async fn an_identity_belongs_to_one_account() {
    let (app, _provider) = server().await;
    person(&app, BOB).await;
    Visitor::new(&app).sign_in("ada").await.expect(303);
    let mut bob = with_password(&app, BOB).await;
    let text = refusal(&bob.link("ada").await);
    assert!(text.contains("That identity is linked to an account here already."), "{text}");
    assert_eq!(bob.who().await.as_deref(), Some(BOB));
    assert_eq!(linked(&app).await, ["ada@example.org ada"]);
}

#[tokio::test]
async fn a_link_at_two_accounts_at_once_is_made_at_one() {
    let (app, _provider) = server().await;
    person(&app, BOB).await;
    let mut root = with_password(&app, ROOT).await;
    let mut bob = with_password(&app, BOB).await;
    let (roots, bobs) = (root.vouched(LINK, "ada").await, bob.vouched(LINK, "ada").await);
    let (one, other) = join(root.come_back(&roots), bob.come_back(&bobs)).await;
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422]);
    assert_eq!(linked(&app).await.len(), 1);
}

#[tokio::test]
async fn an_identity_that_was_taken_off_opens_nothing() {
    let (app, _provider) = server().await;
    person(&app, BOB).await;
    let mut bob = with_password(&app, BOB).await;
    bob.link("ada").await.expect(303);
    unlink(&mut bob, "ada").await.expect(303);
    assert_eq!(linked(&app).await, [""; 0]);
    let mut ada = bob.another();
    ada.sign_in("ada").await.expect(303);
    assert_eq!(ada.who().await.as_deref(), Some(ADA), "a newcomer with an account of her own");
}

#[tokio::test]
async fn nobody_takes_an_identity_off_anothers_account() {
    let (app, _provider) = server().await;
    Visitor::new(&app).sign_in("ada").await.expect(303);
    let mut root = with_password(&app, ROOT).await;
    unlink(&mut root, "ada").await.expect(404);
    root.post("/account/identities/nonsense/unlink", &[]).await.expect(404);
    assert_eq!(linked(&app).await, ["ada@example.org ada"]);
}

#[tokio::test]
async fn the_last_way_in_stays() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    ada.sign_in("ada").await.expect(303);
    let text = refusal(&unlink(&mut ada, "ada").await);
    assert!(text.contains("Choose a password first"), "{text}");
    assert_eq!(linked(&app).await, ["ada@example.org ada"]);

    // Of two at once, one goes.
    ada.link("second-ada").await.expect(303);
    let forms = (form_of(&app, "ada").await, form_of(&app, "second-ada").await);
    let mut twin = ada.clone();
    let (one, other) = join(ada.post(&forms.0, &[]), twin.post(&forms.1, &[])).await;
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422]);
    assert_eq!(linked(&app).await.len(), 1);
}

#[tokio::test]
async fn a_password_is_no_way_in_where_passwords_are_switched_off() {
    let (app, _provider) = server_with(|config| config.sign_in.password_sign_in = false).await;
    let mut ada = Visitor::new(&app);
    ada.sign_in("ada").await.expect(303);
    execute(
        &app,
        "
        UPDATE accounts
        SET password_hash = (SELECT password_hash FROM accounts WHERE email = 'root@example.org')
        WHERE email = 'ada@example.org'
        ",
    )
    .await;
    refusal(&unlink(&mut ada, "ada").await);
    assert_eq!(linked(&app).await, ["ada@example.org ada"]);
}
