//! Open pages hear nothing more once their reader may not: over a real socket.

use std::time::Duration;

use otrace_server::domain::{AccountId, Actor, Role};
use otrace_server::services;
use otrace_server::services::accounts::SignUp;
use otrace_server::testing::{PASSWORD, TestProject, TestServer};
use reqwest::Response;
use reqwest::redirect::Policy;
use tokio::time::timeout;
use uuid::Uuid;

use super::person;

/// So soon a page hears nothing more.
const AT_ONCE: Duration = Duration::from_secs(5);
/// What is not heard within this time is not heard: a guard, nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
const READER: &str = "reader@example.org";

/// A server with a project whose owner runs the server, and a reader with an open page.
struct Reading {
    server: TestServer,
    project: TestProject,
    cookie: String,
    page: Response,
}

impl Reading {
    async fn new() -> Self {
        let server = TestServer::start().await;
        is_listening(&server).await;
        let project = server.project("wake-word").await;
        person(&server.app, READER).await;
        server.app.join(&project, READER, Role::Viewer).await;
        let cookie = server.app.session(READER).await;
        let page = open(&server, &project, &cookie).await;
        Self { server, project, cookie, page }
    }

    async fn reader(&self) -> Uuid {
        services::accounts::find(&self.server.app.app, READER).await.unwrap().id.0
    }

    /// Sends a form as the owner, who runs the server too.
    async fn owner_does(&self, path: &str, fields: &[(&str, &str)]) {
        self.server.app.post(&self.project.cookie, path, fields).await.expect(303);
    }

    /// Sends a form as the reader, with the session of the open page.
    async fn reader_does(&self, path: &str, fields: &[(&str, &str)]) {
        let answer = self.server.app.post(&self.cookie, path, fields).await;
        assert!(answer.status.as_u16() < 400, "{path}: {} {}", answer.status, answer.text());
    }

    async fn ends(mut self) {
        assert!(has_ended(&mut self.page).await, "the page still listens");
        // And it does not begin anew.
        let response = request(&self.server, &self.project, &self.cookie).await;
        assert!([303, 404].contains(&response.status().as_u16()), "{}", response.status());
    }
}

/// Waits until the server hears what it tells itself: it begins to listen while it serves already.
async fn is_listening(server: &TestServer) {
    let live = &server.app.app.live;
    let mut changes = live.subscribe_to_access_changes();
    let probe = AccountId::new();
    let hear_it = async {
        loop {
            live.publish_access_change(probe);
            if let Ok(Ok(heard)) = timeout(Duration::from_millis(100), changes.recv()).await
                && heard == probe
            {
                return;
            }
        }
    };
    timeout(PATIENCE, hear_it).await.expect("the server listens");
}

async fn request(server: &TestServer, project: &TestProject, cookie: &str) -> Response {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .tls_certs_only(std::iter::empty())
        .build()
        .unwrap();
    let url = format!("{}/projects/{}/live", server.url(), project.slug);
    timeout(PATIENCE, client.get(url).header("cookie", cookie).send()).await.expect("an answer in time").unwrap()
}

/// An open page that has heard something: from then on it hears of its reader as well.
async fn open(server: &TestServer, project: &TestProject, cookie: &str) -> Response {
    let mut page = request(server, project, cookie).await;
    assert_eq!(page.status().as_u16(), 200);
    hears_of_a_run(server, project, &mut page).await;
    page
}

/// Records a run, and waits until the page has heard of it.
async fn hears_of_a_run(server: &TestServer, project: &TestProject, page: &mut Response) {
    let run = server.app.run(&project.key, "heard").await;
    let experiment = run["experiment_id"].as_str().unwrap().to_owned();
    let hear_it = async {
        let mut text = String::new();
        while !text.contains(&experiment) {
            let chunk = page.chunk().await.unwrap().expect("the stream goes on");
            text.push_str(str::from_utf8(&chunk).unwrap());
        }
    };
    timeout(PATIENCE, hear_it).await.expect("an event in time");
}

/// Whether the stream of a page ends at once, whatever it says before.
async fn has_ended(page: &mut Response) -> bool {
    timeout(AT_ONCE, async { while page.chunk().await.unwrap().is_some() {} }).await.is_ok()
}

#[tokio::test]
async fn the_page_of_a_member_who_is_removed_ends() {
    let reading = Reading::new().await;
    let remove = format!("/projects/wake-word/members/{}/remove", reading.reader().await);
    reading.owner_does(&remove, &[]).await;
    reading.ends().await;
}

#[tokio::test]
async fn the_page_of_a_member_who_leaves_ends() {
    let reading = Reading::new().await;
    reading.reader_does("/projects/wake-word/leave", &[]).await;
    reading.ends().await;
}

#[tokio::test]
async fn the_pages_of_a_closed_account_end() {
    let reading = Reading::new().await;
    let disable = format!("/admin/accounts/{}/disable", reading.reader().await);
    reading.owner_does(&disable, &[]).await;
    reading.ends().await;
}

#[tokio::test]
async fn the_pages_of_all_sessions_end_when_they_are_ended() {
    let reading = Reading::new().await;
    reading.reader_does("/account/sessions/end-all", &[]).await;
    reading.ends().await;
}

#[tokio::test]
async fn the_pages_of_a_session_end_when_it_signs_out() {
    let reading = Reading::new().await;
    reading.reader_does("/signout", &[]).await;
    reading.ends().await;
}

#[tokio::test]
async fn the_pages_of_other_sessions_end_with_the_old_password() {
    let reading = Reading::new().await;
    let elsewhere = reading.server.app.session(READER).await;
    let fields = [("current", PASSWORD), ("password", "unrelated words in a row")];
    reading.server.app.post(&elsewhere, "/account/password", &fields).await.expect(303);
    reading.ends().await;
}

#[tokio::test]
async fn one_session_is_ended_and_the_pages_of_another_go_on() {
    let reading = Reading::new().await;
    let app = &reading.server.app;
    // Only the open page's so far.
    let sql = "SELECT s.id FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE a.email = $1";
    let session: Uuid = sqlx::query_scalar(sql).bind(READER).fetch_one(&app.app.pool).await.unwrap();
    let other = app.session(READER).await;
    let mut other_page = open(&reading.server, &reading.project, &other).await;
    app.post(&other, &format!("/account/sessions/{session}/end"), &[]).await.expect(303);
    let Reading { server, project, mut page, .. } = reading;
    assert!(has_ended(&mut page).await, "the page still listens");
    hears_of_a_run(&server, &project, &mut other_page).await;
}

#[tokio::test]
async fn the_pages_of_others_and_of_members_with_another_role_go_on() {
    let mut reading = Reading::new().await;
    let app = &reading.server.app;
    let input = SignUp { email: "gone@example.org".into(), name: String::new(), password: PASSWORD.into() };
    let gone = services::accounts::create(&app.app, input, &Actor::command()).await.unwrap();
    app.join(&reading.project, &gone.email, Role::Viewer).await;
    reading.owner_does(&format!("/projects/wake-word/members/{}/remove", gone.id), &[]).await;
    let role = format!("/projects/wake-word/members/{}/role", reading.reader().await);
    for name in ["editor", "viewer"] {
        reading.owner_does(&role, &[("role", name)]).await;
        hears_of_a_run(&reading.server, &reading.project, &mut reading.page).await;
    }
}
