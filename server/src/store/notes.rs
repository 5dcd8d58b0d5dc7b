//! The table `notes`.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{AccountId, ApiKeyId, Note, ProjectId, RunId};

/// What is written when a person or a machine adds a note.
#[derive(Clone, Copy, Debug)]
pub struct NewNote<'a> {
    /// The note's id.
    pub id: Uuid,
    /// Who writes it; `None`: a machine.
    pub account_id: Option<AccountId>,
    /// The key that it comes with; `None`: a person's browser.
    pub api_key_id: Option<ApiKeyId>,
    /// What the writer was called on another server, if it came from there.
    pub author: Option<&'a str>,
    /// Markdown.
    pub body: &'a str,
    /// When it is written.
    pub created_at: OffsetDateTime,
}

/// Adds a note to a run, unless there is one with this id, on whichever run.
pub async fn insert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    note: NewNote<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO notes (id, run_id, project_id, account_id, api_key_id, body, created_at, author)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (id) DO NOTHING
        ",
        note.id,
        run_id as RunId,
        project_id as ProjectId,
        note.account_id as Option<AccountId>,
        note.api_key_id as Option<ApiKeyId>,
        note.body,
        note.created_at,
        note.author,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a note that this account wrote on this run. `false`: there is none.
pub async fn delete(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    id: Uuid,
    account_id: AccountId,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM notes WHERE project_id = $1 AND run_id = $2 AND id = $3 AND account_id = $4",
        project_id as ProjectId,
        run_id as RunId,
        id,
        account_id as AccountId,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many notes a run has, and how many bytes they have together.
pub async fn extent(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"
        SELECT count(*) AS "count!", COALESCE(sum(octet_length(body)), 0) AS "bytes!"
        FROM notes
        WHERE run_id = $1 AND project_id = $2
        "#,
        run_id as RunId,
        project_id as ProjectId,
    )
    .fetch_one(connection)
    .await?;
    Ok((row.count, row.bytes))
}

/// The notes of these runs, each run's oldest first.
pub async fn list(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<(RunId, Note)>> {
    let rows = sqlx::query!(
        r#"
        SELECT n.run_id AS "run_id: RunId", n.id, n.account_id AS "account_id: AccountId",
               COALESCE(a.name, k.name, n.author, 'somebody') AS "author!", n.body, n.created_at
        FROM notes n
        LEFT JOIN accounts a ON a.id = n.account_id
        LEFT JOIN api_keys k ON k.id = n.api_key_id
        WHERE n.project_id = $1 AND n.run_id = ANY($2)
        ORDER BY n.run_id, n.created_at, n.id
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    let note = rows.into_iter().map(|row| {
        let note = Note {
            id: row.id,
            account_id: row.account_id,
            author: row.author,
            body: row.body,
            created_at: row.created_at,
        };
        (row.run_id, note)
    });
    Ok(note.collect())
}
