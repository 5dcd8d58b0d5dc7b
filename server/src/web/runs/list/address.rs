//! What a list shows, as it stands in its address: the query, the order, the columns, the grouping and the place.
//!
//! What can't be read is not asked for. A saved view is such an address without its place.

use std::fmt;

use otrace_wire::RunStatus;
use url::form_urlencoded;

use crate::domain::query::{CONFIG_PREFIX, Clause, Expr, Place, Query, RESULT_PREFIX, Sort, SortField};
use crate::domain::text::NAME_MAX_BYTES;
use crate::services::runs::{ResultColumn, Window};

/// The column of the curves, which is there where any run has one.
pub(super) const CURVE: &str = "curve";
/// Columns that are no results, in their order, and what they are called.
pub const RECORD_COLUMNS: [(&str, &str); 6] = [
    (CURVE, "Curve"),
    ("tags", "Tags"),
    ("author", "By"),
    ("commit", "Commit"),
    ("duration", "Duration"),
    ("created", "Started"),
];
/// So many columns of results and of values of configs are shown at most.
const VALUES_MAX: usize = 12;

/// By what the rows of a page stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// By status.
    Status,
    /// By first tag.
    Tag,
    /// By the run that they go on from.
    Parent,
    /// By branch.
    Branch,
    /// By the value of this name in their configs.
    Config(String),
}

impl Group {
    /// Each that needs no name, with what it is called.
    pub(super) const ALL: [(Self, &'static str); 4] =
        [(Self::Status, "Status"), (Self::Tag, "First tag"), (Self::Parent, "Parent"), (Self::Branch, "Branch")];

    /// The one that is written so in an address.
    fn named(name: &str) -> Option<Self> {
        let config = name.strip_prefix(CONFIG_PREFIX).filter(|name| is_name(name));
        let known = || Self::ALL.into_iter().map(|(by, _)| by).find(|by| by.to_string() == name);
        config.map(|name| Self::Config(name.to_owned())).or_else(known)
    }
}

/// As it is written in an address.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Tag => f.write_str("tag"),
            Self::Parent => f.write_str("parent"),
            Self::Branch => f.write_str("branch"),
            Self::Config(name) => write!(f, "{CONFIG_PREFIX}{name}"),
        }
    }
}

/// What a list shows, wherever in it a page begins.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The query as it was written.
    pub q: String,
    /// In which order.
    pub sort: Sort,
    /// The columns that were chosen; none: the usual ones.
    pub columns: Vec<String>,
    /// The usual ones, as the project's owners have settled; none: those of most runs. No part of the address.
    pub usual: Vec<String>,
    /// By what rows stand together.
    pub group: Option<Group>,
}

impl View {
    /// Reads the parameters of an address.
    pub fn read(parameters: &[(String, String)]) -> Self {
        let value = |wanted: &str| {
            let found = parameters.iter().rev().find(|(name, value)| name == wanted && !value.is_empty());
            found.map(|(_, value)| value.as_str())
        };
        let status = value("status").and_then(|status| status.parse::<RunStatus>().ok());
        let mut q = value("q").unwrap_or_default().to_owned();
        if let Some(status) = status {
            // As links to a status were written once.
            q = if q.is_empty() { format!("status:{status}") } else { format!("({q}) status:{status}") };
        }
        let mut columns: Vec<String> = Vec::new();
        for (_, column) in parameters.iter().filter(|(name, _)| name == "col") {
            if !columns.contains(column) && is_column(column) {
                columns.push(column.clone());
            }
        }
        let mut values = 0;
        columns.retain(|column| {
            let is_value = [RESULT_PREFIX, CONFIG_PREFIX].iter().any(|prefix| column.starts_with(prefix));
            values += usize::from(is_value);
            !is_value || values <= VALUES_MAX
        });
        Self {
            q,
            sort: value("sort").and_then(|sort| sort.parse().ok()).unwrap_or_default(),
            columns,
            usual: Vec::new(),
            group: value("group").and_then(Group::named),
        }
    }

    /// Reads the text of an address.
    pub fn read_text(text: &str) -> Self {
        Self::read(&form_urlencoded::parse(text.as_bytes()).into_owned().collect::<Vec<_>>())
    }

    /// The parameters, always written the same way; empty: the list as it is at first.
    pub fn parameters(&self) -> String {
        self.pairs(None)
    }

    /// Where this list is.
    pub fn url(&self, base: &str) -> String {
        joined(base, "runs", &self.parameters())
    }

    /// Where this list is as a file.
    pub(super) fn file_url(&self, base: &str, ending: &str) -> String {
        joined(base, &format!("runs.{ending}"), &self.parameters())
    }

    /// The page of this list before or after a place.
    pub(super) fn page_url(&self, base: &str, from: &'static str, place: &Place) -> String {
        joined(base, "runs", &self.pairs(Some((from, place.to_cursor(&self.sort)))))
    }

    fn pairs(&self, from: Option<(&'static str, String)>) -> String {
        let mut written = form_urlencoded::Serializer::new(String::new());
        if !self.q.is_empty() {
            written.append_pair("q", &self.q);
        }
        if self.sort != Sort::default() {
            written.append_pair("sort", &self.sort.to_string());
        }
        for column in &self.columns {
            written.append_pair("col", column);
        }
        if let Some(group) = &self.group {
            written.append_pair("group", &group.to_string());
        }
        if let Some((name, cursor)) = from {
            written.append_pair(name, &cursor);
        }
        written.finish()
    }

    /// The same list of what another query asks for.
    pub(super) fn asking(&self, q: impl Into<String>) -> Self {
        Self { q: q.into(), ..self.clone() }
    }

    /// The same list in another order.
    pub(super) fn sorted(&self, sort: Sort) -> Self {
        Self { sort, ..self.clone() }
    }

    /// The columns that were chosen, else the usual ones.
    fn shown_columns(&self) -> &[String] {
        if self.columns.is_empty() { &self.usual } else { &self.columns }
    }

    /// The names of the results that were chosen; `None`: no column was chosen.
    pub(super) fn results(&self) -> Option<Vec<String>> {
        let columns = self.shown_columns();
        let results = columns.iter().filter_map(|column| column.strip_prefix(RESULT_PREFIX));
        (!columns.is_empty()).then(|| results.map(str::to_owned).collect())
    }

    /// The result that the list is about: what it is sorted by, else the first one that it shows.
    pub(super) fn main_result<'a>(&'a self, shown: &'a [ResultColumn]) -> Option<&'a str> {
        match &self.sort.field {
            SortField::Metric(name) => Some(name.as_str()),
            _ => shown.first().map(|column| column.name.as_str()),
        }
    }

    /// The names of the values of configs that are shown.
    pub(super) fn configs(&self) -> Vec<String> {
        let names = self.shown_columns().iter().filter_map(|column| column.strip_prefix(CONFIG_PREFIX));
        names.map(str::to_owned).collect()
    }

    /// The same, and the one that rows stand together by.
    pub(super) fn needed_configs(&self) -> Vec<String> {
        let mut names = self.configs();
        if let Some(Group::Config(name)) = &self.group
            && !names.contains(name)
        {
            names.push(name.clone());
        }
        names
    }

    /// The columns that are shown and are neither results nor values of configs.
    pub(super) fn record_columns(&self) -> Vec<&'static str> {
        let columns = self.shown_columns();
        let is_shown = |name: &str| columns.is_empty() || columns.iter().any(|column| column == name);
        RECORD_COLUMNS.into_iter().map(|(name, _)| name).filter(|name| is_shown(name)).collect()
    }
}

/// A result's name as a column.
pub fn result_column(name: &str) -> String {
    format!("{RESULT_PREFIX}{name}")
}

/// The name of a value of a config as a column.
pub(super) fn config_column(name: &str) -> String {
    format!("{CONFIG_PREFIX}{name}")
}

fn is_column(column: &str) -> bool {
    let is_value = [RESULT_PREFIX, CONFIG_PREFIX].iter().any(|prefix| column.strip_prefix(prefix).is_some_and(is_name));
    is_value || RECORD_COLUMNS.iter().any(|(name, _)| *name == column)
}

fn is_name(name: &str) -> bool {
    (1..=NAME_MAX_BYTES).contains(&name.len()) && !name.contains('\0')
}

fn joined(base: &str, path: &str, parameters: &str) -> String {
    if parameters.is_empty() { format!("{base}/{path}") } else { format!("{base}/{path}?{parameters}") }
}

/// From where on a page is read.
pub(super) fn window(parameters: &[(String, String)], sort: &Sort) -> Window {
    let place = |wanted: &str| {
        let (_, cursor) = parameters.iter().rev().find(|(name, _)| name == wanted)?;
        Place::from_cursor(cursor, sort).ok()
    };
    match (place("after"), place("before")) {
        (Some(after), _) => Window::After(after),
        (None, Some(before)) => Window::Before(before),
        (None, None) => Window::Start,
    }
}

/// The conditions of a query that all hold.
pub(super) fn conditions(query: &Query) -> &[Expr] {
    match &query.expr {
        None => &[],
        Some(Expr::All(all)) => all,
        Some(only) => std::slice::from_ref(only),
    }
}

/// The query without one of its conditions, as text.
pub(super) fn without(query: &Query, position: usize) -> String {
    let others = conditions(query).iter().enumerate().filter(|(index, _)| *index != position);
    others.fold(Query::default(), |query, (_, expr)| query.and(expr.clone())).to_string()
}

/// The query with one more condition, as text.
pub(super) fn with(query: &Query, expr: Expr) -> String {
    query.clone().and(expr).to_string()
}

/// A condition that holds by itself.
pub(super) fn is(clause: Clause) -> Expr {
    Expr::Is(clause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::query::parse;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let text = "q=tag%3Abaseline&sort=-metrics.val+loss&col=metrics.val+loss&col=tags&group=branch";
        let view = View::read_text(text);
        assert_eq!(view.parameters(), text);
        assert_eq!(view.url("/projects/a"), format!("/projects/a/runs?{text}"));
        assert_eq!(view.results().unwrap(), ["val loss"]);
        assert_eq!(view.record_columns(), ["tags"]);
    }

    #[test]
    fn values_of_configs_are_columns_and_groups() {
        let text = "col=config.lr&col=metrics.lr&group=config.optimizer.name";
        let view = View::read_text(text);
        assert_eq!(view.parameters(), text);
        assert_eq!((view.configs(), view.results().unwrap()), (vec!["lr".to_owned()], vec!["lr".to_owned()]));
        assert_eq!(view.needed_configs(), ["lr", "optimizer.name"]);
        assert_eq!(view.record_columns(), [""; 0]);
        assert_eq!(View::read_text("col=config.&group=config.").parameters(), "");
    }

    #[test]
    fn what_can_not_be_read_is_not_asked_for() {
        let view = View::read_text("sort=nonsense&col=host&col=metrics.&col=metrics.a%00&group=x&status=done&q=");
        assert_eq!(view.url("/projects/a"), "/projects/a/runs");
        assert_eq!(view.results(), None);
        assert_eq!(view.record_columns().len(), RECORD_COLUMNS.len());
        assert_eq!(View::read_text("status=failed").q, "status:failed");
        assert_eq!(View::read_text("status=failed&q=a+OR+b").q, "(a OR b) status:failed");
    }

    #[test]
    fn a_condition_is_taken_out_and_put_in() {
        let query = parse("tag:a (b OR c) NOT d").unwrap();
        assert_eq!(without(&query, 1), "tag:a NOT d");
        assert_eq!(without(&parse("tag:a").unwrap(), 0), "");
        assert_eq!(with(&query, is(Clause::Tag("e".to_owned()))), "tag:a (b OR c) NOT d tag:e");
        assert_eq!(with(&parse("b OR c").unwrap(), is(Clause::Tag("e".to_owned()))), "(b OR c) tag:e");
    }
}
