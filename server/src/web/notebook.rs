//! The notebook of a project: as a page, and as the Markdown that `otrace notebook generate` writes.

mod sections;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use otrace_history::notebook::{Document, Mode};
use serde::Deserialize;
use time::OffsetDateTime;

use super::format;
use super::shell::{ProjectTab, Shell, project_url};
use super::{Look, page, terminal};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::{Project, RunRef};
use crate::error::{AppError, Result};
use crate::extract::Query;
use crate::services;
use crate::services::history::{Chosen, NotebookPage as Part, RunPlace};
use sections::Section;

#[derive(Template)]
#[template(path = "notebook/show.html")]
struct NotebookPage {
    shell: Shell,
    base: String,
    project: String,
    modes: Vec<ModeLink>,
    /// What the run is called whose branch is told, or that somebody asked for; `None`: no branch is.
    branch_of: Option<String>,
    sections: Vec<Section>,
    nothing: &'static str,
    range: String,
    first: Option<String>,
    next: Option<String>,
    download: String,
}

/// A mode, above the page.
struct ModeLink {
    href: String,
    label: &'static str,
    is_current: bool,
}

/// `?mode=&run=&after=`. A mode and a place that can't be read are not asked for.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    mode: String,
    #[serde(default)]
    run: String,
    #[serde(default)]
    after: String,
}

impl Asked {
    fn mode(&self) -> Mode {
        self.mode.parse().unwrap_or_default()
    }

    /// The run that is named, as `exp042` or by its id; nothing, where none is.
    fn run(&self) -> Result<Option<RunRef>> {
        let name = self.run.trim().to_lowercase();
        if name.is_empty() {
            return Ok(None);
        }
        name.parse().map(Some).map_err(|_| AppError::NotFound("Run"))
    }
}

/// `GET /projects/{slug}/notebook`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let (mode, after) = (asked.mode(), place(&asked.after));
    let chosen = services::history::choose(&app, member.project.id, mode, asked.run()?).await?;
    let part = services::history::notebook(&app, member.project.id, chosen, after).await?;
    let shell = Shell::of_project(&app, look, &member, ProjectTab::Notebook).await?;
    Ok(page(&NotebookPage::new(shell, &member.project, (mode, chosen), &part, after.is_some())))
}

/// `GET /projects/{slug}/notebook.md`: however many runs there are, a part of them is in memory.
pub async fn download(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let project = member.project;
    let chosen = services::history::choose(&app, project.id, asked.mode(), asked.run()?).await?;
    let document = Document::markdown(&project.name, asked.mode(), branch_of(chosen).as_deref());
    // The first part is read before the answer begins, so that a failure still has its status.
    let part = services::history::notebook(&app, project.id, chosen, None).await?;

    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/markdown; charset=utf-8"));
    let disposition = format!("attachment; filename=\"{}-notebook.md\"", project.slug);
    headers.insert(CONTENT_DISPOSITION, HeaderValue::try_from(disposition).map_err(anyhow::Error::new)?);
    let begun = Download { app, project, chosen, lead: document.opening(), document, part: Some(part) };
    Ok((headers, Body::from_stream(stream::try_unfold(begun, next_part))).into_response())
}

/// A notebook on its way.
struct Download {
    app: AppState,
    project: Project,
    chosen: Chosen,
    document: Document,
    /// What stands before the next run.
    lead: String,
    /// What is to be sent; `None`: all is.
    part: Option<Part>,
}

async fn next_part(mut download: Download) -> Result<Option<(String, Download)>> {
    let Some(part) = download.part.take() else { return Ok(None) };
    let mut text = std::mem::take(&mut download.lead);
    for entry in &part.entries {
        text.push_str(&download.document.entry(entry));
    }
    match part.next {
        Some(place) => {
            let next = services::history::notebook(&download.app, download.project.id, download.chosen, Some(place));
            download.part = Some(next.await?);
        }
        None => text.push_str(&download.document.end()),
    }
    Ok(Some((text, download)))
}

impl NotebookPage {
    fn new(shell: Shell, project: &Project, (mode, chosen): (Mode, Chosen), part: &Part, is_further: bool) -> Self {
        let (base, branch_of) = (project_url(project), branch_of(chosen));
        let run = branch_of.as_ref().map(|run| format!("&run={run}")).unwrap_or_default();
        let asked = format!("mode={mode}{run}");
        let url = format!("{base}/notebook?{asked}");
        let link = |this: Mode, label: &'static str| ModeLink {
            href: format!("{base}/notebook?mode={this}"),
            label,
            is_current: this == mode,
        };
        let count = i64::try_from(part.entries.len()).unwrap_or_default();
        Self {
            shell,
            project: terminal::clean(&project.name),
            modes: vec![
                link(Mode::Chronological, "All"),
                link(Mode::Branch, "Branch"),
                link(Mode::Insights, "With insights"),
            ],
            branch_of: (mode == Mode::Branch).then(|| branch_of.unwrap_or_default()),
            nothing: nothing(mode, is_further),
            range: format::counted(count, "experiment", "experiments"),
            first: is_further.then(|| url.clone()),
            next: part.next.map(|place| format!("{url}&after={}", cursor(place))),
            download: format!("{base}/notebook.md?{asked}"),
            sections: part.entries.iter().map(|entry| Section::new(entry, &base)).collect(),
            base,
        }
    }
}

/// What the run is called whose branch is told.
fn branch_of(chosen: Chosen) -> Option<String> {
    match chosen {
        Chosen::BranchOf(run) => Some(run.to_string()),
        Chosen::All | Chosen::WithInsights | Chosen::Nothing => None,
    }
}

/// What an empty page says.
const fn nothing(mode: Mode, is_further: bool) -> &'static str {
    match (is_further, mode) {
        (true, _) => "There are no further experiments.",
        (false, Mode::Insights) => "Nobody has noted an #insight yet.",
        (false, Mode::Chronological | Mode::Branch) => "The project has no runs yet.",
    }
}

/// A run's place as it stands in an address: microseconds since 1970, and its number.
fn cursor(place: RunPlace) -> String {
    format!("{}-{}", place.created_at.unix_timestamp_nanos() / 1000, place.number)
}

fn place(cursor: &str) -> Option<RunPlace> {
    let (micros, number) = cursor.rsplit_once('-')?;
    // Imported runs may be older than 1970, but the database knows no year before -4713.
    let micros: i64 = micros.parse().ok().filter(|micros| *micros > -200_000_000_000_000_000)?;
    let created_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()?;
    Some(RunPlace { created_at, number: number.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_place_reads_back_and_nonsense_is_none() {
        for created_at in [datetime!(2026-06-01 12:00:00.123456 UTC), datetime!(1969-12-31 23:59:59 UTC)] {
            let told = RunPlace { created_at, number: 42 };
            assert_eq!(place(&cursor(told)), Some(told));
        }
        for nonsense in ["", "-", "1", "x-1", "1-x", "-9223372036854775808-1", "9223372036854775807-1"] {
            assert_eq!(place(nonsense), None, "{nonsense}");
        }
    }
}
