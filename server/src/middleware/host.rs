//! Pages answer only to the server's own name.
//!
//! Otherwise a page of another site, whose name suddenly leads to this machine, would count as one of
//! ours to the browser (DNS rebinding), and could sign up on a fresh server.

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::AppState;
use crate::error::AppError;

/// Refuses requests that call the server by a name it does not have.
pub async fn only_known_hosts(State(app): State<AppState>, request: Request, next: Next) -> Response {
    // Browsers always say whom they call.
    let is_known = match request.headers().get(HOST).map(|host| host.to_str()) {
        None => true,
        Some(Ok(host)) => app.config.http.is_called(host),
        Some(Err(_)) => false,
    };
    if is_known {
        return next.run(request).await;
    }
    let url = app.config.public_url_str();
    AppError::invalid(format!("This server is not called so. Open {url}, or have its name set with --public-url."))
        .into_response()
}
