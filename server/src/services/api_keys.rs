//! Project API keys.

use time::Duration;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::secret_token::hash;
use crate::domain::text::{normalize_name, without_nul};
use crate::domain::{Account, ApiKey, ApiKeyId, ProjectId, Role, api_key};
use crate::error::{AppError, Result};
use crate::store;
use crate::store::api_keys::FoundKey;

/// How often a key's last use is written down.
const USED_EVERY: Duration = Duration::minutes(1);

/// A key that was made just now. It can't be shown again.
#[derive(Debug)]
pub struct NewKey {
    /// The key itself.
    pub key: String,
    /// What is known of it from now on.
    pub record: ApiKey,
}

/// Makes a key for the member's project.
pub async fn create(app: &AppState, member: &ProjectMember, name: &str) -> Result<NewKey> {
    member.require(Role::Editor)?;
    create_for(app, member.project.id, &member.account, name).await
}

/// Makes a key for a project in the name of an account.
pub async fn create_for(app: &AppState, project_id: ProjectId, account: &Account, name: &str) -> Result<NewKey> {
    let name = normalize_name(&without_nul(name))?;
    let key = api_key::generate().map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let record = ApiKey {
        id: ApiKeyId::new(),
        project_id,
        name,
        prefix: api_key::shown_prefix(&key).to_owned(),
        created_by: account.name.clone(),
        created_at: app.clock.now(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    let row = store::api_keys::NewApiKey {
        id: record.id,
        project_id,
        name: &record.name,
        key_hash: &hash(&key),
        prefix: &record.prefix,
        created_by: account.id,
        created_at: record.created_at,
    };
    store::api_keys::insert(&mut *app.pool.acquire().await?, &row).await?;
    tracing::info!(key = %record.id, project = %project_id, "an API key was made");
    Ok(NewKey { key, record })
}

/// Makes a key for a project in the name of its first owner: for commands on the server itself.
pub async fn create_for_owner(app: &AppState, project_id: ProjectId, name: &str) -> Result<NewKey> {
    let owner = store::members::first_owner(&mut *app.pool.acquire().await?, project_id).await?;
    create_for(app, project_id, &owner.ok_or(AppError::NotFound("Project"))?, name).await
}

/// The live key that a client sent. Junk and unknown, revoked and expired keys get the same answer.
pub async fn authenticate(app: &AppState, key: &str) -> Result<FoundKey> {
    let refused = || {
        AppError::SignedOut(
            "The API key is not valid: it is mistyped, revoked or expired. Make a new one on the project's Keys page."
                .into(),
        )
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
        store::api_keys::touch(&mut connection, found.id, now).await?;
    }
    app.key_cache.insert(key_hash, now, found.clone());
    Ok(found)
}

/// The project's keys, the newest first.
pub async fn list(app: &AppState, project_id: ProjectId) -> Result<Vec<ApiKey>> {
    Ok(store::api_keys::list(&mut *app.pool.acquire().await?, project_id).await?)
}

/// Revokes a key of the member's project. Revoking twice changes nothing.
pub async fn revoke(app: &AppState, member: &ProjectMember, id: ApiKeyId) -> Result<()> {
    member.require(Role::Editor)?;
    let now = app.clock.now();
    let key_hash = store::api_keys::revoke(&mut *app.pool.acquire().await?, member.project.id, id, now)
        .await?
        .ok_or(AppError::NotFound("API key"))?;
    app.key_cache.forget(&key_hash);
    tracing::info!(key = %id, project = %member.project.id, "an API key was revoked");
    Ok(())
}
