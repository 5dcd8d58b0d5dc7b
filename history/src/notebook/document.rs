//! A notebook as it is written, one run after the other.

use std::fmt::Write as _;

use otrace_wire::details::HowWell;
use serde_json::Value;

use super::{Code, Entry, Kept, Measured, MetricsState, Mode, Remark, Rows};
use crate::markdown::{code, code_cell, fenced, inline, quoted};
use crate::{human, text};

/// So many results of a run are in the Markdown; the JSON has all of them.
const RESULTS_SHOWN: usize = 100;
/// The same of files.
const ARTIFACTS_SHOWN: usize = 100;
/// So many columns of a table are named.
const COLUMNS_SHOWN: usize = 20;

/// A notebook that is being written: [`begin`](Self::begin), each [`entry`](Self::entry), and [`end`](Self::end) give
/// the pieces of it.
#[derive(Debug)]
pub struct Document {
    head: Head,
    is_json: bool,
    entries: usize,
}

/// What stands above the runs.
#[derive(Debug)]
struct Head {
    project: String,
    mode: Mode,
    active: Option<String>,
}

impl Document {
    /// One in Markdown. `active` is what the run is called that a branch is of.
    pub fn markdown(project: &str, mode: Mode, active: Option<&str>) -> Self {
        Self { head: Head::new(project, mode, active), is_json: false, entries: 0 }
    }

    /// One in JSON.
    pub fn json(project: &str, mode: Mode, active: Option<&str>) -> Self {
        Self { is_json: true, ..Self::markdown(project, mode, active) }
    }

    /// What it begins with.
    pub fn opening(&self) -> String {
        if self.is_json { self.head.json() } else { self.head.markdown() }
    }

    /// The next run.
    pub fn entry(&mut self, entry: &Entry) -> String {
        self.entries += 1;
        if !self.is_json {
            return markdown(entry);
        }
        let comma = if self.entries == 1 { "" } else { "," };
        // What it is made of can be written: texts, and numbers that are finite or become null.
        let json = serde_json::to_string(entry).map(text::json).unwrap_or_default();
        format!("{comma}\n    {json}")
    }

    /// What it ends with.
    pub fn end(&self) -> String {
        match (self.is_json, self.entries, self.head.mode) {
            (true, 0, _) => "]\n}\n".to_owned(),
            (true, ..) => "\n  ]\n}\n".to_owned(),
            (false, 0, Mode::Chronological) => "\nThe project has no runs yet.\n".to_owned(),
            (false, 0, Mode::Branch) => "\nThere is no active experiment, so that there is no branch.\n".to_owned(),
            (false, 0, Mode::Insights) => "\nNobody has noted an `#insight` yet.\n".to_owned(),
            (false, entries, _) => format!("\n---\n\n{}.\n", human::counted(entries, "experiment")),
        }
    }
}

impl Head {
    fn new(project: &str, mode: Mode, active: Option<&str>) -> Self {
        Self { project: project.to_owned(), mode, active: active.map(str::to_owned) }
    }

    fn markdown(&self) -> String {
        let what = match (self.mode, &self.active) {
            (Mode::Chronological, _) => "All experiments, the oldest first.".to_owned(),
            (Mode::Branch, Some(active)) => {
                format!("{}, the experiments that it goes on from, and those that go on from it.", inline(active))
            }
            (Mode::Branch, None) => "The branch of the active experiment.".to_owned(),
            (Mode::Insights, _) => "The experiments with an `#insight`, the oldest first.".to_owned(),
        };
        format!("# Notebook: {}\n\n{what}\n", inline(&self.project))
    }

    fn json(&self) -> String {
        let value = |text: &str| text::json(Value::from(text).to_string());
        let active = self.active.as_deref().map(|active| format!("  \"active\": {},\n", value(active)));
        let (project, mode) = (value(&self.project), value(self.mode.as_str()));
        let active = active.unwrap_or_default();
        format!("{{\n  \"project\": {project},\n  \"mode\": {mode},\n{active}  \"entries\": [")
    }
}

/// A run as a section of its own.
fn markdown(entry: &Entry) -> String {
    let title = entry.title.as_deref().map(|title| format!(" · {}", inline(title))).unwrap_or_default();
    let mut text = format!("\n## {}{title}\n\n{}", entry.name, facts(entry));
    push_quoted(&mut text, "Why", &entry.intent);
    push_quoted(&mut text, "Setup", &entry.setup);
    if !entry.command.is_empty() {
        let _ = write!(text, "\n**Command**\n\n{}", fenced("sh", &entry.command));
    }
    push_remarks(&mut text, "Learned", &entry.insights);
    push_metrics(&mut text, entry);
    push_artifacts(&mut text, entry);
    if let Some(state) = &entry.code {
        push_code(&mut text, state);
    }
    push_remarks(&mut text, "Notes", &entry.notes);
    text
}

/// State, times, parent and tags, on one line.
fn facts(entry: &Entry) -> String {
    let mut facts = vec![format!("**{}**", inline(&entry.state))];
    if let Some(seconds) = entry.duration_seconds {
        facts.push(format!("after {}", human::duration(seconds)));
    }
    facts.push(format!("recorded {}", entry.created_at));
    facts.extend(entry.parent.as_deref().map(|parent| format!("goes on from {}", inline(parent))));
    if !entry.tags.is_empty() {
        let tags: Vec<String> = entry.tags.iter().map(|tag| code(tag)).collect();
        facts.push(tags.join(" "));
    }
    format!("{}\n", facts.join(" · "))
}

fn push_quoted(text: &mut String, title: &str, said: &str) {
    if !said.is_empty() {
        let _ = write!(text, "\n**{title}**\n\n{}", quoted(said));
    }
}

fn push_remarks(text: &mut String, title: &str, remarks: &[Remark]) {
    if remarks.is_empty() {
        return;
    }
    let _ = write!(text, "\n**{title}**\n");
    for Remark { author, created_at, text: said } in remarks {
        let _ = write!(text, "\n{}, {created_at}:\n\n{}", inline(author), quoted(said));
    }
}

fn push_metrics(text: &mut String, entry: &Entry) {
    text.push_str("\n**Results**\n\n");
    match entry.metrics.state {
        MetricsState::NotCaptured => text.push_str("No metrics file was captured.\n"),
        MetricsState::NotParsed => {
            let files: Vec<String> = entry.metrics.files.iter().map(|file| code(file)).collect();
            let _ = writeln!(text, "No metrics were parsed: nothing could be read from {}.", files.join(", "));
        }
        MetricsState::Parsed => {
            let results = results_table(&entry.results, entry.parent.as_deref());
            let parts: Vec<String> = results.into_iter().chain(entry.tables.iter().map(rows)).collect();
            text.push_str(&parts.join("\n"));
        }
    }
}

fn results_table(results: &[Measured], parent: Option<&str>) -> Option<String> {
    if results.is_empty() {
        return None;
    }
    let parent = parent.filter(|_| results.iter().any(|result| result.before.is_some()));
    let mut text = match parent {
        Some(parent) => format!("| result | value | {} | change |\n|---|---:|---:|---:|\n", inline(parent)),
        None => "| result | value |\n|---|---:|\n".to_owned(),
    };
    let shown = |value: &Value| code_cell(&human::value(value));
    for result in results.iter().take(RESULTS_SHOWN) {
        let (name, value) = (inline(&result.name), shown(&result.value));
        let _ = match parent {
            Some(_) => {
                let before = result.before.as_ref().map(shown).unwrap_or_default();
                writeln!(text, "| {name} | {value} | {before} | {} |", result.change().unwrap_or_default())
            }
            None => writeln!(text, "| {name} | {value} |"),
        };
    }
    if results.len() > RESULTS_SHOWN {
        let _ = writeln!(text, "\nAnd {}.", human::counted(results.len() - RESULTS_SHOWN, "more result"));
    }
    Some(text)
}

impl Measured {
    /// How much more it is than the parent's, as people read it: `+0.1 (+12.5 %)`; `None` where that can't be told.
    pub fn change(&self) -> Option<String> {
        let difference = human::difference(self.difference?);
        let percent = self.percent.map(|percent| format!(" ({percent:+.1} %)")).unwrap_or_default();
        Some(format!("{difference}{percent}"))
    }
}

fn rows(table: &Rows) -> String {
    let columns: Vec<String> = table.columns.iter().take(COLUMNS_SHOWN).map(|column| inline(column)).collect();
    let more = if table.columns.len() > COLUMNS_SHOWN { ", …" } else { "" };
    let from = table.source_path.as_deref().map_or_else(|| "Elsewhere".to_owned(), code);
    let rows = human::counted(usize::try_from(table.row_count).unwrap_or_default(), "row");
    format!("{from}: a table of {rows} ({}{more}).\n", columns.join(", "))
}

fn push_artifacts(text: &mut String, entry: &Entry) {
    if !entry.artifacts.is_empty() {
        text.push_str("\n**Artifacts**\n\n");
        for Kept { path, kind, size_bytes, .. } in entry.artifacts.iter().take(ARTIFACTS_SHOWN) {
            let size = size_bytes.and_then(|size| u64::try_from(size).ok()).map(human::bytes);
            let about: Vec<String> = kind.as_deref().map(inline).into_iter().chain(size).collect();
            let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
            let _ = writeln!(text, "- {}{about}", code(path));
        }
        if entry.artifacts.len() > ARTIFACTS_SHOWN {
            let _ = writeln!(text, "- and {}", human::counted(entry.artifacts.len() - ARTIFACTS_SHOWN, "more file"));
        }
    }
    if !entry.missing_paths.is_empty() {
        let paths: Vec<String> = entry.missing_paths.iter().map(|path| code(path)).collect();
        let _ = writeln!(text, "\nDeclared, and not there: {}.", paths.join(", "));
    }
}

fn push_code(text: &mut String, state: &Code) {
    let mut facts = Vec::new();
    if let Some(commit) = &state.commit {
        let branch = state.branch.as_deref().map(|branch| format!(" on {}", code(branch))).unwrap_or_default();
        let dirty = if state.is_dirty == Some(true) { ", with changes that were not committed" } else { "" };
        facts.push(format!("Commit {}{branch}{dirty}.", code(human::short_commit(commit))));
    }
    facts.extend(state.rebuilding());
    let _ = writeln!(text, "\n**Code**\n\n{}", facts.join(" "));
}

impl Code {
    /// How well it can be got back, in a sentence of Markdown; `None`: not known.
    fn rebuilding(&self) -> Option<String> {
        let how_well = match self.how_well? {
            HowWell::Fully => "It can be got back as it was",
            HowWell::Partly => "It can be got back in part",
            HowWell::No => "It can't be got back",
        };
        let reasons: Vec<String> = self.reasons.iter().map(|reason| inline(reason)).collect();
        let why = if reasons.is_empty() { String::new() } else { format!(", because {}", reasons.join("; ")) };
        Some(format!("{how_well}{why}."))
    }
}
