//! What a message says.

use crate::app::AppState;
use crate::domain::webhook::payload::{Told, chosen};
use crate::domain::{Project, Run, RunResult};
use crate::error::Result;
use crate::store;
use crate::store::webhooks::deliveries::Claimed;

/// The text of a message: what was sent before, or what there is to say now. `None`: what it tells of is gone.
pub(super) async fn body(app: &AppState, claimed: &Claimed) -> Result<Option<String>> {
    if let Some(body) = &claimed.body {
        return Ok(Some(body.clone()));
    }
    let project_id = claimed.project_id;
    let mut connection = app.pool.acquire().await?;
    let Some(project) = store::projects::find(&mut connection, project_id).await? else { return Ok(None) };
    let Some(run_id) = claimed.run_id else { return Ok(Some(written(app, claimed, &project, None, &[]))) };
    let Some(run) = store::runs::load(&mut connection, project_id, &[run_id]).await?.pop() else { return Ok(None) };
    let results = store::results::list(&mut connection, project_id, &[run_id]).await?;
    let columns = store::projects::settings::list_columns(&mut connection, project_id).await?;
    let results: Vec<_> = results.into_iter().map(|(_, result)| result).collect();
    Ok(Some(written(app, claimed, &project, Some(&run), &chosen(&results, &columns))))
}

fn written(app: &AppState, claimed: &Claimed, project: &Project, run: Option<&Run>, results: &[&RunResult]) -> String {
    let told = Told {
        event: claimed.event,
        occurred_at: claimed.occurred_at,
        public_url: app.config.public_url_str(),
        project,
        webhook: &claimed.webhook_name,
        run,
        results,
    };
    told.body(claimed.target.format)
}
