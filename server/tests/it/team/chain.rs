//! The record as a chain: only ever added to, and whoever changes it all the same is found out.

use futures_util::future::join_all;
use otrace_server::domain::audit::{Action, Chain, NewEvent, to_hex};
use otrace_server::domain::{Actor, ProjectId};
use otrace_server::services::audit;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

use super::{ADMIN, EDITOR, OWNER, STRANGER, Team, VIEWER};

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn chain(team: &Team) -> Chain {
    Chain::Project(ProjectId(team.project.id))
}

/// Adds events to the project's chain.
async fn add(team: &Team, events: impl IntoIterator<Item = NewEvent>) {
    let app = &team.app.app;
    let mut transaction = app.pool.begin().await.unwrap();
    for event in events {
        audit::record(&mut transaction, chain(team), &Actor::command(), event, app.clock.now()).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

fn event(number: usize) -> NewEvent {
    NewEvent::new(Action::RunDeleted, format!("exp{number:03}")).with("why", "no longer needed")
}

async fn run_sql(team: &Team, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&team.app.app.pool).await.unwrap();
}

/// What is exported to somebody, and whether each hash and the chain of them is right, as anybody can check.
async fn export(team: &Team, email: &str, path: &str) -> Value {
    let answer = team.get(email, path).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.header("content-disposition").starts_with("attachment; filename=\""));
    answer.json()
}

/// The number of the first event of an export that does not follow, found without the server's code.
fn first_break(export: &Value) -> Option<i64> {
    let mut previous = ZEROS.to_owned();
    for (number, event) in (1..).zip(export["events"].as_array().unwrap()) {
        let fields = event.as_object().unwrap().iter().filter(|(name, _)| *name != "hash");
        let hashed: Map<String, Value> = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        let hash = to_hex(&Sha256::digest(Value::Object(hashed).to_string()).into());
        if event["number"] != number || event["previous_hash"] != previous || event["hash"] != hash {
            return Some(number);
        }
        previous = hash;
    }
    None
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_an_event() {
    let team = Team::new().await;
    add(&team, (1..=5).map(event)).await;
    let count = "SELECT count(*) FROM audit_events WHERE actor <> 'eve'";
    let before = team.count(count).await;
    for sql in [
        "UPDATE audit_events SET actor = 'eve'",
        "UPDATE audit_events SET number = number + 1000",
        "UPDATE audit_events SET actor = 'eve' WHERE false",
        "DELETE FROM audit_events",
        "DELETE FROM audit_events WHERE number = 5",
        "TRUNCATE audit_events",
        "INSERT INTO audit_events SELECT * FROM audit_events ON CONFLICT (chain_id, number) DO UPDATE SET actor = 'eve'",
        "MERGE INTO audit_events a USING audit_events b ON a.hash = b.hash WHEN MATCHED THEN UPDATE SET actor = 'eve'",
    ] {
        let refused = sqlx::query(sql).execute(&team.app.app.pool).await.unwrap_err().to_string();
        assert!(refused.contains("audit events are never changed"), "{sql}: {refused}");
    }
    assert_eq!(team.count(count).await, before);
    assert_eq!(audit::check(&team.app.app, chain(&team)).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_changed_behind_the_servers_back_is_found() {
    let team = Team::new().await;
    add(&team, (1..=8).map(event)).await;
    // As the owner of the database can; the project's own creation and its first key are 1 and 2.
    run_sql(&team, "ALTER TABLE audit_events DISABLE TRIGGER audit_events_are_append_only").await;
    run_sql(&team, "CREATE TABLE untouched AS SELECT * FROM audit_events").await;
    let id = team.project.id;
    let audit_json = team.path("audit.json");
    for (change, broken) in [
        ("UPDATE audit_events SET actor = 'eve'", 3),
        ("UPDATE audit_events SET actor_kind = 'nobody'", 3),
        ("UPDATE audit_events SET actor_id = gen_random_uuid()", 3),
        ("UPDATE audit_events SET action = 'run.painted'", 3),
        ("UPDATE audit_events SET target = target || ' '", 3),
        ("UPDATE audit_events SET details = '{}'", 3),
        ("UPDATE audit_events SET address = '192.0.2.7'", 3),
        ("UPDATE audit_events SET at = at - interval '1 microsecond'", 3),
        ("UPDATE audit_events SET previous_hash = hash", 3),
        ("UPDATE audit_events SET hash = previous_hash", 3),
        ("DELETE FROM audit_events", 3),
    ] {
        run_sql(&team, &format!("{change} WHERE chain_id = '{id}' AND number = 3")).await;
        let found = audit::check(&team.app.app, chain(&team)).await.unwrap();
        assert_eq!(found, Some(broken), "{change}");
        let exported = export(&team, OWNER, &audit_json).await;
        assert_eq!(
            (&exported["first_break"], first_break(&exported)),
            (&Value::from(broken), Some(broken)),
            "{change}"
        );
        // The server's own chain is another one.
        assert_eq!(audit::check(&team.app.app, Chain::Server).await.unwrap(), None);
        run_sql(&team, "DELETE FROM audit_events; INSERT INTO audit_events SELECT * FROM untouched").await;
    }
    assert_eq!(audit::check(&team.app.app, chain(&team)).await.unwrap(), None);

    // Whoever seals what they changed anew, breaks it at the next one.
    let (mut changed, _) = audit::piece(&team.app.app, chain(&team), 2).await.unwrap().swap_remove(0);
    changed.target = "exp999".to_owned();
    let hash = to_hex(&changed.hash());
    let reseal =
        format!("UPDATE audit_events SET target = 'exp999', hash = '\\x{hash}' WHERE chain_id = '{id}' AND number = 3");
    run_sql(&team, &reseal).await;
    assert_eq!(audit::check(&team.app.app, chain(&team)).await.unwrap(), Some(4));
    // Nor is an event taken over from another chain.
    run_sql(&team, "DELETE FROM audit_events; INSERT INTO audit_events SELECT * FROM untouched").await;
    let (foreign, server) = (format!("WHERE chain_id <> '{id}'"), Chain::Server.id());
    let moved = format!("DELETE FROM audit_events {foreign}; UPDATE audit_events SET chain_id = '{server}'");
    run_sql(&team, &moved).await;
    assert_eq!(audit::check(&team.app.app, Chain::Server).await.unwrap(), Some(1));
}

#[tokio::test]
async fn an_export_is_complete_and_can_be_checked_by_anybody() {
    let team = Team::new().await;
    // More than the server reads at once, with names that need care in JSON.
    let hostile = "\"},{\"x\\\n\u{2028}\u{7f}\u{1b}é💥\u{0}</script>";
    let long = "x".repeat(10_000);
    add(&team, (1..=2100).map(event)).await;
    add(
        &team,
        [NewEvent::new(Action::KeyRevoked, hostile).with("why", hostile), NewEvent::new(Action::KeyRevoked, long)],
    )
    .await;
    let exported = export(&team, OWNER, &team.path("audit.json")).await;
    assert_eq!(
        (&exported["chain"], &exported["first_break"]),
        (&Value::from(team.project.id.to_string()), &Value::Null)
    );
    assert_eq!(first_break(&exported), None);
    let events = exported["events"].as_array().unwrap();
    // Two of the project's beginning, and the export itself.
    assert_eq!(events.len(), 2 + 2100 + 2 + 1);
    assert_eq!(events[2103 - 1]["details"]["why"], hostile.replace('\0', ""));
    assert_eq!(events[2104 - 1]["target"].as_str().unwrap().len(), 500);
    let last = events.last().unwrap();
    assert_eq!((&last["action"], &last["actor"]), (&Value::from("audit.exported"), &Value::from(OWNER)));

    let exported = export(&team, ADMIN, "/admin/audit.json").await;
    assert_eq!((&exported["first_break"], first_break(&exported)), (&Value::Null, None));
    let actions: Vec<&str> =
        exported["events"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!((actions[0], *actions.last().unwrap()), ("account.created", "audit.exported"));
    assert!(exported["events"].as_array().unwrap().iter().all(|event| event["chain"] == exported["chain"]));
    assert!(!exported.to_string().contains("exp001"), "what happens in projects is theirs");
}

#[tokio::test]
async fn only_owners_read_a_projects_record() {
    let team = Team::new().await;
    for page in ["audit", "audit.json"] {
        for (email, status) in [(EDITOR, 403), (VIEWER, 403), (STRANGER, 404), (ADMIN, 404)] {
            let refused = team.get(email, &team.path(page)).await.expect(status).text();
            assert!(!refused.contains("project.created") && !refused.contains("created the project"), "{refused}");
        }
    }
    assert_eq!(team.count("SELECT count(*) FROM audit_events WHERE action = 'audit.exported'").await, 0);
    let page = team.get(OWNER, &team.path("audit")).await.expect(200).text();
    assert!(page.contains("created the project"), "{page}");
}

#[tokio::test]
async fn the_page_leads_through_all_events_the_newest_first() {
    let team = Team::new().await;
    add(&team, (1..=250).map(event)).await;
    let mut path = Some(team.path("audit"));
    let mut seen = Vec::new();
    for _ in 0..10 {
        let Some(here) = path else { break };
        let page = team.get(OWNER, &here).await.expect(200).text();
        let on_page = page.match_indices("exp").filter_map(|(at, _)| page.get(at + 3..at + 6)?.parse::<u16>().ok());
        seen.extend(on_page);
        let links = page.split("href=\"").filter_map(|link| link.split('"').next());
        let older =
            links.filter_map(|link| link.split_once("audit?before=")).map(|(_, number)| number.to_owned()).next();
        path = older.map(|number| team.path(&format!("audit?before={number}")));
    }
    let expected: Vec<u16> = (1..=250).rev().collect();
    assert_eq!(seen, expected);
    // What is no number is not asked for.
    for before in ["x", "-1", "99999999999999999999", "0"] {
        team.get(OWNER, &team.path(&format!("audit?before={before}"))).await.expect(200);
    }
}

#[tokio::test]
async fn acts_at_once_make_one_chain() {
    let team = Team::new().await;
    let cookie = team.app.session(OWNER).await;
    let keys = team.path("keys");
    let forms = (0..20).map(|_| team.app.post(&cookie, &keys, &[("name", "at once")]));
    for answer in join_all(forms).await {
        answer.expect(200);
    }
    let sql = "SELECT count(*) FROM audit_events WHERE target LIKE 'at once%'";
    assert_eq!(team.count(sql).await, 20);
    let numbers: Vec<i64> = sqlx::query_scalar("SELECT number FROM audit_events WHERE chain_id = $1 ORDER BY number")
        .bind(team.project.id)
        .fetch_all(&team.app.app.pool)
        .await
        .unwrap();
    assert!(numbers.iter().copied().eq(1..=22), "{numbers:?}");
    assert_eq!(audit::check(&team.app.app, chain(&team)).await.unwrap(), None);
}
