//! One run of the notebook, in the words and numbers that the page shows.

use otrace_history::notebook::{Code, Entry, Kept, Measured, MetricsState, Remark, Rows};
use otrace_wire::details::HowWell;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::web::format::{self, Moment};
use crate::web::people::Person;
use crate::web::runs::StatusView;
use crate::web::{markdown, terminal};

/// So many results of a run are shown; the run's own page has all of them.
const RESULTS_SHOWN: usize = 50;
/// The same of files.
const FILES_SHOWN: usize = 20;
/// So many characters of a commit.
const COMMIT_CHARS: usize = 7;

/// A run of the notebook.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) heading: String,
    pub(super) status: StatusView,
    pub(super) state: String,
    pub(super) duration: Option<String>,
    pub(super) recorded: Option<Moment>,
    pub(super) parent: Option<Link>,
    pub(super) tags: Vec<String>,
    pub(super) intent: String,
    pub(super) setup: String,
    pub(super) command: String,
    pub(super) learned: Vec<Said>,
    pub(super) notes: Vec<Said>,
    /// What became of the metrics, where there are none to show.
    pub(super) without_metrics: Option<String>,
    pub(super) results: Vec<ResultRow>,
    /// Whether the parent has any of these results.
    pub(super) is_compared: bool,
    pub(super) more_results: Option<String>,
    pub(super) tables: Vec<String>,
    pub(super) files: Vec<FileRow>,
    pub(super) more_files: Option<String>,
    pub(super) missing: Vec<String>,
    pub(super) code: Option<CodeView>,
}

/// Another run.
pub(super) struct Link {
    pub(super) href: String,
    pub(super) name: String,
}

/// Something that somebody wrote on it.
pub(super) struct Said {
    pub(super) author: Person,
    pub(super) at: Option<Moment>,
    /// Markdown that was made harmless.
    pub(super) html: String,
}

/// A named value, beside the parent's.
pub(super) struct ResultRow {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) before: Option<String>,
    pub(super) change: Option<String>,
}

/// A file that is kept with it.
pub(super) struct FileRow {
    pub(super) path: String,
    pub(super) about: String,
}

/// The code that it ran on.
pub(super) struct CodeView {
    pub(super) commit: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) is_dirty: bool,
    /// How well it can be got back, in a sentence.
    pub(super) rebuilding: Option<String>,
}

impl Section {
    pub(super) fn new(entry: &Entry, project_url: &str) -> Self {
        let runs_url = format!("{project_url}/runs");
        let href = |name: &str| format!("{runs_url}/{name}");
        let said = |remarks: &[Remark]| remarks.iter().map(|remark| Said::new(remark, &runs_url)).collect();
        let parent = entry.parent.as_ref().map(|name| Link { href: href(name), name: name.clone() });
        let all = |paths: &[String]| paths.iter().map(|path| terminal::clean(path)).collect();
        Self {
            href: href(&entry.name),
            name: entry.name.clone(),
            heading: heading(entry),
            status: StatusView::new(entry.status),
            state: terminal::clean(&entry.state),
            duration: entry.duration_seconds.map(format::duration),
            recorded: moment(&entry.created_at),
            parent,
            tags: all(&entry.tags),
            intent: terminal::clean(&entry.intent),
            setup: terminal::clean(&entry.setup),
            command: terminal::clean(&entry.command),
            learned: said(&entry.insights),
            notes: said(&entry.notes),
            without_metrics: without_metrics(entry),
            is_compared: entry.results.iter().any(|result| result.before.is_some()),
            results: entry.results.iter().take(RESULTS_SHOWN).map(ResultRow::new).collect(),
            more_results: more(entry.results.len(), RESULTS_SHOWN, "more result", "more results"),
            tables: entry.tables.iter().map(table).collect(),
            files: entry.artifacts.iter().take(FILES_SHOWN).map(FileRow::new).collect(),
            more_files: more(entry.artifacts.len(), FILES_SHOWN, "more file", "more files"),
            missing: all(&entry.missing_paths),
            code: entry.code.as_ref().map(CodeView::new),
        }
    }
}

impl Said {
    fn new(remark: &Remark, runs_url: &str) -> Self {
        let html = markdown::html(&remark.text, runs_url);
        Self { author: Person::new(&remark.author), at: moment(&remark.created_at), html }
    }
}

impl ResultRow {
    fn new(measured: &Measured) -> Self {
        Self {
            name: terminal::clean(&measured.name),
            value: format::cell(&measured.value),
            before: measured.before.as_ref().map(format::cell),
            change: measured.change(),
        }
    }
}

impl FileRow {
    fn new(kept: &Kept) -> Self {
        let kind = kept.kind.as_deref().map(terminal::clean);
        let about: Vec<String> = kind.into_iter().chain(kept.size_bytes.map(format::size)).collect();
        Self { path: terminal::clean(&kept.path), about: about.join(", ") }
    }
}

impl CodeView {
    fn new(code: &Code) -> Self {
        let rebuilding = code.how_well.map(|how_well| {
            let how_well = match how_well {
                HowWell::Fully => "It can be got back as it was",
                HowWell::Partly => "It can be got back in part",
                HowWell::No => "It can't be got back",
            };
            let reasons = terminal::clean(&code.reasons.join("; "));
            let why = if reasons.is_empty() { String::new() } else { format!(", because {reasons}") };
            format!("{how_well}{why}.")
        });
        Self {
            commit: code.commit.as_deref().map(|commit| format::short(&terminal::clean(commit), COMMIT_CHARS)),
            branch: code.branch.as_deref().map(terminal::clean),
            is_dirty: code.is_dirty.unwrap_or_default(),
            rebuilding,
        }
    }
}

/// What to call it: its title, else the first line of its intent.
fn heading(entry: &Entry) -> String {
    let intent = || entry.intent.lines().next().unwrap_or_default();
    terminal::clean(entry.title.as_deref().unwrap_or_else(intent))
}

fn without_metrics(entry: &Entry) -> Option<String> {
    match entry.metrics.state {
        MetricsState::Parsed => None,
        MetricsState::NotCaptured => Some("No metrics file was captured.".to_owned()),
        MetricsState::NotParsed => {
            let files = terminal::clean(&entry.metrics.files.join(", "));
            Some(format!("No metrics were parsed: nothing could be read from {files}."))
        }
    }
}

fn table(rows: &Rows) -> String {
    let from = rows.source_path.as_deref().map_or_else(|| "Elsewhere".to_owned(), terminal::clean);
    let columns = i64::try_from(rows.columns.len()).unwrap_or_default();
    let (count, columns) =
        (format::counted(rows.row_count, "row", "rows"), format::counted(columns, "column", "columns"));
    format!("{from}: {count}, {columns}")
}

/// `3 more results`, where there are more than are shown.
fn more(all: usize, shown: usize, one: &str, many: &str) -> Option<String> {
    let more = i64::try_from(all.saturating_sub(shown)).unwrap_or_default();
    (more > 0).then(|| format::counted(more, one, many))
}

/// A moment of the record. The page tells its date, however long ago it is.
fn moment(rfc3339: &str) -> Option<Moment> {
    let at = OffsetDateTime::parse(rfc3339, &Rfc3339).ok()?;
    Some(Moment::new(at, at))
}
