//! The runs of an archive: checked as those of an import are, and placed the same way.

use std::collections::HashMap;

use otrace_wire::{self as wire, CreateRun, RunDetails, RunOutcome, Sha256Digest};
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::app::AppState;
use crate::blobs::Spill;
use crate::domain::archive::{ArchivedRun, GrowingLog};
use crate::domain::note::{NOTE_MAX_BYTES, NOTES_MAX, NOTES_MAX_BYTES};
use crate::domain::table::{FIRST_ROWS, FIRST_ROWS_MAX_BYTES};
use crate::domain::text::normalize_name;
use crate::domain::{ApiKeyId, LogName, ProjectId, RunId, timestamp};
use crate::error::{AppError, Result};
use crate::services::backup::Spool;
use crate::services::details::{self, Contents, Prepared};
use crate::services::runs;
use crate::store;
use crate::store::imports::{Placing, StagedRun};
use crate::store::notes::NewNote;
use crate::store::run_creation::NewRun;

/// So many runs are placed at once.
pub(super) const RUNS_AT_ONCE: usize = 100;
/// So many runs get their parents at once.
const PARENTS_AT_ONCE: usize = 1_000;

/// Places runs, the oldest first.
pub(super) struct Intake<'a> {
    app: &'a AppState,
    project_id: ProjectId,
    import_id: Uuid,
    /// The highest number that the project has given out.
    last_run_number: i32,
    /// The number of the last run that came.
    number: i32,
    /// How many came.
    pub runs: i32,
    /// Runs, and the numbers of those that they went on from.
    parents: Spool<(RunId, i32)>,
    now: OffsetDateTime,
}

impl<'a> Intake<'a> {
    /// For a project that has no run yet.
    pub async fn begin(
        app: &'a AppState,
        connection: &mut PgConnection,
        project_id: ProjectId,
        last_run_number: i32,
    ) -> Result<Self> {
        let (now, import_id) = (app.clock.now(), Uuid::now_v7());
        store::imports::insert(connection, project_id, import_id, now).await?;
        Ok(Self { app, project_id, import_id, last_run_number, number: 0, runs: 0, parents: Spool::new()?, now })
    }

    /// Places some runs.
    pub async fn take(&mut self, connection: &mut PgConnection, mut archived: Vec<ArchivedRun>) -> Result<()> {
        if archived.is_empty() {
            return Ok(());
        }
        let ids: Vec<RunId> = archived.iter().map(|one| RunId(one.run.id)).collect();
        if store::imports::is_any_taken(connection, &ids).await? {
            // As when a project comes to its own server once more.
            for one in &mut archived {
                one.run.id = Uuid::now_v7();
            }
        }
        let known = self.known(connection, &archived).await?;
        let first = self.runs;
        let mut staged = Vec::with_capacity(archived.len());
        for one in &archived {
            let run = self.stage(one, &known).await;
            staged.push(run.map_err(|error| of_run(&one.run, error))?);
        }
        store::imports::stage(connection, self.project_id, self.import_id, &staged).await?;
        let placing = Placing {
            project_id: self.project_id,
            import_id: self.import_id,
            first,
            last: self.runs - 1,
            api_key_id: None,
            now: self.now,
        };
        if !store::imports::place(connection, &placing).await? {
            return Err(AppError::Conflict("Two runs of the archive have the same id.".into()));
        }
        let numbers: Vec<(RunId, i32, OffsetDateTime)> = archived
            .iter()
            .map(|one| (RunId(one.run.id), one.run.experiment_id.number(), one.run.updated_at))
            .collect();
        store::archive::project::number(connection, self.project_id, &numbers).await?;
        for one in &archived {
            let added = self.add_notes(connection, &one.run).await;
            added.map_err(|error| of_run(&one.run, error))?;
            self.add_growing(connection, RunId(one.run.id), &one.growing, &known).await?;
        }
        Ok(())
    }

    /// The sizes of the contents that these runs name, all of which came before.
    async fn known(
        &self,
        connection: &mut PgConnection,
        archived: &[ArchivedRun],
    ) -> Result<HashMap<Sha256Digest, i64>> {
        let mut named: Vec<Sha256Digest> = archived.iter().flat_map(named_by).collect();
        named.sort_unstable();
        named.dedup();
        let found = store::blobs::find_many(connection, self.project_id, &named).await?;
        let known: HashMap<Sha256Digest, i64> = found.into_iter().collect();
        match named.iter().find(|digest| !known.contains_key(*digest)) {
            None => Ok(known),
            Some(digest) => {
                Err(AppError::invalid(format!("The archive lacks the content {digest}, which a run in it names.")))
            }
        }
    }

    /// A run as it is staged, with its number noted.
    async fn stage(&mut self, archived: &ArchivedRun, known: &HashMap<Sha256Digest, i64>) -> Result<StagedRun> {
        let ArchivedRun { run, recorder, artifacts, tables, .. } = archived;
        let number = run.experiment_id.number();
        if number <= self.number || number > self.last_run_number {
            return Err(AppError::invalid("the runs are not in the order of their numbers."));
        }
        if artifacts.len() != run.artifacts.len() || tables.len() != run.tables.len() {
            return Err(AppError::invalid("it does not say what its contents are."));
        }
        if let Some(parent) = run.parent {
            if parent.number() >= number {
                return Err(AppError::invalid("it goes on from a run that is not older."));
            }
            self.parents.push(&(RunId(run.id), parent.number()))?;
        }
        let prepared = self.prepare(archived, known).await?;
        let staged = StagedRun {
            position: self.runs,
            run: new_run(run, recorder.as_deref())?,
            outcome: runs::check_outcome(outcome(run)?)?,
            artifacts: prepared.artifacts,
            results: prepared.results,
            tables: prepared.tables,
            logs: prepared.logs,
            snapshot: prepared.snapshot,
        };
        timestamp::checked(run.updated_at)?;
        self.number = number;
        self.runs += 1;
        Ok(staged)
    }

    /// What the run left behind, as it is stored.
    async fn prepare(&self, archived: &ArchivedRun, known: &HashMap<Sha256Digest, i64>) -> Result<Prepared> {
        let details = left_behind(&archived.run);
        details::check_counts(&details)?;
        for table in &details.tables {
            let length: usize = table.rows.iter().map(|row| row.to_string().len()).sum();
            if table.rows.len() > FIRST_ROWS || length > FIRST_ROWS_MAX_BYTES {
                return Err(AppError::invalid("a table in it has more first rows than the server keeps."));
            }
        }
        let inline = Spill::default();
        let own = named_by(archived).filter_map(|digest| Some((digest, *known.get(&digest)?))).collect();
        let contents = Contents::knowing(self.app, self.project_id, &inline, own);
        let mut prepared = contents.prepare(RunId(archived.run.id), details).await?;
        for (artifact, content) in prepared.artifacts.iter_mut().zip(&archived.artifacts) {
            artifact.sha256 = *content;
            if let Some((digest, size_bytes)) = content.and_then(|digest| Some((digest, *known.get(&digest)?))) {
                artifact.hash = Some(digest.to_string());
                artifact.size_bytes = size_bytes;
            }
        }
        for (table, rows) in prepared.tables.iter_mut().zip(&archived.tables) {
            table.sha256 = *rows;
        }
        Ok(prepared)
    }

    async fn add_notes(&self, connection: &mut PgConnection, run: &wire::Run) -> Result<()> {
        let length: u64 = run.notes.iter().map(|note| note.text.len() as u64).sum();
        if run.notes.len() as u64 > NOTES_MAX || length > NOTES_MAX_BYTES {
            return Err(AppError::invalid("it has more than 1,000 notes, or more than 1 MiB of them."));
        }
        for note in &run.notes {
            if note.text.trim().is_empty() || note.text.len() > NOTE_MAX_BYTES {
                return Err(AppError::invalid("a note on it is empty or longer than 64 KiB."));
            }
            timestamp::checked(note.created_at)?;
            let author = normalize_name(&note.author)?;
            let note = NewNote {
                id: Uuid::now_v7(),
                account_id: None,
                api_key_id: None,
                author: Some(&author),
                body: &note.text,
                created_at: note.created_at,
            };
            store::notes::insert(connection, self.project_id, RunId(run.id), note).await?;
        }
        Ok(())
    }

    /// Adds what there is of logs that had not come to their end, each as one piece.
    async fn add_growing(
        &self,
        connection: &mut PgConnection,
        run_id: RunId,
        growing: &[GrowingLog],
        known: &HashMap<Sha256Digest, i64>,
    ) -> Result<()> {
        let mut names: Vec<LogName> = Vec::with_capacity(growing.len());
        for log in growing {
            let name = LogName::new(log.stream, log.path.clone())?;
            let size_bytes = known.get(&log.content).copied().unwrap_or_default();
            if names.contains(&name) {
                return Err(AppError::invalid("A run of the archive has a log twice."));
            }
            if size_bytes > 0 {
                let place = (0, size_bytes);
                let (project_id, content) = (self.project_id, &log.content);
                store::log_chunks::insert_blob(connection, project_id, run_id, &name, place, content, None).await?;
            }
            names.push(name);
        }
        Ok(())
    }

    /// Lets the runs find those that they went on from, now that all are there. Returns how many runs came.
    pub async fn end(self, connection: &mut PgConnection) -> Result<i32> {
        let Self { project_id, import_id, runs, parents, .. } = self;
        let mut some = Vec::with_capacity(PARENTS_AT_ONCE);
        for parent in parents.read()? {
            some.push(parent?);
            if some.len() == PARENTS_AT_ONCE {
                store::archive::project::set_parents(connection, project_id, &some).await?;
                some.clear();
            }
        }
        store::archive::project::set_parents(connection, project_id, &some).await?;
        store::imports::abandon(connection, project_id, import_id).await?;
        Ok(runs)
    }
}

/// The contents that a run names.
fn named_by(archived: &ArchivedRun) -> impl Iterator<Item = Sha256Digest> + '_ {
    let ArchivedRun { run, artifacts, tables, growing, .. } = archived;
    let own = artifacts.iter().chain(tables).copied().flatten();
    let logs = run.logs.iter().filter_map(|log| log.hash);
    let files = run.snapshot.iter().flat_map(|snapshot| &snapshot.files).map(|file| file.hash);
    own.chain(logs).chain(files).chain(growing.iter().map(|log| log.content))
}

/// What is known of a run before its command starts, if it may be.
fn new_run(run: &wire::Run, recorder: Option<&str>) -> Result<NewRun> {
    let created_at = timestamp::checked(run.created_at)?;
    let input = CreateRun {
        id: Some(run.id),
        intent: run.intent.clone(),
        setup: run.setup.clone(),
        command: run.command.clone(),
        working_directory: run.working_directory.clone(),
        expected_artifact_paths: run.expected_artifact_paths.clone(),
        expected_log_paths: run.expected_log_paths.clone(),
        title: run.title.clone(),
        tags: run.tags.clone(),
        created_at: None,
        parent: None,
        recorder: recorder.map(str::to_owned),
    };
    runs::check_texts(&input)?;
    // Parents come when all runs are there. No key of this server brought it; which one does, is for `Placing` to say.
    Ok(runs::new_run(input, None, created_at, ApiKeyId(Uuid::nil())))
}

fn outcome(run: &wire::Run) -> Result<RunOutcome> {
    Ok(RunOutcome {
        status: Some(run.status),
        exit_code: run.exit_code,
        signal: run.signal.clone(),
        duration_seconds: run.duration_seconds,
        started_at: run.started_at.map(rfc3339).transpose()?,
        finished_at: run.finished_at.map(rfc3339).transpose()?,
    })
}

/// What a run left behind. No content comes inline: they came before.
fn left_behind(run: &wire::Run) -> RunDetails {
    let artifact =
        |artifact: &wire::Artifact| wire::Artifact { content_base64: None, text_content: None, ..artifact.clone() };
    RunDetails {
        artifacts: run.artifacts.iter().map(artifact).collect(),
        results: run.results.clone(),
        tables: run.tables.clone(),
        logs: run.logs.iter().map(|log| wire::Log { text_content: None, ..log.clone() }).collect(),
        snapshot: run.snapshot.clone(),
    }
}

fn rfc3339(time: OffsetDateTime) -> Result<String> {
    time.format(&Rfc3339).map_err(|_| AppError::invalid("A time in the archive is none of a run."))
}

/// Says which run a refusal is about: an archive has many.
fn of_run(run: &wire::Run, error: AppError) -> AppError {
    match error {
        AppError::Invalid(told) => {
            AppError::invalid(format!("The archive can't be taken in because of {}: {told}", run.experiment_id))
        }
        other => other,
    }
}
