//! The projects of who is signed in.

use askama::Template;
use axum::response::Response;

use crate::app::AppState;
use crate::domain::Account;
use crate::error::Result;
use crate::services;
use crate::services::projects::ProjectSummary;
use crate::web::format::{self, Moment};
use crate::web::people::Person;
use crate::web::runs::StatusView;
use crate::web::shell::{Look, Shell, project_url};
use crate::web::{page, terminal};

/// How many people are shown of a project; the others are a number.
const PEOPLE_SHOWN: usize = 4;

#[derive(Template)]
#[template(path = "projects/list.html")]
struct ListPage {
    shell: Shell,
    projects: Vec<Row>,
    summary: String,
}

/// A project in the list.
struct Row {
    href: String,
    name: String,
    description: String,
    runs: String,
    running: Option<String>,
    best: Option<(String, String)>,
    activity: Vec<Bar>,
    people: Vec<Person>,
    more_people: Option<String>,
    everyone: String,
    last: Option<LastRun>,
}

/// The latest run of a project.
struct LastRun {
    href: String,
    experiment: String,
    heading: String,
    status: StatusView,
    at: Moment,
}

/// One day's runs as a bar, in the units of the drawing.
struct Bar {
    x: String,
    y: String,
    height: String,
}

/// The page; `landing` has the route.
pub async fn show(app: &AppState, look: Look, account: &Account) -> Result<Response> {
    let summaries = services::projects::list(app, account).await?;
    let now = app.clock.now();
    let running: i64 = summaries.iter().map(|project| project.running_count).sum();
    let count = i64::try_from(summaries.len()).unwrap_or_default();
    let mut summary = format::counted(count, "project", "projects");
    if running > 0 {
        summary = format!("{summary}, {} now", format::counted(running, "run is running", "runs are running"));
    }
    let shell = Shell::new(app, look, Some(account));
    let projects = summaries.into_iter().map(|project| Row::new(project, now)).collect();
    Ok(page(&ListPage { shell, projects, summary }))
}

impl Row {
    fn new(summary: ProjectSummary, now: time::OffsetDateTime) -> Self {
        let base = project_url(&summary.project);
        let more = summary.members.len().saturating_sub(PEOPLE_SHOWN);
        let last = summary.last_run.map(|run| LastRun {
            href: format!("{base}/runs/{}", run.experiment_id()),
            experiment: run.experiment_id().to_string(),
            heading: terminal::clean(run.heading()),
            status: StatusView::new(run.status),
            at: Moment::new(run.created_at, now),
        });
        Self {
            href: format!("{base}/runs"),
            name: terminal::clean(&summary.project.name),
            description: terminal::clean(&summary.project.description),
            runs: format::counted(summary.run_count, "run", "runs"),
            running: (summary.running_count > 0).then(|| format!("{} running", format::count(summary.running_count))),
            best: summary.best.map(|(name, value)| (terminal::clean(&name), format::number(value))),
            activity: bars(&summary.activity),
            people: summary.members.iter().take(PEOPLE_SHOWN).map(|name| Person::new(name)).collect(),
            more_people: (more > 0).then(|| format!("+{more}")),
            everyone: terminal::clean(&summary.members.join(", ")),
            last,
        }
    }
}

/// Bars 3.4 wide every 5 units, on a ground line at 24; the busiest day is 19.8 high, an empty one 1.
fn bars(activity: &[i64]) -> Vec<Bar> {
    let most = activity.iter().copied().max().unwrap_or_default().max(1);
    let bar = |(day, runs): (usize, &i64)| {
        let tenths = if *runs > 0 { (*runs * 198 / most).max(22) } else { 10 };
        let y = 240 - tenths;
        Bar {
            x: (day * 5).to_string(),
            y: format!("{}.{}", y / 10, y % 10),
            height: format!("{}.{}", tenths / 10, tenths % 10),
        }
    };
    activity.iter().enumerate().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_day_is_the_highest_bar() {
        let bars = bars(&[0, 1, 9]);
        let shown: Vec<_> = bars.iter().map(|bar| (bar.x.as_str(), bar.y.as_str(), bar.height.as_str())).collect();
        assert_eq!(shown, [("0", "23.0", "1.0"), ("5", "21.8", "2.2"), ("10", "4.2", "19.8")]);
    }
}
