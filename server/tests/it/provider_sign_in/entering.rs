//! Coming in through a provider: the first time, again, and where that is not possible.

use std::net::TcpListener;

use otrace_server::providers::ProviderKind;
use otrace_server::services;
use otrace_server::testing::PASSWORD;
use url::Url;

use super::{
    ADA, BOB, LINK, NEXT, NOT_CONFIRMED, ROOT, Visitor, WAY, accounts, be_public, empty_server, execute, linked,
    person, refusal, server, server_with, under_way, way_in,
};

#[tokio::test]
async fn a_newcomer_gets_an_account_where_anyone_may_sign_up() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    let answer = ada.sign_in("ada").await.expect(303);
    assert_eq!(answer.header("location"), NEXT);
    assert_eq!(ada.who().await.as_deref(), Some(ADA));
    ada.get("/account").await.expect(200);
    assert_eq!(linked(&app).await, ["ada@example.org ada"]);

    let (name, has_password, is_proved, is_admin): (String, bool, bool, bool) = sqlx::query_as(
        "
        SELECT name, password_hash IS NOT NULL, email_verified_at IS NOT NULL, is_admin
        FROM accounts
        WHERE email = $1
        ",
    )
    .bind(ADA)
    .fetch_one(&app.app.pool)
    .await
    .unwrap();
    assert_eq!((name.as_str(), has_password, is_proved, is_admin), ("Ada", false, true, false));
}

#[tokio::test]
async fn the_first_account_may_come_through_a_provider_where_only_this_machine_reaches_the_server() {
    let (app, _provider) = empty_server(|_| {}).await;
    // A stranger whom a proxy passes on, of which the server was not told, is not at this machine.
    let text = refusal(&Visitor::new(&app).sign_in("ada").await);
    assert!(text.contains("Make the first account on the server"), "{text}");
    Visitor::at_this_machine(&app).sign_in("ada").await.expect(303);
    assert!(services::accounts::find(&app.app, ADA).await.unwrap().is_admin);

    let (app, _provider) = empty_server(be_public).await;
    let text = refusal(&Visitor::new(&app).sign_in("ada").await);
    assert!(text.contains("Make the first account on the server"), "{text}");
    assert_eq!(accounts(&app).await, [""; 0]);
}

#[tokio::test]
async fn who_comes_again_is_the_same_person_whatever_their_address_is_now() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    ada.sign_in("ada").await.expect(303);
    // When they came first they had another address, there and here.
    execute(&app, "UPDATE accounts SET email = 'countess@example.org' WHERE email = 'ada@example.org'").await;
    execute(&app, "UPDATE identities SET email = 'countess@example.org'").await;
    let mut again = ada.another();
    again.sign_in("ada").await.expect(303);
    assert_eq!(again.who().await.as_deref(), Some("countess@example.org"));

    person(&app, ADA).await;
    let mut once_more = ada.another();
    once_more.sign_in("ada").await.expect(303);
    assert_eq!(once_more.who().await.as_deref(), Some("countess@example.org"));
    assert_eq!(linked(&app).await, ["countess@example.org ada"]);
}

#[tokio::test]
async fn each_sign_in_begins_a_session_of_its_own() {
    let (app, _provider) = server().await;
    person(&app, BOB).await;
    let planted = "a".repeat(43);
    let mut browser = Visitor::new(&app);
    browser.cookies.insert("otrace_session".to_owned(), planted.clone());
    let mut thief = browser.another();
    thief.cookies.insert("otrace_session".to_owned(), planted.clone());
    browser.sign_in("ada").await.expect(303);
    assert_eq!(browser.who().await.as_deref(), Some(ADA));
    assert_ne!(browser.session(), Some(planted.as_str()));
    assert_eq!(thief.who().await, None);

    let mut shared = browser.another();
    shared.sign_in_with(BOB, PASSWORD).await.expect(303);
    let bobs = shared.clone();
    shared.sign_in("ada").await.expect(303);
    assert_eq!(shared.who().await.as_deref(), Some(ADA));
    assert_eq!(bobs.who().await, None, "the session that was there before has ended");
    assert_ne!(shared.session(), browser.session());
}

#[tokio::test]
async fn a_closed_account_stays_closed() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    ada.sign_in("ada").await.expect(303);
    execute(&app, "UPDATE accounts SET disabled_at = now() WHERE email = 'ada@example.org'").await;
    assert_eq!(ada.who().await, None);

    let text = refusal(&ada.another().sign_in("ada").await);
    assert!(text.contains("This account is closed."), "{text}");
    // Not by its address either.
    refusal(&ada.another().sign_in("second-ada").await);
    assert_eq!(linked(&app).await, ["ada@example.org ada"]);
    assert_eq!(accounts(&app).await, [ADA, ROOT]);
}

#[tokio::test]
async fn where_passwords_are_switched_off_a_provider_is_the_way_in() {
    let (app, _provider) = server_with(|config| config.sign_in.password_sign_in = false).await;
    let mut visitor = Visitor::new(&app);
    let page = visitor.get("/signin").await.expect(200).text();
    assert!(page.contains("\"/signin/with/sso") && !page.contains("name=\"password\""), "{page}");
    let text = refusal(&visitor.sign_in_with(ROOT, PASSWORD).await);
    assert!(text.contains("Passwords are switched off on this server."), "{text}");
    visitor.sign_in("ada").await.expect(303);
    assert_eq!(visitor.who().await.as_deref(), Some(ADA));
}

#[tokio::test]
async fn where_passwords_are_switched_off_not_even_the_first_account_has_one() {
    let (app, _provider) = empty_server(|config| config.sign_in.password_sign_in = false).await;
    let mut visitor = Visitor::new(&app);
    let page = visitor.get("/signup").await.expect(200).text();
    assert!(!page.contains("name=\"password\""), "{page}");
    visitor.post("/signup", &[("name", "Ada"), ("email", ADA), ("password", PASSWORD)]).await;
    assert_eq!(visitor.who().await, None);
    assert_eq!(accounts(&app).await, [""; 0]);
}

#[tokio::test]
async fn a_provider_that_is_not_set_up_is_not_found() {
    let (app, _provider) = server().await;
    let mut visitor = Visitor::new(&app);
    visitor.sign_in_with(ROOT, PASSWORD).await.expect(303);
    for path in ["/signin/with/nope", "/signin/with/nope/callback?state=a&code=b", "/account/identities/link/nope"] {
        visitor.get(path).await.expect(404);
    }
    assert_eq!(under_way(&app).await, 0);
}

#[tokio::test]
async fn a_provider_that_is_away_is_said_to_be_away() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let issuer: Url = format!("http://{nobody}").parse().unwrap();
    let (app, _provider) =
        server_with(|config| config.sign_in.more_providers[0].kind = ProviderKind::Oidc { issuer }).await;
    let text = refusal(&Visitor::new(&app).get(WAY).await);
    assert!(text.contains("be reached at the moment. Try again"), "{text}");
    assert_eq!(under_way(&app).await, 0);
}

#[tokio::test]
async fn a_provider_that_goes_away_meanwhile_signs_nobody_in() {
    let (app, provider) = server().await;
    let mut ada = Visitor::new(&app);
    let back = ada.vouched(WAY, "ada").await;
    drop(provider);
    refusal(&ada.come_back(&back).await);
    assert_eq!(ada.who().await, None);
    assert_eq!(accounts(&app).await, [ROOT]);
}

#[tokio::test]
async fn who_sets_off_too_often_waits_and_nobody_else_does() {
    let (app, _provider) = server().await;
    let mut visitor = Visitor::new(&app);
    let mut answer = visitor.get(WAY).await.expect(303);
    // More than the limit, which lets one through every 15 seconds.
    for _ in 0..40 {
        if answer.status.as_u16() != 303 {
            break;
        }
        answer = visitor.get(WAY).await;
    }
    assert_ne!(answer.expect(429).header("retry-after"), "");
    visitor.another().leave_by(WAY).await;
}

#[tokio::test]
async fn what_a_provider_calls_somebody_is_only_text() {
    let (app, _provider) = server().await;
    let long = "x".repeat(120);
    for login in [long.as_str(), "Ünï", "ada<u7>"] {
        let mut visitor = Visitor::new(&app);
        visitor.sign_in(login).await.expect(303);
        let page = visitor.get("/account").await.expect(200).text();
        assert!(!page.contains("<u7>"), "{page}");
    }
}

#[tokio::test]
async fn a_person_whose_name_at_the_provider_can_not_be_kept_is_refused() {
    let (app, _provider) = server().await;
    let text = refusal(&Visitor::new(&app).sign_in(&"x".repeat(256)).await);
    assert!(text.contains(NOT_CONFIRMED), "{text}");
    // A NUL, which the database does not take. Left out, it would be another person's name and address.
    refusal(&Visitor::new(&app).sign_in("a\0da").await);
    assert_eq!(accounts(&app).await, [ROOT]);
    assert_eq!(linked(&app).await, [""; 0]);
}

#[tokio::test]
async fn the_sign_in_page_leads_to_the_provider_and_on_to_where_one_wanted() {
    let (app, _provider) = server().await;
    let mut visitor = Visitor::new(&app);
    let page = visitor.get("/signin?next=%2Fprojects%2Fnew").await.expect(200).text();
    let way = way_in(&page, "/signin/with/sso");
    let answer = visitor.go(&way, "ada").await.expect(303);
    assert_eq!(answer.header("location"), NEXT);
    // Linking is for who is signed in.
    let stranger = visitor.another().get(LINK).await.expect(303);
    assert!(stranger.header("location").starts_with("/signin?next="), "{}", stranger.header("location"));
}
