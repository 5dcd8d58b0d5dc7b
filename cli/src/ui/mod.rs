//! The local app of `otrace ui`: this workspace's own state, and the server's pages of its project, for the
//! browser of one person at this machine.
//!
//! [`door`] lets nobody else in. [`local_state`] reads the workspace, [`pages`] shows it, and tells it to programs as
//! JSON. [`proxy`] passes the server's pages on, which [`lender`] asks for. [`own_server`] starts a server where there
//! is none. It listens at this machine's loopback address only.

mod door;
mod lender;
mod local_state;
pub mod own_server;
mod pages;
mod proxy;
mod token_file;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::workspace::Workspace;
use door::{Door, Keys, Verdict};
use lender::Lender;
pub use token_file::TokenFile;

/// What our own pages may load: nothing but the style. The server's pages bring their own along.
const POLICY: &str = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";
/// Headers of every answer that has none of its own.
const HEADERS: [(&str, &str); 7] = [
    ("cache-control", "no-store"),
    ("content-security-policy", POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// What every request can reach.
pub struct App {
    workspace: Workspace,
    settings: Settings,
    door: Door,
    lender: Lender,
    /// Whether the server is one that we have started.
    has_own_server: bool,
}

impl App {
    /// The app at this port; also gives the link that opens it once, and the file in `.trace/` with the token for
    /// programs, which is to live as long as the app.
    pub fn open(
        workspace: Workspace,
        settings: Settings,
        port: u16,
        has_own_server: bool,
    ) -> Result<(Arc<Self>, String, TokenFile)> {
        let (door, Keys { link, token }) = Door::new(port)?;
        let file = TokenFile::write(&workspace, port, &token)?;
        let lender = Lender::new(&settings);
        Ok((Arc::new(Self { workspace, settings, door, lender, has_own_server }), link, file))
    }
}

/// Answers to requests, until it is dropped.
pub async fn serve(app: Arc<App>, listener: TcpListener) -> Result<()> {
    let served = axum::serve(listener, router(app)).await;
    served.map_err(|error| Error::new(format!("the local app has ended: {error}")))
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(pages::workspace))
        .route("/local/trace.css", get(pages::style))
        .route("/local/fonts/{file}", get(proxy::font))
        .route("/api/trace/status", get(pages::status))
        .route("/api/trace/runs", get(pages::runs))
        .route("/api/trace/files", get(pages::files))
        .fallback(proxy::show)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), admit))
        .with_state(app)
}

/// Around everything: who gets in, and what protects each answer.
async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = match app.door.judge(request.method(), request.uri(), request.headers()) {
        Verdict::Enter => next.run(request).await,
        Verdict::Begin(cookie) => ([(SET_COOKIE, cookie)], pages::beginning()).into_response(),
        Verdict::Home => Redirect::to("/").into_response(),
        Verdict::Refuse(why) => pages::refusal(request.uri(), why),
    };
    protect(response.headers_mut());
    response
}

fn protect(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
