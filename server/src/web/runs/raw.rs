//! The bytes of artifacts, logs and captured files, as they are.
//!
//! They are untrusted: whatever they claim to be, a browser is told plain text, one of five image
//! types, or a download, in a sandbox that runs nothing.

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use otrace_wire::Sha256Digest;
use serde::Deserialize;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::content_response::content_response;
use crate::domain::artifact::Preview;
use crate::domain::{ArtifactId, ProjectId, RunRef};
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::services::runs::RunView;

/// Content from users runs nothing and loads nothing.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'";

/// Whether to show rather than download.
#[derive(Debug, Deserialize)]
pub struct How {
    inline: Option<String>,
}

/// `GET /projects/{slug}/runs/{run}/artifacts/{artifact}/raw`.
pub async fn artifact(
    State(app): State<AppState>,
    member: ProjectMember,
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
    let digest = artifact.sha256.ok_or(AppError::NotFound("Artifact content"))?;
    let shown_as = match artifact.preview() {
        Preview::Image(media_type) if how.inline.is_some() => Some(media_type),
        Preview::Text if how.inline.is_some() => Some("text/plain; charset=utf-8"),
        _ => None,
    };
    send(&app, member.project.id, &digest, &asked, &artifact.file_name(), shown_as).await
}

/// `GET /download/{ticket}`: an artifact's content, without a session or a key, for some minutes.
pub async fn by_ticket(State(app): State<AppState>, Path(ticket): Path<String>, asked: HeaderMap) -> Result<Response> {
    let (project_id, artifact) = services::artifacts::by_ticket(&app, &ticket).await?;
    let digest = artifact.sha256.ok_or(AppError::NotFound("Artifact content"))?;
    send(&app, project_id, &digest, &asked, &artifact.file_name(), None).await
}

/// `GET /projects/{slug}/runs/{run}/logs/{position}/raw`.
pub async fn log(
    State(app): State<AppState>,
    member: ProjectMember,
    Path((_, run, position)): Path<(String, String, i32)>,
    asked: HeaderMap,
) -> Result<Response> {
    let view = open(&app, member.project.id, &run).await?;
    let log = view.full.logs.iter().find(|log| log.position == position).ok_or(AppError::NotFound("Log"))?;
    let digest = log.sha256.ok_or(AppError::NotFound("Log"))?;
    let name = format!("{}.{}.log", view.full.run.experiment_id(), log.stream.as_str());
    send(&app, member.project.id, &digest, &asked, &name, Some("text/plain; charset=utf-8")).await
}

/// `GET /projects/{slug}/runs/{run}/code/{position}/raw`.
pub async fn snapshot_file(
    State(app): State<AppState>,
    member: ProjectMember,
    Path((_, run, position)): Path<(String, String, i32)>,
    asked: HeaderMap,
) -> Result<Response> {
    let view = open(&app, member.project.id, &run).await?;
    let files = view.full.snapshot.map(|snapshot| snapshot.files).unwrap_or_default();
    let file = files.into_iter().find(|file| file.position == position).ok_or(AppError::NotFound("File"))?;
    let name = file.path.rsplit('/').next().unwrap_or("file").to_owned();
    send(&app, member.project.id, &file.sha256, &asked, &name, None).await
}

async fn open(app: &AppState, project_id: ProjectId, run: &str) -> Result<RunView> {
    services::runs::show(app, project_id, run_ref(run)?).await
}

fn run_ref(name: &str) -> Result<RunRef> {
    name.parse().map_err(|_| AppError::NotFound("Run"))
}

async fn send(
    app: &AppState,
    project_id: ProjectId,
    digest: &Sha256Digest,
    asked: &HeaderMap,
    name: &str,
    shown_as: Option<&'static str>,
) -> Result<Response> {
    let mut response = content_response(app, project_id, digest, asked).await?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(shown_as.unwrap_or("application/octet-stream")));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    let disposition = content_disposition(name, shown_as.is_some());
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
