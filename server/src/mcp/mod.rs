//! `/mcp`: the tools of `otrace-mcp` for agents, over streamable HTTP, with a project's API key.
//!
//! Thin: the key is found out as for the API, [`source`] asks services, and `rmcp` speaks the protocol. No session is
//! kept between two requests, so that any server behind a balancer answers any of them.

mod source;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use otrace_mcp::McpServer;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use url::Url;

use crate::app::AppState;
use crate::auth::ProjectKey;
use source::ByKey;

/// The longest message, in bytes: a note of 64 KiB has room in it, however it is escaped.
const MESSAGE_MAX: usize = 512 * 1024;

/// `POST /mcp`: one message of an agent.
pub async fn answer(State(app): State<AppState>, key: ProjectKey, mut request: Request) -> Response {
    let headers = request.headers_mut();
    // It has done its work; from here on the request is handed around and may be logged.
    headers.remove(AUTHORIZATION);
    // The layer before has let through what names no host, as browsers never do.
    headers.entry(HOST).or_insert(HeaderValue::from_static("localhost"));
    let settings = settings(app.config.http.public_url());
    let server = McpServer::new(ByKey::new(app, key));
    let service =
        StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), settings);
    service.handle(request).await.map(Body::new)
}

/// Which host is called is checked by `middleware::only_known_hosts`, which also knows servers that were not told
/// their name. Of pages, only those of this server may ask.
fn settings(public_url: &Url) -> StreamableHttpServerConfig {
    let host = public_url.host_str().unwrap_or("localhost");
    let port = public_url.port_or_known_default().unwrap_or(80);
    StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MESSAGE_MAX)
        .disable_allowed_hosts()
        .with_allowed_origins([format!("{}://{host}:{port}", public_url.scheme())])
        .enforce_origin_validation()
}

/// Tells whoever comes without a live key how to prove who they are, as agents expect it.
pub async fn ask_for_a_key(mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Trace\""));
    }
    response
}
