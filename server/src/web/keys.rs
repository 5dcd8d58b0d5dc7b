//! The keys of a project: the list, a new one, one that takes another's place, revoking one.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::format::{self, Moment};
use super::people::Person;
use super::projects::connect::Connect;
use super::shell::{Choice, SettingsPage, Shell, may_edit, project_url};
use super::{Look, is_told_in_place, page, page_with_secret, refused_in_place, terminal};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::api_key::{DEFAULT_LIFETIME_DAYS, LIFETIME_DAYS};
use crate::domain::text::normalize_name;
use crate::domain::{ApiKey, ApiKeyId, Role, Scope};
use crate::error::{AppError, Result};
use crate::extract::{Form, Path};
use crate::services;
use crate::services::api_keys::{NewKey, NewKeyInput};

/// What the form says for a key that never ends.
const NEVER: &str = "never";
/// A key that ends so soon is pointed out.
const SOON: Duration = Duration::days(14);

#[derive(Template)]
#[template(path = "keys/list.html")]
struct ListPage {
    shell: Shell,
    base: String,
    project: String,
    may_edit: bool,
    keys: Vec<Row>,
    name: String,
    name_error: Option<String>,
    scopes: Vec<Choice>,
    lifetimes: Vec<Choice>,
    /// What stood in the way beside the name.
    alert: Option<String>,
}

/// A key in the list.
struct Row {
    id: String,
    url: String,
    name: String,
    prefix: String,
    scope: &'static str,
    made_by: Person,
    last_used: Option<Moment>,
    last_address: Option<String>,
    end: End,
    is_live: bool,
    may_rotate: bool,
}

/// When or why a key ends.
struct End {
    /// The class of its colour.
    class: &'static str,
    text: String,
    /// `in 90 days`.
    time_left: Option<String>,
}

impl End {
    fn new(key: &ApiKey, now: OffsetDateTime) -> Self {
        let said = |class, text| Self { class, text, time_left: None };
        if let Some(at) = key.revoked_at {
            return said("bad", format!("revoked {}", format::date(at)));
        }
        match key.expires_at {
            None => said("", NEVER.to_owned()),
            Some(at) if at <= now && key.is_replaced => said("bad", format!("replaced {}", format::date(at))),
            Some(at) if at <= now => said("bad", format!("expired {}", format::date(at))),
            Some(at) if key.is_replaced => {
                said("warn", format!("replaced, works until {}", Moment::new(at, now).exact))
            }
            Some(at) => Self {
                class: if at - now <= SOON { "warn" } else { "" },
                text: format::date(at),
                time_left: Some(time_left(at - now)),
            },
        }
    }
}

/// How far ahead a moment is: `in 14 days`, `in 5 hours`, `within the hour`.
fn time_left(ahead: Duration) -> String {
    let (hours, days) = (ahead.whole_hours(), ahead.whole_days());
    match days {
        1.. => format!("in {}", format::counted(days, "day", "days")),
        _ if hours >= 1 => format!("in {}", format::counted(hours, "hour", "hours")),
        _ => "within the hour".to_owned(),
    }
}

impl Row {
    fn new(base: &str, key: ApiKey, now: OffsetDateTime) -> Self {
        let is_live = key.is_live(now);
        Self {
            id: key.id.to_string(),
            url: format!("{base}/keys/{}", key.id),
            name: terminal::clean(&key.name),
            scope: key.scope.as_str(),
            made_by: Person::new(&key.created_by),
            last_used: key.last_used_at.map(|at| Moment::new(at, now)),
            end: End::new(&key, now),
            is_live,
            may_rotate: is_live && !key.is_replaced,
            prefix: key.prefix,
            last_address: key.last_used_address,
        }
    }
}

/// What the form of a new key sends.
#[derive(Default, Deserialize)]
pub struct NewKeyForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    expires: String,
}

impl NewKeyForm {
    fn input(&self) -> Result<NewKeyInput> {
        let scope = match self.scope.as_str() {
            "" => Scope::default(),
            scope => scope.parse().map_err(|_| AppError::invalid("Choose one of the scopes."))?,
        };
        let lifetime_days = match self.expires.as_str() {
            "" => Some(DEFAULT_LIFETIME_DAYS),
            NEVER => None,
            days => {
                let days = days.parse::<u16>().ok().filter(|days| LIFETIME_DAYS.contains(days));
                Some(days.ok_or(AppError::invalid("Choose one of the times when the key expires."))?)
            }
        };
        Ok(NewKeyInput { name: normalize_name(&self.name)?, scope, lifetime_days })
    }

    fn scopes(&self) -> Vec<Choice> {
        let chosen: Scope = self.scope.parse().unwrap_or_default();
        let choice = |(scope, label): (Scope, &str)| Choice {
            value: scope.as_str().to_owned(),
            label: label.to_owned(),
            is_chosen: scope == chosen,
        };
        [(Scope::Write, "write: records and reads"), (Scope::Read, "read: reads only")].map(choice).into()
    }

    fn lifetimes(&self, now: OffsetDateTime) -> Vec<Choice> {
        let default = DEFAULT_LIFETIME_DAYS.to_string();
        let chosen = if self.expires.is_empty() { default.as_str() } else { self.expires.as_str() };
        let choice = |days: u16| {
            let value = days.to_string();
            let end = format::date(now + Duration::days(days.into()));
            Choice { label: format!("in {days} days, {end}"), is_chosen: value == chosen, value }
        };
        let never = Choice { value: NEVER.to_owned(), label: NEVER.to_owned(), is_chosen: chosen == NEVER };
        LIFETIME_DAYS.into_iter().map(choice).chain([never]).collect()
    }
}

async fn list_page(app: &AppState, look: Look, member: &ProjectMember, form: NewKeyForm) -> Result<ListPage> {
    let keys = services::api_keys::list(app, member.project.id).await?;
    let now = app.clock.now();
    let base = project_url(&member.project);
    Ok(ListPage {
        shell: Shell::of_settings(app, look, member, SettingsPage::Keys).await?,
        project: terminal::clean(&member.project.name),
        may_edit: may_edit(member),
        keys: keys.into_iter().map(|key| Row::new(&base, key, now)).collect(),
        scopes: form.scopes(),
        lifetimes: form.lifetimes(now),
        name: form.name,
        name_error: None,
        alert: None,
        base,
    })
}

/// `GET /projects/{slug}/keys`
pub async fn list(State(app): State<AppState>, look: Look, member: ProjectMember) -> Result<Response> {
    Ok(page(&list_page(&app, look, &member, NewKeyForm::default()).await?))
}

#[derive(Template)]
#[template(path = "keys/created.html")]
struct CreatedPage {
    shell: Shell,
    connect: Connect,
    /// Whether it takes the place of a key that works for a while yet.
    is_replacement: bool,
}

async fn created(
    app: &AppState,
    look: Look,
    member: &ProjectMember,
    key: NewKey,
    is_replacement: bool,
) -> Result<Response> {
    let shell = Shell::of_settings(app, look, member, SettingsPage::Keys).await?;
    let connect = Connect::new(app, member, Some(key)).await?;
    Ok(page_with_secret(&CreatedPage { shell, connect, is_replacement }))
}

/// The list again, with what stood against what was asked.
async fn refused_on_list(app: &AppState, look: Look, member: &ProjectMember, refused: AppError) -> Result<Response> {
    if !is_told_in_place(&refused) {
        return Err(refused);
    }
    let list = list_page(app, look, member, NewKeyForm::default()).await?;
    Ok(refused_in_place(&refused, &ListPage { alert: Some(refused.message()), ..list }))
}

/// `POST /projects/{slug}/keys`
pub async fn create(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(form): Form<NewKeyForm>,
) -> Result<Response> {
    let made = match member.require(Role::Editor).and_then(|()| form.input()) {
        Ok(input) => services::api_keys::create(&app, &member, input).await,
        Err(refused) => Err(refused),
    };
    let refused = match made {
        Ok(key) => return created(&app, look, &member, key, false).await,
        Err(refused) if is_told_in_place(&refused) => refused,
        Err(refused) => return Err(refused),
    };
    let is_about_name = normalize_name(&form.name).is_err() && matches!(refused, AppError::Invalid(_));
    let list = list_page(&app, look, &member, form).await?;
    let message = Some(refused.message());
    let (name_error, alert) = if is_about_name { (message, None) } else { (None, message) };
    Ok(refused_in_place(&refused, &ListPage { name_error, alert, ..list }))
}

fn key_id(text: &str) -> Result<ApiKeyId> {
    text.parse().map(ApiKeyId).map_err(|_| AppError::NotFound("Key"))
}

/// `POST /projects/{slug}/keys/{key}/rotate`
pub async fn rotate(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, key)): Path<(String, String)>,
) -> Result<Response> {
    let rotated = match member.require(Role::Editor).and_then(|()| key_id(&key)) {
        Ok(id) => services::api_keys::rotate(&app, &member, id).await,
        Err(refused) => Err(refused),
    };
    match rotated {
        Ok(key) => created(&app, look, &member, key, true).await,
        Err(refused) => refused_on_list(&app, look, &member, refused).await,
    }
}

/// `POST /projects/{slug}/keys/{key}/revoke`
pub async fn revoke(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, key)): Path<(String, String)>,
) -> Result<Response> {
    let revoked = match member.require(Role::Editor).and_then(|()| key_id(&key)) {
        Ok(id) => services::api_keys::revoke(&app, &member, id).await,
        Err(refused) => Err(refused),
    };
    match revoked {
        Ok(()) => Ok(Redirect::to(&format!("{}/keys", project_url(&member.project))).into_response()),
        Err(refused) => refused_on_list(&app, look, &member, refused).await,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::ProjectId;

    const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

    fn key(expires_at: Option<OffsetDateTime>) -> ApiKey {
        ApiKey {
            id: ApiKeyId::new(),
            project_id: ProjectId::new(),
            name: "gpu-node-04".to_owned(),
            prefix: "trc_5hQm".to_owned(),
            scope: Scope::Write,
            created_by: "Mira".to_owned(),
            created_at: NOW,
            expires_at,
            last_used_at: None,
            last_used_address: None,
            is_replaced: false,
            revoked_at: None,
        }
    }

    fn said(key: &ApiKey) -> (&'static str, String) {
        let end = End::new(key, NOW);
        let text = [Some(end.text), end.time_left].into_iter().flatten().collect::<Vec<_>>().join(", ");
        (end.class, text.replace('\u{a0}', " "))
    }

    #[test]
    fn a_key_says_when_and_why_it_ends() {
        let after = |days| Some(NOW + Duration::days(days));
        assert_eq!(said(&key(None)), ("", "never".to_owned()));
        assert_eq!(said(&key(after(90))), ("", "30 Aug 2026, in 90 days".to_owned()));
        assert_eq!(said(&key(after(14))), ("warn", "15 Jun 2026, in 14 days".to_owned()));
        assert_eq!(said(&key(Some(NOW + Duration::hours(3)))), ("warn", "1 Jun 2026, in 3 hours".to_owned()));
        assert_eq!(said(&key(after(-1))), ("bad", "expired 31 May 2026".to_owned()));
        let replaced = ApiKey { is_replaced: true, ..key(after(1)) };
        assert_eq!(said(&replaced), ("warn", "replaced, works until 2 Jun 2026, 12:00 UTC".to_owned()));
        let revoked = ApiKey { revoked_at: after(-2), ..key(after(90)) };
        assert_eq!(said(&revoked), ("bad", "revoked 30 May 2026".to_owned()));
    }

    #[test]
    fn a_form_that_only_names_the_key_makes_one_that_records_for_ninety_days() {
        let form = NewKeyForm { name: " laptop ".to_owned(), ..NewKeyForm::default() };
        let input = form.input().unwrap();
        assert_eq!((input.name.as_str(), input.scope, input.lifetime_days), ("laptop", Scope::Write, Some(90)));
    }

    #[test]
    fn only_the_times_on_offer_are_taken() {
        let form =
            |expires: &str| NewKeyForm { name: "x".to_owned(), expires: expires.to_owned(), ..NewKeyForm::default() };
        assert_eq!(form("never").input().unwrap().lifetime_days, None);
        assert_eq!(form("7").input().unwrap().lifetime_days, Some(7));
        for expires in ["8", "0", "-7", "65536", "soon"] {
            assert!(form(expires).input().is_err(), "{expires}");
        }
    }
}
