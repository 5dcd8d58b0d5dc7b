//! Webhooks: what is told, to whom, how often, and who may have it told.

mod addresses;
mod pages;
mod receiver;
mod telling;
mod trying;

use otrace_server::services;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};
use time::Duration;

use receiver::Receiver;

const ALL_EVENTS: [&str; 5] =
    ["run.completed", "run.failed", "run.capture_failed", "run.out_of_contact", "run.back_in_contact"];

/// A project on a server whose webhooks may go to this machine.
struct World {
    app: TestApp,
    project: TestProject,
}

/// A webhook, as its owner knows it.
struct Hook {
    id: String,
    /// `whsec_…`.
    secret: String,
    /// Its page.
    url: String,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::with(|config| config.webhooks.webhook_allow = vec!["127.0.0.1".to_owned()]).await;
        let project = app.project("Wake word").await;
        Self { app, project }
    }

    /// Makes a webhook that tells all there is.
    async fn hook(&self, url: &str, format: &str) -> Hook {
        let mut fields = vec![("name", "CI"), ("url", url), ("format", format)];
        fields.extend(ALL_EVENTS.map(|event| ("event", event)));
        let page = self.app.post(&self.project.cookie, &self.path(""), &fields).await.expect(200);
        assert_eq!(page.header("cache-control"), "no-store");
        let page = page.text();
        let (_, secret) = page.split_once("id=\"secret\">").unwrap();
        let (_, id) = page.split_once(&format!("href=\"{}/", self.path(""))).unwrap();
        let (secret, id) = (secret.split_once('<').unwrap().0, id.split_once('"').unwrap().0);
        Hook { secret: secret.to_owned(), id: id.to_owned(), url: self.path(&format!("/{id}")) }
    }

    fn path(&self, below: &str) -> String {
        format!("/projects/{}/settings/webhooks{below}", self.project.slug)
    }

    /// Records a run; returns its name.
    async fn run(&self) -> String {
        let run = self.app.run(&self.project.key, "does it converge?").await;
        run["experiment_id"].as_str().unwrap().to_owned()
    }

    async fn patch(&self, run: &str, outcome: Value) {
        self.app.api(&self.project.key, "PATCH", &format!("/v1/runs/{run}"), Some(outcome)).await.expect(200);
    }

    /// Records a run that has failed; returns its name.
    async fn failed_run(&self) -> String {
        let run = self.run().await;
        self.patch(&run, json!({"status": "failed", "exit_code": 1})).await;
        run
    }

    /// Sends what is due; returns how many messages there were.
    async fn deliver(&self) -> usize {
        services::webhooks::deliver_due(&self.app.app).await.unwrap()
    }

    fn advance(&self, by: Duration) {
        self.app.app.clock.advance(by);
    }

    /// A page of the owner's, whose session may have ended by now.
    async fn page(&self, path: &str) -> String {
        let cookie = self.app.session(&self.project.email).await;
        self.app.get(&cookie, path).await.expect(200).text()
    }

    /// Sends a form of the owner's.
    async fn post(&self, path: &str, fields: &[(&str, &str)], status: u16) -> String {
        let cookie = self.app.session(&self.project.email).await;
        let answer = self.app.post(&cookie, path, fields).await.expect(status);
        if status == 303 { answer.header("location").to_owned() } else { answer.text() }
    }

    async fn count(&self, table: &'static str) -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(sql).fetch_one(&self.app.app.pool).await.unwrap()
    }
}

/// A world with a webhook, and who hears it.
async fn listening() -> (World, Hook, Receiver) {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let hook = world.hook(&receiver.url, "trace").await;
    (world, hook, receiver)
}
