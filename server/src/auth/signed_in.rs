//! A person with a session in their browser.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::sessions::{SessionHash, session_hash};
use crate::app::AppState;
use crate::domain::Account;
use crate::error::AppError;
use crate::services;

/// A person who is signed in. Others are refused: on pages they are led to sign in first.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who it is.
    pub account: Account,
    /// Their session.
    pub session: SessionHash,
}

/// A person who may be signed in.
#[derive(Clone, Debug)]
pub struct MaybeSignedIn(pub Option<SignedIn>);

impl FromRequestParts<AppState> for MaybeSignedIn {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let Some(session) = session_hash(&app.config, &parts.headers) else { return Ok(Self(None)) };
        let account = services::sign_in::find_session(app, &session).await?;
        Ok(Self(account.map(|account| SignedIn { account, session })))
    }
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let MaybeSignedIn(signed_in) = MaybeSignedIn::from_request_parts(parts, app).await?;
        signed_in.ok_or(AppError::SignedOut("Sign in first.".into()))
    }
}
