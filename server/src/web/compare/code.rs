//! The code of two runs, as far as it is kept here: commits by their names, and the files that were sent.

use otrace_history::compare::{Comparison, FieldChange, FileChange};
use otrace_wire::ExperimentId;

use super::asked::Asked;
use crate::services::comparison::{Column, Compared};
use crate::web::diff;
use crate::web::diff::view::{DiffView, LineView};
use crate::web::shell::Choice;
use crate::web::terminal;

/// So much of a file's difference is shown, in bytes.
const DIFF_BYTES: usize = 128 * 1024;
/// So much of all of them.
const DIFFS_BYTES: usize = 512 * 1024;
/// So many files are listed.
const FILES_MAX: usize = 200;
/// So many of them are open from the start.
const OPEN_FILES: usize = 4;

/// What can be chosen, and what differs between the two that were.
pub(super) struct CodeView {
    pub(super) before: Vec<Choice>,
    pub(super) after: Vec<Choice>,
    pub(super) told: Option<Told>,
    /// Whether before and after stand side by side, and where they do and do not.
    pub(super) is_split: bool,
    pub(super) split_url: String,
    pub(super) unified_url: String,
}

/// What differs between two runs.
pub(super) struct Told {
    /// `exp001 to exp004`
    pub(super) pair: String,
    pub(super) facts: Vec<Fact>,
    /// `git diff 9f3c2e1 61f08bd`, where both commits are known and differ.
    pub(super) command: Option<String>,
    pub(super) files: Vec<ChangedFile>,
    /// How many files are not listed.
    pub(super) more: usize,
}

/// Commit, branch or repository.
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// A file that differs.
pub(super) struct ChangedFile {
    pub(super) path: String,
    /// `config`, `dependencies` or nothing.
    pub(super) kind: &'static str,
    /// Why its lines are not shown, or not all of them.
    pub(super) note: Option<&'static str>,
    pub(super) is_open: bool,
    pub(super) added: usize,
    pub(super) removed: usize,
    pub(super) view: DiffView,
}

/// The two runs whose code is shown: those that were asked for; without any, the two that there are.
pub(super) fn pair(found: &Compared, asked: &Asked) -> Option<[ExperimentId; 2]> {
    let runs = runs(found);
    let is_there = |run: &ExperimentId| runs.contains(run);
    match (asked.code.as_slice(), runs.as_slice()) {
        ([before, after], _) if is_there(before) && is_there(after) && before != after => Some([*before, *after]),
        ([], [before, after]) if Some(*after) == base(found) => Some([*after, *before]),
        ([], [before, after]) => Some([*before, *after]),
        _ => None,
    }
}

fn runs(found: &Compared) -> Vec<ExperimentId> {
    found.columns.iter().filter(|column| column.run().is_some()).map(Column::experiment).collect()
}

fn base(found: &Compared) -> Option<ExperimentId> {
    found.baseline.map(|place| found.columns[place].experiment())
}

impl CodeView {
    /// `path` is where runs are compared.
    pub(super) fn new(
        found: &Compared,
        pair: Option<[ExperimentId; 2]>,
        compared: Option<&Comparison>,
        asked: &Asked,
        path: &str,
    ) -> Self {
        let runs = runs(found);
        let before = pair.map(|pair| pair[0]).or_else(|| base(found));
        let other = || runs.iter().copied().find(|run| Some(*run) != before);
        let after = pair.map(|pair| pair[1]).or_else(other);
        let choices = |chosen: Option<ExperimentId>| {
            let choice = |run: &ExperimentId| Choice {
                value: run.to_string(),
                label: run.to_string(),
                is_chosen: Some(*run) == chosen,
            };
            runs.iter().map(choice).collect()
        };
        let told = pair.zip(compared).map(|(pair, compared)| Told::new(pair, compared, asked.is_split));
        let url = |is_split: bool| format!("{}#h-code", Asked { is_split, ..asked.clone() }.url(path));
        Self {
            before: choices(before),
            after: choices(after),
            told,
            is_split: asked.is_split,
            split_url: url(true),
            unified_url: url(false),
        }
    }
}

impl Told {
    fn new([before, after]: [ExperimentId; 2], compared: &Comparison, is_split: bool) -> Self {
        let kinds = [("config", &compared.configs), ("", &compared.patches), ("dependencies", &compared.dependencies)];
        let all = kinds.into_iter().flat_map(|(kind, changes)| changes.iter().map(move |change| (kind, change)));
        let count = kinds.iter().map(|(_, changes)| changes.len()).sum::<usize>();
        let mut room = DIFFS_BYTES;
        let file = |(place, (kind, change)): (usize, (&'static str, &FileChange))| ChangedFile {
            is_open: place < OPEN_FILES && change.diff.is_some(),
            ..ChangedFile::new(kind, change, &mut room, is_split)
        };
        let files = all.take(FILES_MAX).enumerate().map(file).collect();
        Self {
            pair: format!("{before} to {after}"),
            facts: compared.code.iter().map(Fact::new).collect(),
            command: git_diff(&compared.code),
            files,
            more: count.saturating_sub(FILES_MAX),
        }
    }
}

/// How to see what differs between two commits; they are in the repository, not here.
fn git_diff(code: &[FieldChange]) -> Option<String> {
    let commits = code.iter().find(|field| field.name == "commit")?;
    let (before, after) = (commits.before.as_deref()?, commits.after.as_deref()?);
    let is_commit = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_commit(before) && is_commit(after)).then(|| format!("git diff {before} {after}"))
}

impl Fact {
    fn new(change: &FieldChange) -> Self {
        let text = |text: &Option<String>| text.as_deref().map_or_else(|| "none".to_owned(), terminal::clean);
        Self { name: change.name.clone(), before: text(&change.before), after: text(&change.after) }
    }
}

impl ChangedFile {
    /// A file that is closed.
    fn new(kind: &'static str, change: &FileChange, room: &mut usize, is_split: bool) -> Self {
        let path = terminal::clean(&change.path);
        let Some(whole) = &change.diff else {
            let note = Some("It is no text, too long, or not kept here.");
            return Self { path, kind, note, is_open: false, added: 0, removed: 0, view: DiffView::default() };
        };
        let shown = beginning(whole, DIFF_BYTES.min(*room));
        *room -= shown.len();
        let note = (shown.len() < whole.len()).then_some("Only the beginning is shown.");
        // It is of one file; where that is a patch, its own heads are lines like others.
        let change = diff::parse(shown).into_iter().next().unwrap_or_default();
        let view = DiffView::new(change.lines.iter().map(LineView::marked).collect(), is_split);
        Self { path, kind, note, is_open: false, added: change.added, removed: change.removed, view }
    }
}

/// The first whole lines of a text, so many bytes at most.
fn beginning(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = text.as_bytes()[..bytes].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_difference_ends_with_a_whole_line() {
        assert_eq!(beginning("one\ntwo\n", 8), "one\ntwo\n");
        assert_eq!(beginning("one\ntwo\n", 7), "one\n");
        assert_eq!(beginning("é\né", 1), "");
    }

    #[test]
    fn only_commits_are_put_into_a_command() {
        let change = |before: &str| {
            let (before, after) = (Some(before.to_owned()), Some("61f08bd".to_owned()));
            [FieldChange { name: "commit".to_owned(), before, after }]
        };
        assert_eq!(git_diff(&change("9f3c2e1")).unwrap(), "git diff 9f3c2e1 61f08bd");
        assert_eq!(git_diff(&change("--output=/etc/passwd")), None);
    }
}
