//! What a list shows beside its runs: chosen results, and what they ran on.

use serde_json::Value;
use sqlx::PgConnection;

use crate::domain::{ProjectId, RunId};
use crate::store::array;

/// A result of a run, as a list shows it.
#[derive(Clone, Debug)]
pub struct ListedValue {
    /// The run's id.
    pub run_id: RunId,
    /// What it measures.
    pub name: String,
    /// Any JSON scalar.
    pub value: Value,
    /// The value where it is a number.
    pub number: Option<f64>,
}

/// The results of these runs that have one of these names. Of several of one name a number goes first, then the first.
pub async fn results(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    names: &[String],
) -> sqlx::Result<Vec<ListedValue>> {
    let rows = sqlx::query!(
        r#"
        SELECT DISTINCT ON (run_id, name) run_id AS "run_id: RunId", name, value, number
        FROM results
        WHERE project_id = $1 AND run_id = ANY($2) AND name = ANY($3)
        ORDER BY run_id, name, number IS NULL, position
        "#,
        project_id as ProjectId,
        runs as &[RunId],
        names,
    )
    .fetch_all(connection)
    .await?;
    let value = rows.into_iter().map(|row| ListedValue {
        run_id: row.run_id,
        name: row.name,
        value: row.value,
        number: row.number,
    });
    Ok(value.collect())
}

/// What a run ran on, as a list shows it.
#[derive(Clone, Debug)]
pub struct ListedState {
    /// The run's id.
    pub run_id: RunId,
    /// The commit.
    pub git_commit: Option<String>,
    /// The branch.
    pub git_branch: Option<String>,
    /// Whether anything was changed and not committed; `None`: not known.
    pub git_dirty: Option<bool>,
    /// What was declared and not there, as the client told it.
    pub missing_expected_paths: Vec<Value>,
}

/// What these runs ran on, where it is known.
pub async fn states(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<ListedState>> {
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id: RunId", git_commit, git_branch, git_dirty, missing_expected_paths
        FROM snapshots
        WHERE project_id = $1 AND run_id = ANY($2)
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    let state = rows.into_iter().map(|row| ListedState {
        run_id: row.run_id,
        git_commit: row.git_commit,
        git_branch: row.git_branch,
        git_dirty: row.git_dirty,
        missing_expected_paths: array(row.missing_expected_paths),
    });
    Ok(state.collect())
}
