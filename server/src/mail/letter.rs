//! The letters that the server sends, and their subjects. Their texts are in `text`.

use super::{text, words};

/// A letter to one person, as plain text.
///
/// Links are absolute and made from the configured public URL, never from what a request says. It
/// has no `Debug`, so that no log shows its links.
#[derive(Clone)]
pub enum Letter {
    /// To whoever signs up: is the address yours?
    ConfirmSignUp {
        /// What the server is called.
        instance: String,
        /// Confirms the address; works once, for 24 hours.
        link: String,
    },
    /// To somebody with an account, whose address was used to sign up.
    AlreadySignedUp {
        /// What the server is called.
        instance: String,
        /// The page to sign in.
        sign_in: String,
        /// The page to ask for a new password.
        reset: String,
    },
    /// To whoever forgot the password.
    ResetPassword {
        /// What the server is called.
        instance: String,
        /// Leads to a new password; works once, for 30 minutes.
        link: String,
    },
    /// After a password has changed.
    PasswordChanged {
        /// What the server is called.
        instance: String,
        /// The page to ask for a new password.
        reset: String,
        /// When it changed, in words.
        when: String,
        /// Where the request came from.
        address: Option<String>,
    },
    /// To an account's new address: is it yours?
    EmailChange {
        /// What the server is called.
        instance: String,
        /// Confirms the address; works once, for 30 minutes.
        link: String,
    },
    /// To an account's old address, after it has changed.
    EmailChanged {
        /// What the server is called.
        instance: String,
        /// The account's address now.
        new_email: String,
    },
    /// To somebody who is invited.
    Invitation {
        /// What the server is called.
        instance: String,
        /// Who invites.
        inviter: String,
        /// The project that the invitation is to; none: to the server alone.
        project: Option<String>,
        /// What the person will be, such as `editor`.
        role: Option<String>,
        /// Accepts the invitation.
        link: String,
        /// Until when it works, in words.
        expires: String,
    },
    /// After somebody who held one of the account's keys reported it as leaked.
    KeyRevoked {
        /// What the server is called.
        instance: String,
        /// What the key was called.
        name: String,
        /// What may be shown of it.
        prefix: String,
        /// The project that it opened.
        project: String,
    },
    /// After another way to sign in was added to an account.
    ProviderLinked {
        /// What the server is called.
        instance: String,
        /// The provider, such as `GitHub`.
        provider: String,
    },
}

impl Letter {
    /// The subject: one line.
    pub fn subject(&self) -> String {
        match self.clean() {
            Self::ConfirmSignUp { instance, .. } => format!("Confirm your e-mail address for {instance}"),
            Self::AlreadySignedUp { instance, .. } => format!("You have an account at {instance} already"),
            Self::ResetPassword { instance, .. } => format!("Choose a new password for {instance}"),
            Self::PasswordChanged { instance, .. } => format!("Your password for {instance} was changed"),
            Self::EmailChange { instance, .. } => format!("Confirm your new e-mail address for {instance}"),
            Self::EmailChanged { instance, .. } => format!("Your e-mail address for {instance} was changed"),
            Self::Invitation { instance, inviter, project: Some(project), .. } => {
                format!("{inviter} invites you to “{project}” at {instance}")
            }
            Self::Invitation { instance, inviter, project: None, .. } => format!("{inviter} invites you to {instance}"),
            Self::KeyRevoked { instance, name, .. } => format!("Your key “{name}” at {instance} was revoked"),
            Self::ProviderLinked { instance, provider } => {
                format!("Sign-in with {provider} was added to your account at {instance}")
            }
        }
    }

    /// The text, without a line break at its end.
    pub fn text(&self) -> askama::Result<String> {
        text::render(&self.clean())
    }

    /// What the log calls it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::ConfirmSignUp { .. } => "confirm_sign_up",
            Self::AlreadySignedUp { .. } => "already_signed_up",
            Self::ResetPassword { .. } => "reset_password",
            Self::PasswordChanged { .. } => "password_changed",
            Self::EmailChange { .. } => "email_change",
            Self::EmailChanged { .. } => "email_changed",
            Self::Invitation { .. } => "invitation",
            Self::KeyRevoked { .. } => "key_revoked",
            Self::ProviderLinked { .. } => "provider_linked",
        }
    }

    /// The same letter, with all words but the links as [`words`] lets them pass.
    fn clean(&self) -> Self {
        let mut letter = self.clone();
        match &mut letter {
            Self::ConfirmSignUp { instance, link: _ }
            | Self::AlreadySignedUp { instance, sign_in: _, reset: _ }
            | Self::ResetPassword { instance, link: _ }
            | Self::EmailChange { instance, link: _ } => *instance = words::name(instance),
            Self::PasswordChanged { instance, reset: _, when, address } => {
                *instance = words::name(instance);
                *when = words::name(when);
                *address = address.as_deref().map(words::address);
            }
            Self::EmailChanged { instance, new_email } => {
                *instance = words::name(instance);
                *new_email = words::address(new_email);
            }
            Self::Invitation { instance, inviter, project, role, link: _, expires } => {
                *instance = words::name(instance);
                *inviter = words::strangers_name(inviter);
                *project = project.as_deref().map(words::strangers_name);
                *role = role.as_deref().map(words::name);
                *expires = words::name(expires);
            }
            Self::KeyRevoked { instance, name, prefix: _, project } => {
                *instance = words::name(instance);
                *name = words::strangers_name(name);
                *project = words::strangers_name(project);
            }
            Self::ProviderLinked { instance, provider } => {
                *instance = words::name(instance);
                *provider = words::name(provider);
            }
        }
        letter
    }
}
