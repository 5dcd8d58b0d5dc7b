//! What projects and runs take: counted run by run, and the table `storage_counts`, which keeps what was counted.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{ProjectId, RunId};

/// What a run takes, in bytes, as it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Its artifacts whose contents are stored.
    pub artifacts: i64,
    /// Its logs, whole or in pieces.
    pub logs: i64,
    /// Its series, as they are kept.
    pub series: i64,
    /// What it started from: diffs, dependency files.
    pub snapshots: i64,
    /// The rows of its long tables.
    pub tables: i64,
}

impl Sizes {
    /// All of it.
    pub const fn total(self) -> i64 {
        let Self { artifacts, logs, series, snapshots, tables } = self;
        artifacts.saturating_add(logs).saturating_add(series).saturating_add(snapshots).saturating_add(tables)
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            artifacts: self.artifacts.saturating_add(other.artifacts),
            logs: self.logs.saturating_add(other.logs),
            series: self.series.saturating_add(other.series),
            snapshots: self.snapshots.saturating_add(other.snapshots),
            tables: self.tables.saturating_add(other.tables),
        }
    }
}

/// A run, and what it takes.
#[derive(Clone, Copy, Debug)]
pub struct SizedRun {
    /// The run.
    pub id: RunId,
    /// Its number in the project.
    pub number: i32,
    /// Whether it is in the trash.
    pub is_deleted: bool,
    /// What it takes.
    pub sizes: Sizes,
}

/// What one run takes; `None`: the project has no such run.
pub async fn of_run(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
) -> sqlx::Result<Option<Sizes>> {
    sqlx::query_as!(
        Sizes,
        r#"
        SELECT artifacts_bytes AS "artifacts!", logs_bytes AS "logs!", series_bytes AS "series!",
               snapshots_bytes AS "snapshots!", tables_bytes AS "tables!"
        FROM run_sizes
        WHERE project_id = $1 AND run_id = $2
        "#,
        project_id as ProjectId,
        run_id as RunId,
    )
    .fetch_optional(connection)
    .await
}

/// At most `limit` runs of the project with a number above this one, deleted ones too, by number.
pub async fn runs(
    connection: &mut PgConnection,
    project_id: ProjectId,
    above: i32,
    limit: i64,
) -> sqlx::Result<Vec<SizedRun>> {
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id!: RunId", number AS "number!", deleted_at IS NOT NULL AS "is_deleted!",
               artifacts_bytes AS "artifacts!", logs_bytes AS "logs!", series_bytes AS "series!",
               snapshots_bytes AS "snapshots!", tables_bytes AS "tables!"
        FROM run_sizes
        WHERE project_id = $1 AND number > $2
        ORDER BY number
        LIMIT $3
        "#,
        project_id as ProjectId,
        above,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let sized = rows.into_iter().map(|row| SizedRun {
        id: row.run_id,
        number: row.number,
        is_deleted: row.is_deleted,
        sizes: Sizes {
            artifacts: row.artifacts,
            logs: row.logs,
            series: row.series,
            snapshots: row.snapshots,
            tables: row.tables,
        },
    });
    Ok(sized.collect())
}

/// What the project's contents take in the store, in bytes: each once, and compressed where they are.
pub async fn stored(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT COALESCE(sum(CASE
            WHEN place = 'parts' THEN 0
            WHEN frames IS NULL THEN size_bytes
            ELSE COALESCE(frames[cardinality(frames)], 0)
        END), 0)::bigint AS "bytes!"
        FROM blobs
        WHERE project_id = $1
        "#,
        project_id as ProjectId,
    )
    .fetch_one(connection)
    .await
}

/// What a project takes, as it was counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// In the store of contents, in bytes: each content once, compressed.
    pub stored_bytes: i64,
    /// What its runs take, as they were sent.
    pub runs: Sizes,
    /// What its deleted runs take.
    pub trash_bytes: i64,
    /// How many there are.
    pub trash_runs: i64,
    /// How many artifacts lose their contents with the next sweep, by the rules of retention.
    pub expiring_artifacts: i64,
    /// What those are together, in bytes.
    pub expiring_bytes: i64,
    /// The largest runs and what they take, the largest first.
    pub largest: Vec<(RunId, i64)>,
}

/// Keeps what was counted.
pub async fn keep(
    connection: &mut PgConnection,
    project_id: ProjectId,
    counted: &Counted,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let (runs, bytes): (Vec<RunId>, Vec<i64>) = counted.largest.iter().copied().unzip();
    sqlx::query!(
        "
        INSERT INTO storage_counts
            (project_id, counted_at, stored_bytes, artifacts_bytes, logs_bytes, series_bytes, snapshots_bytes,
             tables_bytes, trash_bytes, trash_runs, expiring_artifacts, expiring_bytes, largest_runs, largest_bytes)
        SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::uuid[], $14::bigint[]
        FROM projects
        WHERE id = $1
        ON CONFLICT (project_id) DO UPDATE
        SET counted_at = EXCLUDED.counted_at, stored_bytes = EXCLUDED.stored_bytes,
            artifacts_bytes = EXCLUDED.artifacts_bytes, logs_bytes = EXCLUDED.logs_bytes,
            series_bytes = EXCLUDED.series_bytes, snapshots_bytes = EXCLUDED.snapshots_bytes,
            tables_bytes = EXCLUDED.tables_bytes, trash_bytes = EXCLUDED.trash_bytes, trash_runs = EXCLUDED.trash_runs,
            expiring_artifacts = EXCLUDED.expiring_artifacts, expiring_bytes = EXCLUDED.expiring_bytes,
            largest_runs = EXCLUDED.largest_runs, largest_bytes = EXCLUDED.largest_bytes
        ",
        project_id as ProjectId,
        now,
        counted.stored_bytes,
        counted.runs.artifacts,
        counted.runs.logs,
        counted.runs.series,
        counted.runs.snapshots,
        counted.runs.tables,
        counted.trash_bytes,
        counted.trash_runs,
        counted.expiring_artifacts,
        counted.expiring_bytes,
        &runs as &[RunId],
        &bytes,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what was counted: it is no longer so.
pub async fn forget(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM storage_counts WHERE project_id = $1", project_id as ProjectId)
        .execute(connection)
        .await?;
    Ok(())
}

/// What was counted last, and when.
pub async fn last(
    connection: &mut PgConnection,
    project_id: ProjectId,
) -> sqlx::Result<Option<(Counted, OffsetDateTime)>> {
    let row = sqlx::query!(
        "
        SELECT counted_at, stored_bytes, artifacts_bytes, logs_bytes, series_bytes, snapshots_bytes, tables_bytes,
               trash_bytes, trash_runs, expiring_artifacts, expiring_bytes, largest_runs, largest_bytes
        FROM storage_counts
        WHERE project_id = $1
        ",
        project_id as ProjectId,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| {
        let counted = Counted {
            stored_bytes: row.stored_bytes,
            runs: Sizes {
                artifacts: row.artifacts_bytes,
                logs: row.logs_bytes,
                series: row.series_bytes,
                snapshots: row.snapshots_bytes,
                tables: row.tables_bytes,
            },
            trash_bytes: row.trash_bytes,
            trash_runs: row.trash_runs,
            expiring_artifacts: row.expiring_artifacts,
            expiring_bytes: row.expiring_bytes,
            largest: row.largest_runs.into_iter().map(RunId).zip(row.largest_bytes).collect(),
        };
        (counted, row.counted_at)
    }))
}

/// A run as the list of the largest shows it.
#[derive(Clone, Debug)]
pub struct NamedRun {
    /// The run.
    pub id: RunId,
    /// Its number in the project.
    pub number: i32,
    /// Its title, else the beginning of its intent.
    pub heading: String,
}

/// Those of the runs that are there, in no order.
pub async fn headings(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<NamedRun>> {
    sqlx::query_as!(
        NamedRun,
        r#"
        SELECT id AS "id: RunId", number, COALESCE(NULLIF(title, ''), split_part(intent, E'\n', 1)) AS "heading!"
        FROM runs
        WHERE project_id = $1 AND id = ANY($2) AND deleted_at IS NULL
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await
}
