//! The server at a glance: what it keeps, by which rule people sign up, invitations, how it is set up.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::AppState;
use crate::auth::{Admin, SignedIn};
use crate::domain::SignUpPolicy;
use crate::domain::sign_up_policy::parse_domains;
use crate::error::{AppError, Result};
use crate::extract::{Form, Path};
use crate::providers::Provider;
use crate::services;
use crate::web::format;
use crate::web::inviting::{InvitationForm, Inviting, Made, invitation_id};
use crate::web::shell::{Choice, Look, ServerPage, Shell};
use crate::web::{is_told_in_place, page, page_with_secret, refused_in_place};

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct OverviewPage {
    shell: Shell,
    figures: Vec<Line>,
    policies: Vec<Choice>,
    domains: String,
    domains_error: Option<String>,
    /// Whether nothing can prove an address, so that a rule by domains admits nobody.
    proves_nothing: bool,
    inviting: Inviting,
    settings: Vec<Line>,
    /// Why something was not done.
    alert: Option<String>,
}

/// A figure or a setting.
struct Line {
    name: &'static str,
    value: String,
}

/// What the form of the sign-up rule sends.
#[derive(Deserialize)]
pub struct PolicyForm {
    #[serde(default)]
    policy: String,
    #[serde(default)]
    domains: String,
}

impl PolicyForm {
    /// The rule as it is in force.
    fn of(policy: &SignUpPolicy) -> Self {
        let domains = match policy {
            SignUpPolicy::Domains(domains) => domains.join(", "),
            _ => String::new(),
        };
        Self { policy: policy.as_str().to_owned(), domains }
    }

    fn policy(&self) -> Result<SignUpPolicy> {
        let domains = if self.policy == "domains" { parse_domains(&self.domains)? } else { Vec::new() };
        SignUpPolicy::named(&self.policy, domains).ok_or(AppError::invalid("Choose one of the rules."))
    }

    fn choices(&self) -> Vec<Choice> {
        let choice = |(value, label): (&str, &str)| Choice {
            value: value.to_owned(),
            label: label.to_owned(),
            is_chosen: value == self.policy,
        };
        [
            ("open", "Open: anyone who reaches this server"),
            ("invitation", "By invitation: whoever was invited"),
            ("domains", "By domain: whoever was invited, and whoever proves an address at one of these domains"),
            ("off", "Off: nobody; who has an account keeps it"),
        ]
        .map(choice)
        .into()
    }
}

async fn figures(app: &AppState, admin: &SignedIn) -> Result<Vec<Line>> {
    let usage = services::admin::usage(app, admin).await?;
    Ok(vec![
        Line { name: "Accounts", value: format::count(usage.accounts) },
        Line { name: "Projects", value: format::count(usage.projects) },
        Line { name: "Runs", value: format::count(usage.runs) },
        Line { name: "Contents", value: format::size(usage.stored_bytes) },
        Line { name: "Database", value: format::size(usage.database_bytes) },
    ])
}

fn settings(app: &AppState) -> Vec<Line> {
    let providers: Vec<&str> = app.providers.all().iter().map(Provider::label).collect();
    let providers = if providers.is_empty() { "none".to_owned() } else { providers.join(", ") };
    let or = |is_so: bool, yes: &str, no: &str| if is_so { yes.to_owned() } else { no.to_owned() };
    vec![
        Line { name: "Address", value: app.config.public_url_str().to_owned() },
        Line {
            name: "Mail",
            value: or(
                app.mailer.is_configured(),
                "sent by this server",
                "not set up (OTRACE_SMTP_URL): links are handed over by hand",
            ),
        },
        Line {
            name: "Passwords",
            value: or(app.config.sign_in.password_sign_in, "people may sign in with one", "off"),
        },
        Line { name: "Providers", value: providers },
    ]
}

/// The page, with the two forms as they were sent; the rule in force where none was.
async fn overview(
    app: &AppState,
    look: Look,
    admin: &SignedIn,
    policy: Option<PolicyForm>,
    invitation: InvitationForm,
) -> Result<OverviewPage> {
    let policy = match policy {
        Some(sent) => sent,
        None => PolicyForm::of(&services::accounts::policy(app).await?),
    };
    let open = services::invitations::list_for_server(app, admin).await?;
    Ok(OverviewPage {
        shell: Shell::of_server(app, look, &admin.account, ServerPage::Overview),
        figures: figures(app, admin).await?,
        policies: policy.choices(),
        domains: policy.domains,
        domains_error: None,
        proves_nothing: !app.mailer.is_configured() && app.providers.all().is_empty(),
        inviting: Inviting::new(app, "/admin/invitations".to_owned(), invitation, false, open),
        settings: settings(app),
        alert: None,
    })
}

/// `GET /admin`
pub async fn show(State(app): State<AppState>, look: Look, Admin(admin): Admin) -> Result<Response> {
    Ok(page(&overview(&app, look, &admin, None, InvitationForm::default()).await?))
}

/// `POST /admin/sign-up`
pub async fn set_policy(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Form(form): Form<PolicyForm>,
) -> Result<Response> {
    let set = match form.policy() {
        Ok(policy) => services::admin::set_policy(&app, &admin, &policy).await,
        Err(refused) => Err(refused),
    };
    match set {
        Ok(()) => Ok(Redirect::to("/admin").into_response()),
        Err(refused) if is_told_in_place(&refused) => {
            let is_about_domains = form.policy == "domains" && matches!(refused, AppError::Invalid(_));
            let overview = overview(&app, look, &admin, Some(form), InvitationForm::default()).await?;
            let message = Some(refused.message());
            let (domains_error, alert) = if is_about_domains { (message, None) } else { (None, message) };
            Ok(refused_in_place(&refused, &OverviewPage { domains_error, alert, ..overview }))
        }
        Err(refused) => Err(refused),
    }
}

/// `POST /admin/invitations`
pub async fn invite(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Form(form): Form<InvitationForm>,
) -> Result<Response> {
    let made = match form.input() {
        Ok(input) => services::invitations::create_for_server(&app, &admin, input).await,
        Err(refused) => Err(refused),
    };
    match made {
        Ok(made) => {
            let overview = overview(&app, look, &admin, None, InvitationForm::default()).await?;
            let made = Some(Made::new(made, app.mailer.is_configured()));
            let inviting = Inviting { made, ..overview.inviting };
            Ok(page_with_secret(&OverviewPage { inviting, ..overview }))
        }
        Err(refused) if is_told_in_place(&refused) => {
            let email_error = form.email_error(&refused);
            let alert = email_error.is_none().then(|| refused.message());
            let overview = overview(&app, look, &admin, None, form).await?;
            let inviting = Inviting { email_error, ..overview.inviting };
            Ok(refused_in_place(&refused, &OverviewPage { inviting, alert, ..overview }))
        }
        Err(refused) => Err(refused),
    }
}

/// `POST /admin/invitations/{invitation}/revoke`
pub async fn revoke_invitation(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Path(invitation): Path<String>,
) -> Result<Response> {
    let revoked = match invitation_id(&invitation) {
        Ok(id) => services::invitations::revoke_for_server(&app, &admin, id).await,
        Err(refused) => Err(refused),
    };
    match revoked {
        Ok(()) => Ok(Redirect::to("/admin").into_response()),
        Err(refused) if is_told_in_place(&refused) => {
            let overview = overview(&app, look, &admin, None, InvitationForm::default()).await?;
            Ok(refused_in_place(&refused, &OverviewPage { alert: Some(refused.message()), ..overview }))
        }
        Err(refused) => Err(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(policy: &str, domains: &str) -> PolicyForm {
        PolicyForm { policy: policy.to_owned(), domains: domains.to_owned() }
    }

    #[test]
    fn every_rule_can_be_chosen_and_nothing_else() {
        for choice in form("open", "").choices() {
            let policy = form(&choice.value, "example.org").policy().unwrap();
            assert_eq!(policy.as_str(), choice.value);
            let in_force = PolicyForm::of(&policy);
            assert_eq!(in_force.policy().unwrap(), policy);
        }
        assert!(form("everybody", "").policy().is_err() && form("", "").policy().is_err());
        assert!(form("domains", "").policy().is_err() && form("domains", "example").policy().is_err());
    }
}
