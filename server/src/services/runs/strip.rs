//! The way to the best run: one result of the newest runs that a query asks for. Series and contents are never touched.

use std::ops::Bound;

use time::OffsetDateTime;

use super::search::{self, Window};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::query::{Clause, Expr, MetricTest, Query, Sort, SortField, Span};
use crate::domain::result::Direction;
use crate::error::Result;
use crate::services::projects;
use crate::store;
use crate::store::run_query::RunQuery;

pub use crate::store::run_list::strip::StripRun;

/// So many of the newest runs are looked at.
const STRIP_RUNS: u16 = 300;
/// Where fewer of them have the result, the newest runs that have it are looked for, which takes longer.
const ENOUGH: usize = 30;

/// What a strip hangs on beside what it is asked for: while this stays, it is drawn as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StripState {
    /// Which way the result gets better.
    pub direction: Direction,
    /// When a run of the project last changed.
    pub changed_at: Option<OffsetDateTime>,
    /// When one was last deleted.
    pub deleted_at: Option<OffsetDateTime>,
}

/// What a strip of this result hangs on now.
pub async fn strip_state(app: &AppState, member: &ProjectMember, result: &str) -> Result<StripState> {
    let project_id = member.project.id;
    let mut connection = app.pool.acquire().await?;
    let (changed_at, deleted_at) = store::run_list::strip::changed_at(&mut connection, project_id).await?;
    let direction = projects::directions_in(&mut connection, project_id).await?.of(result);
    Ok(StripState { direction, changed_at, deleted_at })
}

/// Those of the newest runs of a query that have a finite number for a result, the first to start first.
pub async fn strip(app: &AppState, member: &ProjectMember, query: &Query, result: &str) -> Result<Vec<StripRun>> {
    let (runs, are_all) = newest(app, member, query, result).await?;
    if are_all || runs.len() >= ENOUGH {
        return Ok(runs);
    }
    let any = Span { from: Bound::Unbounded, to: Bound::Unbounded };
    let measured = query.clone().and(Expr::Is(Clause::Metric(result.to_owned(), MetricTest::Within(any))));
    Ok(newest(app, member, &measured, result).await?.0)
}

/// Those of the newest runs that have the result, and whether there are no older runs.
async fn newest(app: &AppState, member: &ProjectMember, query: &Query, result: &str) -> Result<(Vec<StripRun>, bool)> {
    let project_id = member.project.id;
    let sort = Sort { field: SortField::Number, is_descending: true };
    let asked =
        RunQuery { project_id, query, sort: &sort, me: &member.account.email, now: app.clock.now(), among: None };
    let found = search::look(app, asked, &Window::Start, STRIP_RUNS).await?;
    let mut connection = app.pool.acquire().await?;
    let mut runs = store::run_list::strip::runs(&mut connection, project_id, &found.ids, result).await?;
    runs.retain(|run| run.value.is_finite());
    Ok((runs, found.older.is_none()))
}
