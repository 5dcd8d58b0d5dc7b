//! What people do with their own account.

use otrace_server::domain::Actor;
use otrace_server::services;
use otrace_server::services::accounts::SignUp;
use otrace_server::testing::{PASSWORD, TestApp, TestServer};

use super::{Browser, site};

pub(super) const NEW_PASSWORD: &str = "unrelated words in a row";

/// Makes an account.
pub(super) async fn person(app: &TestApp, email: &str) {
    let input = SignUp { email: email.to_owned(), name: String::new(), password: PASSWORD.to_owned() };
    services::accounts::create(&app.app, input, &Actor::command()).await.unwrap();
}

/// Everybody proved who they are so long ago that it has to be proved again.
pub(super) async fn let_proofs_end(app: &TestApp) {
    let sql = "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'";
    sqlx::query(sql).execute(&app.app.pool).await.unwrap();
}

#[tokio::test]
async fn a_person_ends_a_session_proves_who_they_are_and_changes_their_password() {
    // Nobody listens there: the letters come back in the background.
    let server = TestServer::with(|config| config.mail.smtp_url = Some("smtp://localhost:9".into())).await;
    let (app, site) = (&server.app, site(&server));
    person(app, "ada@example.org").await;
    let elsewhere = app.session("ada@example.org").await;
    let browser = Browser::open(390, 844, false).await;
    browser.visit(&format!("{site}/account")).await;
    browser.wait_for_path("/signin").await;
    browser.send_credentials("ada@example.org", PASSWORD).await;
    browser.wait_for_path("/account").await;

    app.get(&elsewhere, "/account").await.expect(200);
    browser.press_button("End the session of Unknown browser").await;
    browser.shows(&["The session is ended.", "this one"]).await;
    app.get(&elsewhere, "/account").await.expect(303);

    // Led away to prove it, and back to the form.
    let_proofs_end(app).await;
    browser.fill("#email", "ada@example.com").await;
    browser.press_button("Send the link").await;
    browser.wait_for_path("/confirm").await;
    browser.fill("#password", "not the password").await;
    browser.press_button("Confirm").await;
    browser.shows(&["The password is wrong."]).await;
    browser.fill("#password", PASSWORD).await;
    browser.press_button("Confirm").await;
    browser.wait_for_path("/account").await;
    browser.fill("#email", "ada@example.com").await;
    browser.press_button("Send the link").await;
    browser.shows(&["A letter with a link is on its way to your new address."]).await;

    let elsewhere = app.session("ada@example.org").await;
    browser.fill("#current", "not the password").await;
    browser.fill("#password", NEW_PASSWORD).await;
    browser.press_button("Change password").await;
    browser.shows(&["The password is wrong."]).await;
    browser.fill("#current", PASSWORD).await;
    browser.fill("#password", NEW_PASSWORD).await;
    browser.press_button("Change password").await;
    browser.shows(&["Your password is changed. Your other sessions are ended."]).await;
    app.get(&elsewhere, "/account").await.expect(303);
    browser.press_button("Sign out everywhere").await;
    browser.shows(&["You are signed out everywhere."]).await;
    browser.send_credentials("ada@example.org", NEW_PASSWORD).await;
    browser.shows(&["No project yet"]).await;
    browser.expect_no_problems("the projects").await;
}
