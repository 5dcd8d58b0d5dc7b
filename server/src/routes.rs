//! The whole URL table.
//!
//! Three routers, each with its own way to say no: [`health`] for machines that look after the
//! server, [`api`] in JSON, [`pages`] in HTML. Every route is in `tests/it/access_matrix.rs`.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, patch, post, put};
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;

use crate::api;
use crate::app::AppState;
use crate::live;
use crate::middleware;
use crate::web;

/// The largest form that a page sends, in bytes.
pub const FORM_MAX_BYTES: usize = 1024 * 1024;

/// Everything that the server answers to.
pub fn router(app: AppState) -> Router {
    let router = Router::new().merge(health()).merge(api()).merge(pages(app.clone()));
    middleware::wrap(router.with_state(app))
}

fn health() -> Router<AppState> {
    Router::new()
        .route("/health/live", get(api::health::live))
        .route("/health/ready", get(api::health::ready))
        .layer(middleware::catch_panics())
        .layer(from_fn(api::answer::render))
}

/// What published clients and our own CLI speak; the paths are `otrace_wire::paths`.
fn api() -> Router<AppState> {
    Router::new()
        .route("/v1/auth/whoami", get(api::identity::whoami))
        .route("/v1/projects/current/workspace", patch(api::identity::sync_workspace))
        .route("/v1/runs", get(api::runs::list).post(api::runs::create).delete(api::runs::delete_all))
        .route("/v1/runs/count", get(api::runs::count))
        .route("/v1/runs/{run}", get(api::runs::show).patch(api::runs::update).delete(api::runs::delete))
        .route("/v1/runs/{run}/details", put(api::runs::put_details))
        .route("/v1/runs/{run}/evidence", post(api::runs::add_evidence))
        .route("/v1/runs/{run}/artifacts", get(api::runs::artifacts))
        .route("/v1/artifacts/{artifact}/download", get(api::artifacts::download))
        .route("/v1/contents/{sha256}", put(api::contents::put))
        .route("/v1/{*unknown}", get(api::answer::not_found))
        .method_not_allowed_fallback(api::answer::method_not_allowed)
        // Each body has its own limit, enforced while it is read.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::catch_panics())
        .layer(from_fn(api::answer::render))
}

fn pages(app: AppState) -> Router<AppState> {
    let only_from_here = CsrfLayer::new().with_rejection_response(|_| web::render::refused_as_cross_site());
    Router::new()
        .route("/", get(web::landing::show))
        .route("/signin", get(web::accounts::sign_in_form).post(web::accounts::sign_in))
        .route("/signup", get(web::accounts::sign_up_form).post(web::accounts::sign_up))
        .route("/signout", post(web::accounts::sign_out))
        .route("/account", get(web::accounts::show))
        .route("/theme", post(web::accounts::set_theme))
        .route("/dashboard", get(web::projects::index))
        .route("/projects", get(web::projects::index).post(web::projects::new::create))
        .route("/projects/new", get(web::projects::new::show))
        .route("/projects/current", get(web::projects::current))
        .route("/projects/current/{*rest}", get(web::projects::current))
        .route("/projects/{slug}", get(web::projects::show))
        .route("/projects/{slug}/connect", get(web::projects::connect::show))
        .route("/projects/{slug}/keys", get(web::keys::list).post(web::keys::create))
        .route("/projects/{slug}/keys/{key}/revoke", post(web::keys::revoke))
        .route("/projects/{slug}/live", get(live::run_events))
        .route("/projects/{slug}/runs", get(web::runs::list::show))
        .route("/projects/{slug}/runs/{run}", get(web::runs::overview::show))
        .route("/projects/{slug}/runs/{run}/logs", get(web::runs::logs::show))
        .route("/projects/{slug}/runs/{run}/logs/{position}/raw", get(web::runs::raw::log))
        .route("/projects/{slug}/runs/{run}/artifacts", get(web::runs::artifacts::list))
        .route("/projects/{slug}/runs/{run}/artifacts/{artifact}", get(web::runs::artifacts::show))
        .route("/projects/{slug}/runs/{run}/artifacts/{artifact}/raw", get(web::runs::raw::artifact))
        .route("/projects/{slug}/runs/{run}/tables", get(web::runs::tables::show))
        .route("/projects/{slug}/runs/{run}/code", get(web::runs::code::show))
        .route("/projects/{slug}/runs/{run}/code/{position}/raw", get(web::runs::raw::snapshot_file))
        .route("/static/{*path}", get(web::assets::show))
        .fallback(web::render::not_found)
        .layer(middleware::catch_panics())
        .layer(only_from_here)
        .layer(from_fn_with_state(app.clone(), middleware::only_known_hosts))
        .layer(RequestBodyLimitLayer::new(FORM_MAX_BYTES))
        .layer(from_fn_with_state(app, web::render::render))
}
