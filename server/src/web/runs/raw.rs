//! The bytes of artifacts, logs and captured files, as they are.
//!
//! They are untrusted: whatever they claim to be, a browser is told plain text, one of a few types of images, sound,
//! films and PDF, or a download, in a sandbox that runs nothing. Pages and drawings are shown as such only when that is
//! asked for, in the same sandbox.

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use otrace_wire::Sha256Digest;
use serde::Deserialize;

use super::run_ref;
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::content_response::content_response;
use crate::domain::artifact::Preview;
use crate::domain::{Artifact, ArtifactId, ProjectId};
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::services::runs::RunView;

/// Content from users runs nothing and loads nothing.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'";

/// A PDF's viewer is a part of the browser, which no sandbox lets in; what is in the PDF does not get out of it.
const PDF_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'";
/// A page that somebody kept may bring its images along within itself, and nothing else.
const RENDERED_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox; frame-ancestors 'self'";

/// What a browser shows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// An image of this type.
    Image(&'static str),
    /// Sound of this type.
    Audio(&'static str),
    /// A film of this type.
    Video(&'static str),
    /// A PDF.
    Pdf,
    /// HTML, which is a text unless it is asked for as a page.
    Page,
    /// An SVG, which is a text unless it is asked for as a drawing.
    Drawing,
}

/// What of an artifact a browser shows by itself, by the ending of its name.
pub fn media_of(artifact: &Artifact) -> Option<Media> {
    if let Preview::Image(media_type) = artifact.preview() {
        return Some(Media::Image(media_type));
    }
    let name = artifact.file_name().to_lowercase();
    match name.rsplit_once('.')?.1 {
        "wav" => Some(Media::Audio("audio/wav")),
        "mp3" => Some(Media::Audio("audio/mpeg")),
        "ogg" | "oga" | "opus" => Some(Media::Audio("audio/ogg")),
        "flac" => Some(Media::Audio("audio/flac")),
        "m4a" => Some(Media::Audio("audio/mp4")),
        "mp4" | "m4v" => Some(Media::Video("video/mp4")),
        "webm" => Some(Media::Video("video/webm")),
        "ogv" => Some(Media::Video("video/ogg")),
        "pdf" => Some(Media::Pdf),
        "html" | "htm" => Some(Media::Page),
        "svg" => Some(Media::Drawing),
        _ => None,
    }
}

/// Whether to show rather than download: `?inline`, or `?rendered` for what would else be shown as a text.
#[derive(Debug, Deserialize)]
pub struct How {
    inline: Option<String>,
    rendered: Option<String>,
}

/// As what a content is sent.
#[derive(Clone, Copy)]
struct Sent {
    /// `None`: as a download.
    shown_as: Option<&'static str>,
    policy: &'static str,
}

impl Sent {
    const DOWNLOAD: Self = Self { shown_as: None, policy: CONTENT_POLICY };
    const TEXT: Self = Self::shown("text/plain; charset=utf-8", CONTENT_POLICY);

    const fn shown(media_type: &'static str, policy: &'static str) -> Self {
        Self { shown_as: Some(media_type), policy }
    }

    fn of(artifact: &Artifact, how: &How) -> Self {
        match (media_of(artifact), how) {
            (Some(Media::Page), How { rendered: Some(_), .. }) => {
                Self::shown("text/html; charset=utf-8", RENDERED_POLICY)
            }
            (Some(Media::Drawing), How { rendered: Some(_), .. }) => Self::shown("image/svg+xml", RENDERED_POLICY),
            (_, How { inline: None, .. }) => Self::DOWNLOAD,
            (Some(Media::Image(media_type) | Media::Audio(media_type) | Media::Video(media_type)), _) => {
                Self::shown(media_type, CONTENT_POLICY)
            }
            (Some(Media::Pdf), _) => Self::shown("application/pdf", PDF_POLICY),
            _ if artifact.preview() == Preview::Text => Self::TEXT,
            _ => Self::DOWNLOAD,
        }
    }
}

/// `GET /projects/{slug}/runs/{run}/artifacts/{artifact}/raw`.
pub async fn artifact(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Path((_, run, artifact)): Path<(String, String, String)>,
    Query(how): Query<How>,
    asked: HeaderMap,
) -> Result<Response> {
    let run_id = services::runs::resolve(&app, member.project.id, run_ref(&run)?).await?;
    let id = artifact.parse().map(ArtifactId).map_err(|_| AppError::NotFound("Artifact"))?;
    let artifact = services::artifacts::find(&app, member.project.id, id).await?;
    if artifact.run_id != run_id {
        return Err(AppError::NotFound("Artifact"));
    }
    let digest = services::artifacts::stored(&artifact)?;
    let sent = Sent::of(&artifact, &how);
    send(&app, member.project.id, &digest, &asked, &artifact.file_name(), sent).await
}

/// `GET /download/{ticket}`: an artifact's content, without a session or a key, for some minutes.
pub async fn by_ticket(State(app): State<AppState>, Path(ticket): Path<String>, asked: HeaderMap) -> Result<Response> {
    let (project_id, artifact) = services::artifacts::by_ticket(&app, &ticket).await?;
    let digest = services::artifacts::stored(&artifact)?;
    send(&app, project_id, &digest, &asked, &artifact.file_name(), Sent::DOWNLOAD).await
}

/// `GET /projects/{slug}/runs/{run}/logs/{position}/raw`.
pub async fn log(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Path((_, run, position)): Path<(String, String, i32)>,
    asked: HeaderMap,
) -> Result<Response> {
    let view = open(&app, member.project.id, &run).await?;
    let log = view.full.logs.iter().find(|log| log.position == position).ok_or(AppError::NotFound("Log"))?;
    let digest = log.sha256.ok_or(AppError::NotFound("Log"))?;
    let name = format!("{}.{}.log", view.full.run.experiment_id(), log.stream.as_str());
    send(&app, member.project.id, &digest, &asked, &name, Sent::TEXT).await
}

/// `GET /projects/{slug}/runs/{run}/code/{position}/raw`.
pub async fn snapshot_file(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Path((_, run, position)): Path<(String, String, i32)>,
    asked: HeaderMap,
) -> Result<Response> {
    let view = open(&app, member.project.id, &run).await?;
    let files = view.full.snapshot.map(|snapshot| snapshot.files).unwrap_or_default();
    let file = files.into_iter().find(|file| file.position == position).ok_or(AppError::NotFound("File"))?;
    let name = file.path.rsplit('/').next().unwrap_or("file").to_owned();
    send(&app, member.project.id, &file.sha256, &asked, &name, Sent::DOWNLOAD).await
}

async fn open(app: &AppState, project_id: ProjectId, run: &str) -> Result<RunView> {
    services::runs::show(app, project_id, run_ref(run)?).await
}

async fn send(
    app: &AppState,
    project_id: ProjectId,
    digest: &Sha256Digest,
    asked: &HeaderMap,
    name: &str,
    sent: Sent,
) -> Result<Response> {
    let mut response = content_response(app, project_id, digest, asked).await?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(sent.shown_as.unwrap_or("application/octet-stream")));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(sent.policy));
    // For browsers that don't read it in the policy.
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    let disposition = content_disposition(name, sent.shown_as.is_some());
    headers.insert(CONTENT_DISPOSITION, HeaderValue::try_from(disposition).map_err(anyhow::Error::new)?);
    Ok(response)
}

/// RFC 6266: a plain name for old clients, the true one percent-encoded.
fn content_disposition(name: &str, inline: bool) -> String {
    let kind = if inline { "inline" } else { "attachment" };
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }).collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => encoded.push(char::from(byte)),
            other => {
                use std::fmt::Write;
                let _ = write!(encoded, "%{other:02X}");
            }
        }
    }
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_breaks_the_header() {
        for name in ["metrics.json", "a\"b.txt", "x\r\nSet-Cookie: a=b", "é 研究.png", "; filename=evil", ""] {
            let header = content_disposition(name, false);
            assert!(HeaderValue::try_from(&header).is_ok(), "{name:?}");
            assert_eq!(header.matches("filename=").count(), 1, "{header}");
        }
        assert_eq!(content_disposition("é.png", true), "inline; filename=\"_.png\"; filename*=UTF-8''%C3%A9.png");
    }
}
