//! What owners settle for their project: name and description, the columns of its list of runs, and which way its
//! results get better.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;

use super::checked_description;
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::project::{LIST_COLUMN_MAX_BYTES, LIST_COLUMNS_MAX};
use crate::domain::result::{Direction, Directions, NAME_MAX_CHARS};
use crate::domain::text::{normalize_name, without_nul};
use crate::domain::{ProjectId, Role};
use crate::error::{AppError, Result};
use crate::services::audit;
use crate::store;

/// So many results are offered to say a direction of, or to choose as columns.
const NAMES: i64 = 40;
/// So many directions are said at once.
const SAID_MAX: usize = 200;
/// So many characters of what somebody else wrote are told to who was slower.
const TOLD_CHARS: usize = 300;

/// What an owner types about a project.
#[derive(Clone, Debug)]
pub struct NewAbout {
    /// Its name.
    pub name: String,
    /// What is researched in it.
    pub description: String,
    /// Name and description as they stood when the form was opened; `None`: nobody looked.
    pub before: Option<(String, String)>,
}

/// A result, and which way it gets better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectionChoice {
    /// What it measures.
    pub name: String,
    /// What its name tells.
    pub guessed: Direction,
    /// What the owners say; `None`: nothing.
    pub said: Option<Direction>,
}

/// What was settled, beside what there is to choose from.
#[derive(Debug)]
pub struct Settings {
    /// The columns of the list of runs; none: the usual ones.
    pub list_columns: Vec<String>,
    /// Names of numeric results that the newest runs have, the most frequent first.
    pub result_names: Vec<String>,
    /// Those results, and all others of which something was said.
    pub directions: Vec<DirectionChoice>,
}

/// What was settled for the project. For its owners.
pub async fn settings(app: &AppState, member: &ProjectMember) -> Result<Settings> {
    member.require(Role::Owner)?;
    let project_id = member.project.id;
    let mut connection = app.pool.acquire().await?;
    let list_columns = store::projects::settings::list_columns(&mut connection, project_id).await?;
    let result_names = store::projects::overview::result_names(&mut connection, project_id, NAMES).await?;
    let said = store::result_directions::list(&mut connection, &[project_id]).await?;
    let said: HashMap<String, Direction> = said.into_iter().map(|(_, name, direction)| (name, direction)).collect();
    let mut names: BTreeSet<&String> = said.keys().collect();
    names.extend(result_names.iter().filter(|name| name.chars().count() <= NAME_MAX_CHARS));
    let choice = |name: &String| DirectionChoice {
        name: name.clone(),
        guessed: Direction::of(name),
        said: said.get(name).copied(),
    };
    let directions = names.into_iter().map(choice).collect();
    Ok(Settings { list_columns, result_names, directions })
}

/// Which way the results of a project get better.
pub async fn directions(app: &AppState, project_id: ProjectId) -> Result<Directions> {
    directions_in(&mut *app.pool.acquire().await?, project_id).await
}

/// The same, on a connection of the caller's.
pub(in crate::services) async fn directions_in(
    connection: &mut PgConnection,
    project_id: ProjectId,
) -> Result<Directions> {
    Ok(directions_of(connection, &[project_id]).await?.remove(&project_id).unwrap_or_default())
}

/// The same of several projects; one of which nothing was said is not in it.
pub(super) async fn directions_of(
    connection: &mut PgConnection,
    projects: &[ProjectId],
) -> Result<HashMap<ProjectId, Directions>> {
    let mut said: HashMap<ProjectId, Vec<(String, Direction)>> = HashMap::new();
    for (project_id, name, direction) in store::result_directions::list(connection, projects).await? {
        said.entry(project_id).or_default().push((name, direction));
    }
    Ok(said.into_iter().map(|(project_id, said)| (project_id, said.into_iter().collect())).collect())
}

/// The columns of a project's list of runs, for who has chosen none; empty: the usual ones.
pub async fn list_columns(app: &AppState, project_id: ProjectId) -> Result<Vec<String>> {
    Ok(store::projects::settings::list_columns(&mut *app.pool.acquire().await?, project_id).await?)
}

/// Gives the project another name and description. Its address stays.
pub async fn set_about(app: &AppState, by: &ProjectMember, about: NewAbout) -> Result<()> {
    by.require(Role::Owner)?;
    let name = normalize_name(&without_nul(&about.name))?;
    let description = checked_description(&about.description)?;
    let mut transaction = app.pool.begin().await?;
    hold_owner(&mut transaction, by).await?;
    if let Some(before) = &about.before {
        refuse_what_is_stale(&mut transaction, by, before).await?;
    }
    store::projects::settings::rename(&mut transaction, by.project.id, &name, &description).await?;
    changed(app, &mut transaction, by, "name and description").await?;
    transaction.commit().await?;
    // Keys carry their project's name along.
    app.key_cache.forget_all();
    Ok(())
}

/// Refuses to overwrite what somebody else saved since the form was opened.
async fn refuse_what_is_stale(
    transaction: &mut PgConnection,
    by: &ProjectMember,
    (name, description): &(String, String),
) -> Result<()> {
    let found = store::members::find_project(transaction, by.account.id, &by.project.slug).await?;
    let (now, _) = found.ok_or(AppError::NotFound("Project"))?;
    // Browsers end lines in their own way.
    let lines = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    if *name == now.name && lines(description) == lines(&now.description) {
        return Ok(());
    }
    let told: String = now.description.chars().take(TOLD_CHARS).collect();
    let meanwhile = format!(
        "Meanwhile somebody saved the name “{}” and the description “{told}”. Save again to put yours in their place.",
        now.name,
    );
    Err(AppError::Conflict(meanwhile.into()))
}

/// Chooses the columns of the list of runs; none: the usual ones. The caller knows which columns there are.
pub async fn set_list_columns(app: &AppState, by: &ProjectMember, columns: &[String]) -> Result<()> {
    by.require(Role::Owner)?;
    let is_too_long = |column: &String| column.len() > LIST_COLUMN_MAX_BYTES || column.contains('\0');
    if columns.len() > LIST_COLUMNS_MAX || columns.iter().any(is_too_long) {
        return Err(AppError::invalid("Choose at most 20 columns."));
    }
    let mut transaction = app.pool.begin().await?;
    hold_owner(&mut transaction, by).await?;
    store::projects::settings::set_list_columns(&mut transaction, by.project.id, columns).await?;
    changed(app, &mut transaction, by, "columns of the list").await?;
    transaction.commit().await?;
    Ok(())
}

/// Says which way these results get better; `None`: their names shall tell.
pub async fn set_directions(app: &AppState, by: &ProjectMember, said: Vec<(String, Option<Direction>)>) -> Result<()> {
    by.require(Role::Owner)?;
    let is_name = |name: &String| (1..=NAME_MAX_CHARS).contains(&name.chars().count()) && !name.contains('\0');
    if said.len() > SAID_MAX || !said.iter().all(|(name, _)| is_name(name)) {
        return Err(AppError::invalid("Name at most 200 results, each in at most 500 characters."));
    }
    // The last word on each counts.
    let said: HashMap<String, Option<Direction>> = said.into_iter().collect();
    let said: Vec<(String, Option<Direction>)> = said.into_iter().collect();
    let mut transaction = app.pool.begin().await?;
    hold_owner(&mut transaction, by).await?;
    store::result_directions::say(&mut transaction, by.project.id, &said).await?;
    changed(app, &mut transaction, by, "directions of results").await?;
    transaction.commit().await?;
    Ok(())
}

/// Refuses who is no owner any more since the request began, and lets nobody else settle anything meanwhile.
pub(in crate::services) async fn hold_owner(transaction: &mut PgConnection, by: &ProjectMember) -> Result<()> {
    store::members::lock_owners(transaction, by.project.id).await?;
    let role = store::members::find_role(transaction, by.project.id, by.account.id).await?;
    ProjectMember { role: role.ok_or(AppError::NotFound("Project"))?, ..by.clone() }.require(Role::Owner)
}

/// Records what was settled; last in its transaction.
async fn changed(app: &AppState, transaction: &mut PgConnection, by: &ProjectMember, what: &str) -> Result<()> {
    let event = NewEvent::new(Action::ProjectChanged, by.project.slug.clone()).with("what", what);
    audit::record(transaction, Chain::Project(by.project.id), &by.actor(), event, app.clock.now()).await
}
