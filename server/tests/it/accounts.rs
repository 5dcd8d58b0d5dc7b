//! Signing up, in and out.

use futures_util::future::join_all;
use otrace_server::auth::Client;
use otrace_server::services;
use otrace_server::services::accounts::SignUp;
use otrace_server::testing::{PASSWORD, TestApp};
use time::Duration;

#[tokio::test]
async fn a_newcomer_signs_up_and_is_signed_in() {
    let app = TestApp::new().await;
    let fields = [("email", "Ada@Example.org"), ("name", "Ada"), ("password", PASSWORD)];
    let answer = app.post("", "/signup", &fields).await.expect(303);
    let cookie = TestApp::cookie_of(&answer);
    let cookie_name = cookie.split_inclusive('=').next().unwrap().to_owned();
    let set: Vec<&str> = answer.headers.get_all("set-cookie").iter().filter_map(|set| set.to_str().ok()).collect();
    assert!(set.iter().all(|cookie| cookie.contains("HttpOnly")), "{set:?}");
    assert!(set.iter().any(|cookie| cookie.starts_with(&cookie_name) && cookie.contains("SameSite=Lax")), "{set:?}");

    let account = app.get(&cookie, "/account").await.expect(200).text();
    assert!(account.contains("ada@example.org") && account.contains("Ada"));
}

#[tokio::test]
async fn only_one_of_many_who_sign_up_at_once_runs_the_server() {
    let app = TestApp::new().await;
    let sign_ups = (0..20).map(|number| {
        let input =
            SignUp { email: format!("p{number}@example.org"), name: String::new(), password: PASSWORD.to_owned() };
        async { services::accounts::sign_up(&app.app, input, &Client::default()).await.unwrap().account.is_admin }
    });
    let admins = join_all(sign_ups).await.into_iter().filter(|is_admin| *is_admin).count();
    assert_eq!(admins, 1);
}

#[tokio::test]
async fn an_address_signs_up_once() {
    let app = TestApp::new().await;
    app.account("ada@example.org").await;
    let fields = [("email", "ADA@example.org"), ("name", "Ada"), ("password", "another long password")];
    let answer = app.post("", "/signup", &fields).await.expect(422);
    assert!(answer.text().contains("has an account already"));
    assert!(!answer.text().contains("another long password"), "the password does not come back");
}

#[tokio::test]
async fn a_form_with_mistakes_comes_back_with_what_was_typed() {
    let app = TestApp::new().await;
    for (email, password, sentence) in
        [("ada", PASSWORD, "Enter an e-mail address"), ("ada@example.org", "short", "at least 12 characters")]
    {
        let answer = app.post("", "/signup", &[("email", email), ("name", "Ada L."), ("password", password)]).await;
        let text = answer.expect(422).text();
        assert!(text.contains(sentence) && text.contains("Ada L.") && text.contains(email), "{text}");
    }
}

#[tokio::test]
async fn the_right_password_signs_in_and_leads_on() {
    let app = TestApp::new().await;
    app.account("ada@example.org").await;
    let fields = [("email", "ada@example.org"), ("password", PASSWORD), ("next", "/projects/new")];
    let answer = app.post("", "/signin", &fields).await.expect(303);
    assert_eq!(answer.header("location"), "/projects/new");
    app.get(&TestApp::cookie_of(&answer), "/account").await.expect(200);
}

#[tokio::test]
async fn signing_in_never_leads_to_another_site() {
    let app = TestApp::new().await;
    app.account("ada@example.org").await;
    for next in
        ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "/\t/evil.example", "", "/%0d%0a\r\nx"]
    {
        let fields = [("email", "ada@example.org"), ("password", PASSWORD), ("next", next)];
        let answer = app.post("", "/signin", &fields).await.expect(303);
        assert_eq!(answer.header("location"), "/", "{next:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let app = TestApp::new().await;
    app.account("ada@example.org").await;
    let wrong = app.post("", "/signin", &[("email", "ada@example.org"), ("password", "wrong password")]).await;
    let unknown = app.post("", "/signin", &[("email", "bob@example.org"), ("password", "wrong password")]).await;
    assert_eq!((wrong.status, unknown.status), (unknown.status, wrong.status));
    let (wrong, unknown) = (wrong.expect(422).text(), unknown.expect(422).text());
    assert!(wrong.contains("E-mail address or password is wrong."));
    assert_eq!(wrong.replace("ada@", "bob@"), unknown);
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let app = TestApp::new().await;
    let cookie = app.account("ada@example.org").await;
    let answer = app.post(&cookie, "/signout", &[]).await.expect(303);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    let after = app.get(&cookie, "/account").await.expect(303);
    assert_eq!(after.header("location"), "/signin?next=%2Faccount");
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_for_a_week_and_after_a_month_in_any_case() {
    let app = TestApp::new().await;
    let cookie = app.account("ada@example.org").await;
    app.app.clock.advance(Duration::days(8));
    app.get(&cookie, "/account").await.expect(303);

    let mut cookie = app.account("bob@example.org").await;
    for _ in 0..5 {
        app.app.clock.advance(Duration::days(6) - Duration::minutes(1));
        // Each day it gets a new token.
        cookie = TestApp::cookie_of(&app.get(&cookie, "/account").await.expect(200));
    }
    app.app.clock.advance(Duration::days(1));
    app.get(&cookie, "/account").await.expect(303);
}

#[tokio::test]
async fn the_database_holds_no_password_and_no_session_token() {
    let app = TestApp::new().await;
    let cookie = app.account("ada@example.org").await;
    let token = cookie.split_once('=').unwrap().1;
    let stored: String = sqlx::query_scalar(
        "SELECT (SELECT string_agg(a::text, ' ') FROM accounts a) || (SELECT string_agg(s::text, ' ') FROM sessions s)",
    )
    .fetch_one(&app.app.pool)
    .await
    .unwrap();
    assert!(stored.contains("$argon2id$"));
    assert!(!stored.contains(PASSWORD) && !stored.contains(token));
}

#[tokio::test]
async fn a_form_from_another_site_is_refused_and_changes_nothing() {
    use axum::body::Body;
    use axum::http::Request;
    let app = TestApp::new().await;
    let cookie = app.account("ada@example.org").await;
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        for path in ["/signout", "/projects", "/signin", "/signup", "/theme"] {
            let request = Request::post(path)
                .header("cookie", &cookie)
                .header("host", "localhost:8000")
                .header("content-type", "application/x-www-form-urlencoded")
                .header(header, value)
                .body(Body::from("name=stolen&email=a%40b.c&password=correct+horse+battery"))
                .unwrap();
            app.send(request).await.expect(403);
        }
    }
    app.get(&cookie, "/account").await.expect(200);
    let projects: i64 = sqlx::query_scalar("SELECT count(*) FROM projects").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(projects, 0);
}

#[tokio::test]
async fn a_page_under_a_foreign_name_is_refused_and_signs_nobody_up() {
    use axum::body::Body;
    use axum::http::Request;
    let app = TestApp::new().await;
    for host in ["evil.example:8000", "localhost.evil.example:8000", "127.0.0.1.nip.io"] {
        let request = Request::post("/signup")
            .header("host", host)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from("name=Eve&email=eve%40example.org&password=correct+horse+battery"))
            .unwrap();
        let refused = app.send(request).await.expect(400).text();
        assert!(refused.contains("http://localhost:8000") && !refused.contains("evil"), "{refused}");
    }
    let accounts: i64 = sqlx::query_scalar("SELECT count(*) FROM accounts").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(accounts, 0);
}
