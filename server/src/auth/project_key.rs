//! A machine with a project's API key.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::app::AppState;
use crate::domain::{ApiKeyId, Project};
use crate::error::AppError;
use crate::services;

/// A caller with a live API key. It reaches the key's project and nothing else.
#[derive(Clone, Debug)]
pub struct ProjectKey {
    /// The key's id.
    pub id: ApiKeyId,
    /// What may be shown of it.
    pub prefix: String,
    /// The e-mail address of the account that made it.
    pub account_email: String,
    /// The project that it opens.
    pub project: Project,
}

impl FromRequestParts<AppState> for ProjectKey {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let value = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = match value.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() => key.trim(),
            _ => {
                return Err(AppError::SignedOut(
                    "An API key is needed: send the header Authorization: Bearer trc_…".into(),
                ));
            }
        };
        let found = services::api_keys::authenticate(app, key).await?;
        Ok(Self { id: found.id, prefix: found.prefix, account_email: found.account_email, project: found.project })
    }
}
