//! What owners do with their project's webhooks.

use sqlx::PgConnection;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::text::{normalize_name, without_nul};
use crate::domain::webhook::{
    Delivery, Event, Format, SECRET_OVERLAP, SigningSecret, WEBHOOKS_MAX, Webhook, host_of, read_url,
};
use crate::domain::{DeliveryId, Role, WebhookId};
use crate::error::{AppError, Result};
use crate::limits;
use crate::services::audit;
use crate::services::projects::hold_owner;
use crate::store;
use crate::store::webhooks::{ListedWebhook, NewWebhook, WebhookSettings};

/// So many of a webhook's last messages are shown.
pub const DELIVERIES_SHOWN: i64 = 30;

/// What an owner types about a webhook.
#[derive(Clone, Debug)]
pub struct WebhookInput {
    /// What it is called.
    pub name: String,
    /// Where it goes.
    pub url: String,
    /// How what it says is written.
    pub format: Format,
    /// What it tells.
    pub events: Vec<Event>,
}

/// A webhook's secret that was made just now. It can't be shown again.
#[derive(Debug)]
pub struct NewSecret {
    /// The secret.
    pub secret: SigningSecret,
    /// The webhook that signs with it.
    pub webhook: Webhook,
}

/// The project's webhooks, the oldest first. For its owners: an address may be a secret.
pub async fn list(app: &AppState, member: &ProjectMember) -> Result<Vec<ListedWebhook>> {
    member.require(Role::Owner)?;
    Ok(store::webhooks::list(&mut *app.pool.acquire().await?, member.project.id).await?)
}

/// One of them.
pub async fn find(app: &AppState, member: &ProjectMember, id: WebhookId) -> Result<Webhook> {
    member.require(Role::Owner)?;
    find_in(&mut *app.pool.acquire().await?, member, id).await
}

async fn find_in(connection: &mut PgConnection, member: &ProjectMember, id: WebhookId) -> Result<Webhook> {
    store::webhooks::find(connection, member.project.id, id).await?.ok_or_else(not_found)
}

/// The last messages of one, the newest first.
pub async fn deliveries(app: &AppState, member: &ProjectMember, id: WebhookId) -> Result<Vec<Delivery>> {
    member.require(Role::Owner)?;
    let mut connection = app.pool.acquire().await?;
    Ok(store::webhooks::deliveries::list(&mut connection, member.project.id, id, DELIVERIES_SHOWN).await?)
}

/// Makes a webhook, which is on.
pub async fn create(app: &AppState, by: &ProjectMember, input: WebhookInput) -> Result<NewSecret> {
    by.require(Role::Owner)?;
    let settings = checked(app, by, input).await?;
    let secret = new_secret()?;
    let now = app.clock.now();
    let project_id = by.project.id;
    let mut transaction = app.pool.begin().await?;
    hold_owner(&mut transaction, by).await?;
    if store::webhooks::list(&mut transaction, project_id).await?.len() >= WEBHOOKS_MAX {
        return Err(AppError::Conflict("A project has at most 20 webhooks. Delete one first.".into()));
    }
    let id = WebhookId::new();
    let new =
        NewWebhook { id, project_id, settings: &settings, secret: &secret, created_by: by.account.id, created_at: now };
    store::webhooks::insert(&mut transaction, &new).await?;
    let webhook = find_in(&mut transaction, by, id).await?;
    record(app, &mut transaction, by, described(Action::WebhookCreated, &settings)).await?;
    transaction.commit().await?;
    Ok(NewSecret { secret, webhook })
}

/// Changes a webhook. What waits of one that is turned off is given up.
pub async fn change(app: &AppState, by: &ProjectMember, id: WebhookId, input: WebhookInput, is_on: bool) -> Result<()> {
    by.require(Role::Owner)?;
    let settings = checked(app, by, input).await?;
    let project_id = by.project.id;
    let mut transaction = app.pool.begin().await?;
    hold_owner(&mut transaction, by).await?;
    if !store::webhooks::change(&mut transaction, project_id, id, &settings, is_on, app.clock.now()).await? {
        return Err(not_found());
    }
    if !is_on {
        let reason = "The webhook was turned off before this was taken.";
        store::webhooks::deliveries::give_up_waiting(&mut transaction, project_id, id, reason).await?;
    }
    let event = described(Action::WebhookChanged, &settings).with("state", if is_on { "on" } else { "off" });
    record(app, &mut transaction, by, event).await?;
    transaction.commit().await?;
    Ok(())
}

/// Gives a webhook another secret. The one before signs along for a day, so that the receiver can be told.
pub async fn replace_secret(app: &AppState, by: &ProjectMember, id: WebhookId) -> Result<NewSecret> {
    by.require(Role::Owner)?;
    let secret = new_secret()?;
    let project_id = by.project.id;
    let former_until = app.clock.now() + SECRET_OVERLAP;
    let mut transaction = app.pool.begin().await?;
    hold_owner(&mut transaction, by).await?;
    if !store::webhooks::replace_secret(&mut transaction, project_id, id, &secret, former_until).await? {
        return Err(not_found());
    }
    let webhook = find_in(&mut transaction, by, id).await?;
    record(app, &mut transaction, by, NewEvent::new(Action::WebhookSecretReplaced, webhook.name.clone())).await?;
    transaction.commit().await?;
    Ok(NewSecret { secret, webhook })
}

/// Deletes a webhook, with what it has told and what waits.
pub async fn delete(app: &AppState, by: &ProjectMember, id: WebhookId) -> Result<()> {
    by.require(Role::Owner)?;
    let mut transaction = app.pool.begin().await?;
    hold_owner(&mut transaction, by).await?;
    let webhook = find_in(&mut transaction, by, id).await?;
    store::webhooks::delete(&mut transaction, by.project.id, id).await?;
    record(app, &mut transaction, by, NewEvent::new(Action::WebhookDeleted, webhook.name)).await?;
    transaction.commit().await?;
    Ok(())
}

/// Has a message tried anew, whatever became of it: the same message, which its receiver knows by its id.
pub async fn send_again(app: &AppState, by: &ProjectMember, id: WebhookId, delivery: DeliveryId) -> Result<()> {
    let webhook = find(app, by, id).await?;
    if webhook.turned_off_at.is_some() {
        return Err(AppError::Conflict("The webhook is off. Turn it on first.".into()));
    }
    let project_id = by.project.id;
    app.limits.take(&limits::WEBHOOK_CALL, &project_id.to_string()).await?;
    let mut connection = app.pool.acquire().await?;
    let now = app.clock.now();
    let is_sent = store::webhooks::deliveries::send_again(&mut connection, project_id, id, delivery, now).await?;
    if is_sent { Ok(()) } else { Err(AppError::NotFound("Message")) }
}

/// What was typed, if a webhook may be so. Looks the address's name up, so no transaction is open meanwhile.
async fn checked(app: &AppState, by: &ProjectMember, input: WebhookInput) -> Result<WebhookSettings> {
    let name = normalize_name(&without_nul(&input.name))?;
    if input.events.is_empty() {
        return Err(AppError::invalid("Choose at least one thing to be told."));
    }
    let url = read_url(&input.url)?;
    // Each look-up asks a name of others' choice.
    app.limits.take(&limits::WEBHOOK_CALL, &by.project.id.to_string()).await?;
    app.outbound.check_name(&url).await?;
    Ok(WebhookSettings { name, url: url.into(), format: input.format, events: input.events })
}

fn not_found() -> AppError {
    AppError::NotFound("Webhook")
}

fn new_secret() -> Result<SigningSecret> {
    Ok(SigningSecret::generate().map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?)
}

/// What is recorded of a webhook: its address only as far as that can't be a secret.
fn described(action: Action, settings: &WebhookSettings) -> NewEvent {
    let events: Vec<&str> = settings.events.iter().map(|event| event.as_str()).collect();
    NewEvent::new(action, settings.name.clone())
        .with("to", host_of(&settings.url))
        .with("format", settings.format.as_str())
        .with("events", events.join(" "))
}

async fn record(app: &AppState, connection: &mut PgConnection, by: &ProjectMember, event: NewEvent) -> Result<()> {
    audit::record(connection, Chain::Project(by.project.id), &by.actor(), event, app.clock.now()).await
}
