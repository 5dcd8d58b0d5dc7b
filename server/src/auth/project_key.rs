//! A machine with a project's API key.

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Client;
use crate::app::AppState;
use crate::domain::{Actor, ApiKeyId, Project, Scope};
use crate::error::{AppError, Result};
use crate::services;

/// A caller with a live API key. It reaches the key's project and nothing else.
#[derive(Clone, Debug)]
pub struct ProjectKey {
    /// The key's id.
    pub id: ApiKeyId,
    /// What may be shown of it.
    pub prefix: String,
    /// What it may do.
    pub scope: Scope,
    /// The e-mail address of the account that made it.
    pub account_email: String,
    /// The project that it opens.
    pub project: Project,
    /// From where it asks.
    pub client: Client,
}

impl ProjectKey {
    /// Who acts, for the audit log.
    pub fn actor(&self) -> Actor {
        Actor::key(self.id, &self.prefix, self.client.address)
    }
}

/// A caller with a live API key that may record, change and delete runs.
#[derive(Clone, Debug)]
pub struct WriteKey(pub ProjectKey);

/// What a request proves itself with: what stands behind `Bearer`.
pub(super) fn bearer(parts: &Parts) -> Result<&str> {
    let value = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match value.split_once(' ') {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") && !secret.trim().is_empty() => {
            Ok(secret.trim())
        }
        _ => Err(AppError::SignedOut("An API key is needed: send the header Authorization: Bearer trc_…".into())),
    }
}

impl FromRequestParts<AppState> for ProjectKey {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let client = Client::from_request_parts(parts, app).await?;
        let found = services::api_keys::authenticate(app, bearer(parts)?, &client).await?;
        let subject = found.id.to_string();
        if parts.method == Method::GET {
            app.limits.count_read(&subject)?;
        } else {
            app.limits.count_write(&subject)?;
        }
        Ok(Self {
            id: found.id,
            prefix: found.prefix,
            scope: found.scope,
            account_email: found.account_email,
            project: found.project,
            client,
        })
    }
}

impl FromRequestParts<AppState> for WriteKey {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let key = ProjectKey::from_request_parts(parts, app).await?;
        if key.scope < Scope::Write {
            return Err(AppError::Forbidden(
                "This key may only read. Make one that may write on the project's Keys page.".into(),
            ));
        }
        Ok(Self(key))
    }
}
