//! The one statement that creates runs: any number of them, in one commit.

use otrace_wire::RunStatus;
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{ApiKeyId, ProjectId, Run, RunId};

/// What is written when a run is created.
#[derive(Clone, Debug, Serialize)]
pub struct NewRun {
    /// The run's id, made by the caller.
    pub id: RunId,
    /// The run that it goes on from.
    pub parent_id: Option<RunId>,
    /// A short name to show.
    pub title: Option<String>,
    /// Why the command is run.
    pub intent: String,
    /// What it is run on and what is assumed.
    pub setup: String,
    /// The command as one shell string.
    pub command: String,
    /// Where it runs.
    pub working_directory: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Paths and globs of files that it should leave behind.
    pub expected_artifact_paths: Vec<String>,
    /// Paths and globs of log files that it should leave behind.
    pub expected_log_paths: Vec<String>,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The key that it is created with.
    pub api_key_id: ApiKeyId,
    /// Who records it.
    pub recorder: Option<String>,
}

impl NewRun {
    /// How long its texts are together, in bytes.
    pub fn length(&self) -> usize {
        let lists = [&self.tags, &self.expected_artifact_paths, &self.expected_log_paths];
        let listed: usize = lists.into_iter().flatten().map(String::len).sum();
        listed + self.intent.len() + self.setup.len() + self.command.len()
    }

    /// The run as it now is. The names of its parent, key and author are left out: who created it knows them.
    pub fn created(self, project_id: ProjectId, number: i32, now: OffsetDateTime) -> Run {
        Run {
            id: self.id,
            project_id,
            number,
            parent_number: None,
            title: self.title,
            intent: self.intent,
            setup: self.setup,
            command: self.command,
            working_directory: self.working_directory,
            status: RunStatus::Created,
            tags: self.tags,
            expected_artifact_paths: self.expected_artifact_paths,
            expected_log_paths: self.expected_log_paths,
            exit_code: None,
            signal: None,
            duration_seconds: None,
            created_at: self.created_at,
            updated_at: now,
            started_at: None,
            finished_at: None,
            last_contact_at: self.recorder.as_deref().is_some_and(|name| name.starts_with("otrace ")).then_some(now),
            recorder: self.recorder,
            key_name: None,
            author: None,
        }
    }
}

/// Creates runs in one project and gives them its next numbers, in the order of `runs`. Returns the
/// numbers of those that were created.
///
/// `otrace` says that it is there, so that it is heard of from the beginning: a run whose recorder dies before it has begun
/// is out of contact like any other. Whoever else creates a run may never say so.
///
/// Runs whose id is taken already are left out, which makes a repeated request harmless: the caller
/// finds them by id. The project's row is locked until the commit, so no number is given out twice.
pub async fn insert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[NewRun],
    now: OffsetDateTime,
) -> sqlx::Result<Vec<(RunId, i32)>> {
    let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    let runs = serde_json::to_value(runs).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let rows = sqlx::query!(
        r#"
        WITH fresh AS (
            SELECT n.*, row_number() OVER (ORDER BY item.position) AS place
            FROM jsonb_array_elements($2) WITH ORDINALITY AS item (run, position),
                 jsonb_to_record(item.run) AS n (
                     id uuid, parent_id uuid, title text, intent text, setup text, command text,
                     working_directory text, tags jsonb, expected_artifact_paths jsonb,
                     expected_log_paths jsonb, created_at timestamptz, api_key_id uuid, recorder text
                 )
            -- Ids as an array, so that the index answers: a join would read all runs.
            WHERE n.id <> ALL (ARRAY(SELECT r.id FROM runs r WHERE r.id = ANY($4)))
        ),
        counter AS (
            UPDATE projects
            SET last_run_number = last_run_number + (SELECT count(*) FROM fresh)::integer
            WHERE id = $1
            RETURNING last_run_number - (SELECT count(*) FROM fresh)::integer AS base
        )
        INSERT INTO runs (id, project_id, number, parent_id, title, intent, setup, command, working_directory, status,
                          tags, expected_artifact_paths, expected_log_paths, created_at, updated_at, api_key_id, recorder,
                          last_contact_at)
        SELECT f.id, $1, counter.base + f.place, f.parent_id, f.title, f.intent, f.setup, f.command, f.working_directory,
               'created',
               ARRAY(SELECT jsonb_array_elements_text(f.tags)),
               ARRAY(SELECT jsonb_array_elements_text(f.expected_artifact_paths)),
               ARRAY(SELECT jsonb_array_elements_text(f.expected_log_paths)),
               f.created_at, $3, f.api_key_id, f.recorder,
               CASE WHEN starts_with(f.recorder, 'otrace ') THEN $3::timestamptz END
        FROM fresh f, counter
        ON CONFLICT (id) DO NOTHING
        RETURNING id AS "id: RunId", number
        "#,
        project_id as ProjectId,
        runs,
        now,
        ids as Vec<RunId>,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.number)).collect())
}
