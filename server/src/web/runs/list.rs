//! The runs of a project, newest first.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otrace_wire::RunStatus;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{COMMIT_CHARS, StatusView, duration_of, ending};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::Run;
use crate::domain::result::Direction;
use crate::error::Result;
use crate::extract::Query;
use crate::services;
use crate::services::runs::{ResultColumn, RunRow, RunsPage, RunsPageRequest, StatusCounts};
use crate::web::format::{self, Moment};
use crate::web::people::Person;
use crate::web::shell::{Look, ProjectTab, Shell, live_url, may_edit, project_url};
use crate::web::{page, terminal};

/// Which columns stay when the window gets narrow, in their order; the rest leave first.
const COLUMN_CLASSES: [&str; 4] = ["m1", "p3", "", "p2"];

#[derive(Template)]
#[template(path = "runs/list.html")]
struct ListPage {
    shell: Shell,
    base: String,
    live_url: String,
    project: String,
    description: String,
    may_edit: bool,
    filters: Vec<Filter>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    running: Option<String>,
    range: String,
    newest: Option<String>,
    older: Option<String>,
    is_filtered: bool,
}

/// A status to filter by.
struct Filter {
    href: String,
    label: &'static str,
    count: String,
    is_current: bool,
}

/// A column of results.
struct Column {
    name: String,
    class: &'static str,
    lower_is_better: bool,
}

/// A run in the list.
struct Row {
    href: String,
    experiment: String,
    heading: String,
    intent: String,
    status: StatusView,
    remark: Option<Remark>,
    cells: Vec<Cell>,
    tags: Vec<String>,
    author: Option<Person>,
    commit: Option<String>,
    is_dirty: bool,
    duration: Option<String>,
    created: Moment,
}

/// What needs a look, said in the row, with the class that gives it its colour.
struct Remark {
    class: &'static str,
    text: String,
}

/// A result of a run.
struct Cell {
    column: String,
    class: &'static str,
    value: Option<String>,
    is_best: bool,
}

/// `?before=&status=`. What can't be read is not asked for.
#[derive(Deserialize)]
pub struct Filters {
    #[serde(default)]
    before: String,
    #[serde(default)]
    status: String,
}

/// `GET /projects/{slug}/runs`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Query(filters): Query<Filters>,
) -> Result<Response> {
    services::projects::visit(&app, &member).await?;
    let (before, status) = (filters.before.parse().ok(), filters.status.parse::<RunStatus>().ok());
    let request = RunsPageRequest { before, status };
    let found = services::runs::page(&app, member.project.id, request).await?;
    let shell = Shell::of_project(&app, look, &member, ProjectTab::Runs).await?;
    Ok(page(&ListPage::new(shell, &member, found, status, app.clock.now())))
}

impl ListPage {
    fn new(
        shell: Shell,
        member: &ProjectMember,
        found: RunsPage,
        status: Option<RunStatus>,
        now: OffsetDateTime,
    ) -> Self {
        let base = project_url(&member.project);
        let address = |before: Option<i32>| address(&base, status, before);
        let running = found.counts.running;
        let columns: Vec<Column> = found.columns.iter().enumerate().map(Column::new).collect();
        Self {
            shell,
            live_url: live_url(&member.project, now),
            project: terminal::clean(&member.project.name),
            description: terminal::clean(&member.project.description),
            may_edit: may_edit(member),
            filters: filters(&base, &found.counts, status),
            running: (running > 0).then(|| format!("{} running, updating live", format::count(running))),
            range: format!("{} of {}", format::count(len(&found.rows)), format::counted(found.total, "run", "runs")),
            newest: found.newer.then(|| address(None)),
            older: found.older.map(|number| address(Some(number))),
            rows: found.rows.into_iter().map(|row| Row::new(&base, &columns, row, now)).collect(),
            columns,
            is_filtered: status.is_some(),
            base,
        }
    }
}

fn len(rows: &[RunRow]) -> i64 {
    i64::try_from(rows.len()).unwrap_or_default()
}

/// The list from some run on, with the filter that it has.
fn address(base: &str, status: Option<RunStatus>, before: Option<i32>) -> String {
    let status = status.map(|status| format!("status={status}"));
    let before = before.map(|number| format!("before={number}"));
    let query: Vec<String> = status.into_iter().chain(before).collect();
    match query.join("&").as_str() {
        "" => format!("{base}/runs"),
        query => format!("{base}/runs?{query}"),
    }
}

/// All runs, and the statuses that any run has.
fn filters(base: &str, counts: &StatusCounts, current: Option<RunStatus>) -> Vec<Filter> {
    let all = [
        (None, "All runs", counts.all),
        (Some(RunStatus::Created), "Not started", counts.created),
        (Some(RunStatus::Running), "Running", counts.running),
        (Some(RunStatus::Completed), "Completed", counts.completed),
        (Some(RunStatus::Failed), "Failed", counts.failed),
        (Some(RunStatus::CaptureFailed), "Capture failed", counts.capture_failed),
    ];
    let shown = all.into_iter().filter(|(status, _, count)| status.is_none() || *count > 0 || *status == current);
    let filter = |(status, label, count)| Filter {
        href: address(base, status, None),
        label,
        count: format::count(count),
        is_current: status == current,
    };
    shown.map(filter).collect()
}

impl Column {
    fn new((position, column): (usize, &ResultColumn)) -> Self {
        Self {
            name: terminal::clean(&column.name),
            class: COLUMN_CLASSES.get(position).unwrap_or(&"p3"),
            lower_is_better: column.direction == Direction::Lower,
        }
    }
}

impl Row {
    fn new(base: &str, columns: &[Column], row: RunRow, now: OffsetDateTime) -> Self {
        let RunRow { run, values, best, missing_paths, dirty, git_commit, .. } = row;
        let best = best.into_iter().chain(std::iter::repeat(false));
        let cells = columns.iter().zip(values).zip(best).map(|((column, value), is_best)| Cell {
            column: column.name.clone(),
            class: column.class,
            value: value.as_ref().map(format::result),
            is_best,
        });
        let heading = terminal::clean(run.heading());
        let intent = terminal::clean(run.intent.lines().next().unwrap_or_default());
        Self {
            href: format!("{base}/runs/{}", run.experiment_id()),
            experiment: run.experiment_id().to_string(),
            intent: if intent == heading { String::new() } else { intent },
            heading,
            status: StatusView::new(run.status),
            remark: remark(&run, &missing_paths, now),
            cells: cells.collect(),
            duration: duration_of(&run, now).map(|duration| duration.replace(" so far", "")),
            tags: run.tags.iter().map(|tag| terminal::clean(tag)).collect(),
            author: run.author.as_deref().map(Person::new),
            commit: git_commit.map(|commit| format::short(&terminal::clean(&commit), COMMIT_CHARS)),
            is_dirty: dirty.unwrap_or_default(),
            created: Moment::new(run.created_at, now),
        }
    }
}

/// A run that went as it should says nothing.
fn remark(run: &Run, missing_paths: &[String], now: OffsetDateTime) -> Option<Remark> {
    if let Some(since) = run.out_of_contact_since(now) {
        let text = format!("out of contact for {}", format::elapsed(since, now));
        return Some(Remark { class: RunStatus::CaptureFailed.as_str(), text });
    }
    let text = match run.status {
        RunStatus::Created => "not started".to_owned(),
        RunStatus::Running => duration_of(run, now)?,
        RunStatus::Completed => missing(missing_paths)?,
        RunStatus::Failed => ending(run).unwrap_or_else(|| "failed".to_owned()),
        RunStatus::CaptureFailed => missing(missing_paths).unwrap_or_else(|| "recording broke off".to_owned()),
    };
    // A completed run speaks up only to warn.
    let shown_as = if run.status == RunStatus::Completed { RunStatus::CaptureFailed } else { run.status };
    Some(Remark { class: shown_as.as_str(), text })
}

/// `outputs/model.tflite not found`, and how many more.
fn missing(paths: &[String]) -> Option<String> {
    let first = terminal::clean(paths.first()?);
    Some(match paths.len() - 1 {
        0 => format!("{first} not found"),
        more => format!("{first} and {more} more not found"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_the_filter() {
        assert_eq!(address("/projects/a", None, None), "/projects/a/runs");
        let filtered = address("/projects/a", Some(RunStatus::CaptureFailed), Some(7));
        assert_eq!(filtered, "/projects/a/runs?status=capture_failed&before=7");
    }

    #[test]
    fn what_is_missing_is_told_in_the_row() {
        assert_eq!(missing(&[]), None);
        assert_eq!(missing(&["a".to_owned()]).unwrap(), "a not found");
        assert_eq!(missing(&["a".to_owned(), "b".to_owned()]).unwrap(), "a and 1 more not found");
    }
}
