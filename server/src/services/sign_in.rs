//! Signing in and out, and the sessions that this begins and ends.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use crate::app::AppState;
use crate::auth::sessions::{ABSOLUTE_LIFETIME, IDLE_LIFETIME, SessionHash, TOKEN_CHARS};
use crate::auth::{Browser, Client, SignedIn};
use crate::domain::account::{PASSWORD_MAX_BYTES, normalize_email};
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::secret_token::{hash, random_base62};
use crate::domain::text::without_nul;
use crate::domain::{Account, Actor, SessionId};
use crate::error::{AppError, Result};
use crate::limits;
use crate::services::{audit, provider_sign_in};
use crate::store;
use crate::store::sessions::FoundSession;

/// How often a session's last use is written down.
const SEEN_EVERY: Duration = Duration::minutes(5);

/// A session that goes on gets a new token this often.
const TOKEN_LIFETIME: Duration = Duration::hours(24);
/// The token before works so much longer, for requests that were under way.
const TOKEN_OVERLAP: Duration = Duration::minutes(1);

/// A browser that was signed in just now.
#[derive(Debug)]
pub struct NewSession {
    /// What its cookie holds.
    pub token: String,
    /// What the cookie of a known browser holds: it lifts the limit on guesses for its owner.
    pub known_browser: String,
    /// Who signed in.
    pub account: Account,
}

/// Signs a person in. A wrong password and an unknown address get the same answer in the same time.
pub async fn with_password(
    app: &AppState,
    email: &str,
    password: &str,
    client: &Client,
    browser: &Browser,
) -> Result<NewSession> {
    if !app.config.sign_in.password_sign_in {
        return Err(AppError::Forbidden("Passwords are switched off on this server. Sign in another way.".into()));
    }
    let wrong = || AppError::invalid("E-mail address or password is wrong.");
    let email = normalize_email(&without_nul(email)).map_err(|_| wrong())?;
    let found = store::accounts::find_by_email(&mut *app.pool.acquire().await?, &email).await?;
    let (account, password_hash) = found.unzip();
    if account.as_ref().is_some_and(|account| browser.has_signed_in(app, account.id)) {
        // Others who guess, at this address or this account, hold nobody up who has been here before.
        app.limits.take(&limits::SIGN_IN_ACCOUNT, &format!("{email} in a known browser")).await?;
    } else {
        // Counted for addresses without an account as well, so that the limit tells nobody which there are.
        let subjects = [(&limits::SIGN_IN_ADDRESS, client.limit_subject()), (&limits::SIGN_IN_ACCOUNT, email.clone())];
        app.limits.take_all(&subjects).await?;
    }
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(wrong());
    }
    let held = password_hash.flatten();
    let checked = app.passwords.check(password, held.clone()).await?;
    let account = account.filter(|_| checked.is_right).ok_or_else(wrong)?;
    let new_hash = if checked.needs_rehash { Some(app.passwords.hash(password).await?) } else { None };
    let proof = PasswordProof { checked_against: held, new_hash };
    let session = begin(app, account, client, Some(proof)).await?;
    provider_sign_in::confirm_waiting(app, &session.account, client, browser).await?;
    Ok(session)
}

/// A password that was right a moment ago.
struct PasswordProof {
    /// The hash that it was checked against.
    checked_against: Option<String>,
    /// The same password's hash as it is made today, where that one is older.
    new_hash: Option<String>,
}

/// Begins a session, with a token that was never used before.
pub async fn begin_session(app: &AppState, account: Account, client: &Client) -> Result<NewSession> {
    begin(app, account, client, None).await
}

async fn begin(app: &AppState, account: Account, client: &Client, proof: Option<PasswordProof>) -> Result<NewSession> {
    let token = new_token()?;
    let now = app.clock.now();
    let user_agent = client.user_agent.as_deref().map(without_nul);
    let mut transaction = app.pool.begin().await?;
    // Hashing takes a while: meanwhile the password may have been reset, or the account closed.
    let credentials = store::accounts::lock_credentials(&mut transaction, account.id).await?;
    let still_holds = credentials.is_some_and(|credentials| {
        proof.as_ref().is_none_or(|proof| proof.checked_against == credentials.password_hash)
    });
    if !still_holds {
        return Err(AppError::Conflict("Your account was changed just now. Sign in again.".into()));
    }
    if let Some(hash) = proof.and_then(|proof| proof.new_hash) {
        store::accounts::set_password_hash(&mut transaction, account.id, &hash).await?;
    }
    store::sessions::delete_ended(&mut transaction, account.id, now - IDLE_LIFETIME, now - ABSOLUTE_LIFETIME).await?;
    store::sessions::insert(&mut transaction, &hash(&token), account.id, now, user_agent.as_deref(), client.address)
        .await?;
    let actor = Actor::account(&account, client.address);
    let event = NewEvent::new(Action::SignedIn, account.email.clone());
    audit::record(&mut transaction, Chain::Server, &actor, event, now).await?;
    transaction.commit().await?;
    let known_browser = app.tokens.known_browser(account.id, now)?;
    Ok(NewSession { token, known_browser, account })
}

/// Who is signed in with this session, if it has not ended.
pub async fn find_session(app: &AppState, session: &SessionHash) -> Result<Option<FoundSession>> {
    let now = app.clock.now();
    let mut connection = app.pool.acquire().await?;
    let (seen_after, begun_after) = (now - IDLE_LIFETIME, now - ABSOLUTE_LIFETIME);
    let found =
        store::sessions::find(&mut connection, &session.0, seen_after, begun_after, now - TOKEN_OVERLAP).await?;
    if let Some(found) = &found
        && now - found.last_seen_at > SEEN_EVERY
    {
        store::sessions::touch(&mut connection, &found.token_hash, now).await?;
    }
    Ok(found)
}

/// Gives a session that goes on a new token, if its own is a day old. What a thief copied is soon worth
/// nothing, or its owner is signed out and notices.
pub async fn rotate_if_old(app: &AppState, found: &FoundSession) -> Result<Option<String>> {
    let now = app.clock.now();
    let Ok(token_hash) = <[u8; 32]>::try_from(found.token_hash.as_slice()) else { return Ok(None) };
    if now - found.token_made_at < TOKEN_LIFETIME {
        return Ok(None);
    }
    let token = new_token()?;
    let is_ours = store::sessions::rotate(&mut *app.pool.acquire().await?, &token_hash, &hash(&token), now).await?;
    Ok(is_ours.then_some(token))
}

/// Proves once more that it is the account's owner who is signed in, before something sensitive.
/// Gives the session a new token.
pub async fn confirm(app: &AppState, signed_in: &SignedIn, password: &str) -> Result<NewSession> {
    check_own_password(app, signed_in, password).await?;
    let mut transaction = app.pool.begin().await?;
    let session = renew(app, &mut transaction, signed_in).await?;
    transaction.commit().await?;
    Ok(session)
}

/// Refuses a password that is not the account's own. Tries are counted.
pub async fn check_own_password(app: &AppState, signed_in: &SignedIn, password: &str) -> Result<()> {
    let account = &signed_in.account;
    app.limits.take(&limits::SIGN_IN_ACCOUNT, &format!("{} confirms", account.email)).await?;
    let wrong = || AppError::invalid("The password is wrong.");
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(wrong());
    }
    let found = store::accounts::find_by_email(&mut *app.pool.acquire().await?, &account.email).await?;
    let password_hash = found.and_then(|(_, password_hash)| password_hash);
    if app.passwords.check(password, password_hash).await?.is_right { Ok(()) } else { Err(wrong()) }
}

/// Gives a session a new token, as of its owner's proof just now.
pub(super) async fn renew(app: &AppState, transaction: &mut PgConnection, signed_in: &SignedIn) -> Result<NewSession> {
    let token = new_token()?;
    let now = app.clock.now();
    if !store::sessions::renew(transaction, &signed_in.session.0, &hash(&token), now).await? {
        return Err(AppError::SignedOut("Sign in first.".into()));
    }
    let account = signed_in.account.clone();
    let known_browser = app.tokens.known_browser(account.id, now)?;
    Ok(NewSession { token, known_browser, account })
}

/// Ends the session.
pub async fn sign_out(app: &AppState, signed_in: &SignedIn) -> Result<()> {
    let mut transaction = app.pool.begin().await?;
    store::sessions::delete(&mut transaction, &signed_in.session.0).await?;
    let event = NewEvent::new(Action::SignedOut, signed_in.account.email.clone());
    audit::record(&mut transaction, Chain::Server, &signed_in.actor(), event, app.clock.now()).await?;
    transaction.commit().await?;
    app.live.publish_access_change(signed_in.account.id);
    Ok(())
}

/// A signed-in browser, as its owner sees it.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// The session's id.
    pub id: SessionId,
    /// Whether it is the reader's own.
    pub is_current: bool,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it was last seen, to a few minutes.
    pub last_seen_at: OffsetDateTime,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// From which address it began.
    pub address: Option<String>,
}

/// The account's sessions, the last seen first.
pub async fn sessions(app: &AppState, signed_in: &SignedIn) -> Result<Vec<SessionView>> {
    let now = app.clock.now();
    let mut connection = app.pool.acquire().await?;
    let (seen_after, begun_after) = (now - IDLE_LIFETIME, now - ABSOLUTE_LIFETIME);
    let found = store::sessions::list(&mut connection, signed_in.account.id, seen_after, begun_after).await?;
    let views = found.into_iter().map(|session| SessionView {
        id: session.id,
        is_current: session.token_hash == signed_in.session.0,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        user_agent: session.user_agent,
        address: session.address,
    });
    Ok(views.collect())
}

/// Ends one of the account's sessions.
pub async fn end_session(app: &AppState, signed_in: &SignedIn, id: SessionId) -> Result<()> {
    let mut transaction = app.pool.begin().await?;
    if !store::sessions::delete_one(&mut transaction, signed_in.account.id, id).await? {
        return Err(AppError::NotFound("Session"));
    }
    let event = NewEvent::new(Action::SessionsEnded, signed_in.account.email.clone()).with("sessions", "1");
    audit::record(&mut transaction, Chain::Server, &signed_in.actor(), event, app.clock.now()).await?;
    transaction.commit().await?;
    app.live.publish_access_change(signed_in.account.id);
    Ok(())
}

/// Ends all of the account's sessions, the reader's own too.
pub async fn end_all_sessions(app: &AppState, signed_in: &SignedIn) -> Result<()> {
    let mut transaction = app.pool.begin().await?;
    let ended = store::sessions::delete_others(&mut transaction, signed_in.account.id, None).await?;
    let event =
        NewEvent::new(Action::SessionsEnded, signed_in.account.email.clone()).with("sessions", ended.to_string());
    audit::record(&mut transaction, Chain::Server, &signed_in.actor(), event, app.clock.now()).await?;
    transaction.commit().await?;
    app.live.publish_access_change(signed_in.account.id);
    Ok(())
}

fn new_token() -> Result<String> {
    Ok(random_base62(TOKEN_CHARS).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?)
}
