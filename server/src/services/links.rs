//! Links that work once: to sign up, to choose a new password, to move to another address.
//!
//! Links are built from the configured public address only, never from what a request calls the server.

use std::net::IpAddr;

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::auth::{Client, SignedIn};
use crate::domain::account::{check_new_password, normalize_email};
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::one_time_link::Purpose;
use crate::domain::secret_token::hash;
use crate::domain::text::without_nul;
use crate::domain::{Account, Actor};
use crate::error::{AppError, Result};
use crate::limits;
use crate::mail::Letter;
use crate::services::audit;
use crate::store;
use crate::store::one_time_links::{FoundLink, NewLink};

/// The address of one of the server's pages.
pub fn url(app: &AppState, path: &str) -> String {
    format!("{}{path}", app.config.public_url_str())
}

/// Refuses a link that was used, has ended, or never was: the reader can't be told which.
fn dead_link() -> AppError {
    AppError::NotFound("Link")
}

/// What a link is made for.
struct Wanted<'a> {
    purpose: Purpose,
    account: Option<&'a Account>,
    email: &'a str,
    name: Option<&'a str>,
    /// Whether it goes out by mail, so that using it proves the address.
    is_mailed: bool,
}

async fn make(app: &AppState, connection: &mut PgConnection, wanted: Wanted<'_>) -> Result<String> {
    let Wanted { purpose, account, email, name, is_mailed } = wanted;
    let token = purpose.generate().map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let now = app.clock.now();
    let link = NewLink {
        token_hash: &hash(&token),
        purpose,
        account_id: account.map(|account| account.id),
        email,
        name,
        was_mailed: is_mailed,
        created_at: now,
        expires_at: now + purpose.lifetime(),
    };
    store::one_time_links::insert(connection, &link).await?;
    let page = match purpose {
        Purpose::SignUp => "signup",
        Purpose::PasswordReset => "reset",
        Purpose::EmailChange => "account/email",
    };
    Ok(url(app, &format!("/{page}/{token}")))
}

fn reset_of(account: &Account, is_mailed: bool) -> Wanted<'_> {
    Wanted { purpose: Purpose::PasswordReset, account: Some(account), email: &account.email, name: None, is_mailed }
}

/// A link that finishes a sign-up.
pub(super) async fn make_sign_up(app: &AppState, email: &str, name: &str) -> Result<String> {
    let wanted = Wanted { purpose: Purpose::SignUp, account: None, email, name: Some(name), is_mailed: true };
    make(app, &mut *app.pool.acquire().await?, wanted).await
}

/// What a link proves, if it works. Looking does not use it up.
pub async fn look(app: &AppState, token: &str, purpose: Purpose) -> Result<FoundLink> {
    let found =
        store::one_time_links::find(&mut *app.pool.acquire().await?, &hash(token), purpose, app.clock.now()).await?;
    found.ok_or_else(dead_link)
}

/// Uses a link up.
pub(super) async fn take(
    connection: &mut PgConnection,
    token: &str,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<FoundLink> {
    store::one_time_links::take(connection, &hash(token), purpose, now).await?.ok_or_else(dead_link)
}

fn require_passwords(app: &AppState) -> Result<()> {
    if app.config.sign_in.password_sign_in {
        return Ok(());
    }
    Err(AppError::Forbidden("Passwords are switched off on this server. Sign in another way.".into()))
}

/// Sends a link to choose a new password with, if the address has an account. The answer is the same
/// if it has none.
pub async fn ask_for_reset(app: &AppState, email: &str, client: &Client) -> Result<()> {
    require_passwords(app)?;
    let email = normalize_email(&without_nul(email))?;
    app.limits
        .take_all(&[(&limits::RESET_ADDRESS, client.limit_subject()), (&limits::RESET_EMAIL, email.clone())])
        .await?;
    let app = app.clone();
    // Off the request's path, so that its time tells nothing either.
    tokio::spawn(async move {
        if let Err(error) = send_reset(&app, &email).await {
            tracing::error!(error = format!("{error:#}"), "could not send a link to choose a new password");
        }
    });
    Ok(())
}

async fn send_reset(app: &AppState, email: &str) -> Result<()> {
    let mut connection = app.pool.acquire().await?;
    let Some((account, _)) = store::accounts::find_by_email(&mut connection, email).await? else { return Ok(()) };
    let link = make(app, &mut connection, reset_of(&account, true)).await?;
    let instance = app.config.instance_name_or_default().to_owned();
    app.mailer.send(email, Letter::ResetPassword { instance, link });
    Ok(())
}

/// Makes a link to choose a new password with, to be handed over by whoever runs the server.
pub async fn make_reset(app: &AppState, account: &Account, actor: &Actor) -> Result<String> {
    let mut transaction = app.pool.begin().await?;
    let link = make(app, &mut transaction, reset_of(account, false)).await?;
    let event = NewEvent::new(Action::ResetLinkMade, account.email.clone());
    audit::record(&mut transaction, Chain::Server, actor, event, app.clock.now()).await?;
    transaction.commit().await?;
    Ok(link)
}

/// Sets the password that was chosen behind a link. Ends all sessions and other links of the account;
/// signs nobody in.
pub async fn reset_password(app: &AppState, token: &str, password: &str, client: &Client) -> Result<()> {
    require_passwords(app)?;
    app.limits.take(&limits::LINK_TRY, &client.limit_subject()).await?;
    let found = look(app, token, Purpose::PasswordReset).await?;
    check_new_password(password, &[&found.email])?;
    let password_hash = app.passwords.hash(password).await?;

    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    // The account before its links, as everywhere: two resets at once never wait for each other.
    let id = found.account_id.ok_or_else(dead_link)?;
    let credentials = store::accounts::lock_credentials(&mut transaction, id).await?.ok_or_else(dead_link)?;
    let found = take(&mut transaction, token, Purpose::PasswordReset, now).await?;
    let account = store::accounts::find(&mut transaction, id).await?.ok_or_else(dead_link)?;
    if account.email != found.email {
        // The account has moved to another address since.
        return Err(dead_link());
    }
    let mut revoked = Vec::new();
    if found.was_mailed {
        if credentials.email_verified_at.is_none() {
            // Whoever made the account never proved the address; its owner, who does so now, shares
            // nothing with them.
            store::identities::delete_all(&mut transaction, id).await?;
            revoked = store::api_keys::revoke_all_of(&mut transaction, id, now).await?;
        }
        store::accounts::set_email_verified(&mut transaction, id, now).await?;
    }
    store::accounts::set_password_hash(&mut transaction, id, &password_hash).await?;
    store::one_time_links::delete_of(&mut transaction, id).await?;
    store::sessions::delete_others(&mut transaction, id, None).await?;
    let event = NewEvent::new(Action::PasswordReset, account.email.clone());
    let actor = Actor::nobody(&account.email, client.address);
    audit::record(&mut transaction, Chain::Server, &actor, event, now).await?;
    transaction.commit().await?;
    for key_hash in revoked {
        app.key_cache.forget(&key_hash);
    }
    app.live.publish_access_change(id);
    tell_of_new_password(app, &account, client.address);
    Ok(())
}

/// Tells an account's owner that its password is another one now.
pub(super) fn tell_of_new_password(app: &AppState, account: &Account, address: Option<IpAddr>) {
    let letter = Letter::PasswordChanged {
        instance: app.config.instance_name_or_default().to_owned(),
        reset: url(app, "/forgot"),
        when: app.clock.now().to_string(),
        address: address.map(|address| address.to_string()),
    };
    app.mailer.send(&account.email, letter);
}

/// Sends a link to the address that the account is to move to.
pub async fn ask_for_email_change(app: &AppState, signed_in: &SignedIn, new_email: &str) -> Result<()> {
    signed_in.require_recent_proof(app)?;
    if !app.mailer.is_configured() {
        return Err(AppError::invalid("This server can't send mail, so addresses stay as they are."));
    }
    let email = normalize_email(&without_nul(new_email))?;
    if email == signed_in.account.email {
        return Err(AppError::invalid("This is your address already."));
    }
    let from = (&limits::RESET_ADDRESS, format!("account {}", signed_in.account.id));
    app.limits.take_all(&[from, (&limits::RESET_EMAIL, email.clone())]).await?;
    let mut connection = app.pool.acquire().await?;
    // Whether another account has that address is not told: its owner would get a link that does not work.
    let account = Some(&signed_in.account);
    let wanted = Wanted { purpose: Purpose::EmailChange, account, email: &email, name: None, is_mailed: true };
    let link = make(app, &mut connection, wanted).await?;
    let instance = app.config.instance_name_or_default().to_owned();
    app.mailer.send(&email, Letter::EmailChange { instance, link });
    Ok(())
}

/// Moves the account to the address that the link was sent to, and tells the old one.
pub async fn change_email(app: &AppState, signed_in: &SignedIn, token: &str) -> Result<()> {
    app.limits.take(&limits::LINK_TRY, &signed_in.client.limit_subject()).await?;
    let account = &signed_in.account;
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    // Two accounts that want one address come one after the other.
    store::accounts::lock_sign_up(&mut transaction).await?;
    store::accounts::lock_credentials(&mut transaction, account.id).await?;
    let found = take(&mut transaction, token, Purpose::EmailChange, now).await?;
    // A link that another account asked for proves nothing about this one.
    if found.account_id != Some(account.id) {
        return Err(dead_link());
    }
    if !store::accounts::set_email(&mut transaction, account.id, &found.email, now).await? {
        return Err(AppError::Conflict("Another account has this address. Choose another one.".into()));
    }
    store::one_time_links::delete_of(&mut transaction, account.id).await?;
    let event = NewEvent::new(Action::EmailChanged, found.email.clone()).with("from", account.email.clone());
    audit::record(&mut transaction, Chain::Server, &signed_in.actor(), event, now).await?;
    transaction.commit().await?;
    let instance = app.config.instance_name_or_default().to_owned();
    app.mailer.send(&account.email, Letter::EmailChanged { instance, new_email: found.email });
    Ok(())
}
