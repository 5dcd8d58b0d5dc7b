//! What the browser finds on a server: a project as a research group would have it, and one whose every text is too
//! long for its place.

use otrace_server::testing::{PASSWORD, TestApp, TestServer};
use serde_json::Value;

use super::recorded::{RUNS, record};
use super::too_long::record_too_long;
use super::{Browser, site};

/// A server with two projects of runs and an empty one, and who owns them.
pub(super) struct Demo {
    pub(super) server: TestServer,
    pub(super) cookie: String,
    pub(super) project: Project,
    /// The project of long texts.
    pub(super) long: Project,
}

/// A project in which the run that shows most is known.
pub(super) struct Project {
    pub(super) base: String,
    key: String,
    run: &'static str,
}

/// A page: what a picture of it is called, and how it is reached.
pub(super) struct Page {
    pub(super) name: &'static str,
    path: String,
    is_for_strangers: bool,
    /// The page that answers the form of a new key.
    is_new_key: bool,
}

impl Demo {
    pub(super) async fn new() -> Self {
        let server = TestServer::start().await;
        let person = [("name", "Mira Solberg"), ("email", "mira@halden.example"), ("password", PASSWORD)];
        let cookie = TestApp::cookie_of(&server.app.post("", "/signup", &person).await.expect(303));
        let about = "How small can a wake word model get before it stops hearing children? Target: 12 KB, 97 %.";
        new_project(&server.app, &cookie, "Digits on a budget", "Under 5 000 parameters.").await;
        let (base, key) = new_project(&server.app, &cookie, &"W".repeat(100), &"long".repeat(200)).await;
        let long = Project { base, key, run: "exp001" };
        let (base, key) = new_project(&server.app, &cookie, "Wake word in 12 KB", about).await;
        let project = Project { base, key, run: "exp007" };
        record_too_long(&server.app, &long.key).await;
        for run in &RUNS {
            record(&server.app, &project.key, run).await;
        }
        Self { server, cookie, project, long }
    }

    /// Every page that there is, those for strangers first.
    pub(super) async fn pages(&self) -> Vec<Page> {
        let stranger = |name, path: &str| Page { is_for_strangers: true, ..Page::new(name, path) };
        let mut pages = vec![
            stranger("signin", "/signin"),
            stranger("signup", "/signup"),
            stranger("landing", "/"),
            Page::new("projects", "/"),
            Page::new("new-project", "/projects/new"),
            Page::new("account", "/account"),
            Page::new("not-found", "/no/such/page"),
        ];
        pages.extend(self.pages_of(&self.project).await);
        pages
    }

    /// The pages of a project.
    pub(super) async fn pages_of(&self, Project { base, key, run }: &Project) -> Vec<Page> {
        let listed = self.server.get_json(key, &format!("/v1/runs/{run}/artifacts")).await;
        let artifact = |ending: &str| -> String {
            let artifacts = listed["artifacts"].as_array().unwrap();
            let is_wanted = |artifact: &&Value| artifact["original_path"].as_str().unwrap().ends_with(ending);
            artifacts.iter().find(is_wanted).unwrap()["id"].as_str().unwrap().to_owned()
        };
        let run = format!("{base}/runs/{run}");
        vec![
            Page::new("connect", &format!("{base}/connect")),
            Page::new("keys", &format!("{base}/keys")),
            Page { is_new_key: true, ..Page::new("new-key", &format!("{base}/keys")) },
            Page::new("runs", &format!("{base}/runs")),
            Page::new("runs-none", &format!("{base}/runs?status=created")),
            Page::new("run", &run),
            Page::new("logs", &format!("{run}/logs")),
            Page::new("artifacts", &format!("{run}/artifacts")),
            Page::new("artifact-text", &format!("{run}/artifacts/{}", artifact("metrics.json"))),
            Page::new("artifact-image", &format!("{run}/artifacts/{}", artifact("curve.png"))),
            Page::new("tables", &format!("{run}/tables")),
            Page::new("code", &format!("{run}/code")),
        ]
    }
}

impl Page {
    fn new(name: &'static str, path: &str) -> Self {
        Self { name, path: path.to_owned(), is_for_strangers: false, is_new_key: false }
    }

    /// Opens it. Pages for strangers come first, so that nobody needs to sign out.
    pub(super) async fn open(&self, browser: &Browser, demo: &Demo) {
        if !self.is_for_strangers {
            browser.be(&demo.cookie).await;
        }
        browser.visit(&format!("{}{}", site(&demo.server), self.path)).await;
        if self.is_new_key {
            browser.fill("#name", "gpu-node-04").await;
            browser.press("form.newkey button").await;
            browser.shows(&["Shown once"]).await;
        }
    }
}

/// Makes a project; returns where its pages are, and its first key.
pub(super) async fn new_project(app: &TestApp, cookie: &str, name: &str, description: &str) -> (String, String) {
    let page = app.post(cookie, "/projects", &[("name", name), ("description", description)]).await.expect(200).text();
    let (_, rest) = page.split_once("data-address=\"").unwrap();
    let (base, rest) = rest.split_once("/connect\"").unwrap();
    let key: String = rest[rest.find("trc_").unwrap()..].chars().take(42).collect();
    (base.to_owned(), key)
}
