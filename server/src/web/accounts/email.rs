//! Moving one's account to another address, behind the link that was sent there.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::{DeadLink, dead_link, form_refused, look_at_link, with_secret_address};
use crate::app::AppState;
use crate::auth::SignedIn;
use crate::domain::one_time_link::Purpose;
use crate::error::Result;
use crate::extract::Path;
use crate::services;
use crate::web::shell::Shell;
use crate::web::{Look, page, terminal};

#[derive(Template)]
#[template(path = "accounts/email.html")]
struct EmailPage {
    shell: Shell,
    /// The address that the account has now.
    email: String,
    /// The address that the link was sent to.
    new_email: String,
    alert: Option<String>,
}

impl EmailPage {
    /// The page behind a link of this account; `None`: the link is dead, or another account's.
    async fn find(app: &AppState, look: Look, signed_in: &SignedIn, token: &str) -> Result<Option<Self>> {
        let link = look_at_link(app, token, Purpose::EmailChange).await?;
        let link = link.filter(|link| link.account_id == Some(signed_in.account.id));
        Ok(link.map(|link| Self {
            shell: Shell::new(app, look, None),
            email: terminal::clean(&signed_in.account.email),
            new_email: terminal::clean(&link.email),
            alert: None,
        }))
    }
}

/// `GET /account/email/{token}`
pub async fn form(
    State(app): State<AppState>,
    look: Look,
    signed_in: SignedIn,
    Path(token): Path<String>,
) -> Result<Response> {
    Ok(match EmailPage::find(&app, look.clone(), &signed_in, &token).await? {
        Some(form) => with_secret_address(&app, page(&form)),
        None => dead_link(&app, look, DeadLink::EMAIL),
    })
}

/// `POST /account/email/{token}`
pub async fn submit(
    State(app): State<AppState>,
    look: Look,
    signed_in: SignedIn,
    Path(token): Path<String>,
) -> Result<Response> {
    let refused = match services::links::change_email(&app, &signed_in, &token).await {
        Ok(()) => return Ok(Redirect::to("/account?notice=email").into_response()),
        Err(refused) => refused,
    };
    let Some(again) = EmailPage::find(&app, look.clone(), &signed_in, &token).await? else {
        return Ok(dead_link(&app, look, DeadLink::EMAIL));
    };
    let response = form_refused(refused, |message| EmailPage { alert: Some(message), ..again })?;
    Ok(with_secret_address(&app, response))
}
