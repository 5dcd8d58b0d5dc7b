//! Finding and reading artifacts.

mod archive;

use otrace_wire::Sha256Digest;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::blobs::ByteStream;
use crate::domain::artifact::Preview;
use crate::domain::{Artifact, ArtifactId, ProjectId};
use crate::error::{AppError, Result};
use crate::services::{contents, links};
use crate::store;
use crate::tokens;

pub use archive::archive;

/// The project's artifact with this id.
pub async fn find(app: &AppState, project_id: ProjectId, id: ArtifactId) -> Result<Artifact> {
    let found = store::artifacts::find(&mut *app.pool.acquire().await?, project_id, id).await?;
    found.ok_or(AppError::NotFound("Artifact"))
}

/// The hash of an artifact's content in the store. Refused where it is not there: it was never sent, or was deleted.
pub fn stored(artifact: &Artifact) -> Result<Sha256Digest> {
    refuse_deleted(artifact)?;
    artifact.sha256.ok_or(AppError::NotFound("Artifact content"))
}

/// Refuses an artifact whose content was deleted by a rule of the project.
pub fn refuse_deleted(artifact: &Artifact) -> Result<()> {
    let Some(deleted) = &artifact.deleted else { return Ok(()) };
    Err(AppError::Gone(
        format!(
            "The artifact's content was deleted on {} by a rule of the project, {}; its name, size and hash are kept.",
            deleted.at.date(),
            deleted.rule,
        )
        .into(),
    ))
}

/// Makes a link to an artifact's content that works for minutes without a key, for tools that can send none.
pub async fn ticket(app: &AppState, project_id: ProjectId, id: ArtifactId) -> Result<(String, OffsetDateTime)> {
    let artifact = find(app, project_id, id).await?;
    stored(&artifact)?;
    let now = app.clock.now();
    let ticket = app.tokens.download_ticket(id, project_id, now)?;
    Ok((links::url(app, &format!("/download/{ticket}")), now + tokens::DOWNLOAD_LIFETIME))
}

/// The artifact that a link of minutes leads to. One that has ended, or was never made here, leads nowhere.
pub async fn by_ticket(app: &AppState, ticket: &str) -> Result<(ProjectId, Artifact)> {
    let claims = app.tokens.check_download_ticket(ticket, app.clock.now()).ok_or(AppError::NotFound("Download"))?;
    Ok((claims.project, find(app, claims.project, claims.artifact).await?))
}

/// The beginning of a text artifact; `None` where it is no text or its content is not stored.
pub async fn preview(
    app: &AppState,
    project_id: ProjectId,
    artifact: &Artifact,
    max_bytes: u64,
) -> Result<Option<String>> {
    if artifact.preview() != Preview::Text {
        return Ok(None);
    }
    let bytes = head(app, project_id, artifact, max_bytes).await?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The first `max_bytes` bytes of an artifact, whatever it is; `None` where its content is not stored.
pub async fn head(
    app: &AppState,
    project_id: ProjectId,
    artifact: &Artifact,
    max_bytes: u64,
) -> Result<Option<Vec<u8>>> {
    let Some(digest) = artifact.sha256 else { return Ok(None) };
    let end = max_bytes.min(artifact.size_bytes.cast_unsigned());
    Ok(Some(contents::read_part(app, project_id, &digest, 0..end).await?))
}

/// A stored artifact's whole content, as a stream.
pub async fn stream(app: &AppState, project_id: ProjectId, artifact: &Artifact) -> Result<ByteStream> {
    let digest = stored(artifact)?;
    contents::read(app, project_id, &digest, None).await
}
