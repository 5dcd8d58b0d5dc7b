//! The answers of several comparisons with one baseline, side by side. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use otrace_history::compare::{Comparison, FieldChange, FileChange};

use super::Column;
use crate::domain::RunResult;
use crate::domain::result::{Direction, Directions};

/// So many characters of a file's hash stand for it.
const HASH_CHARS: usize = 12;

/// What the rows of a section are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// The values in the configs.
    Parameters,
    /// The command, and how it was set up.
    Command,
    /// Commit, branch and what was not committed.
    Code,
    /// Packages, and the files that ask for them.
    Dependencies,
    /// The machine, and the Python on it.
    Environment,
}

/// Values of one kind.
#[derive(Debug)]
pub struct Section {
    /// What they are.
    pub kind: SectionKind,
    /// A value each.
    pub rows: Vec<ValueRow>,
}

/// What each run has of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueRow {
    /// What it is.
    pub name: String,
    /// What each column has; `None`: it has none, or its run was deleted.
    pub values: Vec<Option<String>>,
    /// Whether any run has another value than the baseline.
    pub differs: bool,
}

/// What each run has of a result.
#[derive(Debug)]
pub struct ResultRow {
    /// Its name.
    pub name: String,
    /// Which way it gets better.
    pub direction: Direction,
    /// What each column has, the first where it has several.
    pub values: Vec<Option<RunResult>>,
    /// The best of them, where at least two runs have one to compare.
    pub best: Option<f64>,
    /// Whether the runs that are there have different ones.
    pub differs: bool,
}

/// One side of a run's parameters: the files, and what is in each.
type Parameters = BTreeMap<String, BTreeMap<String, String>>;

/// What is put side by side: the columns of runs that are there, the baseline's own values, and what differs from them.
struct Sides<'a> {
    columns: &'a [Column],
    baseline: usize,
    own: &'a Comparison,
    changes: &'a [(usize, Comparison)],
}

/// All sections that have any row.
pub(super) fn sections(
    columns: &[Column],
    baseline: usize,
    own: &Comparison,
    changes: &[(usize, Comparison)],
    parameters: &[Parameters],
) -> Vec<Section> {
    let sides = Sides { columns, baseline, own, changes };
    let mut configs = sides.parameters(parameters);
    // A config that could be read says more by its values than by its hash.
    let is_read = |path: &str| parameters.iter().any(|files| files.contains_key(path));
    let others = sides.rows(|told| files(&told.configs));
    configs.extend(others.into_iter().filter(|row| !is_read(&row.name)));
    let command = sides.rows(|told| {
        let shown = told.run.iter().filter(|field| !["intent", "status"].contains(&field.name.as_str()));
        shown.cloned().collect()
    });
    let code = sides.rows(|told| [told.code.clone(), files(&told.patches)].concat());
    let dependencies = sides.rows(|told| [files(&told.dependencies), told.packages.clone()].concat());
    let environment = sides.rows(|told| told.environment.clone());
    let all = [
        (SectionKind::Parameters, configs),
        (SectionKind::Command, command),
        (SectionKind::Code, code),
        (SectionKind::Dependencies, dependencies),
        (SectionKind::Environment, environment),
    ];
    let all = all.into_iter().filter(|(_, rows)| !rows.is_empty());
    all.map(|(kind, rows)| Section { kind, rows }).collect()
}

impl Sides<'_> {
    /// A row for each name that any of the comparisons tells of, the baseline's own first.
    fn rows(&self, fields: impl Fn(&Comparison) -> Vec<FieldChange>) -> Vec<ValueRow> {
        let mut rows: Vec<ValueRow> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for field in fields(self.own) {
            places.insert(field.name.clone(), rows.len());
            rows.push(self.row(field.name, field.after.as_ref()));
        }
        for (column, told) in self.changes {
            for field in fields(told) {
                let place = *places.entry(field.name.clone()).or_insert_with(|| {
                    rows.push(self.row(field.name, field.before.as_ref()));
                    rows.len() - 1
                });
                rows[place].values[*column] = field.after;
                rows[place].differs = true;
            }
        }
        rows
    }

    /// A row in which all runs have the same.
    fn row(&self, name: String, value: Option<&String>) -> ValueRow {
        let values = self.columns.iter().map(|column| column.run().and(value).cloned()).collect();
        ValueRow { name, values, differs: false }
    }

    /// The parameters of all runs; a run with several configs has their paths before the names.
    fn parameters(&self, parameters: &[Parameters]) -> Vec<ValueRow> {
        let has_many = parameters.iter().any(|files| files.len() > 1);
        let name_of = |path: &str, name: &str| if has_many { format!("{path}: {name}") } else { name.to_owned() };
        let flat: Vec<BTreeMap<String, &String>> = parameters
            .iter()
            .map(|files| {
                let all = files.iter().flat_map(|(path, values)| values.iter().map(move |value| (path, value)));
                all.map(|(path, (name, value))| (name_of(path, name), value)).collect()
            })
            .collect();
        let names: BTreeSet<&String> = flat.iter().flat_map(BTreeMap::keys).collect();
        let row = |name: &String| {
            let values: Vec<Option<String>> = flat.iter().map(|values| values.get(name).copied().cloned()).collect();
            let is_other =
                |(column, value): (&Column, &Option<String>)| column.run().is_some() && *value != values[self.baseline];
            let differs = self.columns.iter().zip(&values).any(is_other);
            ValueRow { name: name.clone(), values, differs }
        };
        names.into_iter().map(row).collect()
    }
}

/// Files by the beginnings of their hashes.
fn files(changes: &[FileChange]) -> Vec<FieldChange> {
    let short = |hash: &String| hash.trim_start_matches("sha256:").chars().take(HASH_CHARS).collect();
    let field = |change: &FileChange| FieldChange {
        name: change.path.clone(),
        before: change.before.as_ref().map(short),
        after: change.after.as_ref().map(short),
    };
    changes.iter().map(field).collect()
}

/// All results of the runs, in the order in which the runs tell them.
pub(super) fn results(columns: &[Column], directions: &Directions) -> Vec<ResultRow> {
    let mut rows: Vec<ResultRow> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (at, run) in columns.iter().enumerate().filter_map(|(at, column)| Some((at, column.run()?))) {
        for result in &run.results {
            let place = *places.entry(result.name.as_str()).or_insert_with(|| {
                let values = vec![None; columns.len()];
                let direction = directions.of(&result.name);
                rows.push(ResultRow { name: result.name.clone(), direction, values, best: None, differs: false });
                rows.len() - 1
            });
            rows[place].values[at].get_or_insert_with(|| result.clone());
        }
    }
    for row in &mut rows {
        row.best = best(row);
        let there = columns.iter().zip(&row.values).filter(|(column, _)| column.run().is_some());
        let mut values = there.map(|(_, result)| result.as_ref().map(|result| &result.value));
        let first = values.next();
        row.differs = values.any(|value| Some(value) != first);
    }
    rows
}

/// The best value, where at least two runs have different ones.
fn best(row: &ResultRow) -> Option<f64> {
    let numbers = row.values.iter().flatten().filter_map(|result| result.number);
    let finite: Vec<f64> = numbers.filter(|number| number.is_finite()).collect();
    let lowest = finite.iter().copied().reduce(f64::min)?;
    let highest = finite.iter().copied().reduce(f64::max)?;
    let best = if row.direction == Direction::Higher { highest } else { lowest };
    (lowest < highest).then_some(best)
}
