//! What an archive will have, as it is at one moment.

use std::fs::File;
use std::io::{Seek, Write};

use futures_util::TryStreamExt;
use otrace_wire::Sha256Digest;
use sqlx::PgConnection;

use super::{packing, points};
use crate::app::AppState;
use crate::blobs::Hasher;
use crate::domain::archive::{ArchivedProject, ArchivedRun, End, FORMAT, GrowingLog, Heading, SeriesLine};
use crate::domain::log_times::LogTimes;
use crate::domain::result::Direction;
use crate::domain::{Log, LogName, Project, ProjectId, RunId};
use crate::error::{AppError, Result};
use crate::services::backup::{self, SNAPSHOT, Spool};
use crate::services::contents;
use crate::services::runs::{self, FullRun, as_wire};
use crate::store;

/// So many runs are read at once.
const RUNS_AT_ONCE: i64 = 50;
/// So much of a log in pieces is looked for at once, in bytes.
const PIECES_AT_ONCE: i64 = 1024 * 1024;

/// An archive that was written.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The project.
    pub project: Project,
    /// How much there was.
    pub end: End,
}

/// What is to be written.
pub(super) struct Gathered {
    pub project: Project,
    pub heading: Heading,
    pub runs: Spool<ArchivedRun>,
    pub series: Spool<SeriesLine>,
    /// The contents that runs name, with their sizes in bytes.
    pub contents: Spool<(Sha256Digest, u64)>,
    pub growing: Growing,
    /// Runs and points; contents are counted when they are written.
    pub end: End,
}

/// What there is of logs that have not come to their end, one after the other.
pub(super) struct Growing {
    pub file: File,
    /// What they are, with their sizes in bytes.
    pub contents: Vec<(Sha256Digest, u64)>,
}

/// Writes a project to `out`.
pub async fn export(app: &AppState, slug: &str, out: impl Write) -> Result<Exported> {
    // No sweep removes meanwhile what was named in the snapshot.
    backup::alone(&app.pool, async || {
        let gathered = gather(app, slug).await?;
        let project = gathered.project.clone();
        let end = packing::pack(app, gathered, out).await?;
        Ok(Exported { project, end })
    })
    .await
}

async fn gather(app: &AppState, slug: &str) -> Result<Gathered> {
    let mut snapshot = app.pool.begin_with(SNAPSHOT).await?;
    store::archive::tables::settle(&mut snapshot).await?;
    let project = store::projects::find_by_slug(&mut snapshot, slug).await?.ok_or(AppError::NotFound("Project"))?;
    let file = tempfile::tempfile().map_err(anyhow::Error::new)?;
    let mut gathered = Gathered {
        heading: heading(&mut snapshot, app, &project).await?,
        runs: Spool::new()?,
        series: Spool::new()?,
        contents: Spool::new()?,
        growing: Growing { file, contents: Vec::new() },
        end: End { contents: 0, bytes: 0, runs: 0, points: 0 },
        project,
    };
    let project_id = gathered.project.id;
    let mut after = 0;
    loop {
        let page = store::archive::project::runs(&mut snapshot, project_id, after, RUNS_AT_ONCE).await?;
        let Some((_, last)) = page.last() else { break };
        after = *last;
        let ids: Vec<RunId> = page.into_iter().map(|(id, _)| id).collect();
        gathered.add(&mut snapshot, app, &ids).await?;
    }
    let mut named = store::archive::project::contents(&mut snapshot, project_id);
    while let Some(content) = named.try_next().await? {
        gathered.contents.push(&content)?;
    }
    drop(named);
    // Contents move after it.
    snapshot.rollback().await?;
    gathered.growing.file.rewind().map_err(anyhow::Error::new)?;
    Ok(gathered)
}

async fn heading(connection: &mut PgConnection, app: &AppState, project: &Project) -> Result<Heading> {
    let (last_run_number, list_columns) = store::archive::project::about(connection, project.id).await?;
    let said = store::result_directions::list(connection, &[project.id]).await?;
    let Project { slug, name, description, created_at, .. } = project.clone();
    Ok(Heading {
        format: FORMAT,
        at: app.clock.now(),
        server: env!("CARGO_PKG_VERSION").to_owned(),
        project: ArchivedProject {
            slug,
            name,
            description,
            created_at,
            last_run_number,
            list_columns,
            lower_is_better: said.into_iter().map(|(_, name, way)| (name, way == Direction::Lower)).collect(),
        },
    })
}

impl Gathered {
    /// Adds some runs, the oldest first.
    async fn add(&mut self, connection: &mut PgConnection, app: &AppState, ids: &[RunId]) -> Result<()> {
        let project_id = self.project.id;
        let with_pieces = store::archive::project::with_pieces(connection, project_id, ids).await?;
        let with_series = store::archive::project::with_series(connection, project_id, ids).await?;
        let mut all = runs::load_full(connection, project_id, ids).await?;
        all.sort_by_key(|full| full.run.number);
        for full in all {
            let (run_id, experiment) = (full.run.id, full.run.experiment_id());
            let growing = if with_pieces.contains(&run_id) {
                self.growing.add(connection, app, project_id, run_id, &full.logs).await?
            } else {
                Vec::new()
            };
            let times = store::logs::times(connection, project_id, &[run_id]).await?;
            self.runs.push(&archived(full, growing, times))?;
            self.end.runs += 1;
            if with_series.contains(&run_id) {
                self.end.points += points::gather(connection, project_id, run_id, experiment, &mut self.series).await?;
            }
        }
        Ok(())
    }
}

fn archived(full: FullRun, growing: Vec<GrowingLog>, times: Vec<(RunId, i32, LogTimes)>) -> ArchivedRun {
    let recorder = full.run.recorder.clone();
    let artifacts = full.artifacts.iter().map(|artifact| artifact.sha256).collect();
    let tables = full.tables.iter().map(|table| table.sha256).collect();
    let positions: Vec<i32> = full.logs.iter().map(|log| log.position).collect();
    let mut run = as_wire::summary(full);
    for (_, position, told) in times {
        let place = positions.iter().position(|known| *known == position);
        if let Some(log) = place.and_then(|place| run.logs.get_mut(place)) {
            log.times = Some(told.into_told());
        }
    }
    ArchivedRun { run, recorder, artifacts, tables, growing }
}

impl Growing {
    /// Adds what there is of a run's logs that have not arrived as a whole.
    async fn add(
        &mut self,
        connection: &mut PgConnection,
        app: &AppState,
        project_id: ProjectId,
        run_id: RunId,
        arrived: &[Log],
    ) -> Result<Vec<GrowingLog>> {
        let mut growing = Vec::new();
        for (name, end) in store::log_chunks::ends(connection, project_id, run_id).await? {
            if arrived.iter().any(|log| name.names(log)) {
                continue;
            }
            let content = self.copy(connection, app, (project_id, run_id), &name, end).await?;
            let log = name.growing(end);
            growing.push(GrowingLog { stream: log.stream, path: log.path, content });
        }
        Ok(growing)
    }

    /// Copies all pieces of a log, which leave no gaps.
    async fn copy(
        &mut self,
        connection: &mut PgConnection,
        app: &AppState,
        (project_id, run_id): (ProjectId, RunId),
        name: &LogName,
        end: i64,
    ) -> Result<Sha256Digest> {
        let mut hasher = Hasher::default();
        let mut at = 0;
        while at < end {
            let to = end.min(at + PIECES_AT_ONCE);
            let pieces = store::log_chunks::range(connection, project_id, run_id, name, at, to).await?;
            at = pieces.last().map_or(end, |last| last.end_byte);
            for piece in pieces {
                if let Some(bytes) = piece.bytes {
                    self.write(&mut hasher, &bytes)?;
                } else if let Some(digest) = piece.sha256 {
                    let mut content = contents::read(app, project_id, &digest, None).await?;
                    while let Some(bytes) = content.try_next().await? {
                        self.write(&mut hasher, &bytes)?;
                    }
                }
            }
        }
        let copied = hasher.finish();
        self.contents.push((copied.digest, copied.size_bytes));
        Ok(copied.digest)
    }

    fn write(&mut self, hasher: &mut Hasher, bytes: &[u8]) -> Result<()> {
        hasher.update(bytes);
        self.file.write_all(bytes).map_err(anyhow::Error::new)?;
        Ok(())
    }
}
