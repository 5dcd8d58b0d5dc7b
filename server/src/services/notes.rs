//! Notes that people and agents write on runs.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::app::AppState;
use crate::auth::{ProjectMember, RunWriter};
use crate::domain::note::{NOTE_MAX_BYTES, NOTES_MAX, NOTES_MAX_BYTES};
use crate::domain::text::without_nul;
use crate::domain::{AccountId, ApiKeyId, Note, ProjectId, Role, RunId, RunRef};
use crate::error::{AppError, Result};
use crate::services::runs;
use crate::store;
use crate::store::notes::NewNote;

/// Who writes a note: a person, or a machine with a key.
#[derive(Clone, Copy)]
struct Writer {
    project: ProjectId,
    account: Option<AccountId>,
    api_key: Option<ApiKeyId>,
}

/// Adds a machine's note to a run. The same id again adds nothing and answers with the note that is there.
pub async fn add(app: &AppState, writer: &RunWriter, run: RunRef, id: Option<Uuid>, text: &str) -> Result<Note> {
    let body = checked(text)?;
    let writer = Writer { project: writer.project_id, account: None, api_key: Some(writer.key_id) };
    write(app, writer, run, id.unwrap_or_else(Uuid::now_v7), body).await
}

/// Adds a person's note to a run. The same id again adds nothing, so that a form that is sent twice is one note.
pub async fn add_by_hand(
    app: &AppState,
    member: &ProjectMember,
    run: RunRef,
    id: Option<Uuid>,
    text: &str,
) -> Result<Note> {
    member.require(Role::Editor)?;
    // Browsers end the lines of a form as mail does.
    let text = without_nul(text).replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Err(AppError::invalid("Write something first: the note is empty."));
    }
    let body = checked(&text)?;
    let writer = Writer { project: member.project.id, account: Some(member.account.id), api_key: None };
    write(app, writer, run, id.unwrap_or_else(Uuid::now_v7), body).await
}

/// Removes a note that the member wrote. Those of others are not found.
pub async fn remove(app: &AppState, member: &ProjectMember, run: RunRef, id: Uuid) -> Result<()> {
    member.require(Role::Editor)?;
    let (now, project_id) = (app.clock.now(), member.project.id);
    let mut transaction = app.pool.begin().await?;
    let run_id = runs::resolve_in(&mut transaction, project_id, run).await?;
    if !store::notes::delete(&mut transaction, project_id, run_id, id, member.account.id).await? {
        return Err(AppError::NotFound("Note"));
    }
    runs::lock(&mut transaction, project_id, run_id, now).await?;
    let run = runs::load_one(&mut transaction, project_id, run_id).await?;
    transaction.commit().await?;
    runs::publish(app, &run, false);
    Ok(())
}

/// The text of a note, without the space around it.
fn checked(text: &str) -> Result<&str> {
    let body = text.trim();
    if body.is_empty() {
        return Err(AppError::invalid("The note is empty. Send its text as text."));
    }
    if body.len() > NOTE_MAX_BYTES {
        return Err(AppError::invalid("A note may be 64 KiB long at most. Shorten it, or keep it as an artifact."));
    }
    Ok(body)
}

async fn write(app: &AppState, writer: Writer, run: RunRef, id: Uuid, body: &str) -> Result<Note> {
    let (now, project_id) = (app.clock.now(), writer.project);
    let mut transaction = app.pool.begin().await?;
    let run_id = runs::resolve_in(&mut transaction, project_id, run).await?;
    runs::lock(&mut transaction, project_id, run_id, now).await?;
    let (count, bytes) = store::notes::extent(&mut transaction, project_id, run_id).await?;
    let is_too_much = bytes.unsigned_abs() + body.len() as u64 > NOTES_MAX_BYTES;
    let is_full = count.unsigned_abs() >= NOTES_MAX;
    if !is_full && !is_too_much {
        let Writer { account: account_id, api_key: api_key_id, .. } = writer;
        let note = NewNote { id, account_id, api_key_id, author: None, body, created_at: now };
        store::notes::insert(&mut transaction, project_id, run_id, note).await?;
    }
    let note = find(&mut transaction, project_id, run_id, id).await?;
    let note = note.ok_or_else(|| {
        AppError::Conflict(if is_full {
            "The run has all the notes that it may have. Write it on another run.".into()
        } else if is_too_much {
            "The notes of a run may be 1 MiB long together. Shorten it, or keep it as an artifact.".into()
        } else {
            // On another run or in another project, about which nothing is said.
            "A note with this id exists already. Send a new id.".into()
        })
    })?;
    let run = runs::load_one(&mut transaction, project_id, run_id).await?;
    transaction.commit().await?;
    runs::publish(app, &run, false);
    Ok(note)
}

async fn find(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId, id: Uuid) -> Result<Option<Note>> {
    let notes = store::notes::list(connection, project_id, &[run_id]).await?;
    Ok(notes.into_iter().map(|(_, note)| note).find(|note| note.id == id))
}
