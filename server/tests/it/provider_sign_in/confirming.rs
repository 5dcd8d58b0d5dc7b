//! An identity that has an account's address waits in its browser until the account's owner signs in there.

use otrace_server::testing::PASSWORD;

use super::{ADA, BOB, NEXT, Visitor, execute, linked, person, refusal, server};

/// Comes from the provider with an account's address, and is led to the sign-in page.
async fn has_to_confirm(visitor: &mut Visitor<'_>, login: &str) -> String {
    let answer = visitor.sign_in(login).await.expect(303);
    let location = answer.header("location");
    assert!(location.starts_with("/signin?"), "{login}: {location}");
    assert_eq!(visitor.who().await, None, "{login}");
    location.to_owned()
}

#[tokio::test]
async fn an_accounts_owner_confirms_with_the_password_and_comes_through_the_provider_from_then_on() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    let mut ada = Visitor::new(&app);
    let location = has_to_confirm(&mut ada, "ada").await;
    let page = ada.get(&location).await.expect(200).text();
    assert!(page.contains("Sign in to it, and the two are linked."), "{page}");
    assert!(page.contains(&format!("value=\"{NEXT}\"")), "{page}");

    let answer = ada.sign_in_with(ADA, PASSWORD).await.expect(303);
    assert_eq!(answer.header("location"), NEXT);
    assert_eq!(linked(&app).await, ["ada@example.org ada"]);
    let is_proved: bool = sqlx::query_scalar("SELECT email_verified_at IS NOT NULL FROM accounts WHERE email = $1")
        .bind(ADA)
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    assert!(is_proved, "the provider vouched for the address");

    let mut again = ada.another();
    again.sign_in("ada").await.expect(303);
    assert_eq!(again.who().await.as_deref(), Some(ADA));
}

#[tokio::test]
async fn a_wrong_password_confirms_nothing() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    let mut eve = Visitor::new(&app);
    has_to_confirm(&mut eve, "second-ada").await;
    refusal(&eve.sign_in_with(ADA, "not at all her password").await);
    assert_eq!(linked(&app).await, [""; 0]);
    has_to_confirm(&mut eve, "second-ada").await;
}

#[tokio::test]
async fn an_identity_waits_in_the_browser_that_brought_it_and_in_no_other() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    let mut eve = Visitor::new(&app);
    has_to_confirm(&mut eve, "second-ada").await;
    let mut ada = eve.another();
    ada.sign_in_with(ADA, PASSWORD).await.expect(303);
    assert_eq!(linked(&app).await, [""; 0]);
}

#[tokio::test]
async fn an_identity_waits_for_the_account_with_its_address_and_for_no_other() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    person(&app, BOB).await;
    let mut browser = Visitor::new(&app);
    has_to_confirm(&mut browser, "ada").await;
    browser.sign_in_with(BOB, PASSWORD).await.expect(303);
    assert_eq!(browser.who().await.as_deref(), Some(BOB));
    assert_eq!(linked(&app).await, [""; 0]);
}

#[tokio::test]
async fn an_identity_waits_for_ten_minutes() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    person(&app, BOB).await;
    let mut ada = Visitor::new(&app);
    has_to_confirm(&mut ada, "ada").await;
    execute(&app, "UPDATE unconfirmed_identities SET expires_at = expires_at - interval '10 minutes'").await;
    ada.sign_in_with(ADA, PASSWORD).await.expect(303);
    assert_eq!(linked(&app).await, [""; 0]);

    let mut bob = ada.another();
    has_to_confirm(&mut bob, "bob").await;
    execute(&app, "UPDATE unconfirmed_identities SET expires_at = expires_at - interval '9 minutes'").await;
    bob.sign_in_with(BOB, PASSWORD).await.expect(303);
    assert_eq!(linked(&app).await, ["bob@example.org bob"]);
}

#[tokio::test]
async fn an_identity_that_waits_in_two_browsers_keeps_its_owner_out_of_neither() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    let mut laptop = Visitor::new(&app);
    let mut phone = laptop.another();
    has_to_confirm(&mut laptop, "ada").await;
    has_to_confirm(&mut phone, "ada").await;
    laptop.sign_in_with(ADA, PASSWORD).await.expect(303);
    phone.sign_in_with(ADA, PASSWORD).await.expect(303);
    assert_eq!(phone.who().await.as_deref(), Some(ADA));
    assert_eq!(linked(&app).await, ["ada@example.org ada"]);
}

#[tokio::test]
async fn an_identity_that_was_linked_elsewhere_meanwhile_keeps_nobody_out_and_stays_there() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    person(&app, BOB).await;
    let mut ada = Visitor::new(&app);
    has_to_confirm(&mut ada, "ada").await;
    let mut bob = ada.another();
    bob.sign_in_with(BOB, PASSWORD).await.expect(303);
    bob.link("ada").await.expect(303);

    ada.sign_in_with(ADA, PASSWORD).await.expect(303);
    assert_eq!(ada.who().await.as_deref(), Some(ADA));
    assert_eq!(linked(&app).await, ["bob@example.org ada"]);
}

#[tokio::test]
async fn an_account_without_a_password_confirms_through_a_provider_that_is_linked() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    ada.sign_in("ada").await.expect(303);
    let mut browser = ada.another();
    has_to_confirm(&mut browser, "second-ada").await;
    browser.sign_in("ada").await.expect(303);
    assert_eq!(browser.who().await.as_deref(), Some(ADA));
    assert_eq!(linked(&app).await, ["ada@example.org ada", "ada@example.org second-ada"]);
}
