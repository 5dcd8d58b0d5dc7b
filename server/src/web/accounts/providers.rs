//! Signing in through a provider, and linking one to one's account.
//!
//! A browser leaves by a plain link and comes back by one: forms may not lead to other sites.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use serde::Deserialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::show::AccountPage;
use super::sign_in::SignInPage;
use super::{DeadLink, dead_link, end_former, form_refused, local_path, signed_in};
use crate::app::AppState;
use crate::auth::{Browser, Client, MaybeSignedIn, SignedIn, provider_cookie};
use crate::domain::secret_token::random_base62;
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::services::provider_sign_in::{Answer, Finished, Goal};
use crate::web::Look;

/// 256 bits that bind an attempt to its browser.
const SECRET_CHARS: usize = 43;

/// What stands behind the `?` of a way to a provider.
#[derive(Default, Deserialize)]
pub struct BeginQuery {
    #[serde(default)]
    next: String,
    #[serde(default)]
    invitation: String,
}

/// `GET /signin/with/{provider}`
pub async fn begin(
    State(app): State<AppState>,
    look: Look,
    client: Client,
    browser: Browser,
    MaybeSignedIn(who): MaybeSignedIn,
    Path(provider): Path<String>,
    Query(query): Query<BeginQuery>,
) -> Result<Response> {
    let next = local_path(&query.next).to_owned();
    let invitation = Some(query.invitation.as_str()).filter(|token| !token.is_empty());
    // Whoever is signed in already comes to prove it once more.
    let goal = Goal { link_to: None, proves: who.is_some(), invitation, next_path: next.clone() };
    match depart(&app, &provider, goal, &browser, &client).await {
        Err(AppError::NotFound("Invitation")) => Ok(dead_link(&app, look, DeadLink::INVITATION)),
        Err(refused) => refuse(&app, look, who.as_ref(), next, refused).await,
        departed => departed,
    }
}

/// `GET /account/identities/link/{provider}`
pub async fn link(
    State(app): State<AppState>,
    look: Look,
    browser: Browser,
    who: SignedIn,
    headers: HeaderMap,
    Path(provider): Path<String>,
) -> Result<Response> {
    // Another site must not be able to lead somebody through the linking of an identity of its own.
    if headers.get("sec-fetch-site").is_none_or(|site| site != "same-origin") {
        return Err(AppError::Forbidden("Open your account's page, and link the provider by its button there.".into()));
    }
    if who.require_recent_proof(&app).is_err() {
        // Back to the account's page, and not here: a form may not lead on to the provider.
        return Ok(Redirect::to("/confirm?next=%2Faccount").into_response());
    }
    let goal =
        Goal { link_to: Some(&who), proves: true, invitation: None, next_path: "/account?notice=linked".to_owned() };
    match depart(&app, &provider, goal, &browser, &who.client).await {
        Err(refused) => refuse(&app, look, Some(&who), String::new(), refused).await,
        departed => departed,
    }
}

/// Sends the browser to the provider, with a cookie by which it is known when it comes back.
async fn depart(
    app: &AppState,
    provider: &str,
    goal: Goal<'_>,
    browser: &Browser,
    client: &Client,
) -> Result<Response> {
    let is_ours = |secret: &String| secret.len() == SECRET_CHARS && secret.bytes().all(|b| b.is_ascii_alphanumeric());
    let secret = match browser.attempt.clone().filter(is_ours) {
        Some(secret) => secret,
        None => random_base62(SECRET_CHARS).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?,
    };
    let url = services::provider_sign_in::begin(app, provider, goal, &secret, client).await?;
    Ok((CookieJar::new().add(provider_cookie(app, &secret)), Redirect::to(url.as_str())).into_response())
}

/// What a provider sends a browser back with.
#[derive(Default, Deserialize)]
pub struct CallbackQuery {
    #[serde(default)]
    state: String,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// `GET /signin/with/{provider}/callback`
pub async fn finish(
    State(app): State<AppState>,
    look: Look,
    client: Client,
    browser: Browser,
    MaybeSignedIn(who): MaybeSignedIn,
    Path(provider): Path<String>,
    Query(query): Query<CallbackQuery>,
) -> Result<Response> {
    let CallbackQuery { state, code, iss, error } = query;
    let answer = Answer { state, code, iss, error };
    let finished = services::provider_sign_in::finish(&app, &provider, answer, who.as_ref(), &browser, &client).await;
    match finished {
        Ok(Finished::SignedIn(session, next)) => {
            end_former(&app, who.as_ref()).await?;
            Ok(signed_in(&app, &session, &next))
        }
        Ok(Finished::Linked(next)) => Ok(Redirect::to(local_path(&next)).into_response()),
        Ok(Finished::ConfirmFirst { next_path, .. }) => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("next", local_path(&next_path))
                .append_pair("notice", "confirm")
                .append_pair("provider", &provider)
                .finish();
            Ok(Redirect::to(&format!("/signin?{query}")).into_response())
        }
        Err(AppError::NotFound("Invitation")) => Ok(dead_link(&app, look, DeadLink::INVITATION)),
        Err(refused) => refuse(&app, look, who.as_ref(), String::new(), refused).await,
    }
}

/// Back where the browser came from, with one sentence: the sign-in page, or the account's own.
async fn refuse(
    app: &AppState,
    look: Look,
    who: Option<&SignedIn>,
    next: String,
    refused: AppError,
) -> Result<Response> {
    if let Some(who) = who {
        let again = AccountPage::load(app, look, who).await?;
        return form_refused(refused, |message| again.with_alert(message));
    }
    let again = SignInPage::new(app, look, next).await?;
    form_refused(refused, |message| again.with_alert(message))
}

/// `POST /account/identities/{identity}/unlink`
pub async fn unlink(
    State(app): State<AppState>,
    look: Look,
    who: SignedIn,
    Path(identity): Path<String>,
) -> Result<Response> {
    let id: Uuid = identity.parse().map_err(|_| AppError::NotFound("Linked provider"))?;
    match services::provider_sign_in::unlink(&app, &who, id).await {
        Ok(()) => Ok(Redirect::to("/account?notice=unlinked").into_response()),
        Err(refused) => refuse(&app, look, Some(&who), String::new(), refused).await,
    }
}
