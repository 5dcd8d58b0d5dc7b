//! Runs side by side: what differs between them, what came out, their curves, pictures and code.

mod asked;
mod charts;
mod code;
mod csv;
mod fields;
mod pictures;
mod table;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use otrace_wire::ExperimentId;
use time::OffsetDateTime;

use super::format::Moment;
use super::runs::StatusView;
use super::shell::{Choice, Look, ProjectTab, Shell, project_url};
use super::{page, terminal, with_status};
use crate::app::AppState;
use crate::auth::{ProjectMember, ProjectReader};
use crate::domain::RunId;
use crate::error::{AppError, Result};
use crate::services;
use crate::services::comparison::{Column, Compared, Curves, RUNS_MAX, SectionKind};
use crate::store::lineage::LineageRun;
use asked::{Asked, Hidden};
use charts::{ChartView, ParallelView, ScatterView};
use code::CodeView;
use pictures::PictureRow;
use table::{ColumnView, ResultView, SectionView};

/// So many charts of curves a page has.
const CHARTS: usize = 4;
/// For so many runs what changed is told in words.
const TOLD_RUNS: usize = 4;
/// So many runs fit beside each other; more of them are scrolled.
const BESIDE: usize = 3;

#[derive(Template)]
#[template(path = "compare/show.html")]
struct ComparePage {
    shell: Shell,
    base: String,
    project: String,
    /// `exp001, exp004`
    runs: String,
    count: usize,
    /// What a link to the page is previewed with.
    preview: String,
    /// All columns are in sight at once.
    fits: bool,
    columns: Vec<ColumnView>,
    /// `From exp001 to exp004: 2 parameters, the command.`
    told: Vec<String>,
    /// What was asked for and is not there.
    unknown: Option<String>,
    baselines: Vec<Choice>,
    baseline_hidden: Vec<Hidden>,
    csv_url: String,
    add_url: String,
    shows_same: bool,
    same_url: String,
    /// Those of which any row is shown.
    sections: Vec<SectionView>,
    results: Vec<ResultView>,
    /// `2 of 7 differ`
    results_count: String,
    /// Of what nothing is shown, as nothing differs: `parameters (3), code (4)`.
    same: Option<String>,
    curves: Vec<ChartView>,
    series: String,
    series_hidden: Vec<Hidden>,
    more_url: Option<String>,
    scatter: ScatterView,
    scatter_hidden: Vec<Hidden>,
    parallel: Option<ParallelView>,
    parallel_hidden: Vec<Hidden>,
    pictures: Vec<PictureRow>,
    code: CodeView,
    code_hidden: Vec<Hidden>,
}

#[derive(Template)]
#[template(path = "compare/pick.html")]
struct PickPage {
    shell: Shell,
    base: String,
    project: String,
    /// Why nothing is compared yet, where something was asked for.
    refused: Option<String>,
    candidates: Vec<Candidate>,
    hidden: Vec<Hidden>,
}

/// A run that can be chosen.
struct Candidate {
    experiment: String,
    heading: String,
    status: StatusView,
    created: Moment,
    is_chosen: bool,
}

/// `GET /projects/{slug}/compare`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let asked = Asked::read(query.as_deref());
    if asked.ids.len() < 2 || asked.ids.len() > RUNS_MAX {
        return pick(&app, look, &member, &asked, None).await;
    }
    let found = compared(&app, &member, &asked).await?;
    if found.baseline.is_none() || found.columns.len() < 2 {
        return pick(&app, look, &member, &asked, Some(&found)).await;
    }
    let runs: Vec<RunId> = found.columns.iter().filter_map(Column::run).map(|run| run.run.id).collect();
    let project_id = member.project.id;
    let curves = services::comparison::curves(&app, project_id, &runs, &asked.series, asked.skip, CHARTS).await?;
    let pair = code::pair(&found, &asked);
    let changes = match pair {
        Some([before, after]) => {
            Some(services::comparison::code(&app, project_id, before.number(), after.number()).await?)
        }
        None => None,
    };
    let path = format!("{}/compare", project_url(&member.project));
    let code = CodeView::new(&found, pair, changes.as_ref(), &asked, &path);
    let shell = shell(&app, look, &member).await?;
    Ok(page(&ComparePage::new(shell, &member, &asked, &found, &curves, code, app.clock.now())))
}

/// `GET /projects/{slug}/compare.csv`
pub async fn export(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let asked = Asked::read(query.as_deref());
    if asked.ids.is_empty() || asked.ids.len() > RUNS_MAX {
        return Err(AppError::invalid("Name 2 to 20 runs: ?ids=exp001,exp004."));
    }
    Ok(csv::response(&compared(&app, &member, &asked).await?))
}

async fn compared(app: &AppState, member: &ProjectMember, asked: &Asked) -> Result<Compared> {
    let baseline = asked.baseline.map(ExperimentId::number);
    services::comparison::show(app, member.project.id, &asked.numbers(), baseline).await
}

async fn shell(app: &AppState, look: Look, member: &ProjectMember) -> Result<Shell> {
    let shell = Shell::of_project(app, look, member, ProjectTab::Runs).await?;
    Ok(shell.below(format!("{}/compare", project_url(&member.project)), "compare".to_owned()))
}

/// The list to choose runs from, where fewer than two or too many were asked for.
async fn pick(
    app: &AppState,
    look: Look,
    member: &ProjectMember,
    asked: &Asked,
    found: Option<&Compared>,
) -> Result<Response> {
    let too_many = asked.ids.len() > RUNS_MAX;
    let refused = if too_many {
        Some(format!("At most {RUNS_MAX} runs stand side by side, and these are {}. Choose fewer.", asked.ids.len()))
    } else {
        unknown(asked, found)
    };
    let candidates = services::comparison::candidates(app, member.project.id).await?;
    let now = app.clock.now();
    let template = PickPage {
        shell: shell(app, look, member).await?,
        base: project_url(&member.project),
        project: terminal::clean(&member.project.name),
        refused,
        candidates: candidates.iter().map(|run| Candidate::new(run, asked, now)).collect(),
        hidden: asked.hidden_but(&["ids"]),
    };
    Ok(if too_many { with_status(StatusCode::BAD_REQUEST, &template) } else { page(&template) })
}

/// What was asked for and is not there, in one sentence.
fn unknown(asked: &Asked, found: Option<&Compared>) -> Option<String> {
    let missing = found.iter().flat_map(|found| &found.unknown).map(ToString::to_string);
    let nonsense = asked.nonsense.iter().map(|name| format!("“{}”", terminal::clean(name)));
    let names: Vec<String> = missing.chain(nonsense).take(RUNS_MAX).collect();
    (!names.is_empty()).then(|| format!("This project has no run {}.", names.join(", ")))
}

impl Candidate {
    fn new(run: &LineageRun, asked: &Asked, now: OffsetDateTime) -> Self {
        let experiment = ExperimentId::new(run.number);
        let title = run.title.as_deref().filter(|title| !title.is_empty());
        Self {
            experiment: experiment.to_string(),
            heading: terminal::clean(title.unwrap_or_else(|| run.intent.lines().next().unwrap_or_default())),
            status: StatusView::new(run.status),
            created: Moment::new(run.created_at, now),
            is_chosen: asked.ids.contains(&experiment),
        }
    }
}

impl ComparePage {
    fn new(
        shell: Shell,
        member: &ProjectMember,
        asked: &Asked,
        found: &Compared,
        curves: &Curves,
        code: CodeView,
        now: OffsetDateTime,
    ) -> Self {
        let base = project_url(&member.project);
        let path = format!("{base}/compare");
        let more = Asked { skip: asked.skip + CHARTS, ..asked.clone() };
        let other = Asked { shows_same: !asked.shows_same, ..asked.clone() };
        let fields = fields::of(found);
        let (sections, unshown): (Vec<SectionView>, Vec<SectionView>) = found
            .sections
            .iter()
            .map(|section| SectionView::new(section, found.baseline, asked.shows_same))
            .partition(|section| !section.rows.is_empty());
        let results = found.results.iter();
        let results: Vec<ResultView> =
            results.filter_map(|row| ResultView::new(row, found.baseline, asked.shows_same)).collect();
        let columns = table::columns(found, asked, &base, now);
        let told = told(found);
        let names: Vec<String> = found.columns.iter().map(|column| column.experiment().to_string()).collect();
        Self {
            shell,
            project: terminal::clean(&member.project.name),
            runs: names.join(", "),
            count: names.len(),
            preview: preview(&told, &columns),
            fits: columns.len() <= BESIDE,
            columns,
            told,
            unknown: unknown(asked, Some(found)),
            baselines: baselines(found),
            baseline_hidden: asked.hidden_but(&["baseline"]),
            csv_url: asked.url(&format!("{base}/compare.csv")),
            add_url: Asked { ids: Vec::new(), ..asked.clone() }.url(&path),
            shows_same: asked.shows_same,
            same_url: other.url(&path),
            same: same(if results.is_empty() { found.results.len() } else { 0 }, &unshown),
            results_count: results_count(found),
            sections,
            results,
            curves: charts::curves(found, curves),
            series: asked.series.clone(),
            series_hidden: asked.hidden_but(&["series", "skip"]),
            more_url: curves.has_more.then(|| more.url(&path)),
            scatter: charts::scatter(found, &fields, asked),
            scatter_hidden: asked.hidden_but(&["x", "y"]),
            parallel: charts::parallel(found, &fields, asked),
            parallel_hidden: asked.hidden_but(&["axes"]),
            pictures: pictures::rows(found, &base),
            code,
            code_hidden: asked.hidden_but(&["code"]),
            base,
        }
    }
}

/// What changed, or else what the runs are called.
fn preview(told: &[String], columns: &[ColumnView]) -> String {
    if !told.is_empty() {
        return table::cut(&told.join(" "));
    }
    let headings: Vec<&str> = columns.iter().map(|column| column.heading.as_str()).collect();
    table::cut(&headings.join(", "))
}

/// `2 of 7 differ`
fn results_count(found: &Compared) -> String {
    let differing = found.results.iter().filter(|row| row.differs).count();
    format!("{} of {} differ", table::number(differing), table::number(found.results.len()))
}

/// `results (4), parameters (3)`: how many results and rows of sections are the same, and not shown.
fn same(results: usize, sections: &[SectionView]) -> Option<String> {
    let results = (results > 0).then(|| format!("results ({})", table::number(results)));
    let sections = sections.iter().map(|section| format!("{} ({})", section.title.to_lowercase(), section.all));
    let all: Vec<String> = results.into_iter().chain(sections).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn baselines(found: &Compared) -> Vec<Choice> {
    let runs = found.columns.iter().enumerate().filter(|(_, column)| column.run().is_some());
    let choice = |(place, column): (usize, &Column)| Choice {
        value: column.experiment().to_string(),
        label: column.experiment().to_string(),
        is_chosen: found.baseline == Some(place),
    };
    runs.map(choice).collect()
}

/// What changed from the baseline to each other run, where those are few.
fn told(found: &Compared) -> Vec<String> {
    let Some(baseline) = found.baseline else { return Vec::new() };
    let others =
        || (0..found.columns.len()).filter(|place| *place != baseline && found.columns[*place].run().is_some());
    if others().count() > TOLD_RUNS {
        return Vec::new();
    }
    let before = found.columns[baseline].experiment();
    others()
        .map(|place| format!("From {before} to {}: {}.", found.columns[place].experiment(), change(found, place)))
        .collect()
}

/// `3 parameters, the command, 1 dependency`
fn change(found: &Compared, place: usize) -> String {
    let counted = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{} {many}", table::number(count)),
    };
    let parts = found.sections.iter().filter_map(|section| {
        let differs =
            section.rows.iter().filter(|row| found.baseline.is_some_and(|base| row.values[place] != row.values[base]));
        match (differs.count(), section.kind) {
            (0, _) => None,
            (count, SectionKind::Parameters) => Some(counted(count, "parameter", "parameters")),
            (count, SectionKind::Dependencies) => Some(counted(count, "dependency", "dependencies")),
            (_, SectionKind::Command) => Some("how it was called".to_owned()),
            (_, SectionKind::Code) => Some("the code".to_owned()),
            (_, SectionKind::Environment) => Some("the environment".to_owned()),
        }
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "nothing that is recorded here".to_owned() } else { parts.join(", ") }
}
