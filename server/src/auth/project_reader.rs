//! Whoever may read a project's pages: a member at a browser, or a machine with a page pass.

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;

use super::project_key::bearer;
use super::project_member::named_slug;
use super::sessions::SessionHash;
use super::{Client, ProjectMember, SignedIn};
use crate::app::AppState;
use crate::domain::{Account, AccountId, Project, Role};
use crate::error::{AppError, Result};
use crate::services;
use crate::tokens::PagePassClaims;

/// A caller who may read the pages of the project that the URL names in `{slug}`.
///
/// A page that takes this extractor is open to page passes, one that takes [`ProjectMember`] is not. Only
/// what reads may take it: a pass changes nothing.
#[derive(Clone, Debug)]
pub struct ProjectReader {
    /// The member. Who comes with a pass is a viewer of no account.
    pub member: ProjectMember,
    /// What they proved it with.
    pub proof: ReadProof,
}

/// What a reader proved themselves with; to be asked again where reading goes on for long.
#[derive(Clone, Copy, Debug)]
pub enum ReadProof {
    /// A session in their browser.
    Session(SessionHash),
    /// A page pass.
    Pass(PagePassClaims),
}

impl ReadProof {
    /// Whether it still opens the project.
    pub async fn still_opens(&self, app: &AppState, slug: &str) -> Result<bool> {
        match self {
            Self::Session(session) => {
                let Some(found) = services::sign_in::find_session(app, session).await? else { return Ok(false) };
                Ok(services::projects::find_for(app, &found.account, slug).await?.is_some())
            }
            Self::Pass(claims) => Ok(services::page_passes::find_project(app, *claims).await?.is_some()),
        }
    }
}

impl FromRequestParts<AppState> for ProjectReader {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let Some(claims) = page_pass(parts, app) else {
            let signed_in = SignedIn::from_request_parts(parts, app).await?;
            let proof = ReadProof::Session(signed_in.session);
            return Ok(Self { member: ProjectMember::of(signed_in, parts, app).await?, proof });
        };
        app.limits.count_read(&claims.key.to_string())?;
        let client = Client::from_request_parts(parts, app).await?;
        let slug = named_slug(parts, app).await?;
        let found = services::page_passes::find_project(app, claims).await?;
        let project = found.ok_or(AppError::SignedOut("This page pass has ended with its key.".into()))?;
        if project.slug != slug {
            return Err(AppError::NotFound("Project"));
        }
        let member = ProjectMember { account: nobody(claims, &project), project, role: Role::Viewer, client };
        Ok(Self { member, proof: ReadProof::Pass(claims) })
    }
}

/// What the request's page pass says, if it has one that holds and only wants to read.
fn page_pass(parts: &Parts, app: &AppState) -> Option<PagePassClaims> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return None;
    }
    app.tokens.check_page_pass(bearer(parts).ok()?, app.clock.now())
}

/// Who reads with a pass: no account that there is, so that nothing of anybody's own is shown. Its id is the
/// key's, so that what is counted by account is counted by key.
fn nobody(claims: PagePassClaims, project: &Project) -> Account {
    Account {
        id: AccountId(claims.key.0),
        email: String::new(),
        name: "API key".to_owned(),
        is_admin: false,
        created_at: project.created_at,
    }
}
