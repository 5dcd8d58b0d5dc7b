//! What a key may do, from where, and for how long.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use otrace_server::app::AppState;
use otrace_server::auth::Client;
use otrace_server::domain::{ApiKeyId, Scope, api_key};
use otrace_server::live::Live;
use otrace_server::services;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::testing::{TestApp, TestResponse};
use serde_json::json;
use time::Duration;

use super::{ADMIN, EDITOR, OWNER, Team, secret_in, statuses};
use crate::mail::MailServer;

/// What reads, and what writes, to a run that is there.
const READS: [&str; 5] =
    ["/v1/auth/whoami", "/v1/runs", "/v1/runs/count", "/v1/runs/exp001", "/v1/runs/exp001/artifacts"];
const CONTENT: &str = "/v1/contents/ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";

/// Makes a key with the form of the page.
async fn make(team: &Team, scope: &str, expires: &str) -> String {
    let fields = [("name", "gpu-node-04"), ("scope", scope), ("expires", expires)];
    secret_in(&team.post(EDITOR, &team.path("keys"), &fields).await.expect(200), "trc_")
}

/// A request with a key from an address, perhaps passed on by a proxy.
async fn send_from(app: &TestApp, key: &str, peer: &str, forwarded_for: &[&str]) -> TestResponse {
    let mut request = Request::get("/v1/runs/count").header("authorization", format!("Bearer {key}"));
    for line in forwarded_for {
        request = request.header("x-forwarded-for", *line);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let peer: SocketAddr = format!("{peer}:40000").parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    app.send(request).await
}

#[tokio::test]
async fn a_key_that_reads_writes_nothing() {
    let team = Team::new().await;
    team.app.run(&team.project.key, "there").await;
    let key = make(&team, "read", "90").await;
    let before = team.app.api(&key, "GET", "/v1/runs/exp001", None).await.expect(200).body;
    for path in READS {
        team.app.api(&key, "GET", path, None).await.expect(200);
    }
    for (method, path, body) in [
        ("POST", "/v1/runs", json!({"intent": "i", "setup": "s", "command": "c"})),
        ("PATCH", "/v1/runs/exp001", json!({"status": "failed"})),
        ("PUT", "/v1/runs/exp001/details", json!({"results": [{"name": "loss", "value": 1}]})),
        ("POST", "/v1/runs/exp001/evidence", json!({"evidence": [{"snippet": "x"}]})),
        ("PATCH", "/v1/projects/current/workspace", json!({"workspace_name": "w", "working_directory": "/w"})),
        ("PUT", CONTENT, json!("content")),
        ("DELETE", "/v1/runs/exp001", json!({})),
        ("DELETE", "/v1/runs", json!({})),
    ] {
        let refused = team.app.api(&key, method, path, Some(body)).await.expect(403).json();
        assert_eq!(refused["code"], "forbidden", "{method} {path}");
        assert!(refused["error"].as_str().unwrap().contains("may only read"), "{refused}");
    }
    assert_eq!(team.app.api(&key, "GET", "/v1/runs/exp001", None).await.expect(200).body, before);
    let sql = "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM blobs) + (SELECT count(*) FROM workspaces)";
    assert_eq!(team.count(sql).await, 1);
}

#[tokio::test]
async fn a_key_ends_with_its_time() {
    let team = Team::new().await;
    let made_at = team.app.app.clock.now();
    let mut keys = Vec::new();
    for days in ["7", "30", "90", "365"] {
        keys.push((days.parse().map(Duration::days).unwrap(), make(&team, "write", days).await));
    }
    let for_ever = make(&team, "write", "never").await;
    let by_default = make(&team, "", "").await;
    for (lifetime, key) in &keys {
        let now = team.app.app.clock.now();
        team.app.app.clock.advance(made_at + *lifetime - Duration::seconds(1) - now);
        assert_eq!(team.status_of_key(key).await, 200, "{lifetime}");
        assert_eq!(team.status_of_key(&by_default).await == 200, *lifetime <= Duration::days(90), "{lifetime}");
        team.app.app.clock.advance(Duration::seconds(1));
        assert_eq!(team.status_of_key(key).await, 401, "{lifetime}");
        assert_eq!(team.status_of_key(&by_default).await == 200, *lifetime < Duration::days(90), "{lifetime}");
    }
    team.app.app.clock.advance(Duration::days(10_000));
    assert_eq!(team.status_of_key(&for_ever).await, 200);
}

#[tokio::test]
async fn a_replaced_key_and_its_successor_both_work_for_a_day_and_then_only_the_new_one() {
    let team = Team::new().await;
    let input = NewKeyInput { name: "reader".to_owned(), scope: Scope::Read, lifetime_days: Some(7) };
    let old = team.key_of(OWNER, input).await;
    let rotate = team.path(&format!("keys/{}/rotate", old.record.id));
    team.app.app.clock.advance(Duration::days(2));
    let new = secret_in(&team.post(EDITOR, &rotate, &[]).await.expect(200), "trc_");
    assert_ne!(new, old.key);
    // It is a key of the same kind.
    let run = json!({"intent": "i", "setup": "s", "command": "c"});
    team.app.api(&new, "POST", "/v1/runs", Some(run)).await.expect(403);
    for (after, status_of_old, status_of_new) in [
        (Duration::ZERO, 200, 200),
        (Duration::days(1) - Duration::seconds(1), 200, 200),
        (Duration::seconds(1), 401, 200),
        (Duration::days(6) - Duration::seconds(1), 401, 200),
        (Duration::seconds(1), 401, 401),
    ] {
        team.app.app.clock.advance(after);
        let found = (team.status_of_key(&old.key).await, team.status_of_key(&new).await);
        assert_eq!(found, (status_of_old, status_of_new), "after {after} more");
    }
}

#[tokio::test]
async fn replacing_a_key_gives_the_old_one_no_more_time() {
    let team = Team::new().await;
    let input = NewKeyInput { name: "old".to_owned(), scope: Scope::Write, lifetime_days: Some(7) };
    let old = team.key_of(OWNER, input).await;
    team.app.app.clock.advance(Duration::days(7) - Duration::hours(1));
    team.post(OWNER, &team.path(&format!("keys/{}/rotate", old.record.id)), &[]).await.expect(200);
    team.app.app.clock.advance(Duration::hours(1));
    assert_eq!(team.status_of_key(&old.key).await, 401);
}

#[tokio::test]
async fn a_key_that_has_ended_or_was_replaced_is_not_replaced_again() {
    let team = Team::new().await;
    let week = |name: &str| NewKeyInput { lifetime_days: Some(7), ..NewKeyInput::named(name) };
    let [replaced, revoked, expired] =
        [team.key_of(OWNER, week("a")).await, team.key_of(OWNER, week("b")).await, team.key_of(OWNER, week("c")).await];
    let path = |id: ApiKeyId, act: &str| team.path(&format!("keys/{id}/{act}"));
    team.post(EDITOR, &path(replaced.record.id, "rotate"), &[]).await.expect(200);
    team.post(EDITOR, &path(revoked.record.id, "revoke"), &[]).await.expect(303);
    let keys = team.count("SELECT count(*) FROM api_keys").await;
    for id in [replaced.record.id, revoked.record.id] {
        let refused = team.post(EDITOR, &path(id, "rotate"), &[]).await.expect(422).text();
        assert!(refused.contains("has ended or was replaced already"), "{refused}");
    }
    team.app.app.clock.advance(Duration::days(7));
    team.post(EDITOR, &path(expired.record.id, "rotate"), &[]).await.expect(422);
    assert_eq!(team.count("SELECT count(*) FROM api_keys").await, keys);

    // And once only, however many ask at once.
    let rotate = path(team.key_of(OWNER, week("d")).await.record.id, "rotate");
    let (one, other) = (team.app.session(OWNER).await, team.app.session(EDITOR).await);
    let (first, second) = tokio::join!(team.app.post(&one, &rotate, &[]), team.app.post(&other, &rotate, &[]));
    assert_eq!(statuses(&first, &second), [200, 422]);
    assert_eq!(team.count("SELECT count(*) FROM api_keys").await, keys + 2);
}

#[tokio::test]
async fn the_address_of_a_keys_last_use_is_believed_of_trusted_proxies_only() {
    let team = Team::with(|config| config.limits.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).await;
    for (peer, forwarded_for, address) in [
        ("203.0.113.9", vec![], "203.0.113.9"),
        ("203.0.113.9", vec!["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", vec!["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", vec!["198.51.100.1", "203.0.113.8, 10.0.0.2"], "203.0.113.8"),
        ("10.0.0.1", vec![], "10.0.0.1"),
    ] {
        team.app.app.clock.advance(Duration::seconds(61));
        send_from(&team.app, &team.project.key, peer, &forwarded_for).await.expect(200);
        let noted: Option<String> = sqlx::query_scalar("SELECT last_used_address FROM api_keys WHERE id = $1")
            .bind(team.project.key_id)
            .fetch_one(&team.app.app.pool)
            .await
            .unwrap();
        assert_eq!(noted.as_deref(), Some(address), "{peer} {forwarded_for:?}");
        let page = team.get(OWNER, &team.path("keys")).await.expect(200).text();
        assert!(page.contains(address), "{page}");
    }
}

#[tokio::test]
async fn keys_that_open_nothing_are_counted_by_address_and_shut_nobody_else_out() {
    let team = Team::new().await;
    let (here, there) = ("203.0.113.9", "203.0.113.10");
    let unknown = api_key::generate().unwrap();
    for number in 0..30 {
        let key = if number % 2 == 0 { unknown.as_str() } else { "trc_junk" };
        // Nobody who is not trusted changes their address by a header.
        send_from(&team.app, key, here, &[there]).await.expect(401);
    }
    let refused = send_from(&team.app, &unknown, here, &[]).await.expect(429);
    assert_eq!(refused.header("retry-after"), "2");
    assert_eq!(refused.json()["code"], "rate_limited");
    send_from(&team.app, &team.project.key, here, &[]).await.expect(200);
    send_from(&team.app, &unknown, there, &[]).await.expect(401);
    team.app.app.clock.advance(Duration::seconds(2));
    send_from(&team.app, &unknown, here, &[]).await.expect(401);
    send_from(&team.app, &unknown, here, &[]).await.expect(429);
}

#[tokio::test]
async fn whoever_holds_a_key_can_end_it_and_learns_nothing_about_others() {
    let team = Team::new().await;
    let leaked = team.key_of(EDITOR, NewKeyInput::named("leaked")).await.key;
    let unknown = api_key::generate().unwrap();
    let report = async |key: &str| {
        // Without a key, as a scanner does.
        team.app.api("", "POST", "/v1/keys/revoke", Some(json!({"token": key}))).await.expect(200).body
    };
    assert_eq!(team.status_of_key(&leaked).await, 200);
    let answer = report(&leaked).await;
    assert_eq!(team.status_of_key(&leaked).await, 401);
    for key in [leaked.as_str(), &unknown, "trc_junk", "", "a password"] {
        assert_eq!(report(key).await, answer, "{key}");
    }
    assert_eq!(team.status_of_key(&team.project.key).await, 200);
    let sql = "SELECT count(*) FROM audit_events WHERE action = 'key.revoked' AND actor_kind = 'key'";
    assert_eq!(team.count(sql).await, 1);
}

#[tokio::test]
async fn a_logout_ends_a_key_without_the_letter_that_follows_a_leak() {
    let mail = MailServer::start().await;
    let team = Team::with(|config| config.mail = mail.config()).await;
    for (name, is_logout) in [("laptop", true), ("leaked", false)] {
        let key = team.key_of(EDITOR, NewKeyInput::named(name)).await.key;
        let body = json!({"token": key, "is_logout": is_logout});
        team.app.api("", "POST", "/v1/keys/revoke", Some(body)).await.expect(200);
        assert_eq!(team.status_of_key(&key).await, 401, "{name}");
    }
    let letter = mail.next_to(EDITOR).await;
    assert!(letter.subject.contains("leaked"), "{}", letter.subject);
    let sql = "SELECT count(*) FROM audit_events WHERE details->>'why' = 'somebody who held it logged out'";
    assert_eq!(team.count(sql).await, 1);
}

#[tokio::test]
async fn a_key_that_leaked_while_its_makers_account_was_closed_stays_ended() {
    let team = Team::new().await;
    let leaked = team.key_of(EDITOR, NewKeyInput::named("leaked")).await.key;
    let enable = format!("/admin/accounts/{}/enable", team.id(EDITOR).await);
    team.close(EDITOR).await;
    team.app.api("", "POST", "/v1/keys/revoke", Some(json!({"token": leaked}))).await.expect(200);
    team.post(ADMIN, &enable, &[]).await.expect(303);
    assert_eq!(team.status_of_key(&leaked).await, 401);
}

#[tokio::test]
async fn a_key_that_was_revoked_on_one_server_opens_nothing_on_another_after_a_second() {
    let team = Team::new().await;
    let app = &team.app.app;
    let (config, clock, pool, live) =
        (app.config.clone(), app.clock.clone(), app.pool.clone(), Live::start(app.pool.clone()));
    let other = AppState::new(config, clock, pool, app.blobs.clone(), live, app.tokens.clone()).unwrap();
    let client = Client::default();
    let key = &team.project.key;
    services::api_keys::authenticate(&other, key, &client).await.unwrap();
    team.post(OWNER, &team.path(&format!("keys/{}/revoke", team.project.key_id)), &[]).await.expect(303);
    assert_eq!(team.status_of_key(key).await, 401);
    app.clock.advance(Duration::seconds(1));
    services::api_keys::authenticate(&other, key, &client).await.unwrap_err();
    other.close();
}
