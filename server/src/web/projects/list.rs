//! The projects of who is signed in, what runs in them now, and what was learned last.

use askama::Template;
use axum::response::Response;
use otrace_wire::ExperimentId;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::domain::{Account, Project};
use crate::error::Result;
use crate::services;
use crate::services::projects::{BestResult, PlacedInsight, PlacedRun, ProjectSummary};
use crate::services::runs::COUNTED_MAX;
use crate::web::format::{self, Moment};
use crate::web::people::Person;
use crate::web::runs::StatusView;
use crate::web::shell::{Look, Shell, project_url};
use crate::web::{markdown, page, terminal};

/// How many people are shown of a project; the others are a number.
const PEOPLE_SHOWN: usize = 4;
/// An insight is told up to here.
const INSIGHT_MAX_CHARS: usize = 240;

#[derive(Template)]
#[template(path = "projects/list.html")]
struct ListPage {
    shell: Shell,
    projects: Vec<Row>,
    running: Vec<Running>,
    insights: Vec<Insight>,
    summary: String,
    /// `1 deleted project`, where there is any to bring back.
    deleted: Option<String>,
}

/// A project in the list.
struct Row {
    href: String,
    name: String,
    description: String,
    runs: String,
    running: Option<String>,
    best: Option<Best>,
    activity: Vec<Bar>,
    people: Vec<Person>,
    more_people: Option<String>,
    everyone: String,
    last: Option<LastRun>,
}

/// The best value of a project's main result.
struct Best {
    name: String,
    value: String,
}

/// The latest run of a project.
struct LastRun {
    href: String,
    experiment: String,
    heading: String,
    status: StatusView,
    at: Moment,
}

/// A run that goes on.
struct Running {
    href: String,
    heading: String,
    place: String,
    since: String,
    author: Option<Person>,
}

/// Something that was learned.
struct Insight {
    href: String,
    place: String,
    text: String,
    author: Person,
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
    let found = services::projects::overview(app, account).await?;
    let deleted = services::projects::deleted(app, account).await?.len();
    let now = app.clock.now();
    let running: i64 = found.projects.iter().map(|project| project.running_count).sum();
    let mut summary = counted(found.projects.len(), "project", "projects");
    if running > 0 {
        summary = format!("{summary}, {} now", format::counted(running, "run is running", "runs are running"));
    }
    Ok(page(&ListPage {
        shell: Shell::new(app, look, Some(account)),
        projects: found.projects.into_iter().map(|project| Row::new(project, now)).collect(),
        running: found.running.into_iter().map(|run| Running::new(run, now)).collect(),
        insights: found.insights.iter().map(|insight| Insight::new(insight, now)).collect(),
        summary,
        deleted: (deleted > 0).then(|| counted(deleted, "deleted project", "deleted projects")),
    }))
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format::counted(i64::try_from(count).unwrap_or_default(), one, many)
}

impl Row {
    fn new(summary: ProjectSummary, now: OffsetDateTime) -> Self {
        let base = project_url(&summary.project);
        let more = summary.members.len().saturating_sub(PEOPLE_SHOWN);
        let last = summary.last_run.map(|run| {
            let experiment = ExperimentId::new(run.number).to_string();
            LastRun {
                href: format!("{base}/runs/{experiment}"),
                experiment,
                heading: terminal::clean(&run.heading),
                status: StatusView::new(run.status),
                at: Moment::new(run.created_at, now),
            }
        });
        let runs = match summary.run_count {
            COUNTED_MAX.. => format!("{}+ runs", format::count(COUNTED_MAX)),
            count => format::counted(count, "run", "runs"),
        };
        Self {
            href: format!("{base}/runs"),
            name: terminal::clean(&summary.project.name),
            description: terminal::clean(&summary.project.description),
            runs,
            running: (summary.running_count > 0).then(|| format!("{} running", format::count(summary.running_count))),
            best: summary.best.as_ref().map(Best::new),
            activity: bars(&summary.activity),
            people: summary.members.iter().take(PEOPLE_SHOWN).map(|name| Person::new(name)).collect(),
            more_people: (more > 0).then(|| format!("+{more}")),
            everyone: terminal::clean(&summary.members.join(", ")),
            last,
        }
    }
}

impl Best {
    fn new(best: &BestResult) -> Self {
        Self { name: terminal::clean(&best.name), value: format::number(best.value) }
    }
}

impl Running {
    fn new(PlacedRun { project, run }: PlacedRun, now: OffsetDateTime) -> Self {
        let (href, place) = place(&project, run.number);
        Self {
            href,
            heading: terminal::clean(&run.heading),
            place,
            since: format!("for {}", format::elapsed(run.started_at.unwrap_or(run.created_at), now)),
            author: run.author.map(|name| Person::new(&name)),
        }
    }
}

impl Insight {
    fn new(insight: &PlacedInsight, now: OffsetDateTime) -> Self {
        let (href, place) = place(&insight.project, insight.number);
        Self {
            href,
            place,
            text: beginning(&insight.text),
            author: Person::new(&insight.author),
            at: Moment::new(insight.created_at, now),
        }
    }
}

/// The first words of a document.
fn beginning(document: &str) -> String {
    let words = markdown::words(document);
    let mut short: String = words.chars().take(INSIGHT_MAX_CHARS).collect();
    if short.len() < words.len() {
        short.push('…');
    }
    short
}

/// Where a run is, and what that is called: `kws-edge exp048`.
fn place(project: &Project, number: i32) -> (String, String) {
    let experiment = ExperimentId::new(number);
    let href = format!("{}/runs/{experiment}", project_url(project));
    (href, format!("{} {experiment}", terminal::clean(&project.name)))
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
