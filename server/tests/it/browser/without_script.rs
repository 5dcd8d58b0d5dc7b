//! The pages where no script runs: all of them work, they only stay as they were sent.

use otrace_server::testing::{PASSWORD, TestServer};
use serde_json::json;

use super::demo::Demo;
use super::machines::Machine;
use super::{Browser, site};

#[tokio::test]
async fn without_scripts_people_sign_in_read_runs_and_send_forms() {
    let demo = Demo::new().await;
    let browser = Browser::open(390, 844, true).await;
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    let base = &demo.project.base;

    // Led to sign in first, and then on to where one wanted to go.
    browser.visit(&format!("{}{base}/runs", site(&demo.server))).await;
    browser.fill("#email", "mira@halden.example").await;
    browser.fill("#password", "not the password").await;
    browser.press("main button[type=submit]").await;
    browser.shows(&["E-mail address or password is wrong."]).await;
    browser.fill("#password", PASSWORD).await;
    browser.press("main button[type=submit]").await;
    browser.wait_for_path(&format!("{base}/runs")).await;
    browser.shows(&["Distilled from KWT-3, 12 KB", "exit 1", "outputs/model.tflite not found"]).await;

    browser.press("#run-exp007 td.exp a").await;
    browser.shows(&["97 % at 12 KB", "0.9703", "Completed"]).await;
    for (tab, text) in
        [("logs", "epoch 12/12"), ("artifacts", "4 files"), ("tables", "Per class"), ("code", "losses.py")]
    {
        browser.press(&format!("nav.tabs a[href$='/exp007/{tab}']")).await;
        browser.shows(&[text]).await;
    }

    browser.press(".brand").await;
    browser.press("main a[href='/projects/new']").await;
    browser.fill("#name", "Made by hand").await;
    browser.press("main button[type=submit]").await;
    browser.shows(&["Connect Made by hand", "Shown once"]).await;
    browser.press("nav.sidenav a[href$='/keys']").await;
    browser.shows(&["first key"]).await;
    browser.press("button[popovertarget^='revoke-']").await;
    browser.press(".dlg .danger").await;
    browser.shows(&["revoked"]).await;

    browser.press("details.menu summary").await;
    browser.press("form[action='/signout'] button").await;
    browser.wait_for_path("/signin").await;
}

#[tokio::test]
async fn without_scripts_people_invite_let_machines_in_and_run_the_server() {
    let server = TestServer::start().await;
    let project = server.project("Wake word").await;
    let (site, base) = (site(&server), format!("/projects/{}", project.slug));
    let browser = Browser::open(390, 844, false).await;
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{site}{base}/members")).await;
    browser.press_button("Invite").await;
    browser.shows(&["Invitation made"]).await;
    let link = browser.text("#link").await;
    browser.press("details.menu summary").await;
    browser.press("form[action='/signout'] button").await;
    browser.wait_for_path("/signin").await;

    // An editor, who lets a machine in.
    browser.visit(&link).await;
    browser.fill("#name", "Lena Brandt").await;
    browser.send_credentials("lena@example.org", PASSWORD).await;
    browser.wait_for_path(&format!("{base}/runs")).await;
    let machine = Machine::ask(&site, "gpu-node-04").await;
    browser.visit(&machine.url).await;
    browser.press_button("Approve").await;
    browser.shows(&["Go back to your terminal"]).await;
    let key = machine.poll().await["api_key"].as_str().unwrap().to_owned();
    assert_eq!(machine.status_of(&key).await, 200);

    // The owner, who has the first account and so runs the server.
    browser.be(&server.app.session(&project.email).await).await;
    browser.visit(&format!("{site}/admin/accounts")).await;
    browser.press_button("Close the account lena@example.org").await;
    browser.confirm().await;
    browser.find("tr.off").await;
    assert_eq!(machine.status_of(&key).await, 401);
    browser.visit(&format!("{site}/admin")).await;
    browser.press("input[name=policy][value=off]").await;
    browser.press_button("Save rule").await;
    browser.find("input[name=policy][value=off][checked]").await;
    browser.visit(&format!("{site}{base}/members")).await;
    browser.press_button("Remove Lena Brandt").await;
    browser.confirm().await;
    browser.shows(&["1 person"]).await;
    browser.visit(&format!("{site}{base}/audit")).await;
    browser.shows(&["removed lena@example.org"]).await;
}
