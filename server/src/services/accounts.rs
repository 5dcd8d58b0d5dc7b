//! Signing up.

use crate::app::AppState;
use crate::auth::Client;
use crate::domain::account::{check_password, name_from_email, normalize_email};
use crate::domain::text::{normalize_name, without_nul};
use crate::domain::{Account, AccountId};
use crate::error::{AppError, Result};
use crate::services::sign_in::{self, NewSession};
use crate::store;

/// What a person types to sign up.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// Their e-mail address.
    pub email: String,
    /// What others see; empty: what stands before the `@`.
    pub name: String,
    /// Their password.
    pub password: String,
}

/// Whether people may sign up in the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpPolicy {
    /// Anyone who reaches the page may.
    Open,
    /// Nobody has an account yet and others than this machine's users reach the server: the first
    /// account, which runs it, is made on the server itself.
    FirstAccountOnServer,
}

/// Whether people may sign up in the browser now.
pub async fn is_sign_up_open(app: &AppState) -> Result<SignUpPolicy> {
    if app.config.is_local_only() || store::accounts::exist(&mut *app.pool.acquire().await?).await? {
        Ok(SignUpPolicy::Open)
    } else {
        Ok(SignUpPolicy::FirstAccountOnServer)
    }
}

/// Signs a person up and in. The first account runs the server.
pub async fn sign_up(app: &AppState, input: SignUp, client: &Client) -> Result<NewSession> {
    if is_sign_up_open(app).await? == SignUpPolicy::FirstAccountOnServer {
        return Err(AppError::Forbidden(
            "Make the first account on the server: otrace-server user create --email you@example.org --password-stdin"
                .into(),
        ));
    }
    let account = create(app, input).await?;
    sign_in::begin_session(app, account, client).await
}

/// Creates an account without signing it in.
pub async fn create(app: &AppState, input: SignUp) -> Result<Account> {
    let email = normalize_email(&input.email)?;
    check_password(&input.password)?;
    let name = match without_nul(input.name.trim()) {
        name if name.is_empty() => name_from_email(&email),
        name => normalize_name(&name)?,
    };
    let password_hash = app.passwords.hash(&input.password).await?;

    let mut transaction = app.pool.begin().await?;
    store::accounts::lock_sign_up(&mut transaction).await?;
    let is_first = !store::accounts::exist(&mut transaction).await?;
    let account = store::accounts::NewAccount {
        id: AccountId::new(),
        email: &email,
        name: &name,
        password_hash: &password_hash,
        is_admin: is_first,
        created_at: app.clock.now(),
    };
    let account = store::accounts::insert(&mut transaction, &account)
        .await?
        .ok_or(AppError::Conflict("This e-mail address has an account already. Sign in instead.".into()))?;
    transaction.commit().await?;
    tracing::info!(account = %account.id, is_admin = account.is_admin, "an account was created");
    Ok(account)
}

/// The account with this e-mail address.
pub async fn find(app: &AppState, email: &str) -> Result<Account> {
    let email = normalize_email(email)?;
    let found = store::accounts::find_by_email(&mut *app.pool.acquire().await?, &email).await?;
    found.map(|(account, _)| account).ok_or(AppError::NotFound("Account"))
}
