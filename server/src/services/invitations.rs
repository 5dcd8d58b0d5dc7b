//! Invitations: a link by which somebody joins a project, or only gets an account.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::auth::{Client, ProjectMember, SignedIn};
use crate::domain::account::{check_new_password, normalize_email};
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::invitation::{TOKEN_PREFIX, lifetime};
use crate::domain::one_time_link;
use crate::domain::secret_token::hash;
use crate::domain::text::without_nul;
use crate::domain::{Account, Actor, Invitation, InvitationId, Project, ProjectId, Role};
use crate::error::{AppError, Result};
use crate::limits;
use crate::mail::Letter;
use crate::services::accounts::{self, NewPerson};
use crate::services::sign_in::{self, NewSession};
use crate::services::{audit, links};
use crate::store;

/// What a person types to invite somebody.
#[derive(Clone, Debug, Default)]
pub struct NewInvitation {
    /// The one address that may accept; empty: whoever has the link.
    pub email: String,
    /// How many days the invitation is open.
    pub days: Option<u16>,
}

/// An invitation that was made just now. Its link can't be shown again.
#[derive(Debug)]
pub struct MadeInvitation {
    /// The link to hand over; `None` where it went out by mail, which proves that its address is read.
    pub link: Option<String>,
    /// Whether it went out by mail too.
    pub was_mailed: bool,
    /// The one address that may accept.
    pub email: Option<String>,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// Invites somebody to the member's project.
pub async fn create(
    app: &AppState,
    member: &ProjectMember,
    role: Role,
    input: NewInvitation,
) -> Result<MadeInvitation> {
    member.require(Role::Owner)?;
    make(app, &member.account, &member.actor(), Some((&member.project, role)), input).await
}

/// Invites somebody to the server, and to no project.
pub async fn create_for_server(app: &AppState, admin: &SignedIn, input: NewInvitation) -> Result<MadeInvitation> {
    admin.require_admin()?;
    make(app, &admin.account, &admin.actor(), None, input).await
}

async fn make(
    app: &AppState,
    inviter: &Account,
    actor: &Actor,
    into: Option<(&Project, Role)>,
    input: NewInvitation,
) -> Result<MadeInvitation> {
    let email = match without_nul(input.email.trim()) {
        email if email.is_empty() => None,
        email => Some(normalize_email(&email)?),
    };
    let token = one_time_link::generate(TOKEN_PREFIX).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let now = app.clock.now();
    let expires_at = now + lifetime(input.days);
    let was_mailed = email.is_some() && app.mailer.is_configured();
    let id = InvitationId::new();
    let row = store::invitations::NewInvitation {
        id,
        token_hash: &hash(&token),
        into: into.map(|(project, role)| (project.id, role)),
        email: email.as_deref(),
        was_mailed,
        created_by: inviter.id,
        created_at: now,
        expires_at,
    };
    let chain = into.map_or(Chain::Server, |(project, _)| Chain::Project(project.id));
    let mut event = NewEvent::new(Action::InvitationMade, email.as_deref().unwrap_or("whoever has the link"));
    if let Some((_, role)) = into {
        event = event.with("role", role.as_str());
    }
    let mut transaction = app.pool.begin().await?;
    store::invitations::insert(&mut transaction, &row).await?;
    audit::record(&mut transaction, chain, actor, event, now).await?;
    transaction.commit().await?;

    let link = links::url(app, &format!("/invitations/{token}"));
    if let Some(email) = email.as_deref().filter(|_| was_mailed) {
        let letter = Letter::Invitation {
            instance: app.config.instance_name_or_default().to_owned(),
            inviter: inviter.name.clone(),
            project: into.map(|(project, _)| project.name.clone()),
            role: into.map(|(_, role)| role.as_str().to_owned()),
            link: link.clone(),
            expires: expires_at.date().to_string(),
        };
        app.mailer.send(email, letter);
    }
    Ok(MadeInvitation { link: (!was_mailed).then_some(link), was_mailed, email, expires_at })
}

/// The open invitations to the member's project, the newest first.
pub async fn list(app: &AppState, member: &ProjectMember) -> Result<Vec<Invitation>> {
    member.require(Role::Owner)?;
    let now = app.clock.now();
    Ok(store::invitations::list_open(&mut *app.pool.acquire().await?, Some(member.project.id), now).await?)
}

/// The open invitations to the server alone, the newest first.
pub async fn list_for_server(app: &AppState, admin: &SignedIn) -> Result<Vec<Invitation>> {
    admin.require_admin()?;
    Ok(store::invitations::list_open(&mut *app.pool.acquire().await?, None, app.clock.now()).await?)
}

/// Takes an invitation to the member's project back.
pub async fn revoke(app: &AppState, member: &ProjectMember, id: InvitationId) -> Result<()> {
    member.require(Role::Owner)?;
    take_back(app, Some(member.project.id), id, &member.actor()).await
}

/// Takes an invitation to the server back.
pub async fn revoke_for_server(app: &AppState, admin: &SignedIn, id: InvitationId) -> Result<()> {
    admin.require_admin()?;
    take_back(app, None, id, &admin.actor()).await
}

async fn take_back(app: &AppState, project_id: Option<ProjectId>, id: InvitationId, actor: &Actor) -> Result<()> {
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    let email = store::invitations::revoke(&mut transaction, project_id, id, now).await?;
    let email = email.ok_or(AppError::NotFound("Invitation"))?;
    let event = NewEvent::new(Action::InvitationRevoked, email.as_deref().unwrap_or("whoever has the link"));
    let chain = project_id.map_or(Chain::Server, Chain::Project);
    audit::record(&mut transaction, chain, actor, event, now).await?;
    transaction.commit().await?;
    Ok(())
}

/// An open invitation, as the person with its link sees it.
#[derive(Clone, Debug)]
pub struct InvitationView {
    /// The invitation.
    pub invitation: Invitation,
    /// The project that it leads into.
    pub project: Option<Project>,
    /// Whether an account may be made with it.
    pub brings_account: bool,
}

/// The open invitation with this token. One that was used, taken back or has ended is not found, as
/// one that never was.
pub async fn look(app: &AppState, token: &str) -> Result<InvitationView> {
    let policy = accounts::policy(app).await?;
    let mut connection = app.pool.acquire().await?;
    let invitation = store::invitations::find_open(&mut connection, &hash(token), app.clock.now()).await?;
    let invitation = invitation.ok_or(AppError::NotFound("Invitation"))?;
    let project = match invitation.into {
        Some((id, _)) => store::projects::find(&mut connection, id).await?,
        None => None,
    };
    Ok(InvitationView { invitation, project, brings_account: policy.admits_invited() })
}

/// Accepts an invitation for who is signed in. Returns the project that they are a member of now.
///
/// A member keeps the role that they have, if it is the higher one.
pub async fn accept(app: &AppState, signed_in: &SignedIn, token: &str) -> Result<Option<Project>> {
    app.limits.take(&limits::LINK_TRY, &signed_in.client.limit_subject()).await?;
    let view = look(app, token).await?;
    check_address(&view.invitation, &signed_in.account.email)?;
    let mut transaction = app.pool.begin().await?;
    let invitation = lock(app, &mut transaction, view.invitation.id).await?;
    join(app, &mut transaction, &invitation, &signed_in.account, &signed_in.actor()).await?;
    transaction.commit().await?;
    Ok(view.project)
}

/// What a person types to accept an invitation without an account.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// Their address; where the invitation names one, that is taken.
    pub email: String,
    /// What others see.
    pub name: String,
    /// Their password.
    pub password: String,
}

/// Makes an account by an invitation, accepts it, and signs in.
pub async fn accept_with_new_account(
    app: &AppState,
    token: &str,
    newcomer: Newcomer,
    client: &Client,
) -> Result<(NewSession, Option<Project>)> {
    app.limits.take(&limits::LINK_TRY, &client.limit_subject()).await?;
    let view = look(app, token).await?;
    if !view.brings_account || !app.config.sign_in.password_sign_in {
        return Err(AppError::Forbidden(
            "No account can be made with a password here. Sign in another way, then open the invitation again.".into(),
        ));
    }
    let email = match &view.invitation.email {
        Some(email) => email.clone(),
        None => normalize_email(&without_nul(&newcomer.email))?,
    };
    let name = accounts::name_or_default(&newcomer.name, &email)?;
    check_new_password(&newcomer.password, &[&email, &name])?;
    let password_hash = app.passwords.hash(&newcomer.password).await?;

    let actor = Actor::nobody(&email, client.address);
    let is_proved = view.invitation.was_mailed && view.invitation.email.is_some();
    let mut transaction = app.pool.begin().await?;
    let invitation = lock(app, &mut transaction, view.invitation.id).await?;
    let new = NewPerson { email: &email, name: &name, password_hash: Some(&password_hash), is_proved };
    let account = accounts::insert(app, &mut transaction, new, &actor).await?;
    join(app, &mut transaction, &invitation, &account, &Actor::account(&account, client.address)).await?;
    transaction.commit().await?;
    let session = sign_in::begin_session(app, account, client).await?;
    Ok((session, view.project))
}

/// An open invitation, for this transaction alone: one link, one person. The second of two who come at
/// once finds it gone. Take it before anything else is locked.
pub(super) async fn lock(app: &AppState, transaction: &mut PgConnection, id: InvitationId) -> Result<Invitation> {
    let found = store::invitations::lock_open(transaction, id, app.clock.now()).await?;
    found.ok_or(AppError::NotFound("Invitation"))
}

/// Refuses an address that the invitation is not for.
pub(super) fn check_address(invitation: &Invitation, email: &str) -> Result<()> {
    match &invitation.email {
        Some(invited) if invited != email => Err(AppError::Forbidden(
            format!("This invitation is for {invited}, and you are signed in as {email}. Sign in with that address.")
                .into(),
        )),
        _ => Ok(()),
    }
}

/// Accepts a locked invitation for an account.
pub(super) async fn join(
    app: &AppState,
    transaction: &mut PgConnection,
    invitation: &Invitation,
    account: &Account,
    actor: &Actor,
) -> Result<()> {
    let now = app.clock.now();
    if !store::invitations::accept(transaction, invitation.id, account.id, now).await? {
        return Err(AppError::NotFound("Invitation"));
    }
    let Some((project_id, role)) = invitation.into else { return Ok(()) };
    // Nobody changes the members meanwhile: a role is only ever raised here.
    store::members::lock_owners(transaction, project_id).await?;
    let has_joined = store::members::insert(transaction, project_id, account.id, role, now).await?;
    if !has_joined {
        let held = store::members::find_role(transaction, project_id, account.id).await?;
        if held.is_none_or(|held| held >= role) {
            return Ok(());
        }
        store::members::set_role(transaction, project_id, account.id, role).await?;
    }
    let event = NewEvent::new(Action::MemberJoined, account.email.clone()).with("role", role.as_str());
    audit::record(transaction, Chain::Project(project_id), actor, event, now).await
}
