//! Somebody's projects, and what goes on in all of them.

use std::collections::HashMap;

use otrace_history::notebook::without_tag;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::settings::directions_of;
use crate::app::AppState;
use crate::domain::result::{Direction, Directions};
use crate::domain::{Account, Project, ProjectId, Role};
use crate::error::Result;
use crate::services::runs::COUNTED_MAX;
use crate::store;
use crate::store::projects::overview::{MainResult, ProjectInsight, ProjectRun, RunCounts};

/// So many days of activity are shown.
const ACTIVITY_DAYS: u16 = 30;
/// So many runs that run now are named.
const RUNNING: i64 = 6;
/// So many insights are told.
const INSIGHTS: i64 = 4;

/// A project as its members' list shows it.
#[derive(Debug)]
pub struct ProjectSummary {
    /// The project.
    pub project: Project,
    /// The reader's role in it.
    pub role: Role,
    /// How many runs it has, up to [`COUNTED_MAX`].
    pub run_count: i64,
    /// How many of them run now, up to the same.
    pub running_count: i64,
    /// Its newest run.
    pub last_run: Option<ProjectRun>,
    /// Its main result.
    pub best: Option<BestResult>,
    /// Runs a day, the last 30 days, oldest first.
    pub activity: Vec<i64>,
    /// The names of its members, first come first.
    pub members: Vec<String>,
}

/// The numeric result that most of a project's newest runs have, at its best.
#[derive(Clone, Debug, PartialEq)]
pub struct BestResult {
    /// What it measures.
    pub name: String,
    /// The best value of any run.
    pub value: f64,
}

/// A run of some project.
#[derive(Debug)]
pub struct PlacedRun {
    /// Its project.
    pub project: Project,
    /// The run.
    pub run: ProjectRun,
}

/// Something that was learned in some project.
#[derive(Debug)]
pub struct PlacedInsight {
    /// The project.
    pub project: Project,
    /// The number of the run that it is about.
    pub number: i32,
    /// The beginning of it, as it was written, without the tag.
    pub text: String,
    /// When it was written.
    pub created_at: OffsetDateTime,
    /// Who wrote it, as shown to people.
    pub author: String,
}

/// Somebody's projects, and what goes on in all of them.
#[derive(Debug)]
pub struct Overview {
    /// The projects, the last active one first.
    pub projects: Vec<ProjectSummary>,
    /// What runs now, those that were recorded last first.
    pub running: Vec<PlacedRun>,
    /// What was learned, the newest first.
    pub insights: Vec<PlacedInsight>,
}

/// The account's projects, and what goes on in them.
pub async fn overview(app: &AppState, account: &Account) -> Result<Overview> {
    let mut connection = app.pool.acquire().await?;
    let projects = summaries(&mut connection, account, app.clock.now()).await?;
    let known: HashMap<ProjectId, &Project> =
        projects.iter().map(|summary| (summary.project.id, &summary.project)).collect();
    let ids: Vec<ProjectId> = known.keys().copied().collect();
    let running = store::projects::overview::running(&mut connection, &ids, RUNNING).await?;
    let insights = store::projects::overview::insights(&mut connection, &ids, INSIGHTS).await?;
    let project = |id: ProjectId| known.get(&id).map(|project| (*project).clone());
    let running = running.into_iter().filter_map(|run| Some(PlacedRun { project: project(run.project_id)?, run }));
    let running = running.collect();
    let insights = insights.into_iter().filter_map(|told| Some(placed(project(told.project_id)?, told))).collect();
    Ok(Overview { projects, running, insights })
}

/// The account's projects, the last active one first.
pub async fn list(app: &AppState, account: &Account) -> Result<Vec<ProjectSummary>> {
    summaries(&mut *app.pool.acquire().await?, account, app.clock.now()).await
}

async fn summaries(
    connection: &mut PgConnection,
    account: &Account,
    now: OffsetDateTime,
) -> Result<Vec<ProjectSummary>> {
    let listed = store::members::list_projects(connection, account.id).await?;
    let ids: Vec<ProjectId> = listed.iter().map(|listed| listed.project.id).collect();
    let counts = store::projects::overview::counts(connection, &ids, COUNTED_MAX).await?;
    let counts: HashMap<ProjectId, RunCounts> = counts.into_iter().map(|counts| (counts.project_id, counts)).collect();
    let first_day = now - Duration::days(ACTIVITY_DAYS.into());
    let recorded = store::run_list::activity(connection, &ids, first_day).await?;
    let newest = store::projects::overview::newest_runs(connection, &ids).await?;
    let mut newest: HashMap<ProjectId, ProjectRun> = newest.into_iter().map(|run| (run.project_id, run)).collect();
    let directions = directions_of(connection, &ids).await?;
    let main = store::projects::overview::main_results(connection, &ids).await?;
    let mut best: HashMap<ProjectId, BestResult> =
        main.into_iter().filter_map(|main| Some((main.project_id, best_of(main, &directions)?))).collect();

    let summary = |listed: store::members::ListedProject| {
        let id = listed.project.id;
        let counts = counts.get(&id);
        let days = recorded.iter().filter(|(project, ..)| *project == id).map(|(_, day, runs)| (*day, *runs));
        ProjectSummary {
            run_count: counts.map_or(0, |counts| counts.all),
            running_count: counts.map_or(0, |counts| counts.running),
            last_run: newest.remove(&id),
            best: best.remove(&id),
            activity: activity(days),
            project: listed.project,
            role: listed.role,
            members: listed.members,
        }
    };
    Ok(listed.into_iter().map(summary).collect())
}

/// Runs a day, of what was recorded on which day.
fn activity(recorded: impl Iterator<Item = (i32, i64)>) -> Vec<i64> {
    let mut days = vec![0; usize::from(ACTIVITY_DAYS)];
    for (day, count) in recorded {
        if let Some(runs) = usize::try_from(day).ok().and_then(|day| days.get_mut(day)) {
            *runs = count;
        }
    }
    days
}

fn best_of(main: MainResult, directions: &HashMap<ProjectId, Directions>) -> Option<BestResult> {
    let guessed = Directions::default();
    let direction = directions.get(&main.project_id).unwrap_or(&guessed).of(&main.name);
    let value = if direction == Direction::Higher { main.highest } else { main.lowest };
    value.map(|value| BestResult { name: main.name, value })
}

fn placed(project: Project, told: ProjectInsight) -> PlacedInsight {
    let text = without_tag(&told.body);
    PlacedInsight { project, number: told.number, text, created_at: told.created_at, author: told.author }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_lowest_where_the_owners_say_so() {
        let id = ProjectId::new();
        let main =
            |name: &str| MainResult { project_id: id, name: name.to_owned(), lowest: Some(0.25), highest: Some(0.5) };
        let said: Directions = [("surprise".to_owned(), Direction::Lower)].into_iter().collect();
        let directions = HashMap::from([(id, said)]);
        let best = |name: &str| best_of(main(name), &directions).map(|best| best.value);
        assert_eq!([best("surprise"), best("loss"), best("accuracy")], [Some(0.25), Some(0.25), Some(0.5)]);
    }
}
