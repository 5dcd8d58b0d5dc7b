//! Who may do what in a project, and what its keys, tokens and links open.

mod admin;
mod audit;
mod chain;
mod devices;
mod invitations;
mod keys;
mod members;
mod model;
mod run_tokens;
mod streams;
mod tickets;

use std::collections::BTreeMap;

use otrace_server::auth::sessions::SessionHash;
use otrace_server::auth::{Client, ProjectMember, SignedIn};
use otrace_server::config::Config;
use otrace_server::domain::{Account, Actor, Role};
use otrace_server::services;
use otrace_server::services::accounts::SignUp;
use otrace_server::services::api_keys::{NewKey, NewKeyInput};
use otrace_server::services::projects::NewProject;
use otrace_server::testing::{PASSWORD, TestApp, TestProject, TestResponse};

/// Who runs the server, and is in no project.
const ADMIN: &str = "admin@example.org";
const OWNER: &str = "owner@example.org";
const EDITOR: &str = "editor@example.org";
const VIEWER: &str = "viewer@example.org";
/// Who has an account, and is in no project.
const STRANGER: &str = "stranger@example.org";

/// A project with an owner, an editor and a viewer, on a server that somebody else runs.
struct Team {
    app: TestApp,
    project: TestProject,
}

impl Team {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(settings: impl FnOnce(&mut Config)) -> Self {
        let app = TestApp::with(settings).await;
        // The first account runs the server.
        for email in [ADMIN, OWNER, EDITOR, VIEWER, STRANGER] {
            person(&app, email).await;
        }
        let project = project_of(&app, OWNER, "wake-word").await;
        app.join(&project, EDITOR, Role::Editor).await;
        app.join(&project, VIEWER, Role::Viewer).await;
        Self { app, project }
    }

    /// The address of one of the project's pages.
    fn path(&self, page: &str) -> String {
        format!("/projects/{}/{page}", self.project.slug)
    }

    /// Sends a form as somebody who has signed in just now.
    async fn post(&self, email: &str, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let cookie = self.app.session(email).await;
        self.app.post(&cookie, path, fields).await
    }

    /// Opens a page as somebody who has signed in just now.
    async fn get(&self, email: &str, path: &str) -> TestResponse {
        let cookie = self.app.session(email).await;
        self.app.get(&cookie, path).await
    }

    async fn account(&self, email: &str) -> Account {
        services::accounts::find(&self.app.app, email).await.unwrap()
    }

    async fn id(&self, email: &str) -> String {
        self.account(email).await.id.to_string()
    }

    /// A member as a request's extractor finds them.
    async fn member(&self, email: &str) -> ProjectMember {
        let account = self.account(email).await;
        let found = services::projects::find_for(&self.app.app, &account, &self.project.slug).await.unwrap();
        let (project, role) = found.unwrap();
        ProjectMember { account, project, role, client: Client::default() }
    }

    /// Somebody who has signed in just now, as a request's extractor finds them.
    async fn signed_in(&self, email: &str) -> SignedIn {
        let account = self.account(email).await;
        let (session, authenticated_at) = (SessionHash([0; 32]), self.app.app.clock.now());
        SignedIn { account, session, authenticated_at, client: Client::default() }
    }

    /// A key that a member made.
    async fn key_of(&self, email: &str, input: NewKeyInput) -> NewKey {
        services::api_keys::create(&self.app.app, &self.member(email).await, input).await.unwrap()
    }

    /// What a key gets that asks for something harmless.
    async fn status_of_key(&self, key: &str) -> u16 {
        self.app.api(key, "GET", "/v1/runs/count", None).await.status.as_u16()
    }

    /// Closes an account.
    async fn close(&self, email: &str) {
        let path = format!("/admin/accounts/{}/disable", self.id(email).await);
        self.post(ADMIN, &path, &[]).await.expect(303);
    }

    /// The project's members with their roles.
    async fn roles(&self) -> BTreeMap<String, String> {
        let sql =
            "SELECT a.email, m.role FROM members m JOIN accounts a ON a.id = m.account_id WHERE m.project_id = $1";
        let rows: Vec<(String, String)> =
            sqlx::query_as(sql).bind(self.project.id).fetch_all(&self.app.app.pool).await.unwrap();
        rows.into_iter().collect()
    }

    /// Makes these the only members.
    async fn let_only(&self, members: &[(&str, Role)]) {
        let sql = "DELETE FROM members WHERE project_id = $1";
        sqlx::query(sql).bind(self.project.id).execute(&self.app.app.pool).await.unwrap();
        for (email, role) in members {
            self.app.join(&self.project, email, *role).await;
        }
    }

    /// How many owners the project has whose accounts are open.
    async fn open_owners(&self) -> i64 {
        self.count(
            "SELECT count(*) FROM members m JOIN accounts a ON a.id = m.account_id
             WHERE m.role = 'owner' AND a.disabled_at IS NULL",
        )
        .await
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.app.app.pool).await.unwrap()
    }
}

/// Makes an account, whatever the rule of signing up.
async fn person(app: &TestApp, email: &str) {
    let input = SignUp { email: email.to_owned(), name: String::new(), password: PASSWORD.to_owned() };
    services::accounts::create(&app.app, input, &Actor::command()).await.unwrap();
}

/// Makes a project with a key for somebody who has an account.
async fn project_of(app: &TestApp, email: &str, name: &str) -> TestProject {
    let owner = services::accounts::find(&app.app, email).await.unwrap();
    let input = NewProject { name: name.to_owned(), description: String::new() };
    let project = services::projects::create(&app.app, &owner, &Actor::command(), input).await.unwrap();
    let key = app.key(&project, &owner, NewKeyInput::named("test key")).await;
    TestProject {
        id: project.id.0,
        slug: project.slug,
        name: project.name,
        email: email.to_owned(),
        key: key.key,
        key_id: key.record.id.0,
        cookie: app.session(email).await,
    }
}

/// The secret in a page that begins so, such as `trc_`; not the part of one that any page may show.
#[track_caller]
fn secret_in(page: &TestResponse, prefix: &str) -> String {
    let text = page.text();
    let from = |start: usize| -> String {
        text[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let found = text.match_indices(prefix).map(|(start, _)| from(start)).max_by_key(String::len);
    found.filter(|secret| secret.len() > 40).unwrap_or_else(|| panic!("no {prefix}… in {text}"))
}

/// The statuses of two requests that were sent at once, the lower first.
fn statuses(one: &TestResponse, other: &TestResponse) -> [u16; 2] {
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    statuses
}
