//! A person in a project that is theirs.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::{Client, SignedIn};
use crate::app::AppState;
use crate::domain::{Account, Actor, Project, Role};
use crate::error::{AppError, Result};
use crate::services;

/// A signed-in member of the project that the URL names in `{slug}`.
///
/// To strangers the project is not there: the same answer as for one that never was.
#[derive(Clone, Debug)]
pub struct ProjectMember {
    /// Who it is.
    pub account: Account,
    /// The project.
    pub project: Project,
    /// What they may do in it.
    pub role: Role,
    /// From where they ask.
    pub client: Client,
}

impl ProjectMember {
    /// Somebody who is signed in, as a member of the project that the URL names.
    pub(super) async fn of(signed_in: SignedIn, parts: &mut Parts, app: &AppState) -> Result<Self> {
        let SignedIn { account, client, .. } = signed_in;
        let slug = named_slug(parts, app).await?;
        let found = services::projects::find_for(app, &account, &slug).await?;
        let (project, role) = found.ok_or(AppError::NotFound("Project"))?;
        Ok(Self { account, project, role, client })
    }

    /// Who acts, for the audit log.
    pub fn actor(&self) -> Actor {
        Actor::account(&self.account, self.client.address)
    }

    /// Refuses members who may do less than `role`.
    pub fn require(&self, role: Role) -> Result<()> {
        if self.role >= role {
            return Ok(());
        }
        Err(AppError::Forbidden(
            format!("Ask an owner of {} for the role {}.", self.project.name, role.as_str()).into(),
        ))
    }
}

impl FromRequestParts<AppState> for ProjectMember {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let signed_in = SignedIn::from_request_parts(parts, app).await?;
        Self::of(signed_in, parts, app).await
    }
}

/// The project that the URL names in `{slug}`.
pub(super) async fn named_slug(parts: &mut Parts, app: &AppState) -> Result<String> {
    let names = Path::<HashMap<String, String>>::from_request_parts(parts, app).await;
    let Path(mut names) = names.map_err(|_| AppError::NotFound("Project"))?;
    // No slug holds a NUL, and the database could not be asked for one.
    names.remove("slug").filter(|slug| !slug.contains('\0')).ok_or(AppError::NotFound("Project"))
}
