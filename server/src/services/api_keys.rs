//! Project API keys: made, used, replaced, revoked.

use sqlx::PgConnection;
use time::Duration;

use crate::app::AppState;
use crate::auth::{Client, ProjectMember};
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::secret_token::hash;
use crate::domain::text::{normalize_name, without_nul};
use crate::domain::{Account, Actor, ApiKey, ApiKeyId, ProjectId, Role, Scope, api_key};
use crate::error::{AppError, Result};
use crate::limits;
use crate::mail::Letter;
use crate::services::audit;
use crate::store;
use crate::store::api_keys::FoundKey;

/// How often a key's last use is written down.
const USED_EVERY: Duration = Duration::minutes(1);

/// What a person chooses for a new key.
#[derive(Clone, Debug)]
pub struct NewKeyInput {
    /// Where it will live.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// How many days it works; `None`: for ever.
    pub lifetime_days: Option<u16>,
}

impl NewKeyInput {
    /// A key of this name that records, for as long as keys live by default.
    pub fn named(name: &str) -> Self {
        let lifetime_days = Some(api_key::DEFAULT_LIFETIME_DAYS);
        Self { name: name.to_owned(), scope: Scope::Write, lifetime_days }
    }
}

/// A key that was made just now. It can't be shown again.
#[derive(Debug)]
pub struct NewKey {
    /// The key itself.
    pub key: String,
    /// What is known of it from now on.
    pub record: ApiKey,
}

/// Makes a key for the member's project.
pub async fn create(app: &AppState, member: &ProjectMember, input: NewKeyInput) -> Result<NewKey> {
    member.require(Role::Editor)?;
    create_for(app, member.project.id, &member.account, &member.actor(), input).await
}

/// Makes a key for a project in the name of an account.
pub async fn create_for(
    app: &AppState,
    project_id: ProjectId,
    account: &Account,
    actor: &Actor,
    input: NewKeyInput,
) -> Result<NewKey> {
    let mut transaction = app.pool.begin().await?;
    let made = insert(app, &mut transaction, project_id, account, actor, input).await?;
    transaction.commit().await?;
    Ok(made)
}

/// Makes a key for a project in the name of its first owner: for commands on the server itself.
pub async fn create_for_owner(app: &AppState, project_id: ProjectId, input: NewKeyInput) -> Result<NewKey> {
    let owner = store::members::first_owner(&mut *app.pool.acquire().await?, project_id).await?;
    let owner = owner.ok_or(AppError::NotFound("Project"))?;
    create_for(app, project_id, &owner, &Actor::command(), input).await
}

/// Makes a key in a transaction of the caller's, and records it: call it last there.
pub(super) async fn insert(
    app: &AppState,
    transaction: &mut PgConnection,
    project_id: ProjectId,
    account: &Account,
    actor: &Actor,
    input: NewKeyInput,
) -> Result<NewKey> {
    let made = add(app, transaction, project_id, account, input).await?;
    let expires = made.record.expires_at.map_or_else(|| "never".to_owned(), |at| at.date().to_string());
    let event = NewEvent::new(Action::KeyCreated, called(&made.record))
        .with("scope", made.record.scope.as_str())
        .with("expires", expires);
    audit::record(transaction, Chain::Project(project_id), actor, event, made.record.created_at).await?;
    tracing::info!(key = %made.record.id, project = %project_id, "an API key is made");
    Ok(made)
}

/// What a key is called in the audit log: its name, and what may be shown of it.
fn called(record: &ApiKey) -> String {
    format!("{} ({}…)", record.name, record.prefix)
}

async fn add(
    app: &AppState,
    transaction: &mut PgConnection,
    project_id: ProjectId,
    account: &Account,
    input: NewKeyInput,
) -> Result<NewKey> {
    let name = normalize_name(&without_nul(&input.name))?;
    // Who is taken out of the project at this moment leaves no key behind.
    let role = store::members::hold_role(transaction, project_id, account.id).await?;
    if role.is_none_or(|role| role < Role::Editor) {
        return Err(AppError::NotFound("Project"));
    }
    let key = api_key::generate().map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let created_at = app.clock.now();
    let record = ApiKey {
        id: ApiKeyId::new(),
        project_id,
        name,
        prefix: api_key::shown_prefix(&key).to_owned(),
        scope: input.scope,
        created_by: account.name.clone(),
        created_at,
        expires_at: input.lifetime_days.map(|days| created_at + Duration::days(days.into())),
        last_used_at: None,
        last_used_address: None,
        is_replaced: false,
        revoked_at: None,
    };
    let row = store::api_keys::NewApiKey {
        id: record.id,
        project_id,
        name: &record.name,
        key_hash: &hash(&key),
        prefix: &record.prefix,
        scope: record.scope,
        created_by: account.id,
        created_at,
        expires_at: record.expires_at,
    };
    store::api_keys::insert(transaction, &row).await?;
    Ok(NewKey { key, record })
}

/// Makes a key that takes another one's place: the same name, scope and lifetime. The old one works for
/// another day, so that no machine stops in between.
pub async fn rotate(app: &AppState, member: &ProjectMember, id: ApiKeyId) -> Result<NewKey> {
    member.require(Role::Editor)?;
    let now = app.clock.now();
    let project_id = member.project.id;
    let mut transaction = app.pool.begin().await?;
    let old = store::api_keys::find(&mut transaction, project_id, id).await?;
    let old = old.ok_or(AppError::NotFound("API key"))?;
    let ended = || AppError::Conflict("This key has ended or was replaced already. Make a new one.".into());
    if !old.is_live(now) || old.is_replaced {
        return Err(ended());
    }
    let lifetime_days = old.expires_at.map(|expiry| days_between(old.created_at, expiry));
    let input = NewKeyInput { name: old.name.clone(), scope: old.scope, lifetime_days };
    let made = add(app, &mut transaction, project_id, &member.account, input).await?;
    let expires_at = now + api_key::ROTATION_OVERLAP;
    let replaced = store::api_keys::replace(&mut transaction, project_id, id, made.record.id, now, expires_at).await?;
    let key_hash = replaced.ok_or_else(ended)?;
    let event = NewEvent::new(Action::KeyRotated, called(&old)).with("replaced_by", called(&made.record));
    audit::record(&mut transaction, Chain::Project(project_id), &member.actor(), event, now).await?;
    transaction.commit().await?;
    app.key_cache.forget(&key_hash);
    Ok(made)
}

/// How long a key was meant to live, in whole days.
fn days_between(created_at: time::OffsetDateTime, expires_at: time::OffsetDateTime) -> u16 {
    u16::try_from((expires_at - created_at).whole_days().max(1)).unwrap_or(u16::MAX)
}

/// The live key that a client sent. Junk and unknown, revoked and expired keys get the same answer,
/// and only they are counted: who holds a key is never shut out by others at their address.
pub async fn authenticate(app: &AppState, key: &str, client: &Client) -> Result<FoundKey> {
    let refused = || {
        app.limits.count(&limits::BAD_KEY_ADDRESS, &client.limit_subject()).err().unwrap_or_else(|| {
            AppError::SignedOut(
                "The API key is not valid: it is mistyped, revoked or expired. Make a new one on the project's Keys page."
                    .into(),
            )
        })
    };
    if !api_key::is_well_formed(key) {
        return Err(refused());
    }
    let now = app.clock.now();
    let key_hash = hash(key);
    if let Some(found) = app.key_cache.get(&key_hash, now) {
        return Ok(found);
    }
    let mut connection = app.pool.acquire().await?;
    let found = store::api_keys::find_live(&mut connection, &key_hash, now).await?.ok_or_else(refused)?;
    if found.last_used_at.is_none_or(|last| now - last > USED_EVERY) {
        let address = client.address.map(|address| address.to_string());
        store::api_keys::touch(&mut connection, found.id, now, address.as_deref()).await?;
    }
    app.key_cache.insert(key_hash, now, found.clone());
    Ok(found)
}

/// Why whoever holds a key ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// It was found where nobody should find it.
    Leak,
    /// Its user logs out on the machine that it was made for.
    Logout,
}

/// Revokes a key for whoever holds it: its user, who logs out, or a scanner that found it in the open. Of a leak the
/// account that made it gets a letter. Junk and unknown keys get the same answer as a key that was revoked before.
pub async fn revoke_held(app: &AppState, key: &str, reason: EndReason, client: &Client) -> Result<()> {
    app.limits.count(&limits::BAD_KEY_ADDRESS, &client.limit_subject())?;
    if !api_key::is_well_formed(key) {
        return Ok(());
    }
    let now = app.clock.now();
    let key_hash = hash(key);
    let mut transaction = app.pool.begin().await?;
    let Some(held) = store::api_keys::revoke_by_hash(&mut transaction, &key_hash, now).await? else {
        return Ok(());
    };
    let why = match reason {
        EndReason::Leak => "somebody who held it reported it as leaked",
        EndReason::Logout => "somebody who held it logged out",
    };
    let event = NewEvent::new(Action::KeyRevoked, format!("{} ({}…)", held.name, held.prefix)).with("why", why);
    let actor = Actor::key(held.id, &held.prefix, client.address);
    audit::record(&mut transaction, Chain::Project(held.project_id), &actor, event, now).await?;
    transaction.commit().await?;
    app.key_cache.forget(&key_hash);
    if reason == EndReason::Leak {
        let letter = Letter::KeyRevoked {
            instance: app.config.instance_name_or_default().to_owned(),
            name: held.name,
            prefix: held.prefix,
            project: held.project_name,
        };
        app.mailer.send(&held.account_email, letter);
    }
    Ok(())
}

/// The project's keys, the newest first.
pub async fn list(app: &AppState, project_id: ProjectId) -> Result<Vec<ApiKey>> {
    Ok(store::api_keys::list(&mut *app.pool.acquire().await?, project_id).await?)
}

/// Revokes a key of the member's project. Revoking twice changes nothing.
pub async fn revoke(app: &AppState, member: &ProjectMember, id: ApiKeyId) -> Result<()> {
    member.require(Role::Editor)?;
    let now = app.clock.now();
    let project_id = member.project.id;
    let mut transaction = app.pool.begin().await?;
    let revoked = store::api_keys::revoke(&mut transaction, project_id, id, now).await?;
    let revoked = revoked.ok_or(AppError::NotFound("API key"))?;
    if revoked.was_live {
        let event = NewEvent::new(Action::KeyRevoked, format!("{} ({}…)", revoked.name, revoked.prefix));
        audit::record(&mut transaction, Chain::Project(project_id), &member.actor(), event, now).await?;
    }
    transaction.commit().await?;
    app.key_cache.forget(&revoked.key_hash);
    tracing::info!(key = %id, project = %project_id, "an API key was revoked");
    Ok(())
}
