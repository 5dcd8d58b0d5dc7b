//! A run: why, on what, and what came of it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otrace_wire::LogStream;
use time::OffsetDateTime;

use super::artifacts::Card;
use super::{RunHeader, RunTab, missing_paths, open};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::result::Direction;
use crate::domain::{Log, Note, Run, RunResult, Snapshot};
use crate::error::Result;
use crate::extract::Path;
use crate::services::runs::RunView;
use crate::web::format::{self, Moment};
use crate::web::people::Person;
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};

/// How many artifacts are shown here; the tab shows all.
const CARDS_SHOWN: usize = 6;

#[derive(Template)]
#[template(path = "runs/overview.html")]
struct OverviewPage {
    shell: Shell,
    head: RunHeader,
    intent: String,
    setup: String,
    learned: Option<String>,
    results: Vec<ResultRow>,
    /// The one file that all results come from.
    results_from: Option<String>,
    cards: Vec<Card>,
    artifact_count: String,
    command: String,
    working_directory: Option<String>,
    notes: Vec<NoteView>,
    expected: Vec<Expected>,
    outputs: Vec<String>,
    code: Vec<Fact>,
    environment: Vec<Fact>,
    record: Vec<Fact>,
}

/// A named value.
struct ResultRow {
    name: String,
    value: String,
    /// `higher` or `lower` is better; `None` where the value is no number.
    better: Option<&'static str>,
    is_lower_better: bool,
    source: String,
}

/// Something that someone wrote on the run.
struct NoteView {
    author: Person,
    at: Moment,
    body: String,
    is_insight: bool,
}

/// A path that was declared, and whether it was there.
struct Expected {
    path: String,
    is_there: bool,
    is_awaited: bool,
}

/// A line of a list of facts.
struct Fact {
    name: &'static str,
    value: String,
    /// The value for machines, where it is a time.
    iso: Option<String>,
    is_mono: bool,
    is_warning: bool,
}

impl Fact {
    fn mono(name: &'static str, value: Option<&String>) -> Option<Self> {
        let value = value.map(|value| terminal::clean(value)).filter(|value| !value.is_empty())?;
        Some(Self { name, value, iso: None, is_mono: true, is_warning: false })
    }

    fn plain(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), iso: None, is_mono: false, is_warning: false }
    }

    fn time(name: &'static str, at: OffsetDateTime) -> Self {
        let moment = Moment::new(at, at);
        Self { iso: Some(moment.iso), ..Self::plain(name, moment.exact) }
    }
}

/// `GET /projects/{slug}/runs/{run}`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Overview).await?;
    let mut cards = Vec::new();
    for artifact in view.full.artifacts.iter().take(CARDS_SHOWN) {
        cards.push(Card::read(&app, &member, &head.base, &view.full.run, artifact).await?);
    }
    Ok(page(&OverviewPage::new(shell, head, cards, &view, app.clock.now())))
}

impl OverviewPage {
    fn new(shell: Shell, head: RunHeader, cards: Vec<Card>, view: &RunView, now: OffsetDateTime) -> Self {
        let run = &view.full.run;
        let notes: Vec<NoteView> = view.full.notes.iter().map(|note| NoteView::new(note, now)).collect();
        let learned = notes.iter().rfind(|note| note.is_insight).map(|note| note.body.clone());
        let results: Vec<ResultRow> = view.full.results.iter().map(ResultRow::new).collect();
        let stored: i64 = view.full.artifacts.iter().map(|artifact| artifact.size_bytes).fold(0, i64::saturating_add);
        let files = i64::try_from(view.full.artifacts.len()).unwrap_or_default();
        Self {
            shell,
            head,
            intent: terminal::clean(&run.intent),
            setup: terminal::clean(&run.setup),
            learned,
            results_from: common_source(&results),
            results,
            cards,
            artifact_count: format!("{}, {}", format::counted(files, "file", "files"), format::size(stored)),
            command: terminal::clean(&run.command),
            working_directory: run.working_directory.as_deref().map(terminal::clean),
            notes,
            expected: expected(run, view.full.snapshot.as_ref()),
            outputs: view.full.logs.iter().filter_map(output).collect(),
            code: view.full.snapshot.as_ref().map(code_facts).unwrap_or_default(),
            environment: view.full.snapshot.as_ref().map(environment_facts).unwrap_or_default(),
            record: record_facts(run),
        }
    }
}

impl ResultRow {
    fn new(result: &RunResult) -> Self {
        let is_lower_better = Direction::of(&result.name) == Direction::Lower;
        let better = result.number.map(|_| if is_lower_better { "lower" } else { "higher" });
        let mut source = terminal::clean(result.source_path.as_deref().unwrap_or_default());
        if let (Some(line), false) = (result.line, source.is_empty()) {
            source = format!("{source}:{line}");
        }
        Self { name: terminal::clean(&result.name), value: format::result(result), better, is_lower_better, source }
    }
}

/// The file that all results come from, if it is one.
fn common_source(results: &[ResultRow]) -> Option<String> {
    let (first, rest) = results.split_first()?;
    let is_common = !first.source.is_empty() && rest.iter().all(|result| result.source == first.source);
    is_common.then(|| first.source.clone())
}

impl NoteView {
    fn new(note: &Note, now: OffsetDateTime) -> Self {
        let body = terminal::clean(&note.body);
        let is_insight = body.split_whitespace().any(|word| word.trim_end_matches(['.', ',', ':']) == "#insight");
        let body = if is_insight { body.replace("#insight", "").trim().to_owned() } else { body };
        Self { author: Person::new(&note.author), at: Moment::new(note.created_at, now), body, is_insight }
    }
}

/// What was declared, artifacts first. Before the end nothing is missing yet.
fn expected(run: &Run, snapshot: Option<&Snapshot>) -> Vec<Expected> {
    let missing = missing_paths(snapshot);
    let is_over = run.status.is_final();
    let declared = run.expected_artifact_paths.iter().chain(&run.expected_log_paths);
    let expected = declared.map(|path| {
        let path = terminal::clean(path);
        let is_missing = missing.contains(&path);
        Expected { is_there: is_over && !is_missing, is_awaited: !is_over, path }
    });
    expected.collect()
}

/// `stdout 148 KB`; log files stand among what was declared.
fn output(log: &Log) -> Option<String> {
    let is_stream = matches!(log.stream, LogStream::Stdout | LogStream::Stderr);
    (is_stream && log.size_bytes > 0).then(|| format!("{} {}", log.stream.as_str(), format::size(log.size_bytes)))
}

fn code_facts(snapshot: &Snapshot) -> Vec<Fact> {
    let state = match (&snapshot.git_commit, snapshot.git_dirty) {
        (None, _) => Some(Fact::plain("Commit", "no commit, or no git repository")),
        (Some(_), Some(true)) => {
            Some(Fact { is_warning: true, ..Fact::plain("Not committed", "changes were not committed") })
        }
        (Some(_), Some(false)) => Some(Fact::plain("Not committed", "nothing, a clean tree")),
        (Some(_), None) => None,
    };
    let dependencies = snapshot.dependency_files.join("\n");
    let facts = [
        Fact::mono("Branch", snapshot.git_branch.as_ref()),
        Fact::mono("Commit", snapshot.git_commit.as_ref().map(|commit| format::short(commit, 12)).as_ref()),
        state,
        Fact::mono("Remote", snapshot.git_remote_url.as_ref()),
        Fact::mono("Depends on", Some(&dependencies)),
    ];
    facts.into_iter().flatten().collect()
}

fn environment_facts(snapshot: &Snapshot) -> Vec<Fact> {
    let facts = [
        Fact::mono("Host", snapshot.hostname.as_ref()),
        Fact::mono("Python", snapshot.python_version.as_ref()),
        Fact::mono("Platform", snapshot.platform.as_ref()),
    ];
    facts.into_iter().flatten().collect()
}

fn record_facts(run: &Run) -> Vec<Fact> {
    let facts = [
        run.started_at.map(|start| Fact::time("Started", start)),
        run.finished_at.map(|end| Fact::time("Finished", end)),
        run.exit_code.map(|code| Fact::plain("Exit code", code.to_string())),
        run.signal.as_ref().map(|name| Fact::plain("Ended by", name.clone())),
        Fact::mono("Recorded by", run.recorder.as_ref()),
        Fact::mono("Key", run.key_name.as_ref()),
    ];
    facts.into_iter().flatten().collect()
}
