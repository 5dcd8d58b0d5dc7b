//! The letters' texts: a template of `templates/mail` for each. Its words are clean already.

use askama::Template;

use super::Letter;

#[derive(Template)]
#[template(path = "mail/confirm_sign_up.txt", whitespace = "preserve")]
struct ConfirmSignUp<'a> {
    instance: &'a str,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/already_signed_up.txt", whitespace = "preserve")]
struct AlreadySignedUp<'a> {
    instance: &'a str,
    sign_in: &'a str,
    reset: &'a str,
}

#[derive(Template)]
#[template(path = "mail/reset_password.txt", whitespace = "preserve")]
struct ResetPassword<'a> {
    instance: &'a str,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/password_changed.txt", whitespace = "preserve")]
struct PasswordChanged<'a> {
    instance: &'a str,
    reset: &'a str,
    when: &'a str,
    address: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "mail/email_change.txt", whitespace = "preserve")]
struct EmailChange<'a> {
    instance: &'a str,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/email_changed.txt", whitespace = "preserve")]
struct EmailChanged<'a> {
    instance: &'a str,
    new_email: &'a str,
}

#[derive(Template)]
#[template(path = "mail/invitation.txt", whitespace = "preserve")]
struct Invitation<'a> {
    instance: &'a str,
    inviter: &'a str,
    project: Option<&'a str>,
    role: Option<&'a str>,
    link: &'a str,
    expires: &'a str,
}

#[derive(Template)]
#[template(path = "mail/key_revoked.txt", whitespace = "preserve")]
struct KeyRevoked<'a> {
    instance: &'a str,
    name: &'a str,
    prefix: &'a str,
    project: &'a str,
}

#[derive(Template)]
#[template(path = "mail/provider_linked.txt", whitespace = "preserve")]
struct ProviderLinked<'a> {
    instance: &'a str,
    provider: &'a str,
}

/// The text, without a line break at its end.
pub fn render(letter: &Letter) -> askama::Result<String> {
    match letter {
        Letter::ConfirmSignUp { instance, link } => ConfirmSignUp { instance, link }.render(),
        Letter::AlreadySignedUp { instance, sign_in, reset } => AlreadySignedUp { instance, sign_in, reset }.render(),
        Letter::ResetPassword { instance, link } => ResetPassword { instance, link }.render(),
        Letter::PasswordChanged { instance, reset, when, address } => {
            PasswordChanged { instance, reset, when, address: address.as_deref() }.render()
        }
        Letter::EmailChange { instance, link } => EmailChange { instance, link }.render(),
        Letter::EmailChanged { instance, new_email } => EmailChanged { instance, new_email }.render(),
        Letter::Invitation { instance, inviter, project, role, link, expires } => {
            let (project, role) = (project.as_deref(), role.as_deref());
            Invitation { instance, inviter, project, role, link, expires }.render()
        }
        Letter::KeyRevoked { instance, name, prefix, project } => {
            KeyRevoked { instance, name, prefix, project }.render()
        }
        Letter::ProviderLinked { instance, provider } => ProviderLinked { instance, provider }.render(),
    }
}
