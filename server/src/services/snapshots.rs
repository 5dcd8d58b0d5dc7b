//! Reading the diffs and dependency files of a snapshot.

use crate::app::AppState;
use crate::domain::ProjectId;
use crate::domain::snapshot::SnapshotFile;
use crate::error::Result;
use crate::services::contents;

/// The first `max_bytes` bytes of a diff or dependency file, as text.
pub async fn read(app: &AppState, project_id: ProjectId, file: &SnapshotFile, max_bytes: u64) -> Result<String> {
    let end = file.size_bytes.cast_unsigned().min(max_bytes);
    let bytes = contents::read_part(app, project_id, &file.sha256, 0..end).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
