//! `otrace ui`: the local app, for one person's browser and nobody else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use otrace_server::testing::{TestProject, TestServer};
use reqwest::header::{CONTENT_SECURITY_POLICY, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::time::timeout;

use crate::terminal::at_terminal;
use crate::workspace::{Workspace, free_address, mode, nowhere};

/// What has not happened by then does not happen: a guard, nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(90);

/// `otrace ui`, on some free port.
struct Ui {
    child: Child,
    /// What it printed.
    link: String,
    /// Its address.
    base: String,
    http: reqwest::Client,
}

impl Ui {
    async fn start(workspace: &Workspace) -> Self {
        let mut child = workspace.command(&["ui", "--port", "0", "--no-open"]).spawn().expect("started");
        let mut lines = BufReader::new(child.stdout.take().expect("an output")).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("read");
        let Some(address) = line else {
            let mut told = String::new();
            child.stderr.take().expect("errors").read_to_string(&mut told).await.expect("read");
            panic!("it did not start: {told}");
        };
        let base = address.split("/?token=").next().expect("an address").to_owned();
        let builder = reqwest::Client::builder().no_proxy().redirect(Policy::none());
        let http = builder.tls_certs_only(std::iter::empty()).build().expect("a client");
        Self { child, link: address, base, http }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.expect("answered")
    }

    /// What a browser does with the link: gives the cookie that it gets.
    async fn begin(&self) -> String {
        let answer = self.http.get(&self.link).send().await.expect("answered");
        assert_eq!(answer.status(), 200);
        let set = answer.headers()[SET_COOKIE].to_str().expect("a cookie").to_owned();
        set.split(';').next().expect("a cookie").to_owned()
    }

    async fn get(&self, cookie: &str, path: &str) -> Response {
        self.ask(Method::GET, path, &[("cookie", cookie)]).await
    }

    /// A page, which must be there.
    async fn page(&self, cookie: &str, path: &str) -> String {
        let answer = self.get(cookie, path).await;
        let (status, text) = (answer.status(), answer.text().await.expect("text"));
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    async fn json(&self, cookie: &str, path: &str) -> Value {
        serde_json::from_str(&self.page(cookie, path).await).expect("JSON")
    }

    /// Presses Ctrl-C, and waits for the end.
    async fn stop(mut self) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id().expect("it runs").cast_signed());
        // Once: told twice, it would not wait for its server.
        kill(pid, Signal::SIGTERM).expect("signalled");
        timeout(PATIENCE, self.child.wait()).await.expect("in time").expect("ended").code()
    }
}

fn location(answer: &Response) -> &str {
    answer.headers()[LOCATION].to_str().expect("text")
}

async fn one_run() -> (TestServer, TestProject, Workspace) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    server.app.run(&project.key, "Does it hear me?").await;
    let workspace = Workspace::with_key(&server, &project.key);
    (server, project, workspace)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projects_pages_come_through_without_signing_in() {
    let (server, project, workspace) = one_run().await;
    let ui = Ui::start(&workspace).await;
    let cookie = ui.begin().await;
    let own = ui.page(&cookie, "/").await;
    assert!(own.contains(&format!("/projects/{}/runs", project.slug)) && own.contains("Everything is sent"), "{own}");
    ui.page(&cookie, "/local/trace.css").await;
    ui.page(&cookie, "/static/trace.css").await;

    let runs = format!("/projects/{}/runs", project.slug);
    let answer = ui.get(&cookie, &runs).await;
    assert_eq!((answer.status().as_u16(), answer.headers().get(SET_COOKIE)), (200, None));
    let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(answer.text().await.expect("text").contains("Does it hear me?"));
    ui.page(&cookie, &format!("{runs}/exp001")).await;
    assert_eq!(location(&ui.get(&cookie, &format!("/projects/{}", project.slug)).await), runs);
    assert_eq!(location(&ui.get(&cookie, "/projects/current/runs").await), runs);

    // What needs an account is the server's own, and so are other projects.
    server.project("other").await;
    for path in
        [format!("/projects/{}/members", project.slug), "/account".to_owned(), "/projects/other/runs".to_owned()]
    {
        let answer = ui.get(&cookie, &path).await;
        assert_eq!((answer.status().as_u16(), location(&answer)), (303, format!("{}{path}", server.url()).as_str()));
    }
    let written = [("cookie", cookie.as_str())];
    let answer = ui.ask(Method::POST, &format!("/projects/{}/keys", project.slug), &written).await;
    assert_eq!(answer.status(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_gets_in() {
    let (_server, project, workspace) = one_run().await;
    let ui = Ui::start(&workspace).await;
    let cookie = ui.begin().await;
    let runs = format!("/projects/{}/runs", project.slug);
    let (cookie, wrong) = (cookie.as_str(), format!("{}0", cookie.split_at(cookie.len() - 1).0));
    let with_cookie = ("cookie", cookie);
    let refused: [&[(&str, &str)]; 8] = [
        &[],
        &[("cookie", if wrong == cookie { "otrace_ui=1" } else { wrong.as_str() })],
        &[with_cookie, ("host", "evil.example")],
        &[with_cookie, ("host", "localhost:1")],
        &[with_cookie, ("origin", "http://evil.example")],
        &[with_cookie, ("origin", "null")],
        &[with_cookie, ("sec-fetch-site", "cross-site")],
        &[with_cookie, ("sec-fetch-site", "same-site")],
    ];
    for headers in refused {
        for path in ["/", runs.as_str(), "/static/trace.css", "/api/trace/status"] {
            let answer = ui.ask(Method::GET, path, headers).await;
            let (status, text) = (answer.status(), answer.text().await.expect("text"));
            assert_eq!(status, 403, "{path} {headers:?}");
            assert!(text.contains("otrace ui") && !text.contains("wake-word"), "{text}");
        }
    }
    for path in [ui.link.strip_prefix(&ui.base).expect("a path"), "/?token=", "/?token=0"] {
        assert_eq!(ui.ask(Method::GET, path, &[]).await.status(), 403, "{path}: a link opens once");
    }
    ui.page(cookie, "/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_shows_no_page_any_more() {
    let (server, project, workspace) = one_run().await;
    let ui = Ui::start(&workspace).await;
    let cookie = ui.begin().await;
    let runs = format!("/projects/{}/runs", project.slug);
    ui.page(&cookie, &runs).await;
    server.revoke_key(&project).await;
    let answer = ui.get(&cookie, &runs).await;
    assert_eq!(answer.status(), 502);
    let text = answer.text().await.expect("text");
    assert!(text.contains("The API key is not valid") && !text.contains("Does it hear me?"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_hears_of_runs_as_they_happen() {
    let (server, project, workspace) = one_run().await;
    let ui = Ui::start(&workspace).await;
    let cookie = ui.begin().await;
    let mut stream = ui.get(&cookie, &format!("/projects/{}/live", project.slug)).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    server.app.run(&project.key, "And now?").await;
    let mut heard = String::new();
    while !heard.contains("exp002") {
        let chunk = timeout(PATIENCE, stream.chunk()).await.expect("in time").expect("read").expect("it goes on");
        heard.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(heard.contains("event: run"), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_read_the_workspaces_own_state_with_the_token_beside_it() {
    let (server, project, workspace) = one_run().await;
    workspace.run("echo 12345 > out.txt").await.succeeded();
    workspace.run_with(&["--offline", "--expect-artifact", "out.txt"], "echo 12345 > out.txt; exit 3").await;
    let ui = Ui::start(&workspace).await;
    assert_eq!(mode(&workspace.path(".trace/ui.json")), 0o600);
    let told: Value = serde_json::from_str(&workspace.read(".trace/ui.json")).expect("JSON");
    assert_eq!(told["url"], ui.base);
    let bearer = format!("Bearer {}", told["token"].as_str().expect("a token"));
    let api = async |path: &str| -> Value {
        let answer = ui.ask(Method::GET, path, &[("authorization", &bearer)]).await;
        serde_json::from_str(&answer.text().await.expect("text")).expect("JSON")
    };
    let status = api("/api/trace/status").await;
    assert_eq!((&status["server"]["url"], &status["problem"]), (&json!(server.url()), &Value::Null));
    assert_eq!((&status["project"]["slug"], &status["unsent_runs"]), (&json!(project.slug), &json!(1)));
    let runs = api("/api/trace/runs").await;
    assert_eq!((&runs["unsent"][0]["state"], &runs["unsent"][0]["exit_code"]), (&json!("ended"), &json!(3)));
    assert_eq!(runs["active"]["run_id"], runs["unsent"][0]["run_id"], "the latest run");
    let files = api("/api/trace/files").await;
    let folders = files["folders"].as_array().expect("folders");
    assert!(
        folders.iter().any(|folder| folder["name"] == "artifacts" && folder["bytes"].as_u64() >= Some(6)),
        "{files}"
    );
    assert_eq!(ui.ask(Method::GET, "/", &[("authorization", &bearer)]).await.status(), 403);

    let cookie = ui.begin().await;
    let page = ui.page(&cookie, "/").await;
    assert!(page.contains("ended with exit code 3") && page.contains("the run itself"), "{page}");
    assert_eq!(ui.json(&cookie, "/api/trace/runs").await, runs);
    assert_eq!(ui.stop().await, Some(0));
    assert!(!workspace.has(".trace/ui.json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_shown_though_no_server_answers() {
    // No server of ours could be started at such an address.
    let workspace = Workspace::new().set("TRACE_API_URL", &format!("{}/lab", nowhere()));
    let ui = Ui::start(&workspace).await;
    let cookie = ui.begin().await;
    let page = ui.page(&cookie, "/").await;
    assert!(page.contains("No API key for") && page.contains("Everything is sent"), "{page}");
    assert_eq!(ui.stop().await, Some(0));
    let workspace = workspace.set("TRACE_API_KEY", "trc_any");
    let ui = Ui::start(&workspace).await;
    let cookie = ui.begin().await;
    assert!(ui.page(&cookie, "/").await.contains("Could not reach the Trace server"));
    assert_eq!(ui.get(&cookie, "/projects/wake-word/runs").await.status(), 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_or_the_servers_is_said() {
    let workspace = Workspace::new().set("TRACE_API_URL", "http://localhost:1");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    for (port, why) in [(port.as_str(), "is taken"), ("1", "is the server's (http://localhost:1)")] {
        let answer = workspace.otrace(&["ui", "--no-open", "--port", port]).await;
        assert_eq!((answer.code, answer.stdout.as_str()), (1, ""));
        assert!(answer.stderr.contains(&format!("port {port} {why}")), "{}", answer.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_started_and_stopped() {
    let program = Path::new(env!("CARGO_BIN_EXE_otrace")).with_file_name("otrace-server");
    assert!(program.exists(), "build the server first: cargo build -p otrace-server");
    let home = tempfile::tempdir().expect("a folder");
    // PostgreSQL does not run as root, and the user that it runs as has to get there.
    fs::set_permissions(home.path(), Permissions::from_mode(0o755)).expect("opened");
    let (data, server) = (home.path().join("data"), free_address());
    let mut workspace = Workspace::new().set("TRACE_API_URL", &server);
    workspace = workspace.set("OTRACE_DATA_DIR", data.to_str().expect("a path"));
    if let Ok(folder) = std::env::var("OTRACE_PG_BIN") {
        workspace = workspace.set("OTRACE_PG_BIN", &folder);
    }
    let ui = Ui::start(&workspace).await;
    let ready = ui.http.get(format!("{server}/health/ready")).send().await.expect("it answers");
    assert_eq!(ready.status(), 200, "{}", workspace.read(".trace/server.log"));
    assert_eq!(mode(&workspace.path(".trace/server.log")), 0o600);
    let cookie = ui.begin().await;
    assert_eq!(ui.json(&cookie, "/api/trace/status").await["server"]["is_started_here"], true);
    let postgres = data.join("postgres/data/postmaster.pid");
    assert!(postgres.exists());
    assert_eq!(ui.stop().await, Some(0));
    // The address may be another test's by now; a database that was stopped in order leaves no such file.
    assert!(!postgres.exists(), "it is stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_alone_stops_it() {
    let (server, project, workspace) = one_run().await;
    workspace.write(".env", format!("TRACE_API_URL={}\nTRACE_API_KEY={}\n", server.url(), project.key));
    let script = r#"
t = Terminal([OTRACE, "ui", "--port", "0", "--no-open"])
t.until("/?token=")
t.until("Ctrl-C stops it.")
t.type("\x03")
assert t.end() == 0
"#;
    at_terminal(&workspace, script).await;
    assert!(!workspace.has(".trace/ui.json"));
}
