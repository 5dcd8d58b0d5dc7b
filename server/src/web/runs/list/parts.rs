//! The parts around the rows of a list: what it can be narrowed to, what can be chosen, and how rows stand together.

use std::ops::Bound;

use otrace_wire::{ExperimentId, RunStatus};
use time::OffsetDateTime;
use url::form_urlencoded;

use super::address::{self, CURVE, Group as Grouping, RECORD_COLUMNS, View, config_column, result_column};
use super::counted;
use super::row::{Column, Row};
use super::spark::Curves;
use crate::auth::ProjectMember;
use crate::domain::Role;
use crate::domain::parameters::Parameter;
use crate::domain::query::{Clause, ConfigTest, Expr, Presence, Query, QueryError, Sort, SortField, Span};
use crate::domain::result::Direction;
use crate::services::runs::{ListedRuns, ListedValue, ResultColumn, RunRow, StatusCounts};
use crate::services::saved_views::SavedView;
use crate::web::format;
use crate::web::terminal;

/// Orders that every list may have, and what they are called.
const ORDERS: [(&str, &str); 9] = [
    ("", "Newest first"),
    ("created", "Oldest first"),
    ("-updated", "Last changed first"),
    ("-duration", "Longest first"),
    ("title", "Title"),
    ("status", "Status"),
    ("tag", "First tag"),
    ("author", "Who recorded it"),
    ("commit", "Commit"),
];

/// A status to filter by.
pub struct Filter {
    pub(super) href: String,
    pub(super) label: &'static str,
    pub(super) count: String,
    pub(super) is_current: bool,
}

/// All runs, and the statuses that any run has.
pub(super) fn filters(base: &str, view: &View, counts: &StatusCounts) -> Vec<Filter> {
    let all = [
        (None, "All runs", counts.all),
        (Some(RunStatus::Created), "Not started", counts.created),
        (Some(RunStatus::Running), "Running", counts.running),
        (Some(RunStatus::Completed), "Completed", counts.completed),
        (Some(RunStatus::Failed), "Failed", counts.failed),
        (Some(RunStatus::CaptureFailed), "Capture failed", counts.capture_failed),
    ];
    let filter = |(status, label, count): (Option<RunStatus>, &'static str, i64)| {
        let q = status.map(|status| format!("status:{status}")).unwrap_or_default();
        let is_current = view.q == q;
        let is_shown = status.is_none() || count > 0 || is_current;
        is_shown.then(|| Filter { href: view.asking(q).url(base), label, count: counted(count), is_current })
    };
    all.into_iter().filter_map(filter).collect()
}

/// Something to choose in a form.
pub struct Choosable {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) is_chosen: bool,
}

/// The results that are shown, and the others that these runs have.
pub(super) fn result_options(found: &ListedRuns) -> Vec<Choosable> {
    let option =
        |name: &str, is_chosen| Choosable { value: result_column(name), label: terminal::clean(name), is_chosen };
    let is_shown = |name: &str| found.columns.iter().any(|column| column.name == name);
    let shown = found.columns.iter().map(|column| option(&column.name, true));
    shown.chain(found.names.iter().filter(|name| !is_shown(name)).map(|name| option(name, false))).collect()
}

/// The values of configs that are shown, and the others that these runs have.
pub(super) fn config_options(view: &View, found: &ListedRuns) -> Vec<Choosable> {
    let option =
        |name: &String, is_chosen| Choosable { value: config_column(name), label: terminal::clean(name), is_chosen };
    let shown = view.configs();
    let others = found.parameter_names.iter().filter(|name| !shown.contains(name));
    shown.iter().map(|name| option(name, true)).chain(others.map(|name| option(name, false))).collect()
}

/// The columns that are neither results nor values of configs.
pub(super) fn record_options(shown: &[&'static str]) -> Vec<Choosable> {
    let option = |(name, label): (&'static str, &str)| Choosable {
        value: name.to_owned(),
        label: label.to_owned(),
        is_chosen: shown.contains(&name),
    };
    RECORD_COLUMNS.into_iter().map(option).collect()
}

/// By what rows may stand together.
pub(super) fn grouping_options(view: &View, found: &ListedRuns) -> Vec<Choosable> {
    let none = Choosable { value: String::new(), label: "Nothing".to_owned(), is_chosen: view.group.is_none() };
    let option = |by: Grouping, label: String| Choosable {
        value: by.to_string(),
        label,
        is_chosen: view.group.as_ref() == Some(&by),
    };
    let known = Grouping::ALL.into_iter().map(|(by, label)| option(by, label.to_owned()));
    let needed = view.needed_configs();
    let others = found.parameter_names.iter().filter(|name| !needed.contains(name));
    let configs = needed.iter().chain(others);
    let configs =
        configs.map(|name| option(Grouping::Config(name.clone()), format!("Config: {}", terminal::clean(name))));
    [none].into_iter().chain(known).chain(configs).collect()
}

/// In which orders the list may come: where the window is narrow, there are no heads to choose one by.
pub(super) fn sort_options(view: &View, found: &ListedRuns) -> Vec<Choosable> {
    let best = |column: &ResultColumn| {
        let is_descending = column.direction == Direction::Higher;
        let sort = Sort { field: SortField::Metric(column.name.clone()), is_descending };
        (sort.to_string(), format!("{}, best first", terminal::clean(&column.name)))
    };
    let lowest = |name: String| {
        let label = format!("{}, lowest first", terminal::clean(&name));
        (Sort { field: SortField::Config(name), is_descending: false }.to_string(), label)
    };
    let mut orders: Vec<(String, String)> =
        ORDERS.into_iter().map(|(sort, label)| (sort.to_owned(), label.to_owned())).collect();
    orders.extend(found.columns.iter().map(best));
    orders.extend(view.configs().into_iter().map(lowest));
    let current = if view.sort == Sort::default() { String::new() } else { view.sort.to_string() };
    if orders.iter().all(|(sort, _)| *sort != current) {
        orders.push((current.clone(), terminal::clean(&current)));
    }
    orders.into_iter().map(|(value, label)| Choosable { is_chosen: value == current, value, label }).collect()
}

/// What the form of the query keeps of the view.
pub(super) fn kept(view: &View) -> Vec<(&'static str, String)> {
    let columns = view.columns.iter().map(|column| ("col", column.clone()));
    columns.chain(view.group.iter().map(|group| ("group", group.to_string()))).collect()
}

/// The columns of results, and those of values of configs.
pub(super) fn columns(base: &str, view: &View, columns: &[ResultColumn]) -> Vec<Column> {
    let results = columns.iter().enumerate().map(|(position, column)| Column::new(base, view, position, column));
    let configs = (columns.len()..).zip(view.configs());
    results.chain(configs.map(|(position, name)| Column::of_config(base, view, position, name))).collect()
}

/// The columns of a page that are no results: that of the curves only where there are any, or nothing else is shown.
pub(super) fn record_columns(view: &View, found: &ListedRuns, has_curves: bool) -> Vec<&'static str> {
    let mut columns = view.record_columns();
    if !has_curves && (columns.len() > 1 || !found.columns.is_empty()) {
        columns.retain(|column| *column != CURVE);
    }
    columns
}

/// Where the rows of a page are asked for again, with the columns and the curves that it has now.
pub(super) fn rows_url(base: &str, view: &View, found: &ListedRuns, record_columns: &[&'static str]) -> String {
    let mut written = form_urlencoded::Serializer::new(String::new());
    if matches!(view.sort.field, SortField::Metric(_)) {
        written.append_pair("sort", &view.sort.to_string());
    }
    for column in &found.columns {
        written.append_pair("col", &result_column(&column.name));
    }
    for name in view.configs() {
        written.append_pair("col", &config_column(&name));
    }
    for column in record_columns {
        written.append_pair("col", column);
    }
    let ids: Vec<String> = found.rows.iter().map(|row| row.run.experiment_id().to_string()).collect();
    written.append_pair("ids", &ids.join(","));
    format!("{base}/runs/rows?{}", written.finish())
}

/// Where the strip above the list is, if two runs of this page have what it is drawn of.
pub(super) fn strip_url(base: &str, view: &View, found: &ListedRuns) -> Option<String> {
    let result = view.main_result(&found.columns)?;
    let is_finite = |value: &ListedValue| value.number.is_some_and(f64::is_finite);
    let has_it = |row: &&RunRow| match found.columns.iter().position(|column| column.name == result) {
        Some(place) => row.values.get(place).is_some_and(|value| value.as_ref().is_some_and(is_finite)),
        // What is sorted by and not shown is not known here.
        None => true,
    };
    found.rows.iter().filter(has_it).nth(1)?;
    let mut written = form_urlencoded::Serializer::new(String::new());
    if !view.q.is_empty() {
        written.append_pair("q", &view.q);
    }
    written.append_pair("result", result);
    Some(format!("{base}/runs/strip?{}", written.finish()))
}

/// A query that could not be understood, up to where it is wrong and from there on.
pub struct QueryFault {
    pub(super) message: String,
    pub(super) character: usize,
    pub(super) before: String,
    pub(super) rest: String,
}

impl QueryFault {
    pub(super) fn new(q: &str, fault: &QueryError) -> Self {
        let at = q.char_indices().nth(fault.character - 1).map_or(q.len(), |(at, _)| at);
        let (before, rest) = q.split_at(at);
        Self {
            message: terminal::clean(&fault.to_string()),
            character: fault.character,
            before: terminal::clean(before),
            rest: terminal::clean(rest),
        }
    }
}

/// A view that is kept under a name.
pub struct ViewLink {
    pub(super) href: String,
    pub(super) name: String,
    /// Who keeps it, where that is somebody else.
    pub(super) by: Option<String>,
    pub(super) is_shared: bool,
    pub(super) is_current: bool,
    /// Where it is removed, by who may.
    pub(super) delete_url: Option<String>,
}

impl ViewLink {
    pub(super) fn new(base: &str, current: &View, saved: &SavedView, member: &ProjectMember) -> Self {
        let view = View::read_text(&saved.parameters);
        let may_delete = saved.is_own || (saved.is_shared && member.role >= Role::Owner);
        Self {
            href: view.url(base),
            name: terminal::clean(&saved.name),
            by: (!saved.is_own).then(|| terminal::clean(&saved.created_by)),
            is_shared: saved.is_shared,
            is_current: view.parameters() == current.parameters(),
            delete_url: may_delete.then(|| format!("{base}/views/{}/delete", saved.id)),
        }
    }
}

/// What was done a moment ago, told by the address that its form led to.
pub(super) fn notice(parameters: &[(String, String)]) -> Option<String> {
    let (_, told) = parameters.iter().find(|(name, _)| name == "done")?;
    let (what, count) = told.split_once('.')?;
    let runs = format::counted(count.parse::<u16>().ok()?.into(), "run", "runs");
    match what {
        "tagged" => Some(format!("{runs} tagged.")),
        "deleted" => Some(format!("{runs} moved to the trash.")),
        "restored" => Some(format!("{runs} brought back.")),
        _ => None,
    }
}

/// Rows that stand together.
pub struct Group {
    /// What they have in common; `None`: rows don't stand together by anything.
    pub(super) head: Option<GroupHead>,
    pub(super) rows: Vec<Row>,
}

/// What rows have in common, and where all such runs are.
pub struct GroupHead {
    pub(super) label: String,
    pub(super) count: String,
    pub(super) href: String,
}

/// The rows of a page in groups, each where its first run stands.
pub(super) fn groups(
    base: &str,
    view: &View,
    query: &Query,
    columns: &[Column],
    curves: &Curves,
    rows: Vec<RunRow>,
    now: OffsetDateTime,
) -> Vec<Group> {
    let Some(by) = &view.group else {
        let rows = rows.into_iter().map(|row| Row::new(base, columns, curves, row, now)).collect::<Vec<_>>();
        return if rows.is_empty() { Vec::new() } else { vec![Group { head: None, rows }] };
    };
    let mut groups: Vec<(String, Expr, Vec<Row>)> = Vec::new();
    for row in rows {
        let (label, expr) = common(by, &row);
        let row = Row::new(base, columns, curves, row, now);
        match groups.iter_mut().find(|(known, _, _)| *known == label) {
            Some((_, _, rows)) => rows.push(row),
            None => groups.push((label, expr, vec![row])),
        }
    }
    let group = |(label, expr, rows): (String, Expr, Vec<Row>)| {
        let count = format!("{} on this page", rows.len());
        let href = View { group: None, ..view.asking(address::with(query, expr)) }.url(base);
        Group { head: Some(GroupHead { label: terminal::clean(&label), count, href }), rows }
    };
    groups.into_iter().map(group).collect()
}

/// What a run has in common with others, and the condition that asks for all of them.
fn common(by: &Grouping, row: &RunRow) -> (String, Expr) {
    let without =
        |what: &str, presence| (format!("No {what}"), Expr::Not(Box::new(address::is(Clause::Has(presence)))));
    match by {
        Grouping::Status => (row.run.status.as_str().replace('_', " "), address::is(Clause::Status(row.run.status))),
        Grouping::Tag => match row.run.tags.first() {
            Some(tag) => (tag.clone(), address::is(Clause::Tag(tag.clone()))),
            None => without("tag", Presence::Tag),
        },
        Grouping::Parent => match row.run.parent_number.map(ExperimentId::new) {
            Some(parent) => (format!("From {parent}"), address::is(Clause::Parent(parent))),
            None => without("parent", Presence::Parent),
        },
        Grouping::Branch => match &row.git_branch {
            Some(branch) => (branch.clone(), address::is(Clause::Branch(branch.clone()))),
            None => without("branch", Presence::Branch),
        },
        Grouping::Config(name) => match row.parameters.get(name) {
            Some(parameter) => {
                let (value, test) = said_by(parameter);
                (format!("{name}: {value}"), address::is(Clause::Config(name.clone(), test)))
            }
            None => without(name, Presence::Config(name.clone())),
        },
    }
}

/// A value of a config, a number always written the same way, and what holds for all that have it.
fn said_by(parameter: &Parameter) -> (String, ConfigTest) {
    match parameter.number {
        Some(number) => {
            let span = Span { from: Bound::Included(number), to: Bound::Included(number) };
            (number.to_string(), ConfigTest::Within(span))
        }
        None => (parameter.value.clone(), ConfigTest::Text(parameter.value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::query::parse;

    #[test]
    fn a_fault_points_at_its_character() {
        let pointed = |q: &str| {
            let fault = QueryFault::new(q, &parse(q).unwrap_err());
            (fault.before, fault.rest)
        };
        assert_eq!(pointed("größe stauts:failed"), ("größe ".to_owned(), "stauts:failed".to_owned()));
        assert_eq!(pointed("a AND"), ("a AND".to_owned(), String::new()));
    }

    #[test]
    fn what_was_done_is_told_and_nothing_else() {
        let told = |done: &str| notice(&[("done".to_owned(), done.to_owned())]);
        assert_eq!(told("deleted.1").unwrap(), "1 run moved to the trash.");
        assert_eq!(told("tagged.12").unwrap(), "12 runs tagged.");
        for nonsense in ["", "deleted", "deleted.-1", "sold.3", "deleted.x"] {
            assert_eq!(told(nonsense), None, "{nonsense}");
        }
    }
}
