//! How somebody is invited: the form, the link that is shown once, and the invitations that are open.
//! Shared by a project's members and by the server's own page.

use serde::Deserialize;
use time::OffsetDateTime;

use super::format::{self, Moment};
use super::people::Person;
use super::shell::Choice;
use super::terminal;
use crate::app::AppState;
use crate::domain::account::normalize_email;
use crate::domain::invitation::{DEFAULT_DAYS, LIFETIME_DAYS};
use crate::domain::{Invitation, InvitationId, Role};
use crate::error::{AppError, Result};
use crate::services::invitations::{MadeInvitation, NewInvitation};

/// What a page shows of invitations.
pub struct Inviting {
    /// Where the form goes; an open one is taken back below it.
    pub url: String,
    /// The address that was typed.
    pub email: String,
    /// What was wrong with it.
    pub email_error: Option<String>,
    /// The roles to invite to; none where the invitation leads into no project.
    pub roles: Vec<Choice>,
    /// How long it may be open.
    pub days: Vec<Choice>,
    /// Whether the server can send mail.
    pub sends_mail: bool,
    /// The invitation that was made just now.
    pub made: Option<Made>,
    /// The open ones, the newest first.
    pub open: Vec<OpenInvitation>,
}

/// An invitation that was made just now, on the one page that ever shows its link.
pub struct Made {
    /// The link; `None` where it went out by mail.
    pub link: Option<String>,
    /// Who may use it, and until when.
    pub for_whom: String,
    /// How it gets there.
    pub delivery: String,
}

/// An open invitation.
pub struct OpenInvitation {
    /// Where it is changed.
    pub url: String,
    /// The one address that may accept it, or who else.
    pub for_whom: String,
    /// What it leads to.
    pub role: &'static str,
    /// Whether it went out by mail.
    pub was_mailed: bool,
    /// Who invites.
    pub inviter: Option<Person>,
    /// When it was made.
    pub made: Moment,
    /// When it ends.
    pub ends: String,
}

/// What the form sends.
#[derive(Default, Deserialize)]
pub struct InvitationForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    days: String,
}

impl InvitationForm {
    /// The role that is chosen.
    pub fn role(&self) -> Result<Role> {
        role_named(if self.role.is_empty() { Role::Editor.as_str() } else { &self.role })
    }

    /// What the service asks for.
    pub fn input(&self) -> Result<NewInvitation> {
        let days = match self.days.as_str() {
            "" => None,
            days => {
                let days = days.parse::<u16>().ok().filter(|days| LIFETIME_DAYS.contains(days));
                Some(days.ok_or(AppError::invalid("Choose one of the times that an invitation is open."))?)
            }
        };
        Ok(NewInvitation { email: self.email.clone(), days })
    }

    /// What a refusal says of the address, if it is about that.
    pub fn email_error(&self, refused: &AppError) -> Option<String> {
        let is_wrong = !self.email.trim().is_empty() && normalize_email(&self.email).is_err();
        (is_wrong && matches!(refused, AppError::Invalid(_))).then(|| refused.message())
    }
}

/// A role, as a form sends it.
pub fn role_named(text: &str) -> Result<Role> {
    text.parse().map_err(|_| AppError::invalid("Choose one of the roles."))
}

/// An invitation's id, as a URL has it.
pub fn invitation_id(text: &str) -> Result<InvitationId> {
    text.parse().map(InvitationId).map_err(|_| AppError::NotFound("Invitation"))
}

impl Inviting {
    /// The form as it was sent, and the invitations that are open.
    pub fn new(app: &AppState, url: String, form: InvitationForm, into_project: bool, open: Vec<Invitation>) -> Self {
        let now = app.clock.now();
        let chosen = form.days.parse().unwrap_or(DEFAULT_DAYS);
        let days = LIFETIME_DAYS.map(|days| Choice {
            value: days.to_string(),
            label: format::counted(days.into(), "day", "days"),
            is_chosen: days == chosen,
        });
        let role = if form.role.is_empty() { Role::Editor.as_str() } else { form.role.as_str() };
        Self {
            roles: if into_project { Choice::roles(role) } else { Vec::new() },
            days: days.into(),
            sends_mail: app.mailer.is_configured(),
            open: open.into_iter().map(|invitation| OpenInvitation::new(&url, invitation, now)).collect(),
            email: form.email,
            email_error: None,
            made: None,
            url,
        }
    }
}

impl Made {
    /// What is said of a new invitation.
    pub fn new(made: MadeInvitation, sends_mail: bool) -> Self {
        let MadeInvitation { link, was_mailed, email, expires_at } = made;
        let until = format::date(expires_at);
        let email = email.map(|email| terminal::clean(&email));
        let delivery = match &email {
            Some(email) if was_mailed => format!("It went to {email} by mail."),
            Some(_) if !sends_mail => "This server can't send mail: hand the link over yourself.".to_owned(),
            _ => "Hand the link over yourself.".to_owned(),
        };
        let for_whom = email.map_or_else(
            || format!("Anyone who has it can use it once, until {until}."),
            |email| format!("Only {email} can use it, once, until {until}."),
        );
        Self { link, for_whom, delivery }
    }
}

impl OpenInvitation {
    fn new(url: &str, invitation: Invitation, now: OffsetDateTime) -> Self {
        Self {
            url: format!("{url}/{}", invitation.id),
            for_whom: invitation
                .email
                .map_or_else(|| "whoever has the link".to_owned(), |email| terminal::clean(&email)),
            role: invitation.into.map_or("account only", |(_, role)| role.as_str()),
            was_mailed: invitation.was_mailed,
            inviter: invitation.inviter.map(|name| Person::new(&name)),
            made: Moment::new(invitation.created_at, now),
            ends: format::date(invitation.expires_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn made(email: Option<&str>, was_mailed: bool) -> MadeInvitation {
        let link = (!was_mailed).then(|| "https://trace.example.org/invitations/tri_x".to_owned());
        let expires_at = datetime!(2026-06-08 12:00 UTC);
        MadeInvitation { link, was_mailed, email: email.map(str::to_owned), expires_at }
    }

    #[test]
    fn a_new_invitation_says_how_it_gets_to_whom() {
        let mailed = Made::new(made(Some("lena@example.org"), true), true);
        assert_eq!(mailed.for_whom, "Only lena@example.org can use it, once, until 8 Jun 2026.");
        assert!(mailed.delivery.starts_with("It went to lena@example.org by mail."));
        let by_hand = Made::new(made(Some("lena@example.org"), false), false);
        assert_eq!(by_hand.delivery, "This server can't send mail: hand the link over yourself.");
        let for_anyone = Made::new(made(None, false), true);
        assert_eq!(for_anyone.for_whom, "Anyone who has it can use it once, until 8 Jun 2026.");
        assert_eq!(for_anyone.delivery, "Hand the link over yourself.");
    }

    #[test]
    fn only_what_is_on_offer_is_taken() {
        let form = |role: &str, days: &str| InvitationForm {
            role: role.to_owned(),
            days: days.to_owned(),
            ..InvitationForm::default()
        };
        assert_eq!(form("", "").role().unwrap(), Role::Editor);
        assert_eq!(form("", "").input().unwrap().days, None);
        assert_eq!(form("viewer", "30").role().unwrap(), Role::Viewer);
        assert_eq!(form("viewer", "30").input().unwrap().days, Some(30));
        assert!(form("admin", "7").role().is_err());
        for days in ["2", "0", "-1", "soon"] {
            assert!(form("viewer", days).input().is_err(), "{days}");
        }
    }
}
