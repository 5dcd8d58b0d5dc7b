//! Every page that there is, and how it is reached.

use otrace_server::testing::TestServer;
use serde_json::Value;

use super::super::{Browser, site};
use super::{Demo, MIRA, Project};

/// A page: what a picture of it is called, and how it is reached.
pub(in crate::browser) struct Page {
    pub(in crate::browser) name: &'static str,
    path: String,
    reader: Reader,
    act: Act,
}

/// Who opens a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Who runs the server.
    Mira,
    /// Nobody in particular.
    Stranger,
    /// The first who comes to a server.
    First,
}

/// What is done until the page is the one that is meant.
#[derive(Clone, Copy)]
enum Act {
    Nothing,
    /// Before it is opened, this becomes the rule of signing up.
    Rule(&'static str),
    SignInWrongly,
    MakeKey,
    RotateKey,
    Invite,
    MakeSecret,
    MakeResetLink,
}

impl Demo {
    /// The server's own pages, those for strangers first.
    pub(in crate::browser) fn pages_of_server(&self) -> Vec<Page> {
        let links = &self.links;
        let stranger = Page::for_strangers;
        let ruled = |name, rule| Page { act: Act::Rule(rule), ..stranger(name, "/signup") };
        let first = |name, path| Page { reader: Reader::First, ..Page::new(name, path) };
        vec![
            stranger("landing", "/"),
            stranger("signin", "/signin"),
            Page { act: Act::SignInWrongly, ..stranger("signin-wrong", "/signin") },
            ruled("signup-off", "off"),
            ruled("signup-invitation", "invitation"),
            ruled("signup-domains", "domains"),
            ruled("signup", "open"),
            stranger("signup-sent", "/signup?notice=sent"),
            stranger("signup-finish", &links.sign_up),
            stranger("forgot", "/forgot"),
            stranger("forgot-sent", "/forgot?notice=sent"),
            stranger("reset", &links.reset),
            stranger("reset-dead", "/reset/trr_0"),
            stranger("invitation-dead", "/invitations/tri_0"),
            stranger("invitation-to-server", &links.invitation),
            first("first-signin", "/signin"),
            first("first-signup", "/signup"),
            first("forgot-without-mail", "/forgot"),
            Page::new("projects", "/"),
            Page::new("new-project", "/projects/new"),
            Page::new("projects-deleted", "/projects?deleted=1"),
            Page::new("search", "/search?q=wake"),
            Page::new("search-nothing", "/search?q=nowhere"),
            Page::new("account", "/account?notice=password"),
            Page::new("confirm", "/confirm?next=%2Faccount"),
            Page::new("email-change", &links.email_change),
            Page::new("device", &links.device),
            Page::new("device-long", &links.device_long),
            Page::new("device-code", "/device"),
            Page::new("device-wrong", "/device?code=BBBB-BBBB"),
            Page::new("device-approved", "/device?done=approved"),
            Page::new("invitation-for-another", &links.invitation_for_another),
            Page::new("not-found", "/no/such/page"),
            stranger("docs", "/docs"),
            stranger("docs-api", "/docs/api"),
            stranger("docs-reference", "/docs/api-reference"),
            Page::new("admin", "/admin"),
            Page::new("admin-accounts", "/admin/accounts"),
            Page { act: Act::MakeResetLink, ..Page::new("admin-reset-link", "/admin/accounts") },
            Page::new("admin-projects", "/admin/projects"),
            Page::new("admin-audit", "/admin/audit"),
        ]
    }

    /// The pages of a project, the one for strangers first.
    pub(in crate::browser) async fn pages_of(&self, project: &Project) -> Vec<Page> {
        let Project { base, key, run, invitation, webhook } = project;
        let listed = self.server.get_json(key, &format!("/v1/runs/{run}/artifacts")).await;
        let artifact = |ending: &str| -> String {
            let artifacts = listed["artifacts"].as_array().unwrap();
            let is_wanted = |artifact: &&Value| artifact["original_path"].as_str().unwrap().ends_with(ending);
            artifacts.iter().find(is_wanted).unwrap()["id"].as_str().unwrap().to_owned()
        };
        let run = format!("{base}/runs/{run}");
        let (members, keys) = (format!("{base}/members"), format!("{base}/keys"));
        vec![
            Page::for_strangers("invitation", invitation),
            Page::new("invitation-signed-in", invitation),
            Page::new("members", &members),
            Page { act: Act::Invite, ..Page::new("members-invited", &members) },
            Page::new("connect", &format!("{base}/connect")),
            Page::new("settings", &format!("{base}/settings")),
            Page::new("workspaces", &format!("{base}/workspaces")),
            Page::new("storage", &format!("{base}/settings/storage")),
            Page::new("webhooks", &format!("{base}/settings/webhooks")),
            Page::new("webhook", webhook),
            Page { act: Act::MakeSecret, ..Page::new("webhook-secret", webhook) },
            Page::new("keys", &keys),
            Page { act: Act::MakeKey, ..Page::new("new-key", &keys) },
            Page { act: Act::RotateKey, ..Page::new("new-key-in-place", &keys) },
            // In the middle of the log, where there is a way to the newest and to older ones.
            Page::new("audit", &format!("{base}/audit?before=125")),
            Page::new("runs", &format!("{base}/runs")),
            Page::new("runs-none", &format!("{base}/runs?status=created")),
            Page::new("runs-wrong", &format!("{base}/runs?q=stauts:x")),
            Page::new("runs-grouped", &format!("{base}/runs?group=tag")),
            Page::new("runs-deleted", &format!("{base}/runs?deleted=1")),
            Page::new("insights", &format!("{base}/insights")),
            Page::new("notebook", &format!("{base}/notebook")),
            Page::new("compare", &format!("{base}/compare?ids=exp001,exp005,exp007")),
            Page::new("compare-many", &format!("{base}/compare?ids=exp001,exp002,exp003,exp005,exp007&hide=nothing")),
            Page::new("compare-pick", &format!("{base}/compare")),
            Page::new("lineage", &format!("{base}/lineage")),
            Page::new("run", &run),
            Page::new("logs", &format!("{run}/logs")),
            Page::new("artifacts", &format!("{run}/artifacts")),
            Page::new("artifact-text", &format!("{run}/artifacts/{}", artifact("metrics.json"))),
            Page::new("artifact-image", &format!("{run}/artifacts/{}", artifact("curve.png"))),
            Page::new("tables", &format!("{run}/tables")),
            Page::new("code", &format!("{run}/code")),
            Page::new("metrics", &format!("{run}/metrics")),
            Page::new("environment", &format!("{run}/environment")),
            Page::new("reproduce", &format!("{run}/reproduce")),
            Page::new("notes", &format!("{run}/notes")),
            Page::new("run-delete", &format!("{run}/delete")),
            Page::new("run-missing", &format!("{base}/runs/exp999")),
        ]
    }
}

impl Page {
    fn new(name: &'static str, path: &str) -> Self {
        Self { name, path: path.to_owned(), reader: Reader::Mira, act: Act::Nothing }
    }

    fn for_strangers(name: &'static str, path: &str) -> Self {
        Self { reader: Reader::Stranger, ..Self::new(name, path) }
    }

    /// Opens it. Pages for strangers come first, so that nobody needs to sign out.
    pub(in crate::browser) async fn open(&self, browser: &Browser, demo: &Demo) {
        if let Act::Rule(rule) = self.act {
            set_sign_up_rule(&demo.server, rule).await;
        }
        if self.reader == Reader::Mira {
            browser.be(&demo.cookie).await;
        }
        let server = if self.reader == Reader::First { &demo.fresh } else { &demo.server };
        browser.visit(&format!("{}{}", site(server), self.path)).await;
        self.act.perform(browser).await;
    }
}

impl Act {
    async fn perform(self, browser: &Browser) {
        match self {
            Self::Nothing | Self::Rule(_) => {}
            Self::SignInWrongly => {
                browser.fill("#email", MIRA).await;
                browser.fill("#password", "not the password").await;
                browser.press("main button[type=submit]").await;
                browser.shows(&["E-mail address or password is wrong."]).await;
            }
            Self::MakeKey => {
                browser.fill("#name", "gpu-node-04").await;
                browser.press("form.newkey button").await;
                browser.shows(&["Shown once"]).await;
            }
            Self::RotateKey => {
                browser.press("form[action$='/rotate'] button").await;
                browser.shows(&["Shown once", "takes the place of the old key"]).await;
            }
            Self::Invite => {
                browser.press("form[action$='/invitations'] button").await;
                browser.shows(&["Invitation made", "Shown once"]).await;
            }
            Self::MakeSecret => {
                browser.press("button[popovertarget^='secret-']").await;
                browser.confirm().await;
                browser.shows(&["Shown once", "signs along for 24 hours more"]).await;
            }
            Self::MakeResetLink => {
                browser.press("form[action$='/reset-link'] button").await;
                browser.shows(&["Link for a new password", "Shown once"]).await;
            }
        }
    }
}

async fn set_sign_up_rule(server: &TestServer, rule: &str) {
    let sql = "
        INSERT INTO sign_up_policy (policy, domains, updated_at)
        VALUES ($1, '{halden.example,speech.research.halden-university.example}', now())
        ON CONFLICT (only_row) DO UPDATE SET policy = EXCLUDED.policy
    ";
    sqlx::query(sql).bind(rule).execute(&server.app.app.pool).await.unwrap();
}
