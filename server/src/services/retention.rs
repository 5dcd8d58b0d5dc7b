//! For how long a project keeps the contents of its artifacts: everything, unless its owners make rules.
//!
//! A rule deletes nothing for a day, so that one made by mistake does no harm. Runs are spared that have a tag: any, or
//! one of those that the owners choose, or `keep`, which is how a run is pinned. [`super::sweep`] applies the rules.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::retention::{NewRule, RULES_MAX};
use crate::domain::{ProjectId, Role, RunId};
use crate::error::{AppError, Result};
use crate::services::audit;
use crate::services::projects::hold_owner;
use crate::store;
use crate::store::retention::Place;

/// So many runs are looked at in one statement.
const RUNS_AT_ONCE: i64 = 500;

/// Makes a rule.
pub async fn add_rule(app: &AppState, by: &ProjectMember, rule: NewRule) -> Result<()> {
    by.require(Role::Owner)?;
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    hold_owner(&mut transaction, by).await?;
    let rules = store::retention::rules(&mut transaction, by.project.id).await?;
    if rules.iter().any(|there| there.rule == rule) {
        return Err(AppError::Conflict("There is such a rule already.".into()));
    }
    if rules.len() >= RULES_MAX {
        return Err(AppError::Conflict("A project has at most 20 rules. Remove one first.".into()));
    }
    store::retention::insert(&mut transaction, by.project.id, &rule, now).await?;
    changed(&mut transaction, by, "rule_made", &rule.summary(), now).await?;
    transaction.commit().await?;
    Ok(())
}

/// Removes a rule. What it has deleted is gone.
pub async fn remove_rule(app: &AppState, by: &ProjectMember, id: Uuid) -> Result<()> {
    by.require(Role::Owner)?;
    let mut transaction = app.pool.begin().await?;
    hold_owner(&mut transaction, by).await?;
    let removed = store::retention::remove(&mut transaction, by.project.id, id).await?;
    let summary = removed.ok_or(AppError::NotFound("Rule"))?;
    changed(&mut transaction, by, "rule_removed", &summary, app.clock.now()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Chooses the tags that spare a run; none: any tag does.
pub async fn set_sparing_tags(app: &AppState, by: &ProjectMember, tags: &[String]) -> Result<()> {
    by.require(Role::Owner)?;
    let mut transaction = app.pool.begin().await?;
    hold_owner(&mut transaction, by).await?;
    store::retention::set_sparing_tags(&mut transaction, by.project.id, tags).await?;
    let said = if tags.is_empty() { "any tag".to_owned() } else { tags.join(", ") };
    changed(&mut transaction, by, "sparing_tags", &said, app.clock.now()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Records what was settled, and forgets what was counted by the rules before; last in its transaction.
async fn changed(
    transaction: &mut PgConnection,
    by: &ProjectMember,
    name: &'static str,
    what: &str,
    now: OffsetDateTime,
) -> Result<()> {
    store::storage_use::forget(transaction, by.project.id).await?;
    let event =
        NewEvent::new(Action::ProjectChanged, by.project.slug.clone()).with("what", "retention").with(name, what);
    audit::record(transaction, Chain::Project(by.project.id), &by.actor(), event, now).await
}

/// How many artifacts of the project the rules delete the contents of as of now, and what those are together, in bytes.
pub(super) async fn expiring(app: &AppState, project_id: ProjectId, now: OffsetDateTime) -> Result<(i64, i64)> {
    let (mut count, mut bytes) = (0, 0_i64);
    let mut runs = Unchanged::of(app, project_id, now).await?;
    while let Some(page) = runs.next(app).await? {
        let mut connection = app.pool.acquire().await?;
        let found = store::retention::count_expiring(&mut connection, project_id, &page, now).await?;
        count += found.0;
        bytes = bytes.saturating_add(found.1);
    }
    Ok((count, bytes))
}

/// The runs of a project that have not changed for as long as the shortest rule waits, some at a time.
pub(super) struct Unchanged {
    project_id: ProjectId,
    /// `None`: the project has no rules.
    since: Option<OffsetDateTime>,
    after: Option<Place>,
}

impl Unchanged {
    pub(super) async fn of(app: &AppState, project_id: ProjectId, now: OffsetDateTime) -> Result<Self> {
        let rules = store::retention::rules(&mut *app.pool.acquire().await?, project_id).await?;
        let shortest = rules.iter().map(|rule| rule.rule.after_days).min();
        let since = shortest.map(|days| now - Duration::days(days.into()));
        Ok(Self { project_id, since, after: None })
    }

    /// The next ones; `None` at the end.
    pub(super) async fn next(&mut self, app: &AppState) -> Result<Option<Vec<RunId>>> {
        let Some(since) = self.since else { return Ok(None) };
        let mut connection = app.pool.acquire().await?;
        let page =
            store::retention::unchanged_runs(&mut connection, self.project_id, self.after, since, RUNS_AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some(*last);
        Ok(Some(page.into_iter().map(|(_, id)| id).collect()))
    }
}
