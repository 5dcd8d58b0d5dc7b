//! The whole app, called in process, and the people and machines that call it.

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use time::macros::datetime;
use tower::ServiceExt;
use uuid::Uuid;

use super::{PASSWORD, TestDatabase, TestResponse};
use crate::app::AppState;
use crate::auth::Client;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::{Config, DatabaseConfig, HttpConfig};
use crate::domain::{Account, Actor, Project, ProjectId, Role};
use crate::error::AppError;
use crate::live::Live;
use crate::routes;
use crate::services;
use crate::services::accounts::SignUp;
use crate::services::api_keys::{NewKey, NewKeyInput};
use crate::services::projects::NewProject;
use crate::store;
use crate::tokens::Tokens;

/// The whole app on a fresh schema and an empty folder, with a clock that stands still.
#[derive(Debug)]
pub struct TestApp {
    /// The app itself, to look behind its answers.
    pub app: AppState,
    router: Router,
    contents: TempDir,
}

/// An account with a project and a key in it.
#[derive(Clone, Debug)]
pub struct TestProject {
    /// The project's id.
    pub id: Uuid,
    /// Its name in URLs.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Its owner's e-mail address; the password is [`PASSWORD`].
    pub email: String,
    /// A key of it.
    pub key: String,
    /// That key's id.
    pub key_id: Uuid,
    /// The owner's session, as the `Cookie` header holds it.
    pub cookie: String,
}

impl TestApp {
    /// Starts it, called `http://localhost:8000`.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts it with other settings.
    pub async fn with(settings: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::frozen_at(datetime!(2026-06-01 12:00 UTC));
        Self::start(HttpConfig::local(([127, 0, 0, 1], 8000).into()), clock, settings).await
    }

    /// Starts it with the machine's clock, for what has a time of its own, such as a provider's tokens.
    pub async fn at_real_time(settings: impl FnOnce(&mut Config)) -> Self {
        Self::start(HttpConfig::local(([127, 0, 0, 1], 8000).into()), Clock::System, settings).await
    }

    pub(super) async fn start(http: HttpConfig, clock: Clock, settings: impl FnOnce(&mut Config)) -> Self {
        let contents = tempfile::tempdir().unwrap();
        let database = TestDatabase::new().await;
        let mut config = Config {
            instance_name: Some("Halden Lab".to_owned()),
            cheap_passwords: true,
            ..Config::new(http, DatabaseConfig::at("postgres:///unused"))
        };
        settings(&mut config);
        let blobs = match config.storage.storage_url {
            Some(_) => Blobs::open(&config).unwrap(),
            None => Blobs::in_folder(contents.path()).unwrap(),
        };
        let live = Live::start(database.pool.clone());
        let tokens = Tokens::with_new_key(config.public_url_str(), clock.now()).unwrap();
        let app = AppState::new(config, clock, database.pool, blobs, live, tokens).unwrap();
        Self { router: routes::router(app.clone()), app, contents }
    }

    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Sends a request.
    pub async fn send(&self, request: Request<Body>) -> TestResponse {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        TestResponse { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request and does not wait for the answer's body, which may never end.
    pub async fn status_only(&self, request: Request<Body>) -> StatusCode {
        self.router.clone().oneshot(request).await.unwrap().status()
    }

    /// Sends JSON, or nothing, with a key.
    pub async fn api(&self, key: &str, method: &str, path: &str, body: Option<Value>) -> TestResponse {
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.api_raw(key, method, path, body).await
    }

    /// Sends any body with a key.
    pub async fn api_raw(&self, key: &str, method: &str, path: &str, body: impl Into<Body>) -> TestResponse {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {key}"))
            .header(CONTENT_TYPE, "application/json")
            .body(body.into())
            .unwrap();
        self.send(request).await
    }

    /// Sends nothing with a key and these headers.
    pub async fn api_with(&self, key: &str, method: &str, path: &str, headers: &[(&str, String)]) -> TestResponse {
        let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, format!("Bearer {key}"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Where its contents are, unless its settings say otherwise.
    pub fn contents_folder(&self) -> &Path {
        self.contents.path()
    }

    /// Opens a page with a session, or with an empty cookie.
    pub async fn get(&self, cookie: &str, path: &str) -> TestResponse {
        self.send(Request::get(path).header(COOKIE, cookie).body(Body::empty()).unwrap()).await
    }

    /// Sends a form with a session, as a browser does from one of our own pages.
    pub async fn post(&self, cookie: &str, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(COOKIE, cookie)
            .header(CONTENT_LENGTH, form.len())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(form))
            .unwrap();
        self.send(request).await
    }

    /// The session that an answer begins, as the `Cookie` header holds it.
    pub fn cookie_of(response: &TestResponse) -> String {
        let cookies = response.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        let session = cookies.filter(|cookie| cookie.contains("otrace_session="));
        session.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ")
    }

    /// Signs an account up; returns its session, as the `Cookie` header holds it.
    pub async fn account(&self, email: &str) -> String {
        let input = SignUp { email: email.to_owned(), name: String::new(), password: PASSWORD.to_owned() };
        // Passwords are hashed a few at a time: on a busy machine the turn may take longer than a person would wait.
        let session = loop {
            match services::accounts::sign_up(&self.app, input.clone(), &Client::default()).await {
                Err(AppError::Unavailable(_)) => {}
                session => break session.unwrap(),
            }
        };
        let cookie = crate::auth::session_cookie(&self.app, &session.token);
        format!("{}={}", cookie.name(), cookie.value())
    }

    /// Makes an account, a project of this name and a key.
    pub async fn project(&self, name: &str) -> TestProject {
        let email = format!("{}@example.org", Uuid::now_v7().simple());
        let cookie = self.account(&email).await;
        let owner = services::accounts::find(&self.app, &email).await.unwrap();
        let input = NewProject { name: name.to_owned(), description: "What makes it better?".to_owned() };
        let project = services::projects::create(&self.app, &owner, &Actor::command(), input).await.unwrap();
        let key = self.key(&project, &owner, NewKeyInput::named("test key")).await;
        TestProject {
            id: project.id.0,
            slug: project.slug,
            name: project.name,
            email,
            key: key.key,
            key_id: key.record.id.0,
            cookie,
        }
    }

    /// Makes a key for a project in somebody's name.
    pub async fn key(&self, project: &Project, owner: &Account, input: NewKeyInput) -> NewKey {
        services::api_keys::create_for(&self.app, project.id, owner, &Actor::command(), input).await.unwrap()
    }

    /// Makes another key of a project, in its owner's name.
    pub async fn another_key(&self, project: &TestProject, input: NewKeyInput) -> NewKey {
        let owner = services::accounts::find(&self.app, &project.email).await.unwrap();
        let project_id = ProjectId(project.id);
        services::api_keys::create_for(&self.app, project_id, &owner, &Actor::command(), input).await.unwrap()
    }

    /// Makes an account a member of a project.
    pub async fn join(&self, project: &TestProject, email: &str, role: Role) {
        let account = services::accounts::find(&self.app, email).await.unwrap();
        let mut connection = self.app.pool.acquire().await.unwrap();
        let now = self.app.clock.now();
        assert!(store::members::insert(&mut connection, ProjectId(project.id), account.id, role, now).await.unwrap());
    }

    /// A new session of an account, as the `Cookie` header holds it.
    pub async fn session(&self, email: &str) -> String {
        let account = services::accounts::find(&self.app, email).await.unwrap();
        let session = services::sign_in::begin_session(&self.app, account, &Client::default()).await.unwrap();
        let cookie = crate::auth::session_cookie(&self.app, &session.token);
        format!("{}={}", cookie.name(), cookie.value())
    }

    /// Creates a run with the least that it needs; returns it as the API tells it.
    pub async fn run(&self, key: &str, intent: &str) -> Value {
        let body = serde_json::json!({"intent": intent, "setup": "as before", "command": "true"});
        self.api(key, "POST", "/v1/runs", Some(body)).await.expect(200).json()["run"].clone()
    }
}
