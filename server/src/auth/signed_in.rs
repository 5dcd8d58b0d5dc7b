//! A person with a session in their browser.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use time::{Duration, OffsetDateTime};

use super::Client;
use super::sessions::{RenewedToken, SessionHash, session_hash};
use crate::app::AppState;
use crate::domain::{Account, Actor, secret_token};
use crate::error::{AppError, Result};
use crate::services;

/// So long a proof of who somebody is holds for sensitive acts.
const PROOF_LIFETIME: Duration = Duration::minutes(10);

/// A person who is signed in. Others are refused: on pages they are led to sign in first.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who it is.
    pub account: Account,
    /// Their session.
    pub session: SessionHash,
    /// When they last proved who they are: by signing in, or by confirming it.
    pub authenticated_at: OffsetDateTime,
    /// From where they ask.
    pub client: Client,
}

impl SignedIn {
    /// Who acts, for the audit log.
    pub fn actor(&self) -> Actor {
        Actor::account(&self.account, self.client.address)
    }

    /// Refuses a session whose owner proved who they are more than minutes ago: before sensitive acts,
    /// so that a browser that was left open, or a stolen cookie, is not enough.
    pub fn require_recent_proof(&self, app: &AppState) -> Result<()> {
        if app.clock.now() - self.authenticated_at <= PROOF_LIFETIME { Ok(()) } else { Err(AppError::Unconfirmed) }
    }

    /// Refuses accounts that don't run the server: to them its pages are not there.
    pub fn require_admin(&self) -> Result<()> {
        if self.account.is_admin { Ok(()) } else { Err(AppError::NotFound("Page")) }
    }

    /// Refuses accounts that don't run the server, and admins who have not proved lately who they are.
    pub fn require_admin_with_proof(&self, app: &AppState) -> Result<()> {
        self.require_admin()?;
        self.require_recent_proof(app)
    }
}

/// A person who may be signed in.
#[derive(Clone, Debug)]
pub struct MaybeSignedIn(pub Option<SignedIn>);

impl FromRequestParts<AppState> for MaybeSignedIn {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let Some(session) = session_hash(&app.config, &parts.headers) else { return Ok(Self(None)) };
        let client = Client::from_request_parts(parts, app).await?;
        let Some(found) = services::sign_in::find_session(app, &session).await? else { return Ok(Self(None)) };
        let mut session = SessionHash(found.token_hash.as_slice().try_into().unwrap_or(session.0));
        // Only where the answer can bring the browser its new token.
        if let Some(renewed) = parts.extensions.get::<RenewedToken>()
            && let Some(token) = services::sign_in::rotate_if_old(app, &found).await?
        {
            session = SessionHash(secret_token::hash(&token));
            renewed.set(token);
        }
        let authenticated_at = found.authenticated_at;
        Ok(Self(Some(SignedIn { account: found.account, session, authenticated_at, client })))
    }
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let MaybeSignedIn(signed_in) = MaybeSignedIn::from_request_parts(parts, app).await?;
        signed_in.ok_or(AppError::SignedOut("Sign in first.".into()))
    }
}

/// A person who runs the server. To all others its pages are not there.
#[derive(Clone, Debug)]
pub struct Admin(pub SignedIn);

impl FromRequestParts<AppState> for Admin {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let signed_in = SignedIn::from_request_parts(parts, app).await?;
        signed_in.require_admin()?;
        Ok(Self(signed_in))
    }
}
