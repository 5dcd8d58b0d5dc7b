//! `/`: the projects, or what Trace is for who is not signed in.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::shell::Shell;
use super::{Look, page, projects};
use crate::app::AppState;
use crate::auth::MaybeSignedIn;
use crate::error::Result;

#[derive(Template)]
#[template(path = "landing.html")]
struct LandingPage {
    shell: Shell,
}

/// `GET /`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    MaybeSignedIn(signed_in): MaybeSignedIn,
) -> Result<Response> {
    match signed_in {
        Some(signed_in) => projects::list::show(&app, look, &signed_in.account).await,
        None => Ok(page(&LandingPage { shell: Shell::new(&app, look, None) })),
    }
}
