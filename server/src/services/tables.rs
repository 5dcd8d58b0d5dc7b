//! Reading the rows of tables.

use serde_json::Value;

use crate::app::AppState;
use crate::domain::{ProjectId, Table};
use crate::error::Result;
use crate::services::contents;

/// All rows of a table where they are at most `max_bytes` long as JSON; else `None`.
pub async fn all_rows(
    app: &AppState,
    project_id: ProjectId,
    table: &Table,
    max_bytes: u64,
) -> Result<Option<Vec<Value>>> {
    let Some(digest) = table.sha256 else { return Ok(Some(table.first_rows.clone())) };
    // One byte more tells whether there is more.
    let bytes = contents::read_part(app, project_id, &digest, 0..max_bytes + 1).await?;
    if bytes.len() as u64 > max_bytes {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&bytes).map_err(|error| anyhow::anyhow!("reading a stored table: {error}"))?))
}
