//! What an open page hears, over a real socket.

mod crowd;
mod gaps;

use std::net::SocketAddr;
use std::time::Duration;

use otrace_server::app::AppState;
use otrace_server::clock::Clock;
use otrace_server::config::Config;
use otrace_server::domain::ProjectId;
use otrace_server::live::{Live, RunEvent};
use otrace_server::routes;
use otrace_server::serve::Server;
use otrace_server::testing::{TestProject, TestServer};
use otrace_wire::RunStatus;
use reqwest::Response;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::time::timeout;
use uuid::Uuid;

/// What is not heard within this time is not heard: a guard, nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event, as it came.
#[derive(Debug)]
struct Heard {
    name: String,
    id: String,
    data: String,
    retry: String,
}

/// A page that listens.
struct Page {
    response: Response,
    text: String,
}

impl Page {
    /// Opens the project's stream, which begins with what changed since then.
    async fn open(url: &str, project: &TestProject, since: i128) -> Self {
        let response = get(url, &project.slug, &project.cookie, &format!("?since={since}"), None).await;
        Self::of(response)
    }

    fn of(response: Response) -> Self {
        assert_eq!(response.status().as_u16(), 200);
        let content_type = response.headers()["content-type"].to_str().unwrap();
        assert!(content_type.starts_with("text/event-stream"), "{content_type}");
        Self { response, text: String::new() }
    }

    /// The next event `run`: its id, and what it tells.
    async fn hear(&mut self) -> (i128, Value) {
        let heard = self.event().await.expect("the stream goes on");
        assert_eq!(heard.name, "run");
        (heard.id.parse().unwrap(), serde_json::from_str(&heard.data).unwrap())
    }

    /// The next event of any kind. `None`: the stream has ended.
    async fn event(&mut self) -> Option<Heard> {
        timeout(PATIENCE, self.next()).await.expect("an event or an end in time")
    }

    async fn next(&mut self) -> Option<Heard> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let message: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let mut lines = message.lines();
                    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim_start));
                    value.unwrap_or_default().to_owned()
                };
                // A message without data only keeps the connection open.
                if !field("data").is_empty() {
                    let (name, id, data, retry) = (field("event"), field("id"), field("data"), field("retry"));
                    return Some(Heard { name, id, data, retry });
                }
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(str::from_utf8(&chunk).unwrap());
        }
    }

    /// The runs that are told until this one is, each once, in their order.
    async fn hear_until(&mut self, last: &str) -> Vec<String> {
        let mut heard: Vec<String> = Vec::new();
        while heard.last().is_none_or(|experiment| experiment != last) {
            let experiment = self.hear().await.1["experiment_id"].as_str().unwrap().to_owned();
            // What is told of the past may be told once more by what is happening now.
            if !heard.contains(&experiment) {
                heard.push(experiment);
            }
        }
        heard
    }
}

async fn get(url: &str, slug: &str, cookie: &str, query: &str, last_event: Option<i128>) -> Response {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .tls_certs_only(std::iter::empty())
        .build()
        .unwrap();
    let mut request = client.get(format!("{url}/projects/{slug}/live{query}")).header("cookie", cookie);
    if let Some(id) = last_event {
        request = request.header("last-event-id", id.to_string());
    }
    timeout(PATIENCE, request.send()).await.expect("an answer in time").unwrap()
}

/// Now, as a page writes it.
fn now(server: &TestServer) -> i128 {
    server.app.app.clock.now().unix_timestamp_nanos() / 1000
}

/// Waits until a server hears what it tells itself: it begins to listen while it serves already.
async fn is_listening(live: &Live) {
    let mut heard = live.subscribe();
    let probe = RunEvent {
        project_id: ProjectId(Uuid::now_v7()),
        number: 1,
        status: RunStatus::Created,
        is_new: true,
        is_output: false,
        updated_at: OffsetDateTime::UNIX_EPOCH,
    };
    let hear_it = async {
        loop {
            live.publish(probe.clone());
            if let Ok(Ok(event)) = timeout(Duration::from_millis(100), heard.recv()).await
                && event.project_id == probe.project_id
            {
                return;
            }
        }
    };
    timeout(PATIENCE, hear_it).await.expect("the server listens");
}

async fn server() -> TestServer {
    server_with(|_| {}).await
}

async fn server_with(settings: impl FnOnce(&mut Config)) -> TestServer {
    let server = TestServer::with(settings).await;
    is_listening(&server.app.app.live).await;
    server
}

/// Another server on the same database. Returns its address, and what it hears.
async fn second_server(first: &TestServer) -> (String, Live) {
    second_server_with(first, Live::start(first.app.app.pool.clone())).await
}

/// Another server that tells and hears in its own way.
async fn second_server_with(first: &TestServer, live: Live) -> (String, Live) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = &first.app.app;
    let second = AppState::new(
        app.config.clone(),
        Clock::System,
        app.pool.clone(),
        app.blobs.clone(),
        live.clone(),
        app.tokens.clone(),
    )
    .unwrap();
    tokio::spawn(Server::default().serve(listener, routes::router(second), std::future::pending()));
    is_listening(&live).await;
    (url, live)
}

#[tokio::test]
async fn a_page_hears_of_a_run_when_it_is_created_and_when_it_changes() {
    let server = server().await;
    let project = server.project("wake-word").await;
    let mut page = Page::open(server.url(), &project, now(&server)).await;

    server.app.run(&project.key, "heard").await;
    let (created, event) = page.hear().await;
    let expected = |status: &str, created: bool| json!({"experiment_id": "exp001", "status": status, "href": "/projects/wake-word/runs/exp001", "created": created});
    assert_eq!(event, expected("created", true));

    let mut before = created;
    for (path, body, status) in [
        ("/v1/runs/exp001", json!({"status": "running"}), "running"),
        ("/v1/runs/exp001/details", json!({"results": [{"name": "loss", "value": 1}]}), "running"),
        ("/v1/runs/exp001", json!({"status": "completed", "exit_code": 0}), "completed"),
    ] {
        let method = if path.ends_with("details") { "PUT" } else { "PATCH" };
        server.app.api(&project.key, method, path, Some(body)).await.expect(200);
        let (changed, event) = page.hear().await;
        assert_eq!(event, expected(status, false));
        assert!(changed > before, "{changed} after {before}");
        before = changed;
    }
    let updated_at: OffsetDateTime =
        sqlx::query_scalar("SELECT updated_at FROM runs").fetch_one(&server.app.app.pool).await.unwrap();
    assert_eq!(before, updated_at.unix_timestamp_nanos() / 1000, "an event's id is the time of its change");
}

#[tokio::test]
async fn what_happened_before_the_page_listens_is_told_first() {
    let server = server().await;
    let project = server.project("wake-word").await;
    let since = now(&server);
    server.app.run(&project.key, "before").await;
    server.app.run(&project.key, "before as well").await;
    let ended = json!({"status": "failed", "exit_code": 3});
    server.app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(ended)).await.expect(200);

    let mut page = Page::open(server.url(), &project, since).await;
    server.app.run(&project.key, "afterwards").await;
    // In the order of their last changes.
    assert_eq!(page.hear_until("exp003").await, ["exp002", "exp001", "exp003"]);

    // A browser that lost its connection says what it heard last.
    let response = get(server.url(), &project.slug, &project.cookie, "", Some(since)).await;
    assert_eq!(Page::of(response).hear_until("exp003").await, ["exp002", "exp001", "exp003"]);
    let long_after = now(&server) + 3_600_000_000;
    let response =
        get(server.url(), &project.slug, &project.cookie, &format!("?since={since}"), Some(long_after)).await;
    let mut page = Page::of(response);
    server.app.run(&project.key, "the last event counts, not when the page was made").await;
    assert_eq!(page.hear_until("exp004").await, ["exp004"]);
}

#[tokio::test]
async fn what_happened_is_told_as_it_stands_now() {
    let server = server().await;
    let project = server.project("wake-word").await;
    let since = now(&server);
    server.app.run(&project.key, "ended before anyone listened").await;
    let ended = json!({"status": "completed", "exit_code": 0});
    server.app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(ended)).await.expect(200);
    let mut page = Page::open(server.url(), &project, since).await;
    let (_, event) = page.hear().await;
    assert_eq!((&event["experiment_id"], &event["status"]), (&json!("exp001"), &json!("completed")));
}

#[tokio::test]
async fn a_page_hears_nothing_of_another_project() {
    let server = server().await;
    let (mine, theirs) = (server.project("mine").await, server.project("theirs").await);
    server.app.run(&theirs.key, "before").await;
    let mut page = Page::open(server.url(), &mine, now(&server) - 60_000_000).await;
    for number in 1..=3 {
        server.app.run(&theirs.key, "not for me").await;
        server.app.run(&mine.key, "for me").await;
        let (_, event) = page.hear().await;
        assert_eq!(event["href"], format!("/projects/mine/runs/exp{number:03}"));
    }
}

#[tokio::test]
async fn only_members_listen() {
    let server = server().await;
    let (mine, theirs) = (server.project("mine").await, server.project("theirs").await);
    for slug in [theirs.slug.as_str(), "nothing"] {
        let response = get(server.url(), slug, &mine.cookie, "?since=0", None).await;
        assert_eq!(response.status().as_u16(), 404, "{slug}");
    }
    for cookie in ["", "otrace_session=junk"] {
        let response = get(server.url(), &mine.slug, cookie, "?since=0", None).await;
        assert_eq!(response.status().as_u16(), 303);
        assert_eq!(response.headers()["location"], "/signin?next=%2Fprojects%2Fmine%2Flive%3Fsince%3D0");
    }
}

#[tokio::test]
async fn a_page_hears_of_what_another_server_did() {
    let first = server().await;
    let (second, _) = second_server(&first).await;
    let project = first.project("wake-word").await;
    let mut here = Page::open(first.url(), &project, now(&first)).await;
    let mut there = Page::open(&second, &project, now(&first)).await;

    first.app.run(&project.key, "done by the first server").await;
    assert_eq!(there.hear().await.1["experiment_id"], "exp001");
    assert_eq!(here.hear().await.1["experiment_id"], "exp001");

    let client = reqwest::Client::builder().no_proxy().tls_certs_only(std::iter::empty()).build().unwrap();
    let created = client
        .post(format!("{second}/v1/runs"))
        .bearer_auth(&project.key)
        .json(&json!({"intent": "done by the second", "setup": "as before", "command": "true"}))
        .send()
        .await
        .unwrap();
    assert_eq!(created.status().as_u16(), 200);
    assert_eq!(here.hear().await.1["experiment_id"], "exp002");
    assert_eq!(there.hear().await.1["experiment_id"], "exp002");
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams() {
    let first = server().await;
    let (second, live) = second_server(&first).await;
    let project = first.project("wake-word").await;
    let mut page = Page::open(&second, &project, now(&first)).await;
    first.app.run(&project.key, "heard").await;
    page.hear().await;
    live.close();
    let bye = page.event().await.expect("a word before the end");
    assert_eq!(bye.name, "bye");
    let come_back_after: u32 = bye.retry.parse().unwrap();
    assert!((1000..5000).contains(&come_back_after), "{come_back_after} ms");
    assert!(page.event().await.is_none());
}
