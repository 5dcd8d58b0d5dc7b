//! Page passes: whoever holds a project's key reads its pages, without an account's session.

use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::domain::Project;
use crate::error::Result;
use crate::store;
use crate::tokens::PagePassClaims;

/// Makes a pass for the pages of the key's project. It ends some minutes later, or with the key.
pub fn make(app: &AppState, key: &ProjectKey) -> Result<String> {
    app.tokens.page_pass(key.id, key.project.id, app.clock.now())
}

/// The project that a pass opens. `None`: its key has ended.
pub async fn find_project(app: &AppState, claims: PagePassClaims) -> Result<Option<Project>> {
    let mut connection = app.pool.acquire().await?;
    let now = app.clock.now();
    Ok(store::page_passes::find_project(&mut connection, claims.project, claims.key, now).await?)
}
