//! What the browser finds on a server: a project as a research group would have it, and one whose every text is too
//! long for its place; the people around both.

mod crowd;
mod deeds;
mod pages;
mod settled;

use otrace_server::config::Config;
use otrace_server::domain::audit::Chain;
use otrace_server::providers::{ProviderKind, ProviderSettings};
use otrace_server::testing::{TestApp, TestServer};
use serde_json::json;

use super::recorded::{MACHINE_NOTE, NOTES, RUNS, record};
use super::too_long::record_too_long;
use crowd::Links;

pub(super) use pages::Page;
pub(super) use settled::{Message, message, rule, webhook};

/// Who runs the server, and owns its projects.
const MIRA: &str = "mira@halden.example";

/// A server with two projects of runs and an empty one, and who owns them. It sends mail, and people can sign in
/// through providers.
pub(super) struct Demo {
    pub(super) server: TestServer,
    /// Another one, on which nobody has an account. It can't send mail, and has no provider.
    fresh: TestServer,
    pub(super) cookie: String,
    pub(super) project: Project,
    /// The project of long texts.
    pub(super) long: Project,
    links: Links,
}

/// A project in which the run that shows most is known.
pub(super) struct Project {
    pub(super) base: String,
    key: String,
    run: &'static str,
    /// Where the link of an open invitation leads.
    invitation: String,
    /// Where the page of a webhook is.
    webhook: String,
}

impl Demo {
    pub(super) async fn new() -> Self {
        let server = TestServer::with(with_mail_and_providers).await;
        let fresh = TestServer::start().await;
        crowd::arrive(&server.app).await;
        let cookie = server.app.session(MIRA).await;
        let about = "How small can a wake word model get before it stops hearing children? Target: 12 KB, 97 %.";
        new_project(&server.app, &cookie, "Digits on a budget", "Under 5 000 parameters.").await;
        let (base, key) = new_project(&server.app, &cookie, &"W".repeat(100), &"long".repeat(200)).await;
        let invitation = crowd::gather(&server.app, &base, true).await;
        record_too_long(&server.app, &key).await;
        let webhook = settled::settle(&server.app, &cookie, &base, true).await;
        let long = Project { base, key, run: "exp001", invitation, webhook };
        let (base, key) = new_project(&server.app, &cookie, "Wake word in 12 KB", about).await;
        let invitation = crowd::gather(&server.app, &base, false).await;
        for run in &RUNS {
            record(&server.app, &key, run).await;
        }
        let webhook = settled::settle(&server.app, &cookie, &base, false).await;
        let project = Project { base, key, run: "exp007", invitation, webhook };
        deeds::record(&server.app, Chain::Server, true).await;
        project.write_notes(&server.app, &cookie).await;
        let links = Links::make(&server.app).await;
        Self { server, fresh, cookie, project, long, links }
    }
}

impl Project {
    /// Has Mira write on some of its runs, and a machine on the one that shows most.
    async fn write_notes(&self, app: &TestApp, cookie: &str) {
        for (run, text) in NOTES {
            app.post(cookie, &format!("{}/runs/{run}/notes", self.base), &[("text", text)]).await.expect(303);
        }
        let note = json!({"text": MACHINE_NOTE});
        app.api(&self.key, "POST", &format!("/v1/runs/{}/notes", self.run), Some(note)).await.expect(200);
    }
}

fn with_mail_and_providers(config: &mut Config) {
    // Nobody listens there: the letters come back in the background.
    config.mail.smtp_url = Some("smtp://localhost:9".into());
    let oidc = |issuer: &str| ProviderKind::Oidc { issuer: issuer.parse().unwrap() };
    let providers = [
        ("google", "Google", oidc(crowd::GOOGLE)),
        ("github", "GitHub", ProviderKind::GitHub),
        ("sso", "The single sign-on of Halden University's research computing", oidc("https://sso.halden.example")),
    ];
    // None is asked before somebody signs in.
    config.sign_in.more_providers = providers
        .map(|(name, label, kind)| ProviderSettings {
            name: name.to_owned(),
            label: label.to_owned(),
            kind,
            client_id: "trace".to_owned(),
            client_secret: Some("nothing secret".into()),
            trust_email: false,
        })
        .into();
}

/// Makes a project; returns where its pages are, and its first key.
pub(super) async fn new_project(app: &TestApp, cookie: &str, name: &str, description: &str) -> (String, String) {
    let page = app.post(cookie, "/projects", &[("name", name), ("description", description)]).await.expect(200).text();
    let (_, rest) = page.split_once("data-address=\"").unwrap();
    let (base, rest) = rest.split_once("/connect\"").unwrap();
    let key: String = rest[rest.find("trc_").unwrap()..].chars().take(42).collect();
    (base.to_owned(), key)
}
