//! Reading logs.

use crate::app::AppState;
use crate::domain::{Log, ProjectId};
use crate::error::Result;

/// The end of a log.
#[derive(Debug)]
pub struct LogTail {
    /// Its text; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// Whether the text begins in the middle of a line.
    pub first_line_is_cut: bool,
    /// How many bytes of the log come before the text.
    pub bytes_before: u64,
}

/// The last `max_bytes` bytes of a log.
pub async fn tail(app: &AppState, project_id: ProjectId, log: &Log, max_bytes: u64) -> Result<LogTail> {
    let Some(digest) = log.sha256 else {
        return Ok(LogTail { text: String::new(), first_line_is_cut: false, bytes_before: 0 });
    };
    let size = log.size_bytes.cast_unsigned();
    let start = size.saturating_sub(max_bytes);
    let bytes = app.blobs.read_part(project_id, &digest, start..size).await?;
    Ok(LogTail {
        text: String::from_utf8_lossy(&bytes).into_owned(),
        first_line_is_cut: start > 0,
        bytes_before: start,
    })
}

/// The first `max_bytes` bytes of a log as text; `None` where its content is not stored.
pub async fn head(app: &AppState, project_id: ProjectId, log: &Log, max_bytes: u64) -> Result<Option<String>> {
    let Some(digest) = log.sha256 else { return Ok(None) };
    let end = log.size_bytes.cast_unsigned().min(max_bytes);
    let bytes = app.blobs.read_part(project_id, &digest, 0..end).await?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
