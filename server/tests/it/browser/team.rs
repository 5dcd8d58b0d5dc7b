//! How somebody comes into a project, and out of it.

use otrace_server::testing::{PASSWORD, TestServer};

use super::keyboard::copy;
use super::{Browser, site};

#[tokio::test]
async fn an_owner_hands_over_a_link_by_which_a_newcomer_joins_and_later_takes_them_out_again() {
    let server = TestServer::start().await;
    let project = server.project("Wake word").await;
    let (site, base) = (site(&server), format!("/projects/{}", project.slug));
    let members = format!("{site}{base}/members");
    let (owner, newcomer) = tokio::join!(Browser::open(1440, 900, false), Browser::open(390, 844, true));
    owner.visit(&format!("{site}/signin")).await;
    owner.be(&project.cookie).await;

    owner.visit(&members).await;
    owner.press("#role option[value=viewer]").await;
    owner.press_button("Invite").await;
    owner.shows(&["Invitation made", "Shown once", "Invitation for"]).await;
    let link = owner.text("#link").await;
    assert_eq!(copy(&owner, &site, "Copy link").await, link);

    newcomer.visit(&link).await;
    newcomer.shows(&["Join Wake word", "as a viewer"]).await;
    newcomer.fill("#name", "Lena Brandt").await;
    newcomer.send_credentials("lena@example.org", PASSWORD).await;
    newcomer.wait_for_path(&format!("{base}/runs")).await;
    newcomer.shows(&["Account, Lena Brandt"]).await;
    newcomer.visit(&format!("{site}{base}/keys")).await;
    newcomer.shows(&["API keys"]).await;
    assert!(!newcomer.all_text().await.contains("Create key"), "a viewer makes no keys");

    owner.visit(&members).await;
    owner.shows(&["Lena Brandt", "lena@example.org", "2 people"]).await;
    assert!(!owner.all_text().await.contains("Invitation for"), "the invitation is used up");
    owner.press("select[aria-label='Role of Lena Brandt'] option[value=editor]").await;
    owner.press_button("Save the role of Lena Brandt").await;
    owner.wait_for("the new role", IS_EDITOR, &[]).await;
    newcomer.visit(&format!("{site}{base}/keys")).await;
    newcomer.shows(&["Create key"]).await;

    owner.press_button("Remove Lena Brandt").await;
    owner.confirm().await;
    owner.shows(&["1 person"]).await;
    assert!(!owner.all_text().await.contains("Lena Brandt"));
    newcomer.visit(&format!("{site}{base}/runs")).await;
    newcomer.shows(&["Not found"]).await;
    newcomer.visit(&link).await;
    newcomer.shows(&["This invitation is not open"]).await;
    for (browser, name) in [(&owner, "the members"), (&newcomer, "the invitation")] {
        browser.expect_no_problems(name).await;
    }
}

/// The page came back, and has the role as it was chosen.
const IS_EDITOR: &str = "
    const role = document.querySelector(`select[aria-label='Role of Lena Brandt']`);
    return document.readyState === 'complete' && role?.querySelector('option[selected]')?.value === 'editor';
";
