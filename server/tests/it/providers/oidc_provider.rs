//! A real OpenID Connect provider: npm's `oidc-provider`, which `make test` installs, run by node.
//!
//! Who signs in there decides what it tells; `oidc_provider.mjs` has the list.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use url::Url;
use url::form_urlencoded::Serializer;

/// Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
/// Sign-in, consent and the ways between them take eight requests.
const REQUESTS_MAX: usize = 20;

/// A provider on a port of this machine, until it is dropped.
#[derive(Debug)]
pub struct OidcProvider {
    /// Its address.
    pub issuer: Url,
    /// What the server is called there.
    pub client_id: &'static str,
    /// The server's password there.
    pub client_secret: &'static str,
    _process: Child,
    // It ends when this does, also where the test is killed.
    _stdin: ChildStdin,
    // Kept open: node would break off when it can't print.
    _stdout: Lines<BufReader<ChildStdout>>,
}

/// What a person does at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visit<'a> {
    SignIn(&'a str),
    /// Signs in, and then does not agree.
    Deny(&'a str),
}

impl OidcProvider {
    /// Starts one that sends browsers back to these addresses only.
    pub async fn start(redirect_urls: &[Url]) -> Self {
        let package = repository().join("target/oidc-provider/node_modules/oidc-provider/lib/index.js");
        assert!(package.is_file(), "these tests need node and oidc-provider, which `make test` installs");
        let mut process = Command::new("node")
            .arg(repository().join("server/tests/it/providers/oidc_provider.mjs"))
            .arg(package)
            .args(redirect_urls.iter().map(Url::as_str))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts, which `make test` installs");
        let stdin = process.stdin.take().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = timeout(PATIENCE, address_in(&mut stdout)).await.expect("oidc-provider says where it listens");
        Self {
            issuer,
            client_id: "trace",
            client_secret: "nothing secret",
            _process: process,
            _stdin: stdin,
            _stdout: stdout,
        }
    }
}

/// The address that the provider prints.
async fn address_in(stdout: &mut Lines<BufReader<ChildStdout>>) -> Url {
    loop {
        let line = stdout.next_line().await.unwrap().expect("oidc-provider goes on until it is ready");
        if let Some(address) = line.strip_prefix("listening on ") {
            return address.parse().unwrap();
        }
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A client that shows each redirect, as the walks through the provider's pages need it.
pub fn stepwise_client() -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().timeout(PATIENCE).build().unwrap()
}

/// Signs in at the provider and agrees; the address that the browser is sent back to. `http` follows no redirects.
pub async fn sign_in_at_provider(http: &Client, authorize_url: &Url, login: &str) -> Url {
    walk(http, authorize_url, Visit::SignIn(login)).await
}

/// Signs in at the provider and does not agree; the address that the browser is sent back to.
pub async fn deny_at_provider(http: &Client, authorize_url: &Url, login: &str) -> Url {
    walk(http, authorize_url, Visit::Deny(login)).await
}

/// Goes from page to page, as a browser does, until the provider sends it elsewhere.
async fn walk(http: &Client, authorize_url: &Url, visit: Visit<'_>) -> Url {
    let mut cookies = Cookies::default();
    let mut url = authorize_url.clone();
    let mut form = None;
    for _ in 0..REQUESTS_MAX {
        let answer = cookies.send(http, &url, form.take()).await;
        let status = answer.status();
        if status.is_redirection() {
            let next = url.join(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
            if next.origin() != authorize_url.origin() {
                return next;
            }
            url = next;
            continue;
        }
        let page = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{url}: {page}");
        (url, form) = next_step(&page, visit);
    }
    panic!("{authorize_url} does not send the browser back");
}

/// Where a person goes from this page, and what they send.
fn next_step(page: &str, visit: Visit<'_>) -> (Url, Option<String>) {
    let (Visit::SignIn(login) | Visit::Deny(login)) = visit;
    if page.contains(r#"name="prompt" value="login""#) {
        let form = [("prompt", "login"), ("login", login), ("password", "any")];
        (address(page, "action"), Some(Serializer::new(String::new()).extend_pairs(form).finish()))
    } else if visit == Visit::Deny(login) {
        (address(page, "href"), None)
    } else {
        (address(page, "action"), Some("prompt=consent".to_owned()))
    }
}

/// The first address that a page has in such an attribute.
fn address(page: &str, attribute: &str) -> Url {
    let (_, after) = page.split_once(&format!(r#" {attribute}=""#)).unwrap_or_else(|| panic!("no {attribute}: {page}"));
    after.split_once('"').unwrap().0.parse().unwrap()
}

/// A browser's cookies for one site.
#[derive(Default)]
struct Cookies(HashMap<String, String>);

impl Cookies {
    /// Sends a form, or asks for a page, and keeps what it is told to keep.
    async fn send(&mut self, http: &Client, url: &Url, form: Option<String>) -> Response {
        let cookies: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let method = if form.is_some() { Method::POST } else { Method::GET };
        let mut request = http.request(method, url.clone());
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        if let Some(form) = form {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        }
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}
