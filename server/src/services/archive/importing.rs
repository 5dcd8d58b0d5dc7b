//! Making a project of an archive, all of it or nothing.

use std::collections::HashSet;
use std::io::BufRead;
use std::mem;

use sqlx::{PgConnection, Postgres, Transaction};

use super::arriving::{Arrived, Arriving};
use super::unpacking::{Unpacker, read};
use super::{placing, points};
use crate::app::AppState;
use crate::blobs;
use crate::domain::archive::{self, ArchivedProject, ArchivedRun, END, End, FORMAT, HEADING, Heading, RUNS, SERIES};
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::project::{DESCRIPTION_MAX_CHARS, LIST_COLUMN_MAX_BYTES, LIST_COLUMNS_MAX, slug_from_name};
use crate::domain::result::{Direction, NAME_MAX_CHARS};
use crate::domain::text::normalize_name;
use crate::domain::{Account, Actor, Project, ProjectId, Role, timestamp};
use crate::error::{AppError, Result};
use crate::services::{audit, backup};
use crate::store;

/// Of so many results something may be said.
const RESULTS_MAX: usize = 10_000;
/// Numbers from here on are those of runs that wait.
const NUMBER_MAX: i32 = 1_999_999_999;
/// So much of the runs is taken at once, in bytes.
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;

/// A project that was made.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The project.
    pub project: Project,
    /// How much came.
    pub end: End,
}

/// Makes a project of an archive, which belongs to `owner`. It is called as it was, unless it gets another name.
pub async fn import(app: &AppState, archive: impl BufRead, owner: &Account, name: Option<&str>) -> Result<Imported> {
    let mut archive = Unpacker::open(archive)?;
    archive.expect(HEADING)?;
    let heading: Heading = archive.json()?;
    archive.next()?;
    let project = project(&heading, name)?;
    if store::archive::project::is_slug_taken(&mut *app.pool.acquire().await?, &project.slug).await? {
        return Err(is_taken(&project));
    }
    // No sweep comes upon contents that no row names yet.
    backup::alone(&app.pool, async || {
        match take_in(app, &mut archive, &heading, &project, owner).await {
            Ok((transaction, arrived, end)) => {
                // Whatever becomes of the commit: rows may name them from here on.
                arrived.keep();
                transaction.commit().await?;
                Ok(Imported { project, end })
            }
            Err(error) => {
                forget(app, project.id).await;
                Err(error)
            }
        }
    })
    .await
}

/// The project that an archive becomes, if it can be one.
fn project(heading: &Heading, name: Option<&str>) -> Result<Project> {
    if heading.format != FORMAT {
        return Err(AppError::invalid(format!(
            "The archive was made by otrace-server {}, in a way that this version does not know. Use a newer one.",
            heading.server
        )));
    }
    let ArchivedProject { slug, description, created_at, last_run_number, list_columns, lower_is_better, .. } =
        &heading.project;
    let is_fit = archive::is_slug(slug)
        && description.chars().count() <= DESCRIPTION_MAX_CHARS
        && (0..=NUMBER_MAX).contains(last_run_number)
        && list_columns.len() <= LIST_COLUMNS_MAX
        && list_columns.iter().all(|column| column.len() <= LIST_COLUMN_MAX_BYTES)
        && lower_is_better.len() <= RESULTS_MAX
        && lower_is_better.keys().all(|name| (1..=NAME_MAX_CHARS).contains(&name.chars().count()));
    if !is_fit {
        return Err(AppError::invalid("The archive says something of its project that can't be."));
    }
    Ok(Project {
        id: ProjectId::new(),
        slug: name.map_or_else(|| slug.clone(), slug_from_name),
        name: normalize_name(name.unwrap_or(&heading.project.name))?,
        description: description.clone(),
        created_at: timestamp::checked(*created_at)?,
    })
}

fn is_taken(project: &Project) -> AppError {
    AppError::Conflict(
        format!("There is a project {} already. Give this one another name, with --name.", project.slug).into(),
    )
}

/// Takes all of the archive in. The transaction is left to be committed.
async fn take_in<R: BufRead>(
    app: &AppState,
    archive: &mut Unpacker<R>,
    heading: &Heading,
    project: &Project,
    owner: &Account,
) -> Result<(Transaction<'static, Postgres>, Arrived, End)> {
    let mut arriving = Arriving::new(app, project.id)?;
    while let Some(content) = archive.entry().and_then(|entry| archive::content_named(&entry.name)) {
        arriving.take(archive, content).await?;
        archive.next()?;
    }
    archive.expect(RUNS)?;
    let mut arrived = arriving.end().await?;

    let mut transaction = app.pool.begin().await?;
    store::archive::tables::settle(&mut transaction).await?;
    begin(app, &mut transaction, project, owner).await?;
    arrived.name(&mut transaction, app.clock.now()).await?;
    let runs = take_runs(app, archive, &mut transaction, project.id, heading.project.last_run_number).await?;
    archive.next()?;
    archive.expect(SERIES)?;
    let mut series = points::Intake::new(project.id);
    while let Some(line) = archive.line()? {
        series.take(&mut transaction, read(&line)?).await?;
    }
    series.end()?;
    archive.next()?;
    archive.expect(END)?;
    let end: End = archive.json()?;
    let runs = u64::try_from(runs).unwrap_or_default();
    if end != (End { contents: arrived.contents, bytes: arrived.bytes, runs, points: series.points }) {
        return Err(AppError::invalid("The archive is damaged: it has not as much in it as it says."));
    }
    archive.next()?;
    if archive.entry().is_some() {
        return Err(AppError::invalid("The archive goes on behind its end."));
    }
    finish(app, &mut transaction, heading, project, owner).await?;
    Ok((transaction, arrived, end))
}

/// Writes the project's own rows.
async fn begin(app: &AppState, connection: &mut PgConnection, project: &Project, owner: &Account) -> Result<()> {
    if !store::projects::insert(connection, project, owner.id).await? {
        return Err(is_taken(project));
    }
    store::members::insert(connection, project.id, owner.id, Role::Owner, app.clock.now()).await?;
    Ok(())
}

async fn take_runs<R: BufRead>(
    app: &AppState,
    archive: &mut Unpacker<R>,
    connection: &mut PgConnection,
    project_id: ProjectId,
    last_run_number: i32,
) -> Result<i32> {
    let mut intake = placing::Intake::begin(app, connection, project_id, last_run_number).await?;
    let (mut runs, mut length) = (Vec::new(), 0);
    while let Some(line) = archive.line()? {
        runs.push(read::<ArchivedRun>(&line)?);
        length += line.len();
        if runs.len() == placing::RUNS_AT_ONCE || length > BYTES_AT_ONCE {
            intake.take(connection, mem::take(&mut runs)).await?;
            length = 0;
        }
    }
    intake.take(connection, runs).await?;
    intake.end(connection).await
}

/// What owners had settled, and the record of it all; last, as others wait for the audit log.
async fn finish(
    app: &AppState,
    connection: &mut PgConnection,
    heading: &Heading,
    project: &Project,
    owner: &Account,
) -> Result<()> {
    let ArchivedProject { last_run_number, list_columns, lower_is_better, slug, .. } = &heading.project;
    store::archive::project::settle(connection, project.id, *last_run_number, list_columns).await?;
    let way = |is_lower: bool| if is_lower { Direction::Lower } else { Direction::Higher };
    let said: Vec<(String, Option<Direction>)> =
        lower_is_better.iter().map(|(name, is_lower)| (name.clone(), Some(way(*is_lower)))).collect();
    store::result_directions::say(connection, project.id, &said).await?;
    let event = NewEvent::new(Action::ProjectCreated, project.slug.clone())
        .with("owner", owner.email.clone())
        .with("archive", format!("{slug} of otrace-server {}, {}", heading.server, heading.at));
    audit::record(connection, Chain::Project(project.id), &Actor::command(), event, app.clock.now()).await
}

/// Removes the contents of a project that came to nothing.
async fn forget(app: &AppState, project_id: ProjectId) {
    let removed = app.blobs.remove_objects(&blobs::key_of_project(project_id), &HashSet::new()).await;
    if let Err(error) = removed {
        tracing::warn!(%error, "could not remove what came of an archive; the next sweep does");
    }
}
