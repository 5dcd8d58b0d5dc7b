//! The members of a project: the list, roles, invitations, leaving.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::OffsetDateTime;

use super::format::{self, Moment};
use super::inviting::{InvitationForm, Inviting, Made, invitation_id, role_named};
use super::people::Person;
use super::shell::{Choice, SettingsPage, Shell, project_url};
use super::{Look, is_told_in_place, page, page_with_secret, refused_in_place, terminal};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::{AccountId, Role};
use crate::error::{AppError, Result};
use crate::extract::{Form, Path};
use crate::services;
use crate::store::members::ListedMember;

#[derive(Template)]
#[template(path = "members/list.html")]
struct MembersPage {
    shell: Shell,
    base: String,
    project: String,
    summary: String,
    members: Vec<Row>,
    /// What owners see of invitations.
    inviting: Option<Inviting>,
    /// Why something was not done.
    alert: Option<String>,
}

/// A member in the list.
struct Row {
    id: String,
    url: String,
    person: Person,
    email: String,
    is_me: bool,
    is_closed: bool,
    role: &'static str,
    /// The roles to choose from, for who may.
    roles: Vec<Choice>,
    joined: Moment,
}

impl Row {
    fn new(base: &str, by: &ProjectMember, listed: &ListedMember, now: OffsetDateTime) -> Self {
        let role = listed.role.as_str();
        Self {
            id: listed.account.id.to_string(),
            url: format!("{base}/members/{}", listed.account.id),
            person: Person::new(&listed.account.name),
            email: terminal::clean(&listed.account.email),
            is_me: listed.account.id == by.account.id,
            is_closed: listed.is_disabled,
            role,
            roles: if is_owner(by) { Choice::roles(role) } else { Vec::new() },
            joined: Moment::new(listed.joined_at, now),
        }
    }
}

fn is_owner(member: &ProjectMember) -> bool {
    member.role >= Role::Owner
}

fn members_url(member: &ProjectMember) -> String {
    format!("{}/members", project_url(&member.project))
}

async fn members_page(app: &AppState, look: Look, member: &ProjectMember, form: InvitationForm) -> Result<MembersPage> {
    let listed = services::members::list(app, member).await?;
    let base = project_url(&member.project);
    let inviting = if is_owner(member) {
        let open = services::invitations::list(app, member).await?;
        Some(Inviting::new(app, format!("{base}/invitations"), form, true, open))
    } else {
        None
    };
    let now = app.clock.now();
    let count = i64::try_from(listed.len()).unwrap_or_default();
    Ok(MembersPage {
        shell: Shell::of_settings(app, look, member, SettingsPage::Members).await?,
        project: terminal::clean(&member.project.name),
        summary: format::counted(count, "person", "people"),
        members: listed.iter().map(|listed| Row::new(&base, member, listed, now)).collect(),
        inviting,
        alert: None,
        base,
    })
}

/// `GET /projects/{slug}/members`
pub async fn list(State(app): State<AppState>, look: Look, member: ProjectMember) -> Result<Response> {
    Ok(page(&members_page(&app, look, &member, InvitationForm::default()).await?))
}

/// Where to go after something was done; or the list again, with what stood against it.
async fn answer(app: &AppState, look: Look, member: &ProjectMember, done: Result<()>, next: &str) -> Result<Response> {
    match done {
        Ok(()) => Ok(Redirect::to(next).into_response()),
        Err(refused) if is_told_in_place(&refused) => {
            let list = members_page(app, look, member, InvitationForm::default()).await?;
            Ok(refused_in_place(&refused, &MembersPage { alert: Some(refused.message()), ..list }))
        }
        Err(refused) => Err(refused),
    }
}

fn account_id(text: &str) -> Result<AccountId> {
    text.parse().map(AccountId).map_err(|_| AppError::NotFound("Member"))
}

/// What the form of a role sends.
#[derive(Deserialize)]
pub struct RoleForm {
    #[serde(default)]
    role: String,
}

/// `POST /projects/{slug}/members/{account}/role`
pub async fn change_role(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, account)): Path<(String, String)>,
    Form(form): Form<RoleForm>,
) -> Result<Response> {
    let asked = member.require(Role::Owner).and_then(|()| Ok((account_id(&account)?, role_named(&form.role)?)));
    let done = match asked {
        Ok((id, role)) => services::members::change_role(&app, &member, id, role).await,
        Err(refused) => Err(refused),
    };
    answer(&app, look, &member, done, &members_url(&member)).await
}

/// `POST /projects/{slug}/members/{account}/remove`
pub async fn remove(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, account)): Path<(String, String)>,
) -> Result<Response> {
    let id = account_id(&account)?;
    let done = services::members::remove(&app, &member, id).await;
    let next = if id == member.account.id { "/".to_owned() } else { members_url(&member) };
    answer(&app, look, &member, done, &next).await
}

/// `POST /projects/{slug}/members/{account}/transfer`
pub async fn transfer(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, account)): Path<(String, String)>,
) -> Result<Response> {
    let done = match member.require(Role::Owner).and_then(|()| account_id(&account)) {
        Ok(id) => services::members::transfer(&app, &member, id).await,
        Err(refused) => Err(refused),
    };
    answer(&app, look, &member, done, &members_url(&member)).await
}

/// `POST /projects/{slug}/leave`
pub async fn leave(State(app): State<AppState>, look: Look, member: ProjectMember) -> Result<Response> {
    let done = services::members::remove(&app, &member, member.account.id).await;
    answer(&app, look, &member, done, "/").await
}

/// `POST /projects/{slug}/invitations`
pub async fn invite(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(form): Form<InvitationForm>,
) -> Result<Response> {
    let asked = member.require(Role::Owner).and_then(|()| Ok((form.role()?, form.input()?)));
    let made = match asked {
        Ok((role, input)) => services::invitations::create(&app, &member, role, input).await,
        Err(refused) => Err(refused),
    };
    match made {
        Ok(made) => {
            let list = members_page(&app, look, &member, InvitationForm::default()).await?;
            let made = Some(Made::new(made, app.mailer.is_configured()));
            let inviting = list.inviting.map(|inviting| Inviting { made, ..inviting });
            Ok(page_with_secret(&MembersPage { inviting, ..list }))
        }
        Err(refused) if is_told_in_place(&refused) => {
            let email_error = form.email_error(&refused);
            let alert = email_error.is_none().then(|| refused.message());
            let list = members_page(&app, look, &member, form).await?;
            let inviting = list.inviting.map(|inviting| Inviting { email_error, ..inviting });
            Ok(refused_in_place(&refused, &MembersPage { inviting, alert, ..list }))
        }
        Err(refused) => Err(refused),
    }
}

/// `POST /projects/{slug}/invitations/{invitation}/revoke`
pub async fn revoke_invitation(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, invitation)): Path<(String, String)>,
) -> Result<Response> {
    let done = match member.require(Role::Owner).and_then(|()| invitation_id(&invitation)) {
        Ok(id) => services::invitations::revoke(&app, &member, id).await,
        Err(refused) => Err(refused),
    };
    answer(&app, look, &member, done, &members_url(&member)).await
}
