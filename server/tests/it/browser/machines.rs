//! Machines that ask for a key, and keys that are replaced and taken away.

use otrace_server::testing::{PASSWORD, TestServer};
use otrace_wire::paths::{DEVICE_CODE, DEVICE_TOKEN, WHOAMI};
use serde_json::{Value, json};

use super::demo::new_project;
use super::{Browser, site};

/// A machine on which somebody runs `otrace login`.
pub(super) struct Machine {
    http: reqwest::Client,
    site: String,
    device_code: String,
    /// What its terminal shows.
    pub(super) user_code: String,
    /// Where its terminal leads.
    pub(super) url: String,
}

impl Machine {
    /// Asks for a key.
    pub(super) async fn ask(site: &str, name: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request =
            http.post(format!("{site}{DEVICE_CODE}")).json(&json!({"client": "otrace 0.2.0", "machine": name}));
        let answer: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self {
            http,
            site: site.to_owned(),
            device_code: text("device_code"),
            user_code: text("user_code"),
            url: text("verification_url_complete"),
        }
    }

    /// What became of it.
    pub(super) async fn poll(&self) -> Value {
        let request =
            self.http.post(format!("{}{DEVICE_TOKEN}", self.site)).json(&json!({"device_code": self.device_code}));
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// What the server says to a key.
    pub(super) async fn status_of(&self, key: &str) -> u16 {
        let request = self.http.get(format!("{}{WHOAMI}", self.site)).bearer_auth(key);
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn a_person_lets_a_machine_in_turns_another_away_and_replaces_and_revokes_the_key() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    new_project(&server.app, &project.cookie, "Digits", "").await;
    let site = site(&server);
    let browser = Browser::open(1440, 900, false).await;

    // Led to sign in first, and then to the machine that waits.
    let machine = Machine::ask(&site, "gpu-node-04").await;
    assert_eq!(machine.poll().await["status"], "pending");
    browser.visit(&machine.url).await;
    browser.wait_for_path("/signin").await;
    browser.send_credentials(&project.email, PASSWORD).await;
    browser.shows(&[machine.user_code.as_str(), "gpu-node-04", "otrace 0.2.0", "127.0.0.1"]).await;
    browser.press("#project option[value='wake-word']").await;
    browser.press_button("Approve").await;
    browser.shows(&["Approved", "Go back to your terminal"]).await;
    let told = machine.poll().await;
    assert_eq!((&told["status"], &told["project"]["slug"]), (&json!("approved"), &json!("wake-word")));
    let key = told["api_key"].as_str().unwrap();
    assert_eq!(machine.status_of(key).await, 200);

    // A code that is typed by hand, in small letters.
    let other = Machine::ask(&site, "somebody's laptop").await;
    browser.visit(&format!("{site}/device")).await;
    browser.fill("#code", &other.user_code.to_lowercase()).await;
    browser.press_button("Go on").await;
    browser.shows(&[other.user_code.as_str(), "somebody's laptop"]).await;
    browser.press_button("Deny").await;
    browser.shows(&["Turned down"]).await;
    assert_eq!(other.poll().await["status"], "denied");

    // Both keys work until the old one is taken away.
    let keys = format!("{site}/projects/{}/keys", project.slug);
    browser.visit(&keys).await;
    browser.press_button("Rotate gpu-node-04").await;
    browser.shows(&["Shown once", "works for 24 more hours"]).await;
    let new_key = browser.text("#key").await;
    assert_eq!((machine.status_of(key).await, machine.status_of(&new_key).await), (200, 200));
    browser.visit(&keys).await;
    browser.shows(&["replaced, works until"]).await;
    // The newest comes first.
    for (count, statuses) in [(1, (200, 401)), (2, (401, 401))] {
        browser.press_button("Revoke gpu-node-04").await;
        browser.confirm().await;
        browser.wait_for("the revoked key", SEES_REVOKED, &[json!(count)]).await;
        assert_eq!((machine.status_of(key).await, machine.status_of(&new_key).await), statuses);
    }
    browser.expect_no_problems("the keys").await;
}

/// So many keys have ended.
const SEES_REVOKED: &str =
    "return document.readyState === 'complete' && document.querySelectorAll('tr.off').length === arguments[0]";
