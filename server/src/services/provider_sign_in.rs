//! Signing in through a provider.
//!
//! An identity is the provider's issuer and its name for the person, never an address: addresses change
//! hands. One that has the address of an account here is linked to it only when the account's owner
//! signs in to it and so confirms that it is theirs.

use sqlx::PgConnection;
use time::Duration;
use url::Url;
use uuid::Uuid;

use crate::app::AppState;
use crate::auth::{Browser, Client, SignedIn};
use crate::domain::account::normalize_email;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::secret_token::hash;
use crate::domain::text::without_nul;
use crate::domain::{Account, AccountId, Actor, InvitationId};
use crate::error::{AppError, Result};
use crate::limits;
use crate::mail::Letter;
use crate::providers::{AttemptSecrets, Callback, Provider, ProviderError, ProviderIdentity};
use crate::services::accounts::{self, NewPerson};
use crate::services::sign_in::{self, NewSession};
use crate::services::{audit, invitations, links};
use crate::store;
use crate::store::identities::{Attempt, LinkedIdentity, Unconfirmed};

/// How long a person has at the provider, and afterwards to confirm an account of theirs.
const LIFETIME: Duration = Duration::minutes(10);

/// What a sign-in through a provider is for.
#[derive(Clone, Debug, Default)]
pub struct Goal<'a> {
    /// To link the identity to this account, rather than to sign in.
    pub link_to: Option<&'a SignedIn>,
    /// Whether it is to prove once more who is signed in: the provider asks the person anew.
    pub proves: bool,
    /// The token of an invitation, which allows a new account.
    pub invitation: Option<&'a str>,
    /// Where the browser goes afterwards: a path here.
    pub next_path: String,
}

/// Begins a sign-in through a provider; returns where the browser goes. `browser_secret` is what its
/// cookie holds: nobody else can end what it began.
pub async fn begin(
    app: &AppState,
    provider: &str,
    goal: Goal<'_>,
    browser_secret: &str,
    client: &Client,
) -> Result<Url> {
    let provider = find(app, provider)?;
    app.limits.take(&limits::PROVIDER_ADDRESS, &client.limit_subject()).await?;
    if let Some(signed_in) = goal.link_to {
        signed_in.require_recent_proof(app)?;
    }
    let invitation_id = match goal.invitation {
        Some(token) => Some(invitations::look(app, token).await?.invitation.id),
        None => None,
    };
    let begun = provider
        .begin(&redirect_url(app, provider)?, goal.link_to.is_some() || goal.proves)
        .await
        .map_err(|error| refused(provider, &error))?;
    let attempt = Attempt {
        provider: provider.name().to_owned(),
        nonce: begun.secrets.nonce,
        pkce_verifier: begun.secrets.pkce_verifier,
        account_id: goal.link_to.map(|signed_in| signed_in.account.id),
        invitation_id,
        next_path: goal.next_path,
    };
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    let (state, browser) = (hash(&begun.secrets.state), hash(browser_secret));
    store::identities::begin(&mut transaction, &state, &browser, &attempt, now, now + LIFETIME).await?;
    transaction.commit().await?;
    Ok(begun.url)
}

/// What a provider's page sends the browser back with.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// What the attempt is found by.
    pub state: String,
    /// What is exchanged for the identity.
    pub code: Option<String>,
    /// Who sent it, where the provider says so (RFC 9207).
    pub iss: Option<String>,
    /// Why there is no code: the person declined, or the provider did.
    pub error: Option<String>,
}

/// How a sign-in through a provider ended well.
#[derive(Debug)]
pub enum Finished {
    /// The person is signed in, and goes on to the path.
    SignedIn(NewSession, String),
    /// The identity is linked to the account that was signed in.
    Linked(String),
    /// An account has this address: its owner signs in to it, and so confirms the link.
    ConfirmFirst {
        /// The account's address.
        email: String,
        /// Where they wanted to go.
        next_path: String,
    },
}

/// Ends a sign-in through a provider. Whatever comes of it, the same answer is worth nothing afterwards.
pub async fn finish(
    app: &AppState,
    provider: &str,
    answer: Answer,
    signed_in: Option<&SignedIn>,
    browser: &Browser,
    client: &Client,
) -> Result<Finished> {
    let provider = find(app, provider)?;
    app.limits.take(&limits::PROVIDER_ADDRESS, &client.limit_subject()).await?;
    let secret = browser.attempt.as_deref().ok_or_else(stale)?;
    let now = app.clock.now();
    let attempt = {
        let mut connection = app.pool.acquire().await?;
        let (state, browser) = (hash(&answer.state), hash(secret));
        store::identities::end(&mut connection, &state, &browser, provider.name(), now).await?.ok_or_else(stale)?
    };
    let Some(code) = answer.code.filter(|_| answer.error.is_none()) else {
        let label = provider.label();
        return Err(AppError::invalid(format!("{label} did not sign you in: you declined, or it did. Try again.")));
    };
    let secrets = AttemptSecrets {
        state: answer.state,
        nonce: attempt.nonce.clone(),
        pkce_verifier: attempt.pkce_verifier.clone(),
    };
    let callback = Callback { code, iss: answer.iss };
    let identity = provider
        .finish(&redirect_url(app, provider)?, &secrets, &callback, now)
        .await
        .map_err(|error| refused(provider, &error))?;
    let told = [Some(&identity.subject), identity.email.as_ref()];
    if told.into_iter().flatten().any(|text| text.contains('\0')) {
        // It could not be kept as it is, and cleaned it would be another one's.
        return Err(AppError::invalid(format!(
            "{} told a name that can't be kept. Sign in another way.",
            provider.label()
        )));
    }
    match attempt.account_id {
        Some(account_id) => link(app, provider, &identity, account_id, signed_in, attempt.next_path).await,
        None => enter(app, provider, &identity, attempt, browser, client).await,
    }
}

/// Links an identity to the account that asked for it, which must still be the one that is signed in.
async fn link(
    app: &AppState,
    provider: &Provider,
    identity: &ProviderIdentity,
    account_id: AccountId,
    signed_in: Option<&SignedIn>,
    next_path: String,
) -> Result<Finished> {
    let signed_in = signed_in.filter(|signed_in| signed_in.account.id == account_id).ok_or_else(stale)?;
    let mut transaction = app.pool.begin().await?;
    insert(app, &mut transaction, &signed_in.account, identity, &signed_in.actor()).await?;
    transaction.commit().await?;
    tell_of_link(app, &signed_in.account, provider.label());
    Ok(Finished::Linked(next_path))
}

/// Signs in whoever the identity belongs to, or makes an account for it where that is allowed.
async fn enter(
    app: &AppState,
    provider: &Provider,
    identity: &ProviderIdentity,
    attempt: Attempt,
    browser: &Browser,
    client: &Client,
) -> Result<Finished> {
    let mut connection = app.pool.acquire().await?;
    let known = store::identities::find_account(&mut connection, &identity.issuer, &identity.subject).await?;
    drop(connection);
    match known {
        Some((_, true)) => {
            return Err(AppError::Forbidden("This account is closed. Ask whoever runs this server.".into()));
        }
        Some((account, false)) => {
            // Another provider's identity may wait for this account's owner.
            confirm_waiting(app, &account, client, browser).await?;
            let session = sign_in::begin_session(app, account, client).await?;
            return Ok(Finished::SignedIn(session, attempt.next_path));
        }
        None => {}
    }
    let label = provider.label();
    let email = identity.email.as_deref().map(|email| normalize_email(&without_nul(email)));
    let Some(Ok(email)) = email.filter(|_| identity.is_email_verified) else {
        return Err(AppError::invalid(format!(
            "{label} does not say that your address is yours. Sign in another way, then link {label} on your account's page."
        )));
    };
    if let Some((account, _)) = store::accounts::find_by_email(&mut *app.pool.acquire().await?, &email).await? {
        let identity = Unconfirmed {
            account_id: account.id,
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            email: email.clone(),
        };
        let now = app.clock.now();
        let mut transaction = app.pool.begin().await?;
        let browser = hash(browser.attempt.as_deref().ok_or_else(stale)?);
        store::identities::put_unconfirmed(&mut transaction, &browser, &identity, now, now + LIFETIME).await?;
        transaction.commit().await?;
        return Ok(Finished::ConfirmFirst { email, next_path: attempt.next_path });
    }
    let session = sign_up(app, provider, identity, &email, attempt.invitation_id, client).await?;
    // An invitation that was accepted on the way has no page any more; the start page shows its project.
    let next_path = if attempt.invitation_id.is_some() { "/".to_owned() } else { attempt.next_path };
    Ok(Finished::SignedIn(session, next_path))
}

/// Makes an account for an identity whose address the provider vouches for.
async fn sign_up(
    app: &AppState,
    provider: &Provider,
    identity: &ProviderIdentity,
    email: &str,
    invitation_id: Option<InvitationId>,
    client: &Client,
) -> Result<NewSession> {
    let policy = accounts::policy(app).await?;
    let mut transaction = app.pool.begin().await?;
    let invitation = match invitation_id {
        Some(id) if policy.admits_invited() => Some(invitations::lock(app, &mut transaction, id).await?),
        _ => None,
    };
    if let Some(invitation) = &invitation {
        invitations::check_address(invitation, email)?;
    }
    let has_accounts = store::accounts::exist(&mut transaction).await?;
    let is_local = app.config.is_local_only() && !accounts::is_passed_on_to_local(app, client);
    if !has_accounts && !is_local {
        return Err(AppError::Forbidden(
            "Make the first account on the server: otrace-server user create --email you@example.org --password-stdin"
                .into(),
        ));
    }
    if has_accounts && invitation.is_none() && !policy.admits(email) {
        return Err(AppError::Forbidden(
            format!("{email} has no account here. Ask somebody who has one for an invitation link.").into(),
        ));
    }
    let name = accounts::name_or_default(identity.name.as_deref().unwrap_or_default(), email);
    let name = name.or_else(|_| accounts::name_or_default("", email))?;
    let actor = Actor::nobody(email, client.address);
    let new = NewPerson { email, name: &name, password_hash: None, is_proved: true };
    let account = accounts::insert(app, &mut transaction, new, &actor).await?;
    insert(app, &mut transaction, &account, identity, &actor).await?;
    if let Some(invitation) = &invitation {
        let actor = Actor::account(&account, client.address);
        invitations::join(app, &mut transaction, invitation, &account, &actor).await?;
    }
    transaction.commit().await?;
    tracing::info!(account = %account.id, provider = provider.name(), "somebody signed up through a provider");
    sign_in::begin_session(app, account, client).await
}

/// Links the identity that waits in this browser to the account whose owner has just signed in, if
/// that is the account it waits for.
pub(super) async fn confirm_waiting(
    app: &AppState,
    account: &Account,
    client: &Client,
    browser: &Browser,
) -> Result<()> {
    let Some(secret) = &browser.attempt else { return Ok(()) };
    let browser_hash = hash(secret);
    let mut transaction = app.pool.begin().await?;
    let waiting = store::identities::find_unconfirmed(&mut transaction, &browser_hash, app.clock.now()).await?;
    let Some(waiting) = waiting.filter(|waiting| waiting.account_id == account.id) else { return Ok(()) };
    store::identities::delete_unconfirmed(&mut transaction, &browser_hash).await?;
    if store::identities::find_account(&mut transaction, &waiting.issuer, &waiting.subject).await?.is_some() {
        // It was linked meanwhile, in another tab.
        transaction.commit().await?;
        return Ok(());
    }
    let identity = ProviderIdentity {
        issuer: waiting.issuer,
        subject: waiting.subject,
        email: Some(waiting.email),
        is_email_verified: true,
        name: None,
    };
    insert(app, &mut transaction, account, &identity, &Actor::account(account, client.address)).await?;
    store::accounts::set_email_verified(&mut transaction, account.id, app.clock.now()).await?;
    transaction.commit().await?;
    tell_of_link(app, account, &label_of(app, &identity.issuer));
    Ok(())
}

async fn insert(
    app: &AppState,
    transaction: &mut PgConnection,
    account: &Account,
    identity: &ProviderIdentity,
    actor: &Actor,
) -> Result<()> {
    let now = app.clock.now();
    let email = identity.email.as_deref().map(without_nul);
    let ProviderIdentity { issuer, subject, .. } = identity;
    let is_new = store::identities::insert(transaction, account.id, issuer, subject, email.as_deref(), now).await?;
    if !is_new {
        return Err(AppError::Conflict("That identity is linked to an account here already. Sign in with it.".into()));
    }
    let event = NewEvent::new(Action::IdentityLinked, account.email.clone()).with("issuer", issuer.clone());
    audit::record(transaction, Chain::Server, actor, event, now).await
}

/// The identities that are linked to the account.
pub async fn linked(app: &AppState, signed_in: &SignedIn) -> Result<Vec<LinkedIdentity>> {
    Ok(store::identities::list(&mut *app.pool.acquire().await?, signed_in.account.id).await?)
}

/// Takes an identity off the account, unless nothing else would be left to sign in with.
pub async fn unlink(app: &AppState, signed_in: &SignedIn, id: Uuid) -> Result<()> {
    signed_in.require_recent_proof(app)?;
    let account = &signed_in.account;
    let mut transaction = app.pool.begin().await?;
    let credentials = store::accounts::lock_credentials(&mut transaction, account.id).await?;
    let has_password = credentials.is_some_and(|credentials| credentials.password_hash.is_some())
        && app.config.sign_in.password_sign_in;
    let issuer = store::identities::delete(&mut transaction, account.id, id).await?;
    let issuer = issuer.ok_or(AppError::NotFound("Linked provider"))?;
    if !has_password && store::identities::list(&mut transaction, account.id).await?.is_empty() {
        return Err(AppError::Conflict("Choose a password first: nothing else would be left to sign in with.".into()));
    }
    let event = NewEvent::new(Action::IdentityUnlinked, account.email.clone()).with("issuer", issuer);
    audit::record(&mut transaction, Chain::Server, &signed_in.actor(), event, app.clock.now()).await?;
    transaction.commit().await?;
    Ok(())
}

/// What people call an issuer: the label of its provider, else its host.
pub fn label_of(app: &AppState, issuer: &str) -> String {
    let configured = app.providers.all().iter().find(|provider| provider.issuer() == issuer);
    configured.map_or_else(
        || {
            Url::parse(issuer)
                .ok()
                .and_then(|url| url.host_str().map(str::to_owned))
                .unwrap_or_else(|| issuer.to_owned())
        },
        |provider| provider.label().to_owned(),
    )
}

fn tell_of_link(app: &AppState, account: &Account, provider: &str) {
    let instance = app.config.instance_name_or_default().to_owned();
    app.mailer.send(&account.email, Letter::ProviderLinked { instance, provider: provider.to_owned() });
}

fn find<'a>(app: &'a AppState, name: &str) -> Result<&'a Provider> {
    app.providers.find(name).ok_or(AppError::NotFound("Sign-in provider"))
}

/// Where the provider sends the browser back to: one address for each provider.
fn redirect_url(app: &AppState, provider: &Provider) -> Result<Url> {
    let url = links::url(app, &format!("/signin/with/{}/callback", provider.name()));
    Ok(Url::parse(&url).map_err(anyhow::Error::new)?)
}

/// The attempt was not begun in this browser, was ended before, or took too long.
fn stale() -> AppError {
    AppError::invalid("This sign-in was not begun here, or took too long. Try again.")
}

fn refused(provider: &Provider, error: &ProviderError) -> AppError {
    tracing::warn!(provider = provider.name(), %error, "a sign-in through a provider failed");
    AppError::Invalid(error.message(provider.label()).into())
}
