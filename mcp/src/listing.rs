//! Runs in lists: as much of each as tells whether it is the one.

use otrace_wire::{ResultValue, Run};
use serde_json::{Map, Value, json};

use crate::budget;
use crate::source::{Result, RunsQuery, Source};

/// So many runs an answer has, unless told.
const USUAL: u32 = 20;
/// So many it has at most.
const MOST: u32 = 100;
/// What is told of each run, in bytes or in items.
const TITLE_MAX: usize = 200;
const TEXT_MAX: usize = 300;
const VALUE_MAX: usize = 80;
const TAGS_MAX: usize = 10;
const RESULTS_MAX: usize = 12;

/// How many runs are asked for.
pub(crate) fn limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(USUAL).clamp(1, MOST)
}

/// A page of runs.
pub(crate) async fn runs<S: Source>(source: &S, mut query: RunsQuery) -> Result<Value> {
    let mut page = source.runs(&query).await?;
    let mut rows: Vec<Value> = page.runs.iter().map(row).collect();
    let fitting = budget::fitting(&rows, budget::ROOM);
    if fitting < rows.len() {
        // The same beginning, with a cursor of its own behind it: a shorter page.
        query.limit = u32::try_from(fitting).unwrap_or(query.limit);
        page = source.runs(&query).await?;
        rows = page.runs.iter().map(row).collect();
    }
    Ok(json!({ "runs": rows, "next_cursor": page.next_cursor }))
}

fn row(run: &Run) -> Value {
    let mut results = Map::new();
    let named = run.results.iter().filter_map(|result| Some((result.name.as_deref()?, result)));
    for (name, result) in named {
        if results.len() == RESULTS_MAX {
            break;
        }
        results.entry(budget::clip(name, VALUE_MAX)).or_insert_with(|| value(result));
    }
    let more_results = run.results.len().saturating_sub(results.len());
    let tags: Vec<_> = run.tags.iter().take(TAGS_MAX).map(|tag| budget::clip(tag, VALUE_MAX)).collect();
    json!({
        "experiment_id": run.experiment_id,
        "title": run.title.as_deref().map(|title| budget::clip(title, TITLE_MAX)),
        "status": run.status,
        "exit_code": run.exit_code,
        "created_at": rfc3339(run),
        "duration_seconds": run.duration_seconds,
        "tags": tags,
        "intent": budget::clip(run.intent.trim(), TEXT_MAX),
        "command": budget::clip(run.command.trim(), TEXT_MAX),
        "results": results,
        "more_results": more_results,
        "notes": run.notes.len(),
    })
}

fn value(result: &ResultValue) -> Value {
    match &result.value {
        Value::String(text) => Value::String(budget::clip(text, VALUE_MAX)),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other.clone(),
        other => Value::String(budget::clip(&other.to_string(), VALUE_MAX)),
    }
}

/// When the run was recorded, as a run's own JSON has it.
fn rfc3339(run: &Run) -> Value {
    time::serde::rfc3339::serialize(&run.created_at, serde_json::value::Serializer).unwrap_or_default()
}
