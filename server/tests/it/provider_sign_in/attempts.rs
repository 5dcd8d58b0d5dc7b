//! What leaves for the provider and what comes back: only the browser that began ends it, once, in time.

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join;
use url::Url;

use super::{
    ADA, NOT_BEGUN_HERE, NOT_CONFIRMED, ROOT, Visitor, WAY, accounts, be_public, changed, execute, parameter, refusal,
    server, server_with, under_way,
};
use crate::providers::oidc_provider::{deny_at_provider, sign_in_at_provider};

const CALLBACK: &str = "http://localhost:8000/signin/with/sso/callback";

#[tokio::test]
async fn what_leaves_for_the_provider_binds_its_answer_to_this_attempt() {
    let (app, provider) = server().await;
    let mut visitor = Visitor::new(&app);
    let first = visitor.leave_by(WAY).await;
    let second = visitor.leave_by(WAY).await;
    assert_eq!(first.origin(), provider.issuer.origin());
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "trace"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email profile"),
    ] {
        assert_eq!(parameter(&first, name).as_deref(), Some(value));
    }
    for name in ["state", "nonce", "code_challenge"] {
        let (first, second) = (parameter(&first, name).unwrap(), parameter(&second, name).unwrap());
        assert!(first.len() >= 43 && first != second, "256 bits, never twice: {name} {first} {second}");
    }
    assert_eq!(under_way(&app).await, 2);
}

#[tokio::test]
async fn what_a_request_calls_the_server_does_not_change_where_the_provider_sends_the_browser() {
    let (app, _provider) = server().await;
    for (header, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-host", "evil.example"),
        ("host", "127.0.0.1:8000"),
    ] {
        let request = Request::get(WAY).header(header, value).body(Body::empty()).unwrap();
        let answer = Visitor::new(&app).send(request).await.expect(303);
        let url: Url = answer.header("location").parse().unwrap();
        assert_eq!(parameter(&url, "redirect_uri").as_deref(), Some(CALLBACK), "{header}");
    }
    let request = Request::get(WAY).header("host", "evil.example").body(Body::empty()).unwrap();
    Visitor::new(&app).send(request).await.expect(400);
}

#[tokio::test]
async fn the_cookie_of_an_attempt_is_for_this_server_only_and_tells_nothing() {
    let (app, _provider) = server().await;
    let mut visitor = Visitor::new(&app);
    // What another site has put there is not taken over.
    visitor.cookies.insert("otrace_oauth".to_owned(), "planted".to_owned());
    let answer = visitor.get(WAY).await.expect(303);
    let cookie = answer.header("set-cookie");
    let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=1200"] {
        assert!(attributes.contains(&attribute), "{attribute}: {cookie}");
    }
    let secret = visitor.cookies["otrace_oauth"].clone();
    assert_eq!(secret.len(), 43, "{cookie}");
    let url: Url = answer.header("location").parse().unwrap();
    let state = parameter(&url, "state").unwrap();
    assert!(!url.as_str().contains(&secret), "{url}");
    let stored: String = sqlx::query_scalar("SELECT string_agg(a::text, ' ') FROM provider_attempts a")
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    assert!(!stored.contains(&secret) && !stored.contains(&state), "{stored}");

    let (app, _provider) = server_with(be_public).await;
    let answer = Visitor::new(&app).get(WAY).await.expect(303);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-otrace_oauth="), "{cookie}");
    assert!(cookie.split("; ").any(|attribute| attribute == "Secure"), "{cookie}");
}

#[tokio::test]
async fn an_answer_counts_only_in_the_browser_that_began() {
    let (app, _provider) = server().await;
    let mut eve = Visitor::new(&app);
    let back = eve.vouched(WAY, "eve").await;
    // Led to the answer's address, nobody is signed in as somebody else.
    let mut without_attempt = eve.another();
    let mut with_attempt = eve.another();
    with_attempt.leave_by(WAY).await;
    for victim in [&mut without_attempt, &mut with_attempt] {
        let text = refusal(&victim.come_back(&back).await);
        assert!(text.contains(NOT_BEGUN_HERE), "{text}");
        assert_eq!(victim.who().await, None);
    }
    // Nor is the attempt spoiled for who began it.
    eve.come_back(&back).await.expect(303);
    assert_eq!(eve.who().await.as_deref(), Some("eve@example.org"));
}

#[tokio::test]
async fn an_answer_without_the_state_of_an_attempt_is_refused() {
    let (app, _provider) = server().await;
    let first = Visitor::new(&app);
    let long = "s".repeat(5000);
    for state in [None, Some(""), Some("another"), Some("\0"), Some("'; --"), Some(long.as_str())] {
        let mut visitor = first.another();
        let back = visitor.vouched(WAY, "ada").await;
        let text = refusal(&visitor.come_back(&changed(&back, "state", state)).await);
        assert!(text.contains(NOT_BEGUN_HERE), "{state:?}: {text}");
        assert_eq!(visitor.who().await, None);
    }
    let mut visitor = first.another();
    let back = visitor.vouched(WAY, "ada").await;
    let mut twice = back.clone();
    twice.query_pairs_mut().append_pair("state", &parameter(&back, "state").unwrap());
    let answer = visitor.come_back(&twice).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert_eq!(visitor.who().await, None);
    assert_eq!(accounts(&app).await, [ROOT]);
}

#[tokio::test]
async fn a_code_is_worth_nothing_with_the_state_of_another_attempt() {
    let (app, _provider) = server().await;
    let mut eve = Visitor::new(&app);
    let eves = eve.vouched(WAY, "eve").await;
    // In another browser: somebody else's code put into one's own answer.
    let mut ada = eve.another();
    let back = ada.vouched(WAY, "ada").await;
    let injected = changed(&back, "code", parameter(&eves, "code").as_deref());
    let text = refusal(&ada.come_back(&injected).await);
    assert!(text.contains(NOT_CONFIRMED), "{text}");
    // In the same browser: two tabs with their answers swapped.
    let (first, second) = (ada.vouched(WAY, "ada").await, ada.vouched(WAY, "ada").await);
    let swapped = changed(&first, "code", parameter(&second, "code").as_deref());
    let text = refusal(&ada.come_back(&swapped).await);
    assert!(text.contains(NOT_CONFIRMED), "{text}");
    assert_eq!(ada.who().await, None);
    assert_eq!(accounts(&app).await, [ROOT]);
}

#[tokio::test]
async fn two_tabs_sign_in_each_with_its_own_answer() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    let (first, second) = (ada.vouched(WAY, "ada").await, ada.vouched(WAY, "ada").await);
    ada.come_back(&second).await.expect(303);
    ada.come_back(&first).await.expect(303);
    assert_eq!(ada.who().await.as_deref(), Some(ADA));
}

#[tokio::test]
async fn an_answer_counts_once_whatever_came_of_it() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    let back = ada.vouched(WAY, "ada").await;
    ada.come_back(&back).await.expect(303);
    let mut again = ada.clone();
    again.cookies.remove("otrace_session");
    let text = refusal(&again.come_back(&back).await);
    assert!(text.contains(NOT_BEGUN_HERE), "{text}");
    assert_eq!(again.who().await, None);

    let mut other = ada.another();
    let back = other.vouched(WAY, "ada").await;
    refusal(&other.come_back(&changed(&back, "code", Some("mistyped"))).await);
    let text = refusal(&other.come_back(&back).await);
    assert!(text.contains(NOT_BEGUN_HERE), "{text}");
}

#[tokio::test]
async fn of_two_answers_at_once_one_counts() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    let back = ada.vouched(WAY, "ada").await;
    let mut twin = ada.clone();
    let (one, other) = join(ada.come_back(&back), twin.come_back(&back)).await;
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422]);
    let sessions: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(sessions, 1);
}

#[tokio::test]
async fn an_attempt_ends_after_ten_minutes() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    let back = ada.vouched(WAY, "ada").await;
    execute(&app, "UPDATE provider_attempts SET expires_at = expires_at - interval '10 minutes'").await;
    let text = refusal(&ada.come_back(&back).await);
    assert!(text.contains(NOT_BEGUN_HERE), "{text}");
    assert_eq!(accounts(&app).await, [ROOT]);

    let back = ada.vouched(WAY, "ada").await;
    assert_eq!(under_way(&app).await, 1, "what nobody ended is forgotten");
    execute(&app, "UPDATE provider_attempts SET expires_at = expires_at - interval '9 minutes'").await;
    ada.come_back(&back).await.expect(303);
    assert_eq!(under_way(&app).await, 0);
}

#[tokio::test]
async fn the_provider_has_to_see_the_verifier_and_repeat_the_nonce() {
    let (app, _provider) = server().await;
    for tampering in [
        "UPDATE provider_attempts SET pkce_verifier = reverse(pkce_verifier)",
        "UPDATE provider_attempts SET nonce = reverse(nonce)",
    ] {
        let mut ada = Visitor::new(&app);
        let back = ada.vouched(WAY, "ada").await;
        execute(&app, tampering).await;
        let text = refusal(&ada.come_back(&back).await);
        assert!(text.contains(NOT_CONFIRMED), "{tampering}: {text}");
        assert_eq!(ada.who().await, None);
    }
}

#[tokio::test]
async fn who_declines_is_back_at_the_sign_in_page_with_one_sentence() {
    let (app, _provider) = server().await;
    let mut ada = Visitor::new(&app);
    let url = ada.leave_by(WAY).await;
    let back = deny_at_provider(&ada.http, &url, "ada").await;
    let told = changed(&back, "error_description", Some("marker-7<b7>"));
    let page = refusal(&ada.come_back(&told).await);
    assert!(page.contains("SSO did not sign you in: you declined, or it did. Try again."), "{page}");
    assert!(page.contains("\"/signin/with/sso"), "the way back to the provider: {page}");
    assert!(!page.contains("marker-7"), "{page}");
    // The attempt is over, also for a code.
    let later = changed(&changed(&back, "error", None), "code", Some("any"));
    let text = refusal(&ada.come_back(&later).await);
    assert!(text.contains(NOT_BEGUN_HERE), "{text}");

    // An error counts, even with a code beside it.
    let url = ada.leave_by(WAY).await;
    let back = sign_in_at_provider(&ada.http, &url, "ada").await;
    refusal(&ada.come_back(&changed(&back, "error", Some("access_denied"))).await);
    assert_eq!(ada.who().await, None);
    assert_eq!(accounts(&app).await, [ROOT]);
}
