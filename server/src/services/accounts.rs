//! Accounts: how they come about, and what their owners change about them.
//!
//! Where the server can send mail, an account begins with a link: there is none before its address is
//! proved, so nobody can take an address ahead of its owner. Where it can't, a password is enough.

use crate::app::AppState;
use crate::auth::{Client, SignedIn};
use crate::domain::account::{check_new_password, name_from_email, normalize_email};
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::one_time_link::Purpose;
use crate::domain::secret_token::hash;
use crate::domain::text::{normalize_name, without_nul};
use crate::domain::{Account, AccountId, Actor, SignUpPolicy};
use crate::error::{AppError, Result};
use crate::limits;
use crate::mail::Letter;
use crate::services::sign_in::{self, NewSession};
use crate::services::{audit, links};
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

/// How a stranger gets an account in the browser now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignUpDoor {
    /// With an address and a password.
    WithPassword,
    /// With an address, which a link is sent to. Only addresses at these domains, where there are some.
    ByMail(Vec<String>),
    /// Through a provider, and no other way.
    ThroughProvider,
    /// Only with an invitation.
    ByInvitation,
    /// Nobody has an account yet and others than this machine's users reach the server: the first
    /// account, which runs it, is made on the server itself.
    FirstAccountOnServer,
    /// Not at all.
    Closed,
}

/// The rule by which people sign up: the one that an admin chose, else open on a server that only its
/// own machine reaches, and by invitation elsewhere.
pub async fn policy(app: &AppState) -> Result<SignUpPolicy> {
    let chosen = store::sign_up_policy::find(&mut *app.pool.acquire().await?).await?;
    let default = if app.config.is_local_only() { SignUpPolicy::Open } else { SignUpPolicy::Invitation };
    Ok(chosen.unwrap_or(default))
}

/// How a stranger gets an account in the browser now.
pub async fn sign_up_door(app: &AppState) -> Result<SignUpDoor> {
    if !store::accounts::exist(&mut *app.pool.acquire().await?).await? {
        return Ok(match (app.config.is_local_only(), app.config.sign_in.password_sign_in) {
            (true, true) => SignUpDoor::WithPassword,
            (true, false) => SignUpDoor::ThroughProvider,
            (false, _) => SignUpDoor::FirstAccountOnServer,
        });
    }
    let has_passwords = app.config.sign_in.password_sign_in;
    Ok(match policy(app).await? {
        SignUpPolicy::Off => SignUpDoor::Closed,
        SignUpPolicy::Open if has_passwords && !app.mailer.is_configured() => SignUpDoor::WithPassword,
        SignUpPolicy::Open if has_passwords => SignUpDoor::ByMail(Vec::new()),
        SignUpPolicy::Domains(domains) if has_passwords && app.mailer.is_configured() => SignUpDoor::ByMail(domains),
        // A provider vouches for the address.
        SignUpPolicy::Open | SignUpPolicy::Domains(_) if !app.providers.all().is_empty() => SignUpDoor::ThroughProvider,
        SignUpPolicy::Open | SignUpPolicy::Domains(_) | SignUpPolicy::Invitation => SignUpDoor::ByInvitation,
    })
}

fn closed(door: &SignUpDoor) -> AppError {
    AppError::Forbidden(match door {
        SignUpDoor::FirstAccountOnServer => {
            "Make the first account on the server: otrace-server user create --email you@example.org --password-stdin"
                .into()
        }
        SignUpDoor::WithPassword | SignUpDoor::ByMail(_) => {
            "Open the sign-up page anew: its rules have changed.".into()
        }
        SignUpDoor::ThroughProvider => "Sign up through one of the providers on the sign-in page.".into(),
        SignUpDoor::ByInvitation => "Ask somebody who has an account here for an invitation link.".into(),
        SignUpDoor::Closed => "Ask whoever runs this server for an account: sign-up is switched off.".into(),
    })
}

/// Whether a server that takes itself to be its own machine's alone is reached by others, through a proxy
/// that it was not told of.
pub(super) fn is_passed_on_to_local(app: &AppState, client: &Client) -> bool {
    app.config.is_local_only() && !client.is_this_machine()
}

/// Counts a sign-up, but for people at the server's own machine, who try things out.
async fn limit_sign_ups(app: &AppState, client: &Client) -> Result<()> {
    if client.is_this_machine() {
        return Ok(());
    }
    app.limits.take(&limits::SIGN_UP_ADDRESS, &client.limit_subject()).await
}

/// Signs a person up with a password, and in. The first account runs the server.
pub async fn sign_up(app: &AppState, input: SignUp, client: &Client) -> Result<NewSession> {
    let door = sign_up_door(app).await?;
    if door != SignUpDoor::WithPassword {
        return Err(closed(&door));
    }
    if is_passed_on_to_local(app, client) && !store::accounts::exist(&mut *app.pool.acquire().await?).await? {
        return Err(closed(&SignUpDoor::FirstAccountOnServer));
    }
    limit_sign_ups(app, client).await?;
    let account = create(app, input, &Actor::nobody("sign-up", client.address)).await?;
    sign_in::begin_session(app, account, client).await
}

/// Sends a link to sign up with. Whether the address has an account already is only told by mail.
pub async fn ask_to_sign_up(app: &AppState, email: &str, name: &str, client: &Client) -> Result<()> {
    let door = sign_up_door(app).await?;
    let SignUpDoor::ByMail(domains) = &door else { return Err(closed(&door)) };
    let email = normalize_email(&without_nul(email))?;
    let name = name_or_default(name, &email)?;
    if !domains.is_empty() && !SignUpPolicy::Domains(domains.clone()).admits(&email) {
        return Err(AppError::invalid(format!(
            "Use an address at {}, or ask for an invitation.",
            domains.join(" or ")
        )));
    }
    limit_sign_ups(app, client).await?;
    app.limits.take(&limits::RESET_EMAIL, &email).await?;
    let app = app.clone();
    // Off the request's path, so that its time tells nothing either.
    tokio::spawn(async move {
        if let Err(error) = send_sign_up_link(&app, &email, &name).await {
            tracing::error!(error = format!("{error:#}"), "could not send a sign-up link");
        }
    });
    Ok(())
}

async fn send_sign_up_link(app: &AppState, email: &str, name: &str) -> Result<()> {
    let instance = app.config.instance_name_or_default().to_owned();
    let is_taken = store::accounts::is_taken(&mut *app.pool.acquire().await?, email).await?;
    let letter = if is_taken {
        Letter::AlreadySignedUp { instance, sign_in: links::url(app, "/signin"), reset: links::url(app, "/forgot") }
    } else {
        Letter::ConfirmSignUp { instance, link: links::make_sign_up(app, email, name).await? }
    };
    app.mailer.send(email, letter);
    Ok(())
}

/// Finishes a sign-up behind its link: the password is chosen here, by whoever reads that mail.
pub async fn finish_sign_up(app: &AppState, token: &str, password: &str, client: &Client) -> Result<NewSession> {
    app.limits.take(&limits::LINK_TRY, &client.limit_subject()).await?;
    let found = links::look(app, token, Purpose::SignUp).await?;
    // The rules may have changed since the link was sent.
    let door = sign_up_door(app).await?;
    let is_admitted = match &door {
        SignUpDoor::ByMail(domains) => {
            domains.is_empty() || SignUpPolicy::Domains(domains.clone()).admits(&found.email)
        }
        _ => false,
    };
    if !is_admitted {
        return Err(closed(&door));
    }
    let name = found.name.unwrap_or_else(|| name_from_email(&found.email));
    check_new_password(password, &[&found.email, &name])?;
    let password_hash = app.passwords.hash(password).await?;

    let mut transaction = app.pool.begin().await?;
    store::accounts::lock_sign_up(&mut transaction).await?;
    let found = links::take(&mut transaction, token, Purpose::SignUp, app.clock.now()).await?;
    let new = NewPerson { email: &found.email, name: &name, password_hash: Some(&password_hash), is_proved: true };
    let account = insert(app, &mut transaction, new, &Actor::nobody(&found.email, client.address)).await?;
    transaction.commit().await?;
    sign_in::begin_session(app, account, client).await
}

/// Creates an account without signing it in.
pub async fn create(app: &AppState, input: SignUp, actor: &Actor) -> Result<Account> {
    let email = normalize_email(&input.email)?;
    let name = name_or_default(&input.name, &email)?;
    check_new_password(&input.password, &[&email, &name])?;
    let password_hash = app.passwords.hash(&input.password).await?;
    let mut transaction = app.pool.begin().await?;
    let new = NewPerson { email: &email, name: &name, password_hash: Some(&password_hash), is_proved: false };
    let account = insert(app, &mut transaction, new, actor).await?;
    transaction.commit().await?;
    Ok(account)
}

/// What an account is made of, once it may be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewPerson<'a> {
    pub email: &'a str,
    pub name: &'a str,
    pub password_hash: Option<&'a str>,
    /// Whether mail to the address is known to reach them.
    pub is_proved: bool,
}

/// Adds an account in a transaction of the caller's. The first one runs the server.
pub(super) async fn insert(
    app: &AppState,
    transaction: &mut sqlx::PgConnection,
    new: NewPerson<'_>,
    actor: &Actor,
) -> Result<Account> {
    let now = app.clock.now();
    store::accounts::lock_sign_up(transaction).await?;
    let is_first = !store::accounts::exist(transaction).await?;
    let row = store::accounts::NewAccount {
        id: AccountId::new(),
        email: new.email,
        name: new.name,
        password_hash: new.password_hash,
        is_admin: is_first,
        email_verified_at: new.is_proved.then_some(now),
        created_at: now,
    };
    let account = store::accounts::insert(transaction, &row)
        .await?
        .ok_or(AppError::Conflict("This e-mail address has an account already. Sign in instead.".into()))?;
    store::one_time_links::delete_sign_ups(transaction, new.email).await?;
    let mut event = NewEvent::new(Action::AccountCreated, new.email);
    if is_first {
        event = event.with("is_admin", "true");
    }
    audit::record(transaction, Chain::Server, actor, event, now).await?;
    tracing::info!(account = %account.id, is_admin = account.is_admin, "an account is created");
    Ok(account)
}

/// A name as it was typed, or what stands before the `@`.
pub(super) fn name_or_default(name: &str, email: &str) -> Result<String> {
    match without_nul(name.trim()) {
        name if name.is_empty() => Ok(name_from_email(email)),
        name => Ok(normalize_name(&name)?),
    }
}

/// The account with this e-mail address.
pub async fn find(app: &AppState, email: &str) -> Result<Account> {
    let email = normalize_email(email)?;
    let found = store::accounts::find_by_email(&mut *app.pool.acquire().await?, &email).await?;
    found.map(|(account, _)| account).ok_or(AppError::NotFound("Account"))
}

/// Changes the name that others see.
pub async fn rename(app: &AppState, signed_in: &SignedIn, name: &str) -> Result<()> {
    let name = normalize_name(&without_nul(name))?;
    store::accounts::set_name(&mut *app.pool.acquire().await?, signed_in.account.id, &name).await?;
    Ok(())
}

/// How an account signs in, for its own page.
pub async fn credentials(app: &AppState, signed_in: &SignedIn) -> Result<store::accounts::Credentials> {
    let found = store::accounts::lock_credentials(&mut *app.pool.acquire().await?, signed_in.account.id).await?;
    found.ok_or(AppError::NotFound("Account"))
}

/// Changes the account's password, or gives it its first. Ends its other sessions and open links, and
/// gives this one a new token.
///
/// An account that has a password needs it; one without needs a proof of minutes ago.
pub async fn change_password(app: &AppState, signed_in: &SignedIn, current: &str, new: &str) -> Result<NewSession> {
    let account = &signed_in.account;
    let before = credentials(app, signed_in).await?;
    if before.password_hash.is_some() {
        sign_in::check_own_password(app, signed_in, current).await?;
    } else {
        signed_in.require_recent_proof(app)?;
    }
    check_new_password(new, &[&account.email, &account.name])?;
    let password_hash = app.passwords.hash(new).await?;
    let mut transaction = app.pool.begin().await?;
    // Hashing takes a while: meanwhile the password may have been reset, which ended this session.
    let held = store::accounts::lock_credentials(&mut transaction, account.id).await?;
    if held.is_none_or(|held| held.password_hash != before.password_hash) {
        return Err(AppError::SignedOut("Sign in first.".into()));
    }
    let session = sign_in::renew(app, &mut transaction, signed_in).await?;
    store::accounts::set_password_hash(&mut transaction, account.id, &password_hash).await?;
    store::one_time_links::delete_of(&mut transaction, account.id).await?;
    store::sessions::delete_others(&mut transaction, account.id, Some(&hash(&session.token))).await?;
    let event = NewEvent::new(Action::PasswordChanged, account.email.clone());
    audit::record(&mut transaction, Chain::Server, &signed_in.actor(), event, app.clock.now()).await?;
    transaction.commit().await?;
    app.live.publish_access_change(account.id);
    links::tell_of_new_password(app, account, signed_in.client.address);
    Ok(session)
}
