//! Everyone who calls, and what they call for.

use axum::body::Body;
use axum::http::Request;
use otrace_server::domain::one_time_link::Purpose;
use otrace_server::domain::secret_token;
use otrace_server::domain::{Account, ApiKeyId, ArtifactId, ProjectId, Role, RunId, Scope};
use otrace_server::services;
use otrace_server::services::accounts::SignUp;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::store;
use otrace_server::store::one_time_links::NewLink;
use otrace_server::testing::{PASSWORD, TestApp, TestProject};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::Duration;
use uuid::Uuid;

/// Everyone who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Nobody,
    Stranger,
    Viewer,
    Editor,
    Owner,
    Admin,
    ReadKey,
    WriteKey,
    RunToken,
    PagePass,
    ForeignKey,
    RevokedKey,
    ExpiredKey,
}

impl Caller {
    /// Those at a browser, in the order of the columns.
    pub const PEOPLE: [Self; 6] = [Self::Nobody, Self::Stranger, Self::Viewer, Self::Editor, Self::Owner, Self::Admin];
    /// Those with a key, in the order of the columns.
    pub const KEYS: [Self; 6] =
        [Self::ReadKey, Self::WriteKey, Self::RunToken, Self::ForeignKey, Self::RevokedKey, Self::ExpiredKey];
}

/// A run with something of each kind.
#[derive(Clone)]
pub struct RunFixture {
    pub id: String,
    pub artifact: String,
}

pub struct World {
    pub app: TestApp,
    pub mine: TestProject,
    pub foreign: TestProject,
    read_key: String,
    revoked_key: String,
    expired_key: String,
    /// For requests that change nothing.
    shared_run: RunFixture,
}

impl World {
    pub async fn new() -> Self {
        let app = TestApp::new().await;
        // The first account runs the server.
        app.account("admin@example.org").await;
        let mine = app.project("mine").await;
        let foreign = app.project("foreign").await;
        let read = NewKeyInput { scope: Scope::Read, ..NewKeyInput::named("read") };
        let read_key = app.another_key(&mine, read).await.key;
        let revoked = app.another_key(&mine, NewKeyInput::named("revoked")).await;
        let expired = app.another_key(&mine, NewKeyInput::named("expired")).await;
        for (id, column) in [(revoked.record.id, "revoked_at"), (expired.record.id, "expires_at")] {
            let update = sqlx::AssertSqlSafe(format!("UPDATE api_keys SET {column} = $2 WHERE id = $1"));
            sqlx::query(update).bind(id).bind(app.app.clock.now()).execute(&app.app.pool).await.unwrap();
        }
        let shared_run = RunFixture { id: String::new(), artifact: String::new() };
        let (revoked_key, expired_key) = (revoked.key, expired.key);
        let mut world = Self { app, mine, foreign, read_key, revoked_key, expired_key, shared_run };
        world.shared_run = world.run().await;
        world
    }

    /// What is wrong with the answer that a caller gets, if anything is.
    pub async fn check(&self, method: &str, pattern: &str, caller: Caller, expected: u16) -> Option<String> {
        // Long enough for every limit to let the next one through.
        self.app.app.clock.advance(Duration::minutes(21));
        let status = self.status(method, pattern, caller).await;
        (status != expected).then(|| format!("{caller:?}: {method} {pattern} gives {status}, not {expected}"))
    }

    async fn status(&self, method: &str, pattern: &str, caller: Caller) -> u16 {
        let run = if method == "GET" { self.shared_run.clone() } else { self.run_for(pattern).await };
        let session = if Caller::PEOPLE.contains(&caller) { self.session(caller).await } else { None };
        let mut path = pattern.replace("{slug}", &self.mine.slug).replace("{position}", "0");
        path = path
            .replace("{*unknown}", "nothing/here")
            .replace("{*path}", "trace.css")
            .replace("{*rest}", "runs")
            .replace("{page}", "api")
            .replace("{*name}", "loss");
        path =
            path.replace("{sha256}", &hex(b"content")).replace("{run}", &run.id).replace("{artifact}", &run.artifact);
        path = path.replace("{provider}", "google");
        if method == "POST" {
            path = path.replace("/logs/{stream}", "/logs/stdout?offset=0");
        }
        path = path.replace("{stream}", "stdout");
        for name in ["view", "rule", "message", "session", "identity", "note"] {
            path = path.replace(&format!("{{{name}}}"), &Uuid::now_v7().to_string());
        }
        for name in ["webhook", "key", "account", "invitation", "import", "token", "ticket"] {
            let place = format!("{{{name}}}");
            if path.contains(&place) {
                path = path.replace(&place, &self.made(name, pattern, &run).await);
            }
        }
        let mut request = Request::builder().method(method).uri(path).header("sec-fetch-site", "same-origin");
        if let Some(cookie) = session {
            request = request.header("cookie", cookie);
        }
        if let Some(key) = self.key(caller, &run) {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let is_form = method == "POST" && !pattern.starts_with("/v1/");
        request = request
            .header("content-type", if is_form { "application/x-www-form-urlencoded" } else { "application/json" });
        let request = request.body(Body::from(body_of(method, pattern).unwrap_or_default())).unwrap();
        if pattern.ends_with("/live") {
            return self.app.status_only(request).await.as_u16();
        }
        self.app.send(request).await.status.as_u16()
    }

    fn key(&self, caller: Caller, run: &RunFixture) -> Option<String> {
        match caller {
            Caller::ReadKey => Some(self.read_key.clone()),
            Caller::WriteKey => Some(self.mine.key.clone()),
            Caller::ForeignKey => Some(self.foreign.key.clone()),
            Caller::RevokedKey => Some(self.revoked_key.clone()),
            Caller::ExpiredKey => Some(self.expired_key.clone()),
            Caller::PagePass => {
                let (key, project) = (ApiKeyId(self.mine.key_id), ProjectId(self.mine.id));
                let app = &self.app.app;
                Some(app.tokens.page_pass(key, project, app.clock.now()).unwrap())
            }
            Caller::RunToken => {
                let (run, project) = (RunId(run.id.parse().unwrap()), ProjectId(self.mine.id));
                let app = &self.app.app;
                Some(app.tokens.run_token(run, project, ApiKeyId(self.mine.key_id), app.clock.now()).unwrap())
            }
            _ => None,
        }
    }

    /// A session of its own for each request, of an account of its own where a request may end it or
    /// change its role.
    async fn session(&self, caller: Caller) -> Option<String> {
        let email = match caller {
            Caller::Owner => self.mine.email.clone(),
            Caller::Admin => "admin@example.org".to_owned(),
            // One of its own each time: an invitation makes a member of a stranger.
            Caller::Stranger => self.account().await.email,
            Caller::Viewer => self.member(Role::Viewer).await.email,
            Caller::Editor => self.member(Role::Editor).await.email,
            _ => return None,
        };
        // An earlier request may have handed the project over.
        if caller == Caller::Owner {
            sqlx::query("UPDATE members SET role = 'owner' FROM accounts a WHERE a.id = account_id AND a.email = $1")
                .bind(&email)
                .execute(&self.app.app.pool)
                .await
                .unwrap();
            sqlx::query("DELETE FROM members m USING accounts a WHERE a.id = m.account_id AND m.role = 'owner' AND a.email <> $1 AND m.project_id = $2")
                .bind(&email)
                .bind(self.mine.id)
                .execute(&self.app.app.pool)
                .await
                .unwrap();
        }
        if caller == Caller::Admin {
            sqlx::query(
                "DELETE FROM members m USING accounts a WHERE a.id = m.account_id AND a.is_admin AND m.project_id = $1",
            )
            .bind(self.mine.id)
            .execute(&self.app.app.pool)
            .await
            .unwrap();
        }
        Some(self.app.session(&email).await)
    }

    /// A new account in the project.
    async fn member(&self, role: Role) -> Account {
        let account = self.account().await;
        self.app.join(&self.mine, &account.email, role).await;
        account
    }

    async fn account(&self) -> Account {
        let email = format!("{}@example.org", Uuid::now_v7().simple());
        let input = SignUp { email, name: String::new(), password: PASSWORD.to_owned() };
        services::accounts::create(&self.app.app, input, &otrace_server::domain::Actor::command()).await.unwrap()
    }

    /// Something new that a URL names.
    async fn made(&self, name: &str, pattern: &str, run: &RunFixture) -> String {
        let app = &self.app.app;
        match name {
            "key" => self.app.another_key(&self.mine, NewKeyInput::named("matrix")).await.record.id.to_string(),
            "import" => self.import().await,
            "webhook" => self.webhook().await,
            "account" if pattern.starts_with("/admin") => self.account().await.id.to_string(),
            "account" => self.member(Role::Viewer).await.id.to_string(),
            "ticket" => {
                let (artifact, project) = (ArtifactId(run.artifact.parse().unwrap()), ProjectId(self.mine.id));
                app.tokens.download_ticket(artifact, project, app.clock.now()).unwrap()
            }
            "invitation" | "token" if pattern.contains("invitations") => {
                let is_for_server = pattern.starts_with("/admin");
                self.invitation(is_for_server, name == "token").await
            }
            "token" => self.one_time_link(pattern).await,
            _ => unreachable!("{name}"),
        }
    }

    /// The project's only webhook, which leads nowhere.
    async fn webhook(&self) -> String {
        let pool = &self.app.app.pool;
        sqlx::query("DELETE FROM webhooks").execute(pool).await.unwrap();
        let sql = "INSERT INTO webhooks (id, project_id, name, url, format, events, secret, created_at)
                   VALUES (gen_random_uuid(), $1, 'w', 'https://127.0.0.1:9/', 'trace', '{run.failed}', sha256(''), now())
                   RETURNING id::text";
        sqlx::query_scalar(sql).bind(self.mine.id).fetch_one(pool).await.unwrap()
    }

    /// An import with a run that waits.
    async fn import(&self) -> String {
        let id = Uuid::now_v7().to_string();
        let run = json!({"id": Uuid::now_v7(), "intent": "i", "setup": "s", "command": "c"});
        let staged = json!({"runs": [{"position": 0, "run": run}]});
        for (path, body) in [("/v1/imports".to_owned(), json!({"id": id})), (format!("/v1/imports/{id}/runs"), staged)]
        {
            self.app.api(&self.mine.key, "POST", &path, Some(body)).await.expect(200);
        }
        id
    }

    /// An open invitation: its id, or its token.
    async fn invitation(&self, is_for_server: bool, wants_token: bool) -> String {
        let app = &self.app.app;
        let token = otrace_server::domain::one_time_link::generate("tri_").unwrap();
        let inviter = services::accounts::find(app, &self.mine.email).await.unwrap();
        let now = app.clock.now();
        let new = store::invitations::NewInvitation {
            id: otrace_server::domain::InvitationId::new(),
            token_hash: &secret_token::hash(&token),
            into: (!is_for_server).then_some((ProjectId(self.mine.id), Role::Viewer)),
            email: None,
            was_mailed: false,
            created_by: inviter.id,
            created_at: now,
            expires_at: now + Duration::days(7),
        };
        store::invitations::insert(&mut app.pool.acquire().await.unwrap(), &new).await.unwrap();
        if wants_token { token } else { new.id.to_string() }
    }

    /// A link of an account that is none of the callers'.
    async fn one_time_link(&self, pattern: &str) -> String {
        let app = &self.app.app;
        let account = self.account().await;
        let purpose = match pattern {
            "/signup/{token}" => Purpose::SignUp,
            "/reset/{token}" => Purpose::PasswordReset,
            "/account/email/{token}" => Purpose::EmailChange,
            _ => unreachable!("{pattern}"),
        };
        let token = purpose.generate().unwrap();
        let now = app.clock.now();
        let is_new = purpose != Purpose::PasswordReset;
        let email = if is_new { format!("new-{}", account.email) } else { account.email.clone() };
        let link = NewLink {
            token_hash: &secret_token::hash(&token),
            purpose,
            account_id: (purpose != Purpose::SignUp).then_some(account.id),
            email: &email,
            name: None,
            was_mailed: true,
            created_at: now,
            expires_at: now + purpose.lifetime(),
        };
        store::one_time_links::insert(&mut app.pool.acquire().await.unwrap(), &link).await.unwrap();
        token
    }

    async fn run_for(&self, pattern: &str) -> RunFixture {
        let is_used = ["{run}", "{artifact}", "/contents"].into_iter().any(|name| pattern.contains(name));
        if is_used { self.run().await } else { self.shared_run.clone() }
    }

    /// A run with something of each kind, that a request may use up.
    pub async fn run(&self) -> RunFixture {
        let key = &self.mine.key;
        let id = self.app.run(key, "matrix").await["id"].as_str().unwrap().to_owned();
        self.app.api_raw(key, "PUT", &format!("/v1/contents/{}", hex(b"content")), "content").await.expect(200);
        let details = json!({
            "artifacts": [{"original_path": "a.txt", "text_content": "text"}],
            "logs": [{"stream": "stdout", "text_content": "printed"}],
            "snapshot": {"files": [{"kind": "dirty_diff", "path": "d.diff", "hash": format!("sha256:{}", hex(b"content")), "size_bytes": 7}]},
        });
        self.app.api(key, "PUT", &format!("/v1/runs/{id}/details"), Some(details)).await.expect(200);
        let artifacts: Value =
            self.app.api(key, "GET", &format!("/v1/runs/{id}/artifacts"), None).await.expect(200).json();
        let artifact = artifacts["artifacts"][0]["id"].as_str().unwrap().to_owned();
        RunFixture { id, artifact }
    }
}

/// A body that the route takes.
pub fn body_of(method: &str, path: &str) -> Option<String> {
    let form = |fields: &str| Some(fields.to_owned());
    let json = match (method, path) {
        ("PATCH", "/v1/projects/current/workspace") => json!({"workspace_name": "w", "working_directory": "/w"}),
        ("POST", "/v1/runs") => json!({"intent": "i", "setup": "s", "command": "c"}),
        ("PATCH", "/v1/runs/{run}") => json!({"status": "running"}),
        ("PUT", "/v1/runs/{run}/details") => json!({"results": []}),
        ("POST", "/v1/runs/{run}/evidence") => json!({"evidence": []}),
        ("POST", "/v1/runs/{run}/series") => json!({"batches": []}),
        ("POST", "/v1/runs/{run}/notes") => json!({"text": "It works."}),
        ("PATCH", "/v1/runs/{run}/tags") => json!({"add": ["good"]}),
        ("POST", "/v1/device/code") => json!({"client": "otrace", "machine": "laptop"}),
        ("POST", "/v1/device/token") => json!({"device_code": "trd_unknown"}),
        ("POST", "/v1/keys/revoke") => json!({"token": "trc_unknown"}),
        ("POST", "/v1/imports") => json!({"id": Uuid::now_v7()}),
        ("POST", "/v1/imports/{import}/runs") => json!({"runs": []}),
        ("POST", "/v1/imports/{import}/commit") => json!({"replace": false, "runs": 1}),
        ("PUT", "/v1/contents/{sha256}") => return form("content"),
        ("PUT", "/v1/contents/{sha256}/parts") => json!({"size_bytes": 7, "parts": []}),
        ("POST", "/v1/contents/lacking" | "/v1/contents/arrived") => json!({"contents": []}),
        ("POST", "/v1/contents") => return form(""),
        ("POST", "/projects") => return form("name=New&description="),
        ("POST", "/projects/{slug}/settings") => return form("name=Mine&description="),
        ("POST", "/projects/{slug}/settings/columns") => return form("col=tags"),
        ("POST", "/projects/{slug}/settings/directions") => return form("name=loss&better=lower"),
        ("POST", "/projects/{slug}/settings/webhooks" | "/projects/{slug}/settings/webhooks/{webhook}") => {
            return form("name=CI&url=https%3A%2F%2F1.1.1.1%2F&format=trace&event=run.failed&on=1");
        }
        ("POST", "/projects/{slug}/delete") => return form("name=another"),
        ("POST", "/projects/{slug}/keys") => return form("name=laptop&scope=write&days=90"),
        ("POST", "/projects/{slug}/members/{account}/role") => return form("role=editor"),
        ("POST", "/projects/{slug}/invitations") => return form("email=&role=viewer&days=7"),
        ("POST", "/projects/{slug}/runs/selected") => return form("act=tag&tag=good&ids=exp001"),
        ("POST", "/projects/{slug}/views") => return form("name=Mine&parameters=q%3Dtag%253Agood"),
        ("POST", "/admin/sign-up") => return form("policy=open&domains="),
        ("POST", "/admin/invitations") => return form("email=&days=7"),
        ("POST", "/admin/projects/{slug}/enter") => return form("role=viewer"),
        ("POST", "/signin") => return form("email=nobody%40example.org&password=wrong"),
        ("POST", "/signup") => return form("email=nobody&name=n&password=short"),
        ("POST", "/forgot") => return form("email=nobody%40example.org"),
        ("POST", "/signup/{token}" | "/reset/{token}") => return form("password=an+unrelated+few+words"),
        ("POST", "/invitations/{token}/account") => {
            let email = format!("{}%40example.org", Uuid::now_v7().simple());
            return form(&format!("email={email}&name=New&password=an+unrelated+few+words"));
        }
        ("POST", "/confirm") => return form("password=correct+horse+battery&next=%2Faccount"),
        ("POST", "/account/name") => return form("name=Ada"),
        ("POST", "/account/password") => return form("current=wrong&new=an+unrelated+few+words"),
        ("POST", "/account/email") => return form("email=new%40example.org"),
        ("POST", "/device") => return form("code=BCDF-GHJK&project=mine&decision=approve"),
        ("POST", "/theme") => return form("theme=dark&next=%2F"),
        ("POST", "/shortcuts") => return form("single=off&next=%2F"),
        ("POST", "/projects/{slug}/runs/{run}/notes") => return form("text=It+works."),
        _ => return None,
    };
    Some(json.to_string())
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
