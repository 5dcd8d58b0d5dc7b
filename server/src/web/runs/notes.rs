//! What people and agents wrote on a run, and writing more.

use askama::Template;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{RunHeader, RunLink, RunTab, open, run_ref};
use crate::app::AppState;
use crate::auth::{ProjectMember, ProjectReader};
use crate::domain::{Note, Role};
use crate::error::{AppError, Result};
use crate::extract::{Form, Path};
use crate::routes::FORM_MAX_BYTES;
use crate::services;
use crate::web::format::Moment;
use crate::web::markdown;
use crate::web::people::Person;
use crate::web::shell::{Look, Shell, project_url};
use crate::web::{is_told_in_place, page, refused_in_place, with_status};

#[derive(Template)]
#[template(path = "runs/notes.html")]
struct NotesPage {
    shell: Shell,
    head: RunHeader,
    notes: Vec<NoteView>,
    note_form: Option<NoteFormView>,
    /// The runs with a note about this one.
    mentions: Vec<RunLink>,
}

/// Something that someone wrote on the run.
pub(super) struct NoteView {
    pub(super) id: String,
    pub(super) author: Person,
    /// Whether it came with a key, not from a person's browser.
    pub(super) is_machine: bool,
    pub(super) at: Moment,
    /// The note as HTML.
    pub(super) html: String,
    /// Where it is deleted, for who wrote it.
    pub(super) delete_url: Option<String>,
}

impl NoteView {
    pub(super) fn new(member: &ProjectMember, head: &RunHeader, note: &Note, now: OffsetDateTime) -> Self {
        let is_own = head.may_edit && note.account_id == Some(member.account.id);
        Self {
            id: note.id.to_string(),
            author: Person::new(&note.author),
            is_machine: note.account_id.is_none(),
            at: Moment::new(note.created_at, now),
            html: markdown::html(&note.body, &format!("{}/runs", head.project)),
            delete_url: is_own.then(|| format!("{}/notes/{}", head.base, note.id)),
        }
    }

    /// What was learned, as HTML, the newest first and at most so many. The word that marks it is left out.
    pub(super) fn learned(notes: &[Note], head: &RunHeader, most: usize) -> Vec<String> {
        let learned = notes.iter().rev().filter(|note| markdown::is_insight(&note.body)).take(most);
        let html = |note: &Note| {
            let text = note.body.replace(markdown::INSIGHT, "");
            markdown::html(text.trim(), &format!("{}/runs", head.project))
        };
        learned.map(html).collect()
    }
}

/// The form of a new note.
pub(super) struct NoteFormView {
    pub(super) action: String,
    pub(super) me: Person,
    /// The note's id, so that a form that is sent twice is one note.
    pub(super) id: String,
    pub(super) text: String,
    pub(super) error: Option<String>,
}

impl NoteFormView {
    /// The form as it is at first; `None` for who may only read.
    pub(super) fn empty(member: &ProjectMember, head: &RunHeader) -> Option<Self> {
        head.may_edit.then(|| Self {
            action: format!("{}/notes", head.base),
            me: Person::new(&member.account.name),
            id: Uuid::now_v7().to_string(),
            text: String::new(),
            error: None,
        })
    }
}

async fn notes_page(app: &AppState, look: Look, member: &ProjectMember, run: &str) -> Result<NotesPage> {
    let (shell, head, view) = open(app, look, member, run, RunTab::Notes).await?;
    let mentions = services::standing::mentions(app, &view.full.run).await?;
    let now = app.clock.now();
    Ok(NotesPage {
        notes: view.full.notes.iter().map(|note| NoteView::new(member, &head, note, now)).collect(),
        note_form: NoteFormView::empty(member, &head),
        mentions: mentions.iter().map(|run| RunLink::new(&head.project, run)).collect(),
        shell,
        head,
    })
}

/// `GET /projects/{slug}/runs/{run}/notes`
pub async fn list(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    Ok(page(&notes_page(&app, look, &member, &run).await?))
}

/// What the form of a note sends.
#[derive(Deserialize)]
pub struct NoteForm {
    #[serde(default)]
    text: String,
    #[serde(default)]
    id: String,
}

/// `POST /projects/{slug}/runs/{run}/notes`. What was typed comes back with whatever stands against it: a text that is
/// too long, and a session that has ended meanwhile.
pub async fn add(
    State(app): State<AppState>,
    look: Look,
    member: Result<ProjectMember>,
    Path((_slug, run)): Path<(String, String)>,
    request: Request,
) -> Result<Response> {
    let here = request.uri().path().to_owned();
    let member = match member {
        Err(AppError::SignedOut(_)) => return signed_out(&app, look, here, request).await,
        member => member?,
    };
    member.require(Role::Editor)?;
    let Form(form) = Form::<NoteForm>::from_request(request, &app).await?;
    let run_ref = run_ref(&run)?;
    match services::notes::add_by_hand(&app, &member, run_ref, form.id.parse().ok(), &form.text).await {
        Ok(note) => Ok(Redirect::to(&format!("{here}#note-{}", note.id)).into_response()),
        Err(refused) if is_told_in_place(&refused) => {
            let list = notes_page(&app, look, &member, &run).await?;
            let note_form =
                list.note_form.map(|empty| NoteFormView { text: form.text, error: Some(refused.message()), ..empty });
            Ok(refused_in_place(&refused, &NotesPage { note_form, ..list }))
        }
        Err(refused) => Err(refused),
    }
}

#[derive(Template)]
#[template(path = "runs/note_signed_out.html")]
struct SignedOutPage {
    shell: Shell,
    /// Where the note goes, once its writer is signed in again.
    action: String,
    id: String,
    text: String,
}

/// The note of somebody whose session has ended, to be sent again: in another tab they sign in, and this one has
/// lost nothing. The server keeps nothing of it, and reads no more than of any other form.
async fn signed_out(app: &AppState, look: Look, action: String, request: Request) -> Result<Response> {
    let told = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if told.is_none_or(|length| length > FORM_MAX_BYTES) {
        return Err(AppError::SignedOut("Sign in first.".into()));
    }
    let Form(form) = Form::<NoteForm>::from_request(request, app).await?;
    let page = SignedOutPage { shell: Shell::new(app, look, None), action, id: form.id, text: form.text };
    Ok(with_status(StatusCode::UNAUTHORIZED, &page))
}

/// `POST /projects/{slug}/runs/{run}/notes/{note}/delete`
pub async fn delete(
    State(app): State<AppState>,
    member: ProjectMember,
    Path((_slug, run, note)): Path<(String, String, String)>,
) -> Result<Response> {
    member.require(Role::Editor)?;
    let id = note.parse().map_err(|_| AppError::NotFound("Note"))?;
    services::notes::remove(&app, &member, run_ref(&run)?, id).await?;
    Ok(Redirect::to(&format!("{}/runs/{run}/notes", project_url(&member.project))).into_response())
}
