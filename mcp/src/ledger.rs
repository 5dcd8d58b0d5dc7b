//! The ledger of all runs, the oldest first, some runs at a time.

use otrace_history::ledger;
use otrace_wire::Run;
use serde_json::{Value, json};

use crate::arguments::{ExportLedger, LedgerFormat};
use crate::budget;
use crate::source::{Refusal, Result, RunsQuery, Source};

/// So many runs an answer has at most: each is asked for by itself, with all that it left behind.
const RUNS_MAX: u32 = 20;
/// How long one entry is at most, in bytes of JSON; a longer one is shortened and says so.
const ENTRY_MAX: usize = budget::ROOM / 4;

/// What an answer holds of a ledger, and of how many runs that is.
struct Written {
    key: &'static str,
    value: Value,
    count: usize,
}

/// Some entries, and where the next ones begin.
pub(crate) async fn export<S: Source>(source: &S, asked: &ExportLedger) -> Result<Value> {
    let mut query = RunsQuery {
        sort: Some("number".to_owned()),
        limit: RUNS_MAX,
        cursor: asked.cursor.clone(),
        ..RunsQuery::default()
    };
    let page = source.runs(&query).await?;
    let Written { key, value, count } = match asked.format.unwrap_or_default() {
        LedgerFormat::Jsonl => entries(source, &page.runs).await?,
        LedgerFormat::Markdown => markdown(source, &page.runs).await?,
    };
    let mut next = page.next_cursor;
    if count < page.runs.len() {
        // The same beginning, with a cursor of its own behind it: a shorter page.
        query.limit = u32::try_from(count).unwrap_or(RUNS_MAX);
        next = source.runs(&query).await?.next_cursor;
    }
    Ok(json!({ key: value, "next_cursor": next }))
}

/// As many entries as fit.
async fn entries<S: Source>(source: &S, listed: &[Run]) -> Result<Written> {
    let (mut entries, mut used) = (Vec::with_capacity(listed.len()), 0);
    for run in listed {
        let entry = entry(&whole(source, run).await?)?;
        used += budget::size(&entry) + 1;
        if used > budget::ROOM {
            break;
        }
        entries.push(entry);
    }
    Ok(Written { key: "entries", count: entries.len(), value: Value::Array(entries) })
}

fn entry(run: &Run) -> Result<Value> {
    let mut entry: Value = serde_json::from_str(&ledger::jsonl_line(run))
        .map_err(|error| Refusal::new(format!("The ledger can't be read: {error}. Ask for markdown.")))?;
    if budget::shorten(&mut entry, ENTRY_MAX)
        && let Value::Object(fields) = &mut entry
    {
        fields.insert("is_cut".to_owned(), Value::Bool(true));
    }
    Ok(entry)
}

/// As much as fits; one run that does not is cut.
async fn markdown<S: Source>(source: &S, listed: &[Run]) -> Result<Written> {
    let project = source.project().await?;
    let mut runs = Vec::with_capacity(listed.len());
    for run in listed {
        runs.push(whole(source, run).await?);
    }
    loop {
        let text = ledger::markdown(&project, &runs);
        if runs.len() <= 1 || budget::head(&text, budget::ROOM).len() == text.len() {
            let text = budget::clip(&text, budget::ROOM);
            return Ok(Written { key: "text", value: Value::String(text), count: runs.len() });
        }
        runs.truncate(runs.len() / 2);
    }
}

/// A run with all that it left behind: in lists some of it is missing.
async fn whole<S: Source>(source: &S, listed: &Run) -> Result<Run> {
    source.run(&listed.id.to_string()).await
}
