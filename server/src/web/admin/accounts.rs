//! All accounts: closing and opening them, who runs the server, links for a new password.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;

use super::{After, Pager};
use crate::app::AppState;
use crate::auth::{Admin, SignedIn};
use crate::domain::AccountId;
use crate::domain::one_time_link::Purpose;
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::store::accounts::ListedAccount;
use crate::web::format::{self, Moment};
use crate::web::people::Person;
use crate::web::shell::{Look, ServerPage, Shell};
use crate::web::{is_told_in_place, page, page_with_secret, refused_in_place, terminal};

const HERE: &str = "/admin/accounts";

#[derive(Template)]
#[template(path = "admin/accounts.html")]
struct AccountsPage {
    shell: Shell,
    accounts: Vec<Row>,
    pager: Pager,
    /// A link that was made just now.
    reset: Option<ResetLink>,
    /// Why something was not done.
    alert: Option<String>,
}

/// A link for a new password, on the one page that ever shows it.
struct ResetLink {
    email: String,
    link: String,
    /// How long it works.
    lifetime: String,
}

/// An account in the list.
struct Row {
    id: String,
    url: String,
    person: Person,
    email: String,
    is_me: bool,
    is_admin: bool,
    /// Since when it is closed.
    closed: Option<String>,
    /// What else is worth knowing: `address not confirmed`.
    remarks: Vec<&'static str>,
    projects: String,
    last_seen: Option<Moment>,
    since: String,
    may_reset: bool,
}

impl Row {
    fn new(app: &AppState, admin: &SignedIn, listed: ListedAccount, now: OffsetDateTime) -> Self {
        let account = listed.account;
        let not_confirmed = listed.email_verified_at.is_none().then_some("address not confirmed");
        let no_password = (!listed.has_password).then_some("no password");
        Self {
            id: account.id.to_string(),
            url: format!("{HERE}/{}", account.id),
            person: Person::new(&account.name),
            email: terminal::clean(&account.email),
            is_me: account.id == admin.account.id,
            is_admin: account.is_admin,
            closed: listed.disabled_at.map(format::date),
            remarks: not_confirmed.into_iter().chain(no_password).collect(),
            projects: format::count(listed.project_count),
            last_seen: listed.last_seen_at.map(|at| Moment::new(at, now)),
            since: format::date(account.created_at),
            may_reset: listed.disabled_at.is_none() && app.config.sign_in.password_sign_in,
        }
    }
}

async fn accounts_page(app: &AppState, look: Look, admin: &SignedIn, after: &str) -> Result<AccountsPage> {
    let listed = services::admin::accounts(app, admin, after).await?;
    let last = listed.last().map(|listed| listed.account.email.as_str());
    let pager = Pager::new(HERE, after, listed.len(), last);
    let now = app.clock.now();
    Ok(AccountsPage {
        shell: Shell::of_server(app, look, &admin.account, ServerPage::Accounts),
        pager,
        accounts: listed.into_iter().map(|listed| Row::new(app, admin, listed, now)).collect(),
        reset: None,
        alert: None,
    })
}

/// `GET /admin/accounts`
pub async fn list(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Query(after): Query<After>,
) -> Result<Response> {
    Ok(page(&accounts_page(&app, look, &admin, &after.text()).await?))
}

/// The list again: after something was done, or with what stood against it.
async fn answer(app: &AppState, look: Look, admin: &SignedIn, done: Result<()>) -> Result<Response> {
    match done {
        Ok(()) => Ok(Redirect::to(HERE).into_response()),
        Err(refused) if is_told_in_place(&refused) => {
            let list = accounts_page(app, look, admin, "").await?;
            Ok(refused_in_place(&refused, &AccountsPage { alert: Some(refused.message()), ..list }))
        }
        Err(refused) => Err(refused),
    }
}

fn account_id(text: &str) -> Result<AccountId> {
    text.parse().map(AccountId).map_err(|_| AppError::NotFound("Account"))
}

/// `POST /admin/accounts/{account}/disable`
pub async fn disable(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Path(account): Path<String>,
) -> Result<Response> {
    let done = services::admin::disable(&app, &admin, account_id(&account)?).await;
    answer(&app, look, &admin, done).await
}

/// `POST /admin/accounts/{account}/enable`
pub async fn enable(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Path(account): Path<String>,
) -> Result<Response> {
    let done = services::admin::enable(&app, &admin, account_id(&account)?).await;
    answer(&app, look, &admin, done).await
}

/// `POST /admin/accounts/{account}/grant-admin`
pub async fn grant_admin(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Path(account): Path<String>,
) -> Result<Response> {
    let done = services::admin::set_admin(&app, &admin, account_id(&account)?, true).await;
    answer(&app, look, &admin, done).await
}

/// `POST /admin/accounts/{account}/revoke-admin`
pub async fn revoke_admin(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Path(account): Path<String>,
) -> Result<Response> {
    let id = account_id(&account)?;
    let done = services::admin::set_admin(&app, &admin, id, false).await;
    if done.is_ok() && id == admin.account.id {
        // These pages are not there for them any more.
        return Ok(Redirect::to("/").into_response());
    }
    answer(&app, look, &admin, done).await
}

/// `POST /admin/accounts/{account}/reset-link`
pub async fn reset_link(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Path(account): Path<String>,
) -> Result<Response> {
    match services::admin::make_reset_link(&app, &admin, account_id(&account)?).await {
        Ok((account, link)) => {
            let minutes = Purpose::PasswordReset.lifetime().whole_minutes();
            let lifetime = format::counted(minutes, "minute", "minutes");
            let reset = Some(ResetLink { email: terminal::clean(&account.email), link, lifetime });
            let list = accounts_page(&app, look, &admin, "").await?;
            Ok(page_with_secret(&AccountsPage { reset, ..list }))
        }
        Err(refused) => answer(&app, look, &admin, Err(refused)).await,
    }
}
