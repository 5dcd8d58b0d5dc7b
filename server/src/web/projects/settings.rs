//! What owners settle for their project: its name, the columns of its list of runs, which way its results get better;
//! and its end.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::Role;
use crate::domain::query::RESULT_PREFIX;
use crate::domain::result::Direction;
use crate::domain::text::normalize_name;
use crate::error::{AppError, Result};
use crate::extract::{Form, Query};
use crate::services;
use crate::services::projects::{DirectionChoice, NewAbout, Settings};
use crate::web::runs::list::{RECORD_COLUMNS, View, result_column};
use crate::web::shell::{Choice, Look, SettingsPage, Shell, project_url};
use crate::web::{is_told_in_place, page, refused_in_place, terminal};

#[derive(Template)]
#[template(path = "settings/show.html")]
struct SettingsForm {
    shell: Shell,
    base: String,
    project: String,
    slug: String,
    /// What the last form did.
    notice: Option<&'static str>,
    about: About,
    /// What stands there now, by which the server knows whether somebody else was faster.
    before: About,
    records: Vec<Choice>,
    results: Vec<Choice>,
    has_columns: bool,
    directions: Vec<DirectionField>,
    refused: Refused,
}

/// The form of the name and the description.
struct About {
    name: String,
    description: String,
}

impl About {
    fn of(member: &ProjectMember) -> Self {
        Self { name: member.project.name.clone(), description: member.project.description.clone() }
    }
}

/// Why a form was refused, at the field that it is about.
#[derive(Default)]
struct Refused {
    name: Option<String>,
    description: Option<String>,
    delete: Option<String>,
    /// What was typed there.
    typed: String,
    /// What is about no field.
    alert: Option<String>,
}

/// A result, and what is said of it.
struct DirectionField {
    name: String,
    shown: String,
    choices: Vec<Choice>,
}

/// `?saved=about`: what was done by the form that led here.
#[derive(Deserialize)]
pub struct Saved {
    #[serde(default)]
    saved: String,
}

/// `GET /projects/{slug}/settings`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Query(Saved { saved }): Query<Saved>,
) -> Result<Response> {
    let notice = match saved.as_str() {
        "about" => Some("Name and description are saved."),
        "columns" => Some("The columns are saved."),
        "directions" => Some("The directions are saved."),
        _ => None,
    };
    let form = SettingsForm::load(&app, look, &member).await?;
    Ok(page(&SettingsForm { notice, ..form }))
}

impl SettingsForm {
    /// The page as it is. For owners.
    async fn load(app: &AppState, look: Look, member: &ProjectMember) -> Result<Self> {
        let Settings { list_columns, result_names, directions } = services::projects::settings(app, member).await?;
        let record = |(value, label): (&str, &str)| column(&list_columns, value.to_owned(), label);
        let records: Vec<Choice> = RECORD_COLUMNS.into_iter().map(record).collect();
        let chosen = list_columns.iter().filter_map(|column| column.strip_prefix(RESULT_PREFIX));
        let mut names: Vec<&str> = chosen.collect();
        names.extend(
            result_names.iter().map(String::as_str).filter(|name| !list_columns.contains(&result_column(name))),
        );
        let result = |name: &str| column(&list_columns, result_column(name), name);
        let results: Vec<Choice> = names.into_iter().map(result).collect();
        Ok(Self {
            shell: Shell::of_settings(app, look, member, SettingsPage::General).await?,
            base: project_url(&member.project),
            project: terminal::clean(&member.project.name),
            slug: member.project.slug.clone(),
            notice: None,
            about: About::of(member),
            before: About::of(member),
            records,
            results,
            has_columns: !list_columns.is_empty(),
            directions: directions.into_iter().map(DirectionField::new).collect(),
            refused: Refused::default(),
        })
    }
}

fn column(chosen: &[String], value: String, label: &str) -> Choice {
    Choice { is_chosen: chosen.contains(&value), label: terminal::clean(label), value }
}

impl DirectionField {
    fn new(choice: DirectionChoice) -> Self {
        let guess = match choice.guessed {
            Direction::Higher => "by its name: higher is better",
            Direction::Lower => "by its name: lower is better",
        };
        let option = |value: &str, label: &str, said| Choice {
            value: value.to_owned(),
            label: label.to_owned(),
            is_chosen: choice.said == said,
        };
        Self {
            choices: vec![
                option("", guess, None),
                option("higher", "higher is better", Some(Direction::Higher)),
                option("lower", "lower is better", Some(Direction::Lower)),
            ],
            shown: terminal::clean(&choice.name),
            name: choice.name,
        }
    }
}

/// Where to go after something was settled; or the page again, with what stood against it.
async fn answer(
    app: &AppState,
    look: Look,
    member: &ProjectMember,
    done: Result<()>,
    saved: &str,
    again: impl FnOnce(SettingsForm, &AppError) -> SettingsForm,
) -> Result<Response> {
    match done {
        Ok(()) => Ok(Redirect::to(&format!("{}/settings?saved={saved}", project_url(&member.project))).into_response()),
        Err(refused) => {
            let form = SettingsForm::load(app, look, member);
            refused_here(member, Role::Owner, refused, form, again).await
        }
    }
}

/// The page that a form of the settings came from, with what stood against it. Who has not even the role `shown_to` is
/// not shown the page, and so is refused elsewhere.
pub(super) async fn refused_here<P: Template>(
    member: &ProjectMember,
    shown_to: Role,
    refused: AppError,
    page: impl Future<Output = Result<P>>,
    again: impl FnOnce(P, &AppError) -> P,
) -> Result<Response> {
    if !is_told_in_place(&refused) || member.role < shown_to {
        return Err(refused);
    }
    let page = again(page.await?, &refused);
    Ok(refused_in_place(&refused, &page))
}

/// The page again, with what is about no field.
fn with_alert(form: SettingsForm, refused: &AppError) -> SettingsForm {
    SettingsForm { refused: Refused { alert: Some(refused.message()), ..Refused::default() }, ..form }
}

/// What the form of the name sends.
#[derive(Deserialize)]
pub struct AboutForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    before_name: Option<String>,
    before_description: Option<String>,
}

/// `POST /projects/{slug}/settings`
pub async fn save(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(form): Form<AboutForm>,
) -> Result<Response> {
    let before = form.before_name.zip(form.before_description);
    let about = NewAbout { name: form.name.clone(), description: form.description.clone(), before };
    let done = services::projects::set_about(&app, &member, about).await;
    let again = |page: SettingsForm, refused: &AppError| {
        let message = Some(refused.message());
        let refused = match refused {
            AppError::Invalid(_) if normalize_name(&form.name).is_err() => {
                Refused { name: message, ..Refused::default() }
            }
            AppError::Invalid(_) => Refused { description: message, ..Refused::default() },
            _ => Refused { alert: message, ..Refused::default() },
        };
        SettingsForm { about: About { name: form.name, description: form.description }, refused, ..page }
    };
    answer(&app, look, &member, done, "about", again).await
}

/// `POST /projects/{slug}/settings/columns`
pub async fn save_columns(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(parameters): Form<Vec<(String, String)>>,
) -> Result<Response> {
    // As the list reads them, so that what is kept is columns and nothing else.
    let columns = View::read(&parameters).columns;
    let done = services::projects::set_list_columns(&app, &member, &columns).await;
    answer(&app, look, &member, done, "columns", with_alert).await
}

/// `POST /projects/{slug}/settings/directions`: pairs of `name` and `better`.
pub async fn save_directions(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(parameters): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let done = match read_directions(&parameters) {
        Ok(said) => services::projects::set_directions(&app, &member, said).await,
        Err(refused) => member.require(Role::Owner).and(Err(refused)),
    };
    answer(&app, look, &member, done, "directions", with_alert).await
}

fn read_directions(parameters: &[(String, String)]) -> Result<Vec<(String, Option<Direction>)>> {
    let mut said = Vec::new();
    for pair in parameters.windows(2) {
        let [(first, name), (second, better)] = pair else { continue };
        if first != "name" || second != "better" {
            continue;
        }
        let direction = match better.as_str() {
            "" => None,
            "higher" => Some(Direction::Higher),
            "lower" => Some(Direction::Lower),
            _ => return Err(AppError::invalid("Choose higher or lower for each result.")),
        };
        said.push((name.clone(), direction));
    }
    Ok(said)
}

/// What the form of the end sends.
#[derive(Deserialize)]
pub struct DeleteForm {
    #[serde(default)]
    name: String,
}

/// `POST /projects/{slug}/delete`
pub async fn delete(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(form): Form<DeleteForm>,
) -> Result<Response> {
    let done = services::projects::delete(&app, &member, &form.name).await;
    if done.is_ok() {
        return Ok(Redirect::to("/projects?deleted=1").into_response());
    }
    let again = |page: SettingsForm, refused: &AppError| {
        let refused = Refused { delete: Some(refused.message()), typed: form.name, ..Refused::default() };
        SettingsForm { refused, ..page }
    };
    answer(&app, look, &member, done, "", again).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_direction_belongs_to_the_name_before_it() {
        let sent = pairs(&[("name", "a"), ("better", "lower"), ("name", "b"), ("better", ""), ("name", "c")]);
        let said = read_directions(&sent).unwrap();
        assert_eq!(said, [("a".to_owned(), Some(Direction::Lower)), ("b".to_owned(), None)]);
        assert!(read_directions(&pairs(&[("name", "a"), ("better", "sideways")])).is_err());
    }
}
