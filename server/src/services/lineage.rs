//! The runs of a project as a tree. Series and contents are never touched.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;

use sqlx::PgConnection;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::RunId;
use crate::domain::query::{Clause, Expr, NumberField, Query, Sort, SortField, Span};
use crate::domain::result::Direction;
use crate::error::Result;
use crate::services::projects;
use crate::store;
use crate::store::lineage::LineageRun;
use crate::store::run_query::RunQuery;

/// So many runs the tree has at most: the newest.
pub const RUNS_MAX: i64 = 2_000;
/// So many results are offered to be drawn.
const METRICS: i64 = 20;

/// Runs, and what is drawn of each.
#[derive(Debug)]
pub struct Lineage {
    /// The newest runs, the newest first.
    pub runs: Vec<LineageRun>,
    /// The results that can be drawn, those that most runs have first.
    pub metrics: Vec<String>,
    /// The one that is drawn, and which way it gets better.
    pub metric: Option<(String, Direction)>,
    /// What each run has of it.
    pub values: HashMap<RunId, f64>,
    /// The numbers of the runs that the query asks for; `None`: it asks for all.
    pub matching: Option<HashSet<i32>>,
}

/// The tree that a member sees, with this result, or the one that most runs have.
pub async fn show(app: &AppState, member: &ProjectMember, query: &Query, metric: Option<&str>) -> Result<Lineage> {
    let project_id = member.project.id;
    let mut transaction = app.pool.begin_with(store::run_query::BEGIN).await?;
    let runs = store::lineage::newest(&mut transaction, project_id, RUNS_MAX).await?;
    let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    let metrics = store::results::common_names(&mut transaction, project_id, &ids, METRICS).await?;
    let metric = metric.map(str::to_owned).or_else(|| metrics.first().cloned());
    let values = match &metric {
        Some(name) => store::lineage::values(&mut transaction, project_id, &ids, name).await?,
        None => Vec::new(),
    };
    let oldest = runs.last().map_or(1, |run| run.number);
    let matching = matching(app, member, &mut transaction, query, oldest).await?;
    let directions = projects::directions_in(&mut transaction, project_id).await?;
    drop(transaction);
    let metric = metric.map(|name| {
        let direction = directions.of(&name);
        (name, direction)
    });
    Ok(Lineage { runs, metrics, metric, values: values.into_iter().collect(), matching })
}

/// The numbers of the runs from `oldest` on that a query asks for; `None`: it asks for all.
async fn matching(
    app: &AppState,
    member: &ProjectMember,
    connection: &mut PgConnection,
    query: &Query,
    oldest: i32,
) -> Result<Option<HashSet<i32>>> {
    if query.expr.is_none() {
        return Ok(None);
    }
    let shown = Span { from: Bound::Included(f64::from(oldest)), to: Bound::Unbounded };
    let query = query.clone().and(Expr::Is(Clause::Number(NumberField::Number, shown)));
    let asked = RunQuery {
        project_id: member.project.id,
        query: &query,
        sort: &Sort { field: SortField::Number, is_descending: true },
        me: &member.account.email,
        now: app.clock.now(),
        among: None,
    };
    let found = store::run_query::page(connection, asked, None, RUNS_MAX).await?;
    Ok(Some(found.into_iter().map(|(_, place)| place.number).collect()))
}
