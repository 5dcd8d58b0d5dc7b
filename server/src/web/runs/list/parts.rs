//! The parts around the rows of a list: what it can be narrowed to, what can be chosen, and how rows stand together.

use otrace_wire::{ExperimentId, RunStatus};
use time::OffsetDateTime;
use url::form_urlencoded;

use super::address::{self, Group as Grouping, RECORD_COLUMNS, View, result_column};
use super::counted;
use super::row::{Column, Row};
use crate::auth::ProjectMember;
use crate::domain::Role;
use crate::domain::query::{Clause, Expr, Presence, Query, QueryError};
use crate::services::runs::{ListedRuns, ResultColumn, RunRow, StatusCounts};
use crate::services::saved_views::SavedView;
use crate::web::format;
use crate::web::terminal;

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

/// The columns that are no results.
pub(super) fn record_options(shown: &[&'static str]) -> Vec<Choosable> {
    let option = |(name, label): (&'static str, &str)| Choosable {
        value: name.to_owned(),
        label: label.to_owned(),
        is_chosen: shown.contains(&name),
    };
    RECORD_COLUMNS.into_iter().map(option).collect()
}

/// By what rows may stand together.
pub(super) fn grouping_options(view: &View) -> Vec<Choosable> {
    let none = Choosable { value: String::new(), label: "Nothing".to_owned(), is_chosen: view.group.is_none() };
    let option = |(by, label): (Grouping, &str)| Choosable {
        value: by.as_str().to_owned(),
        label: label.to_owned(),
        is_chosen: view.group == Some(by),
    };
    [none].into_iter().chain(Grouping::ALL.map(option)).collect()
}

/// What the form of the query keeps of the view.
pub(super) fn kept(view: &View) -> Vec<(&'static str, String)> {
    let columns = view.columns.iter().map(|column| ("col", column.clone()));
    columns.chain(view.group.map(|group| ("group", group.as_str().to_owned()))).collect()
}

/// The columns of results.
pub(super) fn columns(base: &str, view: &View, columns: &[ResultColumn]) -> Vec<Column> {
    columns.iter().enumerate().map(|(position, column)| Column::new(base, view, position, column)).collect()
}

/// Where the rows of a page are asked for again, with the columns that it has now.
pub(super) fn rows_url(base: &str, found: &ListedRuns, record_columns: &[&'static str]) -> String {
    let mut written = form_urlencoded::Serializer::new(String::new());
    for column in &found.columns {
        written.append_pair("col", &result_column(&column.name));
    }
    for column in record_columns {
        written.append_pair("col", column);
    }
    let ids: Vec<String> = found.rows.iter().map(|row| row.run.experiment_id().to_string()).collect();
    written.append_pair("ids", &ids.join(","));
    format!("{base}/runs/rows?{}", written.finish())
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
    rows: Vec<RunRow>,
    now: OffsetDateTime,
) -> Vec<Group> {
    let Some(by) = view.group else {
        let rows = rows.into_iter().map(|row| Row::new(base, columns, row, now)).collect::<Vec<_>>();
        return if rows.is_empty() { Vec::new() } else { vec![Group { head: None, rows }] };
    };
    let mut groups: Vec<(String, Expr, Vec<Row>)> = Vec::new();
    for row in rows {
        let (label, expr) = common(by, &row);
        let row = Row::new(base, columns, row, now);
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
fn common(by: Grouping, row: &RunRow) -> (String, Expr) {
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
