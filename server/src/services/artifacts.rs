//! Finding and reading artifacts.

use bytes::Bytes;
use futures_util::Stream;

use crate::app::AppState;
use crate::domain::artifact::Preview;
use crate::domain::{Artifact, ArtifactId, ProjectId};
use crate::error::{AppError, Result};
use crate::store;

/// The project's artifact with this id.
pub async fn find(app: &AppState, project_id: ProjectId, id: ArtifactId) -> Result<Artifact> {
    let found = store::artifacts::find(&mut *app.pool.acquire().await?, project_id, id).await?;
    found.ok_or(AppError::NotFound("Artifact"))
}

/// The beginning of a text artifact; `None` where it is no text or its content is not stored.
pub async fn preview(
    app: &AppState,
    project_id: ProjectId,
    artifact: &Artifact,
    max_bytes: u64,
) -> Result<Option<String>> {
    let Some(digest) = artifact.sha256.filter(|_| artifact.preview() == Preview::Text) else { return Ok(None) };
    let end = max_bytes.min(artifact.size_bytes.cast_unsigned());
    let bytes = app.blobs.read_part(project_id, &digest, 0..end).await?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// A stored artifact's whole content, as a stream.
pub async fn stream(
    app: &AppState,
    project_id: ProjectId,
    artifact: &Artifact,
) -> Result<impl Stream<Item = object_store::Result<Bytes>> + Send + use<>> {
    let digest = artifact.sha256.ok_or(AppError::NotFound("Artifact content"))?;
    app.blobs.read(project_id, &digest, None).await
}
