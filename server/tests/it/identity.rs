//! Who somebody is: signing up and in, sessions, links by mail, passwords, addresses.

mod email;
mod links;
mod proof;
mod sessions;
mod sign_in;
mod sign_up;

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use otrace_server::auth::{Client, session_cookie};
use otrace_server::config::{Config, HttpConfig};
use otrace_server::domain::{Account, Actor, SignUpPolicy};
use otrace_server::providers::{ProviderKind, ProviderSettings};
use otrace_server::services;
use otrace_server::services::accounts::SignUp;
use otrace_server::store;
use otrace_server::testing::{PASSWORD, TestApp, TestResponse};

use crate::mail::MailServer;

/// The first account, which runs the server.
const ADMIN: &str = "admin@example.org";
const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
/// Another password that is hard to guess.
const NEW_PASSWORD: &str = "seven quiet lighthouses";

/// A server that sends mail, with one account, which runs it.
async fn with_mail() -> (TestApp, MailServer) {
    let mail = MailServer::start().await;
    let app = TestApp::with(|config| config.mail = mail.config()).await;
    person(&app, ADMIN).await;
    (app, mail)
}

/// A server that others than this machine's people reach. Nobody has an account yet.
async fn public_server() -> TestApp {
    TestApp::with(be_public).await
}

fn be_public(config: &mut Config) {
    config.http = HttpConfig::local(([127, 0, 0, 1], 8000).into()).called("https://trace.example.org".parse().unwrap());
}

/// A provider that nobody asks anything.
fn provider() -> ProviderSettings {
    ProviderSettings {
        name: "sso".to_owned(),
        label: "SSO".to_owned(),
        kind: ProviderKind::Oidc { issuer: "https://sso.example.org".parse().unwrap() },
        client_id: "trace".to_owned(),
        client_secret: None,
        trust_email: false,
    }
}

/// Makes an account, whatever the rules of signing up are; returns its session.
async fn person(app: &TestApp, email: &str) -> String {
    let input = SignUp { email: email.to_owned(), name: String::new(), password: PASSWORD.to_owned() };
    services::accounts::create(&app.app, input, &Actor::command()).await.unwrap();
    session(app, email).await
}

/// Signs an account in at one more browser; returns the session, as the `Cookie` header holds it.
async fn session(app: &TestApp, email: &str) -> String {
    let account = account(app, email).await;
    let session = services::sign_in::begin_session(&app.app, account, &Client::default()).await.unwrap();
    let cookie = session_cookie(&app.app, &session.token);
    format!("{}={}", cookie.name(), cookie.value())
}

async fn account(app: &TestApp, email: &str) -> Account {
    services::accounts::find(&app.app, email).await.unwrap()
}

/// Chooses the rule of signing up, as an admin does.
async fn set_policy(app: &TestApp, policy: &SignUpPolicy) {
    let admin = account(app, ADMIN).await;
    let mut connection = app.app.pool.acquire().await.unwrap();
    store::sign_up_policy::set(&mut connection, policy, admin.id, app.app.clock.now()).await.unwrap();
}

async fn sign_in(app: &TestApp, email: &str, password: &str) -> TestResponse {
    app.post("", "/signin", &[("email", email), ("password", password)]).await
}

async fn is_signed_in(app: &TestApp, cookie: &str) -> bool {
    let status = app.get(cookie, "/account").await.status.as_u16();
    assert!(matches!(status, 200 | 303), "{status}");
    status == 200
}

/// Where a link leads on this server; fails where it leads to another one.
#[track_caller]
fn path_of<'a>(app: &TestApp, link: &'a str) -> &'a str {
    let path = link.strip_prefix(app.app.config.public_url_str()).filter(|path| path.starts_with('/'));
    path.unwrap_or_else(|| panic!("{link} leads elsewhere"))
}

/// A link to choose a new password with, as an admin makes one.
async fn reset_path(app: &TestApp, email: &str) -> String {
    let account = account(app, email).await;
    let link = services::links::make_reset(&app.app, &account, &Actor::command()).await.unwrap();
    path_of(app, &link).to_owned()
}

/// A link that finishes a sign-up, as it is mailed.
async fn sign_up_path(app: &TestApp, mail: &MailServer, email: &str) -> String {
    app.post("", "/signup", &[("name", "Carol"), ("email", email)]).await.expect(303);
    let letter = mail.next_to(email).await;
    path_of(app, letter.link()).to_owned()
}

/// A form as a browser sends it from one of our own pages.
fn form(cookie: &str, path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Request::post(path)
        .header(COOKIE, cookie)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from(form))
        .unwrap()
}

/// The same request with one header as it is given here.
fn with_header(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// The same request, come from this address.
fn from_address(mut request: Request<Body>, address: [u8; 4]) -> Request<Body> {
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 40_000))));
    request
}

/// One of many addresses, none of this machine.
fn address(number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [198, 51, high, low]
}

/// The cookies that an answer sets, each with its attributes.
fn set_cookies(response: &TestResponse) -> Vec<&str> {
    response.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
}

/// The cookies that an answer sets, as the `Cookie` header holds them.
fn cookies_of(response: &TestResponse) -> String {
    let pairs = set_cookies(response).into_iter().filter_map(|cookie| cookie.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

/// What an answer tells whoever compares it with another one: all but the request's own id.
fn told(response: &TestResponse) -> (u16, Vec<(String, String)>, String) {
    let headers = response.headers.iter().filter(|(name, _)| name.as_str() != "x-request-id");
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    headers.sort_unstable();
    (response.status.as_u16(), headers, response.text())
}

/// The statuses of answers, sorted.
fn statuses(responses: &[TestResponse]) -> Vec<u16> {
    let mut statuses: Vec<_> = responses.iter().map(|response| response.status.as_u16()).collect();
    statuses.sort_unstable();
    statuses
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&app.app.pool).await.unwrap()
}

async fn accounts(app: &TestApp) -> i64 {
    count(app, "SELECT count(*) FROM accounts").await
}

/// Runs a statement about the account with this address, `$1`.
async fn change(app: &TestApp, sql: &'static str, email: &str) {
    let done = sqlx::query(sql).bind(email).execute(&app.app.pool).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
}
