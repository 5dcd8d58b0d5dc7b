//! An invitation, as the person with its link sees it: what it leads into, and the ways to accept it.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::form_urlencoded;

use super::accounts::{
    DeadLink, Newcomer, ProviderLink, dead_link, form_refused, provider_links, signed_in, with_secret_address,
};
use super::format::Moment;
use super::people::Person;
use super::shell::{Shell, project_url};
use super::{Look, form_again, page, terminal};
use crate::app::AppState;
use crate::auth::{Client, MaybeSignedIn, SignedIn};
use crate::domain::{Project, Role};
use crate::error::{AppError, Result};
use crate::extract::{Form, Path};
use crate::services;
use crate::services::invitations::InvitationView;

#[derive(Template)]
#[template(path = "invitations/show.html")]
struct InvitationPage {
    shell: Shell,
    token: String,
    inviter: Option<Person>,
    /// The project that it leads into, as what, and what that may do; `None`: only to an account.
    leads_into: Option<(String, &'static str, &'static str)>,
    /// The one address that may accept it.
    only_for: Option<String>,
    open_until: Moment,
    visitor: Visitor,
    alert: Option<String>,
}

/// Who looks at it.
enum Visitor {
    /// Somebody who is signed in, with this address, and may accept it.
    Welcome(String),
    /// Somebody who is signed in with this address, which is another than the one that it is for.
    Other(String),
    /// Nobody in particular.
    Stranger(Box<Ways>),
}

/// The ways in for who is not signed in.
struct Ways {
    sign_in: String,
    providers: Vec<ProviderLink>,
    /// The form for a new account; `None`: none can be made with a password.
    newcomer: Option<Newcomer>,
}

impl InvitationPage {
    fn new(app: &AppState, look: Look, view: InvitationView, token: String, who: Option<&SignedIn>) -> Self {
        let invitation = view.invitation;
        let role = invitation.into.map(|(_, role)| role);
        let leads_into = view.project.zip(role).map(|(project, role)| {
            let (role, may) = in_words(role);
            (terminal::clean(&project.name), role, may)
        });
        let visitor = match who {
            Some(who) => {
                let email = terminal::clean(&who.account.email);
                let is_other = invitation.email.as_ref().is_some_and(|invited| *invited != who.account.email);
                if is_other { Visitor::Other(email) } else { Visitor::Welcome(email) }
            }
            None => Visitor::Stranger(Box::new(Ways::new(app, &token, view.brings_account, invitation.email.clone()))),
        };
        Self {
            shell: Shell::new(app, look, who.map(|who| &who.account)),
            token,
            inviter: invitation.inviter.as_deref().map(Person::new),
            leads_into,
            only_for: invitation.email.as_deref().map(terminal::clean),
            open_until: Moment::new(invitation.expires_at, app.clock.now()),
            visitor,
            alert: None,
        }
    }

    fn with_email_error(mut self, message: String) -> Self {
        if let Visitor::Stranger(ways) = &mut self.visitor
            && let Some(newcomer) = &mut ways.newcomer
        {
            newcomer.email_error = Some(message);
        }
        self
    }
}

impl Ways {
    fn new(app: &AppState, token: &str, brings_account: bool, email: Option<String>) -> Self {
        let here = format!("/invitations/{token}");
        let next: String = form_urlencoded::byte_serialize(here.as_bytes()).collect();
        let takes_newcomers = brings_account && app.config.sign_in.password_sign_in;
        Self {
            sign_in: format!("/signin?next={next}"),
            providers: provider_links(app, &here, Some(token)),
            newcomer: takes_newcomers.then(|| Newcomer::empty(true, email)),
        }
    }
}

/// A role with its article, and what it may do.
const fn in_words(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::Viewer => ("a viewer", "You read everything in it."),
        Role::Editor => ("an editor", "You read everything in it, record runs and make keys."),
        Role::Owner => ("an owner", "You run it together with its other owners."),
    }
}

/// The page of an open invitation; `None`: it is none, or not open any more.
async fn find(app: &AppState, look: Look, token: String, who: Option<&SignedIn>) -> Result<Option<InvitationPage>> {
    match services::invitations::look(app, &token).await {
        Ok(view) => Ok(Some(InvitationPage::new(app, look, view, token, who))),
        Err(AppError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn dead(app: &AppState, look: Look) -> Response {
    dead_link(app, look, DeadLink::INVITATION)
}

/// `GET /invitations/{token}`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    MaybeSignedIn(who): MaybeSignedIn,
    Path(token): Path<String>,
) -> Result<Response> {
    Ok(match find(&app, look.clone(), token, who.as_ref()).await? {
        Some(found) => with_secret_address(&app, page(&found)),
        None => dead(&app, look),
    })
}

/// Where an accepted invitation leads.
fn way_into(project: Option<&Project>) -> String {
    project.map_or_else(|| "/".to_owned(), |project| format!("{}/runs", project_url(project)))
}

/// `POST /invitations/{token}`
pub async fn accept(
    State(app): State<AppState>,
    look: Look,
    who: SignedIn,
    Path(token): Path<String>,
) -> Result<Response> {
    let refused = match services::invitations::accept(&app, &who, &token).await {
        Ok(project) => return Ok(Redirect::to(&way_into(project.as_ref())).into_response()),
        Err(refused) => refused,
    };
    match find(&app, look.clone(), token, Some(&who)).await? {
        Some(again) => refuse(&app, again, refused),
        None => Ok(dead(&app, look)),
    }
}

/// The page with the sentence that refuses it.
fn refuse(app: &AppState, again: InvitationPage, refused: AppError) -> Result<Response> {
    let response = form_refused(refused, |message| InvitationPage { alert: Some(message), ..again })?;
    Ok(with_secret_address(app, response))
}

/// What the form for a new account sends.
#[derive(Deserialize)]
pub struct NewcomerForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

/// `POST /invitations/{token}/account`
pub async fn accept_with_new_account(
    State(app): State<AppState>,
    look: Look,
    client: Client,
    MaybeSignedIn(who): MaybeSignedIn,
    Path(token): Path<String>,
    Form(form): Form<NewcomerForm>,
) -> Result<Response> {
    let Some(mut again) = find(&app, look.clone(), token, who.as_ref()).await? else { return Ok(dead(&app, look)) };
    let Visitor::Stranger(ways) = &mut again.visitor else {
        // Who has an account needs no second one.
        return Ok(Redirect::to(&format!("/invitations/{}", again.token)).into_response());
    };
    let Some(newcomer) = ways.newcomer.take() else {
        let sentence = "No account can be made with a password here. Sign in another way.";
        return refuse(&app, again, AppError::Forbidden(sentence.into()));
    };
    let newcomer = newcomer.typed(&form.name, &form.email, &form.password);
    let (email, is_right) = (newcomer.email.clone(), newcomer.is_right());
    ways.newcomer = Some(newcomer);
    if !is_right {
        return Ok(with_secret_address(&app, form_again(&again)));
    }
    let typed = services::invitations::Newcomer { email, name: form.name, password: form.password };
    match services::invitations::accept_with_new_account(&app, &again.token, typed, &client).await {
        Ok((session, project)) => Ok(signed_in(&app, &session, &way_into(project.as_ref()))),
        Err(AppError::NotFound(_)) => Ok(dead(&app, look)),
        Err(refused @ AppError::Conflict(_)) => {
            Ok(with_secret_address(&app, form_again(&again.with_email_error(refused.message()))))
        }
        Err(refused) => refuse(&app, again, refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_to_the_server_alone_leads_to_the_first_page() {
        assert_eq!(way_into(None), "/");
    }
}
