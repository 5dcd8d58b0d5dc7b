//! Signing in through providers: the whole server, and a real provider (npm's `oidc-provider`) that vouches.
//!
//! Who signs in there decides what it tells; `providers/oidc_provider.mjs` has the list. Its tokens have the
//! machine's time in them, so the server has that clock too: what has to be old is made old in the database.

mod addresses;
mod attempts;
mod confirming;
mod entering;
mod kept;
mod linking;
mod mix_up;
mod policies;
mod ways_on;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use otrace_server::auth::sessions::SessionHash;
use otrace_server::config::Config;
use otrace_server::domain::secret_token::hash;
use otrace_server::domain::{Account, Actor};
use otrace_server::providers::{ProviderKind, ProviderSettings};
use otrace_server::services;
use otrace_server::services::accounts::SignUp;
use otrace_server::testing::{PASSWORD, TestApp, TestResponse};
use url::form_urlencoded::Serializer;
use url::{Position, Url};

use crate::providers::oidc_provider::{OidcProvider, sign_in_at_provider, stepwise_client};

/// The first account, which runs the server.
const ROOT: &str = "root@example.org";
const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";

/// The way to the provider from the sign-in page, and on to [`NEXT`].
const WAY: &str = "/signin/with/sso?next=%2Fprojects%2Fnew";
/// The way to the provider from one's account.
const LINK: &str = "/account/identities/link/sso";
const NEXT: &str = "/projects/new";

const NOT_BEGUN_HERE: &str = "This sign-in was not begun here, or took too long.";
const NOT_CONFIRMED: &str = "SSO did not confirm who you are.";

/// A provider that knows this server by all the names that these tests give it.
async fn start_provider() -> OidcProvider {
    let urls = ["http://localhost:8000", "https://trace.example.org"].into_iter().flat_map(|server| {
        ["sso", "other"].map(|name| format!("{server}/signin/with/{name}/callback").parse::<Url>().unwrap())
    });
    OidcProvider::start(&urls.collect::<Vec<Url>>()).await
}

fn as_provider(name: &str, provider: &OidcProvider) -> ProviderSettings {
    ProviderSettings {
        name: name.to_owned(),
        label: name.to_uppercase(),
        kind: ProviderKind::Oidc { issuer: provider.issuer.clone() },
        client_id: provider.client_id.to_owned(),
        client_secret: Some(provider.client_secret.into()),
        trust_email: false,
    }
}

/// A server with a provider called `sso`. Nobody has an account yet; anyone may sign up.
async fn empty_server(settings: impl FnOnce(&mut Config)) -> (TestApp, OidcProvider) {
    let provider = start_provider().await;
    let app = TestApp::at_real_time(|config| {
        config.sign_in.more_providers = vec![as_provider("sso", &provider)];
        settings(config);
    })
    .await;
    (app, provider)
}

/// The same, with an account that runs it.
async fn server_with(settings: impl FnOnce(&mut Config)) -> (TestApp, OidcProvider) {
    let (app, provider) = empty_server(settings).await;
    person(&app, ROOT).await;
    (app, provider)
}

async fn server() -> (TestApp, OidcProvider) {
    server_with(|_| {}).await
}

/// Makes it a server that others than this machine's people reach.
fn be_public(config: &mut Config) {
    config.http = config.http.clone().called("https://trace.example.org".parse().unwrap());
}

/// Makes an account with the password [`PASSWORD`], whoever may sign up. Its address is not proved.
async fn person(app: &TestApp, email: &str) -> Account {
    let input = SignUp { email: email.to_owned(), name: String::new(), password: PASSWORD.to_owned() };
    services::accounts::create(&app.app, input, &Actor::command()).await.unwrap()
}

/// The addresses of all accounts.
async fn accounts(app: &TestApp) -> Vec<String> {
    sqlx::query_scalar("SELECT email FROM accounts ORDER BY email").fetch_all(&app.app.pool).await.unwrap()
}

/// All identities: the address of the account that each is linked to, and what the provider calls it.
async fn linked(app: &TestApp) -> Vec<String> {
    sqlx::query_scalar(
        "
        SELECT a.email || ' ' || i.subject
        FROM identities i
        JOIN accounts a ON a.id = i.account_id
        ORDER BY i.created_at, i.id
        ",
    )
    .fetch_all(&app.app.pool)
    .await
    .unwrap()
}

/// How many sign-ins through a provider are under way.
async fn under_way(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM provider_attempts").fetch_one(&app.app.pool).await.unwrap()
}

async fn execute(app: &TestApp, sql: &'static str) {
    sqlx::query(sql).execute(&app.app.pool).await.unwrap();
}

/// The page of a refusal: it signs nobody in.
#[track_caller]
fn refusal(answer: &TestResponse) -> String {
    assert_eq!(TestApp::cookie_of(answer), "");
    assert!([403, 404, 422].contains(&answer.status.as_u16()), "{} {}", answer.status, answer.text());
    answer.text()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The address with another parameter of this name, or without one.
fn changed(url: &Url, name: &str, value: Option<&str>) -> Url {
    let kept: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(value.map(|value| (name, value)));
    changed
}

/// Where the first link of a page leads that begins so.
fn way_in(page: &str, beginning: &str) -> String {
    let (_, after) =
        page.split_once(&format!("href=\"{beginning}")).unwrap_or_else(|| panic!("no {beginning}: {page}"));
    let (rest, _) = after.split_once('"').unwrap();
    format!("{beginning}{rest}").replace("&amp;", "&").replace("&#38;", "&")
}

/// A person's browser: its cookies, and the address that it asks from.
#[derive(Clone)]
struct Visitor<'a> {
    app: &'a TestApp,
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
    address: SocketAddr,
}

impl<'a> Visitor<'a> {
    fn new(app: &'a TestApp) -> Self {
        Self { app, http: stepwise_client(), cookies: BTreeMap::new(), address: next_address() }
    }

    /// Somebody who sits at the server's own machine.
    fn at_this_machine(app: &'a TestApp) -> Self {
        Self { address: ([127, 0, 0, 1], 50_000).into(), ..Self::new(app) }
    }

    /// Somebody else, who has never been here.
    fn another(&self) -> Self {
        Self { app: self.app, http: self.http.clone(), cookies: BTreeMap::new(), address: next_address() }
    }

    async fn send(&mut self, mut request: Request<Body>) -> TestResponse {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(COOKIE, cookies.join("; ").parse().unwrap());
        }
        request.extensions_mut().insert(ConnectInfo(self.address));
        let answer = self.app.send(request).await;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            match rest.split(';').next().unwrap() {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// Follows a link on a page of this site: `same-origin`; of another: `cross-site`; of none: `none`.
    async fn get_from(&mut self, site: &str, path: &str) -> TestResponse {
        self.send(Request::get(path).header("sec-fetch-site", site).body(Body::empty()).unwrap()).await
    }

    async fn get(&mut self, path: &str) -> TestResponse {
        self.get_from("same-origin", path).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(form))
            .unwrap();
        self.send(request).await
    }

    /// Signs in with a password.
    async fn sign_in_with(&mut self, email: &str, password: &str) -> TestResponse {
        self.post("/signin", &[("email", email), ("password", password), ("next", NEXT)]).await
    }

    /// Takes a way to the provider: the address of its page.
    async fn leave_by(&mut self, way: &str) -> Url {
        let answer = self.get(way).await.expect(303);
        answer.header("location").parse().unwrap()
    }

    /// Takes a way to the provider and signs in there: the address that it sends the browser back to.
    async fn vouched(&mut self, way: &str, login: &str) -> Url {
        let url = self.leave_by(way).await;
        sign_in_at_provider(&self.http, &url, login).await
    }

    /// Comes from the provider's page.
    async fn come_back(&mut self, back: &Url) -> TestResponse {
        self.get_from("cross-site", &back[Position::BeforePath..]).await
    }

    /// The whole way to the provider and back.
    async fn go(&mut self, way: &str, login: &str) -> TestResponse {
        let back = self.vouched(way, login).await;
        self.come_back(&back).await
    }

    /// Signs in through the provider.
    async fn sign_in(&mut self, login: &str) -> TestResponse {
        self.go(WAY, login).await
    }

    /// Links an identity on the account's page.
    async fn link(&mut self, login: &str) -> TestResponse {
        self.go(LINK, login).await
    }

    /// The token of the session that the browser has.
    fn session(&self) -> Option<&str> {
        let mut cookies = self.cookies.iter();
        cookies.find(|(name, _)| name.ends_with("otrace_session")).map(|(_, token)| token.as_str())
    }

    /// The address of the account that is signed in.
    async fn who(&self) -> Option<String> {
        let session = SessionHash(hash(self.session()?));
        let found = services::sign_in::find_session(&self.app.app, &session).await.unwrap();
        found.map(|found| found.account.email)
    }
}

/// Everybody has an address of their own, so that the limits by address hold nobody up.
fn next_address() -> SocketAddr {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let [high, low] = GIVEN.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    ([10, 0, high, low], 4321).into()
}
