//! The pages where no script runs: all of them work, they only stay as they were sent.

use otrace_server::testing::PASSWORD;
use serde_json::json;

use super::demo::Demo;
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
    browser.press("nav.nav a[href$='/keys']").await;
    browser.shows(&["first key"]).await;
    browser.press("button[popovertarget^='revoke-']").await;
    browser.press(".dlg .danger").await;
    browser.shows(&["revoked"]).await;

    browser.press("details.menu summary").await;
    browser.press("form[action='/signout'] button").await;
    browser.wait_for_path("/signin").await;
}
