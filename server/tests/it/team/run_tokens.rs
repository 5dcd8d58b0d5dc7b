//! The token that comes with a new run: it adds to that run, and opens nothing else.

use otrace_server::domain::{AccountId, ApiKeyId, ArtifactId, ProjectId, RunId};
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::tokens::Tokens;
use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use super::{EDITOR, OWNER, STRANGER, Team, project_of};

const CONTENT: &str = "/v1/contents/ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";

/// Creates a run; returns its id and its token.
async fn begin(team: &Team, key: &str) -> (Uuid, String) {
    let body = json!({"intent": "a long job", "setup": "as before", "command": "python train.py"});
    let created = team.app.api(key, "POST", "/v1/runs", Some(body)).await.expect(200).json();
    let id = created["run"]["id"].as_str().unwrap().parse().unwrap();
    (id, created["run_token"].as_str().unwrap().to_owned())
}

/// What adds to a run.
fn additions(run: &str) -> [(&'static str, String, Value); 3] {
    let path = format!("/v1/runs/{run}");
    [
        ("PATCH", path.clone(), json!({"status": "running"})),
        ("PUT", format!("{path}/details"), json!({"results": [{"name": "loss", "value": 0.5}]})),
        ("POST", format!("{path}/evidence"), json!({"evidence": [{"snippet": "epoch 12"}]})),
    ]
}

/// What a token gets that wants to go on with its run.
async fn status_of(team: &Team, token: &str, run: &str) -> u16 {
    let going_on = json!({"status": "running"});
    team.app.api(token, "PATCH", &format!("/v1/runs/{run}"), Some(going_on)).await.status.as_u16()
}

#[tokio::test]
async fn a_runs_token_records_the_run_to_its_end() {
    let team = Team::new().await;
    let (id, token) = begin(&team, &team.project.key).await;
    for name in ["exp001", &id.to_string()] {
        for (method, path, body) in additions(name) {
            team.app.api(&token, method, &path, Some(body)).await.expect(200);
        }
    }
    team.app.api_raw(&token, "PUT", CONTENT, "content").await.expect(200);
    let hash = CONTENT.replace("/v1/contents/", "sha256:");
    let details = json!({
        "artifacts": [{"original_path": "out.txt", "hash": hash, "size_bytes": 7}],
        "logs": [{"stream": "stdout", "hash": hash, "size_bytes": 7}],
    });
    team.app.api(&token, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let ended = json!({"status": "completed", "exit_code": 0});
    team.app.api(&token, "PATCH", "/v1/runs/exp001", Some(ended)).await.expect(200);
    let run = team.app.api(&team.project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json()["run"].clone();
    assert_eq!((&run["status"], &run["logs"][0]["text_content"]), (&json!("completed"), &json!("content")));
}

#[tokio::test]
async fn a_runs_token_adds_to_no_other_run() {
    let team = Team::new().await;
    let (_, token) = begin(&team, &team.project.key).await;
    let (other, _) = begin(&team, &team.project.key).await;
    let foreign = project_of(&team.app, STRANGER, "foreign").await;
    let (foreign, _) = begin(&team, &foreign.key).await;
    for run in ["exp002", "exp999", "nothing", &other.to_string(), &foreign.to_string()] {
        for (method, path, body) in additions(run) {
            let answer = team.app.api(&token, method, &path, Some(body)).await.expect(404).json();
            assert_eq!(answer["error"], "Run not found", "{method} {path}");
        }
    }
    assert_eq!(team.count("SELECT count(*) FROM runs WHERE status <> 'created'").await, 0);
    assert_eq!(team.count("SELECT count(*) FROM results").await, 0);
}

#[tokio::test]
async fn a_runs_token_reads_lists_creates_and_deletes_nothing() {
    let team = Team::new().await;
    let (id, token) = begin(&team, &team.project.key).await;
    let details = json!({"artifacts": [{"original_path": "a.txt", "text_content": "text"}]});
    team.app.api(&token, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let artifact: Uuid = sqlx::query_scalar("SELECT id FROM artifacts").fetch_one(&team.app.app.pool).await.unwrap();
    for (method, path) in [
        ("GET", format!("/v1/runs/{id}")),
        ("GET", "/v1/runs/exp001/artifacts".to_owned()),
        ("GET", format!("/v1/artifacts/{artifact}/download")),
        ("POST", format!("/v1/artifacts/{artifact}/ticket")),
        ("GET", "/v1/runs".to_owned()),
        ("GET", "/v1/runs/count".to_owned()),
        ("GET", "/v1/auth/whoami".to_owned()),
        ("PATCH", "/v1/projects/current/workspace".to_owned()),
        ("POST", "/v1/runs".to_owned()),
        ("DELETE", format!("/v1/runs/{id}")),
        ("DELETE", "/v1/runs".to_owned()),
    ] {
        let body =
            json!({"intent": "i", "setup": "s", "command": "c", "workspace_name": "w", "working_directory": "/"});
        let refused = team.app.api(&token, method, &path, (method != "GET").then_some(body)).await.expect(401);
        assert!(!refused.text().contains("long job"), "{method} {path}");
    }
    assert_eq!(team.count("SELECT count(*) FROM runs WHERE deleted_at IS NULL").await, 1);
    // Nor is it a session, or a ticket.
    team.app.get(&format!("otrace_session={token}"), "/account").await.expect(303);
    team.app.get("", &format!("/download/{token}")).await.expect(404);
}

#[tokio::test]
async fn a_runs_token_outlives_the_key_that_made_it() {
    let team = Team::new().await;
    let week = |name: &str| NewKeyInput { lifetime_days: Some(7), ..NewKeyInput::named(name) };
    let (expiring, revoked) = (team.key_of(EDITOR, week("a")).await, team.key_of(EDITOR, week("b")).await);
    team.app.app.clock.advance(Duration::days(6));
    let (_, of_expiring) = begin(&team, &expiring.key).await;
    let (_, of_revoked) = begin(&team, &revoked.key).await;
    let revoke = team.path(&format!("keys/{}/revoke", revoked.record.id));
    team.post(OWNER, &revoke, &[]).await.expect(303);
    assert_eq!(team.status_of_key(&revoked.key).await, 401);
    assert_eq!(status_of(&team, &of_revoked, "exp002").await, 200);
    team.app.app.clock.advance(Duration::days(2));
    assert_eq!(team.status_of_key(&expiring.key).await, 401);
    assert_eq!(status_of(&team, &of_expiring, "exp001").await, 200);
    team.app.api_raw(&of_expiring, "PUT", CONTENT, "content").await.expect(200);
    let sql = "SELECT count(*) FROM runs WHERE status = 'running'";
    assert_eq!(team.count(sql).await, 2);
}

#[tokio::test]
async fn a_runs_token_ends_after_a_month() {
    let team = Team::new().await;
    let (_, token) = begin(&team, &team.project.key).await;
    team.app.app.clock.advance(Duration::days(30) - Duration::seconds(1));
    assert_eq!(status_of(&team, &token, "exp001").await, 200);
    // Servers' clocks may be five seconds apart.
    team.app.app.clock.advance(Duration::seconds(6));
    assert_eq!(status_of(&team, &token, "exp001").await, 401);
}

#[tokio::test]
async fn a_runs_token_dies_with_the_run() {
    let team = Team::new().await;
    let (_, token) = begin(&team, &team.project.key).await;
    team.app.api(&team.project.key, "DELETE", "/v1/runs/exp001", None).await.expect(200);
    for (method, path, body) in additions("exp001") {
        team.app.api(&token, method, &path, Some(body)).await.expect(404);
    }
    team.app.api_raw(&token, "PUT", CONTENT, "content").await.expect(404);
    assert_eq!(team.count("SELECT count(*) FROM blobs").await, 0);
    // The next run has another number, and the token is none of its.
    begin(&team, &team.project.key).await;
    assert_eq!(status_of(&team, &token, "exp002").await, 404);
}

#[tokio::test]
async fn what_is_no_run_token_of_this_server_is_refused_as_a_bad_key() {
    let team = Team::new().await;
    let app = &team.app.app;
    let (id, token) = begin(&team, &team.project.key).await;
    let (run, project, key) = (RunId(id), ProjectId(team.project.id), ApiKeyId(team.project.key_id));
    let now = app.clock.now();
    let elsewhere = Tokens::with_new_key(app.config.public_url_str(), now).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mutated: String = signature.chars().rev().collect();
    let other_run = app.tokens.run_token(RunId::new(), project, key, now).unwrap();
    let (other_claims, _) = other_run.rsplit_once('.').unwrap();
    let junk =
        team.app.api("trc_junk", "PATCH", "/v1/runs/exp001", Some(json!({"status": "failed"}))).await.expect(401);
    for forged in [
        elsewhere.run_token(run, project, key, now).unwrap(),
        format!("{signed}.{mutated}"),
        format!("{signed}."),
        signed.to_owned(),
        format!("{other_claims}.{signature}"),
        format!("{token}x"),
        app.tokens.download_ticket(ArtifactId(id), project, now).unwrap(),
        app.tokens.known_browser(AccountId(id), now).unwrap(),
        "e30.e30.e30".to_owned(),
        "x".repeat(5000),
    ] {
        let answer = team.app.api(&forged, "PATCH", "/v1/runs/exp001", Some(json!({"status": "failed"}))).await;
        assert_eq!(answer.expect(401).body, junk.body, "{forged}");
    }
    assert_eq!(status_of(&team, &token, "exp001").await, 200);
}
