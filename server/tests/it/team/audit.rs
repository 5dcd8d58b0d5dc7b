//! Every act leaves its events, and none is done that could not be recorded.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use otrace_server::auth::Client;
use otrace_server::domain::Role;
use otrace_server::domain::audit::Action;
use otrace_server::services;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::services::invitations::NewInvitation;
use otrace_server::testing::{PASSWORD, TestResponse};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{ADMIN, EDITOR, OWNER, STRANGER, Team, VIEWER, person, project_of};

/// Who takes part besides the team: each is there for one act.
const LEAVER: &str = "leaver@example.org";
const CAREFUL: &str = "careful@example.org";
const FORGETFUL: &str = "forgetful@example.org";
const CLOSED: &str = "closed@example.org";
const TO_CLOSE: &str = "to-close@example.org";
const OTHER_ADMIN: &str = "other-admin@example.org";
const TRAVELLER: &str = "traveller@example.org";
const OTHERS: [&str; 7] = [LEAVER, CAREFUL, FORGETFUL, CLOSED, TO_CLOSE, OTHER_ADMIN, TRAVELLER];

const NEW_PASSWORD: &str = "unrelated words in a row";

type Fields = Vec<(&'static str, &'static str)>;

enum Call {
    /// A form, sent by this person; by nobody where that is empty.
    Form(&'static str, String, Fields),
    Get(&'static str, String),
    /// A request of the API with this key.
    Api(String, &'static str, String, Option<Value>),
}

/// What is done, and the events that it leaves: in the `project`, the `server` or `another` project.
struct Act(Call, Vec<(&'static str, Action)>);

/// A team in which everything is there that the acts need.
struct World {
    team: Team,
    cookies: HashMap<&'static str, String>,
    acts: Vec<Act>,
}

impl World {
    async fn new() -> Self {
        let team = Team::new().await;
        let mut cookies = HashMap::new();
        for email in OTHERS {
            person(&team.app, email).await;
        }
        team.app.join(&team.project, LEAVER, Role::Viewer).await;
        for _ in 0..2 {
            team.app.run(&team.project.key, "to be deleted").await;
        }
        for email in [ADMIN, OWNER, EDITOR, VIEWER, STRANGER, LEAVER, CAREFUL, TRAVELLER] {
            cookies.insert(email, team.app.session(email).await);
        }
        let mut acts = in_project(&team).await;
        acts.splice(0..0, to_projects(&team).await);
        acts.extend(on_server(&team).await);
        Self { team, cookies, acts }
    }

    async fn perform(&self, call: &Call) -> TestResponse {
        let app = &self.team.app;
        let cookie = |email: &str| self.cookies.get(email).map_or("", String::as_str);
        match call {
            Call::Form(email, path, fields) => app.post(cookie(email), path, fields).await,
            Call::Get(email, path) => app.get(cookie(email), path).await,
            Call::Api(key, method, path, body) => app.api(key, method, path, body.clone()).await,
        }
    }

    /// All events: what was done, by chain and number.
    async fn events(&self) -> BTreeMap<(Uuid, i64), String> {
        let rows: Vec<(Uuid, i64, String)> = sqlx::query_as("SELECT chain_id, number, action FROM audit_events")
            .fetch_all(&self.team.app.app.pool)
            .await
            .unwrap();
        rows.into_iter().map(|(chain, number, action)| ((chain, number), action)).collect()
    }

    fn chain_name(&self, chain: Uuid) -> &'static str {
        match chain {
            chain if chain == self.team.project.id => "project",
            chain if chain.is_nil() => "server",
            _ => "another",
        }
    }

    /// Everything in the database but what only counts how often something was tried.
    async fn state(&self) -> BTreeMap<String, String> {
        let pool = &self.team.app.app.pool;
        let sql = "
            SELECT table_name::text FROM information_schema.tables
            WHERE table_schema = current_schema() AND table_name NOT IN ('rate_limits', '_sqlx_migrations')
        ";
        let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await.unwrap();
        let mut state = BTreeMap::new();
        for table in tables {
            let sql = format!("SELECT COALESCE(string_agg(t::text, ' ' ORDER BY t::text), '') FROM {table} t");
            let rows: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await.unwrap();
            state.insert(table, rows);
        }
        assert!(state.len() > 10, "{state:?}");
        state
    }
}

/// What happens in a project, in an order in which each act is possible.
async fn in_project(team: &Team) -> Vec<Act> {
    let app = &team.app.app;
    let owner = team.member(OWNER).await;
    let path = |page: &str| team.path(page);
    let one = |call: Call, action: Action| Act(call, vec![("project", action)]);
    let form = |page: &str, fields: Fields| Call::Form(OWNER, path(page), fields);
    let key = |name: &'static str| team.key_of(OWNER, NewKeyInput::named(name));
    let (rotated, revoked, leaked) = (key("a").await.record.id, key("b").await.record.id, key("c").await.key);
    let invite = async || {
        let made = services::invitations::create(app, &owner, Role::Viewer, NewInvitation::default()).await.unwrap();
        made.link.unwrap().strip_prefix("http://localhost:8000").unwrap().to_owned()
    };
    let (to_join, to_begin) = (invite().await, invite().await);
    invite().await;
    let sql = "SELECT id FROM invitations ORDER BY id DESC LIMIT 1";
    let taken_back: Uuid = sqlx::query_scalar(sql).fetch_one(&app.pool).await.unwrap();
    let sql = "INSERT INTO webhooks (id, project_id, name, url, format, events, secret, created_at)
               VALUES (gen_random_uuid(), $1, 'w', 'https://1.1.1.1/', 'trace', '{run.failed}', sha256(''), now())
               RETURNING id";
    let webhook: Uuid = sqlx::query_scalar(sql).bind(team.project.id).fetch_one(&app.pool).await.unwrap();
    let webhook = format!("settings/webhooks/{webhook}");
    let told = vec![("name", "CI"), ("url", "https://1.1.1.1/"), ("format", "trace"), ("event", "run.failed")];
    let device = services::device_logins::ask(app, "otrace", "a machine", &Client::default()).await.unwrap();
    let editor = team.signed_in(EDITOR).await;
    services::device_logins::approve(app, &editor, &device.user_code, &team.project.slug).await.unwrap();
    let (viewer, editor) = (team.id(VIEWER).await, team.id(EDITOR).await);
    let newcomer = vec![("name", "New"), ("email", "newcomer@example.org"), ("password", PASSWORD)];
    let newcomers =
        vec![("server", Action::AccountCreated), ("project", Action::MemberJoined), ("server", Action::SignedIn)];
    let api = |key: &str, method, path: &str, body| Call::Api(key.to_owned(), method, path.to_owned(), body);
    let enter = format!("/admin/projects/{}/enter", team.project.slug);
    let entered = vec![("project", Action::AdminEntered), ("server", Action::AdminEntered)];
    let role = format!("members/{viewer}/role");
    let deleted = team.app.run(&team.project.key, "deleted").await["experiment_id"].as_str().unwrap().to_owned();
    team.app.api(&team.project.key, "DELETE", &format!("/v1/runs/{deleted}"), None).await.expect(200);
    let import = format!("/v1/imports/{}", Uuid::now_v7());
    let run = json!({"id": Uuid::now_v7(), "intent": "i", "setup": "s", "command": "c"});
    let begun = json!({"id": import.trim_start_matches("/v1/imports/")});
    team.app.api(&team.project.key, "POST", "/v1/imports", Some(begun)).await.expect(200);
    let staged = json!({"runs": [{"position": 0, "run": run}]});
    team.app.api(&team.project.key, "POST", &format!("{import}/runs"), Some(staged)).await.expect(200);
    let committed = json!({"replace": true, "runs": 1});
    vec![
        one(form("keys", vec![("name", "new")]), Action::KeyCreated),
        one(form(&format!("keys/{rotated}/rotate"), vec![]), Action::KeyRotated),
        one(form(&format!("keys/{revoked}/revoke"), vec![]), Action::KeyRevoked),
        one(api("", "POST", "/v1/keys/revoke", Some(json!({"token": leaked}))), Action::KeyRevoked),
        one(api("", "POST", "/v1/device/token", Some(json!({"device_code": device.device_code}))), Action::KeyCreated),
        one(form("settings/webhooks", told.clone()), Action::WebhookCreated),
        one(form(&webhook, told), Action::WebhookChanged),
        one(form(&format!("{webhook}/secret"), vec![]), Action::WebhookSecretReplaced),
        one(form(&format!("{webhook}/delete"), vec![]), Action::WebhookDeleted),
        one(form("invitations", vec![("email", ""), ("role", "viewer"), ("days", "7")]), Action::InvitationMade),
        one(form(&format!("invitations/{taken_back}/revoke"), vec![]), Action::InvitationRevoked),
        one(Call::Form(STRANGER, to_join, vec![]), Action::MemberJoined),
        Act(Call::Form("", format!("{to_begin}/account"), newcomer), newcomers),
        one(form(&role, vec![("role", "editor")]), Action::MemberRoleChanged),
        one(form(&format!("members/{editor}/remove"), vec![]), Action::MemberRemoved),
        one(Call::Form(LEAVER, path("leave"), vec![]), Action::MemberLeft),
        one(api(&team.project.key, "POST", &format!("/v1/runs/{deleted}/restore"), None), Action::RunRestored),
        one(api(&team.project.key, "DELETE", "/v1/runs/exp001", None), Action::RunDeleted),
        one(api(&team.project.key, "POST", &format!("{import}/commit"), Some(committed)), Action::RunsImported),
        one(api(&team.project.key, "DELETE", "/v1/runs", None), Action::AllRunsDeleted),
        one(Call::Get(OWNER, path("audit.json")), Action::AuditExported),
        Act(Call::Form(ADMIN, enter, vec![("role", "viewer")]), entered),
        one(form(&format!("members/{viewer}/transfer"), vec![]), Action::OwnershipTransferred),
    ]
}

/// What owners do to their projects, of which one is gone and one is about to go.
async fn to_projects(team: &Team) -> Vec<Act> {
    for name in ["going", "gone"] {
        project_of(&team.app, OWNER, name).await;
    }
    let app = &team.app.app;
    let sql = "UPDATE projects SET deleted_at = $1 WHERE slug = 'gone'";
    sqlx::query(sql).bind(app.clock.now()).execute(&app.pool).await.unwrap();
    let name = vec![("name", "wake-word"), ("description", "")];
    let settled = Call::Form(OWNER, team.path("settings"), name);
    let deleted = Call::Form(OWNER, "/projects/going/delete".to_owned(), vec![("name", "going")]);
    let restored = Call::Form(OWNER, "/projects/gone/restore".to_owned(), vec![]);
    vec![
        Act(settled, vec![("project", Action::ProjectChanged)]),
        Act(deleted, vec![("another", Action::ProjectDeleted)]),
        Act(restored, vec![("another", Action::ProjectRestored)]),
    ]
}

/// What happens to the server, in an order in which each act is possible.
async fn on_server(team: &Team) -> Vec<Act> {
    let app = &team.app.app;
    let admin = team.signed_in(ADMIN).await;
    let link = services::admin::make_reset_link(app, &admin, team.account(FORGETFUL).await.id).await.unwrap().1;
    let reset = link.strip_prefix("http://localhost:8000").unwrap().to_owned();
    services::admin::set_admin(app, &admin, team.account(OTHER_ADMIN).await.id, true).await.unwrap();
    services::invitations::create_for_server(app, &admin, NewInvitation::default()).await.unwrap();
    let sql = "SELECT id FROM invitations WHERE project_id IS NULL";
    let taken_back: Uuid = sqlx::query_scalar(sql).fetch_one(&app.pool).await.unwrap();
    // A second session, which the first one ends.
    let sql = "SELECT s.id FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE a.email = $1 AND s.id <> $2";
    let other_than = async |id: Uuid| -> Uuid {
        sqlx::query_scalar(sql).bind(TRAVELLER).bind(id).fetch_one(&app.pool).await.unwrap()
    };
    let first = other_than(Uuid::nil()).await;
    team.app.session(TRAVELLER).await;
    let session = other_than(first).await;
    let closed = team.id(CLOSED).await;
    let (to_close, other_admin) = (team.id(TO_CLOSE).await, team.id(OTHER_ADMIN).await);
    team.close(CLOSED).await;

    let one = |call: Call, action: Action| Act(call, vec![("server", action)]);
    let form = |path: &str, fields: Fields| Call::Form("", path.to_owned(), fields);
    let to_account = |id: &str, act: &str| Call::Form(ADMIN, format!("/admin/accounts/{id}/{act}"), vec![]);
    let by_admin = |path: &str, fields: Fields| Call::Form(ADMIN, path.to_owned(), fields);
    let newcomer = vec![("name", "New"), ("email", "another@example.org"), ("password", PASSWORD)];
    let passwords = vec![("current", PASSWORD), ("password", NEW_PASSWORD)];
    let project = Call::Form(OWNER, "/projects".to_owned(), vec![("name", "another"), ("description", "")]);
    let travelled = |path: String| Call::Form(TRAVELLER, path, vec![]);
    vec![
        Act(form("/signup", newcomer), vec![("server", Action::AccountCreated), ("server", Action::SignedIn)]),
        Act(project, vec![("another", Action::ProjectCreated), ("another", Action::KeyCreated)]),
        one(form("/signin", vec![("email", STRANGER), ("password", PASSWORD), ("next", "/")]), Action::SignedIn),
        one(travelled(format!("/account/sessions/{session}/end")), Action::SessionsEnded),
        one(travelled("/account/sessions/end-all".to_owned()), Action::SessionsEnded),
        one(Call::Form(CAREFUL, "/account/password".to_owned(), passwords), Action::PasswordChanged),
        one(form(&reset, vec![("password", NEW_PASSWORD)]), Action::PasswordReset),
        one(to_account(&to_close, "reset-link"), Action::ResetLinkMade),
        one(to_account(&to_close, "disable"), Action::AccountDisabled),
        one(to_account(&closed, "enable"), Action::AccountEnabled),
        one(to_account(&closed, "grant-admin"), Action::AdminGranted),
        one(to_account(&other_admin, "revoke-admin"), Action::AdminRevoked),
        one(by_admin("/admin/sign-up", vec![("policy", "off"), ("domains", "")]), Action::SignUpPolicyChanged),
        one(by_admin("/admin/invitations", vec![("email", ""), ("days", "7")]), Action::InvitationMade),
        one(by_admin(&format!("/admin/invitations/{taken_back}/revoke"), vec![]), Action::InvitationRevoked),
        one(Call::Get(ADMIN, "/admin/audit.json".to_owned()), Action::AuditExported),
        one(Call::Form(VIEWER, "/signout".to_owned(), vec![]), Action::SignedOut),
    ]
}

impl Call {
    fn told(&self) -> String {
        match self {
            Self::Form(email, path, fields) => format!("{email} POST {path} {fields:?}"),
            Self::Get(email, path) => format!("{email} GET {path}"),
            Self::Api(_, method, path, _) => format!("API {method} {path}"),
        }
    }
}

#[tokio::test]
async fn each_act_leaves_exactly_its_events() {
    let world = World::new().await;
    let mut seen = BTreeSet::new();
    let mut before = world.events().await;
    for Act(call, expected) in &world.acts {
        let answer = world.perform(call).await;
        assert!(answer.status.as_u16() < 400, "{}: {} {}", call.told(), answer.status, answer.text());
        let after = world.events().await;
        let mut new: Vec<(&str, &str)> = after
            .iter()
            .filter(|(place, _)| !before.contains_key(*place))
            .map(|((chain, _), action)| (world.chain_name(*chain), action.as_str()))
            .collect();
        let mut expected: Vec<(&str, &str)> =
            expected.iter().map(|(chain, action)| (*chain, action.as_str())).collect();
        new.sort_unstable();
        expected.sort_unstable();
        assert_eq!(new, expected, "{}", call.told());
        seen.extend(expected.iter().map(|(_, action)| *action));
        before = after;
    }
    // What needs mail or a provider is tested where those are, and what a sweep does in `space`.
    let elsewhere = [Action::EmailChanged, Action::IdentityLinked, Action::IdentityUnlinked, Action::ProjectRemoved];
    seen.extend(elsewhere.iter().map(|action| action.as_str()));
    let all: BTreeSet<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn what_can_not_be_recorded_is_not_done() {
    let world = World::new().await;
    let sql = "
        CREATE FUNCTION refuse_every_event() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'nothing is written down today';
        END
        $$;
        CREATE TRIGGER refuse_every_event BEFORE INSERT ON audit_events
            FOR EACH ROW EXECUTE FUNCTION refuse_every_event();
    ";
    sqlx::raw_sql(sql).execute(&world.team.app.app.pool).await.unwrap();
    let before = world.state().await;
    for Act(call, _) in &world.acts {
        let answer = world.perform(call).await.expect(500);
        assert!(!answer.text().contains("nothing is written down"), "{}", call.told());
        let after = world.state().await;
        for (table, rows) in &before {
            assert_eq!(after.get(table), Some(rows), "{} changed {table}", call.told());
        }
    }
}

#[tokio::test]
async fn an_event_says_who_did_it_to_what_and_from_where() {
    let team = Team::new().await;
    let cookie = team.app.session(OWNER).await;
    team.app.run(&team.project.key, "to be deleted").await;
    let role = team.path(&format!("members/{}/role", team.id(VIEWER).await));
    let form = Request::post(role)
        .header("cookie", cookie)
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("role=editor"));
    let deletion = Request::delete("/v1/runs/exp001")
        .header("authorization", format!("Bearer {}", team.project.key))
        .header("x-forwarded-for", "198.51.100.1")
        .body(Body::empty());
    for (request, address, status) in [(form, "203.0.113.9:40000", 303), (deletion, "[2001:db8::7]:40000", 200)] {
        let mut request = request.unwrap();
        request.extensions_mut().insert(ConnectInfo(address.parse::<SocketAddr>().unwrap()));
        team.app.send(request).await.expect(status);
    }
    let events = services::audit::of_project(&team.app.app, &team.member(OWNER).await, None).await.unwrap();
    let [deleted, changed] = &events[..2] else { panic!("two events, not {events:?}") };
    assert_eq!((changed.actor_kind.as_str(), changed.actor.as_str()), ("account", OWNER));
    assert_eq!(changed.actor_id, Some(team.account(OWNER).await.id.0));
    assert_eq!((changed.target.as_str(), changed.address.as_deref()), (VIEWER, Some("203.0.113.9")));
    assert_eq!((changed.details["from"].as_str(), changed.details["to"].as_str()), ("viewer", "editor"));
    assert_eq!((deleted.actor_kind.as_str(), deleted.actor_id), ("key", Some(team.project.key_id)));
    assert_eq!(deleted.actor, format!("{}…", &team.project.key[..8]));
    assert_eq!((deleted.target.as_str(), deleted.address.as_deref()), ("exp001", Some("2001:db8::7")));
    let said = format!("{events:?}");
    assert!(!said.contains(&team.project.key) && !said.contains(PASSWORD), "{said}");
}
