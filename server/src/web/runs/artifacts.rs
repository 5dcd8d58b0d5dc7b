//! The files kept with a run: all of them, one, and all as a zip.

mod preview;
mod tree;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{RunHeader, RunTab, is_expected, missing_paths, open};
use crate::app::AppState;
use crate::auth::{ProjectMember, ProjectReader};
use crate::domain::artifact::Preview;
use crate::domain::{Artifact, ArtifactId, Run};
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::web::format::{self, Moment};
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};
use preview::Shown;
use tree::TreeLine;

/// How much of a text a card reads, and how many lines of it it shows.
const CARD_BYTES: u64 = 1024;
const CARD_LINES: usize = 5;
/// How many cards there are beside the tree.
const CARDS: usize = 24;
/// How many files the tree of a page has.
const TREE_FILES: usize = 1_000;

/// A file as a card.
pub struct Card {
    pub(super) href: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) size: String,
    pub(super) is_expected: bool,
    pub(super) text: Option<String>,
    pub(super) image: Option<String>,
}

impl Card {
    /// The card of `artifact`, with the beginning of its text.
    pub(super) async fn read(
        app: &AppState,
        member: &ProjectMember,
        run_url: &str,
        run: &Run,
        artifact: &Artifact,
    ) -> Result<Self> {
        let mut card = Self::plain(run_url, run, artifact);
        if artifact.preview() == Preview::Text {
            let text = services::artifacts::preview(app, member.project.id, artifact, CARD_BYTES).await?;
            card.text = text.map(|text| beginning(&text)).filter(|text| !text.is_empty());
        }
        Ok(card)
    }

    fn plain(run_url: &str, run: &Run, artifact: &Artifact) -> Self {
        let name = artifact.name();
        let href = format!("{run_url}/artifacts/{}", artifact.id);
        let is_image = artifact.sha256.is_some() && matches!(artifact.preview(), Preview::Image(_));
        Self {
            image: is_image.then(|| format!("{href}/raw?inline")),
            is_expected: is_expected(run, &name),
            name: terminal::clean(&name),
            kind: terminal::clean(&artifact.kind),
            size: match artifact.deleted {
                Some(_) => format!("{}, deleted", format::size(artifact.size_bytes)),
                None => format::size(artifact.size_bytes),
            },
            text: None,
            href,
        }
    }
}

/// The first lines of a text, and a sign that there are more.
fn beginning(text: &str) -> String {
    let mut lines = terminal::lines(text);
    if lines.len() > CARD_LINES {
        lines.truncate(CARD_LINES - 1);
        lines.push("…".to_owned());
    }
    lines.join("\n")
}

#[derive(Template)]
#[template(path = "runs/artifacts.html")]
struct ArtifactsPage {
    shell: Shell,
    head: RunHeader,
    tree: Vec<TreeLine>,
    cards: Vec<Card>,
    /// `The first 24 of 312`, where not every file has a card.
    cards_shown: Option<String>,
    missing: Vec<String>,
    summary: String,
    /// Where all of them come as one zip, if anything of them was sent.
    zip_url: Option<String>,
    /// Where the tree goes on, and what it then shows.
    next: Option<(String, String)>,
    is_over: bool,
}

/// `?from=1000`: the tree of a run with very many files has pages.
#[derive(Deserialize)]
pub struct TreePlace {
    #[serde(default)]
    from: usize,
}

/// `GET /projects/{slug}/runs/{run}/artifacts`
pub async fn list(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
    Query(TreePlace { from }): Query<TreePlace>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Artifacts).await?;
    let all = &view.full.artifacts;
    let mut cards = Vec::new();
    for artifact in all.iter().skip(from).take(CARDS) {
        cards.push(Card::read(&app, &member, &head.base, &view.full.run, artifact).await?);
    }
    let count = |files: usize| i64::try_from(files).unwrap_or_default();
    let from = from.min(all.len());
    let on_page = (all.len() - from).min(TREE_FILES);
    let left = all.len() - from - on_page;
    let stored: i64 = all.iter().map(|artifact| artifact.size_bytes).fold(0, i64::saturating_add);
    Ok(page(&ArtifactsPage {
        tree: tree::of(&head.base, &view.full.run, &all[from..from + on_page]),
        cards_shown: (on_page > cards.len())
            .then(|| format!("the first {} of {}", cards.len(), format::count(count(on_page)))),
        cards,
        missing: missing_paths(view.full.snapshot.as_ref()),
        summary: format!("{}, {}", format::counted(count(all.len()), "file", "files"), format::size(stored)),
        zip_url: all.iter().any(|artifact| artifact.sha256.is_some()).then(|| format!("{}/artifacts.zip", head.base)),
        next: (left > 0).then(|| {
            let more = format::counted(count(left.min(TREE_FILES)), "more file", "more files");
            (format!("{}/artifacts?from={}", head.base, from + on_page), more)
        }),
        is_over: view.full.run.status.is_final(),
        shell,
        head,
    }))
}

#[derive(Template)]
#[template(path = "runs/artifact.html")]
struct ArtifactPage {
    shell: Shell,
    head: RunHeader,
    name: String,
    kind: String,
    size: String,
    content_type: String,
    hash: Option<String>,
    captured: Option<Moment>,
    shown: Shown,
    /// Where its content is; `None` where only its record was kept.
    raw_url: Option<String>,
    /// When its content was deleted, and by which rule.
    deleted: Option<(Moment, String)>,
}

/// `GET /projects/{slug}/runs/{run}/artifacts/{artifact}`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run, artifact)): Path<(String, String, String)>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Artifacts).await?;
    let id = artifact.parse().map(ArtifactId).map_err(|_| AppError::NotFound("Artifact"))?;
    let artifact = services::artifacts::find(&app, member.project.id, id).await?;
    if artifact.run_id != view.full.run.id {
        return Err(AppError::NotFound("Artifact"));
    }
    let card = Card::plain(&head.base, &view.full.run, &artifact);
    let runs_url = format!("{}/runs", head.project);
    let shown = Shown::read(&app, member.project.id, &artifact, &card.href, &runs_url).await?;
    let policy = shown.policy();
    let mut response = page(&ArtifactPage {
        shell,
        head,
        name: card.name,
        kind: card.kind,
        content_type: terminal::clean(&artifact.content_type),
        hash: match artifact.deleted {
            Some(_) => artifact.hash.as_deref().map(terminal::clean),
            None => artifact.sha256.map(|hash| hash.to_string()),
        },
        deleted: artifact
            .deleted
            .as_ref()
            .map(|deleted| (Moment::new(deleted.at, app.clock.now()), terminal::clean(&deleted.rule))),
        captured: artifact.captured_at.map(|at| Moment::new(at, app.clock.now())),
        shown,
        raw_url: artifact.sha256.is_some().then(|| format!("{}/raw", card.href)),
        size: card.size,
    });
    if let Some(policy) = policy {
        let policy = HeaderValue::try_from(policy).map_err(anyhow::Error::new)?;
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// `GET /projects/{slug}/runs/{run}/artifacts.zip`: made while it is sent.
pub async fn zip(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    let project_id = member.project.id;
    let view = services::runs::show(&app, project_id, super::run_ref(&run)?).await?;
    let experiment = view.full.run.experiment_id().to_string();
    let archive = services::artifacts::archive(app, project_id, &experiment, view.full.artifacts);
    let disposition = format!("attachment; filename=\"{experiment}.zip\"");
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/zip")),
        (CONTENT_DISPOSITION, HeaderValue::try_from(disposition).map_err(anyhow::Error::new)?),
        // A proxy that would gather it first would hold all of it.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(archive)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_shows_the_first_lines() {
        assert_eq!(beginning("a\nb\n"), "a\nb");
        assert_eq!(beginning("1\n2\n3\n4\n5\n6"), "1\n2\n3\n4\n…");
    }
}
