//! Signing in and out.

use time::Duration;

use crate::app::AppState;
use crate::auth::sessions::{ABSOLUTE_LIFETIME, IDLE_LIFETIME, SessionHash, TOKEN_CHARS};
use crate::auth::{Client, SignedIn};
use crate::domain::Account;
use crate::domain::account::{PASSWORD_MAX_BYTES, normalize_email};
use crate::domain::secret_token::{hash, random_base62};
use crate::domain::text::without_nul;
use crate::error::{AppError, Result};
use crate::store;

/// How often a session's last use is written down.
const SEEN_EVERY: Duration = Duration::minutes(5);

/// A browser that was signed in just now.
#[derive(Debug)]
pub struct NewSession {
    /// What its cookie holds.
    pub token: String,
    /// Who signed in.
    pub account: Account,
}

/// Signs a person in. A wrong password and an unknown address get the same answer in the same time.
pub async fn with_password(app: &AppState, email: &str, password: &str, client: &Client) -> Result<NewSession> {
    let wrong = || AppError::invalid("E-mail address or password is wrong.");
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(wrong());
    }
    let found = match normalize_email(email) {
        Ok(email) => store::accounts::find_by_email(&mut *app.pool.acquire().await?, &without_nul(&email)).await?,
        Err(_) => None,
    };
    let (account, password_hash) = found.unzip();
    let checked = app.passwords.check(password, password_hash.flatten()).await?;
    let account = account.filter(|_| checked.is_right).ok_or_else(wrong)?;
    if checked.needs_rehash {
        let hash = app.passwords.hash(password).await?;
        store::accounts::set_password_hash(&mut *app.pool.acquire().await?, account.id, &hash).await?;
    }
    begin_session(app, account, client).await
}

/// Begins a session, with a token that was never used before.
pub async fn begin_session(app: &AppState, account: Account, client: &Client) -> Result<NewSession> {
    let token = random_base62(TOKEN_CHARS).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let now = app.clock.now();
    let user_agent = client.user_agent.as_deref().map(without_nul);
    let mut connection = app.pool.acquire().await?;
    store::sessions::delete_ended(&mut connection, account.id, now - IDLE_LIFETIME, now - ABSOLUTE_LIFETIME).await?;
    store::sessions::insert(&mut connection, &hash(&token), account.id, now, user_agent.as_deref(), client.address)
        .await?;
    Ok(NewSession { token, account })
}

/// Who is signed in with this session, if it has not ended.
pub async fn find_session(app: &AppState, session: &SessionHash) -> Result<Option<Account>> {
    let now = app.clock.now();
    let mut connection = app.pool.acquire().await?;
    let found =
        store::sessions::find(&mut connection, &session.0, now - IDLE_LIFETIME, now - ABSOLUTE_LIFETIME).await?;
    let Some(found) = found else { return Ok(None) };
    if now - found.last_seen_at > SEEN_EVERY {
        store::sessions::touch(&mut connection, &session.0, now).await?;
    }
    Ok(Some(found.account))
}

/// Ends the session.
pub async fn sign_out(app: &AppState, signed_in: &SignedIn) -> Result<()> {
    store::sessions::delete(&mut *app.pool.acquire().await?, &signed_in.session.0).await?;
    Ok(())
}
