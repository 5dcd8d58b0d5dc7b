//! Runs as clients read them.

use otrace_wire as wire;

use crate::app::AppState;
use crate::domain::artifact::Preview;
use crate::domain::{Artifact, ProjectId};
use crate::error::Result;
use crate::services;
use crate::services::runs::FullRun;

pub use crate::services::runs::as_wire::{artifact, summary};

/// A text of a run is written into the answer up to this many bytes.
const TEXT_MAX_BYTES: u64 = 256 * 1024;
/// All its texts together take at most this many; the later ones are left out.
const TEXTS_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// A table's rows are written into the answer up to this many bytes.
const ROWS_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A run with the texts of its artifacts and logs, and all rows of its tables, as far as they are short.
pub async fn full(app: &AppState, project_id: ProjectId, full: FullRun) -> Result<wire::Run> {
    let mut room = TEXTS_MAX_BYTES;
    let mut logs = Vec::with_capacity(full.logs.len());
    for log in &full.logs {
        let text = match TEXT_MAX_BYTES.min(room) {
            0 => None,
            max_bytes => services::logs::head(app, project_id, log, max_bytes).await?,
        };
        room = room.saturating_sub(text.as_ref().map_or(0, |text| text.len() as u64));
        logs.push(text);
    }
    let mut artifacts = Vec::with_capacity(full.artifacts.len());
    for artifact in &full.artifacts {
        let text = text_of(app, project_id, artifact, room).await?;
        room = room.saturating_sub(text.as_ref().map_or(0, |text| text.len() as u64));
        artifacts.push(text);
    }
    let mut tables = Vec::with_capacity(full.tables.len());
    for table in &full.tables {
        tables.push(services::tables::all_rows(app, project_id, table, ROWS_MAX_BYTES).await?);
    }

    let mut run = summary(full);
    for (log, text) in run.logs.iter_mut().zip(logs) {
        log.text_content = text;
    }
    for (artifact, text) in run.artifacts.iter_mut().zip(artifacts) {
        artifact.text_content = text;
    }
    for (table, rows) in run.tables.iter_mut().zip(tables) {
        match rows {
            Some(rows) => table.rows = rows,
            None => {
                table.metadata.get_or_insert_default().insert("truncated".to_owned(), true.into());
            }
        }
    }
    Ok(run)
}

/// A text artifact's whole content where it is short enough; half a text would be taken for all of it.
pub async fn text_of(app: &AppState, project_id: ProjectId, artifact: &Artifact, room: u64) -> Result<Option<String>> {
    if artifact.size_bytes == 0 && artifact.sha256.is_some() {
        // An empty base64 reads as none to published clients; an empty text does not.
        return Ok(Some(String::new()));
    }
    if artifact.preview() != Preview::Text || artifact.size_bytes.cast_unsigned() > TEXT_MAX_BYTES.min(room) {
        return Ok(None);
    }
    services::artifacts::preview(app, project_id, artifact, TEXT_MAX_BYTES).await
}
