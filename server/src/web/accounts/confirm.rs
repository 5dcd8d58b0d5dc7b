//! Proving once more who one is, before something sensitive.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Next, ProviderLink, form_refused, local_path, signed_in};
use crate::app::AppState;
use crate::auth::SignedIn;
use crate::error::{AppError, Result};
use crate::extract::{Form, Query};
use crate::services;
use crate::web::shell::Shell;
use crate::web::{Look, form_again, page, terminal};

#[derive(Template)]
#[template(path = "accounts/confirm.html")]
struct ConfirmPage {
    shell: Shell,
    email: String,
    next: String,
    /// Whether the account has a password, and may use it.
    asks_password: bool,
    providers: Vec<ProviderLink>,
    password_error: Option<String>,
    alert: Option<String>,
}

impl ConfirmPage {
    async fn new(app: &AppState, look: Look, signed_in: &SignedIn, next: &str) -> Result<Self> {
        let has_password = services::accounts::credentials(app, signed_in).await?.password_hash.is_some();
        let linked = services::provider_sign_in::linked(app, signed_in).await?;
        let linked = app
            .providers
            .all()
            .iter()
            .filter(|provider| linked.iter().any(|identity| identity.issuer == provider.issuer()));
        Ok(Self {
            shell: Shell::new(app, look, None),
            email: terminal::clean(&signed_in.account.email),
            next: next.to_owned(),
            asks_password: has_password && app.config.sign_in.password_sign_in,
            providers: linked.map(|provider| ProviderLink::through(provider, next, None)).collect(),
            password_error: None,
            alert: None,
        })
    }
}

/// Where to go on afterwards: what a form is sent to is no page, so its page is meant, and a link to a
/// provider can't follow on a form.
fn way_on(next: &str) -> &str {
    let next = local_path(next);
    if next.starts_with("/account/email/") {
        return next;
    }
    let pages_of_forms = ["/account", "/admin/accounts", "/admin/projects", "/admin/audit", "/admin"];
    let is_below = |page: &&str| next.strip_prefix(*page).is_some_and(|rest| rest.starts_with('/'));
    pages_of_forms.into_iter().find(is_below).filter(|_| !is_admin_page(next)).unwrap_or(next)
}

fn is_admin_page(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    ["/admin/accounts", "/admin/projects", "/admin/audit"].contains(&path)
}

/// `GET /confirm`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    signed_in: SignedIn,
    Query(Next { next }): Query<Next>,
) -> Result<Response> {
    Ok(page(&ConfirmPage::new(&app, look, &signed_in, way_on(&next)).await?))
}

/// What the form sends.
#[derive(Deserialize)]
pub struct ConfirmForm {
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /confirm`
pub async fn submit(
    State(app): State<AppState>,
    look: Look,
    who: SignedIn,
    Form(ConfirmForm { password, next }): Form<ConfirmForm>,
) -> Result<Response> {
    let again = ConfirmPage::new(&app, look, &who, way_on(&next)).await?;
    if !again.asks_password {
        return Ok(form_again(&again));
    }
    match services::sign_in::confirm(&app, &who, &password).await {
        Ok(session) => Ok(signed_in(&app, &session, &again.next)),
        Err(refused @ AppError::Invalid(_)) => {
            Ok(form_again(&ConfirmPage { password_error: Some(refused.message()), ..again }))
        }
        Err(refused) => form_refused(refused, |message| ConfirmPage { alert: Some(message), ..again }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_is_a_page() {
        for page in ["/", "/account", "/account?notice=name", "/account/email/trv_7", "/admin/accounts?after=a"] {
            assert_eq!(way_on(page), page);
        }
        for form in ["/account/password", "/account/identities/link/google", "/account/email"] {
            assert_eq!(way_on(form), "/account", "{form}");
        }
        assert_eq!(way_on("/admin/accounts/0193e9a0/disable"), "/admin/accounts");
        assert_eq!(way_on("/admin/projects/wake-word/enter"), "/admin/projects");
        assert_eq!(way_on("/admin/sign-up"), "/admin");
        assert_eq!(way_on("https://example.org"), "/");
    }
}
