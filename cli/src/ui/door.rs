//! Who gets into the local app: one person's browser, which came by the link that was printed for it, and
//! programs of the same person, which read the token in `.trace/ui.json`. Pure.
//!
//! Every other program of this machine can reach our port, and so can every page that this person's browser
//! has open. So the link opens once, the browser then has a cookie, and each request must name us as its
//! host, to the letter: the page of another site, whose name suddenly leads to this machine, calls us by
//! that name. What says that it comes from another site, or another port, is refused as well.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// What the query of the printed link begins with.
const LINK_QUERY: &str = "token=";
/// Below this path a token does as well as the cookie.
const FOR_PROGRAMS: &str = "/api/";
/// What a browser says of where a request comes from.
const SITE: &str = "sec-fetch-site";

const WRONG_NAME: &str = "This is otrace ui, and it is not called so. Open the link that it printed.";
const OTHER_SITE: &str =
    "This request comes from another page. Open the link that otrace ui printed, or type the address.";
const USED_LINK: &str =
    "This link was used already, or is none of this otrace ui. Start `otrace ui` again for a new one.";
const NO_KEY: &str = "Open the link that otrace ui printed. It works once, so start `otrace ui` again if it was used.";

/// Decides about each request. It holds secrets, so that it has no `Debug`.
pub struct Door {
    port: u16,
    /// What the printed link opens with, until it has.
    link: Mutex<Option<Secret>>,
    /// What the cookie and programs open with.
    access: Secret,
    /// The cookie, as it is set.
    cookie: String,
}

/// What is told once, when the door is made.
pub struct Keys {
    /// The link that opens once.
    pub link: String,
    /// What programs prove themselves with.
    pub token: String,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Enter,
    /// It came by the link: the browser gets this cookie, and begins.
    Begin(String),
    /// It came by a link that was used, from the browser that has the cookie: it begins once more.
    Home,
    /// It goes no further, and is told why.
    Refuse(&'static str),
}

/// A secret, known by its hash: comparing takes as long whatever is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Secret([u8; 32]);

impl Secret {
    fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

impl Door {
    /// One with new secrets, for the app at this port.
    pub fn new(port: u16) -> Result<(Self, Keys)> {
        let (link, token) = (random()?, random()?);
        let cookie = format!("{}={token}; Path=/; HttpOnly; SameSite=Strict", cookie_name(port));
        let door = Self { port, link: Mutex::new(Some(Secret::of(&link))), access: Secret::of(&token), cookie };
        Ok((door, Keys { link: format!("http://127.0.0.1:{port}/?{LINK_QUERY}{link}"), token }))
    }

    /// Whether a request may go on, and what else becomes of it.
    pub fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        if !self.is_called(uri, headers) {
            return Verdict::Refuse(WRONG_NAME);
        }
        let has_cookie = self.has_cookie(headers);
        if let Some(token) = link_token(method, uri) {
            // Whoever has it may come from anywhere, such as a terminal in a page.
            return match (self.take_link(token), has_cookie) {
                (true, _) => Verdict::Begin(self.cookie.clone()),
                (false, true) => Verdict::Home,
                (false, false) => Verdict::Refuse(USED_LINK),
            };
        }
        if !self.is_from_here(headers) {
            return Verdict::Refuse(OTHER_SITE);
        }
        if has_cookie || (uri.path().starts_with(FOR_PROGRAMS) && self.has_token(headers)) {
            return Verdict::Enter;
        }
        Verdict::Refuse(NO_KEY)
    }

    /// Our names, as a browser sends them.
    fn names(&self) -> [String; 2] {
        ["127.0.0.1", "localhost"].map(|name| format!("{name}:{}", self.port))
    }

    fn is_called(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let is_ours = |name: &str| self.names().iter().any(|own| own.eq_ignore_ascii_case(name));
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        // A proxy's way to ask names the host in the address too.
        let is_asked_for = uri.authority().is_none_or(|authority| is_ours(authority.as_str()));
        is_asked_for && host.to_str().is_ok_and(is_ours)
    }

    /// Whether a request comes from one of our own pages, or from no page at all.
    fn is_from_here(&self, headers: &HeaderMap) -> bool {
        let is_own_site = headers.get_all(SITE).iter().all(|site| site == "same-origin" || site == "none");
        let is_own = |origin: &str| self.names().iter().any(|name| origin == format!("http://{name}"));
        is_own_site && headers.get_all(ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(is_own))
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let name = cookie_name(self.port);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        cookies.any(|(found, value)| found == name && Secret::of(value) == self.access)
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some((scheme, token)) = value.split_once(' ') else { return false };
        scheme.eq_ignore_ascii_case("bearer") && Secret::of(token.trim()) == self.access
    }

    /// Uses the link up, if this is its token.
    fn take_link(&self, token: &str) -> bool {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.take_if(|link| *link == Secret::of(token)).is_some()
    }
}

fn link_token<'u>(method: &Method, uri: &'u Uri) -> Option<&'u str> {
    let is_link = *method == Method::GET && uri.path() == "/";
    uri.query().filter(|_| is_link)?.strip_prefix(LINK_QUERY)
}

/// Cookies don't know ports: two apps at once must not take each other's.
fn cookie_name(port: u16) -> String {
    format!("otrace_ui_{port}")
}

/// 256 random bits.
fn random() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(format!("this machine has no random numbers: {error}")))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests;
