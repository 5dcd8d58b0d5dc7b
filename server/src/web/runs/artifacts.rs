//! The files kept with a run: all of them, and one.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::{RunHeader, RunTab, is_expected, missing_paths, open};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::artifact::Preview;
use crate::domain::{Artifact, ArtifactId, Run};
use crate::error::{AppError, Result};
use crate::extract::Path;
use crate::services;
use crate::web::format::{self, Moment};
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};

/// How much of a text a card reads, and how many lines of it it shows.
const CARD_BYTES: u64 = 1024;
const CARD_LINES: usize = 5;
/// How many cards show their content; the others show an icon.
const CARDS_WITH_CONTENT: usize = 24;
/// How much of a text its own page shows.
const PAGE_BYTES: u64 = 256 * 1024;

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
            size: format::size(artifact.size_bytes),
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
    cards: Vec<Card>,
    missing: Vec<String>,
    summary: String,
    is_over: bool,
}

/// `GET /projects/{slug}/runs/{run}/artifacts`
pub async fn list(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Artifacts).await?;
    let mut cards = Vec::new();
    for (position, artifact) in view.full.artifacts.iter().enumerate() {
        cards.push(match position {
            ..CARDS_WITH_CONTENT => Card::read(&app, &member, &head.base, &view.full.run, artifact).await?,
            _ => Card::plain(&head.base, &view.full.run, artifact),
        });
    }
    let files = i64::try_from(cards.len()).unwrap_or_default();
    let stored: i64 = view.full.artifacts.iter().map(|artifact| artifact.size_bytes).fold(0, i64::saturating_add);
    Ok(page(&ArtifactsPage {
        shell,
        head,
        cards,
        missing: missing_paths(view.full.snapshot.as_ref()),
        summary: format!("{}, {}", format::counted(files, "file", "files"), format::size(stored)),
        is_over: view.full.run.status.is_final(),
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
    text: Option<String>,
    image: Option<String>,
    /// How much of the text is shown, where it is not all.
    cut: Option<String>,
    /// Where its content is; `None` where only its record was kept.
    raw_url: Option<String>,
}

/// `GET /projects/{slug}/runs/{run}/artifacts/{artifact}`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, run, artifact)): Path<(String, String, String)>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Artifacts).await?;
    let id = artifact.parse().map(ArtifactId).map_err(|_| AppError::NotFound("Artifact"))?;
    let artifact = services::artifacts::find(&app, member.project.id, id).await?;
    if artifact.run_id != view.full.run.id {
        return Err(AppError::NotFound("Artifact"));
    }
    let text = match artifact.preview() {
        Preview::Text => services::artifacts::preview(&app, member.project.id, &artifact, PAGE_BYTES).await?,
        _ => None,
    };
    let is_cut = text.is_some() && artifact.size_bytes.unsigned_abs() > PAGE_BYTES;
    let card = Card::plain(&head.base, &view.full.run, &artifact);
    Ok(page(&ArtifactPage {
        shell,
        head,
        name: card.name,
        kind: card.kind,
        content_type: terminal::clean(&artifact.content_type),
        hash: artifact.sha256.map(|hash| hash.to_string()),
        captured: artifact.captured_at.map(|at| Moment::new(at, app.clock.now())),
        text: text.map(|text| terminal::clean(&text)),
        image: card.image,
        cut: is_cut.then(|| format!("Only the beginning of {} is shown.", card.size)),
        raw_url: artifact.sha256.is_some().then(|| format!("{}/raw", card.href)),
        size: card.size,
    }))
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
