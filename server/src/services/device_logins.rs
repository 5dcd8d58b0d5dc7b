//! `otrace login` in the browser: a machine asks, a person approves for a project, the machine gets a key.
//!
//! The key is made when the machine asks after the approval, so that it is never kept in the clear.

use crate::app::AppState;
use crate::auth::{Client, SignedIn};
use crate::domain::audit::to_hex;
use crate::domain::device_login::{DEVICE_CODE_PREFIX, DeviceLogin, LIFETIME, generate_user_code, parse_user_code};
use crate::domain::secret_token::hash;
use crate::domain::text::without_nul;
use crate::domain::{Account, Actor, Project, Role, one_time_link};
use crate::error::{AppError, Result};
use crate::limits;
use crate::services::api_keys::{self, NewKeyInput};
use crate::store;
use crate::store::device_logins::NewDeviceLogin;

/// So many codes are tried before the server gives up: two are the same once in billions.
const CODE_TRIES: usize = 5;
const NAME_MAX_CHARS: usize = 80;

/// What a machine gets when it asks.
#[derive(Debug)]
pub struct Asked {
    /// The machine's secret, to ask again with.
    pub device_code: String,
    /// What the person compares.
    pub user_code: String,
}

/// A machine asks for a key.
pub async fn ask(app: &AppState, client_name: &str, machine: &str, client: &Client) -> Result<Asked> {
    app.limits.take(&limits::DEVICE_CODE_ADDRESS, &client.limit_subject()).await?;
    let now = app.clock.now();
    for _ in 0..CODE_TRIES {
        let no_random = |error| anyhow::anyhow!("no random numbers: {error}");
        let device_code = one_time_link::generate(DEVICE_CODE_PREFIX).map_err(no_random)?;
        let user_code = generate_user_code().map_err(no_random)?;
        let login = DeviceLogin {
            user_code: user_code.clone(),
            client: one_line(client_name, "an unknown program"),
            machine: one_line(machine, "an unnamed machine"),
            address: client.address.map(|address| address.to_string()),
            created_at: now,
        };
        let new = NewDeviceLogin { device_hash: &hash(&device_code), login: &login, expires_at: now + LIFETIME };
        let mut transaction = app.pool.begin().await?;
        let is_free = store::device_logins::insert(&mut transaction, &new).await?;
        transaction.commit().await?;
        if is_free {
            return Ok(Asked { device_code, user_code });
        }
    }
    Err(AppError::Unavailable("Many machines ask at this moment. Try again in a minute.".into()))
}

/// A name that a machine gives itself, fit to be shown.
fn one_line(text: &str, default: &str) -> String {
    let line: String = without_nul(text).chars().filter(|c| !c.is_control()).take(NAME_MAX_CHARS).collect();
    let line = line.trim();
    if line.is_empty() { default.to_owned() } else { line.to_owned() }
}

/// The machine that shows this short code. Tries are counted.
pub async fn find(app: &AppState, signed_in: &SignedIn, user_code: &str) -> Result<DeviceLogin> {
    app.limits.take(&limits::USER_CODE_TRY, &signed_in.account.id.to_string()).await?;
    let code = parse_user_code(user_code).ok_or_else(unknown_code)?;
    let found = store::device_logins::find_pending(&mut *app.pool.acquire().await?, &code, app.clock.now()).await?;
    found.ok_or_else(unknown_code)
}

fn unknown_code() -> AppError {
    AppError::invalid("No machine waits with this code. Compare it, or start otrace login again.")
}

/// Approves a machine's request for a project in which the person may make keys.
pub async fn approve(app: &AppState, signed_in: &SignedIn, user_code: &str, slug: &str) -> Result<Project> {
    let code = parse_user_code(user_code).ok_or_else(unknown_code)?;
    let account = &signed_in.account;
    let mut connection = app.pool.acquire().await?;
    let found = store::members::find_project(&mut connection, account.id, &without_nul(slug)).await?;
    let (project, _) = found
        .filter(|(_, role)| *role >= Role::Editor)
        .ok_or_else(|| AppError::invalid("Choose a project in which you may make keys."))?;
    let approved = Some((account.id, project.id));
    if !store::device_logins::decide(&mut connection, &code, approved, app.clock.now()).await? {
        return Err(unknown_code());
    }
    Ok(project)
}

/// Turns a machine's request down.
pub async fn deny(app: &AppState, user_code: &str) -> Result<()> {
    let code = parse_user_code(user_code).ok_or_else(unknown_code)?;
    if !store::device_logins::decide(&mut *app.pool.acquire().await?, &code, None, app.clock.now()).await? {
        return Err(unknown_code());
    }
    Ok(())
}

/// The projects that a machine can be let into: those in which the person may make keys.
pub async fn choices(app: &AppState, signed_in: &SignedIn) -> Result<Vec<Project>> {
    let listed = store::members::list_projects(&mut *app.pool.acquire().await?, signed_in.account.id).await?;
    Ok(listed.into_iter().filter(|listed| listed.role >= Role::Editor).map(|listed| listed.project).collect())
}

/// What became of a machine's request.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and soon taken apart")]
pub enum Answered {
    /// Nobody has decided yet.
    Pending,
    /// Somebody turned it down.
    Denied,
    /// Somebody approved: here is the key, this once.
    Approved {
        /// The key.
        key: String,
        /// The project that it opens.
        project: Project,
        /// Who approved.
        account: Account,
    },
}

/// A machine asks what became of its request. Asked again because the answer was lost on the way, it gets
/// another key in the place of the one that never arrived; once that is used, the request is over.
pub async fn poll(app: &AppState, device_code: &str, client: &Client) -> Result<Answered> {
    app.limits.count(&limits::DEVICE_POLL_ADDRESS, &client.limit_subject())?;
    let device_hash = hash(device_code);
    let gone = || AppError::NotFound("Login request");
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    let decision = store::device_logins::lock(&mut transaction, &device_hash, now).await?.ok_or_else(gone)?;
    app.limits.count(&limits::DEVICE_POLL, &to_hex(&device_hash))?;
    if decision.status == "pending" {
        return Ok(Answered::Pending);
    }
    let (Some(account_id), Some(project_id)) = (decision.account_id, decision.project_id) else {
        return Ok(Answered::Denied);
    };
    // Who approved may have left since, or may do less.
    let account = store::accounts::find(&mut transaction, account_id).await?.ok_or_else(gone)?;
    let role = store::members::hold_role(&mut transaction, project_id, account_id).await?;
    let project = store::projects::find(&mut transaction, project_id).await?.ok_or_else(gone)?;
    if role.is_none_or(|role| role < Role::Editor) {
        return Ok(Answered::Denied);
    }
    let mut lost = None;
    if let Some(key_id) = decision.key_id {
        lost = store::api_keys::revoke_unused(&mut transaction, project_id, key_id, now).await?;
        if lost.is_none() {
            return Err(gone());
        }
    }
    let input = NewKeyInput { name: decision.machine, ..NewKeyInput::named("") };
    let actor = Actor::account(&account, client.address);
    let made = api_keys::insert(app, &mut transaction, project_id, &account, &actor, input).await?;
    store::device_logins::set_key(&mut transaction, &device_hash, made.record.id).await?;
    transaction.commit().await?;
    if let Some(key_hash) = lost {
        app.key_cache.forget(&key_hash);
    }
    Ok(Answered::Approved { key: made.key, project, account })
}
