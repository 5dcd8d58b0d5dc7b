//! The ledger: one line for each run, for scripts, agents and spreadsheets.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use otrace_wire::details::HowWell;
use otrace_wire::{ExperimentId, Run, RunStatus};
use serde::Serialize;
use serde_json::Value;

use crate::markdown::{code_cell, inline};
use crate::notebook::{Entry, Kept, Metrics, Remark, Rows};
use crate::{human, text};

/// So many results of a run are in the Markdown.
const RESULTS_SHOWN: usize = 4;
/// So many characters of a title or an intent.
const TITLE_CHARS: usize = 80;

/// A run in the ledger.
#[derive(Serialize)]
struct Line {
    experiment_id: String,
    title: Option<String>,
    status: RunStatus,
    exit_code: Option<i32>,
    signal: Option<String>,
    parent: Option<String>,
    created_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
    duration_seconds: Option<f64>,
    tags: Vec<String>,
    intent: String,
    setup: String,
    command: String,
    commit: Option<String>,
    branch: Option<String>,
    dirty: Option<bool>,
    reproducible: Option<HowWell>,
    reasons: Vec<String>,
    metrics: Metrics,
    /// By their names.
    results: BTreeMap<String, Value>,
    tables: Vec<Rows>,
    artifacts: Vec<Kept>,
    missing_paths: Vec<String>,
    insights: Vec<Remark>,
    notes: Vec<Remark>,
}

impl Line {
    fn of(run: &Run, parent: Option<&Run>) -> Self {
        let entry = Entry::new(run, parent);
        let code = entry.code.as_ref();
        Self {
            commit: code.and_then(|code| code.commit.clone()),
            branch: code.and_then(|code| code.branch.clone()),
            dirty: code.and_then(|code| code.is_dirty),
            reproducible: code.and_then(|code| code.how_well),
            reasons: code.map(|code| code.reasons.clone()).unwrap_or_default(),
            experiment_id: entry.name,
            title: entry.title,
            status: run.status,
            exit_code: run.exit_code,
            signal: run.signal.clone(),
            parent: entry.parent,
            created_at: entry.created_at,
            started_at: entry.started_at,
            finished_at: entry.finished_at,
            duration_seconds: entry.duration_seconds,
            tags: entry.tags,
            intent: entry.intent,
            setup: entry.setup,
            command: entry.command,
            metrics: entry.metrics,
            results: entry.results.into_iter().map(|result| (result.name, result.value)).collect(),
            tables: entry.tables,
            artifacts: entry.artifacts,
            missing_paths: entry.missing_paths,
            insights: entry.insights,
            notes: entry.notes,
        }
    }
}

/// These runs as lines of JSON, in their order. A parent that is among them is called as its own line calls it.
pub fn jsonl(runs: &[Run]) -> String {
    let by_number: HashMap<ExperimentId, &Run> = runs.iter().map(|run| (run.experiment_id, run)).collect();
    let mut lines = String::new();
    for run in runs {
        let parent = run.parent.and_then(|parent| by_number.get(&parent).copied());
        let _ = writeln!(lines, "{}", line(run, parent));
    }
    lines
}

/// A run as one line of JSON, without the line's end.
pub fn jsonl_line(run: &Run) -> String {
    line(run, None)
}

fn line(run: &Run, parent: Option<&Run>) -> String {
    // What it is made of can be written: texts, and numbers that are finite or become null.
    serde_json::to_string(&Line::of(run, parent)).map(text::json).unwrap_or_default()
}

/// These runs as a table in Markdown, in their order.
pub fn markdown(project: &str, runs: &[Run]) -> String {
    let mut text = format!("# Ledger: {}\n\n", inline(project));
    if runs.is_empty() {
        text.push_str("The project has no runs yet.\n");
        return text;
    }
    text.push_str("| experiment | state | recorded | duration | title | results | commit |\n");
    text.push_str("|---|---|---|---:|---|---|---|\n");
    for run in runs {
        let entry = Entry::new(run, None);
        let duration = entry.duration_seconds.map(human::duration).unwrap_or_default();
        let commit = entry.code.as_ref().and_then(|code| code.commit.as_deref()).map(human::short_commit);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {duration} | {} | {} | {} |",
            entry.name,
            inline(&entry.state),
            entry.created_at,
            inline(&shortened(entry.title.as_deref().unwrap_or_else(|| human::first_line(&entry.intent)))),
            results(&entry),
            code_cell(commit.unwrap_or_default()),
        );
    }
    text
}

fn results(entry: &Entry) -> String {
    let result = |name: &str, value: &Value| format!("{} {}", inline(name), code_cell(&human::value(value)));
    let shown = entry.results.iter().take(RESULTS_SHOWN);
    let mut told: Vec<String> = shown.map(|measured| result(&measured.name, &measured.value)).collect();
    if entry.results.len() > RESULTS_SHOWN {
        told.push(format!("{} more", entry.results.len() - RESULTS_SHOWN));
    }
    told.join(", ")
}

fn shortened(title: &str) -> String {
    let mut characters = title.chars();
    let short: String = characters.by_ref().take(TITLE_CHARS).collect();
    if characters.next().is_some() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample;

    #[test]
    fn a_run_is_one_line_whatever_is_in_it() {
        let run = Run { intent: "Why?\nBecause \u{2028} | of\x1b[2J".to_owned(), ..sample::run(7) };
        let line = jsonl_line(&run);
        assert_eq!(line.lines().count(), 1, "{line}");
        let told: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&told["experiment_id"], &told["intent"]), (&json!("exp007"), &json!(run.intent)));
        let table = markdown("p", &[run]);
        assert_eq!(table.lines().count(), 5, "{table}");
    }

    #[test]
    fn a_run_without_a_number_is_called_the_same_as_a_parent() {
        let lines = jsonl(&[sample::run(-1), sample::child(-2, -1)]);
        let told: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!(told[0]["experiment_id"].as_str().is_some_and(|name| name.starts_with("offline-")), "{lines}");
        assert_eq!(told[1]["parent"], told[0]["experiment_id"], "{lines}");
    }
}
