//! One run: as JSON in parts, and as a lab note.

use otrace_history::notebook::{Mode, Notebook};
use otrace_wire::{LogStream, Run};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::arguments::{GetRun, OneRun, Part};
use crate::budget;
use crate::source::{LogOf, Refusal, Result, Source};

/// So many results and notes the overview has; the parts have all of them.
const RESULTS_MAX: usize = 100;
const NOTES_MAX: usize = 20;

/// A part of a run as JSON.
pub(crate) async fn get<S: Source>(source: &S, asked: &GetRun) -> Result<Value> {
    let run = source.run(&asked.run).await?;
    let cursor = asked.cursor.as_deref();
    match asked.part.unwrap_or_default() {
        Part::Overview => overview(&run),
        Part::Results => items(&run, &run.results, cursor),
        Part::Tables => items(&run, &run.tables, cursor),
        Part::State => items(&run, run.snapshot.as_slice(), cursor),
        Part::Notes => items(&run, &run.notes, cursor),
        Part::Stdout => log(source, &run, LogOf { stream: LogStream::Stdout, path: None }, cursor).await,
        Part::Stderr => log(source, &run, LogOf { stream: LogStream::Stderr, path: None }, cursor).await,
        Part::Log => {
            let path = asked.path.clone().ok_or_else(|| Refusal::new("Say which log file it is: give its path."))?;
            log(source, &run, LogOf { stream: LogStream::Log, path: Some(path) }, cursor).await
        }
    }
}

/// A run as the notebook tells it.
pub(crate) async fn show<S: Source>(source: &S, asked: &OneRun) -> Result<Value> {
    let run = source.run(&asked.run).await?;
    let project = source.project().await?;
    let note = Notebook::new(&project, std::slice::from_ref(&run), Mode::Chronological, None).markdown();
    budget::piece(&note, asked.cursor.as_deref())
}

/// What everybody wants to know of a run, and how much else there is.
fn overview(run: &Run) -> Result<Value> {
    let mut overview = told(run)?;
    if let Value::Object(fields) = &mut overview {
        leave_the_parts(fields, run);
    }
    let is_cut = budget::shorten(&mut overview, budget::ROOM);
    Ok(json!({ "run": overview, "is_cut": is_cut }))
}

/// Puts counts and short forms in the place of what is a part of its own.
fn leave_the_parts(fields: &mut Map<String, Value>, run: &Run) {
    for name in ["tables", "logs", "artifacts", "snapshot"] {
        fields.shift_remove(name);
    }
    for (name, most) in [("results", RESULTS_MAX), ("notes", NOTES_MAX)] {
        if let Some(Value::Array(items)) = fields.get_mut(name) {
            items.truncate(most);
        }
    }
    let logs: Vec<_> = run.logs.iter().map(|log| json!({"stream": log.stream, "path": log.path})).collect();
    let counts = json!({
        "results": run.results.len(),
        "tables": run.tables.len(),
        "artifacts": run.artifacts.len(),
        "notes": run.notes.len(),
    });
    fields.insert("state".to_owned(), state(run));
    fields.insert("logs".to_owned(), Value::Array(logs));
    fields.insert("counts".to_owned(), counts);
}

fn state(run: &Run) -> Value {
    let Some(snapshot) = &run.snapshot else { return Value::Null };
    json!({
        "git_commit": snapshot.git_commit,
        "git_branch": snapshot.git_branch,
        "git_dirty": snapshot.git_dirty,
        "python_version": snapshot.python_version,
        "platform": snapshot.platform,
        "hostname": snapshot.hostname,
        "missing_expected_paths": snapshot.missing_expected_paths,
        "how_well_it_can_be_rebuilt": snapshot.rebuild.as_ref().map(|rebuild| json!({
            "how_well": rebuild.how_well,
            "reasons": rebuild.reasons,
        })),
    })
}

/// Some of the items of a part.
fn items<T: Serialize>(run: &Run, items: &[T], cursor: Option<&str>) -> Result<Value> {
    let items = items.iter().map(told).collect::<Result<Vec<_>>>()?;
    let (items, next) = budget::page(items, cursor)?;
    Ok(json!({ "experiment_id": run.experiment_id, "items": items, "next_cursor": next }))
}

async fn log<S: Source>(source: &S, run: &Run, log: LogOf, cursor: Option<&str>) -> Result<Value> {
    let from = budget::place(cursor)? as u64;
    let bytes = source.log(run, &log, from).await?;
    let (text, taken) = budget::decoded(&bytes, budget::ROOM);
    let next = (taken < bytes.len()).then(|| (from + taken as u64).to_string());
    let kept = run.logs.iter().find(|kept| kept.stream == log.stream && (log.path.is_none() || kept.path == log.path));
    Ok(json!({
        "experiment_id": run.experiment_id,
        "text": text,
        "next_cursor": next,
        // While the run goes on, nobody knows.
        "size_bytes": kept.and_then(|kept| kept.size_bytes),
    }))
}

/// A value without what is not there: nulls tell nothing and cost tokens.
pub(crate) fn told(value: &impl Serialize) -> Result<Value> {
    let mut told = serde_json::to_value(value)
        .map_err(|error| Refusal::new(format!("This can't be written as JSON: {error}. Read another part.")))?;
    if let Value::Object(fields) = &mut told {
        let kept: Map<String, Value> =
            std::mem::take(fields).into_iter().filter(|(_, field)| !field.is_null()).collect();
        *fields = kept;
    }
    Ok(told)
}
