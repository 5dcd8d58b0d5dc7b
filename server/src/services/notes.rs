//! Notes that people and agents write on runs.

use uuid::Uuid;

use crate::app::AppState;
use crate::auth::RunWriter;
use crate::domain::{Note, RunRef};
use crate::error::{AppError, Result};
use crate::store;
use crate::store::notes::NewNote;

/// The longest note, in bytes.
const NOTE_MAX_BYTES: usize = 64 * 1024;
/// So many notes a run may have.
const NOTES_MAX: i64 = 1_000;

/// Adds a note to a run. The same id again adds nothing and answers with the note that is there.
pub async fn add(app: &AppState, writer: &RunWriter, run: RunRef, id: Option<Uuid>, text: &str) -> Result<Note> {
    let body = text.trim();
    if body.is_empty() {
        return Err(AppError::invalid("The note is empty. Send its text as text."));
    }
    if body.len() > NOTE_MAX_BYTES {
        return Err(AppError::invalid("A note may be 64 KiB long at most. Shorten it, or keep it as an artifact."));
    }
    let id = id.unwrap_or_else(Uuid::now_v7);
    let now = app.clock.now();
    let project_id = writer.project_id;
    let mut transaction = app.pool.begin().await?;
    let run_id = store::runs::resolve(&mut transaction, project_id, run).await?.ok_or(AppError::NotFound("Run"))?;
    if !store::runs::lock(&mut transaction, project_id, run_id, now).await? {
        return Err(AppError::NotFound("Run"));
    }
    let is_full = store::notes::count(&mut transaction, project_id, run_id).await? >= NOTES_MAX;
    if !is_full {
        let note = NewNote { id, api_key_id: writer.key_id, body, created_at: now };
        store::notes::insert(&mut transaction, project_id, run_id, note).await?;
    }
    let notes = store::notes::list(&mut transaction, project_id, &[run_id]).await?;
    let note = notes.into_iter().map(|(_, note)| note).find(|note| note.id == id);
    let note = note.ok_or_else(|| {
        AppError::Conflict(if is_full {
            "The run has all the notes that it may have. Write it on another run.".into()
        } else {
            // On another run or in another project, about which nothing is said.
            "A note with this id exists already. Send a new id.".into()
        })
    })?;
    let run =
        store::runs::load(&mut transaction, project_id, &[run_id]).await?.pop().ok_or(AppError::NotFound("Run"))?;
    transaction.commit().await?;
    crate::services::runs::publish(app, &run, false);
    Ok(note)
}
