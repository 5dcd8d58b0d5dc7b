//! Signing in with a password: what the answers tell, how often one may guess, and what is kept of a password.

use futures_util::future::join;
use otrace_server::auth::passwords::{PasswordCost, Passwords};
use otrace_server::testing::{PASSWORD, TestApp, TestResponse};
use time::Duration;

use super::{
    ADA, BOB, NEW_PASSWORD, address, change, cookies_of, count, form, from_address, is_signed_in, person, provider,
    reset_path, set_cookies, sign_in, told,
};

/// Nobody's address, as long as the others.
const EVE: &str = "eve@example.org";
const WRONG: &str = "wrong horse battery";

/// Tries a password from an address of its own.
async fn guess(app: &TestApp, place: u16, email: &str, password: &str) -> TestResponse {
    guess_from(app, "", place, email, password).await
}

async fn guess_from(app: &TestApp, cookie: &str, place: u16, email: &str, password: &str) -> TestResponse {
    let fields = [("email", email), ("password", password)];
    app.send(from_address(form(cookie, "/signin", &fields), address(place))).await
}

/// The cookie by which a browser is known, of those that signing in sets.
fn known_browser(response: &TestResponse) -> String {
    let cookies = cookies_of(response);
    let known = cookies.split("; ").find(|cookie| cookie.starts_with("otrace_device="));
    known.unwrap_or_else(|| panic!("{cookies}")).to_owned()
}

async fn stored_hash(app: &TestApp, email: &str) -> String {
    let sql = "SELECT password_hash FROM accounts WHERE email = $1";
    sqlx::query_scalar(sql).bind(email).fetch_one(&app.app.pool).await.unwrap()
}

/// Makes an account's hash one of those that were made when machines were slower.
async fn make_hash_cheap(app: &TestApp, email: &str) -> String {
    let cheap = Passwords::new(PasswordCost { memory_kib: 64, passes: 1 }).hash(PASSWORD).await.unwrap();
    sqlx::query("UPDATE accounts SET password_hash = $2 WHERE email = $1")
        .bind(email)
        .bind(&cheap)
        .execute(&app.app.pool)
        .await
        .unwrap();
    cheap
}

#[tokio::test]
async fn whoever_can_not_sign_in_gets_the_same_answer_byte_by_byte() {
    let app = TestApp::new().await;
    let (closed, without_password) = (BOB, "sue@example.org");
    for email in [ADA, closed, without_password] {
        person(&app, email).await;
    }
    change(&app, "UPDATE accounts SET disabled_at = now() WHERE email = $1", closed).await;
    change(&app, "UPDATE accounts SET password_hash = NULL WHERE email = $1", without_password).await;
    let answer = async |email: &str, password: &str| {
        let (status, headers, text) = told(&sign_in(&app, email, password).await);
        (status, headers, text.replace(email, "somebody"))
    };
    let mistyped = answer(ADA, WRONG).await;
    assert_eq!(mistyped.0, 422);
    assert!(mistyped.2.contains("E-mail address or password is wrong."), "{}", mistyped.2);
    let too_long = "x".repeat(1025);
    for (email, password) in [
        (EVE, WRONG),
        (closed, PASSWORD),
        (closed, WRONG),
        (without_password, PASSWORD),
        (without_password, ""),
        (ADA, ""),
        (ADA, too_long.as_str()),
        (EVE, too_long.as_str()),
    ] {
        assert_eq!(answer(email, password).await, mistyped, "{email} {password}");
    }
    assert_eq!(count(&app, "SELECT count(*) FROM sessions").await, 3);
}

#[tokio::test]
async fn one_address_guesses_ten_times_at_once_and_is_told_when_to_come_back() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    for number in 0..10 {
        guess(&app, 0, &format!("p{number}@example.org"), WRONG).await.expect(422);
    }
    // The right password is refused as well: else the limit would only hold for wrong ones.
    let refused = guess(&app, 0, ADA, PASSWORD).await.expect(429);
    assert_eq!(refused.header("retry-after"), "60");
    assert!(refused.text().contains("Try again in 60 s"), "{}", refused.text());
    assert!(set_cookies(&refused).is_empty());
    guess(&app, 1, ADA, PASSWORD).await.expect(303);
    app.app.clock.advance(Duration::seconds(60));
    guess(&app, 0, ADA, PASSWORD).await.expect(303);
    guess(&app, 0, ADA, PASSWORD).await.expect(429);
}

#[tokio::test]
async fn one_address_gets_fifteen_guesses_in_five_minutes() {
    let app = TestApp::new().await;
    let mut checked = 0;
    for number in 0..150 {
        let answer = guess(&app, 0, &format!("p{}@example.org", number % 5), WRONG).await;
        checked += u32::from(answer.status.as_u16() == 422);
        if number % 5 == 4 {
            app.app.clock.advance(Duration::seconds(10));
        }
    }
    assert!((12..=15).contains(&checked), "{checked}");
}

#[tokio::test]
async fn many_addresses_together_get_thirty_guesses_an_hour_at_one_account() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let mut checked = 0;
    for minute in 0..60 {
        for place in 0..5 {
            let answer = guess(&app, minute * 5 + place, ADA, WRONG).await;
            checked += u32::from(answer.status.as_u16() == 422);
        }
        app.app.clock.advance(Duration::minutes(1));
    }
    assert!((25..=30).contains(&checked), "{checked}");
}

#[tokio::test]
async fn the_limits_tell_nobody_which_addresses_have_an_account() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let mut told_of = Vec::new();
    for (email, places) in [(ADA, 0..12_u16), (EVE, 100..112)] {
        let mut answers = Vec::new();
        for place in places {
            let (status, headers, text) = told(&guess(&app, place, email, WRONG).await);
            answers.push((status, headers, text.replace(email, "somebody")));
        }
        told_of.push(answers);
    }
    assert_eq!(told_of[0].last().unwrap().0, 429);
    assert_eq!(told_of[0], told_of[1]);
}

#[tokio::test]
async fn an_account_under_attack_lets_its_owner_in_from_a_browser_that_is_known() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    person(&app, BOB).await;
    let adas = known_browser(&guess(&app, 1000, ADA, PASSWORD).await.expect(303));
    let bobs = known_browser(&guess(&app, 1001, BOB, PASSWORD).await.expect(303));
    for minute in 0..60 {
        app.app.clock.advance(Duration::minutes(1));
        guess(&app, minute, ADA, WRONG).await;
        guess(&app, minute + 100, ADA, WRONG).await;
    }
    let cut = &adas[..adas.len() - 1];
    for (number, cookie) in (2000..).zip(["", bobs.as_str(), cut, "otrace_device=x"]) {
        guess_from(&app, cookie, number, ADA, PASSWORD).await.expect(429);
    }
    guess_from(&app, &adas, 2100, ADA, PASSWORD).await.expect(303);
    assert!(!is_signed_in(&app, &adas).await, "it opens nothing by itself");
}

#[tokio::test]
async fn a_browser_that_is_known_is_not_held_up_at_a_shared_address_and_does_not_guess_without_end() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let known = known_browser(&guess(&app, 0, ADA, PASSWORD).await.expect(303));
    for number in 0..9 {
        guess(&app, 0, &format!("p{number}@example.org"), WRONG).await.expect(422);
    }
    guess(&app, 0, ADA, PASSWORD).await.expect(429);
    guess_from(&app, &known, 0, ADA, PASSWORD).await.expect(303);
    for place in 1..10 {
        guess_from(&app, &known, place, ADA, WRONG).await.expect(422);
    }
    guess_from(&app, &known, 10, ADA, PASSWORD).await.expect(429);
}

#[tokio::test]
async fn a_hash_that_was_cheap_to_make_is_made_again_when_its_owner_signs_in() {
    let app = TestApp::new().await;
    person(&app, ADA).await;
    let cheap = make_hash_cheap(&app, ADA).await;
    assert!(cheap.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{cheap}");
    sign_in(&app, ADA, WRONG).await.expect(422);
    assert_eq!(stored_hash(&app, ADA).await, cheap);

    sign_in(&app, ADA, PASSWORD).await.expect(303);
    let dear = stored_hash(&app, ADA).await;
    assert!(dear.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{dear}");
    sign_in(&app, ADA, WRONG).await.expect(422);
    sign_in(&app, ADA, PASSWORD).await.expect(303);
    assert_eq!(stored_hash(&app, ADA).await, dear);
}

/// Chooses a new password behind a link while somebody signs in with the old one. Afterwards, as after any
/// order of the two, the old one opens nothing.
async fn change_while_it_is_checked(app: &TestApp, email: &str) {
    let path = reset_path(app, email).await;
    let new = [("password", NEW_PASSWORD)];
    let (reset, signed_in) = join(app.post("", &path, &new), sign_in(app, email, PASSWORD)).await;
    reset.expect(303);
    let session = TestApp::cookie_of(&signed_in);
    assert!(!is_signed_in(app, &session).await, "the old password's session outlives it");
    sign_in(app, email, NEW_PASSWORD).await.expect(303);
    sign_in(app, email, PASSWORD).await.expect(422);
    app.app.clock.advance(Duration::hours(1));
}

#[tokio::test]
async fn a_password_that_is_changed_while_it_is_checked_signs_nobody_in() {
    let app = TestApp::new().await;
    for number in 0..4 {
        let email = format!("p{number}@example.org");
        person(&app, &email).await;
        change_while_it_is_checked(&app, &email).await;
    }
}

#[tokio::test]
async fn a_password_that_is_changed_while_its_hash_is_made_again_does_not_come_back() {
    let app = TestApp::new().await;
    for number in 0..4 {
        let email = format!("p{number}@example.org");
        person(&app, &email).await;
        make_hash_cheap(&app, &email).await;
        change_while_it_is_checked(&app, &email).await;
    }
}

#[tokio::test]
async fn with_passwords_switched_off_no_password_signs_in() {
    let app = TestApp::with(|config| {
        config.sign_in.password_sign_in = false;
        config.sign_in.more_providers = vec![provider()];
    })
    .await;
    let cookie = person(&app, ADA).await;
    let refused = sign_in(&app, ADA, PASSWORD).await.expect(403);
    assert!(refused.text().contains("Passwords are switched off on this server."), "{}", refused.text());
    assert!(set_cookies(&refused).is_empty());
    let page = app.get("", "/signin").await.expect(200).text();
    assert!(page.contains("/signin/with/sso") && !page.contains("name=\"password\""), "{page}");
    // Nor does one prove who one is, nor is one chosen.
    app.app.clock.advance(Duration::minutes(11));
    let confirmed = app.post(&cookie, "/confirm", &[("password", PASSWORD), ("next", "/account")]).await;
    assert!(confirmed.status.is_client_error() && set_cookies(&confirmed).is_empty(), "{}", confirmed.status);
    let before = stored_hash(&app, ADA).await;
    let fields = [("current", PASSWORD), ("password", NEW_PASSWORD)];
    assert!(app.post(&cookie, "/account/password", &fields).await.status.is_client_error());
    let link = reset_path(&app, ADA).await;
    assert!(app.post("", &link, &[("password", NEW_PASSWORD)]).await.status.is_client_error());
    assert_eq!(stored_hash(&app, ADA).await, before);
    assert_eq!(count(&app, "SELECT count(*) FROM sessions").await, 1);
}
