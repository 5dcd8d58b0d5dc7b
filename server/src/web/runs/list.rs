//! The runs of a project: the ones that a query asks for, in an order, page by page.
//!
//! What is shown stands in the address ([`View`]), so that links, saved views and files of it agree. `row` is a run
//! in the list, `spark` its curve, `strip` the way to the best one, `chips` the conditions in words, `selected` what is
//! done to the chosen ones, `trash` the deleted ones, `export` the list as a file and `words` what a query is completed
//! with.

mod address;
mod chips;
pub mod export;
mod parts;
mod row;
pub mod selected;
mod spark;
pub mod strip;
mod trash;
pub mod words;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use otrace_wire::{ExperimentId, RunStatus};
use time::OffsetDateTime;

use self::address::CURVE;
use self::chips::Chip;
use self::parts::{Choosable, Filter, Group, QueryFault, ViewLink};
use self::row::{Column, Head, Row, Shown};
use self::spark::Curves;
use crate::app::AppState;
use crate::auth::{ProjectMember, ProjectReader};
use crate::domain::RunId;
use crate::domain::query::{self, Query as RunQuery, QueryError, SortField};
use crate::error::{AppError, Result};
use crate::extract::Query;
use crate::services;
use crate::services::runs::{COUNTED_MAX, LIST_PAGE, ListedRuns, RunsPageRequest, StatusCounts};
use crate::web::format;
use crate::web::shell::{Look, ProjectTab, Shell, live_url, may_edit, project_url};
use crate::web::{page, refused_in_place, terminal, with_status};

pub use self::address::{RECORD_COLUMNS, View, result_column};

#[derive(Template)]
#[template(path = "runs/list.html")]
struct ListPage {
    shell: Shell,
    base: String,
    live_url: String,
    /// Where the rows of this page are asked for again.
    rows_url: String,
    /// Where the way to the best run is drawn, if there is anything to draw.
    strip_url: Option<String>,
    project: String,
    description: String,
    may_edit: bool,
    /// The parameters of this view, and where it is without a place.
    parameters: String,
    here: String,
    files: [(&'static str, String); 2],
    /// The query as it was written.
    q: String,
    fault: Option<QueryFault>,
    /// What else the form of the query and of the columns must keep.
    kept: Vec<(&'static str, String)>,
    sort: Option<String>,
    chips: Vec<Chip>,
    /// Where the list is without its last condition.
    without_last: Option<String>,
    filters: Vec<Filter>,
    views: Vec<ViewLink>,
    draft: ViewDraft,
    results: Vec<Choosable>,
    configs: Vec<Choosable>,
    records: Vec<Choosable>,
    groupings: Vec<Choosable>,
    sorts: Vec<Choosable>,
    columns: Vec<Column>,
    shown: Shown,
    /// What the series are called whose curves are shown.
    curve: String,
    by_number: Head,
    by_tag: Head,
    by_author: Head,
    by_commit: Head,
    by_duration: Head,
    by_created: Head,
    /// How many columns there are.
    width: usize,
    groups: Vec<Group>,
    running: Option<String>,
    range: String,
    newest: Option<String>,
    newer: Option<String>,
    older: Option<String>,
    notice: Option<String>,
    alert: Option<String>,
}

/// A view that somebody is about to save, and what stood against it.
#[derive(Default)]
pub struct ViewDraft {
    /// What it is to be called.
    pub name: String,
    /// Whether all members are to see it.
    pub is_shared: bool,
    /// What is wrong with its name.
    pub error: Option<String>,
}

/// What a form that was sent from the list has to say on it.
#[derive(Default)]
pub struct Told {
    /// The view that was not saved.
    pub draft: ViewDraft,
    /// What stood in the way of something else.
    pub alert: Option<String>,
}

/// The rows of a list that is open, and nothing around them.
#[derive(Template)]
#[template(path = "runs/_rows.html")]
struct RowsPart {
    shown: Shown,
    rows: Vec<Row>,
}

/// `GET /projects/{slug}/runs`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response> {
    services::projects::visit(&app, &member).await?;
    if parameters.iter().any(|(name, value)| name == "deleted" && value == "1") {
        return trash::show(&app, look, &member, &parameters).await;
    }
    let (list, is_understood) = list_page(&app, look, &member, &parameters, Told::default()).await?;
    Ok(if is_understood { page(&list) } else { with_status(StatusCode::BAD_REQUEST, &list) })
}

/// The list again, for a form that was sent from it and refused.
pub async fn refused(
    app: &AppState,
    look: Look,
    member: &ProjectMember,
    parameters: &[(String, String)],
    refused: &AppError,
    told: Told,
) -> Result<Response> {
    let (list, _) = list_page(app, look, member, parameters, told).await?;
    Ok(refused_in_place(refused, &list))
}

/// `GET /projects/{slug}/runs/rows`: some rows of a list that is open, as they are now.
pub async fn rows(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response> {
    let view = View::read(&parameters);
    let ids = parameters.iter().filter(|(name, _)| name == "ids").flat_map(|(_, ids)| ids.split(','));
    let shown: Vec<ExperimentId> = ids.filter_map(|id| id.parse().ok()).take(LIST_PAGE.into()).collect();
    let names = view.results().unwrap_or_default();
    let found = services::runs::some_rows(&app, member.project.id, &shown, names, &view.configs()).await?;
    let (url, now) = (project_url(&member.project), app.clock.now());
    let columns = parts::columns(&url, &view, &found.columns);
    let curves = curves(&app, &member, &view, &found).await?;
    let rows = found.rows.into_iter().map(|row| Row::new(&url, &columns, &curves, row, now)).collect();
    Ok(page(&RowsPart { shown: Shown(view.record_columns()), rows }))
}

/// What was found, or why nothing could be looked for.
struct Answer {
    query: RunQuery,
    fault: Option<QueryError>,
    found: ListedRuns,
    curves: Curves,
    counts: StatusCounts,
}

/// The page, and whether its query was understood.
async fn list_page(
    app: &AppState,
    look: Look,
    member: &ProjectMember,
    parameters: &[(String, String)],
    told: Told,
) -> Result<(ListPage, bool)> {
    let usual = services::projects::list_columns(app, member.project.id).await?;
    let view = View { usual, ..View::read(parameters) };
    let counts = services::runs::counts(app, member.project.id).await?;
    let answer = match query::parse(&view.q) {
        Err(fault) => {
            let found = ListedRuns::default();
            Answer { query: RunQuery::default(), fault: Some(fault), found, curves: Curves::default(), counts }
        }
        Ok(query) => {
            let from = address::window(parameters, &view.sort);
            let sort = view.sort.clone();
            let (columns, parameters) = (view.results(), view.needed_configs());
            let request = RunsPageRequest { query, sort, from, columns, parameters };
            let found = services::runs::page(app, member, &request, LIST_PAGE).await?;
            let curves = curves(app, member, &view, &found).await?;
            Answer { query: request.query, fault: None, found, curves, counts }
        }
    };
    let is_understood = answer.fault.is_none();
    let is_first = !parameters.iter().any(|(name, _)| name == "after" || name == "before");
    let views = services::saved_views::list(app, member).await?;
    let shell = Shell::of_project(app, look, member, ProjectTab::Runs).await?;
    let mut list = ListPage::new(shell, member, &view, answer, app.clock.now());
    list.views = views.into_iter().map(|saved| ViewLink::new(&list.base, &view, &saved, member)).collect();
    list.newest = (!is_first).then(|| list.here.clone());
    list.notice = parts::notice(parameters);
    list.alert = told.alert;
    list.draft = told.draft;
    Ok((list, is_understood))
}

/// The curves of these runs, where the view has a column for them.
async fn curves(app: &AppState, member: &ProjectMember, view: &View, found: &ListedRuns) -> Result<Curves> {
    let Some(result) = view.main_result(&found.columns).filter(|_| view.record_columns().contains(&CURVE)) else {
        return Ok(Curves::default());
    };
    let runs: Vec<RunId> = found.rows.iter().map(|row| row.run.id).collect();
    Ok(Curves::new(services::runs::sparks(app, member.project.id, &runs, result).await?))
}

impl ListPage {
    fn new(shell: Shell, member: &ProjectMember, view: &View, answer: Answer, now: OffsetDateTime) -> Self {
        let Answer { query, fault, found, curves, counts } = answer;
        let base = project_url(&member.project);
        let columns = parts::columns(&base, view, &found.columns);
        let curve = curves.name();
        let record_columns = parts::record_columns(view, &found, curve.is_some());
        let chips = chips::chips(&base, view, &query);
        let has_neighbours = found.newer.is_some() || found.older.is_some();
        Self {
            live_url: live_url(&member.project, now),
            rows_url: parts::rows_url(&base, view, &found, &record_columns),
            strip_url: parts::strip_url(&base, view, &found),
            project: terminal::clean(&member.project.name),
            description: terminal::clean(&member.project.description),
            may_edit: may_edit(member),
            parameters: view.parameters(),
            here: view.url(&base),
            files: [("CSV", view.file_url(&base, "csv")), ("JSON", view.file_url(&base, "json"))],
            q: view.q.clone(),
            fault: fault.map(|fault| QueryFault::new(&view.q, &fault)),
            kept: parts::kept(view),
            sort: (view.sort != query::Sort::default()).then(|| view.sort.to_string()),
            without_last: chips.last().map(|chip| chip.href.clone()),
            chips,
            filters: parts::filters(&base, view, &counts),
            views: Vec::new(),
            draft: ViewDraft::default(),
            results: parts::result_options(&found),
            configs: parts::config_options(view, &found),
            records: parts::record_options(&view.record_columns()),
            groupings: parts::grouping_options(view, &found),
            sorts: parts::sort_options(view, &found),
            by_number: Head::new(&base, view, SortField::Number, true),
            by_tag: Head::new(&base, view, SortField::Tag, false),
            by_author: Head::new(&base, view, SortField::Author, false),
            by_commit: Head::new(&base, view, SortField::Commit, false),
            by_duration: Head::new(&base, view, SortField::Duration, true),
            by_created: Head::new(&base, view, SortField::Created, true),
            width: 2 + columns.len() + record_columns.len(),
            running: (counts.running > 0).then(|| format!("{} running, updating live", counted(counts.running))),
            range: range(view, &found, &counts, has_neighbours),
            newest: None,
            newer: found.newer.as_ref().map(|place| view.page_url(&base, "before", place)),
            older: found.older.as_ref().map(|place| view.page_url(&base, "after", place)),
            groups: parts::groups(&base, view, &query, &columns, &curves, found.rows, now),
            notice: None,
            alert: None,
            columns,
            curve: curve.unwrap_or_default(),
            shown: Shown(record_columns),
            shell,
            base,
        }
    }
}

/// A count that may have stopped at the most that is counted: `1 291`, `10 000+`.
fn counted(count: i64) -> String {
    let more = if count >= COUNTED_MAX { "+" } else { "" };
    format!("{}{more}", format::count(count))
}

/// `50 of 1 291 runs`, as far as it is known without counting what a query leaves.
fn range(view: &View, found: &ListedRuns, counts: &StatusCounts, has_neighbours: bool) -> String {
    let rows = i64::try_from(found.rows.len()).unwrap_or_default();
    let status = view.q.strip_prefix("status:").and_then(|status| status.parse::<RunStatus>().ok());
    let all = match status {
        Some(status) => counts.of(status),
        None if view.q.is_empty() || !has_neighbours => counts.all,
        None => return format!("{} on this page", format::counted(rows, "run", "runs")),
    };
    let word = if all == 1 { "run" } else { "runs" };
    format!("{} of {} {word}", format::count(rows), counted(all))
}
