//! Who gets which answer from every route: the whole URL table times every kind of caller.
//!
//! A route that is missing here fails the test, and so does a route that is gone.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use otrace_server::auth::{Client, session_cookie};
use otrace_server::domain::{ProjectId, Role};
use otrace_server::services;
use otrace_server::store;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The callers, in the order of the columns below.
const CALLERS: [&str; 9] =
    ["nobody", "stranger", "viewer", "editor", "owner", "key", "foreign key", "revoked key", "expired key"];

/// What the callers get, route by route. 303 from a page leads to signing in, or onward after a form.
#[rustfmt::skip]
const MATRIX: &[(&str, &str, [u16; 9])] = &[
    // Machines that look after the server.
    ("GET", "/health/live",                        [200, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/health/ready",                       [200, 200, 200, 200, 200, 200, 200, 200, 200]),
    // The API: a session is no key, a foreign key finds nothing.
    ("GET",    "/v1/auth/whoami",                  [401, 401, 401, 401, 401, 200, 200, 401, 401]),
    ("PATCH",  "/v1/projects/current/workspace",   [401, 401, 401, 401, 401, 200, 200, 401, 401]),
    ("GET",    "/v1/runs",                         [401, 401, 401, 401, 401, 200, 200, 401, 401]),
    ("POST",   "/v1/runs",                         [401, 401, 401, 401, 401, 200, 200, 401, 401]),
    ("DELETE", "/v1/runs",                         [401, 401, 401, 401, 401, 200, 200, 401, 401]),
    ("GET",    "/v1/runs/count",                   [401, 401, 401, 401, 401, 200, 200, 401, 401]),
    ("GET",    "/v1/runs/{run}",                   [401, 401, 401, 401, 401, 200, 404, 401, 401]),
    ("PATCH",  "/v1/runs/{run}",                   [401, 401, 401, 401, 401, 200, 404, 401, 401]),
    ("DELETE", "/v1/runs/{run}",                   [401, 401, 401, 401, 401, 200, 404, 401, 401]),
    ("PUT",    "/v1/runs/{run}/details",           [401, 401, 401, 401, 401, 200, 404, 401, 401]),
    ("POST",   "/v1/runs/{run}/evidence",          [401, 401, 401, 401, 401, 200, 404, 401, 401]),
    ("GET",    "/v1/runs/{run}/artifacts",         [401, 401, 401, 401, 401, 200, 404, 401, 401]),
    ("GET",    "/v1/artifacts/{artifact}/download",[401, 401, 401, 401, 401, 200, 404, 401, 401]),
    ("PUT",    "/v1/contents/{sha256}",            [401, 401, 401, 401, 401, 200, 200, 401, 401]),
    ("GET",    "/v1/{*unknown}",                   [404, 404, 404, 404, 404, 404, 404, 404, 404]),
    // Pages for everybody.
    ("GET",  "/",                                  [200, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET",  "/signin",                            [200, 303, 303, 303, 303, 200, 200, 200, 200]),
    ("POST", "/signin",                            [422, 422, 422, 422, 422, 422, 422, 422, 422]),
    ("GET",  "/signup",                            [200, 303, 303, 303, 303, 200, 200, 200, 200]),
    ("POST", "/signup",                            [422, 422, 422, 422, 422, 422, 422, 422, 422]),
    ("POST", "/theme",                             [303, 303, 303, 303, 303, 303, 303, 303, 303]),
    ("GET",  "/static/{*path}",                    [200, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET",  "/dashboard",                         [303, 303, 303, 303, 303, 303, 303, 303, 303]),
    ("GET",  "/projects",                          [303, 303, 303, 303, 303, 303, 303, 303, 303]),
    // Pages for who is signed in; a key does not sign in.
    ("POST", "/signout",                           [401, 303, 303, 303, 303, 401, 401, 401, 401]),
    ("GET",  "/account",                           [303, 200, 200, 200, 200, 303, 303, 303, 303]),
    ("POST", "/projects",                          [401, 200, 200, 200, 200, 401, 401, 401, 401]),
    ("GET",  "/projects/new",                      [303, 200, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/current",                  [303, 303, 303, 303, 303, 303, 303, 303, 303]),
    ("GET",  "/projects/current/{*rest}",          [303, 303, 303, 303, 303, 303, 303, 303, 303]),
    // Pages of a project: to strangers it is not there.
    ("GET",  "/projects/{slug}",                   [303, 404, 303, 303, 303, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/connect",           [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/keys",              [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("POST", "/projects/{slug}/keys",              [401, 404, 403, 200, 200, 401, 401, 401, 401]),
    ("POST", "/projects/{slug}/keys/{key}/revoke", [401, 404, 403, 303, 303, 401, 401, 401, 401]),
    ("GET",  "/projects/{slug}/live",              [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/runs",              [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/runs/{run}",        [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/runs/{run}/logs",   [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/runs/{run}/logs/{position}/raw",       [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/runs/{run}/artifacts",                 [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/runs/{run}/artifacts/{artifact}",      [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/runs/{run}/artifacts/{artifact}/raw",  [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/runs/{run}/tables", [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/runs/{run}/code",   [303, 404, 200, 200, 200, 303, 303, 303, 303]),
    ("GET",  "/projects/{slug}/runs/{run}/code/{position}/raw",       [303, 404, 200, 200, 200, 303, 303, 303, 303]),
];

#[test]
fn every_route_is_in_the_matrix() {
    let in_matrix: BTreeSet<(String, String)> =
        MATRIX.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(in_matrix.len(), MATRIX.len(), "a route stands in the matrix twice");
    assert_eq!(in_matrix, routes_in_source(include_str!("../../src/routes.rs")));
}

#[tokio::test]
async fn every_route_answers_every_caller_as_the_matrix_says() {
    let world = World::new().await;
    let mut wrong = Vec::new();
    for (method, path, expected) in MATRIX {
        for (caller, expected) in CALLERS.into_iter().zip(expected) {
            let status = world.status(method, path, caller).await;
            if status != *expected {
                wrong.push(format!("{caller}: {method} {path} gives {status}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_foreign_run_and_one_that_never_was_get_the_same_answer() {
    let world = World::new().await;
    let foreign = world.fixture().await;
    for (method, path, _) in MATRIX.iter().filter(|(_, path, _)| path.starts_with("/v1/") && path.contains("{run}")) {
        let mut answers = Vec::new();
        for run in [foreign.run.as_str(), "0193e9a0-0000-7000-8000-000000000000", "exp999"] {
            let body = body_of(method, path).unwrap_or_default();
            let path = path.replace("{run}", run);
            let answer = world.app.api_raw(&world.foreign.key, method, &path, body).await;
            answers.push((answer.status, answer.text()));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{method} {path}: {answers:?}");
    }
}

/// `("GET", "/v1/runs")` and so on, read off the source of the URL table.
fn routes_in_source(source: &str) -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    for call in source.split(".route(\"").skip(1) {
        let (path, handlers) = call.split_once("\",").unwrap();
        let handlers = handlers.split(".layer(").next().unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            if handlers.contains(&format!(" {method}(")) || handlers.contains(&format!(".{method}(")) {
                routes.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    routes
}

struct World {
    app: TestApp,
    mine: TestProject,
    foreign: TestProject,
    revoked_key: String,
    expired_key: String,
}

/// A run with something of each kind, and a key, that a request may use up.
struct Fixture {
    run: String,
    artifact: String,
    key: String,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let mine = app.project("mine").await;
        let foreign = app.project("foreign").await;
        for (email, role) in [
            ("viewer@example.org", Some(Role::Viewer)),
            ("editor@example.org", Some(Role::Editor)),
            ("stranger@example.org", None),
        ] {
            app.account(email).await;
            if let Some(role) = role {
                let account = services::accounts::find(&app.app, email).await.unwrap();
                let mut connection = app.app.pool.acquire().await.unwrap();
                store::members::insert(&mut connection, ProjectId(mine.id), account.id, role, app.app.clock.now())
                    .await
                    .unwrap();
            }
        }
        let owner = services::accounts::find(&app.app, &mine.email).await.unwrap();
        let revoked = services::api_keys::create_for(&app.app, ProjectId(mine.id), &owner, "revoked").await.unwrap();
        let expired = services::api_keys::create_for(&app.app, ProjectId(mine.id), &owner, "expired").await.unwrap();
        for (id, column) in [(revoked.record.id, "revoked_at"), (expired.record.id, "expires_at")] {
            let update = sqlx::AssertSqlSafe(format!("UPDATE api_keys SET {column} = $2 WHERE id = $1"));
            sqlx::query(update).bind(id).bind(app.app.clock.now()).execute(&app.app.pool).await.unwrap();
        }
        Self { app, mine, foreign, revoked_key: revoked.key, expired_key: expired.key }
    }

    async fn status(&self, method: &str, pattern: &str, caller: &str) -> u16 {
        let fixture = if pattern.contains('{') { Some(self.fixture().await) } else { None };
        let mut path = pattern.replace("{slug}", &self.mine.slug).replace("{position}", "0");
        path = path.replace("{*unknown}", "nothing/here").replace("{*path}", "trace.css").replace("{*rest}", "runs");
        path = path.replace("{sha256}", &hex(b"content"));
        if let Some(fixture) = fixture {
            path = path
                .replace("{run}", &fixture.run)
                .replace("{artifact}", &fixture.artifact)
                .replace("{key}", &fixture.key);
        }
        let mut request = Request::builder().method(method).uri(path).header("sec-fetch-site", "same-origin");
        request = match self.credential(caller).await {
            Credential::None => request,
            Credential::Session(cookie) => request.header("cookie", cookie),
            Credential::Key(key) => request.header("authorization", format!("Bearer {key}")),
        };
        let is_form = method == "POST" && !pattern.starts_with("/v1/");
        request = request
            .header("content-type", if is_form { "application/x-www-form-urlencoded" } else { "application/json" });
        let request = request.body(Body::from(body_of(method, pattern).unwrap_or_default())).unwrap();
        if pattern.ends_with("/live") {
            return self.app.status_only(request).await.as_u16();
        }
        self.app.send(request).await.status.as_u16()
    }

    async fn credential(&self, caller: &str) -> Credential {
        match caller {
            "nobody" => Credential::None,
            "key" => Credential::Key(self.mine.key.clone()),
            "foreign key" => Credential::Key(self.foreign.key.clone()),
            "revoked key" => Credential::Key(self.revoked_key.clone()),
            "expired key" => Credential::Key(self.expired_key.clone()),
            "owner" => Credential::Session(self.session(&self.mine.email).await),
            person => Credential::Session(self.session(&format!("{person}@example.org")).await),
        }
    }

    /// A session of its own for each request, because one of them signs out.
    async fn session(&self, email: &str) -> String {
        let account = services::accounts::find(&self.app.app, email).await.unwrap();
        let session = services::sign_in::begin_session(&self.app.app, account, &Client::default()).await.unwrap();
        let cookie = session_cookie(&self.app.app, &session.token);
        format!("{}={}", cookie.name(), cookie.value())
    }

    async fn fixture(&self) -> Fixture {
        let key = &self.mine.key;
        let run = self.app.run(key, "matrix").await["id"].as_str().unwrap().to_owned();
        self.app.api_raw(key, "PUT", &format!("/v1/contents/{}", hex(b"content")), "content").await.expect(200);
        let details = json!({
            "artifacts": [{"original_path": "a.txt", "text_content": "text"}],
            "logs": [{"stream": "stdout", "text_content": "printed"}],
            "snapshot": {"files": [{"kind": "dirty_diff", "path": "d.diff", "hash": format!("sha256:{}", hex(b"content")), "size_bytes": 7}]},
        });
        self.app.api(key, "PUT", &format!("/v1/runs/{run}/details"), Some(details)).await.expect(200);
        let artifacts: Value =
            self.app.api(key, "GET", &format!("/v1/runs/{run}/artifacts"), None).await.expect(200).json();
        let artifact = artifacts["artifacts"][0]["id"].as_str().unwrap().to_owned();
        let owner = services::accounts::find(&self.app.app, &self.mine.email).await.unwrap();
        let made =
            services::api_keys::create_for(&self.app.app, ProjectId(self.mine.id), &owner, "matrix").await.unwrap();
        Fixture { run, artifact, key: made.record.id.to_string() }
    }
}

enum Credential {
    None,
    Session(String),
    Key(String),
}

/// A body that the route takes.
fn body_of(method: &str, path: &str) -> Option<String> {
    let json = match (method, path) {
        ("PATCH", "/v1/projects/current/workspace") => json!({"workspace_name": "w", "working_directory": "/w"}),
        ("POST", "/v1/runs") => json!({"intent": "i", "setup": "s", "command": "c"}),
        ("PATCH", "/v1/runs/{run}") => json!({"status": "running"}),
        ("PUT", "/v1/runs/{run}/details") => json!({"results": []}),
        ("POST", "/v1/runs/{run}/evidence") => json!({"evidence": []}),
        ("PUT", "/v1/contents/{sha256}") => return Some("content".to_owned()),
        ("POST", "/projects") => return Some("name=New&description=".to_owned()),
        ("POST", "/projects/{slug}/keys") => return Some("name=laptop".to_owned()),
        ("POST", "/signin") => return Some("email=nobody%40example.org&password=wrong".to_owned()),
        ("POST", "/signup") => return Some("email=nobody&name=n&password=short".to_owned()),
        ("POST", "/theme") => return Some("theme=dark&next=%2F".to_owned()),
        _ => return None,
    };
    Some(json.to_string())
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
