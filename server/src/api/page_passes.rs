//! The project's pages for whoever holds its key, as `otrace ui` shows them.

use axum::extract::State;
use otrace_wire::PagePass;
use otrace_wire::identity::WhoamiProject;

use super::answer::Answer;
use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::error::Result;
use crate::services;
use crate::tokens::PAGE_PASS_LIFETIME;

/// `POST /v1/page-passes`: a pass that reads the pages of the key's project for some minutes.
pub async fn create(State(app): State<AppState>, key: ProjectKey) -> Result<Answer<PagePass>> {
    let page_pass = services::page_passes::make(&app, &key)?;
    Ok(Answer(PagePass {
        page_pass,
        expires_in_seconds: PAGE_PASS_LIFETIME.whole_seconds().unsigned_abs(),
        project: WhoamiProject { id: key.project.id.0, name: key.project.name, slug: key.project.slug },
    }))
}
