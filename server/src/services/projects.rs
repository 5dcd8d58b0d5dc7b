//! Projects and their lists.

use time::Duration;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::project::slug_from_name;
use crate::domain::result::Direction;
use crate::domain::text::{Invalid, normalize_name, without_nul};
use crate::domain::{Account, Actor, Project, ProjectId, Role, Run, RunId};
use crate::error::{AppError, Result};
use crate::services::audit;
use crate::store;

/// So many days of activity are shown.
const ACTIVITY_DAYS: u16 = 30;
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
    let description = without_nul(input.description.trim());
    if description.chars().count() > 10_000 {
        return Err(Invalid("Use a description of at most 10,000 characters.").into());
    }
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

/// A project as its members' list shows it.
#[derive(Debug)]
pub struct ProjectSummary {
    /// The project.
    pub project: Project,
    /// The member's role in it.
    pub role: Role,
    /// How many runs it has.
    pub run_count: i64,
    /// How many of them run now.
    pub running_count: i64,
    /// Its newest run.
    pub last_run: Option<Run>,
    /// The newest run's first numeric result, and the best value that any run has of it.
    pub best: Option<(String, f64)>,
    /// Runs a day, the last 30 days, oldest first.
    pub activity: Vec<i64>,
    /// The names of its members, first come first.
    pub members: Vec<String>,
}

/// The account's projects, the last active one first.
pub async fn list(app: &AppState, account: &Account) -> Result<Vec<ProjectSummary>> {
    let mut connection = app.pool.acquire().await?;
    let listed = store::members::list_projects(&mut connection, account.id).await?;
    let ids: Vec<ProjectId> = listed.iter().map(|listed| listed.project.id).collect();
    let counts = store::run_list::count_by_project(&mut connection, &ids).await?;
    let first_day = app.clock.now() - Duration::days(ACTIVITY_DAYS.into());
    let activity = store::run_list::activity(&mut connection, &ids, first_day).await?;

    let mut summaries = Vec::with_capacity(listed.len());
    for store::members::ListedProject { project, role, members } in listed {
        let (run_count, running_count) =
            counts.iter().find(|(id, ..)| *id == project.id).map_or((0, 0), |(_, all, running)| (*all, *running));
        let mut days = vec![0; usize::from(ACTIVITY_DAYS)];
        for (_, day, count) in activity.iter().filter(|(id, ..)| *id == project.id) {
            if let Some(runs) = usize::try_from(*day).ok().and_then(|day| days.get_mut(day)) {
                *runs = *count;
            }
        }
        let last = store::run_list::page(&mut connection, project.id, None, None, 1).await?;
        let last_run = store::runs::load(&mut connection, project.id, &last).await?.into_iter().next();
        let best = best_result(&mut connection, project.id).await?;
        summaries.push(ProjectSummary {
            project,
            role,
            run_count,
            running_count,
            last_run,
            best,
            activity: days,
            members,
        });
    }
    Ok(summaries)
}

/// The best value of the result that the newest runs have most, such as `("accuracy", 0.98)`.
async fn best_result(connection: &mut sqlx::PgConnection, project_id: ProjectId) -> Result<Option<(String, f64)>> {
    let newest: Vec<RunId> = store::run_list::page(connection, project_id, None, None, 10).await?;
    let Some(name) = store::results::common_names(connection, project_id, &newest, 1).await?.pop() else {
        return Ok(None);
    };
    let extremes = store::results::extremes(connection, project_id, &name).await?;
    Ok(extremes.map(|(lowest, highest)| {
        let best = if Direction::of(&name) == Direction::Higher { highest } else { lowest };
        (name, best)
    }))
}
