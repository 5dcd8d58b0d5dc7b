//! The log of a whole session, at its most talkative: no secret is in it, and each request once.

use reqwest::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::settings::binary::{Machine, Running};

const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "planted correct horse battery";

/// A session: what it must not leave behind, and what it was answered.
struct Session<'a> {
    server: &'a Running,
    client: Client,
    cookie: String,
    secrets: Vec<String>,
    /// The id and the status of each answer.
    answers: Vec<(String, u16)>,
}

impl<'a> Session<'a> {
    fn new(server: &'a Running) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { server, client, cookie: String::new(), secrets: vec![PASSWORD.to_owned()], answers: Vec::new() }
    }

    async fn send(&mut self, request: RequestBuilder) -> Response {
        let response = request.send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        self.answers.push((id, response.status().as_u16()));
        response
    }

    async fn get(&mut self, path: &str) -> Response {
        let request = self.client.get(self.server.url(path)).header(COOKIE, &self.cookie);
        self.send(request).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .client
            .post(self.server.url(path))
            .header(COOKIE, &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        self.send(request).await
    }

    async fn api(&mut self, key: &str, method: &str, path: &str, body: String) -> Response {
        let request = self
            .client
            .request(method.parse().unwrap(), self.server.url(path))
            .header(AUTHORIZATION, format!("Bearer {key}"))
            .header("content-type", "application/json")
            .body(body);
        self.send(request).await
    }

    /// What must be nowhere in the log.
    fn keep_secret(&mut self, secret: &str) -> String {
        self.secrets.push(secret.to_owned());
        secret.to_owned()
    }
}

/// Signs in at the second try, makes a key, captures a run, and gets much wrong.
async fn live(session: &mut Session<'_>, slug: &str) {
    let wrong = session.keep_secret("planted-wrong-password");
    session.post("/signin", &[("email", EMAIL), ("password", &wrong)]).await;
    let signed_in = session.post("/signin", &[("email", EMAIL), ("password", PASSWORD)]).await;
    assert_eq!(signed_in.status(), 303);
    let cookies = signed_in.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let cookies: Vec<&str> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
    let values = cookies.iter().filter_map(|cookie| Some(cookie.split_once('=')?.1)).filter(|value| value.len() > 20);
    session.secrets.extend(values.map(str::to_owned));
    session.cookie = cookies.join("; ");

    let page = session.post(&format!("/projects/{slug}/keys"), &[("name", "laptop")]).await.text().await.unwrap();
    let mut words = page.match_indices("trc_").filter_map(|(start, _)| page.get(start..start + 42));
    let key = words.find(|word| word[4..].bytes().all(|byte| byte.is_ascii_alphanumeric())).unwrap();
    let key = session.keep_secret(key);
    let body = json!({"intent": session.keep_secret("planted-intent"), "setup": "s", "command": "planted-command"});
    let created = session.api(&key, "POST", "/v1/runs", body.to_string()).await;
    assert_eq!(created.status(), 200);
    let created: Value = serde_json::from_str(&created.text().await.unwrap()).unwrap();
    let token = session.keep_secret(created["run_token"].as_str().unwrap());
    let printed = "planted-printed\n".to_owned();
    session.api(&token, "POST", "/v1/runs/exp001/logs/stdout?offset=0", printed).await;
    session.api(&token, "PUT", "/v1/runs/exp001/details", "{\"planted-body".to_owned()).await;

    let query = session.keep_secret("planted-query");
    session.api(&key, "GET", &format!("/v1/runs?limit=none&token={query}"), String::new()).await;
    let unknown = session.keep_secret("trc_plantedplantedplantedplantedplantedplan");
    session.api(&unknown, "GET", "/v1/auth/whoami", String::new()).await;
    for path in ["/planted-path", "/reset/trr_planted-link", "/signin?next=/planted-next", "/docs?q=planted-search"] {
        session.get(path).await;
    }
    session.secrets.extend(
        ["planted-body", "planted-path", "planted-link", "planted-next", "planted-search", "planted-printed"]
            .map(str::to_owned),
    );
}

#[tokio::test]
async fn the_log_of_a_whole_session_holds_no_secret_and_each_request_once() {
    let machine = Machine::new().await;
    machine.script(&["user", "create", "--email", EMAIL, "--password-stdin"], PASSWORD);
    let project = machine.script(&["project", "create", "--owner", EMAIL, "--name", "Wake word"], "");
    let variables = [("RUST_LOG", "debug"), ("OTRACE_LOG_FORMAT", "json"), ("OTRACE_LOG_REQUESTS", "true")];
    let server = machine.serve(&variables);
    let mut session = Session::new(&server);
    live(&mut session, project["slug"].as_str().unwrap()).await;

    let (log, events) = (server.log(), server.events());
    for secret in &session.secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log:\n{log}");
    }
    assert!(session.answers.iter().filter(|(_, status)| *status >= 400).count() >= 5, "{:?}", session.answers);
    for (id, status) in &session.answers {
        let lines: Vec<&Value> = events.iter().filter(|event| event["id"] == **id).collect();
        assert_eq!(lines.len(), 1, "{id}: {lines:?}");
        assert_eq!(lines[0]["status"], *status, "{lines:?}");
    }
    server.stop();
}

#[tokio::test]
async fn what_a_request_calls_itself_can_forge_no_line() {
    let machine = Machine::new().await;
    let server = machine.serve(&[("OTRACE_LOG_REQUESTS", "true")]);
    let forged = "x\" status=200 {\"level\":\"ERROR\"}";
    let request = Client::new().get(server.url("/nothing")).header("x-request-id", forged);
    assert_eq!(request.send().await.unwrap().status(), 404);
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("status=200")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    // Within quotation marks, and its own are escaped.
    assert!(lines[0].contains(r#"id="x\" status=200 {\"level\":\"ERROR\"}""#), "{}", lines[0]);
    server.stop();
}
