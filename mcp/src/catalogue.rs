//! The tools: their names, what agents are told about them, and which module each leads to.

use rmcp::model::{Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;
use serde_json::{Map, Value, json};

use crate::arguments::{
    self, AddNote, DiffRuns, DownloadArtifact, ExportLedger, GetRun, ListArtifacts, ListRuns, OneRun,
    SearchExperiments, ValidateRunSpec,
};
use crate::source::{Refusal, Result, RunsQuery, Source};
use crate::{difference, files, ledger, listing, one_run, run_spec};

const LIST_RUNS: &str = "trace_list_runs";
const SEARCH_EXPERIMENTS: &str = "trace_search_experiments";
const GET_RUN: &str = "trace_get_run";
const SHOW: &str = "trace_show";
const LIST_ARTIFACTS: &str = "trace_list_artifacts";
const DOWNLOAD_ARTIFACT: &str = "trace_download_artifact";
const DIFF_RUNS: &str = "trace_diff_runs";
const EXPORT_LEDGER: &str = "trace_export_ledger";
const VALIDATE_RUN_SPEC: &str = "trace_validate_run_spec";
const ADD_NOTE: &str = "trace_add_note";

/// The longest note, in bytes.
const NOTE_MAX: usize = 64 * 1024;

const ABOUT_LIST_RUNS: &str = "Lists the project's runs, the newest first unless told, each with its experiment id, \
    title, status, times, tags, intent, command and results. Use it to see what was done lately or to rank runs by a \
    result (sort: -metrics.accuracy). Returns {runs, next_cursor}. To find runs by what is in them, use \
    trace_search_experiments.";

const ABOUT_SEARCH: &str = "Finds runs with a query. Use it before you try something, to learn whether it was tried. \
    Conditions stand side by side (all must hold), or with OR, NOT and parentheses: status:failed, tag:baseline, \
    title:, intent:, setup:, command: and note: with words, author:me, branch:main, commit:1a2b3c, parent:exp041, \
    exit:1, number:42, duration > 60, created:>7d (within seven days), started:2026-06-01, metrics.accuracy > 0.9, \
    metrics.loss:[0.1 TO 0.5], has:metrics.loss, and values of configs: config.lr:[1e-4 TO 1e-2], \
    config.optimizer.name:adam. Words without a field are looked for everywhere; \"quoted words\" stand in this \
    order. Returns {runs, next_cursor} as trace_list_runs does. A query that can't be read is refused \
    with the place of the mistake and the fields that there are.";

const ABOUT_GET_RUN: &str = "Reads one run as JSON. The overview has what it was for, its command, outcome, results, \
    notes and the state of its code, and counts of what else there is. Use part for the rest: results, tables, \
    state or notes return {items, next_cursor}; stdout, stderr and log return {text, next_cursor, size_bytes}, also \
    while the run goes on. What is too long for one answer is cut and says so.";

const ABOUT_SHOW: &str = "One run as a lab note in Markdown, made to be read: why, setup, command, state, duration, \
    results, artifacts, notes, and what is known of its code. Use it to understand a run; use trace_get_run where you \
    need values. Returns {text, next_cursor}.";

const ABOUT_LIST_ARTIFACTS: &str = "Lists the files that are kept with a run: path, type, size and hash. Use it before \
    trace_download_artifact. Returns {artifacts, next_cursor}; is_stored says whether the content can be had.";

const ABOUT_SAVING: &str = "Downloads a file that is kept with a run, or several by a folder or a glob such as \
    outputs/*.json, into .trace/downloads/ of this workspace, and returns {files} with the path of each. Read them \
    from there. Changes no file that was there before.";

const ABOUT_READING: &str = "Reads a file that is kept with a run, by its path. Returns {encoding, content, \
    next_cursor, size_bytes, url}: a piece of it as text, or as base64 where it is not text. url has the whole file \
    for some minutes, without a key: fetch it where the file is large.";

const ABOUT_DIFF: &str = "Compares two runs: what changed in how they were run, their code, uncommitted changes, \
    configs, dependency files, packages, machine and results. Use it to explain why a result changed. Returns {text, \
    next_cursor}: lines with - are of the first run, with + of the second.";

const ABOUT_LEDGER: &str = "The ledger of all runs, the oldest first, some runs an answer: for reports, and to work on \
    the whole history. Go on with next_cursor until there is none. Returns {entries, next_cursor}, or {text, \
    next_cursor} for markdown.";

const ABOUT_VALIDATE: &str = "Checks a RunSpec without any side effect: nothing is recorded or started. Use it before \
    you write one to a file for `otrace run --spec`. Returns {valid: true, command_line, yaml}, where yaml is what to \
    write to that file (null, if it is too long for an answer), or {valid: false, mistakes} with all of them.";

const ABOUT_ADD_NOTE: &str = "Writes a note on a run, for everybody in the project. Use it for what was learnt, in \
    your own words; with #insight in it, it is kept among the project's insights. Each call adds one. Returns \
    {noted}.";

/// The tools that a source has.
pub(crate) fn tools<S: Source>(source: &S) -> Vec<Tool> {
    let download = if S::SAVES_FILES {
        let writes = ToolAnnotations::new().read_only(false).destructive(false).idempotent(true).open_world(false);
        tool::<DownloadArtifact>(DOWNLOAD_ARTIFACT, "Download an artifact", ABOUT_SAVING).annotate(writes)
    } else {
        tool::<DownloadArtifact>(DOWNLOAD_ARTIFACT, "Read an artifact", ABOUT_READING)
    };
    let mut tools = vec![
        tool::<ListRuns>(LIST_RUNS, "List runs", ABOUT_LIST_RUNS),
        tool::<SearchExperiments>(SEARCH_EXPERIMENTS, "Find runs", ABOUT_SEARCH),
        tool::<GetRun>(GET_RUN, "Read a run", ABOUT_GET_RUN),
        tool::<OneRun>(SHOW, "Show a run's lab note", ABOUT_SHOW),
        tool::<ListArtifacts>(LIST_ARTIFACTS, "List a run's artifacts", ABOUT_LIST_ARTIFACTS),
        download,
        tool::<DiffRuns>(DIFF_RUNS, "Compare two runs", ABOUT_DIFF),
        tool::<ExportLedger>(EXPORT_LEDGER, "Export the ledger", ABOUT_LEDGER),
        tool::<ValidateRunSpec>(VALIDATE_RUN_SPEC, "Check a RunSpec", ABOUT_VALIDATE),
    ];
    if source.why_read_only().is_none() {
        let adds = ToolAnnotations::new().read_only(false).destructive(false).idempotent(false).open_world(false);
        tools.push(tool::<AddNote>(ADD_NOTE, "Write a note", ABOUT_ADD_NOTE).annotate(adds));
    }
    tools
}

/// One that only reads.
fn tool<A: JsonSchema + 'static>(name: &'static str, title: &str, about: &'static str) -> Tool {
    Tool::new(name, about, Map::new())
        .with_input_schema::<A>()
        .with_title(title)
        .annotate(ToolAnnotations::new().read_only(true).open_world(false))
}

/// Does what a tool is for, and gives its answer.
pub(crate) async fn call<S: Source>(source: &S, name: &str, given: Map<String, Value>) -> Result<Value> {
    match name {
        LIST_RUNS => listing::runs(source, listed(arguments::read(given)?)).await,
        SEARCH_EXPERIMENTS => listing::runs(source, searched(arguments::read(given)?)).await,
        GET_RUN => one_run::get(source, &arguments::read(given)?).await,
        SHOW => one_run::show(source, &arguments::read(given)?).await,
        LIST_ARTIFACTS => files::list(source, &arguments::read(given)?).await,
        DOWNLOAD_ARTIFACT => files::download(source, &arguments::read(given)?).await,
        DIFF_RUNS => difference::diff(source, &arguments::read(given)?).await,
        EXPORT_LEDGER => ledger::export(source, &arguments::read(given)?).await,
        VALIDATE_RUN_SPEC => Ok(run_spec::check(arguments::read(given)?)),
        ADD_NOTE => add_note(source, &arguments::read(given)?).await,
        _ => Err(Refusal::new(format!("There is no tool {name}. tools/list names those that there are."))),
    }
}

fn listed(asked: ListRuns) -> RunsQuery {
    RunsQuery {
        query: asked.query,
        status: asked.status,
        tags: asked.tags.unwrap_or_default(),
        sort: asked.sort,
        limit: listing::limit(asked.limit),
        cursor: asked.cursor,
    }
}

fn searched(asked: SearchExperiments) -> RunsQuery {
    RunsQuery {
        query: Some(asked.query),
        status: None,
        tags: Vec::new(),
        sort: asked.sort,
        limit: listing::limit(asked.limit),
        cursor: asked.cursor,
    }
}

async fn add_note<S: Source>(source: &S, asked: &AddNote) -> Result<Value> {
    if let Some(reason) = source.why_read_only() {
        return Err(Refusal::new(reason));
    }
    if asked.text.trim().is_empty() {
        return Err(Refusal::new("A note needs a text: give it as text."));
    }
    if asked.text.len() > NOTE_MAX {
        return Err(Refusal::new("A note has at most 64 KiB: keep the rest in a file of the run."));
    }
    source.add_note(&asked.run, &asked.text).await?;
    Ok(json!({ "noted": asked.run }))
}
