//! `otrace login` in the browser: a machine asks, a person approves, the machine gets one key.

use otrace_server::domain::Role;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::testing::TestResponse;
use otrace_wire::paths::{DEVICE_CODE, DEVICE_TOKEN};
use serde_json::{Value, json};
use time::Duration;

use super::{ADMIN, EDITOR, OWNER, STRANGER, Team, VIEWER, statuses};

/// A code of the right form that no machine has: one in 20⁸ would.
const WRONG: &str = "BBBB-BBBB";

/// A machine that waits for its key.
struct Machine {
    device_code: String,
    user_code: String,
}

async fn ask(team: &Team) -> Machine {
    let request = json!({"client": "otrace 0.2.0", "machine": "gpu-node-04"});
    let answer = team.app.api("", "POST", DEVICE_CODE, Some(request)).await.expect(200).json();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    assert_eq!(text("verification_url_complete"), format!("http://localhost:8000/device?code={}", text("user_code")));
    Machine { device_code: text("device_code"), user_code: text("user_code") }
}

async fn poll(team: &Team, machine: &Machine) -> TestResponse {
    team.app.api("", "POST", DEVICE_TOKEN, Some(json!({"device_code": machine.device_code}))).await
}

/// What the machine is told: `pending`, `denied` or `approved`.
async fn told(team: &Team, machine: &Machine) -> Value {
    poll(team, machine).await.expect(200).json()["status"].clone()
}

async fn decide(team: &Team, email: &str, code: &str, decision: &str) -> TestResponse {
    let fields = [("code", code), ("project", team.project.slug.as_str()), ("decision", decision)];
    team.post(email, "/device", &fields).await
}

/// How many keys were not revoked.
async fn keys(team: &Team) -> i64 {
    team.count("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL").await
}

#[tokio::test]
async fn a_machine_that_was_approved_gets_a_key_and_no_other_once_it_has_used_it() {
    let team = Team::new().await;
    let machine = ask(&team).await;
    assert_eq!(told(&team, &machine).await, "pending");
    let page = team.get(EDITOR, &format!("/device?code={}", machine.user_code)).await.expect(200).text();
    for shown in [machine.user_code.as_str(), "gpu-node-04", "otrace 0.2.0", "wake-word"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains(&machine.device_code));
    decide(&team, EDITOR, &machine.user_code, "approve").await.expect(303);

    let answer = poll(&team, &machine).await.expect(200).json();
    assert_eq!((&answer["status"], &answer["account"]["email"]), (&json!("approved"), &json!(EDITOR)));
    assert_eq!(answer["project"]["slug"], "wake-word");
    let key = answer["api_key"].as_str().unwrap();
    let whoami = team.app.api(key, "GET", "/v1/auth/whoami", None).await.expect(200).json();
    assert_eq!((&whoami["project"]["slug"], &whoami["account"]["email"]), (&json!("wake-word"), &json!(EDITOR)));
    team.app.run(key, "the key records").await;
    assert!(team.get(OWNER, &team.path("keys")).await.expect(200).text().contains("gpu-node-04"));
    poll(&team, &machine).await.expect(404);
    // Like any other key it ends, and with its maker's membership too.
    let remove = team.path(&format!("members/{}/remove", team.id(EDITOR).await));
    team.post(OWNER, &remove, &[]).await.expect(303);
    assert_eq!(team.status_of_key(key).await, 401);
}

#[tokio::test]
async fn a_machine_that_was_turned_down_is_told_so_and_gets_nothing() {
    let team = Team::new().await;
    let before = keys(&team).await;
    let machine = ask(&team).await;
    decide(&team, EDITOR, &machine.user_code, "deny").await.expect(303);
    // Once decided, it stays so.
    decide(&team, OWNER, &machine.user_code, "approve").await.expect(422);
    for _ in 0..2 {
        assert_eq!(told(&team, &machine).await, "denied");
    }
    assert_eq!(keys(&team).await, before);
}

#[tokio::test]
async fn an_approval_is_not_changed_by_somebody_else() {
    let team = Team::new().await;
    let machine = ask(&team).await;
    decide(&team, EDITOR, &machine.user_code, "approve").await.expect(303);
    for (email, decision) in [(OWNER, "approve"), (OWNER, "deny"), (STRANGER, "deny")] {
        decide(&team, email, &machine.user_code, decision).await.expect(422);
    }
    let answer = poll(&team, &machine).await.expect(200).json();
    assert_eq!((&answer["status"], &answer["account"]["email"]), (&json!("approved"), &json!(EDITOR)));
}

#[tokio::test]
async fn two_questions_at_once_get_one_key_that_works() {
    let team = Team::new().await;
    let before = keys(&team).await;
    let machine = ask(&team).await;
    decide(&team, EDITOR, &machine.user_code, "approve").await.expect(303);
    let (one, other) = tokio::join!(poll(&team, &machine), poll(&team, &machine));
    // The other one may have been lost on the way: the last one told is the one that works.
    assert_eq!(statuses(&one, &other), [200, 200]);
    let key = |answer: &TestResponse| answer.json()["api_key"].as_str().unwrap().to_owned();
    let (one, other) = (key(&one), key(&other));
    assert_ne!(one, other);
    let mut found = [team.status_of_key(&one).await, team.status_of_key(&other).await];
    found.sort_unstable();
    assert_eq!(found, [200, 401]);
    assert_eq!(keys(&team).await, before + 1);
    poll(&team, &machine).await.expect(404);
}

#[tokio::test]
async fn a_code_is_typed_in_any_form() {
    let team = Team::new().await;
    let forms: [fn(&str) -> String; 3] = [str::to_lowercase, |code| code.replace('-', ""), |code| format!("  {code} ")];
    for form in forms {
        let machine = ask(&team).await;
        decide(&team, EDITOR, &form(&machine.user_code), "approve").await.expect(303);
        assert_eq!(told(&team, &machine).await, "approved");
    }
}

#[tokio::test]
async fn a_request_ends_after_a_quarter_of_an_hour() {
    let team = Team::new().await;
    let before = keys(&team).await;
    let (pending, approved) = (ask(&team).await, ask(&team).await);
    decide(&team, EDITOR, &approved.user_code, "approve").await.expect(303);
    team.app.app.clock.advance(Duration::minutes(15) - Duration::seconds(1));
    assert_eq!(told(&team, &pending).await, "pending");
    team.app.app.clock.advance(Duration::seconds(1));
    poll(&team, &pending).await.expect(404);
    poll(&team, &approved).await.expect(404);
    decide(&team, EDITOR, &pending.user_code, "approve").await.expect(422);
    assert_eq!(keys(&team).await, before);
}

#[tokio::test]
async fn only_who_may_make_keys_approves() {
    let team = Team::new().await;
    let machine = ask(&team).await;
    for email in [VIEWER, STRANGER, ADMIN] {
        decide(&team, email, &machine.user_code, "approve").await.expect(422);
    }
    let anonymous = [("code", machine.user_code.as_str()), ("project", "wake-word"), ("decision", "approve")];
    team.app.post("", "/device", &anonymous).await.expect(401);
    // Nobody chooses for them.
    decide(&team, EDITOR, &machine.user_code, "").await.expect(422);
    assert_eq!(told(&team, &machine).await, "pending");
    decide(&team, EDITOR, &machine.user_code, "approve").await.expect(303);
}

#[tokio::test]
async fn who_may_less_by_then_brings_no_key() {
    let team = Team::new().await;
    let before = keys(&team).await;
    let member = |id: &str, act: &str| team.path(&format!("members/{id}/{act}"));
    let editor = team.id(EDITOR).await;
    let [first, second, third] = [ask(&team).await, ask(&team).await, ask(&team).await];
    for machine in [&first, &second, &third] {
        decide(&team, EDITOR, &machine.user_code, "approve").await.expect(303);
    }
    team.post(OWNER, &member(&editor, "role"), &[("role", "viewer")]).await.expect(303);
    assert_eq!(told(&team, &first).await, "denied");
    team.post(OWNER, &member(&editor, "remove"), &[]).await.expect(303);
    assert_eq!(told(&team, &second).await, "denied");
    team.app.join(&team.project, EDITOR, Role::Editor).await;
    team.close(EDITOR).await;
    poll(&team, &third).await.expect(404);
    assert_eq!(keys(&team).await, before);
}

#[tokio::test]
async fn wrong_codes_are_counted_by_account_wherever_they_are_typed() {
    let team = Team::new().await;
    let machine = ask(&team).await;
    for number in 0..10 {
        if number % 2 == 0 {
            decide(&team, EDITOR, WRONG, "approve").await.expect(422);
        } else {
            team.get(EDITOR, &format!("/device?code={WRONG}")).await.expect(422);
        }
    }
    let refused = decide(&team, EDITOR, WRONG, "approve").await.expect(429);
    assert_eq!(refused.header("retry-after"), "60");
    // Else the right one could be told from the wrong ones.
    decide(&team, EDITOR, &machine.user_code, "approve").await.expect(429);
    decide(&team, EDITOR, &machine.user_code, "deny").await.expect(429);
    team.get(EDITOR, &format!("/device?code={}", machine.user_code)).await.expect(429);
    assert_eq!(told(&team, &machine).await, "pending");
    // Others are not held up, and neither are they after a minute.
    team.get(OWNER, &format!("/device?code={}", machine.user_code)).await.expect(200);
    team.app.app.clock.advance(Duration::minutes(1));
    decide(&team, EDITOR, &machine.user_code, "approve").await.expect(303);
}

#[tokio::test]
async fn a_machine_that_asks_too_often_is_told_to_wait() {
    let team = Team::new().await;
    let machine = ask(&team).await;
    for _ in 0..5 {
        poll(&team, &machine).await.expect(200);
    }
    let refused = poll(&team, &machine).await.expect(429);
    assert_eq!(refused.header("retry-after"), "1");
    // Each machine is counted for itself.
    let other = ask(&team).await;
    assert_eq!(told(&team, &other).await, "pending");
    team.app.app.clock.advance(Duration::seconds(1));
    assert_eq!(told(&team, &machine).await, "pending");
    for _ in 0..8 {
        ask(&team).await;
    }
    team.app.api("", "POST", DEVICE_CODE, Some(json!({}))).await.expect(429);
}

#[tokio::test]
async fn what_a_machine_calls_itself_is_shown_as_text_and_no_code_is_stored() {
    let team = Team::new().await;
    let request = json!({"client": "<script>hit()</script>", "machine": "\u{1b}[31m\u{202e}evil\r\nnode <b>"});
    let answer = team.app.api("", "POST", DEVICE_CODE, Some(request)).await.expect(200).json();
    let code = answer["user_code"].as_str().unwrap();
    let page = team.get(EDITOR, &format!("/device?code={code}")).await.expect(200).text();
    assert!(!page.contains("<script>hit") && !page.contains("node <b>"), "{page}");
    assert!(!page.contains(['\u{1b}', '\u{202e}']), "{page}");
    let stored: String = sqlx::query_scalar("SELECT string_agg(d::text, ' ') FROM device_logins d")
        .fetch_one(&team.app.app.pool)
        .await
        .unwrap();
    assert!(!stored.contains(answer["device_code"].as_str().unwrap()), "{stored}");
    // Junk is asked about in vain, and is no other machine's code.
    for junk in ["", "trd_", code, "x\u{0}y"] {
        team.app.api("", "POST", DEVICE_TOKEN, Some(json!({"device_code": junk}))).await.expect(404);
    }
    // A key is none either.
    let key = team.key_of(EDITOR, NewKeyInput::named("mine")).await.key;
    team.app.api("", "POST", DEVICE_TOKEN, Some(json!({"device_code": key}))).await.expect(404);
}
