//! Projects: making one, finding it, and what is known of it.
//!
//! `overview` has the lists, `settings` what owners settle, `deletion` the way out and back.

mod deletion;
mod overview;
mod settings;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::project::{DESCRIPTION_MAX_CHARS, slug_from_name};
use crate::domain::text::{Invalid, normalize_name, without_nul};
use crate::domain::{Account, Actor, Project, ProjectId, Role};
use crate::error::{AppError, Result};
use crate::services::audit;
use crate::store;

pub use self::deletion::{RESTORABLE, delete, deleted, restore};
pub use self::overview::{BestResult, Overview, PlacedInsight, PlacedRun, ProjectSummary, list, overview};
pub use self::settings::{
    DirectionChoice, NewAbout, Settings, directions, list_columns, set_about, set_directions, set_list_columns,
    settings,
};
pub(in crate::services) use self::settings::{directions_in, hold_owner};
pub use crate::store::projects::deletion::DeletedProject;

/// So many slugs are tried before a project's name is called taken.
const SLUG_TRIES: u32 = 50;

/// What a person types to make a project.
#[derive(Clone, Debug)]
pub struct NewProject {
    /// Its name.
    pub name: String,
    /// What is researched in it.
    pub description: String,
}

/// Creates a project that belongs to `owner`.
pub async fn create(app: &AppState, owner: &Account, actor: &Actor, input: NewProject) -> Result<Project> {
    let name = normalize_name(&without_nul(&input.name))?;
    let description = checked_description(&input.description)?;
    let now = app.clock.now();
    let slug = slug_from_name(&name);
    let mut project = Project { id: ProjectId::new(), slug: slug.clone(), name, description, created_at: now };

    let mut transaction = app.pool.begin().await?;
    let mut tries = 1;
    while !store::projects::insert(&mut transaction, &project, owner.id).await? {
        tries += 1;
        if tries > SLUG_TRIES {
            return Err(AppError::Conflict("Many projects have this name. Choose another.".into()));
        }
        project.slug = format!("{slug}-{tries}");
    }
    store::members::insert(&mut transaction, project.id, owner.id, Role::Owner, now).await?;
    let event = NewEvent::new(Action::ProjectCreated, project.slug.clone()).with("owner", owner.email.clone());
    audit::record(&mut transaction, Chain::Project(project.id), actor, event, now).await?;
    transaction.commit().await?;
    tracing::info!(project = %project.id, "a project was created");
    Ok(project)
}

/// A description as it is kept.
fn checked_description(text: &str) -> Result<String, Invalid> {
    let description = without_nul(text.trim());
    if description.chars().count() > DESCRIPTION_MAX_CHARS {
        return Err(Invalid("Use a description of at most 10,000 characters."));
    }
    Ok(description)
}

/// The project with this slug and the account's role in it; `None` for strangers too.
pub async fn find_for(app: &AppState, account: &Account, slug: &str) -> Result<Option<(Project, Role)>> {
    Ok(store::members::find_project(&mut *app.pool.acquire().await?, account.id, slug).await?)
}

/// The slug of the project that the account opened last: what `/projects/current` means.
pub async fn current_slug(app: &AppState, account: &Account) -> Result<Option<String>> {
    Ok(store::members::last_visited_slug(&mut *app.pool.acquire().await?, account.id).await?)
}

/// Notes that the member opened the project.
pub async fn visit(app: &AppState, member: &ProjectMember) -> Result<()> {
    let now = app.clock.now();
    store::members::visit(&mut *app.pool.acquire().await?, member.project.id, member.account.id, now).await?;
    Ok(())
}

/// How many runs a project has.
pub async fn run_count(app: &AppState, project_id: ProjectId) -> Result<i64> {
    let counts = store::run_list::count_by_project(&mut *app.pool.acquire().await?, &[project_id]).await?;
    Ok(counts.first().map_or(0, |(_, all, _)| *all))
}
