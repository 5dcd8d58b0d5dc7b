//! Staged runs become runs: a statement for each table, however many runs it is.
//!
//! Writing thousands of runs takes seconds, and a run's number comes from its project's row, which nobody else may wait
//! for that long. So they are written with numbers that no run has, which nobody sees before the commit, and get their
//! own at the end, in the moment in which the row is locked.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{ApiKeyId, ProjectId};

/// From this number on runs are numbered until they get their own. No project has as many.
const PROVISIONAL: i32 = 2_000_000_000;

/// Which staged runs become runs, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Placing {
    /// The project.
    pub project_id: ProjectId,
    /// The import.
    pub import_id: Uuid,
    /// The position of the first of them.
    pub first: i32,
    /// The position of the last of them.
    pub last: i32,
    /// The key that brings them; `None`: one of another server did.
    pub api_key_id: Option<ApiKeyId>,
    /// When.
    pub now: OffsetDateTime,
}

/// Runs a statement on the staged runs of a placing: `$1` is the project, `$2` the import, and their positions are from
/// `$3` to `$4`.
macro_rules! of_staged_runs {
    ($connection:expr, $placing:expr, $statement:literal) => {
        sqlx::query!($statement, $placing.project_id as ProjectId, $placing.import_id, $placing.first, $placing.last)
            .execute($connection)
            .await
            .map(drop)
    };
}

/// Has PostgreSQL look at the runs once the first of an import are there. Whether the run is there that a row belongs to
/// is checked by a plan that a connection makes once: of a table that was empty then, it goes through all runs for each.
pub async fn analyze_runs(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("ANALYZE runs").execute(connection).await?;
    Ok(())
}

/// Makes runs of staged ones, which are staged no more. They have no number of their own until [`number`] gives them
/// one. `false`: a run has the id of one of them.
pub async fn place(connection: &mut PgConnection, placing: &Placing) -> sqlx::Result<bool> {
    // Before anything else: what belongs to a run must not be added to another one that has its id.
    if !insert_runs(connection, placing).await? {
        return Ok(false);
    }
    insert_results(connection, placing).await?;
    insert_artifacts(connection, placing).await?;
    insert_logs(connection, placing).await?;
    insert_tables(connection, placing).await?;
    insert_snapshots(connection, placing).await?;
    insert_snapshot_files(connection, placing).await?;
    of_staged_runs!(
        connection,
        placing,
        "DELETE FROM staged_runs WHERE import_id = $2 AND project_id = $1 AND position BETWEEN $3 AND $4"
    )?;
    Ok(true)
}

async fn insert_runs(connection: &mut PgConnection, placing: &Placing) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        INSERT INTO runs (id, project_id, number, parent_id, title, intent, setup, command, working_directory, status,
                          tags, expected_artifact_paths, expected_log_paths, exit_code, signal, duration_seconds,
                          created_at, updated_at, started_at, finished_at, api_key_id, recorder)
        SELECT s.id, s.project_id, $5 + s.position, r.parent_id, r.title, r.intent, r.setup, r.command,
               r.working_directory, r.status, r.tags, r.expected_artifact_paths, r.expected_log_paths, r.exit_code,
               r.signal, r.duration_seconds, r.created_at, $6, r.started_at, r.finished_at, $7, r.recorder
        FROM staged_runs s,
             jsonb_to_record(s.run) AS r (
                 parent_id uuid, title text, intent text, setup text, command text, working_directory text, status text,
                 tags text[], expected_artifact_paths text[], expected_log_paths text[], exit_code integer, signal text,
                 duration_seconds double precision, created_at timestamptz, started_at timestamptz,
                 finished_at timestamptz, recorder text
             )
        WHERE s.import_id = $2 AND s.project_id = $1 AND s.position BETWEEN $3 AND $4
        ON CONFLICT (id) DO NOTHING
        ",
        placing.project_id as ProjectId,
        placing.import_id,
        placing.first,
        placing.last,
        PROVISIONAL,
        placing.now,
        placing.api_key_id as Option<ApiKeyId>,
    )
    .execute(connection)
    .await?;
    let count = placing.last - placing.first + 1;
    Ok(done.rows_affected() == u64::from(count.cast_unsigned()))
}

async fn insert_results(connection: &mut PgConnection, placing: &Placing) -> sqlx::Result<()> {
    of_staged_runs!(
        connection,
        placing,
        "
        INSERT INTO results (run_id, project_id, position, kind, name, value, number, source_path, line, row_index,
                             column_name, table_index, metadata)
        -- What is JSON's null becomes NULL, where a record is made of it.
        SELECT s.id, s.project_id, r.position, r.kind, r.name, COALESCE(r.value, 'null'), r.number, r.source_path,
               r.line, r.row_index, r.column_name, r.table_index, r.metadata
        FROM staged_runs s,
             jsonb_to_recordset(s.results) AS r (
                 position integer, kind text, name text, value jsonb, number double precision, source_path text,
                 line bigint, row_index bigint, column_name text, table_index bigint, metadata jsonb
             )
        WHERE s.import_id = $2 AND s.project_id = $1 AND s.position BETWEEN $3 AND $4
        "
    )
}

async fn insert_artifacts(connection: &mut PgConnection, placing: &Placing) -> sqlx::Result<()> {
    of_staged_runs!(
        connection,
        placing,
        "
        INSERT INTO artifacts (id, run_id, project_id, position, local_artifact_id, original_path, stored_path, kind,
                               size_bytes, hash, content_type, sha256, captured_at)
        SELECT a.id, s.id, s.project_id, a.position, a.local_artifact_id, a.original_path, a.stored_path, a.kind,
               a.size_bytes, a.hash, a.content_type, decode(a.sha256, 'hex'), a.captured_at
        FROM staged_runs s,
             jsonb_to_recordset(s.artifacts) AS a (
                 id uuid, position integer, local_artifact_id text, original_path text, stored_path text, kind text,
                 size_bytes bigint, hash text, content_type text, sha256 text, captured_at timestamptz
             )
        WHERE s.import_id = $2 AND s.project_id = $1 AND s.position BETWEEN $3 AND $4
        "
    )
}

async fn insert_logs(connection: &mut PgConnection, placing: &Placing) -> sqlx::Result<()> {
    of_staged_runs!(
        connection,
        placing,
        "
        INSERT INTO logs (run_id, project_id, position, stream, path, size_bytes, sha256, captured_at, times)
        SELECT s.id, s.project_id, l.position, l.stream, l.path, l.size_bytes, decode(l.sha256, 'hex'), l.captured_at,
               l.times
        FROM staged_runs s,
             jsonb_to_recordset(s.logs) AS l (
                 position integer, stream text, path text, size_bytes bigint, sha256 text, captured_at timestamptz,
                 times jsonb
             )
        WHERE s.import_id = $2 AND s.project_id = $1 AND s.position BETWEEN $3 AND $4
        "
    )
}

async fn insert_tables(connection: &mut PgConnection, placing: &Placing) -> sqlx::Result<()> {
    of_staged_runs!(
        connection,
        placing,
        "
        INSERT INTO result_tables (run_id, project_id, position, source_path, table_index, title, columns, row_count,
                                   column_count, metadata, first_rows, sha256)
        SELECT s.id, s.project_id, t.position, t.source_path, t.table_index, t.title, t.columns, t.row_count,
               t.column_count, t.metadata, t.first_rows, decode(t.sha256, 'hex')
        FROM staged_runs s,
             jsonb_to_recordset(s.result_tables) AS t (
                 position integer, source_path text, table_index bigint, title text, columns text[], row_count bigint,
                 column_count bigint, metadata jsonb, first_rows jsonb, sha256 text
             )
        WHERE s.import_id = $2 AND s.project_id = $1 AND s.position BETWEEN $3 AND $4
        "
    )
}

async fn insert_snapshots(connection: &mut PgConnection, placing: &Placing) -> sqlx::Result<()> {
    of_staged_runs!(
        connection,
        placing,
        "
        INSERT INTO snapshots (run_id, project_id, git_commit, git_branch, git_remote_url, git_dirty, dirty_diff_path,
                               staged_diff_path, dependency_files, dependency_file_copies, python_version, platform,
                               hostname, requirements_hash, stdout_log_path, stderr_log_path, observed_artifacts,
                               missing_expected_paths, evidence, rebuild, hardware)
        SELECT s.id, s.project_id, n.git_commit, n.git_branch, n.git_remote_url, n.git_dirty, n.dirty_diff_path,
               n.staged_diff_path, n.dependency_files, n.dependency_file_copies, n.python_version, n.platform,
               n.hostname, n.requirements_hash, n.stdout_log_path, n.stderr_log_path, n.observed_artifacts,
               n.missing_expected_paths, n.evidence, n.rebuild, n.hardware
        FROM staged_runs s,
             jsonb_to_recordset(s.snapshots) AS n (
                 git_commit text, git_branch text, git_remote_url text, git_dirty boolean, dirty_diff_path text,
                 staged_diff_path text, dependency_files text[], dependency_file_copies text[], python_version text,
                 platform text, hostname text, requirements_hash text, stdout_log_path text, stderr_log_path text,
                 observed_artifacts jsonb, missing_expected_paths jsonb, evidence jsonb, rebuild jsonb, hardware jsonb
             )
        WHERE s.import_id = $2 AND s.project_id = $1 AND s.position BETWEEN $3 AND $4
        "
    )
}

async fn insert_snapshot_files(connection: &mut PgConnection, placing: &Placing) -> sqlx::Result<()> {
    of_staged_runs!(
        connection,
        placing,
        "
        INSERT INTO snapshot_files (run_id, project_id, position, kind, path, size_bytes, sha256)
        SELECT s.id, s.project_id, f.position, f.kind, f.path, f.size_bytes, decode(f.sha256, 'hex')
        FROM staged_runs s,
             jsonb_to_recordset(s.snapshot_files) AS f (
                 position integer, kind text, path text, size_bytes bigint, sha256 text
             )
        WHERE s.import_id = $2 AND s.project_id = $1 AND s.position BETWEEN $3 AND $4
        "
    )
}

/// Takes so many of the project's next numbers, and returns the first. The project's row is locked until the commit.
pub async fn take_numbers(connection: &mut PgConnection, project_id: ProjectId, count: i32) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        r#"
        UPDATE projects
        SET last_run_number = last_run_number + $2
        WHERE id = $1
        RETURNING last_run_number - $2 + 1 AS "first!"
        "#,
        project_id as ProjectId,
        count,
    )
    .fetch_one(connection)
    .await
}

/// Gives the runs that were placed in this transaction their numbers, from `first` on, in the order of their positions.
pub async fn number(
    connection: &mut PgConnection,
    project_id: ProjectId,
    first: i32,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE runs
        -- Pages ask what has changed since some time: until now nobody could see them.
        SET number = number - $2 + $3, updated_at = $4
        WHERE project_id = $1 AND number >= $2
        ",
        project_id as ProjectId,
        PROVISIONAL,
        first,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}
