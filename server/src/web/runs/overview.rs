//! A run: why, on what, and what came of it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otrace_wire::{ExperimentId, LogStream};
use time::OffsetDateTime;

use super::artifacts::Card;
use super::notes::{NoteFormView, NoteView};
use super::results::{self, ResultRow};
use super::{RunHeader, RunLink, RunTab, is_expected, missing_paths, open};
use crate::app::AppState;
use crate::auth::{ProjectMember, ProjectReader};
use crate::domain::result::Direction;
use crate::domain::{Artifact, Log, Run, Snapshot};
use crate::error::Result;
use crate::extract::Path;
use crate::services;
use crate::services::runs::RunView;
use crate::services::standing::{Curve, Surroundings};
use crate::store::run_relations::RelatedRun;
use crate::web::format::{self, Moment};
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};

/// How many artifacts are shown here; the tab shows all.
const CARDS_SHOWN: usize = 6;
/// Among how many of a run's artifacts those that it declared are looked for.
const CARDS_CONSIDERED: usize = 500;
/// How many of the notes that say what was learned stand at the top.
const LEARNED_SHOWN: usize = 3;

#[derive(Template)]
#[template(path = "runs/overview.html")]
struct OverviewPage {
    shell: Shell,
    head: RunHeader,
    intent: String,
    setup: String,
    /// What was learned, as HTML, the newest first.
    learned: Vec<String>,
    results: Vec<ResultRow>,
    /// The one file that all results come from.
    results_from: Option<String>,
    /// What the run went on from, where results are compared with its.
    parent: Option<String>,
    has_ranks: bool,
    curves: Vec<CurveView>,
    /// The run whose curves are drawn beside, where it has any of them.
    curves_parent: Option<String>,
    /// Changes when curves come or go.
    curves_key: String,
    /// `All 14 series`
    all_series: String,
    cards: Vec<Card>,
    artifact_count: String,
    command: String,
    working_directory: Option<String>,
    notes: Vec<NoteView>,
    note_form: Option<NoteFormView>,
    expected: Vec<Expected>,
    outputs: Vec<String>,
    path: Vec<PathStep>,
    has_more_children: bool,
    code: Vec<Fact>,
    environment: Vec<Fact>,
    record: Vec<Fact>,
}

/// A run on the way to this one, or from it on.
struct PathStep {
    run: RunLink,
    /// Its main result.
    value: Option<String>,
    is_current: bool,
    is_next: bool,
}

/// A series that the page's script draws.
struct CurveView {
    /// The name by which it is asked for.
    series: String,
    name: String,
    /// `lower is better`, where that is known.
    better: Option<&'static str>,
    /// Which value is the best one: `lowest` or `highest`.
    best: Option<&'static str>,
    is_of_parent: bool,
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
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Overview).await?;
    let around = services::standing::surroundings(&app, &view.full.run, &view.full.results).await?;
    let mut curves = Vec::new();
    if view.series > 0 {
        curves = services::standing::curves(&app, &view.full.run, &around).await?;
    }
    let mut cards = Vec::new();
    for artifact in main_artifacts(&view) {
        cards.push(Card::read(&app, &member, &head.base, &view.full.run, artifact).await?);
    }
    let sizes = services::storage_use::of_run(&app, member.project.id, view.full.run.id).await?;
    let around = (&around, curves);
    let mut overview = OverviewPage::new(shell, head, &member, cards, &view, around, app.clock.now());
    overview.record.extend((sizes.total() > 0).then(|| Fact::plain("Size", format::size(sizes.total()))));
    Ok(page(&overview))
}

/// The artifacts that are shown first: those that the run was expected to leave behind.
fn main_artifacts(view: &RunView) -> Vec<&Artifact> {
    let mut artifacts: Vec<&Artifact> = view.full.artifacts.iter().take(CARDS_CONSIDERED).collect();
    artifacts.sort_by_cached_key(|artifact| !is_expected(&view.full.run, &artifact.name()));
    artifacts.truncate(CARDS_SHOWN);
    artifacts
}

impl OverviewPage {
    fn new(
        shell: Shell,
        head: RunHeader,
        member: &ProjectMember,
        cards: Vec<Card>,
        view: &RunView,
        (around, curves): (&Surroundings, Vec<Curve>),
        now: OffsetDateTime,
    ) -> Self {
        let curves: Vec<CurveView> = curves.into_iter().map(CurveView::new).collect();
        let (run, snapshot) = (&view.full.run, view.full.snapshot.as_ref());
        let results = results::rows(&view.full.results, around);
        let parent = around.ancestors.last().map(|parent| ExperimentId::new(parent.number).to_string());
        Self {
            intent: terminal::clean(&run.intent),
            setup: terminal::clean(&run.setup),
            learned: NoteView::learned(&view.full.notes, &head, LEARNED_SHOWN),
            results_from: results::common_source(&results),
            curves_parent: parent.clone().filter(|_| curves.iter().any(|curve| curve.is_of_parent)),
            curves_key: curves_key(&head, &curves),
            all_series: match view.series {
                1 => "Its chart".to_owned(),
                many => format!("All {} series", format::count(many.into())),
            },
            curves,
            parent: parent.filter(|_| results.iter().any(|result| !result.before.is_empty())),
            has_ranks: results.iter().any(|result| !result.rank.is_empty()),
            results,
            cards,
            artifact_count: artifact_count(view),
            command: terminal::clean(&run.command),
            working_directory: run.working_directory.as_deref().map(terminal::clean),
            notes: view.full.notes.iter().map(|note| NoteView::new(member, &head, note, now)).collect(),
            note_form: NoteFormView::empty(member, &head),
            expected: expected(run, snapshot),
            outputs: view.full.logs.iter().filter_map(output).collect(),
            path: path(view, around, &head),
            has_more_children: around.has_more_children,
            code: snapshot.map(code_facts).unwrap_or_default(),
            environment: snapshot.map(environment_facts).unwrap_or_default(),
            record: record_facts(run),
            shell,
            head,
        }
    }
}

impl CurveView {
    fn new(curve: Curve) -> Self {
        let (better, best) = match curve.direction {
            Direction::Lower => (Some("lower is better"), "lowest"),
            Direction::Higher => (None, "highest"),
        };
        Self {
            name: terminal::clean(&curve.name),
            series: curve.name,
            better,
            best: curve.has_best.then_some(best),
            is_of_parent: curve.is_of_parent,
        }
    }
}

/// What the drawn curves are, with those of the parent: as long as it is the same, the script's drawing stays.
fn curves_key(head: &RunHeader, curves: &[CurveView]) -> String {
    let names: Vec<String> = curves.iter().map(|curve| format!("{} {}", curve.name, curve.is_of_parent)).collect();
    format!("{} {}", head.base, names.join(", "))
}

/// `7 files, 5.6 MB, 2 of 3 expected found`
fn artifact_count(view: &RunView) -> String {
    let (run, artifacts) = (&view.full.run, &view.full.artifacts);
    let stored: i64 = artifacts.iter().map(|artifact| artifact.size_bytes).fold(0, i64::saturating_add);
    let files = i64::try_from(artifacts.len()).unwrap_or_default();
    let mut text = format!("{}, {}", format::counted(files, "file", "files"), format::size(stored));
    let declared = &run.expected_artifact_paths;
    if run.status.is_final() && !declared.is_empty() {
        let missing = missing_paths(view.full.snapshot.as_ref());
        let found = declared.iter().filter(|path| !missing.contains(&terminal::clean(path))).count();
        text = format!("{text}, {found} of {} expected found", declared.len());
    }
    text
}

/// The runs before this one, itself, and those after it. Nothing where it stands alone.
fn path(view: &RunView, around: &Surroundings, head: &RunHeader) -> Vec<PathStep> {
    if around.ancestors.is_empty() && around.children.is_empty() {
        return Vec::new();
    }
    let run = &view.full.run;
    let itself = RelatedRun { id: run.id, number: run.number, heading: run.heading().to_owned(), status: run.status };
    let step = |related: &RelatedRun, is_next: bool| PathStep {
        run: RunLink::new(&head.project, related),
        value: around.main_values.get(&related.id).map(|value| format::number(*value)),
        is_current: related.id == run.id,
        is_next,
    };
    let before = around.ancestors.iter().chain([&itself]).map(|related| step(related, false));
    before.chain(around.children.iter().map(|related| step(related, true))).collect()
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
    let gpus = snapshot.hardware.as_ref().map(|hardware| hardware.gpus.as_slice()).unwrap_or_default();
    let gpu = gpus.first().map(|gpu| {
        let memory = gpu.memory_bytes.map(|bytes| format!(", {}", format::size(bytes))).unwrap_or_default();
        Fact::plain("GPU", format!("{} × {}{memory}", gpus.len(), terminal::clean(&gpu.name)))
    });
    let facts = [
        Fact::mono("Host", snapshot.hostname.as_ref()),
        gpu,
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
