//! What those who run the server do.

use otrace_server::testing::{PASSWORD, TestServer};

use super::account::{NEW_PASSWORD, let_proofs_end, person};
use super::{Browser, site};

const ROOT: &str = "root@example.org";
const ADA: &str = "ada@example.org";

#[tokio::test]
async fn an_admin_sets_the_rule_hands_over_a_link_for_a_new_password_and_closes_an_account() {
    let server = TestServer::start().await;
    let (app, site) = (&server.app, site(&server));
    // The first account runs the server.
    person(app, ROOT).await;
    person(app, ADA).await;
    let (admin, ada) = tokio::join!(Browser::open(1440, 900, false), Browser::open(390, 844, false));
    admin.visit(&format!("{site}/signin")).await;
    admin.be(&app.session(ROOT).await).await;

    admin.visit(&format!("{site}/admin")).await;
    admin.press("input[name=policy][value=invitation]").await;
    admin.press_button("Save rule").await;
    admin.find("input[name=policy][value=invitation][checked]").await;
    ada.visit(&format!("{site}/signup")).await;
    ada.shows(&["An account here comes with an invitation."]).await;

    // Asked once more who they are, and back to the list.
    let_proofs_end(app).await;
    admin.visit(&format!("{site}/admin/accounts")).await;
    admin.press_button("Password link for ada@example.org").await;
    admin.wait_for_path("/confirm").await;
    admin.fill("#password", PASSWORD).await;
    admin.press_button("Confirm").await;
    admin.wait_for_path("/admin/accounts").await;
    admin.press_button("Password link for ada@example.org").await;
    admin.shows(&["Link for a new password", "Shown once"]).await;
    let link = admin.text("#link").await;

    ada.visit(&link).await;
    ada.fill("#password", NEW_PASSWORD).await;
    ada.press("main button[type=submit]").await;
    ada.shows(&["Your password is changed. Sign in with it."]).await;
    ada.send_credentials(ADA, NEW_PASSWORD).await;
    ada.shows(&["No project yet"]).await;
    ada.visit(&link).await;
    ada.shows(&["This link no longer works"]).await;

    admin.visit(&format!("{site}/admin/accounts")).await;
    admin.press_button("Close the account ada@example.org").await;
    admin.confirm().await;
    admin.find("tr.off").await;
    ada.visit(&format!("{site}/account")).await;
    ada.wait_for_path("/signin").await;
    ada.send_credentials(ADA, NEW_PASSWORD).await;
    ada.shows(&["E-mail address or password is wrong."]).await;
    admin.press_button("Open the account ada@example.org").await;
    admin.find("button[popovertarget^='disable-']").await;
    ada.send_credentials(ADA, NEW_PASSWORD).await;
    ada.wait_for_path("/account").await;

    admin.visit(&format!("{site}/admin/audit")).await;
    admin.shows(&["closed the account ada@example.org", "set the sign-up rule to invitation"]).await;
    for (browser, name) in [(&admin, "the audit log"), (&ada, "the account")] {
        browser.expect_no_problems(name).await;
    }
}
