//! What changed between two runs, as text that a cursor walks through.

use std::fmt::Write as _;

use otrace_history::compare::{self, Comparison, FieldChange, FileChange, ResultChange, Side, Texts};
use otrace_wire::{ExperimentId, Run, Sha256Digest};
use serde_json::Value;

use crate::arguments::DiffRuns;
use crate::budget;
use crate::source::{Result, Source};

/// The texts of files, as far as the source has them.
struct Fetched<'a, S>(&'a S);

impl<S: Source> Texts for Fetched<'_, S> {
    async fn text(&self, _run: ExperimentId, sha256: &Sha256Digest) -> Option<String> {
        self.0.text(sha256).await.ok().flatten()
    }
}

/// Compares two runs.
pub(crate) async fn diff<S: Source>(source: &S, asked: &DiffRuns) -> Result<Value> {
    let before = source.run(&asked.before).await?;
    let after = source.run(&asked.after).await?;
    let comparison = source.compare(before, after).await?;
    budget::piece(&written(&comparison), asked.cursor.as_deref())
}

/// Compares two runs, with the texts that the source has of their files.
pub async fn compare<S: Source>(source: &S, before: &Run, after: &Run) -> Comparison {
    compare::compare(&Fetched(source), before, after).await
}

fn written(comparison: &Comparison) -> String {
    let mut text = String::new();
    side(&mut text, "---", &comparison.before);
    side(&mut text, "+++", &comparison.after);
    if comparison.is_empty() {
        text.push_str("Nothing differs.\n");
        return text;
    }
    fields(&mut text, "Run", &comparison.run);
    fields(&mut text, "Code", &comparison.code);
    files(&mut text, "Changes that are not committed", &comparison.patches);
    files(&mut text, "Configs", &comparison.configs);
    files(&mut text, "Dependency files", &comparison.dependencies);
    fields(&mut text, "Packages", &comparison.packages);
    fields(&mut text, "Environment", &comparison.environment);
    results(&mut text, &comparison.results, comparison.same_results);
    text
}

fn side(text: &mut String, sign: &str, side: &Side) {
    let _ = writeln!(text, "{sign} {} {}", side.experiment_id, side.title.as_deref().unwrap_or_default());
}

fn fields(text: &mut String, title: &str, changes: &[FieldChange]) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for FieldChange { name, before, after } in changes {
        for (sign, value) in [("-", before), ("+", after)] {
            if let Some(value) = value {
                let _ = writeln!(text, "{sign} {name}: {value}");
            }
        }
    }
}

fn files(text: &mut String, title: &str, changes: &[FileChange]) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for change in changes {
        if let Some(diff) = &change.diff {
            let _ = writeln!(text, "{}", diff.trim_end_matches('\n'));
            continue;
        }
        let what = match (&change.before, &change.after) {
            (None, _) => "was added",
            (_, None) => "was removed",
            (Some(_), Some(_)) => "differs",
        };
        let _ = writeln!(text, "{} {what}", change.path);
    }
}

fn results(text: &mut String, changes: &[ResultChange], same: usize) {
    if changes.is_empty() && same == 0 {
        return;
    }
    text.push_str("\nResults\n");
    let told = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), ToString::to_string);
    for change in changes {
        let _ = write!(text, "{}: {} -> {}", change.name, told(change.before.as_ref()), told(change.after.as_ref()));
        if let Some(by) = change.difference {
            let _ = write!(text, " ({by:+})");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{same} the same");
}
