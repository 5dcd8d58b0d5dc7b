//! The whole URL table.
//!
//! Four routers, each with its own way to say no: [`health`] for machines that look after the
//! server, [`api`] and [`mcp`] in JSON, [`pages`] in HTML. Every route is in `tests/it/access_matrix.rs`.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{delete, get, patch, post, put};
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;

use crate::api;
use crate::app::AppState;
use crate::live;
use crate::mcp;
use crate::middleware;
use crate::web;

/// The largest form that a page sends, in bytes.
pub const FORM_MAX_BYTES: usize = 1024 * 1024;
/// The largest form with a long text, in bytes: two megabytes, of which each byte may take three.
const LONG_FORM_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Everything that the server answers to.
pub fn router(app: AppState) -> Router {
    let router = Router::new().merge(health()).merge(api()).merge(mcp(app.clone())).merge(pages(app.clone()));
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
        .route("/v1/runs/{run}/heartbeat", post(api::live_logs::heartbeat))
        .route("/v1/runs/{run}/logs/{stream}", get(api::live_logs::show).post(api::live_logs::append))
        .route("/v1/runs/{run}/series", get(api::series::list).post(api::series::add))
        .route("/v1/runs/{run}/series/{*name}", get(api::series::show))
        .route("/v1/runs/{run}/evidence", post(api::runs::add_evidence))
        .route("/v1/runs/{run}/notes", post(api::notes::add))
        .route("/v1/runs/{run}/tags", patch(api::notes::change_tags))
        .route("/v1/runs/{run}/restore", post(api::runs::restore))
        .route("/v1/runs/{run}/artifacts", get(api::runs::artifacts))
        .route("/v1/imports", post(api::imports::begin))
        .route("/v1/imports/{import}", delete(api::imports::abandon))
        .route("/v1/imports/{import}/runs", post(api::imports::stage))
        .route("/v1/imports/{import}/commit", post(api::imports::commit))
        .route("/v1/artifacts/{artifact}/download", get(api::artifacts::download))
        .route("/v1/artifacts/{artifact}/ticket", post(api::artifacts::ticket))
        .route("/v1/contents", post(api::contents::put_packed))
        .route("/v1/contents/lacking", post(api::contents::lacking))
        .route("/v1/contents/arrived", post(api::contents::arrived))
        .route("/v1/contents/{sha256}", get(api::contents::show).put(api::contents::put))
        .route("/v1/contents/{sha256}/parts", put(api::contents::put_parts))
        .route("/v1/device/code", post(api::devices::ask))
        .route("/v1/device/token", post(api::devices::poll))
        .route("/v1/keys/revoke", post(api::keys::revoke))
        .route("/v1/page-passes", post(api::page_passes::create))
        .route("/v1/openapi.json", get(api::openapi::show))
        .route("/v1/{*unknown}", get(api::answer::not_found))
        .method_not_allowed_fallback(api::answer::method_not_allowed)
        // Each body has its own limit, enforced while it is read.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::catch_panics())
        .layer(from_fn(api::version::check))
        .layer(from_fn(api::answer::render))
}

/// What agents speak. No page of another site gets here by a name that leads to this machine.
fn mcp(app: AppState) -> Router<AppState> {
    Router::new()
        .route("/mcp", post(mcp::answer))
        .method_not_allowed_fallback(api::answer::method_not_allowed)
        .layer(middleware::catch_panics())
        .layer(map_response(mcp::ask_for_a_key))
        .layer(from_fn_with_state(app, middleware::only_known_hosts))
        .layer(from_fn(api::answer::render))
}

fn pages(app: AppState) -> Router<AppState> {
    let only_from_here = CsrfLayer::new().with_rejection_response(|_| web::render::refused_as_cross_site());
    Router::new()
        .route("/", get(web::landing::show))
        .merge(accounts())
        .merge(administration())
        .merge(projects())
        .merge(run_pages(app.clone()))
        .route("/search", get(web::search::show))
        .route("/search/hits", get(web::search::hits))
        .route("/download/{ticket}", get(web::runs::raw::by_ticket))
        .route("/docs", get(web::docs::index))
        .route("/docs/api-reference", get(web::docs::reference::show))
        .route("/docs/{page}", get(web::docs::show))
        .route("/static/{*path}", get(web::assets::show))
        .fallback(web::render::not_found)
        .method_not_allowed_fallback(web::render::method_not_allowed)
        .layer(RequestBodyLimitLayer::new(FORM_MAX_BYTES))
        .merge(long_forms(app.clone()))
        .layer(middleware::catch_panics())
        .layer(only_from_here)
        .layer(from_fn_with_state(app.clone(), middleware::only_known_hosts))
        .layer(from_fn_with_state(app, web::render::render))
}

fn accounts() -> Router<AppState> {
    use web::accounts::{confirm, email, providers, reset, sessions, show, sign_in, sign_up, theme};
    use web::{device, invitations};
    Router::new()
        .route("/signin", get(sign_in::show).post(sign_in::submit))
        .route("/signin/with/{provider}", get(providers::begin))
        .route("/signin/with/{provider}/callback", get(providers::finish))
        .route("/signout", post(sign_in::sign_out))
        .route("/signup", get(sign_up::show).post(sign_up::submit))
        .route("/signup/{token}", get(sign_up::finish_form).post(sign_up::finish))
        .route("/forgot", get(reset::ask_form).post(reset::ask))
        .route("/reset/{token}", get(reset::form).post(reset::submit))
        .route("/confirm", get(confirm::show).post(confirm::submit))
        .route("/account", get(show::show))
        .route("/account/name", post(show::rename))
        .route("/account/password", post(show::change_password))
        .route("/account/email", post(show::change_email))
        .route("/account/email/{token}", get(email::form).post(email::submit))
        .route("/account/sessions/{session}/end", post(sessions::end))
        .route("/account/sessions/end-all", post(sessions::end_all))
        .route("/account/identities/link/{provider}", get(providers::link))
        .route("/account/identities/{identity}/unlink", post(providers::unlink))
        .route("/theme", post(theme::set))
        .route("/shortcuts", post(theme::set_keys))
        .route("/device", get(device::show).post(device::decide))
        .route("/invitations/{token}", get(invitations::show).post(invitations::accept))
        .route("/invitations/{token}/account", post(invitations::accept_with_new_account))
}

fn administration() -> Router<AppState> {
    use web::admin::{accounts, overview, projects};
    Router::new()
        .route("/admin", get(overview::show))
        .route("/admin/sign-up", post(overview::set_policy))
        .route("/admin/invitations", post(overview::invite))
        .route("/admin/invitations/{invitation}/revoke", post(overview::revoke_invitation))
        .route("/admin/accounts", get(accounts::list))
        .route("/admin/accounts/{account}/disable", post(accounts::disable))
        .route("/admin/accounts/{account}/enable", post(accounts::enable))
        .route("/admin/accounts/{account}/grant-admin", post(accounts::grant_admin))
        .route("/admin/accounts/{account}/revoke-admin", post(accounts::revoke_admin))
        .route("/admin/accounts/{account}/reset-link", post(accounts::reset_link))
        .route("/admin/projects", get(projects::list))
        .route("/admin/projects/{slug}/enter", post(projects::enter))
        .route("/admin/audit", get(web::audit::of_server))
        .route("/admin/audit.json", get(web::audit::export_of_server))
}

fn projects() -> Router<AppState> {
    use web::projects::{self, webhooks};
    use web::{audit, compare, insights, keys, lineage, members, notebook, runs, views};
    Router::new()
        .route("/dashboard", get(projects::index))
        .route("/projects", get(projects::index).post(projects::new::create))
        .route("/projects/new", get(projects::new::show))
        .route("/projects/current", get(projects::current))
        .route("/projects/current/{*rest}", get(projects::current))
        .route("/projects/{slug}", get(projects::show))
        .route("/projects/{slug}/connect", get(projects::connect::show))
        .route("/projects/{slug}/settings", get(projects::settings::show).post(projects::settings::save))
        .route("/projects/{slug}/settings/columns", post(projects::settings::save_columns))
        .route("/projects/{slug}/settings/directions", post(projects::settings::save_directions))
        .route("/projects/{slug}/settings/storage", get(projects::storage::show))
        .route("/projects/{slug}/settings/storage/rules", post(projects::storage::add_rule))
        .route("/projects/{slug}/settings/storage/rules/{rule}/delete", post(projects::storage::remove_rule))
        .route("/projects/{slug}/settings/storage/tags", post(projects::storage::set_tags))
        .route("/projects/{slug}/settings/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/projects/{slug}/settings/webhooks/{webhook}", get(webhooks::one::show).post(webhooks::one::save))
        .route("/projects/{slug}/settings/webhooks/{webhook}/test", post(webhooks::one::test))
        .route("/projects/{slug}/settings/webhooks/{webhook}/secret", post(webhooks::one::replace_secret))
        .route("/projects/{slug}/settings/webhooks/{webhook}/delete", post(webhooks::one::delete))
        .route("/projects/{slug}/settings/webhooks/{webhook}/messages/{message}/again", post(webhooks::one::send_again))
        .route("/projects/{slug}/delete", post(projects::settings::delete))
        .route("/projects/{slug}/restore", post(projects::deleted::restore))
        .route("/projects/{slug}/workspaces", get(web::workspaces::list))
        .route("/projects/{slug}/keys", get(keys::list).post(keys::create))
        .route("/projects/{slug}/keys/{key}/rotate", post(keys::rotate))
        .route("/projects/{slug}/keys/{key}/revoke", post(keys::revoke))
        .route("/projects/{slug}/members", get(members::list))
        .route("/projects/{slug}/members/{account}/role", post(members::change_role))
        .route("/projects/{slug}/members/{account}/remove", post(members::remove))
        .route("/projects/{slug}/members/{account}/transfer", post(members::transfer))
        .route("/projects/{slug}/leave", post(members::leave))
        .route("/projects/{slug}/invitations", post(members::invite))
        .route("/projects/{slug}/invitations/{invitation}/revoke", post(members::revoke_invitation))
        .route("/projects/{slug}/audit", get(audit::of_project))
        .route("/projects/{slug}/audit.json", get(audit::export_of_project))
        .route("/projects/{slug}/compare", get(compare::show))
        .route("/projects/{slug}/compare.csv", get(compare::export))
        .route("/projects/{slug}/lineage", get(lineage::show))
        .route("/projects/{slug}/live", get(live::run_events))
        .route("/projects/{slug}/insights", get(insights::show))
        .route("/projects/{slug}/notebook", get(notebook::show))
        .route("/projects/{slug}/notebook.md", get(notebook::download))
        .route("/projects/{slug}/views", post(views::save))
        .route("/projects/{slug}/views/{view}/delete", post(views::delete))
        .route("/projects/{slug}/runs.csv", get(runs::list::export::as_csv))
        .route("/projects/{slug}/runs.json", get(runs::list::export::as_json))
        .route("/projects/{slug}/runs", get(runs::list::show))
        .route("/projects/{slug}/runs/rows", get(runs::list::rows))
        .route("/projects/{slug}/runs/strip", get(runs::list::strip::show))
        .route("/projects/{slug}/runs/words", get(runs::list::words::show))
        .route("/projects/{slug}/runs/selected", post(runs::list::selected::act))
}

/// The pages of one run. Of one that is not there they say what became of it.
fn run_pages(app: AppState) -> Router<AppState> {
    use web::runs;
    Router::new()
        .route("/projects/{slug}/runs/{run}", get(runs::overview::show))
        .route("/projects/{slug}/runs/{run}/metrics", get(runs::metrics::show))
        .route("/projects/{slug}/runs/{run}/metrics/points", get(runs::metrics::points::show))
        .route("/projects/{slug}/runs/{run}/logs", get(runs::logs::show))
        .route("/projects/{slug}/runs/{run}/logs/lines", get(runs::logs::lines::show))
        .route("/projects/{slug}/runs/{run}/logs/find", get(runs::logs::find::show))
        .route("/projects/{slug}/runs/{run}/logs/{position}/raw", get(runs::raw::log))
        .route("/projects/{slug}/runs/{run}/artifacts", get(runs::artifacts::list))
        .route("/projects/{slug}/runs/{run}/artifacts/{artifact}", get(runs::artifacts::show))
        .route("/projects/{slug}/runs/{run}/artifacts/{artifact}/raw", get(runs::raw::artifact))
        .route("/projects/{slug}/runs/{run}/tables", get(runs::tables::show))
        .route("/projects/{slug}/runs/{run}/code", get(runs::code::show))
        .route("/projects/{slug}/runs/{run}/code/{position}/raw", get(runs::raw::snapshot_file))
        .route("/projects/{slug}/runs/{run}/artifacts.zip", get(runs::artifacts::zip))
        .route("/projects/{slug}/runs/{run}/environment", get(runs::environment::show))
        .route("/projects/{slug}/runs/{run}/reproduce", get(runs::reproduce::show))
        .route("/projects/{slug}/runs/{run}/notes/{note}/delete", post(runs::notes::delete))
        .route("/projects/{slug}/runs/{run}/delete", get(runs::trash::ask).post(runs::trash::delete))
        .route("/projects/{slug}/runs/{run}/restore", post(runs::trash::restore))
        .route_layer(from_fn_with_state(app, runs::gone::explain))
}

/// Forms with a text that may be too long: it is refused by the handler, which gives it back.
fn long_forms(app: AppState) -> Router<AppState> {
    use web::runs;
    Router::new()
        .route("/projects/{slug}/runs/{run}/notes", get(runs::notes::list).post(runs::notes::add))
        .route_layer(from_fn_with_state(app, runs::gone::explain))
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(LONG_FORM_MAX_BYTES))
}
